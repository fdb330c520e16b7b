//! Errors of tables, each with the accepted forms.

use std::io;

use thiserror::Error;

use crate::dataset::video_files::IdClash;

/// The accepted forms, short.
const FORMS: &str = "Accepted forms: CSV with a column of 0 and 1 for each label (video,horror,drama,split0); \
    CSV with the labels in one column (video,label; a.mp4,horror|drama); \
    JSON Lines ({\"video\": \"a.mp4\", \"labels\": [\"horror\"], \"split0\": \"train\"}); \
    a folder with a sub-folder for each class (films/horror/a.mp4)";

/// Why a table cannot be used.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum LabelTableError {
    /// The file or folder cannot be read.
    #[error("cannot be read")]
    Io(#[from] io::Error),
    /// A line of the file has a fault.
    #[error("line {line}{}: {reason}. {FORMS}", column.as_ref().map(|name| format!(", column {name}")).unwrap_or_default())]
    Line {
        /// Line of the file, from 1.
        line: u64,
        /// The column, where one is at fault.
        column: Option<String>,
        /// The fault.
        reason: String,
    },
    /// The whole has a fault.
    #[error("{reason}. {FORMS}")]
    Whole {
        /// The fault.
        reason: String,
    },
    /// A video has no label, or several, where it must have exactly one.
    #[error(
        "row {row}: {video} has {found}, but --single-label needs exactly one label per video: correct the table, or omit the option"
    )]
    NotSingleLabel {
        /// The row, from 1, the heading left out.
        row: usize,
        /// The video.
        video: String,
        /// The labels found, in words.
        found: String,
    },
    /// There is one label only, so a video cannot have another.
    #[error("the only label is {0}, but --single-label needs at least two labels")]
    OneLabel(String),
    /// Two different videos would have the same vectors.
    #[error(transparent)]
    IdClash(#[from] IdClash),
}

impl LabelTableError {
    /// Returns a fault of `line`.
    pub(super) fn line(line: u64, reason: impl Into<String>) -> Self {
        LabelTableError::Line { line, column: None, reason: reason.into() }
    }

    /// Returns a fault of one column of `line`.
    pub(super) fn column(line: u64, column: &str, reason: impl Into<String>) -> Self {
        LabelTableError::Line { line, column: Some(column.to_owned()), reason: reason.into() }
    }

    /// Returns a fault of the whole.
    pub(super) fn whole(reason: impl Into<String>) -> Self {
        LabelTableError::Whole { reason: reason.into() }
    }
}
