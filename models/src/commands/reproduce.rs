//! `divita-models reproduce`: the paper's tables on a folder of Trailers12k, its numbers beside ours.

use std::{
    fs::File,
    io::{Read, Write},
    path::{Path, PathBuf},
};

use anyhow::{Context, bail};
use clap::Args;
use divita_models::{
    cost_plot::{self, Point},
    published_results::{Figure, Heads, Made, ROWS, Row, Setting, TABLES},
    representations::Store,
    trained_bundle::SEEDED,
    training::{ShortAreas, run_folder::RunFolder},
    weights::write_whole,
};
use md5::{Digest, Md5};
use serde_json::{Map, Value, json};

use super::training_run::{DeviceArgs, HowToTrain};

/// MD5 of the published table of labels and splits, as its authors' list has it.
const TABLE_MD5: &str = "d730579950345b2c0f9c4a9779bd9d44";

/// Train what the paper's Tables 6 to 11 report, and print its numbers beside ours
///
/// FOLDER holds Trailers12k as published: mtgc.csv, and of the six stores of representations those that there are, unpacked. Every row of the tables whose stores are there is trained by the paper's recipe on
/// each split, and the mean and standard deviation over the splits' test parts stand beside the paper's. Of the others it says what is missing, and how to make it where that can be made of the trailers themselves.
///
/// Runs are kept in DIR, one folder each. What is there already is not trained again, and a run that was stopped is gone on with, so the command may be stopped at any time. Rows that are the same in several tables
/// are trained once.
#[derive(Args)]
#[command(after_help = "Examples:\n  \
    divita-models reproduce trailers12k/ --output runs/paper --tables 10\n  \
    divita-models reproduce trailers12k/ --output runs/paper --sums md5sums.txt")]
pub struct Reproduce {
    /// Folder of Trailers12k
    #[arg(value_name = "FOLDER")]
    folder: PathBuf,
    /// Folder of the runs
    #[arg(long, value_name = "DIR")]
    output: PathBuf,
    /// Tables, of 6 to 11
    #[arg(long, value_name = "N,...", value_delimiter = ',', default_value = "6,7,8,9,10,11", value_parser = clap::value_parser!(u8).range(6..=11))]
    tables: Vec<u8>,
    /// Splits
    #[arg(long, value_name = "NAME,...", value_delimiter = ',', default_value = "split0,split1,split2")]
    splits: Vec<String>,
    /// Most epochs of a run
    #[arg(long, value_name = "N", default_value_t = 100, value_parser = clap::value_parser!(u16).range(1..))]
    epochs: u16,
    #[command(flatten)]
    device: DeviceArgs,
    /// MD5 sums of the data set's record, as `md5sum` writes them: each file of FOLDER that is named there is checked first
    #[arg(long, value_name = "FILE")]
    sums: Option<PathBuf>,
    /// Draw Table 10 as the paper's Figure 10 does, muAP against parameters and multiply-accumulates, as SVG into FILE
    #[arg(long, value_name = "FILE")]
    plot: Option<PathBuf>,
    /// Print JSON in place of tables
    #[arg(long)]
    json: bool,
}

/// What came of a row: measures of each split, or why there are none.
type Outcome = Result<Vec<ShortAreas>, String>;

impl Reproduce {
    /// Trains, and prints the tables.
    pub fn run(self) -> anyhow::Result<()> {
        let table = self.folder.join("mtgc.csv");
        let found = md5(&table)?;
        if found != TABLE_MD5 {
            log::warn!("{} is not the published table (MD5 {found}): the results are of other data", table.display());
        }
        if let Some(sums) = &self.sums {
            self.check(sums)?;
        }
        if self.plot.is_some() && !self.tables.contains(&10) {
            bail!("--plot draws Table 10: add 10 to --tables");
        }
        let rows: Vec<&Row> = ROWS.iter().filter(|row| self.tables.contains(&row.table)).collect();
        let mut outcomes: Vec<(&Row, Outcome)> = Vec::new();
        for row in rows {
            let same =
                outcomes.iter().find(|(other, _)| other.setting == row.setting).map(|(_, outcome)| outcome.clone());
            let outcome = match same {
                Some(outcome) => outcome,
                None => self.outcome(&table, row)?,
            };
            outcomes.push((row, outcome));
        }
        if outcomes.iter().all(|(_, outcome)| outcome.is_err()) {
            log::warn!("nothing could be run: {} has none of the stores that these tables need", self.folder.display());
        }
        if let Some(path) = &self.plot {
            let of_table = outcomes.iter().filter(|(row, _)| row.table == 10);
            let point = |(row, outcome): &(&Row, Outcome)| {
                Point::new(row, outcome.as_ref().ok().and_then(|areas| over_splits(areas)[0]))
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

    /// Whether the files of the folder that `sums` names are those.
    fn check(&self, sums: &Path) -> anyhow::Result<()> {
        let text = std::fs::read_to_string(sums).with_context(|| sums.display().to_string())?;
        for line in text.lines().filter(|line| !line.trim().is_empty()) {
            let Some((sum, name)) =
                line.split_once(char::is_whitespace).map(|(sum, name)| (sum, name.trim().trim_start_matches('*')))
            else {
                bail!("{}: {line:?} is not a sum and a name, as md5sum writes them", sums.display());
            };
            let path = self.folder.join(name);
            if !path.exists() {
                log::info!("{name} is not there, and not checked");
                continue;
            }
            let found = md5(&path)?;
            if found != sum.to_lowercase() {
                bail!(
                    "{}: its MD5 is {found} in place of {sum}: it is damaged or another file; fetch it again",
                    path.display()
                );
            }
            log::info!("{name} is the published file");
        }
        Ok(())
    }

    /// Trains what `row` reports on each split.
    fn outcome(&self, table: &Path, row: &Row) -> anyhow::Result<Outcome> {
        let heads = match row.setting {
            Setting::Missing(why) => return Ok(Err(why.to_owned())),
            Setting::Heads(heads) => heads,
        };
        let stores: Vec<Made> = [heads.image, heads.video].into_iter().flatten().collect();
        if let Some(missing) = stores.iter().find(|made| !self.folder.join(made.store()).is_dir()) {
            return Ok(Err(lacking(*missing)));
        }
        for made in &stores {
            if let Some(why) = other_than(*made, Store::open(&self.folder.join(made.store()))?.attributes()) {
                return Ok(Err(why));
            }
        }
        let mut areas = Vec::new();
        for split in &self.splits {
            let how = HowToTrain::paper(&self.folder, table.to_owned(), split, &heads, self.device);
            let how = HowToTrain { epochs: self.epochs, ..how };
            let output = self.output.join(folder_name(&heads, split));
            log::info!("Table {}, {}, {split}: {}", row.table, row.name, output.display());
            let begun = RunFolder::find(&output).is_ok();
            let results = how.run(&how.data_set()?, &output, begun, &how.room(), None)?;
            let Some(test) = results.test.first() else { bail!("{split} has no test part") };
            areas.push(*test);
        }
        Ok(Ok(areas))
    }
}

/// What a run's folder is called.
fn folder_name(heads: &Heads, split: &str) -> String {
    let Heads { head, clips, image, video } = heads;
    let stores = [image, video].into_iter().flatten();
    let names: Vec<String> =
        stores.map(|made| made.store().trim_start_matches("trailers_").replace(".zarr", "")).collect();
    format!("{}-{}-{clips}-{split}", names.join("+"), head.name())
}

/// Why the store of `made`, which says `attributes` of itself, is not what it is called; the published ones say nothing.
fn other_than(made: Made, attributes: &Map<String, Value>) -> Option<String> {
    let store = made.store();
    let segmentation = if made.seq { "seq" } else { "shot" };
    let wanted = [
        ("network", json!(made.backbone.graph(1).name)),
        ("fps", json!(made.fps)),
        ("segmentation", json!(segmentation)),
    ];
    for (fact, wanted) in wanted {
        if let Some(found) = attributes.get(fact).filter(|found| **found != wanted) {
            return Some(format!("{store} is not what its name says: its {fact} is {found}, not {wanted}"));
        }
    }
    let weights = attributes.get("weights").and_then(Value::as_str);
    weights.filter(|weights| weights.starts_with(SEEDED)).map(|weights| format!("{store} was made with {weights}"))
}

/// What to do about a store that is not there.
fn lacking(made: Made) -> String {
    let Made { backbone, fps, seq, .. } = made;
    let segmentation = if seq { " --segmentation seq" } else { "" };
    let published = if fps == 24 && !seq { "is published; or make it" } else { "is not published; make it" };
    let network = backbone.graph(1).name;
    let store = made.store();
    format!(
        "{store} {published} of the trailers: `divita-models extract TRAILERS --network {network} --weights FILE --fps {fps}{segmentation} --store {store}`"
    )
}

/// MD5 of a file.
fn md5(path: &Path) -> anyhow::Result<String> {
    let context = || path.display().to_string();
    let mut file = File::open(path).with_context(context)?;
    let (mut sum, mut part) = (Md5::new(), vec![0; 1 << 20]);
    loop {
        match file.read(&mut part).with_context(context)? {
            0 => return Ok(sum.finalize().iter().map(|byte| format!("{byte:02x}")).collect()),
            length => sum.update(&part[..length]),
        }
    }
}

/// Mean and standard deviation over the splits, in percent, of each measure that all have.
fn over_splits(areas: &[ShortAreas]) -> [Option<Figure>; 4] {
    std::array::from_fn(|at| {
        let values = areas.iter().map(|areas| areas.by_name()[at].1.map(|area| 100.0 * area));
        let values: Vec<f64> = values.collect::<Option<_>>()?;
        let mean = values.iter().sum::<f64>() / values.len() as f64;
        let squares = values.iter().map(|value| (value - mean).powi(2)).sum::<f64>();
        Some((mean, (squares / (values.len() as f64 - 1.0).max(1.0)).sqrt()))
    })
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
        Ok(areas) => line("", "here", over_splits(areas))?,
        Err(why) => writeln!(out, "  {:<16} {:<6} not run: {why}", "", "here")?,
    }
    row.but.map_or(Ok(()), |but| writeln!(out, "  {:<16} {:<6} {but}", "", ""))
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
        "here": outcome.as_ref().ok().map(|areas| named(over_splits(areas))),
        "not_run": outcome.as_ref().err(),
        "but": row.but,
    })
}
