//! Iterates over the shots and clips of a film, a page at a time.

use std::collections::VecDeque;
use std::sync::Arc;

use rusqlite::{Connection, OptionalExtension, Row, params};

use crate::database::Database;
use crate::error::{Error, Result};
use crate::rows::{ClipRow, Probabilities, ShotRow};
use crate::search::{Label, SHOT, foreign, labels, optional_time, shot_probabilities, shot_row};
use crate::stored;

/// Rows that are read at once.
const PAGE: i64 = 1000;

/// Reads rows of a film from a number on. Returns them with their numbers.
type ReadPage<T> = fn(&Connection, &Film, i64) -> rusqlite::Result<Vec<(i64, T)>>;

/// The rows of a film, in their order.
///
/// A page is read at a time, so that months of a camera need no memory, and no writer waits. A row
/// that is deleted meanwhile may be missing.
#[derive(Debug)]
pub struct Pages<T> {
    database: Arc<Database>,
    film: Film,
    read: ReadPage<T>,
    page: VecDeque<T>,
    /// The number from which the next page begins; `None` after the last page.
    next: Option<i64>,
}

/// What the rows of a film have in common.
#[derive(Debug)]
struct Film {
    id: i64,
    name: String,
    labels: Vec<Label>,
}

impl<T> Pages<T> {
    fn new(database: &Arc<Database>, film: i64, read: ReadPage<T>) -> Result<Self> {
        let found = database.read(|connection| {
            let row = "SELECT film.name, run.bundle FROM film JOIN run ON run.id = film.run
                 WHERE film.id = ?1 AND film.state < 2";
            let row = connection.query_row(row, [film], |row| Ok((row.get(0)?, row.get(1)?))).optional()?;
            row.map(|(name, bundle)| Ok(Film { id: film, name, labels: labels(connection, bundle)? })).transpose()
        })?;
        let film = found.ok_or(Error::UnknownFilm(film))?;
        Ok(Self { database: Arc::clone(database), film, read, page: VecDeque::new(), next: Some(i64::MIN) })
    }
}

impl<T> Iterator for Pages<T> {
    type Item = Result<T>;

    fn next(&mut self) -> Option<Result<T>> {
        if let Some(row) = self.page.pop_front() {
            return Some(Ok(row));
        }
        let next = self.next.take()?;
        match self.database.read(|connection| (self.read)(connection, &self.film, next)) {
            Ok(rows) => {
                self.next = rows.last().map(|(number, _)| number.saturating_add(1));
                self.page.extend(rows.into_iter().map(|(_, row)| row));
                self.page.pop_front().map(Ok)
            }
            Err(error) => Some(Err(error)),
        }
    }
}

/// Returns the clips of a film.
pub(crate) fn clips(database: &Arc<Database>, film: i64) -> Result<Pages<ClipRow>> {
    Pages::new(database, film, |connection, film, next| {
        let clips = "SELECT number, shot, start, length, keyframe, padded, time, probabilities FROM clip
             WHERE film = ?1 AND number >= ?2 ORDER BY number LIMIT ?3";
        let mut clips = connection.prepare_cached(clips)?;
        let rows = clips.query_map(params![film.id, next, PAGE], |row| {
            clip_row(row, film).map(|clip| (i64::from(clip.index), clip))
        })?;
        rows.collect()
    })
}

fn clip_row(row: &Row, film: &Film) -> rusqlite::Result<ClipRow> {
    let (start, length, keyframe): (i64, i64, i64) = (row.get(2)?, row.get(3)?, row.get(4)?);
    let bytes = row.get_ref(7)?.as_blob()?;
    let count = if bytes.is_empty() { 0 } else { film.labels.len() };
    let steps = stored::from_bytes(bytes, count);
    let steps = steps.ok_or_else(|| foreign(7, "a probability"))?;
    let names = film.labels.iter().map(|(_, name)| name.clone());
    Ok(ClipRow {
        film: film.id,
        name: film.name.clone(),
        index: row.get(0)?,
        shot: row.get(1)?,
        time: optional_time(row, 6)?,
        start_s: stored::seconds(start),
        end_s: stored::seconds(start.saturating_add(length)),
        keyframe_s: stored::seconds(start.saturating_add(keyframe)),
        padded: row.get(5)?,
        probabilities: Probabilities(names.zip(steps.into_iter().map(stored::probability)).collect()),
    })
}

/// Returns the shots of a film.
pub(crate) fn shots(database: &Arc<Database>, film: i64) -> Result<Pages<ShotRow>> {
    Pages::new(database, film, |connection, film, next| {
        let sql = format!("SELECT {SHOT} FROM shot WHERE film = ?1 AND number >= ?2 ORDER BY number LIMIT ?3");
        let mut shots = connection.prepare_cached(&sql)?;
        let rows = shots.query_map(params![film.id, next, PAGE], |row| {
            let (mut shot, key) = shot_row(row, film.name.clone())?;
            shot.probabilities = shot_probabilities(connection, key, &film.labels)?;
            Ok((i64::from(shot.index), shot))
        })?;
        rows.collect()
    })
}
