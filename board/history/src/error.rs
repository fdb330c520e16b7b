//! The errors of a history: what failed, on which file, and what to do.

use std::io;
use std::path::{Path, PathBuf};

use rusqlite::ErrorCode;

use crate::query::QueryError;
use crate::suggestion::did_you_mean;

/// What can fail in a history.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The file to read does not exist.
    #[error("{}: no such history; check the path, or record a run first", .0.display())]
    NotFound(PathBuf),
    /// The path names a folder.
    #[error("{}: is a folder; name a file in it, such as history.sqlite", .0.display())]
    Folder(PathBuf),
    /// The file cannot be opened.
    #[error("{}: cannot open: {cause}; check the folder and its permissions", path.display())]
    Open {
        /// The file.
        path: PathBuf,
        /// The message of SQLite or of the operating system.
        cause: String,
    },
    /// The file or its folder cannot be written.
    #[error(
        "{}: cannot write: the file or its folder is read-only; change the permissions or use another path",
        .0.display()
    )]
    ReadOnly(PathBuf),
    /// The file is not a database of SQLite.
    #[error("{}: is no SQLite database; use another path", .0.display())]
    NotSqlite(PathBuf),
    /// The file is the database of another program.
    #[error(
        "{}: is the database of another program (application_id {application_id:#x}); use another path",
        path.display()
    )]
    OtherProgram {
        /// The file.
        path: PathBuf,
        /// The number with which the program marks its files.
        application_id: i32,
    },
    /// A newer version of divita wrote the file.
    #[error("{}: has version {version}, and this program knows {known} at most; update divita", path.display())]
    Newer {
        /// The file.
        path: PathBuf,
        /// The version of the file.
        version: i32,
        /// The newest version that this crate knows.
        known: i32,
    },
    /// An older version of divita wrote the file, which was opened to read only.
    #[error("{}: has the old version {version}; open it once for writing, which converts it", path.display())]
    Older {
        /// The file.
        path: PathBuf,
        /// The version of the file.
        version: i32,
    },
    /// The file has a table, index, view or trigger that differs from this crate's, or lacks one.
    #[error(
        "{}: unexpected or missing in the database: {object}; drop what you added, or use another path",
        path.display()
    )]
    Schema {
        /// The file.
        path: PathBuf,
        /// Type and name of the object.
        object: String,
    },
    /// The file is damaged.
    #[error("{}: is damaged: {cause}; move it away, and save its rows with `sqlite3 FILE .recover`", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is damaged.
        cause: String,
    },
    /// Another process has been writing for the whole timeout.
    #[error("{}: another process has been writing for too long; try again later", .0.display())]
    Busy(PathBuf),
    /// The disk is full. What was committed before is safe.
    #[error("{}: the disk is full; make space and try again", .0.display())]
    DiskFull(PathBuf),
    /// Reading or writing failed.
    #[error("{}: I/O error: {cause}; check the disk and its free space", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// The message of SQLite.
        cause: String,
    },
    /// A fact cannot be stored.
    #[error("cannot store {what}: {value} is {why}")]
    Value {
        /// The name of the fact.
        what: &'static str,
        /// Its value.
        value: String,
        /// What is wrong with the value.
        why: &'static str,
    },
    /// A shot, clip or result came after the end of its film.
    #[error("cannot store into a film that has ended; begin another film")]
    Ended,
    /// Another process deleted the run while it was being recorded.
    #[error("{}: the run was deleted while it was recorded; begin another run", .0.display())]
    Forgotten(PathBuf),
    /// No run has this number.
    #[error("there is no run {0}; list the films to see the numbers of their runs")]
    UnknownRun(i64),
    /// No film has this number.
    #[error("there is no film {0}; list the films to see their numbers")]
    UnknownFilm(i64),
    /// A query names a genre that no bundle of the history has.
    #[error("no bundle of the history has the genre \"{genre}\"{}", did_you_mean(nearest.as_deref()))]
    UnknownGenre {
        /// The genre of the query.
        genre: String,
        /// The most similar genre of the history.
        nearest: Option<String>,
    },
    /// A query cannot be parsed.
    #[error(transparent)]
    Query(#[from] QueryError),
    /// SQLite failed in another way.
    #[error("{}: SQLite failed: {source}", path.display())]
    Sqlite {
        /// The file.
        path: PathBuf,
        /// SQLite's error.
        source: rusqlite::Error,
    },
}

/// The result of a call of this crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;

impl Error {
    /// Returns the error for a failure of SQLite on the file `path`.
    pub(crate) fn from_sqlite(path: &Path, source: rusqlite::Error) -> Self {
        let path = path.to_owned();
        let cause = cause(&source);
        if let rusqlite::Error::SqliteFailure(error, _) = &source
            && error.extended_code == rusqlite::ffi::SQLITE_CONSTRAINT_FOREIGNKEY
        {
            return Self::Forgotten(path);
        }
        match source.sqlite_error_code() {
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => Self::Busy(path),
            Some(ErrorCode::DiskFull) => Self::DiskFull(path),
            Some(ErrorCode::ReadOnly) => Self::ReadOnly(path),
            Some(ErrorCode::NotADatabase) => Self::NotSqlite(path),
            Some(ErrorCode::DatabaseCorrupt) => Self::Damaged { path, cause },
            Some(ErrorCode::SystemIoFailure) => Self::Io { path, cause },
            Some(ErrorCode::CannotOpen | ErrorCode::PermissionDenied) => Self::Open { path, cause },
            // A value of the wrong type or size, which this crate never writes.
            _ if is_foreign_value(&source) => Self::Damaged { path, cause },
            _ => Self::Sqlite { path, source },
        }
    }

    /// Returns the error for a failure of the operating system on the file `path`.
    pub(crate) fn from_io(path: &Path, error: &io::Error) -> Self {
        let path = path.to_owned();
        match error.kind() {
            io::ErrorKind::NotFound => Self::NotFound(path),
            io::ErrorKind::ReadOnlyFilesystem => Self::ReadOnly(path),
            _ => Self::Open { path, cause: error.to_string() },
        }
    }
}

/// Returns SQLite's message in one line.
fn cause(error: &rusqlite::Error) -> String {
    error.to_string().replace('\n', " ")
}

/// Returns whether a row held a value that its column cannot hold.
fn is_foreign_value(error: &rusqlite::Error) -> bool {
    matches!(
        error,
        rusqlite::Error::FromSqlConversionFailure(..)
            | rusqlite::Error::IntegralValueOutOfRange(..)
            | rusqlite::Error::InvalidColumnType(..)
            | rusqlite::Error::Utf8Error(..)
            | rusqlite::Error::QueryReturnedNoRows
    )
}
