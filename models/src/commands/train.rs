//! `divita-models train`: the heads, on the vectors of clips.

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
        Differentiable, Epoch, Examples, Fusion, Recipe, ShortAreas, Trainer,
        clip_vectors::{ClipVectors, DEFAULT_ROOM},
        run_folder::{Results, Resumed, RunFolder},
    },
    weights::{Weights, write_whole},
};
use serde_json::{Value, json};

/// Train heads on the representations of a data set
///
/// TABLE is the data set, as `divita-models split` reads and writes it. STORE is a folder of representations, as `extract` makes them and Trailers12k is published. With both --image and
/// --video a head of each is trained at once, by the loss of their mean: late fusion.
///
/// The defaults are the paper's recipe: AdamW (amsgrad) at 1e-4, binary cross entropy, batches of 32 snippets of 30 clips, at most 100 epochs. After 10 epochs without a better validation
/// loss the rate is divided by ten, after 20 training ends.
///
/// DIR holds the run: recipe.json, epochs.jsonl (a line of figures an epoch), curves.svg (their plot), last.safetensors (all that is needed to go on) and best.safetensors (the
/// weights with the lowest validation loss). In the end predictions.csv: what these say of the validation and the test part, for `evaluate`; and results.json, for `build`. A run that was stopped, in whatever way, goes on
/// with --resume and comes to the same weights.
#[derive(Args)]
#[command(after_help = "Examples:\n  \
    divita-models train mtgc.csv --split split0 --video trailers_ik_swin_fps24_fpc24.zarr --output runs/swin-3d-0\n  \
    divita-models train films.csv --image i.zarr --video v.zarr --output runs/fusion\n  \
    divita-models evaluate films.csv --predictions split0=runs/fusion/predictions.csv")]
pub struct Train {
    /// The table of labels and splits
    #[arg(value_name = "TABLE")]
    table: PathBuf,
    /// Representations of the image stream
    #[arg(long, value_name = "STORE", required_unless_present = "video")]
    image: Option<PathBuf>,
    /// Representations of the video stream
    #[arg(long, value_name = "STORE")]
    video: Option<PathBuf>,
    /// Folder of the run
    #[arg(long, value_name = "DIR")]
    output: PathBuf,
    /// Go on with the run that is in --output, from the end of its last epoch
    #[arg(long)]
    resume: bool,
    /// The table's split that says what is trained on
    #[arg(long, value_name = "NAME", default_value = "split0")]
    split: String,
    /// How the vectors of a snippet's clips become one
    #[arg(long, value_name = "cat|gru|conv|mean", default_value = "cat")]
    head: Head,
    /// Clips of a snippet
    #[arg(long, value_name = "N", default_value_t = 30, value_parser = clap::value_parser!(u16).range(1..=1000))]
    clips: u16,
    /// Snippets of a step
    #[arg(long, value_name = "N", default_value_t = 32, value_parser = clap::value_parser!(u16).range(1..=4096))]
    batch: u16,
    /// Most epochs
    #[arg(long, value_name = "N", default_value_t = 100, value_parser = clap::value_parser!(u16).range(1..))]
    epochs: u16,
    /// Rate at first
    #[arg(long, value_name = "RATE", default_value_t = 1e-4)]
    rate: f64,
    /// How fast weights fall towards zero, as a share of the rate
    #[arg(long, value_name = "SHARE", default_value_t = 1e-2)]
    decay: f32,
    /// Epochs without a better validation loss after which the rate is divided by ten
    #[arg(long, value_name = "N", default_value_t = 10)]
    patience: u16,
    /// Epochs without a lower validation loss after which training ends
    #[arg(long, value_name = "N", default_value_t = 20, value_parser = clap::value_parser!(u16).range(1..))]
    stop_after: u16,
    /// Of the weights at the start, the order of videos, the places of snippets and dropout: the same seed gives the same weights on one machine
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,
    /// Most memory for vectors that have been read, GiB; what does not fit is read each time
    #[arg(long, value_name = "GIB", default_value_t = DEFAULT_ROOM >> 30)]
    room: u64,
}

impl Train {
    /// Trains, and says what the best weights give.
    pub fn run(self) -> anyhow::Result<()> {
        if !(self.rate > 0.0 && self.rate.is_finite() && self.decay >= 0.0 && self.decay.is_finite()) {
            bail!("--rate must be above 0, and --decay 0 or more");
        }
        let table = LabelTable::read(&self.table).with_context(|| self.table.display().to_string())?;
        let [train, validation, test] = self.parts(&table)?;
        let sizes = [train.len(), validation.len(), test.len()];
        let streams: Vec<(&str, &Path)> = [("image", &self.image), ("video", &self.video)]
            .into_iter()
            .filter_map(|(name, path)| Some((name, path.as_deref()?)))
            .collect();
        let names: Vec<String> = streams.iter().map(|(name, _)| (*name).to_owned()).collect();
        let stores = streams.iter().map(|(_, path)| Store::open(path)).collect::<Result<Vec<_>, _>>()?;
        // The processor, and gradients kept.
        let device = Device::flex().autodiff();
        let recipe = self.recipe();
        let described = self.described(&recipe, &table.labels, &streams, &stores);
        let vectors = ClipVectors::new(stores, &table.videos, self.room << 30);
        let needed: Vec<usize> = [&train[..], &validation, &test].concat();
        if let missing @ [first, ..] = &vectors.missing(&needed)[..] {
            bail!(
                "{} of {} videos have no vectors in a store, the first is {first}: add them with `divita-models extract`",
                missing.len(),
                needed.len()
            );
        }
        let folder = match self.resume {
            true => RunFolder::open(&self.output, &described)?,
            false => RunFolder::create(&self.output, &described)?,
        };
        let resumed = if self.resume { folder.last(&names)? } else { None };
        let heads = names.iter().zip(vectors.num_features()).enumerate().map(|(at, (name, features))| {
            let graph = self.head.over(self.clips.into(), features, table.labels.len());
            let start = || initial(&graph, self.seed, name);
            let weights = resumed.as_ref().map_or_else(start, |resumed| resumed.heads[at].clone());
            Ok((name.clone(), Differentiable::new(graph, &weights, &device)?))
        });
        let fusion = Fusion { heads: heads.collect::<anyhow::Result<_>>()? };
        let examples = Examples { vectors: &vectors, truth: &table.rows, train, validation: validation.clone() };
        let clips = recipe.clips;
        let mut trainer = Trainer::new(examples, recipe, fusion, device.clone());
        if let Some(Resumed { standing, moments, .. }) = resumed {
            trainer.resume(standing, &moments)?;
        }
        let epochs = self.epochs(&mut trainer, &folder)?;
        let mut fusion = self.best(&folder, &names, &vectors, &table, &device)?;
        let rows = [&validation[..], &test].concat();
        let probabilities = fusion.probabilities(&vectors, &rows, clips, &device)?;
        let path = self.output.join("predictions.csv");
        write_whole(&path, &csv(&table, &rows, &probabilities)?)?;
        let of_test = Predictions {
            probabilities: probabilities[validation.len()..].to_vec(),
            truth: test.iter().map(|&row| table.rows[row].clone()).collect(),
        };
        let Some(best) = epochs.iter().rfind(|epoch| epoch.best) else { return Ok(()) };
        folder.finish(&Results {
            table: self.table.file_name().unwrap_or_default().to_string_lossy().into_owned(),
            videos: sizes,
            epochs: epochs.len(),
            best: best.clone(),
            test: (!test.is_empty()).then(|| ShortAreas::of(&of_test.areas())),
        })?;
        log::info!(
            "the best of {} epochs is epoch {}, validation loss {:.4}; `divita-models evaluate {} --predictions {}={}` says more",
            epochs.len(),
            best.epoch,
            best.validation_loss,
            self.table.display(),
            self.split,
            path.display()
        );
        Ok(())
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

    /// All that decides what comes out. How many epochs at most does not decide what the first ones are, so a run may be prolonged.
    fn described(&self, recipe: &Recipe, labels: &[String], streams: &[(&str, &Path)], stores: &[Store]) -> Value {
        let stream = |((name, _), store): (&(&str, &Path), &Store)| {
            let about = json!({ "num_features": store.num_features(), "attributes": store.attributes() });
            ((*name).to_owned(), about)
        };
        let streams: serde_json::Map<String, Value> = streams.iter().zip(stores).map(stream).collect();
        let mut recipe = json!(recipe);
        if let Some(recipe) = recipe.as_object_mut() {
            recipe.shift_remove("epochs");
        }
        json!({ "head": self.head.name(), "labels": labels, "split": self.split, "streams": streams, "recipe": recipe })
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

    /// The heads with the best weights.
    fn best(
        &self,
        folder: &RunFolder,
        names: &[String],
        vectors: &ClipVectors,
        table: &LabelTable,
        device: &Device,
    ) -> anyhow::Result<Fusion> {
        let best = folder.best(names)?;
        let heads = names.iter().zip(vectors.num_features()).zip(best).map(|((name, features), weights)| {
            let graph = self.head.over(self.clips.into(), features, table.labels.len());
            Ok((name.clone(), Differentiable::new(graph, &weights, device)?))
        });
        Ok(Fusion { heads: heads.collect::<anyhow::Result<_>>()? })
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
