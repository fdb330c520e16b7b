//! Names of films and titles of shots, as one line of text.

use crate::shot_list::ListedShot;

/// Returns `text` as one line: a space replaces each control character, line separator and mark of
/// writing direction.
pub(crate) fn one_line(text: &str) -> String {
    let is_unprintable = |c: char| {
        c.is_control() || matches!(c, '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    };
    let line: String = text.chars().map(|c| if is_unprintable(c) { ' ' } else { c }).collect();
    line.trim().to_owned()
}

/// Returns the last part of a path or an address in one line: `untitled` if there is none.
pub(crate) fn file_name(name: &str) -> String {
    let last = name.rsplit('/').map(one_line).find(|part| !part.is_empty());
    last.unwrap_or_else(|| "untitled".to_owned())
}

/// Returns the title of a shot, such as `Shot 12 · fantasy 0.81`.
pub(crate) fn shot_title(shot: &ListedShot) -> String {
    match leading_genre(shot) {
        Some(genre) => format!("Shot {} · {genre}", shot.number),
        None => format!("Shot {}", shot.number),
    }
}

/// Returns the most probable genre of a shot and its probability, such as `fantasy 0.81`.
pub(crate) fn leading_genre(shot: &ListedShot) -> Option<String> {
    shot.leading_genre().map(|(label, probability)| format!("{} {probability:.2}", one_line(label)))
}

/// Returns how a shot begins, in words.
pub(crate) fn beginning(shot: &ListedShot) -> String {
    match shot.kind.as_str() {
        "start" => "start of the film".to_owned(),
        "cut" => "cut".to_owned(),
        "black" => "cut from black".to_owned(),
        "fade" => "fade from black".to_owned(),
        "gradual" => "gradual transition".to_owned(),
        "gap" => "pause of the stream".to_owned(),
        other => one_line(other),
    }
}

#[cfg(test)]
mod tests {
    use super::{file_name, one_line};

    #[test]
    fn names_are_one_line() {
        assert_eq!(one_line("a\nb\r\u{2028}c\u{85}\u{1c}\u{202e}d\0"), "a b  c   d");
        assert_eq!(file_name("films/a b.mkv"), "a b.mkv");
        assert_eq!(file_name("http://host/films/"), "films");
        assert_eq!(file_name("///"), "untitled");
        assert_eq!(file_name("\n"), "untitled");
    }
}
