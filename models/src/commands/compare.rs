//! `divita-models compare`: compares finished training runs and finds the best on validation.

use std::{
    io::Write,
    path::{Path, PathBuf},
};

use crate::{
    dataset::metrics::mean_and_deviation,
    representations::published_stores::{PublishedFact, StoreKind, Verification},
    training::{
        ShortAreas,
        published_results::{Figure, Heads, ROWS, Setting},
        run_folder::{Results, RunFolder, RunRecipe, Vectors},
    },
};
use anyhow::Context;
use clap::Args;
use serde_json::{Value, json};

/// Compare training runs and choose the best on validation
///
/// Prints the measures of each finished RUN of `train` or `distill` on the validation and the test
/// set, in percent. Runs that differ only in the split form a variant; mean and standard deviation
/// follow. A variant of the paper's Table 10 shows the paper's row too.
///
/// The best variant has the highest mean muAP (single-label: top-1 accuracy) on validation, and its
/// best run the highest on validation. The test set does not influence the choice. With several
/// working rates, the test figures are for the lowest rate.
#[derive(Args)]
#[command(after_help = "Examples:\n  \
    divita-models compare runs/plain-*/ runs/distilled-*/\n  \
    divita-models build --run \"$(divita-models compare --best runs/*/)\" --output bundles/films")]
pub struct Compare {
    /// Folders of runs
    #[arg(value_name = "RUN", required = true)]
    runs: Vec<PathBuf>,
    /// Print only the path of the best run
    #[arg(long, conflicts_with = "json")]
    best: bool,
    /// Print JSON instead of a table
    #[arg(long)]
    json: bool,
}

/// A finished run.
struct Run {
    path: PathBuf,
    recipe: RunRecipe,
    results: Results,
}

/// Runs of the same heads on the same streams, each with another split.
struct Variant {
    name: String,
    runs: Vec<Run>,
}

impl Run {
    fn read(path: &Path) -> anyhow::Result<Run> {
        let (folder, recipe) = RunFolder::find(path)?;
        let results = folder.results()?;
        Ok(Run { path: path.to_owned(), recipe, results })
    }

    /// Returns the measure by which runs are compared: muAP on validation, or top-1 for a
    /// single-label task.
    fn measure(&self) -> Option<f64> {
        let areas = self.results.best.areas;
        areas.top_1.or(areas.mu_ap)
    }

    /// Returns [`Run::measure`], or a value below all others where it is unknown.
    fn validation(&self) -> f64 {
        self.measure().unwrap_or(-1.0)
    }

    fn test(&self) -> Option<ShortAreas> {
        self.results.test.first().copied()
    }

    /// Returns the name of the run's variant.
    fn variant(&self) -> String {
        let network = |(stream, vectors): (&String, &Vectors)| {
            let network = vectors.attributes.get("network").and_then(Value::as_str);
            network.map_or_else(|| stream.clone(), str::to_owned)
        };
        let networks: Vec<String> = self.recipe.streams.iter().map(network).collect();
        let taught = if self.recipe.teacher.is_some() { ", distilled" } else { "" };
        format!("{} on {}{taught}", self.recipe.head, networks.join(" + "))
    }
}

impl Variant {
    /// Returns the mean of [`Run::measure`] over the runs.
    fn validation(&self) -> f64 {
        self.runs.iter().map(Run::validation).sum::<f64>() / self.runs.len() as f64
    }

    /// Returns the best run on validation; the first of equal runs.
    fn best(&self) -> Option<&Run> {
        self.runs.iter().rev().max_by(|one, other| one.validation().total_cmp(&other.validation()))
    }

    /// Returns the paper's figures for the same heads on the same networks.
    fn paper(&self) -> Option<(&'static str, [Figure; 4])> {
        let recipe = &self.runs.first()?.recipe;
        let same = |kind: Option<StoreKind>, stream: &str| {
            let network = |kind: StoreKind| kind.backbone.name();
            let found = recipe.streams.get(stream).map(|vectors| vectors.attributes.get("network"));
            found.map(|network| network.and_then(Value::as_str)) == kind.map(|kind| Some(network(kind)))
        };
        let rows = ROWS.iter().filter(|row| row.table == 10);
        rows.filter_map(|row| match row.setting {
            Setting::Heads(Heads { head, image, video, .. }) => Some((row, head, image, video)),
            Setting::Missing(_) => None,
        })
        .find(|(_, head, image, video)| head.name() == recipe.head && same(*image, "image") && same(*video, "video"))
        .map(|(row, ..)| (row.name, row.figures))
    }

    /// Returns the note about the data, where there is one.
    fn note(&self) -> Option<&'static str> {
        let streams = self.runs.iter().flat_map(|run| run.recipe.streams.values());
        let facts = streams.filter_map(|vectors| PublishedFact::from_attributes(&vectors.attributes));
        facts.map(|fact| fact.verified).max().and_then(Verification::note)
    }

    /// Returns mean and deviation, in percent, of the measure on validation and of each measure on
    /// the test set.
    fn figures(&self) -> [Option<Figure>; 5] {
        let of = |value: &dyn Fn(&Run) -> Option<f64>| {
            let values: Option<Vec<f64>> = self.runs.iter().map(|run| Some(100.0 * value(run)?)).collect();
            mean_and_deviation(&values?)
        };
        std::array::from_fn(|at| match at {
            0 => of(&Run::measure),
            at => of(&|run| run.test()?.by_name()[at - 1].1),
        })
    }
}

impl Compare {
    /// Reads the runs and prints them.
    pub fn run(self) -> anyhow::Result<()> {
        let mut variants: Vec<Variant> = Vec::new();
        for path in &self.runs {
            let run = Run::read(path)?;
            let name = run.variant();
            match variants.iter_mut().find(|variant| variant.name == name) {
                Some(variant) => variant.runs.push(run),
                None => variants.push(Variant { name, runs: vec![run] }),
            }
        }
        let best = variants.iter().rev().max_by(|one, other| one.validation().total_cmp(&other.validation()));
        let best = best.and_then(Variant::best).context("there is no run")?;
        let mut out = std::io::stdout();
        if self.best {
            writeln!(out, "{}", best.path.display())?;
            return Ok(());
        }
        if self.json {
            let variants: Vec<Value> = variants.iter().map(value).collect();
            let all = json!({"variants": variants, "best": best.path});
            writeln!(out, "{}", serde_json::to_string_pretty(&all)?)?;
            return Ok(());
        }
        for variant in &variants {
            print(&mut out, variant)?;
        }
        writeln!(out, "best on validation: {}", best.path.display())?;
        Ok(())
    }
}

/// Formats a share in percent, or a dash.
fn percent(share: Option<f64>) -> String {
    share.map_or_else(|| "-".to_owned(), |share| format!("{:.2}", 100.0 * share))
}

fn print(out: &mut impl Write, variant: &Variant) -> std::io::Result<()> {
    writeln!(out, "{}", variant.name)?;
    let mut line = |name: &str, cells: [String; 5]| {
        let [validation, a, b, c, d] = cells;
        writeln!(out, "  {name:<24} {validation:>14} {a:>14} {b:>14} {c:>14} {d:>14}")
    };
    let heading = ["validation", "test muAP", "mAP", "wAP", "sAP"].map(str::to_owned);
    line("", heading)?;
    for run in &variant.runs {
        let test = run.test().map_or([None; 4], |areas| areas.by_name().map(|(_, area)| area));
        let [a, b, c, d] = test.map(percent);
        line(&run.recipe.split, [percent(run.measure()), a, b, c, d])?;
    }
    let cell = |figure: Option<Figure>| {
        figure.map_or_else(|| "-".to_owned(), |(mean, deviation)| format!("{mean:.2} ± {deviation:.2}"))
    };
    if variant.runs.len() > 1 {
        line("mean", variant.figures().map(cell))?;
    }
    if let Some((name, figures)) = variant.paper() {
        let [a, b, c, d] = figures.map(|figure| cell(Some(figure)));
        line(&format!("paper, {name}"), ["-".to_owned(), a, b, c, d])?;
    }
    variant.note().map_or(Ok(()), |note| writeln!(out, "  {note}"))?;
    writeln!(out)
}

fn value(variant: &Variant) -> Value {
    let run = |run: &Run| {
        let validation = run.results.best.areas;
        json!({"run": run.path, "split": run.recipe.split, "validation": validation, "test": run.test()})
    };
    let names = ["validation", "mu_ap", "m_ap", "w_ap", "s_ap"];
    let figure =
        |figure: Option<Figure>| figure.map(|(mean, deviation)| json!({"mean": mean, "standard_deviation": deviation}));
    let figures: serde_json::Map<String, Value> =
        names.into_iter().zip(variant.figures()).map(|(name, one)| (name.to_owned(), json!(figure(one)))).collect();
    json!({
        "variant": variant.name,
        "runs": variant.runs.iter().map(run).collect::<Vec<_>>(),
        "percent": figures,
        "paper": variant.paper().map(|(name, _)| name),
        "note": variant.note(),
    })
}
