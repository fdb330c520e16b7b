//! A history: a file that records runs and answers queries.

use std::path::Path;
use std::sync::Arc;

use jiff::Timestamp;

use crate::database::Database;
use crate::error::Result;
use crate::open;
use crate::pages::{self, Pages};
use crate::query::Query;
use crate::retention::{self, Deleted, Limits};
use crate::rows::{ClipRow, FilmRow, RunRow, ShotRow};
use crate::run::{Run, RunFacts};
use crate::schema::VERSIONS;
use crate::search;

/// A SQLite file with the films, shots, clips and genres of all runs.
///
/// Several processes may use the file at once. One waits up to ten seconds while another writes.
/// Threads may share a history, its runs and its films: they share one connection.
#[derive(Debug, Clone)]
pub struct History {
    database: Arc<Database>,
}

impl History {
    /// Opens the file `path`, creates it if needed, and converts the tables of an older version.
    ///
    /// # Errors
    ///
    /// Returns an error if the file cannot be opened or written, is damaged, is another program's,
    /// or is from a newer version.
    pub fn open(path: impl AsRef<Path>) -> Result<Self> {
        let path = path.as_ref();
        let database = Arc::new(Database::new(path, open::to_write(path, &VERSIONS)?));
        Ok(Self { database })
    }

    /// Opens the file `path` for reading. Neither creates nor converts it.
    ///
    /// Needs a folder that can be written, unless another process has the file open.
    ///
    /// # Errors
    ///
    /// As [`History::open`]; also if the file does not exist or is from an older version.
    pub fn open_to_read(path: impl AsRef<Path>) -> Result<Self> {
        let path = path.as_ref();
        let database = Arc::new(Database::new(path, open::to_read(path, &VERSIONS)?));
        Ok(Self { database })
    }

    /// Returns the path of the file.
    #[must_use]
    pub fn path(&self) -> &Path {
        self.database.path()
    }

    /// Begins a run, and stores its facts at once.
    ///
    /// # Errors
    ///
    /// Returns an error if the file cannot be written, or if the bundle has a label twice.
    pub fn begin_run(&self, facts: &RunFacts) -> Result<Run> {
        Run::begin(Arc::clone(&self.database), facts)
    }

    /// Returns the films that `query` selects, at most `limit`.
    ///
    /// The first genre condition outside `not` sorts them: the highest probability comes first for
    /// `>`, `>=`, `=` and `!=`, the lowest for `<` and `<=`. Without one, the newest comes first.
    ///
    /// # Errors
    ///
    /// Returns an error if the query names a genre that no bundle has, or if the file cannot be
    /// read.
    pub fn films(&self, query: &Query, limit: Option<usize>) -> Result<Vec<FilmRow>> {
        search::films(&self.database, query, limit)
    }

    /// Returns the shots that `query` selects, at most `limit`, sorted as [`History::films`].
    ///
    /// A genre condition compares the probability of the shot, which is stored to 0.0001.
    /// Every other condition is one of the film.
    ///
    /// # Errors
    ///
    /// As [`History::films`].
    pub fn shots(&self, query: &Query, limit: Option<usize>) -> Result<Vec<ShotRow>> {
        search::shots(&self.database, query, limit)
    }

    /// Returns the shots of the film `film`, in their order.
    ///
    /// # Errors
    ///
    /// Returns an error if there is no such film, or if the file cannot be read.
    pub fn shots_of(&self, film: i64) -> Result<Pages<ShotRow>> {
        pages::shots(&self.database, film)
    }

    /// Returns the clips of the film `film`, in their order.
    ///
    /// # Errors
    ///
    /// Returns an error if there is no such film, or if the file cannot be read.
    pub fn clips(&self, film: i64) -> Result<Pages<ClipRow>> {
        pages::clips(&self.database, film)
    }

    /// Returns all runs, the newest first.
    ///
    /// # Errors
    ///
    /// Returns an error if the file cannot be read.
    pub fn runs(&self) -> Result<Vec<RunRow>> {
        search::runs(&self.database)
    }

    /// Returns the genres of all bundles, such as for the columns of a CSV file.
    ///
    /// # Errors
    ///
    /// Returns an error if the file cannot be read.
    pub fn genres(&self) -> Result<Vec<String>> {
        search::all_genres(&self.database)
    }

    /// Deletes the film `film`.
    ///
    /// The film disappears at once. Its rows are deleted in small transactions; after a kill, the
    /// next deletion or [`History::keep`] goes on.
    ///
    /// # Errors
    ///
    /// Returns an error if there is no such film, or if the file cannot be written.
    pub fn forget_film(&self, film: i64) -> Result<()> {
        retention::forget_film(&self.database, film)
    }

    /// Deletes the run `run` and its films, as [`History::forget_film`].
    ///
    /// # Errors
    ///
    /// Returns an error if there is no such run, or if the file cannot be written.
    pub fn forget_run(&self, run: i64) -> Result<()> {
        retention::forget_run(&self.database, run)
    }

    /// Deletes the shots and clips of live sources that are older than `limits` at the time `now`.
    ///
    /// Films and their results stay. Files are never touched. A service calls this once a day.
    ///
    /// # Errors
    ///
    /// Returns an error if the file cannot be written. What is deleted already stays deleted.
    pub fn keep(&self, limits: &Limits, now: Timestamp) -> Result<Deleted> {
        retention::keep(&self.database, limits, now)
    }

    /// Reads the whole file and returns what is damaged, at most ten messages; none if it is whole.
    ///
    /// # Errors
    ///
    /// Returns an error if the file cannot be read.
    pub fn check(&self) -> Result<Vec<String>> {
        self.database.read(|connection| {
            let mut check = connection.prepare("PRAGMA integrity_check(10)")?;
            let messages: Vec<String> = check.query_map([], |row| row.get(0))?.collect::<Result<_, _>>()?;
            let mut found: Vec<String> = messages.into_iter().filter(|message| message != "ok").collect();
            let orphans: i64 =
                connection.query_row("SELECT count(*) FROM pragma_foreign_key_check", [], |row| row.get(0))?;
            if orphans > 0 {
                found.push(format!("{orphans} rows refer to missing rows"));
            }
            Ok(found)
        })
    }

    /// Returns the size of the database in bytes, without its log.
    ///
    /// # Errors
    ///
    /// Returns an error if the file cannot be read.
    pub fn size(&self) -> Result<u64> {
        self.database.read(|connection| {
            let number = |pragma| connection.pragma_query_value(None, pragma, |row| search::count(row, 0));
            Ok(number("page_count")?.saturating_mul(number("page_size")?))
        })
    }
}
