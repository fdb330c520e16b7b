//! Reads CSV with a heading, each record with its line.

use std::collections::HashSet;

use csv::{ErrorKind, Reader, ReaderBuilder, StringRecord};

use super::error::LabelTableError;

/// The records of a CSV text.
pub(super) struct Records<'a> {
    text: &'a str,
    reader: Reader<&'a [u8]>,
    columns: Vec<String>,
    /// Up to where lines are counted, in bytes, and the line there.
    counted: (usize, u64),
}

impl<'a> Records<'a> {
    /// Reads the heading of `text`.
    ///
    /// # Errors
    /// Where two columns have the same name, or the text is not CSV.
    pub(super) fn new(text: &'a str) -> Result<Self, LabelTableError> {
        let mut reader = ReaderBuilder::new().from_reader(text.as_bytes());
        let heading = reader.headers().map_err(|error| LabelTableError::whole(format!("not CSV: {error}")))?;
        let columns: Vec<String> = heading.iter().map(|name| name.trim().to_owned()).collect();
        let mut names = HashSet::new();
        match columns.iter().find(|name| !names.insert(name.as_str())) {
            Some(twice) => Err(LabelTableError::line(1, format!("two columns are called {twice:?}"))),
            None => Ok(Records { text, reader, columns, counted: (0, 1) }),
        }
    }

    /// Returns the names of the columns.
    pub(super) fn columns(&self) -> &[String] {
        &self.columns
    }

    /// Reads the next record, with its line.
    pub(super) fn next(&mut self) -> Result<Option<(u64, StringRecord)>, LabelTableError> {
        let mut record = StringRecord::new();
        match self.reader.read_record(&mut record) {
            Ok(true) => {
                let byte = record.position().map_or(0, csv::Position::byte);
                record.trim();
                Ok(Some((self.line(byte as usize), record)))
            }
            Ok(false) => Ok(None),
            Err(error) => Err(match error.kind() {
                ErrorKind::UnequalLengths { pos: Some(position), expected_len, len } => {
                    let line = self.line(position.byte() as usize);
                    LabelTableError::line(line, format!("the line has {len} values, the heading {expected_len}"))
                }
                _ => LabelTableError::whole(format!("not CSV: {error}")),
            }),
        }
    }

    /// Returns the line of the record that is read from `byte`. The reader's own count is one short
    /// after `\r\n`, and after empty lines.
    fn line(&mut self, byte: usize) -> u64 {
        let text = self.text.as_bytes();
        let blank = text[byte..].iter().take_while(|&&byte| byte == b'\r' || byte == b'\n').count();
        let (from, line) = self.counted;
        let to = byte + blank;
        let ends = (from..to).filter(|&at| text[at] == b'\n' || text[at] == b'\r' && text.get(at + 1) != Some(&b'\n'));
        self.counted = (to, line + ends.count() as u64);
        self.counted.1
    }
}
