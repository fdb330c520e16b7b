//! Writes reports about films as HTML pages that need no network and no other file.
//!
//! [`film_page()`] writes the page of a film, [`index_page()`] a list of films. The caller gives
//! all data as plain structs; this crate reads no file and asks no clock.
//!
//! ```
//! use divita_report::{FilmReport, film_page};
//!
//! let film = FilmReport { film: "film.mp4".to_owned(), ..FilmReport::default() };
//! assert!(film_page(&film).unwrap().starts_with("<!DOCTYPE html>"));
//! ```
//!
//! - `film` and `index` hold the data, `film_page` and `index_page` the pages.
//! - `curves` packs probabilities, `timeline` places shots, `keyframes` chooses pictures.
//! - `text` and `number` make text fit to be shown, `policy` makes the content security policy.

mod curves;
mod error;
mod film;
mod film_page;
mod genre;
mod index;
mod index_page;
mod keyframes;
mod number;
mod policy;
mod text;
mod timeline;

pub use error::ReportError;
pub use film::{
    ActiveArea, Bundle, Clip, DroppedClip, FilmReport, GenreContributions, Keyframe, LostPictures, Shot, ShotShare,
    Snippet,
};
pub use film_page::film_page;
pub use index::IndexEntry;
pub use index_page::index_page;
pub use keyframes::{KeyframeSize, PAGE_BYTES, keyframe_size};
