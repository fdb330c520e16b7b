//! The data set of a training run: a table, and a split of it.

use std::path::PathBuf;

use anyhow::{Context, bail};
use divita_runtime::bundle::Task;
use sha2::{Digest, Sha256};

use super::{
    clip_vectors::{ClipVectors, Room},
    epoch::ShortAreas,
    trainer::Examples,
};
use crate::{
    dataset::{
        label_table::{LabelTable, Part},
        metrics::Predictions,
    },
    representations::Store,
};

/// A table, one of its splits, and the task.
#[derive(Clone, Debug)]
pub struct DataSetSource {
    /// The table of labels and splits.
    pub table: PathBuf,
    /// Name of the split.
    pub split: String,
    /// The task: one label per video, or any number.
    pub task: Task,
}

impl DataSetSource {
    /// Returns the file name of the table.
    #[must_use]
    pub fn name(&self) -> String {
        self.table.file_name().unwrap_or_default().to_string_lossy().into_owned()
    }

    /// Reads the table and its split.
    ///
    /// # Errors
    /// Where the table cannot be read, does not fit the task, or has no such split, or the split
    /// leaves the training or the validation set empty.
    pub fn read(&self) -> anyhow::Result<DataSet> {
        let table = LabelTable::read(&self.table).with_context(|| self.table.display().to_string())?;
        if self.task == Task::SingleLabel {
            table.check_single_label().with_context(|| self.table.display().to_string())?;
        } else if table.check_single_label().is_ok() {
            log::info!("every video of {} has exactly one label: train with --single-label", self.table.display());
        }
        let Some(split) = table.splits.iter().find(|split| split.name == self.split) else {
            let names: Vec<&str> = table.splits.iter().map(|split| split.name.as_str()).collect();
            let has = if names.is_empty() { "none".to_owned() } else { names.join(", ") };
            bail!(
                "{} has no split {} (its splits: {has}). Make splits with `divita-models split`",
                self.table.display(),
                self.split
            );
        };
        let rows = |part| (0..table.rows.len()).filter(|&row| split.parts[row] == part).collect::<Vec<_>>();
        let parts = Part::ALL.map(rows);
        if parts[0].is_empty() || parts[1].is_empty() {
            bail!("split {} leaves the training or the validation set empty", self.split);
        }
        Ok(DataSet { table, parts })
    }
}

/// A data set and one of its splits.
pub struct DataSet {
    /// The table.
    pub table: LabelTable,
    /// Rows of the training, validation and test part.
    pub parts: [Vec<usize>; 3],
}

impl DataSet {
    /// Returns what a training run learns from.
    pub fn examples(&self) -> Examples {
        let [train, validation, _] = self.parts.clone();
        Examples { truth: self.table.rows.clone(), train, validation }
    }

    /// Returns the rows of the validation and the test set.
    pub fn judged(&self) -> Vec<usize> {
        [&self.parts[1][..], &self.parts[2]].concat()
    }

    /// Scores `probabilities` of the rows of [`DataSet::judged`] for `task` on the test set.
    pub fn test_areas(&self, probabilities: &[Vec<f64>], task: Task) -> Option<ShortAreas> {
        let [_, validation, test] = &self.parts;
        let truth = test.iter().map(|&row| self.table.rows[row].clone()).collect();
        let predictions = Predictions { probabilities: probabilities[validation.len()..].to_vec(), truth };
        (!test.is_empty()).then(|| ShortAreas::of(&predictions, task))
    }

    /// Returns the SHA-256 of the videos' names and sets, and of their labels.
    pub fn sums(&self) -> [String; 2] {
        let mut sums = [Sha256::new(), Sha256::new()];
        for (part, rows) in self.parts.iter().enumerate() {
            for &row in rows {
                sums[0].update(format!("{}\n{part}\n", self.table.videos[row]));
                sums[1].update(self.table.rows[row].iter().map(|&label| u8::from(label)).collect::<Vec<u8>>());
            }
        }
        sums.map(hexadecimal)
    }

    /// Returns the SHA-256 of the same names and sets with row numbers, on which random draws
    /// depend.
    pub fn rows_sum(&self) -> String {
        let mut sum = Sha256::new();
        for (part, rows) in self.parts.iter().enumerate() {
            rows.iter().for_each(|&row| sum.update(format!("{row} {}\n{part}\n", self.table.videos[row])));
        }
        hexadecimal(sum)
    }

    /// Opens the vectors of all videos in `stores`, and checks that none is missing.
    ///
    /// # Errors
    /// Where two videos have one id, or a video has no vectors.
    pub fn vectors(&self, stores: Vec<Vec<Store>>, room: Room) -> anyhow::Result<ClipVectors> {
        let vectors = ClipVectors::new(stores, &self.table.videos, room);
        let needed = self.parts.concat();
        self.table.check_ids(&needed)?;
        if let missing @ [first, ..] = &vectors.missing(&needed)[..] {
            bail!(
                "{} of {} videos have no vectors in a store, for example {first}: add them with `divita-models extract`",
                missing.len(),
                needed.len()
            );
        }
        Ok(vectors)
    }
}

/// Formats a sum in hexadecimal digits.
fn hexadecimal(sum: Sha256) -> String {
    sum.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Formats predictions as the table that `evaluate` reads: one row per video.
///
/// # Errors
/// Where memory runs out.
pub fn csv(table: &LabelTable, rows: &[usize], probabilities: &[Vec<f64>]) -> anyhow::Result<Vec<u8>> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    writer.write_record(["video"].into_iter().chain(table.labels.iter().map(String::as_str)))?;
    for (&row, probabilities) in rows.iter().zip(probabilities) {
        let numbers = probabilities.iter().map(|probability| probability.to_string());
        writer.write_record([table.videos[row].clone()].into_iter().chain(numbers))?;
    }
    writer.into_inner().context("cannot format the predictions")
}
