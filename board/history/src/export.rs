//! Converts rows to JSON objects and CSV lines. The caller writes them.

use serde::Serialize;
use serde_json::{Map, Value};

use crate::rows::{ClipRow, FilmRow, RunRow, ShotRow};

/// A row that can be exported.
pub trait Row: Serialize {
    /// Names of the CSV columns, before a column for each genre.
    const COLUMNS: &'static [&'static str];
}

impl Row for RunRow {
    const COLUMNS: &'static [&'static str] = &["run", "command", "version", "bundle", "started", "ended", "films"];
}

impl Row for FilmRow {
    const COLUMNS: &'static [&'static str] = &[
        "film",
        "run",
        "name",
        "live",
        "started",
        "size",
        "width",
        "height",
        "frame_rate",
        "duration_s",
        "frames",
        "shots",
        "clips",
        "snippets",
        "lost_frames",
        "dropped_clips",
        "fps",
        "segmentation",
        "bundle",
        "task",
        "trained",
        "notice",
        "complete",
        "error",
    ];
}

impl Row for ShotRow {
    const COLUMNS: &'static [&'static str] =
        &["film", "name", "index", "time", "start_s", "end_s", "kind", "first_frame", "frames", "probability"];
}

impl Row for ClipRow {
    const COLUMNS: &'static [&'static str] =
        &["film", "name", "index", "shot", "time", "start_s", "end_s", "keyframe_s", "padded"];
}

/// Returns the names and values of a row.
fn object(row: &impl Row) -> Map<String, Value> {
    match serde_json::to_value(row) {
        Ok(Value::Object(object)) => object,
        // The rows of this crate are structs of texts and numbers, which always serialize.
        _ => Map::new(),
    }
}

/// Returns `row` as a JSON object in one line, without the line feed.
#[must_use]
pub fn json(row: &impl Row) -> String {
    Value::Object(object(row)).to_string()
}

/// Returns the fields of the CSV header: the columns of the rows, then `genres`.
#[must_use]
pub fn csv_header<R: Row>(genres: &[String]) -> Vec<String> {
    R::COLUMNS.iter().map(|name| (*name).to_owned()).chain(genres.iter().cloned()).collect()
}

/// Returns the fields of a CSV line: the columns of the row, then the probabilities of `genres`.
///
/// A missing value is an empty field. The fields are not quoted yet.
#[must_use]
pub fn csv_fields<R: Row>(row: &R, genres: &[String]) -> Vec<String> {
    let object = object(row);
    let field = |value: Option<&Value>| match value {
        None | Some(Value::Null) => String::new(),
        Some(Value::String(text)) => text.clone(),
        Some(other) => other.to_string(),
    };
    let columns = R::COLUMNS.iter().map(|name| field(object.get(*name)));
    let probabilities = object.get("probabilities");
    columns.chain(genres.iter().map(|genre| field(probabilities.and_then(|all| all.get(genre))))).collect()
}
