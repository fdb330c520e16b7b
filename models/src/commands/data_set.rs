//! The options that select a data set for training.

use std::path::PathBuf;

use crate::training::data_set::DataSetSource;
use clap::Args;
use divita_runtime::bundle::Task;

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
    /// Returns the table, split and task that the options select.
    pub fn source(&self) -> DataSetSource {
        let task = if self.single_label { Task::SingleLabel } else { Task::MultiLabel };
        DataSetSource { table: self.table.clone(), split: self.split.clone(), task }
    }
}
