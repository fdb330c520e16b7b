//! The table of a data set: the labels of each video, and its set in each split.
//!
//! [`LabelTable::read`] reads four formats:
//!
//! - CSV with a column of 0 and 1 for each label, as Trailers12k is published: the first column
//!   names the video, columns `split0`, `split1` ... are splits, every other column is a label.
//!   Labels have the order of the columns.
//! - CSV with the labels in one column: `video`, `label` (or `labels`), and splits. `|` separates
//!   several labels.
//! - JSON Lines: one object per line with `video`, `label` or `labels` (a string or a list), and
//!   splits.
//! - A folder with a sub-folder for each class, which contains the videos of that class.
//!
//! A split contains 0 or `train`, 1 or `validation`, 2 or `test`. The labels of the last three
//! formats are sorted by their bytes; for the ten genres of the paper that is the paper's order.
//!
//! To add a format, write one file with its reader and add one line to `FORMATS`.

mod class_folders;
mod csv_forms;
mod entries;
mod error;
mod json_lines;
mod records;
mod source;
mod table;
#[cfg(test)]
mod tests;

pub use error::LabelTableError;

use std::{fs, path::Path};

use source::Source;
pub use table::{LabelTable, Part, Split};

/// Reads a table, or returns `None` where the source is not in its format.
type Reader = fn(&Source<'_>) -> Option<Result<LabelTable, LabelTableError>>;

/// The readers, in the order in which they are tried. A new format is one file and one line here;
/// CSV is last, since any text may be CSV.
const FORMATS: [Reader; 3] = [class_folders::read_source, json_lines::read_source, csv_forms::read_source];

/// Reads a table in the first format that fits.
fn read_source(source: &Source<'_>) -> Result<LabelTable, LabelTableError> {
    let table = FORMATS.into_iter().find_map(|read| read(source));
    table.unwrap_or_else(|| Err(LabelTableError::whole("the format is unknown")))
}

impl LabelTable {
    /// Reads the file or folder `path`, in whichever form it is.
    ///
    /// # Errors
    /// [`LabelTableError`] names the line of a file that is at fault.
    pub fn read(path: &Path) -> Result<Self, LabelTableError> {
        if path.is_dir() {
            return read_source(&Source::Folder(path));
        }
        let bytes = fs::read(path)?;
        let text = std::str::from_utf8(&bytes).map_err(|error| {
            let line = bytes[..error.valid_up_to()].iter().filter(|&&byte| byte == b'\n').count() as u64 + 1;
            LabelTableError::line(line, "not UTF-8 text")
        })?;
        Self::parse(text)
    }

    /// Reads a table from text: JSON Lines where it begins with `{`, otherwise CSV.
    ///
    /// # Errors
    /// [`LabelTableError`] names the line that is at fault.
    pub fn parse(text: &str) -> Result<Self, LabelTableError> {
        // Spreadsheets write a byte order mark.
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        read_source(&Source::Text(text))
    }
}
