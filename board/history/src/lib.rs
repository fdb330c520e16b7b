//! Records runs of divita in a SQLite file, and answers queries.

#![doc = include_str!("../README.md")]

mod condition;
mod database;
mod error;
pub mod export;
mod film;
mod history;
mod open;
mod pages;
mod parse;
mod query;
mod retention;
mod rows;
mod run;
mod schema;
mod search;
mod stored;
mod suggestion;

pub use error::{Error, Result};
pub use film::{ClipFacts, Film, FilmFacts, LIVE_BUFFER, LIVE_INTERVAL, ResultFacts, ShotFacts};
pub use history::History;
pub use pages::Pages;
pub use query::{Query, QueryError};
pub use retention::{Deleted, Limits};
pub use rows::{ClipRow, FilmRow, Probabilities, RunRow, ShotRow};
pub use run::{BundleFacts, Run, RunFacts};
