//! The request to stop, and readers of pipes that end when it comes.

use std::io::{self, Read};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
use std::sync::{Arc, OnceLock};
use std::thread;
use std::time::Duration;

/// Interval at which a reader of a silent pipe checks the request to stop.
pub(crate) const POLL_INTERVAL: Duration = Duration::from_millis(100);

/// Bytes that are read of a pipe at once: all that Linux keeps in one; and how many such pieces are
/// read ahead.
const PIECE: usize = 1 << 16;
const AHEAD: usize = 4;

/// The request to stop.
#[derive(Clone, Debug, Default)]
pub struct Stop(Arc<AtomicBool>);

impl Stop {
    /// Returns the flag of this process, which the program's signal handlers raise and pipes watch.
    #[must_use]
    pub fn process() -> &'static Stop {
        static PROCESS: OnceLock<Stop> = OnceLock::new();
        PROCESS.get_or_init(Stop::default)
    }

    /// Returns the flag itself, for signal handlers.
    #[must_use]
    pub fn flag(&self) -> &Arc<AtomicBool> {
        &self.0
    }

    /// Asks to stop.
    pub fn ask(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    /// Returns whether a request to stop came.
    #[must_use]
    pub fn is_asked(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// A pipe or a device, which may keep its reader waiting for ever. It ends when the program is told
/// to stop. Another thread reads it ahead.
pub struct Stoppable {
    pieces: Receiver<io::Result<Vec<u8>>>,
    piece: io::Cursor<Vec<u8>>,
}

impl Stoppable {
    /// Reads what `open` opens, which may wait for a writer. That it cannot be opened says the
    /// first read.
    ///
    /// # Errors
    /// When no thread can be had.
    pub fn new<R: Read>(open: impl FnOnce() -> io::Result<R> + Send + 'static) -> io::Result<Self> {
        let (send, pieces) = sync_channel(AHEAD);
        let read = move || {
            let mut reader = match open() {
                Ok(reader) => reader,
                Err(error) => return drop(send.send(Err(error))),
            };
            loop {
                let mut piece = vec![0; PIECE];
                let read = match reader.read(&mut piece) {
                    Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                    read => read,
                };
                let ends = !matches!(read, Ok(1..));
                let read = read.map(|bytes| {
                    piece.truncate(bytes);
                    piece
                });
                if send.send(read).is_err() || ends {
                    return;
                }
            }
        };
        thread::Builder::new().name("pipe".into()).spawn(read)?;
        Ok(Stoppable { pieces, piece: io::Cursor::default() })
    }
}

impl Read for Stoppable {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            let bytes = self.piece.read(buffer)?;
            if bytes > 0 || buffer.is_empty() {
                return Ok(bytes);
            }
            match self.pieces.recv_timeout(POLL_INTERVAL) {
                Ok(piece) => {
                    self.piece = io::Cursor::new(piece?);
                    if self.piece.get_ref().is_empty() {
                        return Ok(0);
                    }
                }
                Err(RecvTimeoutError::Timeout) if !Stop::process().is_asked() => {}
                Err(_) => return Ok(0),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pipe_is_read_whole_and_its_errors_are_passed_on() {
        let data: Vec<u8> = (0..10 * PIECE + 7).map(|at| (at % 251) as u8).collect();
        let copy = data.clone();
        let mut read = Vec::new();
        Stoppable::new(move || Ok(io::Cursor::new(copy))).unwrap().read_to_end(&mut read).unwrap();
        assert!(read == data);
        let mut refused = Stoppable::new(|| Err::<io::Empty, _>(io::ErrorKind::PermissionDenied.into())).unwrap();
        assert_eq!(refused.read(&mut [0]).unwrap_err().kind(), io::ErrorKind::PermissionDenied);
        assert_eq!(refused.read(&mut [0]).unwrap(), 0);
    }
}
