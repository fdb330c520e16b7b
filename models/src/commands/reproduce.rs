//! `divita-models reproduce`: trains the rows of the paper's tables on a folder of Trailers12k.

use std::{io::Write, path::PathBuf};

use crate::{
    representations::{
        md5_of_file,
        published_stores::{TABLE, TABLE_MD5, Verification},
    },
    training::{
        cost_plot::{self, Point},
        published_results::{Figure, ROWS, Row, TABLES},
        reproduction::{Outcome, Reproduction, over_splits},
    },
    weights::write_whole,
};
use anyhow::bail;
use clap::Args;
use serde_json::{Value, json};

use super::{progress::TrainingBar, training_options::DeviceArgs};

/// Train the rows of the paper's Tables 6 to 11 and compare the results
///
/// FOLDER contains Trailers12k as published: mtgc.csv, and any of the six stores of
/// representations, unpacked or as archives (.tar.gz, verified by MD5 and unpacked once). Trains
/// each row whose stores exist by the paper's recipe on each split, and prints mean and standard
/// deviation over the splits' test sets beside the paper's. For each other row, prints what is
/// missing and how to make it from the trailers where possible.
///
/// DIR contains one folder per run. Finished runs are not repeated and stopped runs resume, so the
/// command can be stopped at any time. Rows that occur in several tables are trained once.
#[derive(Args)]
#[command(after_help = "Examples:\n  \
    divita-models reproduce trailers12k/ --output runs/paper --tables 10\n  \
    divita-models reproduce trailers12k/ --output runs/paper --tables 10 --rows ShuffleNet-F,Swin-3D")]
pub struct Reproduce {
    /// Folder of Trailers12k
    #[arg(value_name = "FOLDER")]
    folder: PathBuf,
    /// Folder of the runs
    #[arg(long, value_name = "DIR")]
    output: PathBuf,
    /// Tables, 6 to 11
    #[arg(long, value_name = "N,...", value_delimiter = ',', default_value = "6,7,8,9,10,11", value_parser = clap::value_parser!(u8).range(6..=11))]
    tables: Vec<u8>,
    /// Rows to train, by name, for example ShuffleNet-F [default: all rows]
    #[arg(long, value_name = "NAME,...", value_delimiter = ',')]
    rows: Vec<String>,
    /// Splits
    #[arg(long, value_name = "NAME,...", value_delimiter = ',', default_value = "split0,split1,split2")]
    splits: Vec<String>,
    /// Maximum number of epochs per run
    #[arg(long, value_name = "N", default_value_t = 100, value_parser = clap::value_parser!(u16).range(1..))]
    epochs: u16,
    #[command(flatten)]
    device: DeviceArgs,
    /// Draw Table 10 like the paper's Figure 10 (muAP against parameters and multiply-accumulates)
    /// and write it to FILE as SVG
    #[arg(long, value_name = "FILE")]
    plot: Option<PathBuf>,
    /// Print JSON instead of tables
    #[arg(long)]
    json: bool,
}

impl Reproduce {
    /// Trains the rows and prints the tables.
    pub fn run(self) -> anyhow::Result<()> {
        let table = self.folder.join(TABLE);
        let found = md5_of_file(&table)?;
        let data = if found == TABLE_MD5 { Verification::Archive } else { Verification::NotPublished };
        if data == Verification::NotPublished {
            log::warn!("{} is not the published table (MD5 {found}): the results are for other data", table.display());
        }
        if self.plot.is_some() && !self.tables.contains(&10) {
            bail!("--plot draws Table 10: add 10 to --tables");
        }
        let reproduction = Reproduction {
            folder: self.folder.clone(),
            output: self.output.clone(),
            splits: self.splits.clone(),
            epochs: self.epochs.into(),
            device: self.device.device,
        };
        let progress = TrainingBar::new();
        reproduction.verify_archives()?;
        let rows = self.selected()?;
        let mut outcomes: Vec<(&Row, Outcome)> = Vec::new();
        for row in rows {
            let same =
                outcomes.iter().find(|(other, _)| other.setting == row.setting).map(|(_, outcome)| outcome.clone());
            let outcome = match same {
                Some(outcome) => outcome,
                None => reproduction.outcome(&table, data, row, &progress)?,
            };
            outcomes.push((row, outcome));
        }
        if outcomes.iter().all(|(_, outcome)| outcome.is_err()) {
            log::warn!("cannot train any row: {} has none of the stores that these tables need", self.folder.display());
        }
        if let Some(path) = &self.plot {
            let of_table = outcomes.iter().filter(|(row, _)| row.table == 10);
            let point = |(row, outcome): &(&Row, Outcome)| {
                Point::new(row, outcome.as_ref().ok().and_then(|trained| over_splits(&trained.areas)[0]))
            };
            write_whole(path, cost_plot::svg(&of_table.filter_map(point).collect::<Vec<_>>()).as_bytes())?;
        }
        let mut out = std::io::stdout();
        if self.json {
            let values: Vec<Value> = outcomes.iter().map(|(row, outcome)| value(row, outcome)).collect();
            writeln!(out, "{}", serde_json::to_string_pretty(&values)?)?;
            return Ok(());
        }
        for (number, about) in TABLES.into_iter().filter(|(number, _)| self.tables.contains(number)) {
            writeln!(out, "Table {number}: {about}")?;
            writeln!(out, "  {:<16} {:<6} {:>14} {:>14} {:>14} {:>14}", "", "", "muAP", "mAP", "wAP", "sAP")?;
            for (row, outcome) in outcomes.iter().filter(|(row, _)| row.table == number) {
                print(&mut out, row, outcome)?;
            }
            writeln!(out)?;
        }
        Ok(())
    }

    /// Returns the rows of the tables that are asked for.
    fn selected(&self) -> anyhow::Result<Vec<&'static Row>> {
        let rows = ROWS.iter().filter(|row| self.tables.contains(&row.table));
        if let Some(unknown) = self.rows.iter().find(|name| !rows.clone().any(|row| row.name == name.as_str())) {
            let names: Vec<&str> = rows.map(|row| row.name).collect();
            bail!("--rows {unknown}: no such row in these tables; choose from {}", names.join(", "));
        }
        Ok(rows.filter(|row| self.rows.is_empty() || self.rows.iter().any(|name| name == row.name)).collect())
    }
}

fn print(out: &mut impl Write, row: &Row, outcome: &Outcome) -> std::io::Result<()> {
    let cell = |figure: Option<Figure>| {
        figure.map_or_else(|| "-".to_owned(), |(mean, spread)| format!("{mean:.2} ± {spread:.2}"))
    };
    let mut line = |name: &str, whose: &str, figures: [Option<Figure>; 4]| {
        let [a, b, c, d] = figures.map(cell);
        writeln!(out, "  {name:<16} {whose:<6} {a:>14} {b:>14} {c:>14} {d:>14}")
    };
    line(row.name, "paper", row.figures.map(Some))?;
    match outcome {
        Ok(trained) => line("", "here", over_splits(&trained.areas))?,
        Err(why) => writeln!(out, "  {:<16} {:<6} not run: {why}", "", "here")?,
    }
    let data = outcome.as_ref().ok().and_then(|trained| trained.data.note());
    [row.but, data].into_iter().flatten().try_for_each(|note| writeln!(out, "  {:<16} {:<6} {note}", "", ""))
}

fn value(row: &Row, outcome: &Outcome) -> Value {
    let named = |figures: [Option<Figure>; 4]| -> Value {
        let names = ["mu_ap", "m_ap", "w_ap", "s_ap"];
        let figure =
            |figure: Option<Figure>| figure.map(|(mean, spread)| json!({"mean": mean, "standard_deviation": spread}));
        names
            .into_iter()
            .zip(figures)
            .map(|(name, one)| (name.to_owned(), json!(figure(one))))
            .collect::<serde_json::Map<_, _>>()
            .into()
    };
    json!({
        "table": row.table,
        "row": row.name,
        "paper": named(row.figures.map(Some)),
        "here": outcome.as_ref().ok().map(|trained| named(over_splits(&trained.areas))),
        "data": outcome.as_ref().ok().map(|trained| trained.data),
        "not_run": outcome.as_ref().err(),
        "but": row.but,
    })
}
