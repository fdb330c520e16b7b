//! A file or a pipe that is read from front to back. Skips seek in a file and read on in a pipe.

use std::io::{self, BufRead, BufReader, ErrorKind, Read, SeekFrom};

use divita_runtime::frame::Timestamp;

use super::container::{SeekableReader, Stream, length};
use crate::SourceError;

/// Bytes that are read at a time.
const BUFFER: usize = 1 << 16;

/// A reader that knows where it stands.
///
/// A read or skip past the end is [`SourceError::Truncated`] at time zero, which the media source
/// replaces by the time of the last picture.
pub(super) struct ForwardReader {
    reader: BufReader<Inner>,
    position: u64,
    /// Length of a file.
    length: Option<u64>,
}

enum Inner {
    File(Box<dyn SeekableReader>),
    Stream(Stream),
}

impl Read for Inner {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Inner::File(file) => file.read(buffer),
            Inner::Stream(stream) => stream.read(buffer),
        }
    }
}

impl ForwardReader {
    /// Reads a file from its start.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn from_file(mut file: Box<dyn SeekableReader>) -> Result<Self, SourceError> {
        let length = length(&mut *file).map_err(failed())?;
        Ok(Self::new(Inner::File(file), Some(length)))
    }

    /// Reads a pipe.
    pub fn from_stream(stream: Stream) -> Self {
        Self::new(Inner::Stream(stream), None)
    }

    fn new(inner: Inner, length: Option<u64>) -> Self {
        ForwardReader { reader: BufReader::with_capacity(BUFFER, inner), position: 0, length }
    }

    /// Returns the number of bytes before the next one.
    pub fn position(&self) -> u64 {
        self.position
    }

    /// Returns the bytes that are ready, at least one unless the input is over. They stay unread.
    ///
    /// # Errors
    /// When the input cannot be read.
    pub fn peek(&mut self) -> Result<&[u8], SourceError> {
        while let Err(error) = self.reader.fill_buf() {
            if error.kind() != ErrorKind::Interrupted {
                return Err(failed()(error));
            }
        }
        Ok(self.reader.buffer())
    }

    /// Takes `count` of the bytes that [`ForwardReader::peek`] returned.
    pub fn consume(&mut self, count: usize) {
        self.reader.consume(count);
        self.position += count as u64;
    }

    /// Returns whether the input is over.
    ///
    /// # Errors
    /// When the input cannot be read.
    pub fn is_at_end(&mut self) -> Result<bool, SourceError> {
        Ok(self.peek()?.is_empty())
    }

    /// Reads `N` bytes.
    ///
    /// # Errors
    /// When the input ends before, or cannot be read.
    pub fn array<const N: usize>(&mut self) -> Result<[u8; N], SourceError> {
        let mut bytes = [0; N];
        self.reader.read_exact(&mut bytes).map_err(|error| match error.kind() {
            ErrorKind::UnexpectedEof => cut(),
            _ => failed()(error),
        })?;
        self.position += N as u64;
        Ok(bytes)
    }

    /// Reads `count` bytes to the end of `data`, which grows only with bytes that are there.
    ///
    /// # Errors
    /// When the input ends before, or cannot be read.
    pub fn append(&mut self, count: u64, data: &mut Vec<u8>) -> Result<(), SourceError> {
        let read = self.reader.by_ref().take(count).read_to_end(data).map_err(failed())? as u64;
        self.position += read;
        if read < count { Err(cut()) } else { Ok(()) }
    }

    /// Skips `count` bytes.
    ///
    /// # Errors
    /// When the input ends before, or cannot be read.
    pub fn skip(&mut self, count: u64) -> Result<(), SourceError> {
        let buffered = self.reader.buffer().len() as u64;
        let at_hand = count.min(buffered);
        self.consume(at_hand as usize);
        let rest = count - at_hand;
        if rest == 0 {
            return Ok(());
        }
        let position = self.position.saturating_add(rest);
        let skipped = match (self.reader.get_mut(), self.length) {
            (Inner::File(file), Some(length)) => {
                let target = position.min(length);
                file.seek(SeekFrom::Start(target)).map_err(failed())?;
                target.saturating_sub(self.position)
            }
            (inner, _) => io::copy(&mut inner.take(rest), &mut io::sink()).map_err(failed())?,
        };
        self.position += skipped;
        if skipped < rest { Err(cut()) } else { Ok(()) }
    }

    /// Goes to `position` in a file; returns false for a pipe.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn go_to(&mut self, position: u64) -> Result<bool, SourceError> {
        let buffered = self.reader.buffer().len();
        let Inner::File(file) = self.reader.get_mut() else { return Ok(false) };
        file.seek(SeekFrom::Start(position)).map_err(failed())?;
        self.reader.consume(buffered);
        self.position = position;
        Ok(true)
    }
}

fn failed() -> impl FnOnce(io::Error) -> SourceError {
    SourceError::io("read it")
}

/// Returns the error for an input that ends too early.
pub(super) fn cut() -> SourceError {
    SourceError::Truncated { at: Timestamp::ZERO }
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use super::*;

    fn both(bytes: &[u8]) -> [ForwardReader; 2] {
        let bytes = bytes.to_vec();
        [
            ForwardReader::from_file(Box::new(Cursor::new(bytes.clone()))).unwrap(),
            ForwardReader::from_stream(Box::new(Cursor::new(bytes))),
        ]
    }

    #[test]
    fn skips_end_where_they_say_in_files_and_pipes() {
        let bytes: Vec<u8> = (0..3 * BUFFER).map(|at| (at % 251) as u8).collect();
        for mut reader in both(&bytes) {
            let mut position = 0;
            for step in [0, 1, 5, BUFFER - 3, BUFFER, 7] {
                reader.skip(step as u64).unwrap();
                position += step;
                assert_eq!(reader.position(), position as u64);
                assert_eq!(reader.array().unwrap(), [bytes[position], bytes[position + 1]]);
                position += 2;
            }
            let left = bytes.len() - position;
            assert!(reader.skip(left as u64).is_ok() && reader.is_at_end().unwrap());
            assert!(matches!(reader.skip(1), Err(SourceError::Truncated { .. })));
        }
    }

    #[test]
    fn nothing_lies_past_the_end() {
        for mut reader in both(&[1, 2, 3]) {
            assert!(matches!(reader.skip(u64::MAX), Err(SourceError::Truncated { .. })));
            assert!(reader.is_at_end().unwrap());
        }
        for mut reader in both(&[1, 2, 3]) {
            let mut data = Vec::new();
            assert!(matches!(reader.append(1 << 60, &mut data), Err(SourceError::Truncated { .. })));
            assert_eq!((data, reader.position()), (vec![1, 2, 3], 3));
            assert!(reader.array::<1>().is_err());
        }
    }

    #[test]
    fn only_a_file_goes_back() {
        let [mut file, mut pipe] = both(&[1, 2, 3]);
        file.skip(3).unwrap();
        assert!(file.go_to(1).unwrap() && file.array().unwrap() == [2, 3]);
        assert!(!pipe.go_to(1).unwrap() && pipe.array().unwrap() == [1]);
    }
}
