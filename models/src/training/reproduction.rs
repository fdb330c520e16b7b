//! Trains the rows of the paper's tables on a folder of Trailers12k.

use std::path::{Path, PathBuf};

use anyhow::bail;
use serde_json::{Map, Value, json};

use super::{
    epoch::ShortAreas,
    epochs::TrainingProgress,
    head_training::HeadTraining,
    published_results::{Figure, Heads, Row, Setting},
    run_folder::RunFolder,
};
use crate::{
    dataset::metrics::mean_and_deviation,
    engines::session::Device,
    representations::{
        Error, SourceMark, Store,
        attributes::SEEDED,
        locate, md5_of_file,
        published_stores::{PUBLISHED_STORES, StoreKind, Verification},
    },
};

/// The results of a row, or why it was not trained.
pub type Outcome = Result<Trained, String>;

/// The results of a row.
#[derive(Clone, Debug)]
pub struct Trained {
    /// Measures of each split.
    pub areas: Vec<ShortAreas>,
    /// How far its data is verified.
    pub data: Verification,
}

/// Where the data is, and where the runs go.
#[derive(Clone, Debug)]
pub struct Reproduction {
    /// Folder of Trailers12k.
    pub folder: PathBuf,
    /// Folder of the runs.
    pub output: PathBuf,
    /// Names of the splits.
    pub splits: Vec<String>,
    /// Maximum number of epochs per run.
    pub epochs: usize,
    /// The device that trains.
    pub device: Device,
}

impl Reproduction {
    /// Verifies the archives beside stores that this program did not unpack. It verifies other
    /// archives when it unpacks them.
    ///
    /// # Errors
    /// Where an archive cannot be read or is not the published one.
    pub fn verify_archives(&self) -> anyhow::Result<()> {
        for published in PUBLISHED_STORES {
            let (store, archive) = (self.folder.join(published.name()), self.folder.join(published.archive()));
            if !store.is_dir() || !archive.is_file() || SourceMark::read(&store).is_some() {
                continue;
            }
            let found = md5_of_file(&archive)?;
            if found != published.md5 {
                let wanted = published.md5.to_owned();
                return Err(Error::ArchiveSum { path: archive, found, wanted }.into());
            }
            log::info!("{} is the published archive", archive.display());
        }
        Ok(())
    }

    /// Trains `row` on each split.
    ///
    /// # Errors
    /// Where a store cannot be read, or training fails.
    pub fn outcome(
        &self,
        table: &Path,
        mut data: Verification,
        row: &Row,
        progress: &dyn TrainingProgress,
    ) -> anyhow::Result<Outcome> {
        let heads = match row.setting {
            Setting::Missing(why) => return Ok(Err(why.to_owned())),
            Setting::Heads(heads) => heads,
        };
        let kinds: Vec<StoreKind> = [heads.image, heads.video].into_iter().flatten().collect();
        let place = |kind: &StoreKind| locate(&self.folder, &kind.store());
        if let Some(missing) = kinds.iter().find(|kind| place(kind).is_none()) {
            return Ok(Err(lacking(*missing)));
        }
        for kind in &kinds {
            let store = Store::open(&place(kind).unwrap_or_default())?;
            if let Some(why) = other_than(*kind, store.attributes()) {
                return Ok(Err(why));
            }
            data = data.max(Verification::from_attributes(store.attributes()));
        }
        let mut areas = Vec::new();
        for split in &self.splits {
            let mut how = HeadTraining::paper(&self.folder, table.to_owned(), split, &heads, self.device);
            how.recipe.epochs = self.epochs;
            let output = self.output.join(folder_name(&heads, split));
            log::info!("Table {}, {}, {split}: {}", row.table, row.name, output.display());
            let begun = RunFolder::find(&output).is_ok();
            let results = how.run(&how.data_set()?, &output, begun, &how.room(), None, progress)?;
            let Some(test) = results.test.first() else { bail!("{split} has no test set") };
            areas.push(*test);
        }
        Ok(Ok(Trained { areas, data }))
    }
}

/// Returns the name of a run's folder.
fn folder_name(heads: &Heads, split: &str) -> String {
    let Heads { head, clips, image, video } = heads;
    let stores = [image, video].into_iter().flatten();
    let names: Vec<String> =
        stores.map(|made| made.store().trim_start_matches("trailers_").replace(".zarr", "")).collect();
    format!("{}-{}-{clips}-{split}", names.join("+"), head.name())
}

/// Returns why the store of `made` with these `attributes` is not what its name states, if it is
/// not.
fn other_than(made: StoreKind, attributes: &Map<String, Value>) -> Option<String> {
    let store = made.store();
    let segmentation = if made.seq { "seq" } else { "shot" };
    let wanted =
        [("network", json!(made.backbone.name())), ("fps", json!(made.fps)), ("segmentation", json!(segmentation))];
    for (fact, wanted) in wanted {
        if let Some(found) = attributes.get(fact).filter(|found| **found != wanted) {
            return Some(format!("{store} is not what its name says: its {fact} is {found}, not {wanted}"));
        }
    }
    let weights = attributes.get("weights").and_then(Value::as_str);
    weights.filter(|weights| weights.starts_with(SEEDED)).map(|weights| format!("{store} was made with {weights}"))
}

/// Describes how to get a store that is missing.
fn lacking(made: StoreKind) -> String {
    let StoreKind { backbone, fps, .. } = made;
    let segmentation = if made.seq { " --segmentation seq" } else { "" };
    let published = if made.published().is_some() { "is published; or make it" } else { "is not published; make it" };
    let network = backbone.name();
    let store = made.store();
    format!(
        "{store} {published} of the trailers: `divita-models extract TRAILERS --network {network} --weights FILE --fps {fps}{segmentation} --store {store}`"
    )
}

/// Returns the mean and standard deviation over the splits, in percent, of each measure that all
/// have.
#[must_use]
pub fn over_splits(areas: &[ShortAreas]) -> [Option<Figure>; 4] {
    std::array::from_fn(|at| {
        let values = areas.iter().map(|areas| areas.by_name()[at].1.map(|area| 100.0 * area));
        mean_and_deviation(&values.collect::<Option<Vec<f64>>>()?)
    })
}
