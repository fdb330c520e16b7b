//! `divita-models compare`: compares finished training runs and finds the best on validation.

use std::{io::Write, path::PathBuf};

use crate::training::{
    comparison::{Run, Variant, best_run},
    published_results::Figure,
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

impl Compare {
    /// Reads the runs and prints them.
    pub fn run(self) -> anyhow::Result<()> {
        let runs = self.runs.iter().map(|path| Run::read(path)).collect::<Result<Vec<_>, _>>()?;
        let variants = Variant::group(runs);
        let best = best_run(&variants).context("there are no runs")?;
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
