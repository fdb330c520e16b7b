//! Escapes foreign text for terminals.

use std::borrow::Cow;
use std::fmt::Write as _;

use divita_runtime::bundle::is_unprintable;

/// Returns `text` with control characters, line ends and direction marks escaped, as in `\u{1b}`.
///
/// A terminal obeys such characters instead of showing them. Labels, file names and messages of
/// devices can contain them.
#[must_use]
pub fn printable(text: &str) -> Cow<'_, str> {
    if !text.contains(is_unprintable) {
        return Cow::Borrowed(text);
    }
    let mut shown = String::with_capacity(text.len() + 8);
    for c in text.chars() {
        match is_unprintable(c) {
            // Writing to a string cannot fail.
            true => drop(write!(shown, "{}", c.escape_default())),
            false => shown.push(c),
        }
    }
    Cow::Owned(shown)
}

/// Returns the JSON text `json` with the same characters escaped as [`printable`] does.
///
/// JSON itself escapes only the first 32 control characters. The value stays the same.
#[must_use]
pub fn printable_json(json: &str) -> Cow<'_, str> {
    let is_escaped = |c: char| c != '\n' && is_unprintable(c);
    if !json.contains(is_escaped) {
        return Cow::Borrowed(json);
    }
    let mut shown = String::with_capacity(json.len() + 8);
    for c in json.chars() {
        match is_escaped(c) {
            // All such characters are below U+10000. Writing to a string cannot fail.
            true => drop(write!(shown, "\\u{:04x}", u32::from(c))),
            false => shown.push(c),
        }
    }
    Cow::Owned(shown)
}

#[cfg(test)]
mod tests {
    use super::{printable, printable_json};

    #[test]
    fn escaped_json_has_the_same_value() {
        let text = "a\u{1b}b\u{7f}\u{9b}c\u{202e}\n\u{2028}";
        let json = serde_json::to_string_pretty(&[text]).unwrap();
        let shown = printable_json(&json);
        assert!(!shown.contains(|c: char| c != '\n' && divita_runtime::bundle::is_unprintable(c)), "{shown:?}");
        assert_eq!(serde_json::from_str::<[String; 1]>(&shown).unwrap(), [text]);
    }

    #[test]
    fn control_characters_are_escaped() {
        assert_eq!(printable("film – Über.mp4"), "film – Über.mp4");
        assert_eq!(printable("a\u{1b}[31mb\n\u{9b}c\u{202e}d"), "a\\u{1b}[31mb\\n\\u{9b}c\\u{202e}d");
    }
}
