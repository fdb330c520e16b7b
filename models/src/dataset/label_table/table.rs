//! A table of labels and splits.

use std::collections::HashMap;

use serde::Serialize;

use super::error::LabelTableError;
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
    pub(super) fn parse(text: &str) -> Option<Part> {
        Part::ALL.into_iter().find(|part| text == part.name() || text == ["0", "1", "2"][*part as usize])
    }

    /// Describes a `value` that means no set.
    pub(super) fn fault(value: &str) -> String {
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
pub(super) fn is_split(name: &str) -> bool {
    name.strip_prefix("split")
        .is_some_and(|number| !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit()))
}

impl LabelTable {
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
