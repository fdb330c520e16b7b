//! `divita-models split`: splits a data set into train, validation and test sets with matching
//! label frequencies.

use std::io::Write;
use std::path::PathBuf;

use crate::{
    dataset::{
        label_table::{LabelTable, Part, Split as Column},
        stratification::{Unlikeness, stratify},
    },
    weights::write_whole,
};
use anyhow::{Context, bail};
use clap::Args;
use serde_json::{Value, json};

/// Split a data set into train, validation and test sets with matching label frequencies
///
/// TABLE has one of four forms. CSV with a column of 0 and 1 for each label: video,horror,drama
/// (the first column names the video; Trailers12k's mtgc.csv is such a table). CSV with the labels
/// in one column: video,label; | separates several labels. JSON Lines: {"video": "a.mp4", "labels":
/// ["horror", "drama"]}. A folder with a sub-folder for each class: films/horror/a.mp4; a video is
/// named by its path below the folder, and a copy in another class folder adds a second label.
/// Columns or keys split0, split1 ... are splits: 0 or train, 1 or validation, 2 or test.
///
/// --output writes the table as CSV with a column of 0 and 1 for each label and with new splits in
/// place of its own. Labels are sorted by name, unless TABLE has a column for each.
///
/// Uses second-order iterative stratification (Szymanski and Kajdanowicz, 2017). Prints the sizes
/// of the sets, and how far their labels (LD) and pairs of labels (LPD) are from the whole: the
/// mean difference of odds, 0 for equal frequencies. Without --output, prints this for the table's
/// own splits only.
#[derive(Args)]
#[command(after_help = "Examples:\n  \
    divita-models split films.csv --output films-split.csv --splits 3\n  \
    divita-models split films/ --output films-split.csv")]
pub struct Split {
    /// Table of labels, or a folder with one sub-folder per class
    #[arg(value_name = "TABLE")]
    table: PathBuf,
    /// CSV file to write the table with new splits to; it appears complete or not at all
    #[arg(long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Number of splits, each with its own seed
    #[arg(long, value_name = "N", default_value_t = 3, value_parser = clap::value_parser!(u64).range(1..=100))]
    splits: u64,
    /// Ratios of train, validation and test
    #[arg(long, value_name = "A,B,C", value_delimiter = ',', default_values_t = [70.0, 10.0, 20.0])]
    ratios: Vec<f64>,
    /// Seed of the first split; each further split adds 1
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,
    /// Print JSON instead of a table
    #[arg(long)]
    json: bool,
}

impl Split {
    /// Splits the table, writes it, and prints how well the sets match.
    pub fn run(self) -> anyhow::Result<()> {
        let ratios: [f64; 3] = match self.ratios.as_slice().try_into() {
            Ok(ratios) if self.ratios.iter().all(|&ratio| ratio > 0.0 && ratio.is_finite()) => ratios,
            _ => bail!("--ratios must be three numbers above 0, for example 70,10,20"),
        };
        let mut table = LabelTable::read(&self.table).with_context(|| self.table.display().to_string())?;
        let mut columns = table.splits.clone();
        if let Some(path) = &self.output {
            table.splits = (0..self.splits)
                .map(|at| Column {
                    name: format!("split{at}"),
                    parts: stratify(&table.rows, ratios, self.seed.wrapping_add(at)),
                })
                .collect();
            write_whole(path, &table.to_csv()?)?;
            columns.iter_mut().for_each(|own| own.name.insert_str(0, "the table's "));
            columns
                .extend(table.splits.iter().map(|made| Column { name: format!("new {}", made.name), ..made.clone() }));
        } else if columns.is_empty() {
            bail!("{} has no splits: give --output FILE to write the table with new splits", self.table.display());
        }
        let mut out = std::io::stdout();
        let figures = columns.iter().map(|column| {
            let sizes = Part::ALL.map(|part| column.parts.iter().filter(|&&other| other == part).count());
            (&column.name, sizes, Unlikeness::of(&table.rows, &column.parts))
        });
        if self.json {
            let value = |(name, [train, validation, test], unlike): (&String, [usize; 3], Unlikeness)| json!({"split": name, "train": train, "validation": validation, "test": test, "ld": unlike.labels, "lpd": unlike.pairs});
            writeln!(out, "{}", serde_json::to_string_pretty(&figures.map(value).collect::<Vec<Value>>())?)?;
            return Ok(());
        }
        writeln!(out, "{:<20} {:>7} {:>10} {:>7} {:>10} {:>10}", "", "train", "validation", "test", "LD", "LPD")?;
        for (name, [train, validation, test], Unlikeness { labels, pairs }) in figures {
            writeln!(out, "{name:<20} {train:>7} {validation:>10} {test:>7} {labels:>10.6} {pairs:>10.6}")?;
        }
        Ok(())
    }
}
