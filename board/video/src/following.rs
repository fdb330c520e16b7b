//! A file that is still being written: its reader waits for more.

use std::fs::File;
use std::io::{self, Read};
use std::thread;
use std::time::{Duration, Instant};

use crate::stop::{POLL_INTERVAL, Stop};

/// A file that may grow. It ends when it has not grown for a while, or when the program is told to
/// stop.
pub(crate) struct Following {
    file: File,
    patience: Duration,
    /// Since when nothing came.
    quiet_since: Option<Instant>,
    ended: bool,
}

impl Following {
    /// Reads `file` until it has not grown for `patience`.
    pub fn new(file: File, patience: Duration) -> Self {
        Following { file, patience, quiet_since: None, ended: false }
    }
}

impl Read for Following {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if buffer.is_empty() || self.ended {
            return Ok(0);
        }
        loop {
            let bytes = self.file.read(buffer)?;
            if bytes > 0 {
                self.quiet_since = None;
                return Ok(bytes);
            }
            let quiet_since = *self.quiet_since.get_or_insert_with(Instant::now);
            if Stop::process().is_asked() || quiet_since.elapsed() >= self.patience {
                self.ended = true;
                return Ok(0);
            }
            thread::sleep(POLL_INTERVAL.min(self.patience));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::sync::mpsc::channel;

    use super::*;

    #[test]
    fn a_file_is_read_while_it_grows_and_ends_once_it_does_not() {
        let mut written = tempfile::NamedTempFile::new().unwrap();
        written.write_all(b"begin").unwrap();
        let mut reader = Following::new(written.reopen().unwrap(), Duration::from_millis(700));
        let mut start = [0; 5];
        reader.read_exact(&mut start).unwrap();
        let (go_on, wait) = channel();
        let writer = thread::spawn(move || {
            for piece in [&b" more"[..], b" and more"] {
                wait.recv().unwrap();
                written.write_all(piece).unwrap();
            }
            written
        });
        let mut piece = [0; 5];
        go_on.send(()).unwrap();
        reader.read_exact(&mut piece).unwrap();
        assert_eq!((&start, &piece), (b"begin", b" more"));
        go_on.send(()).unwrap();
        let mut rest = Vec::new();
        reader.read_to_end(&mut rest).unwrap();
        assert_eq!(rest, b" and more");
        // The end stays the end.
        writer.join().unwrap().write_all(b"late").unwrap();
        assert_eq!(reader.read(&mut piece).unwrap(), 0);
    }
}
