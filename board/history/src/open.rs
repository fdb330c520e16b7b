//! Opens the file: settings that keep it whole through kills and power failures, and hostile files
//! harmless.

use std::fs::{self, OpenOptions};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use rusqlite::config::DbConfig;
use rusqlite::limits::Limit;
use rusqlite::{Connection, ErrorCode, OpenFlags};

use crate::error::{Error, Result};
use crate::schema::{self, Versions};

/// How long a call waits while another process writes.
pub(crate) const BUSY_TIMEOUT: Duration = Duration::from_secs(10);

/// Maximum size of a text or BLOB, in bytes. This crate writes less; a hostile file may claim more.
const LONGEST_VALUE: i32 = 16 << 20;

/// Maximum size to which the log shrinks after a checkpoint, in bytes.
const LOG_SIZE: i64 = 4 << 20;

/// Opens the file `path` for writing. Creates it if needed, and converts an older version.
pub(crate) fn to_write(path: &Path, versions: &Versions) -> Result<Connection> {
    if path.is_dir() {
        return Err(Error::Folder(path.to_owned()));
    }
    // SQLite tells only that it cannot open a file; the operating system tells why. An empty file
    // is an empty database.
    OpenOptions::new().write(true).create(true).truncate(false).open(path).map_err(|error| {
        match Error::from_io(path, &error) {
            Error::NotFound(path) => Error::Open { path, cause: error.to_string() },
            other => other,
        }
    })?;
    let connection = connect(path, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
    let sqlite = |error| Error::from_sqlite(path, error);
    if connection.is_readonly("main").map_err(sqlite)? {
        return Err(Error::ReadOnly(path.to_owned()));
    }
    if schema::version(path, &connection, versions)? != versions.number() {
        schema::migrate(path, &connection, versions)?;
    }
    schema::check(path, &connection, versions)?;
    use_log(path, &connection)?;
    Ok(connection)
}

/// Opens the file `path`, which must exist, for reading. What a killed process left half-written is
/// undone first.
pub(crate) fn to_read(path: &Path, versions: &Versions) -> Result<Connection> {
    match to_read_as_it_is(path, versions) {
        // To undo it is a write.
        Err(Error::ReadOnly(_)) => {
            undo_half_written(path)?;
            to_read_as_it_is(path, versions)
        }
        opened => opened,
    }
}

/// Undoes what a killed process left half-written: SQLite does so at the first read, if it may
/// write.
fn undo_half_written(path: &Path) -> Result<()> {
    let connection = connect(path, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
    connection
        .query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get::<_, i64>(0))
        .map(drop)
        .map_err(|error| Error::from_sqlite(path, error))
}

fn to_read_as_it_is(path: &Path, versions: &Versions) -> Result<Connection> {
    let metadata = fs::metadata(path).map_err(|error| Error::from_io(path, &error))?;
    if metadata.is_dir() {
        return Err(Error::Folder(path.to_owned()));
    }
    let connection = connect(path, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
    match schema::version(path, &connection, versions)? {
        0 => return Err(Error::NotFound(path.to_owned())),
        version if version < versions.number() => return Err(Error::Older { path: path.to_owned(), version }),
        _ => {}
    }
    schema::check(path, &connection, versions)?;
    Ok(connection)
}

/// Connects to the file and makes the settings that do not write.
fn connect(path: &Path, flags: OpenFlags) -> Result<Connection> {
    let sqlite = |error| Error::from_sqlite(path, error);
    // So that a file named `:memory:` or `file:...` is a file: SQLite reads such names otherwise.
    let name = if path.is_absolute() { path.to_owned() } else { PathBuf::from(".").join(path) };
    let connection = Connection::open_with_flags(name, flags | OpenFlags::SQLITE_OPEN_NO_MUTEX).map_err(sqlite)?;
    let settings = || {
        connection.busy_timeout(BUSY_TIMEOUT)?;
        // The file may be hostile: nothing in its schema may run, and no page is trusted.
        for (setting, value) in [
            (DbConfig::SQLITE_DBCONFIG_DEFENSIVE, true),
            (DbConfig::SQLITE_DBCONFIG_TRUSTED_SCHEMA, false),
            (DbConfig::SQLITE_DBCONFIG_ENABLE_TRIGGER, false),
            (DbConfig::SQLITE_DBCONFIG_ENABLE_VIEW, false),
            (DbConfig::SQLITE_DBCONFIG_DQS_DML, false),
            (DbConfig::SQLITE_DBCONFIG_DQS_DDL, false),
        ] {
            connection.set_db_config(setting, value)?;
        }
        connection.set_limit(Limit::SQLITE_LIMIT_LENGTH, LONGEST_VALUE)?;
        connection.set_limit(Limit::SQLITE_LIMIT_ATTACHED, 0)?;
        connection.pragma_update(None, "cell_size_check", true)?;
        // A read error of a mapped page would be a signal, not an error.
        connection.pragma_update(None, "mmap_size", 0)?;
        connection.pragma_update(None, "foreign_keys", true)?;
        // The disk has the commit before a call returns, so that a power failure loses none.
        connection.pragma_update(None, "synchronous", "FULL")
    };
    settings().map_err(sqlite)?;
    Ok(connection)
}

/// Switches the file to a write-ahead log (WAL).
///
/// - A kill or a power failure leaves whole transactions: each has a checksum in the log, and the
///   next opening replays the complete ones.
/// - A commit appends to one file and syncs it once. The rollback journal, the default of SQLite,
///   creates and deletes a file for each commit, and syncs several times. That is slow on an SD
///   card and wears it.
/// - `divita history` reads while a service writes.
///
/// The price: the folder must be writable even to read while no process has the file open. The file
/// must not be on a network file system, because processes share memory.
fn use_log(path: &Path, connection: &Connection) -> Result<()> {
    let deadline = Instant::now() + BUSY_TIMEOUT;
    loop {
        let mode = connection.pragma_update_and_check(None, "journal_mode", "WAL", |row| row.get::<_, String>(0));
        match mode {
            Ok(mode) if mode == "wal" => break,
            Ok(mode) => {
                let cause = format!("this file system cannot have a write-ahead log (journal_mode is {mode})");
                return Err(Error::Open { path: path.to_owned(), cause });
            }
            // SQLite does not wait here: two processes that switch could wait for each other.
            Err(error) if error.sqlite_error_code() == Some(ErrorCode::DatabaseBusy) && Instant::now() < deadline => {
                thread::sleep(Duration::from_millis(10));
            }
            Err(error) => return Err(Error::from_sqlite(path, error)),
        }
    }
    connection
        .pragma_update_and_check(None, "journal_size_limit", LOG_SIZE, |_| Ok(()))
        .map_err(|error| Error::from_sqlite(path, error))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A new history has a rollback journal until its tables are there. A process that is killed
    /// meanwhile leaves a journal that must be rolled back, which a reader may not do.
    #[test]
    fn a_reader_undoes_what_a_killed_process_left() {
        let folder = tempfile::tempdir().unwrap();
        let [live, killed] = ["live.sqlite", "killed.sqlite"].map(|name| folder.path().join(name));
        let connection = Connection::open(&live).unwrap();
        // Pages that do not fit into the cache go to the file before the end of the transaction.
        let write = "PRAGMA cache_size = 1; CREATE TABLE first (value); BEGIN; CREATE TABLE second (value);
                     WITH RECURSIVE numbers (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < 2000)
                     INSERT INTO second SELECT randomblob(500) FROM numbers";
        connection.execute_batch(write).unwrap();
        let journal = |path: &Path| PathBuf::from(format!("{}-journal", path.display()));
        fs::copy(&live, &killed).unwrap();
        fs::copy(journal(&live), journal(&killed)).unwrap();
        let as_it_is = to_read_as_it_is(&killed, &schema::VERSIONS);
        assert!(matches!(as_it_is, Err(Error::ReadOnly(_))), "{as_it_is:?}");
        // It is read now, and found to be no history.
        let read = to_read(&killed, &schema::VERSIONS);
        assert!(matches!(read, Err(Error::OtherProgram { .. })), "{read:?}");
        assert!(!journal(&killed).exists());
    }
}
