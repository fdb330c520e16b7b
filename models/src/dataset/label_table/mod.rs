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
#[cfg(test)]
mod tests;

pub use error::LabelTableError;

use std::{collections::HashMap, fs, path::Path};

use serde::Serialize;

use crate::dataset::video_files::{IdClash, video_id};

/// A set of a split.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Part {
    /// Weights are trained on it.
    Train,
    /// Choices such as thresholds and the end of training are made on it.
    Validation,
    /// Results are measured on it.
    Test,
}

impl Part {
    /// All, by the numbers that they have in a table.
    pub const ALL: [Part; 3] = [Part::Train, Part::Validation, Part::Test];

    /// Returns the name, as in `train`.
    #[must_use]
    pub fn name(self) -> &'static str {
        ["train", "validation", "test"][self as usize]
    }

    /// Returns the part that `text` means, by its number or name.
    fn parse(text: &str) -> Option<Part> {
        Part::ALL.into_iter().find(|part| text == part.name() || text == ["0", "1", "2"][*part as usize])
    }

    /// Describes a `value` that means no set.
    fn fault(value: &str) -> String {
        format!("{value} is not 0 or train, 1 or validation, 2 or test")
    }
}

/// A split of the videos into sets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Split {
    /// The column's name: `split0`, `split1` ...
    pub name: String,
    /// The set of each row.
    pub parts: Vec<Part>,
}

/// A table of labels and splits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LabelTable {
    /// The labels' names.
    pub labels: Vec<String>,
    /// The video of each row: an identifier or a path.
    pub videos: Vec<String>,
    /// The labels of each row.
    pub rows: Vec<Vec<bool>>,
    /// The splits, in the order of their columns.
    pub splits: Vec<Split>,
}

/// Returns whether a column of this name is one of splits.
fn is_split(name: &str) -> bool {
    name.strip_prefix("split")
        .is_some_and(|number| !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit()))
}

impl LabelTable {
    /// Reads the file or folder `path`, in whichever form it is.
    ///
    /// # Errors
    /// [`LabelTableError`] names the line of a file that is at fault.
    pub fn read(path: &Path) -> Result<Self, LabelTableError> {
        if path.is_dir() {
            return class_folders::read(path);
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
        match text.trim_start().as_bytes().first() {
            Some(b'{') => json_lines::parse(text),
            Some(b'[') => Err(LabelTableError::whole("the file is a JSON list: write an object a line instead")),
            _ => csv_forms::parse(text),
        }
    }

    /// Checks that the videos of `rows` have different ids, so that each has its own vectors and
    /// predictions.
    ///
    /// # Errors
    /// [`IdClash`] names two videos with the same id.
    pub fn check_ids(&self, rows: &[usize]) -> Result<(), IdClash> {
        let mut videos = HashMap::new();
        for &row in rows {
            let video = &self.videos[row];
            if let Some(one) = videos.insert(video_id(video), video) {
                return Err(IdClash { id: video_id(video), one: one.into(), other: video.into() });
            }
        }
        Ok(())
    }

    /// Checks that there are several labels, and that each video has exactly one.
    ///
    /// # Errors
    /// [`LabelTableError::OneLabel`]; [`LabelTableError::NotSingleLabel`], which names the first
    /// other row.
    pub fn check_single_label(&self) -> Result<(), LabelTableError> {
        if let [label] = &self.labels[..] {
            return Err(LabelTableError::OneLabel(label.clone()));
        }
        for (at, (video, row)) in self.videos.iter().zip(&self.rows).enumerate() {
            let own = self.labels.iter().zip(row).filter_map(|(label, &has)| has.then_some(label.as_str()));
            let own: Vec<&str> = own.collect();
            if own.len() != 1 {
                let found = match own.len() {
                    0 => "no label".to_owned(),
                    count => format!("{count} labels ({})", own.join(", ")),
                };
                return Err(LabelTableError::NotSingleLabel { row: at + 1, video: video.clone(), found });
            }
        }
        Ok(())
    }

    /// Returns the table as CSV.
    ///
    /// # Errors
    /// When there is no room for it.
    pub fn to_csv(&self) -> Result<Vec<u8>, csv::Error> {
        let mut writer = csv::Writer::from_writer(Vec::new());
        let columns = ["video"].into_iter().chain(self.labels.iter().map(String::as_str));
        writer.write_record(columns.chain(self.splits.iter().map(|split| split.name.as_str())))?;
        for (at, (video, labels)) in self.videos.iter().zip(&self.rows).enumerate() {
            let labels = labels.iter().map(|&label| if label { "1" } else { "0" });
            let parts = self.splits.iter().map(|split| ["0", "1", "2"][split.parts[at] as usize]);
            writer.write_record([video.as_str()].into_iter().chain(labels).chain(parts))?;
        }
        writer.into_inner().map_err(|error| csv::Error::from(error.into_error()))
    }
}
