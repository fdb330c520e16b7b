//! Names of the files that a folder has for films.

use std::collections::BTreeSet;
use std::path::Path;

use divita_video::Input;

/// Longest part of a film's name in the name of a file, in characters.
const LONGEST: usize = 100;

/// Returns a file name for each of `inputs`, in their order: the name of the film and `extension`,
/// or a number between them if films have the same name. Names do not differ by case alone, and
/// none is in `taken`.
#[must_use]
pub fn film_names(inputs: &[Input], extension: &str, taken: &[&str]) -> Vec<String> {
    let mut used: BTreeSet<String> = taken.iter().map(|name| name.to_lowercase()).collect();
    let mut name = |input: &Input| {
        let stem = stem(input);
        let numbered = (2..).map(|number| format!("{stem}-{number}.{extension}"));
        let mut names = [format!("{stem}.{extension}")].into_iter().chain(numbered);
        names.find(|name| used.insert(name.to_lowercase())).unwrap_or_default()
    };
    inputs.iter().map(&mut name).collect()
}

/// Returns the name of the film without its folder and its extension. Characters that a file system
/// or a shell could misread become `_`.
fn stem(input: &Input) -> String {
    let path = input.local_path();
    let local = path.as_deref().and_then(Path::file_stem).map(|stem| stem.to_string_lossy().into_owned());
    let named = local.unwrap_or_else(|| input.shown().to_owned());
    let plain = |c: char| c.is_alphanumeric() || matches!(c, ' ' | '.' | '_' | '-' | '(' | ')');
    let name: String = named.chars().take(LONGEST).map(|c| if plain(c) { c } else { '_' }).collect();
    match name.trim_matches([' ', '.', '-']) {
        "" => "film".to_owned(),
        name => name.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_film_has_a_name_of_its_own_that_no_path_can_break() {
        let inputs =
            ["a/film.mp4", "b/Film.mkv", "film-2.mp4", "..", "a/-x;rm.mp4", "rtsp://me:secret@camera/1", "index.mp4"];
        let names = film_names(&inputs.map(Input::new), "html", &["index.html"]);
        assert_eq!(names[..3], ["film.html", "Film-2.html", "film-2-2.html"]);
        assert_eq!(names[4], "x_rm.html");
        assert_eq!(names[6], "index-2.html");
        assert!(
            names.iter().all(|name| !name.contains("secret") && !name.contains('/') && !name.starts_with('.')),
            "{names:?}"
        );
    }
}
