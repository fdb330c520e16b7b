//! Finished training runs grouped into variants, with the paper's figures for the same heads.

use std::path::{Path, PathBuf};

use serde_json::Value;

use super::{
    epoch::ShortAreas,
    published_results::{Figure, Heads, ROWS, Setting},
    run_folder::{Results, RunFolder, RunFolderError, RunRecipe, Vectors},
};
use crate::{
    dataset::metrics::mean_and_deviation,
    representations::published_stores::{PublishedFact, StoreKind, Verification},
};

/// A finished run.
pub struct Run {
    /// Its folder.
    pub path: PathBuf,
    /// Its recipe.
    pub recipe: RunRecipe,
    /// Its results.
    pub results: Results,
}

/// Runs of the same heads on the same streams, each with another split.
pub struct Variant {
    /// Heads, networks, and whether there was a teacher.
    pub name: String,
    /// The runs.
    pub runs: Vec<Run>,
}

impl Run {
    /// Reads the finished run in the folder `path`.
    ///
    /// # Errors
    /// Where the folder is not that of a finished run.
    pub fn read(path: &Path) -> Result<Run, RunFolderError> {
        let (folder, recipe) = RunFolder::find(path)?;
        let results = folder.results()?;
        Ok(Run { path: path.to_owned(), recipe, results })
    }

    /// Returns the measure by which runs are compared: muAP on validation, or top-1 for a
    /// single-label task.
    #[must_use]
    pub fn measure(&self) -> Option<f64> {
        let areas = self.results.best.areas;
        areas.top_1.or(areas.mu_ap)
    }

    /// Returns [`Run::measure`], or a value below all others where it is unknown.
    #[must_use]
    pub fn validation(&self) -> f64 {
        self.measure().unwrap_or(-1.0)
    }

    /// Returns the measures on the test set at the lowest rate.
    #[must_use]
    pub fn test(&self) -> Option<ShortAreas> {
        self.results.test.first().copied()
    }

    /// Returns the name of the run's variant.
    #[must_use]
    pub fn variant(&self) -> String {
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
    /// Sorts `runs` into variants, in the order of their first runs.
    #[must_use]
    pub fn group(runs: impl IntoIterator<Item = Run>) -> Vec<Variant> {
        let mut variants: Vec<Variant> = Vec::new();
        for run in runs {
            let name = run.variant();
            match variants.iter_mut().find(|variant| variant.name == name) {
                Some(variant) => variant.runs.push(run),
                None => variants.push(Variant { name, runs: vec![run] }),
            }
        }
        variants
    }

    /// Returns the mean of [`Run::measure`] over the runs.
    #[must_use]
    pub fn validation(&self) -> f64 {
        self.runs.iter().map(Run::validation).sum::<f64>() / self.runs.len() as f64
    }

    /// Returns the best run on validation; the first of equal runs.
    #[must_use]
    pub fn best(&self) -> Option<&Run> {
        self.runs.iter().rev().max_by(|one, other| one.validation().total_cmp(&other.validation()))
    }

    /// Returns the paper's figures for the same heads on the same networks.
    #[must_use]
    pub fn paper(&self) -> Option<(&'static str, [Figure; 4])> {
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
    #[must_use]
    pub fn note(&self) -> Option<&'static str> {
        let streams = self.runs.iter().flat_map(|run| run.recipe.streams.values());
        let facts = streams.filter_map(|vectors| PublishedFact::from_attributes(&vectors.attributes));
        facts.map(|fact| fact.verified).max().and_then(Verification::note)
    }

    /// Returns the mean and deviation, in percent, of the measure on validation and of each measure
    /// on the test set.
    #[must_use]
    pub fn figures(&self) -> [Option<Figure>; 5] {
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

/// Returns the best run on validation of the variant with the best mean.
#[must_use]
pub fn best_run(variants: &[Variant]) -> Option<&Run> {
    let best = variants.iter().rev().max_by(|one, other| one.validation().total_cmp(&other.validation()));
    best.and_then(Variant::best)
}
