//! The data set of a command that trains: a table, and a split of it that says what is for what.

use std::path::PathBuf;

use crate::{
    dataset::{
        label_table::{LabelTable, Part},
        metrics::Predictions,
    },
    representations::Store,
    training::{
        Examples, ShortAreas,
        clip_vectors::{ClipVectors, Room},
    },
};
use anyhow::{Context, bail};
use clap::Args;
use divita_runtime::bundle::Task;
use sha2::{Digest, Sha256};

/// The data set to train on.
#[derive(Args)]
pub struct DataSetArgs {
    /// Table of labels and splits: CSV or JSON Lines
    #[arg(value_name = "TABLE")]
    pub table: PathBuf,
    /// Split of the table to train with
    #[arg(long, value_name = "NAME", default_value = "split0")]
    pub split: String,
    /// Train for exactly one label per video: softmax and cross entropy [default: any number of
    /// labels, sigmoids]
    #[arg(long)]
    pub single_label: bool,
}

impl DataSetArgs {
    /// Returns the file name of the table.
    pub fn name(&self) -> String {
        self.table.file_name().unwrap_or_default().to_string_lossy().into_owned()
    }

    /// Returns the task that the options select.
    pub fn task(&self) -> Task {
        if self.single_label { Task::SingleLabel } else { Task::MultiLabel }
    }

    /// Reads the table and its split.
    pub fn read(&self) -> anyhow::Result<DataSet> {
        let table = LabelTable::read(&self.table).with_context(|| self.table.display().to_string())?;
        if self.single_label {
            table.check_single_label().with_context(|| self.table.display().to_string())?;
        } else if table.check_single_label().is_ok() {
            log::info!("every video of {} has exactly one label: --single-label trains for that", self.table.display());
        }
        let Some(split) = table.splits.iter().find(|split| split.name == self.split) else {
            let names: Vec<&str> = table.splits.iter().map(|split| split.name.as_str()).collect();
            let has = if names.is_empty() { "none".to_owned() } else { names.join(", ") };
            bail!(
                "{} has no split called {} (it has {has}): `divita-models split` makes splits",
                self.table.display(),
                self.split
            );
        };
        let rows = |part| (0..table.rows.len()).filter(|&row| split.parts[row] == part).collect::<Vec<_>>();
        let parts = Part::ALL.map(rows);
        if parts[0].is_empty() || parts[1].is_empty() {
            bail!("{} leaves the training or the validation part empty", self.split);
        }
        Ok(DataSet { table, parts })
    }
}

/// A data set, of which a split says what is for what.
pub struct DataSet {
    /// The table.
    pub table: LabelTable,
    /// Rows of the training, validation and test part.
    pub parts: [Vec<usize>; 3],
}

impl DataSet {
    /// What a run is of.
    pub fn examples(&self) -> Examples {
        let [train, validation, _] = self.parts.clone();
        Examples { truth: self.table.rows.clone(), train, validation }
    }

    /// Rows of the parts on which nothing is trained.
    pub fn judged(&self) -> Vec<usize> {
        [&self.parts[1][..], &self.parts[2]].concat()
    }

    /// How good `probabilities` of the judged rows are for `task`, on the test part.
    pub fn test_areas(&self, probabilities: &[Vec<f64>], task: Task) -> Option<ShortAreas> {
        let [_, validation, test] = &self.parts;
        let truth = test.iter().map(|&row| self.table.rows[row].clone()).collect();
        let predictions = Predictions { probabilities: probabilities[validation.len()..].to_vec(), truth };
        (!test.is_empty()).then(|| ShortAreas::of(&predictions, task))
    }

    /// SHA-256 of the videos' names and the part of each, and of which labels each has.
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

    /// SHA-256 of the same names and parts, each with its row: what is drawn for a row follows from its number.
    pub fn rows_sum(&self) -> String {
        let mut sum = Sha256::new();
        for (part, rows) in self.parts.iter().enumerate() {
            rows.iter().for_each(|&row| sum.update(format!("{row} {}\n{part}\n", self.table.videos[row])));
        }
        hexadecimal(sum)
    }

    /// The vectors of the stores, of all videos that are needed.
    pub fn vectors(&self, stores: Vec<Vec<Store>>, room: Room) -> anyhow::Result<ClipVectors> {
        let vectors = ClipVectors::new(stores, &self.table.videos, room);
        let needed = self.parts.concat();
        self.table.check_ids(&needed)?;
        if let missing @ [first, ..] = &vectors.missing(&needed)[..] {
            bail!(
                "{} of {} videos have no vectors in a store, the first is {first}: add them with `divita-models extract`",
                missing.len(),
                needed.len()
            );
        }
        Ok(vectors)
    }
}

/// The digits of a sum.
fn hexadecimal(sum: Sha256) -> String {
    sum.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The table that `evaluate` reads: a row a video.
pub fn csv(table: &LabelTable, rows: &[usize], probabilities: &[Vec<f64>]) -> anyhow::Result<Vec<u8>> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    writer.write_record(["video"].into_iter().chain(table.labels.iter().map(String::as_str)))?;
    for (&row, probabilities) in rows.iter().zip(probabilities) {
        let numbers = probabilities.iter().map(|probability| probability.to_string());
        writer.write_record([table.videos[row].clone()].into_iter().chain(numbers))?;
    }
    writer.into_inner().context("the predictions cannot be written")
}
