//! The versions of the tables: makes new files, converts old ones, and refuses foreign tables.

use std::path::Path;

use rusqlite::{Connection, Transaction, TransactionBehavior};

use crate::error::{Error, Result};

/// Number that marks a history in the header of the file: "DivH" in ASCII.
pub(crate) const APPLICATION_ID: i32 = 0x4469_7648;

/// The versions that this crate knows.
pub(crate) const VERSIONS: Versions = Versions { newest: include_str!("../schema.sql"), steps: &[] };

/// The tables of the newest version, and the steps that lead there.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Versions {
    /// The statements that make a new file.
    pub(crate) newest: &'static str,
    /// The statements that convert version 1 to 2, 2 to 3, and so on.
    ///
    /// A step must lead to the same text in `sqlite_schema` as `newest`, up to comments and spaces,
    /// because [`check`] compares them. [`migrate`] runs it without foreign keys, so a step can
    /// rebuild a table.
    pub(crate) steps: &'static [&'static str],
}

impl Versions {
    /// Returns the number of the newest version.
    pub(crate) fn number(&self) -> i32 {
        i32::try_from(self.steps.len()).map_or(i32::MAX, |steps| steps.saturating_add(1))
    }
}

/// What the header of a file says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Identity {
    /// An empty file.
    Empty,
    /// A history of this version.
    Version(i32),
    /// A database of another program, with its number.
    Other(i32),
}

/// Returns what the header of the file says.
fn identity(connection: &Connection) -> rusqlite::Result<Identity> {
    let application_id = connection.pragma_query_value(None, "application_id", |row| row.get(0))?;
    let version = connection.pragma_query_value(None, "user_version", |row| row.get(0))?;
    let objects: i64 = connection.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
    Ok(match (application_id, version, objects) {
        (0, 0, 0) => Identity::Empty,
        (APPLICATION_ID, 1.., _) => Identity::Version(version),
        (APPLICATION_ID, ..) => Identity::Other(0),
        (other, ..) => Identity::Other(other),
    })
}

/// Returns the version of the file `path`, 0 if it is empty.
///
/// # Errors
///
/// Returns an error for the database of another program and for a newer version.
pub(crate) fn version(path: &Path, connection: &Connection, versions: &Versions) -> Result<i32> {
    match identity(connection).map_err(|error| Error::from_sqlite(path, error))? {
        Identity::Empty => Ok(0),
        Identity::Other(application_id) => Err(Error::OtherProgram { path: path.to_owned(), application_id }),
        Identity::Version(version) if version > versions.number() => {
            Err(Error::Newer { path: path.to_owned(), version, known: versions.number() })
        }
        Identity::Version(version) => Ok(version),
    }
}

/// Makes the tables of an empty file, or converts an old version to the newest, in one transaction.
///
/// A kill or an error leaves the file as it was. Several processes may do this at once: the first
/// does the work.
pub(crate) fn migrate(path: &Path, connection: &Connection, versions: &Versions) -> Result<()> {
    let sqlite = |error| Error::from_sqlite(path, error);
    // Has no effect in a transaction. Needed to rebuild a table that others refer to.
    connection.pragma_update(None, "foreign_keys", false).map_err(sqlite)?;
    // Has no effect on a file that has tables already.
    connection.pragma_update(None, "auto_vacuum", "INCREMENTAL").map_err(sqlite)?;
    let transaction = Transaction::new_unchecked(connection, TransactionBehavior::Immediate).map_err(sqlite)?;
    // Again, because another process may have been faster.
    let version = version(path, &transaction, versions)?;
    let steps = usize::try_from(version - 1).map_or(&[][..], |done| versions.steps.get(done..).unwrap_or_default());
    if version == 0 {
        transaction.execute_batch(versions.newest).map_err(sqlite)?;
        transaction.pragma_update(None, "application_id", APPLICATION_ID).map_err(sqlite)?;
    }
    for step in steps {
        transaction.execute_batch(step).map_err(sqlite)?;
    }
    if version != versions.number() {
        transaction.pragma_update(None, "user_version", versions.number()).map_err(sqlite)?;
    }
    transaction.commit().map_err(sqlite)?;
    connection.pragma_update(None, "foreign_keys", true).map_err(sqlite)
}

/// Type, name, table and statement of each object of a database, without SQLite's own.
fn objects(connection: &Connection) -> rusqlite::Result<Vec<[String; 4]>> {
    let mut statement = connection.prepare(
        "SELECT type, name, tbl_name, coalesce(sql, '') FROM sqlite_schema
         WHERE NOT (name GLOB 'sqlite_*' AND type IN ('table', 'index')) ORDER BY type, name",
    )?;
    let rows = statement.query_map([], |row| {
        let sql: String = row.get(3)?;
        Ok([row.get(0)?, row.get(1)?, row.get(2)?, without_comments(&sql)])
    })?;
    rows.collect()
}

/// Returns `sql` without comments, and with one space for each run of spaces.
fn without_comments(sql: &str) -> String {
    let lines = sql.lines().map(|line| line.split("--").next().unwrap_or_default());
    let text = lines.collect::<Vec<_>>().join(" ");
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Checks that the database has exactly the tables and indexes of the newest version.
///
/// A view or trigger could make a statement of this crate do something else.
///
/// # Errors
///
/// Returns [`Error::Schema`] with the first object that differs.
pub(crate) fn check(path: &Path, connection: &Connection, versions: &Versions) -> Result<()> {
    let sqlite = |error| Error::from_sqlite(path, error);
    let model = Connection::open_in_memory().map_err(sqlite)?;
    model.execute_batch(versions.newest).map_err(sqlite)?;
    let (found, expected) = (objects(connection).map_err(sqlite)?, objects(&model).map_err(sqlite)?);
    let added = found.iter().find(|object| !expected.contains(object));
    match added.or_else(|| expected.iter().find(|object| !found.contains(object))) {
        Some([kind, name, ..]) => Err(Error::Schema { path: path.to_owned(), object: format!("{kind} {name:?}") }),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use std::env;
    use std::fs;
    use std::io::{BufRead, BufReader};
    use std::process::{Command, Stdio};
    use std::time::Duration;

    use super::*;
    use crate::open;

    /// A file of version 1 with one run, as the first release wrote it.
    const VERSION_1: &[u8] = include_bytes!("../tests/version-1.sqlite");

    /// A made-up version 3, which has a new column and a rebuilt table.
    const MADE_UP: Versions = Versions {
        newest: "CREATE TABLE film (id INTEGER PRIMARY KEY, name TEXT NOT NULL, year INTEGER) STRICT;
                 CREATE TABLE shot (film INTEGER NOT NULL REFERENCES film (id), start INTEGER) STRICT;",
        steps: &[
            "ALTER TABLE film ADD COLUMN year INTEGER",
            // The rebuilt table has the name in its text in quotes, so drop and create it.
            "CREATE TABLE old AS SELECT film, start FROM shot;
             DROP TABLE shot;
             CREATE TABLE shot (film INTEGER NOT NULL REFERENCES film (id), start INTEGER) STRICT;
             INSERT INTO shot SELECT film, start FROM old;
             DROP TABLE old;",
        ],
    };

    /// The made-up version 1.
    const MADE_UP_1: &str = "CREATE TABLE film (id INTEGER PRIMARY KEY, name TEXT NOT NULL) STRICT;
         CREATE TABLE shot (film INTEGER NOT NULL REFERENCES film (id), start TEXT) STRICT;
         INSERT INTO film VALUES (1, 'a.mkv');
         INSERT INTO shot VALUES (1, '1500');
         PRAGMA application_id = 0x44697648; PRAGMA user_version = 1;";

    /// The made-up versions, with a second step that fails.
    const FAILING: Versions =
        Versions { steps: &[MADE_UP.steps[0], "INSERT INTO film VALUES (1, 'twice', 2)"], ..MADE_UP };

    /// The made-up versions, with a second step that takes minutes.
    const SLOW: Versions = Versions {
        steps: &[
            MADE_UP.steps[0],
            "WITH RECURSIVE n (i) AS (SELECT 2 UNION ALL SELECT i + 1 FROM n WHERE i < 1000000000)
             INSERT INTO film SELECT i, 'filler', i FROM n",
        ],
        ..MADE_UP
    };

    const CHILD: &str = "DIVITA_TEST_MIGRATE";

    /// Returns the version of a file and the number of columns of its table `film`.
    fn state(path: &Path) -> (i32, i64) {
        let connection = Connection::open(path).unwrap();
        let version = connection.pragma_query_value(None, "user_version", |row| row.get(0)).unwrap();
        let columns = "SELECT count(*) FROM pragma_table_info('film')";
        (version, connection.query_row(columns, [], |row| row.get(0)).unwrap())
    }

    #[test]
    fn an_old_version_is_converted_with_its_rows() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("old.sqlite");
        Connection::open(&path).unwrap().execute_batch(MADE_UP_1).unwrap();
        assert!(matches!(open::to_read(&path, &MADE_UP), Err(Error::Older { version: 1, .. })));
        let connection = open::to_write(&path, &MADE_UP).unwrap();
        let row = "SELECT name, year, start FROM film JOIN shot ON film = id";
        let row = connection.query_row(row, [], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?))).unwrap();
        assert_eq!(row, ("a.mkv".to_owned(), None::<i64>, 1500));
        assert_eq!(state(&path), (3, 3));
        // Opened again, it is converted no more.
        drop(connection);
        open::to_write(&path, &MADE_UP).unwrap();
        open::to_read(&path, &MADE_UP).unwrap();
        let newer = open::to_write(&path, &VERSIONS);
        assert!(matches!(newer, Err(Error::Newer { version: 3, known: 1, .. })), "{newer:?}");
    }

    #[test]
    fn a_migration_that_fails_leaves_the_old_version() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("old.sqlite");
        Connection::open(&path).unwrap().execute_batch(MADE_UP_1).unwrap();
        assert!(open::to_write(&path, &FAILING).is_err());
        assert_eq!(state(&path), (1, 2));
        open::to_write(&path, &MADE_UP).unwrap();
    }

    #[test]
    fn a_killed_migration_leaves_the_old_version() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("old.sqlite");
        Connection::open(&path).unwrap().execute_batch(MADE_UP_1).unwrap();
        for delay in [20, 100, 300, 700] {
            let mut child = Command::new(env::current_exe().unwrap())
                .args(["schema::tests::child_process", "--exact", "--nocapture"])
                .env(CHILD, &path)
                .stdout(Stdio::piped())
                .spawn()
                .unwrap();
            let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
            assert!(lines.any(|line| line.unwrap() == "ready"));
            std::thread::sleep(Duration::from_millis(delay));
            child.kill().unwrap();
            assert!(!child.wait().unwrap().success());
            assert_eq!(state(&path), (1, 2));
        }
        open::to_write(&path, &MADE_UP).unwrap();
        assert_eq!(state(&path), (3, 3));
    }

    /// Not a test of its own: migrates slowly, as a process that the test above kills.
    #[test]
    fn child_process() {
        let Some(path) = env::var_os(CHILD) else { return };
        println!("\nready");
        let _ = open::to_write(Path::new(&path), &SLOW);
    }

    #[test]
    fn the_stored_file_of_version_1_can_be_read_and_written() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("1.sqlite");
        fs::write(&path, VERSION_1).unwrap();
        let history = crate::History::open(&path).unwrap();
        let films = history.films(&crate::Query::parse("genre horror > 0.6").unwrap(), None).unwrap();
        assert_eq!(films.len(), 1);
        assert_eq!(films[0].name, "films/a.mkv");
        assert_eq!(history.clips(films[0].film).unwrap().count(), 3);
        assert!(history.check().unwrap().is_empty());
    }

    #[test]
    fn the_newest_version_has_a_migration_for_each_older_one() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("new.sqlite");
        drop(open::to_write(&path, &VERSIONS).unwrap());
        let connection = Connection::open(&path).unwrap();
        let version: i32 = connection.pragma_query_value(None, "user_version", |row| row.get(0)).unwrap();
        assert_eq!(version, VERSIONS.number());
        let auto_vacuum: i32 = connection.pragma_query_value(None, "auto_vacuum", |row| row.get(0)).unwrap();
        assert_eq!(auto_vacuum, 2, "without it, keep cannot make the file smaller");
    }
}
