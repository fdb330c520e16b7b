//! One connection that a history, its runs and its films share.

use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use rusqlite::{Connection, Transaction, TransactionBehavior};

use crate::error::{Error, Result};

/// A connection and the path of its file.
#[derive(Debug)]
pub(crate) struct Database {
    path: PathBuf,
    connection: Mutex<Connection>,
}

impl Database {
    pub(crate) fn new(path: &Path, connection: Connection) -> Self {
        Self { path: path.to_owned(), connection: Mutex::new(connection) }
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Locks the connection. A thread that panicked has rolled its transaction back.
    fn lock(&self) -> MutexGuard<'_, Connection> {
        self.connection.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Runs `work` in a transaction that reads, so that all its statements see the same rows.
    pub(crate) fn read<T>(&self, work: impl FnOnce(&Connection) -> rusqlite::Result<T>) -> Result<T> {
        let connection = self.lock();
        let run = || {
            let transaction = Transaction::new_unchecked(&connection, TransactionBehavior::Deferred)?;
            work(&transaction)
        };
        run().map_err(|error| Error::from_sqlite(&self.path, error))
    }

    /// Runs `work` in a transaction that writes, and commits it. An error rolls all of it back.
    ///
    /// The transaction takes the write lock at once. One that begins to read and then writes could
    /// fail at any statement while another process writes.
    pub(crate) fn write<T>(&self, work: impl FnOnce(&Connection) -> rusqlite::Result<T>) -> Result<T> {
        let connection = self.lock();
        let run = || {
            let transaction = Transaction::new_unchecked(&connection, TransactionBehavior::Immediate)?;
            let value = work(&transaction)?;
            transaction.commit()?;
            Ok(value)
        };
        run().map_err(|error| Error::from_sqlite(&self.path, error))
    }

    /// Runs `work` without a transaction.
    pub(crate) fn outside<T>(&self, work: impl FnOnce(&Connection) -> rusqlite::Result<T>) -> Result<T> {
        work(&self.lock()).map_err(|error| Error::from_sqlite(&self.path, error))
    }
}
