//! Text from elsewhere as it may stand on a terminal.

use std::borrow::Cow;
use std::fmt::Write as _;

use divita_runtime::bundle::is_unprintable;

/// Returns `text` with everything escaped that a terminal obeys rather than shows: control characters, line ends and marks of
/// direction, as `\u{1b}`. Labels, names of files and messages of devices can hold them.
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

#[cfg(test)]
mod tests {
    use super::printable;

    #[test]
    fn what_a_terminal_obeys_is_escaped() {
        assert_eq!(printable("film – Über.mp4"), "film – Über.mp4");
        assert_eq!(printable("a\u{1b}[31mb\n\u{9b}c\u{202e}d"), "a\\u{1b}[31mb\\n\\u{9b}c\\u{202e}d");
    }
}
