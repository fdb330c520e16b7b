//! A run of training from the command line: the options that `train` and `distill` share, and what they do with them.

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::{Context, bail};
use burn_core::tensor::Device;
use clap::Args;
use divita_models::{
    label_table::{LabelTable, Part},
    metrics::Predictions,
    networks::Head,
    representations::Store,
    seed::initial,
    training::{
        Epoch, Examples, Fusion, Recipe, ShortAreas, Teacher, Trainer,
        clip_vectors::{ClipVectors, DEFAULT_ROOM},
        run_folder::{MOST_CLIPS, Results, Resumed, RunFolder, RunRecipe, Vectors},
    },
    weights::{Weights, write_whole},
    zoo::Backbone,
};
use divita_runtime::network::StreamName;
use serde_json::Value;
use sha2::{Digest, Sha256};

/// What is trained on, and how.
#[derive(Args)]
pub struct HowToTrain {
    /// The table of labels and splits
    #[arg(value_name = "TABLE")]
    pub table: PathBuf,
    /// Representations of the image stream
    #[arg(long, value_name = "STORE", required_unless_present = "video")]
    pub image: Option<PathBuf>,
    /// Representations of the video stream
    #[arg(long, value_name = "STORE")]
    pub video: Option<PathBuf>,
    /// The table's split that says what is trained on
    #[arg(long, value_name = "NAME", default_value = "split0")]
    pub split: String,
    /// How the vectors of a snippet's clips become one
    #[arg(long, value_name = "cat|gru|conv|mean", default_value = "cat")]
    pub head: Head,
    /// Clips of a snippet
    #[arg(long, value_name = "N", default_value_t = 30, value_parser = clap::value_parser!(u16).range(1..=MOST_CLIPS as i64))]
    pub clips: u16,
    /// Snippets of a step
    #[arg(long, value_name = "N", default_value_t = 32, value_parser = clap::value_parser!(u16).range(1..=4096))]
    pub batch: u16,
    /// Most epochs
    #[arg(long, value_name = "N", default_value_t = 100, value_parser = clap::value_parser!(u16).range(1..))]
    pub epochs: u16,
    /// Rate at first
    #[arg(long, value_name = "RATE", default_value_t = 1e-4)]
    pub rate: f64,
    /// How fast weights fall towards zero, as a share of the rate
    #[arg(long, value_name = "SHARE", default_value_t = 1e-2)]
    pub decay: f32,
    /// Epochs without a better validation loss that are borne before the rate is divided by ten
    #[arg(long, value_name = "N", default_value_t = 10)]
    pub patience: u16,
    /// Epochs without a lower validation loss after which training ends
    #[arg(long, value_name = "N", default_value_t = 20, value_parser = clap::value_parser!(u16).range(1..))]
    pub stop_after: u16,
    /// Of the weights at the start, the order of videos, the places of snippets and dropout: the same seed gives the same weights on one machine
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub seed: u64,
    /// Most memory for vectors that have been read, of each network, GiB; what does not fit is read each time
    #[arg(long, value_name = "GIB", default_value_t = DEFAULT_ROOM >> 30, value_parser = clap::value_parser!(u64).range(..=1 << 20))]
    pub room: u64,
}

/// A data set, of which a split says what is for what.
pub struct DataSet {
    /// The table.
    pub table: LabelTable,
    /// Rows of the training, validation and test part.
    pub parts: [Vec<usize>; 3],
}

impl DataSet {
    /// Rows of the parts on which nothing is trained.
    pub fn judged(&self) -> Vec<usize> {
        [&self.parts[1][..], &self.parts[2]].concat()
    }

    /// How good `probabilities` of the judged rows are, on the test part.
    pub fn test_areas(&self, probabilities: &[Vec<f64>]) -> Option<ShortAreas> {
        let [_, validation, test] = &self.parts;
        let truth = test.iter().map(|&row| self.table.rows[row].clone()).collect();
        let predictions = Predictions { probabilities: probabilities[validation.len()..].to_vec(), truth };
        (!test.is_empty()).then(|| ShortAreas::of(&predictions.areas()))
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
        sums.map(|sum| sum.finalize().iter().map(|byte| format!("{byte:02x}")).collect())
    }

    /// The vectors of the stores, of all videos that are needed.
    pub fn vectors(&self, stores: Vec<Store>, room: u64) -> anyhow::Result<ClipVectors> {
        let vectors = ClipVectors::new(stores, &self.table.videos, room << 30);
        let needed = self.parts.concat();
        let mut names = HashSet::new();
        for &row in &needed {
            let video = &self.table.videos[row];
            if !names.insert(Path::new(video).file_stem()) {
                bail!(
                    "{video}: another video has the same name, folder and ending left out, and so the same vectors: rename one"
                );
            }
        }
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

/// The stores of the streams that are given, with their streams' names.
pub fn stores(image: Option<&Path>, video: Option<&Path>) -> anyhow::Result<(Vec<String>, Vec<Store>)> {
    let streams = [("image", image), ("video", video)];
    let streams = streams.into_iter().filter_map(|(name, path)| Some((name.to_owned(), path?)));
    let (names, paths): (Vec<String>, Vec<&Path>) = streams.unzip();
    let stores = paths.into_iter().map(Store::open).collect::<Result<Vec<_>, _>>()?;
    for (name, store) in names.iter().zip(&stores) {
        let network = store.attributes().get("network").and_then(Value::as_str);
        let backbone = Backbone::ALL.into_iter().find(|backbone| Some(backbone.graph(1).name) == network);
        let stream = backbone.map(|backbone| match backbone.stream() {
            StreamName::Image => "image",
            StreamName::Video => "video",
        });
        if let (Some(stream), Some(network)) = (stream.filter(|stream| stream != name), network) {
            bail!("the vectors given with --{name} were made by {network}: give them with --{stream}");
        }
    }
    same_clips(stores.iter(), &["fps", "segmentation", "detector"])?;
    Ok((names, stores))
}

/// Whether the stores say the same of how their clips were made, as far as they say it: otherwise clip 7 of the one is not clip 7 of the other.
pub fn same_clips<'a>(stores: impl Iterator<Item = &'a Store>, facts: &[&str]) -> anyhow::Result<()> {
    let stores: Vec<&Store> = stores.collect();
    for fact in facts {
        let said: Vec<&Value> = stores.iter().filter_map(|store| store.attributes().get(*fact)).collect();
        if let [first, rest @ ..] = &said[..]
            && let Some(other) = rest.iter().find(|other| *other != first)
        {
            bail!("the stores' clips are not the same: {fact} is {first} in one and {other} in another");
        }
    }
    Ok(())
}

/// The processor, where gradients are kept.
pub fn device() -> Device {
    Device::flex().autodiff()
}

impl HowToTrain {
    /// The data set.
    pub fn data_set(&self) -> anyhow::Result<DataSet> {
        if !(self.rate > 0.0 && self.rate.is_finite() && self.decay >= 0.0 && self.decay.is_finite()) {
            bail!("--rate must be above 0, and --decay 0 or more");
        }
        let table = LabelTable::read(&self.table).with_context(|| self.table.display().to_string())?;
        let parts = self.parts(&table)?;
        Ok(DataSet { table, parts })
    }

    /// Trains in the folder `output`, or goes on with what is in it; what came of it.
    pub fn run(
        &self,
        data: &DataSet,
        output: &Path,
        resume: bool,
        teacher: Option<Teacher>,
    ) -> anyhow::Result<Results> {
        let [train, validation, test] = &data.parts;
        let labels = data.table.labels.len();
        let (names, stores) = stores(self.image.as_deref(), self.video.as_deref())?;
        let recipe = self.recipe();
        let [videos, truth] = data.sums();
        let described = RunRecipe {
            head: self.head.name().to_owned(),
            labels: data.table.labels.clone(),
            split: self.split.clone(),
            videos,
            truth,
            streams: names.iter().cloned().zip(stores.iter().map(Vectors::of)).collect(),
            recipe: recipe.clone(),
            teacher: teacher.as_ref().map(|teacher| teacher.description.clone()),
        };
        let vectors = data.vectors(stores, self.room)?;
        let folder = match resume {
            true => RunFolder::open(output, &described)?,
            false => RunFolder::create(output, &described)?,
        };
        let resumed = if resume { folder.last(&names)? } else { None };
        let device = device();
        let features: Vec<usize> = vectors.num_features().collect();
        let weights = match &resumed {
            Some(resumed) => resumed.heads.clone(),
            None => {
                let head = |(name, &features): (&String, &usize)| {
                    initial(&self.head.over(self.clips.into(), features, labels), self.seed, name)
                };
                names.iter().zip(&features).map(head).collect()
            }
        };
        let fusion = Fusion::new(self.head, self.clips.into(), &features, labels, &names, &weights, &device)?;
        let examples = Examples {
            vectors: &vectors,
            truth: &data.table.rows,
            train: train.clone(),
            validation: validation.clone(),
        };
        let mut trainer = Trainer::new(examples, recipe, fusion, device.clone());
        if let Some(teacher) = teacher {
            trainer = trainer.taught_by(teacher);
        }
        if let Some(Resumed { standing, moments, .. }) = resumed {
            trainer.resume(standing, &moments)?;
        }
        let epochs = self.epochs(&mut trainer, &folder)?;
        let best = folder.best(&names)?;
        if epochs.iter().rfind(|epoch| epoch.best).map(|epoch| epoch.epoch) != Some(folder.best_epoch()?) {
            bail!("the best weights are of epoch {}: give --epochs at least as many", folder.best_epoch()?);
        }
        let mut fusion = Fusion::new(self.head, self.clips.into(), &features, labels, &names, &best, &device)?;
        let rows = data.judged();
        let probabilities = fusion.probabilities(&vectors, &rows, self.clips.into(), &device)?;
        let path = output.join("predictions.csv");
        write_whole(&path, &csv(&data.table, &rows, &probabilities)?)?;
        let best = epochs.iter().rfind(|epoch| epoch.best).context("no epoch has a validation loss")?;
        let results = Results {
            table: self.table.file_name().unwrap_or_default().to_string_lossy().into_owned(),
            videos: [train, validation, test].map(Vec::len),
            epochs: epochs.len(),
            best: best.clone(),
            test: data.test_areas(&probabilities),
        };
        folder.finish(&results)?;
        log::info!(
            "the best of {} epochs is epoch {}, validation loss {:.4}; `divita-models evaluate {} --predictions {}={}` says more",
            epochs.len(),
            best.epoch,
            best.validation_loss,
            self.table.display(),
            self.split,
            path.display()
        );
        Ok(results)
    }

    /// The rows of each part.
    fn parts(&self, table: &LabelTable) -> anyhow::Result<[Vec<usize>; 3]> {
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
        Ok(parts)
    }

    /// The options of the optimizer and of the run.
    fn recipe(&self) -> Recipe {
        Recipe {
            clips: self.clips.into(),
            batch: self.batch.into(),
            epochs: self.epochs.into(),
            rate: self.rate,
            decay: self.decay,
            patience: self.patience.into(),
            stop_after: self.stop_after.into(),
            seed: self.seed,
        }
    }

    /// Epoch after epoch until the end, each kept; the figures of all.
    fn epochs(&self, trainer: &mut Trainer<'_>, folder: &RunFolder) -> anyhow::Result<Vec<Epoch>> {
        let mut epochs = folder.epochs(trainer.standing().epoch)?;
        let bar = super::progress::bar(trainer.steps() as u64);
        while !trainer.is_over() {
            let begun = Instant::now();
            bar.reset();
            let number = trainer.standing().epoch + 1;
            let epoch = trainer.epoch(|step, loss| {
                bar.set_position(step as u64);
                bar.set_message(format!("epoch {number} of {}, loss {loss:.4}", self.epochs));
            })?;
            let areas = epoch.areas;
            let percent =
                |area: Option<f64>| area.map_or_else(|| "-".to_owned(), |area| format!("{:.2}", 100.0 * area));
            bar.suspend(|| {
                log::info!(
                    "epoch {}: loss {:.4}, validation {:.4}, muAP {}, mAP {}, rate {:e}, {:.1} s{}",
                    epoch.epoch,
                    epoch.train_loss,
                    epoch.validation_loss,
                    percent(areas.mu_ap),
                    percent(areas.m_ap),
                    epoch.rate,
                    begun.elapsed().as_secs_f64(),
                    if epoch.best { ", best" } else { "" }
                );
            });
            epochs.push(epoch);
            let moments = trainer.moments();
            let heads: Vec<(String, Weights)> =
                trainer.fusion().heads.iter().map(|(name, head)| (name.clone(), head.weights())).collect();
            folder.keep(&heads, &moments, trainer.standing(), &epochs)?;
        }
        bar.finish_and_clear();
        Ok(epochs)
    }
}

/// The table that `evaluate` reads: a row a video.
fn csv(table: &LabelTable, rows: &[usize], probabilities: &[Vec<f64>]) -> anyhow::Result<Vec<u8>> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    writer.write_record(["video"].into_iter().chain(table.labels.iter().map(String::as_str)))?;
    for (&row, probabilities) in rows.iter().zip(probabilities) {
        let numbers = probabilities.iter().map(|probability| probability.to_string());
        writer.write_record([table.videos[row].clone()].into_iter().chain(numbers))?;
    }
    writer.into_inner().context("the predictions cannot be written")
}
