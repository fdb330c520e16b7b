//! Makes foreign text fit to be shown. Templates escape what HTML gives a meaning.

/// Maximum characters of a text.
pub(crate) const LONG: usize = 2_000;
/// Maximum characters of a name that stands in a heading or beside values.
pub(crate) const NAME: usize = 160;

/// Returns `text` with control characters and direction marks as escapes such as `\u{202e}`, cut to
/// `most` characters. Line ends become spaces.
pub(crate) fn shown(text: &str, most: usize) -> String {
    let mut shown = String::with_capacity(text.len().min(4 * most));
    for (at, c) in text.chars().enumerate() {
        if at == most {
            shown.push('…');
            break;
        }
        match c {
            '\n' | '\r' | '\t' => shown.push(' '),
            c if is_unprintable(c) => shown.extend(c.escape_unicode()),
            c => shown.push(c),
        }
    }
    shown
}

/// Whether a character is obeyed instead of shown: control characters, direction marks, separators
/// of lines, and characters that are no text.
fn is_unprintable(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}')
        || matches!(c, '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
        || (c as u32) & 0xfffe == 0xfffe
}

/// Returns a relative address of a path: every byte but letters, digits, `-._~` and `/` is escaped,
/// so that the path cannot become the address of another site or a script.
pub(crate) fn address(path: &str) -> String {
    let mut address = String::from(".");
    for part in path.split('/').filter(|part| !part.is_empty()) {
        address.push('/');
        for byte in part.bytes() {
            match byte {
                b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => address.push(byte as char),
                byte => address.push_str(&format!("%{byte:02X}")),
            }
        }
    }
    address
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_shows_what_would_be_obeyed() {
        assert_eq!(shown("a\u{202e}b\u{0}c\nd", 99), "a\\u{202e}b\\u{0}c d");
        assert_eq!(shown("Amélie, 七人の侍, שלום", 99), "Amélie, 七人の侍, שלום");
        assert_eq!(shown(&"x".repeat(10_000), 3), "xxx…");
    }

    #[test]
    fn an_address_stays_in_its_folder() {
        assert_eq!(address("a film.html"), "./a%20film.html");
        assert_eq!(address("javascript:alert(1)"), "./javascript%3Aalert%281%29");
        assert_eq!(address("//host/é?#\""), "./host/%C3%A9%3F%23%22");
        assert_eq!(address(""), ".");
    }
}
