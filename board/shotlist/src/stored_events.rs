//! Reads films from events that `divita shots` or `divita classify` has stored as JSON Lines.

use std::collections::HashMap;
use std::io::{self, BufRead};

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use crate::film::{Film, Shot};

/// Why stored events cannot be read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoredEventsError {
    /// The line cannot be read, or is not UTF-8.
    #[error("line {line}: cannot read: {error}")]
    Read {
        /// Number of the line, from 1.
        line: usize,
        /// The I/O error.
        #[source]
        error: io::Error,
    },
    /// The line is no event, or a field of the event is missing or has another type.
    #[error("line {line}: not an event of divita: {reason}; use --format jsonl")]
    NotAnEvent {
        /// Number of the line, from 1.
        line: usize,
        /// What is wrong.
        reason: String,
    },
    /// The line has a version of events that this crate does not know.
    #[error("line {line}: events of version {schema}, but only 1 and 2 are supported; use a newer divita")]
    UnknownSchema {
        /// Number of the line, from 1.
        line: usize,
        /// The version.
        schema: u64,
    },
}

/// What all events have.
#[derive(Deserialize)]
struct Header {
    schema: u64,
    source: String,
    event: String,
}

/// The event `opened`: what a source states about itself.
#[derive(Deserialize)]
struct Opened {
    width: Option<usize>,
    height: Option<usize>,
    frame_rate: Option<f64>,
    duration_s: Option<f64>,
    frames: Option<u64>,
}

/// The event `shot`.
#[derive(Deserialize)]
struct ShotEvent {
    index: usize,
    start_s: f64,
    end_s: f64,
    kind: String,
    first_frame: u64,
    frames: u64,
    #[serde(default)]
    probabilities: Map<String, Value>,
}

/// The event `result`.
#[derive(Deserialize)]
struct ResultEvent {
    notice: Option<String>,
    duration_s: Option<f64>,
    frames: Option<u64>,
}

/// A film whose events are being read.
#[derive(Default)]
struct Reading {
    film: Film,
    /// Whether its last event was read.
    ended: bool,
}

/// Reads the events of one or more sources, and returns a film for each, in order of the first
/// events.
///
/// - Ignores unknown events and fields, and empty lines.
/// - A source that was read twice gives two films: the second begins after the event `result` or
///   `error` of the first, or with shot 0.
/// - A source that failed gives a film with the shots before the failure.
/// - The event `result` overrides what the event `opened` states.
///
/// # Errors
/// Names the line if it cannot be read, is no event, or is of another version.
pub fn read_films(events: impl BufRead) -> Result<Vec<Film>, StoredEventsError> {
    let mut films: Vec<Reading> = Vec::new();
    let mut positions: HashMap<String, usize> = HashMap::new();
    for (line, text) in (1..).zip(events.lines()) {
        let text = text.map_err(|error| StoredEventsError::Read { line, error })?;
        if text.trim().is_empty() {
            continue;
        }
        let Header { schema, source, event } = parsed(line, &text)?;
        if !matches!(schema, 1 | 2) {
            return Err(StoredEventsError::UnknownSchema { line, schema });
        }
        let shot = match event.as_str() {
            "shot" => Some(parsed::<ShotEvent>(line, &text)?),
            _ => None,
        };
        let begins = event == "opened" || shot.as_ref().is_some_and(|shot| shot.index == 0);
        let position = positions.get(&source).copied().filter(|&position| {
            let begins_again = begins && films.get(position).is_some_and(|reading| !reading.film.shots.is_empty());
            let has_ended = films.get(position).is_some_and(|reading| reading.ended && event != "error");
            !begins_again && !has_ended
        });
        let position = position.unwrap_or_else(|| {
            let film = Film { name: source.clone(), ..Film::default() };
            films.push(Reading { film, ended: false });
            positions.insert(source, films.len() - 1);
            films.len() - 1
        });
        let Some(Reading { film, ended }) = films.get_mut(position) else { continue };
        if let Some(shot) = shot {
            film.shots.push(shot.into());
        }
        match event.as_str() {
            "opened" => {
                let opened: Opened = parsed(line, &text)?;
                (film.width, film.height) = (opened.width, opened.height);
                (film.frame_rate, film.duration_s, film.frames) = (opened.frame_rate, opened.duration_s, opened.frames);
            }
            "result" => {
                let result: ResultEvent = parsed(line, &text)?;
                film.notice = result.notice;
                film.duration_s = result.duration_s.or(film.duration_s);
                film.frames = result.frames.or(film.frames);
                *ended = true;
            }
            "error" => *ended = true,
            _ => {}
        }
    }
    Ok(films.into_iter().map(|reading| reading.film).collect())
}

/// Returns the event or a part of it that `text` holds.
fn parsed<T: DeserializeOwned>(line: usize, text: &str) -> Result<T, StoredEventsError> {
    serde_json::from_str(text).map_err(|error| {
        // The parser counts lines in this text, which is always the first.
        let reason = error.to_string().replace(" at line 1 column ", " at column ");
        StoredEventsError::NotAnEvent { line, reason }
    })
}

impl From<ShotEvent> for Shot {
    fn from(event: ShotEvent) -> Self {
        let ShotEvent { index, start_s, end_s, kind, first_frame, frames, probabilities } = event;
        let number = |value: Value| value.as_f64().map(|probability| probability as f32);
        let genres = probabilities.into_iter().filter_map(|(label, value)| Some((label, number(value)?)));
        Shot { index, start_s, end_s, first_frame, frames, kind, genres: genres.collect() }
    }
}
