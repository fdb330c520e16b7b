//! Records a run of the program: its command line, its bundle and its films.

use std::sync::Arc;

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, params};

use crate::database::Database;
use crate::error::{Error, Result};
use crate::film::{Film, FilmFacts};

/// What is known when a run begins.
#[derive(Debug, Clone, PartialEq)]
pub struct RunFacts {
    /// The command line, without credentials.
    pub command: String,
    /// The version of the program.
    pub version: String,
    /// The bundle; none if the run only finds shots.
    pub bundle: Option<BundleFacts>,
    /// The time at which the run began.
    pub started: Timestamp,
}

/// The bundle of a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BundleFacts {
    /// The name of the bundle.
    pub name: String,
    /// The labels in the order of the probabilities.
    pub labels: Vec<String>,
}

/// A run that is being recorded. Its films may be written in turn, also by several threads.
#[derive(Debug)]
pub struct Run {
    database: Arc<Database>,
    id: i64,
    /// The genres of the labels.
    genres: Arc<[i64]>,
}

impl Run {
    /// Stores a new run.
    pub(crate) fn begin(database: Arc<Database>, facts: &RunFacts) -> Result<Self> {
        if let Some(bundle) = &facts.bundle {
            check(bundle)?;
        }
        let (id, genres) = database.write(|connection| {
            let (bundle, genres) = match &facts.bundle {
                Some(bundle) => {
                    let genres: Vec<i64> =
                        bundle.labels.iter().map(|label| genre(connection, label)).collect::<Result<_, _>>()?;
                    (Some(bundle_row(connection, &bundle.name, &genres)?), genres)
                }
                None => (None, Vec::new()),
            };
            let run = "INSERT INTO run (command, version, bundle, started) VALUES (?1, ?2, ?3, ?4)";
            let started = facts.started.as_millisecond();
            connection.execute(run, params![facts.command, facts.version, bundle, started])?;
            Ok((connection.last_insert_rowid(), genres))
        })?;
        Ok(Self { database, id, genres: genres.into() })
    }

    /// Returns the number of the run.
    #[must_use]
    pub fn id(&self) -> i64 {
        self.id
    }

    /// Begins a film of the run.
    ///
    /// Nothing is written before [`Film::finish`], except for a live source.
    ///
    /// # Errors
    ///
    /// Returns [`Error::Value`] for a fact that cannot be stored.
    pub fn begin_film(&self, facts: &FilmFacts) -> Result<Film> {
        Film::begin(Arc::clone(&self.database), self.id, Arc::clone(&self.genres), facts)
    }

    /// Stores the time at which the run ended.
    ///
    /// # Errors
    ///
    /// Returns an error if the file cannot be written.
    pub fn finish(self, ended: Timestamp) -> Result<()> {
        self.database.write(|connection| {
            let run = "UPDATE run SET ended = ?2 WHERE id = ?1";
            connection.execute(run, params![self.id, ended.as_millisecond()]).map(|_| ())
        })
    }
}

/// Checks that a bundle names each label once.
fn check(bundle: &BundleFacts) -> Result<()> {
    for (index, label) in bundle.labels.iter().enumerate() {
        let why = match label.as_str() {
            "" => "empty",
            _ if bundle.labels.iter().take(index).any(|other| other == label) => "there twice",
            _ => continue,
        };
        return Err(Error::Value { what: "a label of the bundle", value: format!("{label:?}"), why });
    }
    Ok(())
}

/// Returns the number of the genre `name`, which is stored if it is new.
fn genre(connection: &Connection, name: &str) -> rusqlite::Result<i64> {
    connection.prepare_cached("INSERT OR IGNORE INTO genre (name) VALUES (?1)")?.execute([name])?;
    connection.prepare_cached("SELECT id FROM genre WHERE name = ?1")?.query_row([name], |row| row.get(0))
}

/// Returns the number of the bundle with this name and these labels, which is stored if it is new.
fn bundle_row(connection: &Connection, name: &str, genres: &[i64]) -> rusqlite::Result<i64> {
    let mut named = connection.prepare("SELECT id FROM bundle WHERE name = ?1 ORDER BY id DESC")?;
    let known: Vec<i64> = named.query_map([name], |row| row.get(0))?.collect::<Result<_, _>>()?;
    for bundle in known {
        if labels(connection, bundle)? == genres {
            return Ok(bundle);
        }
    }
    connection.execute("INSERT INTO bundle (name) VALUES (?1)", [name])?;
    let bundle = connection.last_insert_rowid();
    let mut label = connection.prepare("INSERT INTO label (bundle, position, genre) VALUES (?1, ?2, ?3)")?;
    for (position, genre) in (0i64..).zip(genres) {
        label.execute(params![bundle, position, genre])?;
    }
    Ok(bundle)
}

/// Returns the genres of the labels of a bundle, in its order.
fn labels(connection: &Connection, bundle: i64) -> rusqlite::Result<Vec<i64>> {
    let mut labels = connection.prepare("SELECT genre FROM label WHERE bundle = ?1 ORDER BY position")?;
    labels.query_map([bundle], |row| row.get(0))?.collect()
}

/// Returns the number of the genre `name`, if a bundle has it.
pub(crate) fn find_genre(connection: &Connection, name: &str) -> rusqlite::Result<Option<i64>> {
    let mut find = connection.prepare_cached("SELECT id FROM genre WHERE name = ?1")?;
    find.query_row([name], |row| row.get(0)).optional()
}
