//! Deletes films, runs, and what is too old of live sources, in small transactions.

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, params};

use crate::database::Database;
use crate::error::{Error, Result};

/// Shots or clips that a transaction deletes. Other processes can write in between.
const BATCH: i64 = 1000;

/// Pages that a transaction gives back to the file system.
const VACUUM_PAGES: i64 = 256;

/// Free pages are given back if they are more than one in this number. A service that deletes a day
/// and records another uses the free pages again.
const FREE_SHARE: i64 = 10;

/// How long a history keeps what grows without end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Days for which the shots and clips of live sources are kept.
    pub live_days: u32,
}

/// Numbers of deleted rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Deleted {
    /// Shots.
    pub shots: u64,
    /// Clips.
    pub clips: u64,
}

/// Deletes the shots and clips of live sources that are older than the limits at the time `now`.
pub(crate) fn keep(database: &Database, limits: &Limits, now: Timestamp) -> Result<Deleted> {
    let mut deleted = delete_marked(database)?;
    let cutoff = now.as_millisecond().saturating_sub(i64::from(limits.live_days) * 86_400_000);
    let films: Vec<i64> = database.read(|connection| {
        let mut live = connection.prepare("SELECT id FROM film WHERE live = 1 AND started < ?1")?;
        live.query_map([cutoff], |row| row.get(0))?.collect()
    })?;
    for film in films {
        let of_film = delete_older(database, film, cutoff)?;
        deleted.shots += of_film.shots;
        deleted.clips += of_film.clips;
    }
    vacuum(database)?;
    Ok(deleted)
}

/// Deletes the film `film`.
pub(crate) fn forget_film(database: &Database, film: i64) -> Result<()> {
    let marked = "UPDATE film SET state = 2 WHERE id = ?1 AND state < 2";
    if database.write(|connection| connection.execute(marked, [film]))? == 0 {
        return Err(Error::UnknownFilm(film));
    }
    delete_marked(database)?;
    vacuum(database)
}

/// Deletes the run `run` and its films.
pub(crate) fn forget_run(database: &Database, run: i64) -> Result<()> {
    let known = database.write(|connection| {
        connection.execute("UPDATE film SET state = 2 WHERE run = ?1", [run])?;
        connection.query_row("SELECT 1 FROM run WHERE id = ?1", [run], |_| Ok(())).optional()
    })?;
    known.ok_or(Error::UnknownRun(run))?;
    delete_marked(database)?;
    database.write(|connection| connection.execute("DELETE FROM run WHERE id = ?1", [run]))?;
    vacuum(database)
}

/// Deletes the films that are marked, also those of a process that was killed while it deleted.
fn delete_marked(database: &Database) -> Result<Deleted> {
    let mut deleted = Deleted::default();
    let marked: Vec<i64> = database.read(|connection| {
        let mut marked = connection.prepare("SELECT id FROM film WHERE state = 2")?;
        marked.query_map([], |row| row.get(0))?.collect()
    })?;
    for film in marked {
        let of_film = delete_older(database, film, i64::MAX)?;
        deleted.shots += of_film.shots;
        deleted.clips += of_film.clips;
        database.write(|connection| {
            // Not a film that its writer has taken up again meanwhile.
            let marked = "EXISTS (SELECT 1 FROM film WHERE id = ?1 AND state = 2)";
            connection.execute(&format!("DELETE FROM film_genre WHERE film = ?1 AND {marked}"), [film])?;
            connection.execute("DELETE FROM film WHERE id = ?1 AND state = 2", [film])
        })?;
    }
    Ok(deleted)
}

/// Deletes the shots and clips of a film from before `cutoff`, in milliseconds since 1970.
fn delete_older(database: &Database, film: i64, cutoff: i64) -> Result<Deleted> {
    Ok(Deleted {
        shots: in_batches(database, |connection| delete_shots(connection, film, cutoff))?,
        clips: in_batches(database, |connection| delete_clips(connection, film, cutoff))?,
    })
}

/// Repeats `delete`, which returns the number of deleted rows, until it finds less than a batch.
fn in_batches(database: &Database, delete: impl Fn(&Connection) -> rusqlite::Result<usize>) -> Result<u64> {
    let mut deleted = 0;
    loop {
        let batch = database.write(&delete)? as u64;
        deleted += batch;
        if batch < BATCH as u64 {
            return Ok(deleted);
        }
    }
}

/// Deletes the clips at the beginning of a film, at most a batch.
fn delete_clips(connection: &Connection, film: i64, cutoff: i64) -> rusqlite::Result<usize> {
    // A row without a time is as old as its film.
    let last = "SELECT max(number) FROM (SELECT number, time FROM clip WHERE film = ?1 ORDER BY number LIMIT ?3)
         WHERE coalesce(time, (SELECT started FROM film WHERE id = ?1)) < ?2";
    let last: Option<i64> =
        connection.prepare_cached(last)?.query_row(params![film, cutoff, BATCH], |row| row.get(0))?;
    connection
        .prepare_cached("DELETE FROM clip WHERE film = ?1 AND number <= ?2")?
        .execute(params![film, last.unwrap_or(-1)])
}

/// Deletes the shots at the beginning of a film, at most a batch, and their probabilities.
fn delete_shots(connection: &Connection, film: i64, cutoff: i64) -> rusqlite::Result<usize> {
    let last = "SELECT max(number) FROM (SELECT number, time FROM shot WHERE film = ?1 ORDER BY number LIMIT ?3)
         WHERE coalesce(time, (SELECT started FROM film WHERE id = ?1)) < ?2";
    let last: Option<i64> =
        connection.prepare_cached(last)?.query_row(params![film, cutoff, BATCH], |row| row.get(0))?;
    let range = params![film, last.unwrap_or(-1)];
    let genres = "DELETE FROM shot_genre WHERE shot IN (SELECT id FROM shot WHERE film = ?1 AND number <= ?2)";
    connection.prepare_cached(genres)?.execute(range)?;
    connection.prepare_cached("DELETE FROM shot WHERE film = ?1 AND number <= ?2")?.execute(range)
}

/// Gives free pages back to the file system, if they are many.
fn vacuum(database: &Database) -> Result<()> {
    loop {
        let (free, all) = database.read(|connection| {
            let number = |pragma| connection.pragma_query_value(None, pragma, |row| row.get::<_, i64>(0));
            Ok((number("freelist_count")?, number("page_count")?))
        })?;
        if free <= all / FREE_SHARE {
            break;
        }
        database.write(|connection| {
            let mut vacuum = connection.prepare(&format!("PRAGMA incremental_vacuum({VACUUM_PAGES})"))?;
            let mut rows = vacuum.query([])?;
            // Each step frees a page.
            while rows.next()?.is_some() {}
            Ok(())
        })?;
        let left = database
            .read(|connection| connection.pragma_query_value(None, "freelist_count", |row| row.get::<_, i64>(0)))?;
        if left >= free {
            // A file without auto_vacuum, which this crate never makes.
            break;
        }
    }
    // The file shrinks when the log is copied to it. What a reader still needs stays in the log.
    database.outside(|connection| connection.pragma(None, "wal_checkpoint", "PASSIVE", |_| Ok(())))
}
