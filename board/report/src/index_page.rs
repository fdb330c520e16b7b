//! The index of several films.

use askama::Template;

use crate::{
    IndexEntry, PAGE_BYTES, ReportError,
    genre::Genre,
    keyframes::Picture,
    number,
    policy::policy,
    text::{LONG, NAME, address, shown},
};

const STYLE: &str = include_str!("../templates/style.css");
/// Genres of a film.
const GENRES: usize = 3;

/// A film of the page.
struct Film {
    name: String,
    /// Address of the page. None if the film has no page.
    address: Option<String>,
    duration: String,
    shots: String,
    genres: Vec<Genre>,
    picture: Option<Picture>,
    is_complete: bool,
    errors: Vec<String>,
}

/// A bundle of the page, and how many films it classified.
struct Notice {
    bundle: String,
    is_trained: bool,
    text: Option<String>,
}

/// Data of the template.
#[derive(Template)]
#[template(path = "index.html")]
struct Page {
    policy: String,
    style: &'static str,
    films: Vec<Film>,
    notices: Vec<Notice>,
}

/// Returns an index of the films' pages: one HTML file without external requests and without
/// script.
///
/// # Errors
/// When the template cannot be rendered.
pub fn index_page(entries: &[IndexEntry]) -> Result<String, ReportError> {
    let mut notices: Vec<Notice> = Vec::new();
    for entry in entries {
        let bundle = &entry.bundle;
        let text = bundle.notice.as_deref().filter(|notice| !notice.trim().is_empty()).map(|text| shown(text, LONG));
        let notice = Notice { bundle: shown(&bundle.name, NAME), is_trained: bundle.trained, text };
        let is_new = notices
            .iter()
            .all(|one| (&one.bundle, one.is_trained, &one.text) != (&notice.bundle, notice.is_trained, &notice.text));
        if is_new && (!notice.is_trained || notice.text.is_some()) {
            notices.push(notice);
        }
    }
    let mut budget = PAGE_BYTES / 2;
    let films = entries.iter().map(|entry| film(entry, &mut budget)).collect();
    Ok(Page { policy: policy(STYLE, ""), style: STYLE, films, notices }.render()?)
}

fn film(entry: &IndexEntry, budget: &mut usize) -> Film {
    let picture = entry.keyframe.as_ref().and_then(Picture::new).filter(|picture| picture.data.len() <= *budget);
    *budget -= picture.as_ref().map_or(0, |picture| picture.data.len());
    let genre = |(name, probability): &(String, f32)| Genre::new(0, name, *probability);
    Film {
        name: if entry.film.trim().is_empty() { "unnamed film".to_owned() } else { shown(&entry.film, NAME) },
        address: (!entry.page.is_empty()).then(|| address(&entry.page)),
        duration: number::duration(entry.duration_s),
        shots: number::count(entry.shots as u64),
        genres: entry.genres.iter().take(GENRES).map(genre).collect(),
        picture,
        is_complete: entry.complete,
        errors: entry.errors.iter().map(|error| shown(error, LONG)).collect(),
    }
}
