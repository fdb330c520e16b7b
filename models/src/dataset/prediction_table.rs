//! Predicted probabilities of videos: CSV with one column per label, or the results of `divita
//! classify`.

use std::collections::HashMap;
use std::fs;
use std::path::Path;

use serde::Deserialize;
use thiserror::Error;

use super::{
    label_table::LabelTable,
    metrics::Predictions,
    video_files::{IdClash, video_id},
};

/// For each video, the probabilities of a table's labels, in the table's order.
#[derive(Clone, Debug, Default)]
pub struct PredictionTable {
    probabilities: HashMap<String, Vec<f64>>,
}

/// Why predictions cannot be used.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum PredictionTableError {
    /// The file cannot be read.
    #[error("cannot read the file")]
    Io(#[from] std::io::Error),
    /// It is neither form.
    #[error("neither CSV with a heading nor JSON Lines")]
    Csv(#[from] csv::Error),
    /// A line is no JSON.
    #[error("line {line}: not an event of `divita classify --format jsonl`: {reason}")]
    Json {
        /// Line of the file, from 1.
        line: usize,
        /// The fault.
        reason: String,
    },
    /// A label has no probability.
    #[error("line {line}: no probability in [0, 1] for {label}")]
    Probability {
        /// Line of the file, from 1.
        line: u64,
        /// The label.
        label: String,
    },
    /// A video is there twice, with different probabilities.
    #[error("line {line}: {video} occurs twice, with different probabilities")]
    Twice {
        /// Line of the file, from 1.
        line: u64,
        /// The video.
        video: String,
    },
    /// One prediction would count for two videos.
    #[error(transparent)]
    IdClash(#[from] IdClash),
    /// Videos are missing.
    #[error("no predictions for {missing} of {of} videos, for example {first}")]
    Missing {
        /// Count.
        missing: usize,
        /// Of how many.
        of: usize,
        /// One of them.
        first: String,
    },
}

/// What is read of an event.
#[derive(Deserialize)]
struct Line {
    event: String,
    #[serde(default)]
    source: String,
    #[serde(default)]
    probabilities: HashMap<String, f64>,
}

impl PredictionTable {
    /// Reads the file `path`: JSON Lines where it begins with `{`, else CSV whose first column is
    /// the video.
    ///
    /// # Errors
    /// When cannot read the file, has no probability for one of `labels`, or one video twice.
    pub fn read(path: &Path, labels: &[String]) -> Result<Self, PredictionTableError> {
        let text = fs::read_to_string(path)?;
        let mut table = PredictionTable::default();
        if text.trim_start().starts_with('{') {
            for (at, line) in text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
                let event: Line = serde_json::from_str(line)
                    .map_err(|error| PredictionTableError::Json { line: at + 1, reason: error.to_string() })?;
                if event.event == "result" {
                    table.add(at as u64 + 1, &event.source, labels, |label| event.probabilities.get(label).copied())?;
                }
            }
            return Ok(table);
        }
        let mut reader = csv::Reader::from_reader(text.as_bytes());
        let heading = reader.headers()?.clone();
        for record in reader.records() {
            let record = record?;
            let line = record.position().map_or(0, csv::Position::line);
            let value = |label: &str| {
                let at = heading.iter().position(|name| name.trim() == label)?;
                record.get(at)?.trim().parse().ok()
            };
            table.add(line, record.get(0).unwrap_or_default().trim(), labels, value)?;
        }
        Ok(table)
    }

    fn add(
        &mut self,
        line: u64,
        video: &str,
        labels: &[String],
        value: impl Fn(&str) -> Option<f64>,
    ) -> Result<(), PredictionTableError> {
        let probability = |label: &String| {
            let good = value(label).filter(|value| (0.0..=1.0).contains(value));
            good.ok_or_else(|| PredictionTableError::Probability { line, label: label.clone() })
        };
        let row: Vec<f64> = labels.iter().map(probability).collect::<Result<_, _>>()?;
        // Copies of one video in several class folders have the same probabilities.
        match self.probabilities.insert(video_id(video), row.clone()) {
            Some(other) if other != row => Err(PredictionTableError::Twice { line, video: video.to_owned() }),
            _ => Ok(()),
        }
    }

    /// Returns whether there is one for a row of `table`.
    pub fn has(&self, table: &LabelTable, row: usize) -> bool {
        self.probabilities.contains_key(&video_id(&table.videos[row]))
    }

    /// Returns probabilities and truth of `rows` of `table`.
    pub fn of(&self, table: &LabelTable, rows: &[usize]) -> Result<Predictions, PredictionTableError> {
        let missing: Vec<usize> = rows.iter().copied().filter(|&row| !self.has(table, row)).collect();
        if let Some(&first) = missing.first() {
            let first = table.videos[first].clone();
            return Err(PredictionTableError::Missing { missing: missing.len(), of: rows.len(), first });
        }
        table.check_ids(rows)?;
        let both = rows.iter().filter_map(|&row| {
            Some((self.probabilities.get(&video_id(&table.videos[row]))?.clone(), table.rows[row].clone()))
        });
        let (probabilities, truth) = both.unzip();
        Ok(Predictions { probabilities, truth })
    }
}
