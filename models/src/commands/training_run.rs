//! A run of training from the command line: the options of whatever trains heads, and the way from epoch to epoch of all that is trained.

use std::path::{Path, PathBuf};
use std::time::Instant;

use crate::{
    engines::session::Device,
    networks::Head,
    representations::published_stores::StoreKind,
    training::{
        Classifier, Epoch, Examples, Fusion, Recipe, Schedule, Teacher, Trainer,
        clip_vectors::{DEFAULT_ROOM, Room},
        published_results::Heads,
        run_folder::{MOST_CLIPS, Results, Resumed, RunFolder, RunRecipe, Vectors},
        training_device,
    },
    weights::{Weights, fitted::Fitted, seed::initial, write_whole},
};
use anyhow::bail;
use clap::Args;

use super::{
    data_set::{DataSet, DataSetArgs, csv},
    stream_stores::{stores, working_rate},
};

/// The options of commands that train heads.
#[derive(Args)]
pub struct HowToTrain {
    #[command(flatten)]
    pub data: DataSetArgs,
    /// Representations for the image stream; repeat with stores at other working rates to train for
    /// all these rates
    #[arg(long, value_name = "STORE", required_unless_present = "video")]
    pub image: Vec<PathBuf>,
    /// Representations for the video stream, at the same rates
    #[arg(long, value_name = "STORE")]
    pub video: Vec<PathBuf>,
    /// Head: how the vectors of a snippet's clips are aggregated
    #[arg(long, value_name = "cat|gru|conv|mean|ctt-mmc-a|fastvideo", default_value = "cat")]
    pub head: Head,
    /// Clips per snippet
    #[arg(help_heading = "Recipe", long, value_name = "N", default_value_t = 30, value_parser = clap::value_parser!(u16).range(1..=MOST_CLIPS as i64))]
    pub clips: u16,
    /// Snippets per step
    #[arg(help_heading = "Recipe", long, value_name = "N", default_value_t = 32, value_parser = clap::value_parser!(u16).range(1..=4096))]
    pub batch: u16,
    /// Maximum number of epochs
    #[arg(help_heading = "Recipe", long, value_name = "N", default_value_t = 100, value_parser = clap::value_parser!(u16).range(1..))]
    pub epochs: u16,
    /// Initial learning rate
    #[arg(help_heading = "Recipe", long, value_name = "RATE", default_value_t = 1e-4)]
    pub rate: f64,
    /// Weight decay, as a share of the rate
    #[arg(help_heading = "Recipe", long, value_name = "SHARE", default_value_t = 1e-2)]
    pub decay: f32,
    /// Schedule of the rate: divide it when the validation loss stalls, or raise it for a twentieth
    /// of the steps and lower it by half a cosine
    #[arg(help_heading = "Recipe", long, value_name = "plateau|cosine", default_value = "plateau")]
    pub schedule: Schedule,
    /// Epochs without a better validation loss before the rate is divided by ten (plateau only)
    #[arg(help_heading = "Recipe", long, value_name = "N", default_value_t = 10)]
    pub patience: u16,
    /// Epochs without a lower validation loss before training ends (plateau only)
    #[arg(help_heading = "Recipe", long, value_name = "N", default_value_t = 20, value_parser = clap::value_parser!(u16).range(1..))]
    pub stop_after: u16,
    /// Seed of the initial weights, the order of videos, the snippets and dropout; the same seed
    /// gives the same weights on one machine's processor
    #[arg(help_heading = "Recipe", long, value_name = "N", default_value_t = 1)]
    pub seed: u64,
    /// Memory limit for kept vectors, of all streams and a teacher together, GiB; other vectors are
    /// read from their stores each time
    #[arg(long, value_name = "GIB", default_value_t = DEFAULT_ROOM >> 30, value_parser = clap::value_parser!(u64).range(..=1 << 20))]
    pub room: u64,
    #[command(flatten)]
    pub device: DeviceArgs,
}

/// The device that trains.
#[derive(Args, Clone, Copy)]
pub struct DeviceArgs {
    /// Device that trains; cuda needs an NVIDIA GPU and a program built with the feature
    /// `cuda-training`. On a GPU a seed gives nearly, not exactly, the same weights
    #[arg(long, value_name = "cpu|cuda", default_value = "cpu")]
    device: Device,
}

impl DeviceArgs {
    /// The device, with gradients kept.
    pub fn get(self) -> anyhow::Result<burn_core::tensor::Device> {
        Ok(training_device(self.device)?)
    }
}

/// Whether a rate and its decay can be trained at.
pub fn check_rate(rate: f64, decay: f32) -> anyhow::Result<()> {
    if !(rate > 0.0 && rate.is_finite() && decay >= 0.0 && decay.is_finite()) {
        bail!("--rate must be above 0, and --decay 0 or more");
    }
    Ok(())
}

impl HowToTrain {
    /// The paper's recipe for `heads` on split `split` of the table and the stores in `folder`.
    pub fn paper(folder: &Path, table: PathBuf, split: &str, heads: &Heads, device: DeviceArgs) -> HowToTrain {
        let store = |made: Option<StoreKind>| made.map(|made| folder.join(made.store())).into_iter().collect();
        let Recipe { batch, epochs, rate, decay, patience, stop_after, schedule, seed, .. } = Recipe::default();
        HowToTrain {
            data: DataSetArgs { table, split: split.to_owned(), single_label: false },
            image: store(heads.image),
            video: store(heads.video),
            head: heads.head,
            clips: heads.clips as u16,
            batch: batch as u16,
            epochs: epochs as u16,
            rate,
            decay,
            schedule,
            patience: patience as u16,
            stop_after: stop_after as u16,
            seed,
            room: DEFAULT_ROOM >> 30,
            device,
        }
    }

    /// Memory for vectors that are kept.
    pub fn room(&self) -> Room {
        Room::new(self.room << 30)
    }

    /// The data set.
    pub fn data_set(&self) -> anyhow::Result<DataSet> {
        check_rate(self.rate, self.decay)?;
        self.data.read()
    }

    /// Trains in the folder `output`, or goes on with what is in it; what came of it. Vectors are kept while there is `room`.
    pub fn run(
        &self,
        data: &DataSet,
        output: &Path,
        resume: bool,
        room: &Room,
        teacher: Option<Teacher>,
    ) -> anyhow::Result<Results> {
        let device = self.device.get()?;
        let labels = data.table.labels.len();
        let (names, stores) = stores(&self.image, &self.video)?;
        let recipe = self.recipe();
        let [videos, truth] = data.sums();
        let vectors_of = |(at, name): (usize, &String)| {
            (name.clone(), Vectors::of(&stores.iter().map(|at_rate| &at_rate[at]).collect::<Vec<_>>()))
        };
        let described = RunRecipe {
            head: self.head.name().to_owned(),
            labels: data.table.labels.clone(),
            split: self.data.split.clone(),
            videos,
            truth,
            streams: names.iter().enumerate().map(vectors_of).collect(),
            recipe: recipe.clone(),
            teacher: teacher.as_ref().map(|teacher| teacher.description.clone()),
        };
        for (stream, vectors) in &described.streams {
            if let Some(beside) =
                Fitted::from_attributes(&vectors.attributes).and_then(|fitted| fitted.beside(&described.videos))
            {
                log::warn!("the backbone of the {stream} stream {beside}");
            }
        }
        let rates: Vec<Option<u64>> = stores.iter().map(|at_rate| working_rate(&at_rate[0])).collect();
        match rates.iter().flatten().map(u64::to_string).collect::<Vec<_>>().join(" and ") {
            known if known.is_empty() => log::info!("working rate: the representations do not say theirs (fps)"),
            known => log::info!("working rate: {known} frames a second, that of the representations"),
        }
        let vectors = data.vectors(stores, room.clone())?;
        let [train, validation, test] = data.parts.each_ref().map(Vec::len);
        log::info!("training on {train} videos, validating on {validation}, {test} videos left for the test");
        let folder = match resume {
            true => RunFolder::open(output, &described)?,
            false => RunFolder::create(output, &described)?,
        };
        let resumed = if resume { folder.last(&names)? } else { None };
        if resumed.as_ref().is_some_and(|run| run.standing.is_over(recipe.epochs))
            && let Ok(results) = folder.results()
        {
            log::info!("the run in {} is over", output.display());
            return Ok(results);
        }
        let features: Vec<usize> = vectors.num_features().collect();
        let weights = match &resumed {
            Some(resumed) => resumed.networks.clone(),
            None => {
                let head = |(name, &features): (&String, &usize)| {
                    initial(&self.head.over(self.clips.into(), features, labels), self.seed, name)
                };
                names.iter().zip(&features).map(head).collect()
            }
        };
        let judged = vectors.at_all_rates(&data.judged());
        let Examples { truth, train, validation } = data.examples();
        let examples = Examples {
            truth: std::iter::repeat_n(truth, rates.len()).flatten().collect(),
            train: vectors.at_all_rates(&train),
            validation: vectors.at_all_rates(&validation),
        };
        let fusion = Fusion::new(vectors, self.head, self.clips.into(), labels, &names, &weights, &device)?;
        let mut trainer = Trainer::new(examples, recipe, fusion, device.clone());
        if let Some(teacher) = teacher {
            trainer = trainer.taught_by(teacher);
        }
        let epochs = run_epochs(&mut trainer, &folder, resumed)?;
        let best = best_epoch(&folder, &epochs)?;
        let mut fusion = trainer.into_classifier();
        fusion.load(&folder.best(&names)?, &device)?;
        let probabilities = fusion.probabilities(&judged, self.clips.into(), self.data.task(), &device)?;
        let rows = data.judged();
        let path = output.join("predictions.csv");
        let mut test = Vec::new();
        for (at, (rate, probabilities)) in rates.iter().zip(probabilities.chunks(rows.len())).enumerate() {
            let path = match rate {
                Some(rate) if at > 0 => output.join(format!("predictions-{rate}.csv")),
                _ => path.clone(),
            };
            write_whole(&path, &csv(&data.table, &rows, probabilities)?)?;
            test.extend(data.test_areas(probabilities, self.data.task()));
        }
        let results = Results {
            table: self.data.name(),
            videos: data.parts.each_ref().map(Vec::len),
            epochs: epochs.len(),
            best: best.clone(),
            test,
        };
        folder.finish(&results)?;
        log::info!(
            "the best of {} epochs is epoch {}, validation loss {:.4}; `divita-models evaluate {}{} --predictions {}={}` says more",
            epochs.len(),
            best.epoch,
            best.validation_loss,
            self.data.table.display(),
            if self.data.single_label { " --single-label" } else { "" },
            self.data.split,
            path.display()
        );
        Ok(results)
    }

    /// The options of the optimizer and of the run.
    fn recipe(&self) -> Recipe {
        Recipe {
            task: self.data.task(),
            clips: self.clips.into(),
            batch: self.batch.into(),
            epochs: self.epochs.into(),
            rate: self.rate,
            decay: self.decay,
            patience: self.patience.into(),
            stop_after: self.stop_after.into(),
            schedule: self.schedule,
            seed: self.seed,
        }
    }
}

/// Epoch after epoch until the end, from where the run was, each kept; the figures of all.
pub fn run_epochs<C: Classifier>(
    trainer: &mut Trainer<C>,
    folder: &RunFolder,
    resumed: Option<Resumed>,
) -> anyhow::Result<Vec<Epoch>> {
    if let Some(Resumed { standing, moments, .. }) = resumed {
        trainer.resume(standing, &moments)?;
    }
    let mut epochs = folder.epochs(trainer.standing().epoch)?;
    let bar = super::progress::bar(trainer.steps() as u64);
    while !trainer.is_over() {
        let begun = Instant::now();
        bar.reset();
        let (number, most) = (trainer.standing().epoch + 1, trainer.most_epochs());
        let epoch = trainer.epoch(|step, loss| {
            bar.set_position(step as u64);
            bar.set_message(format!("epoch {number} of {most}, loss {loss:.4}"));
        })?;
        let areas = epoch.areas;
        let percent = |area: Option<f64>| area.map_or_else(|| "-".to_owned(), |area| format!("{:.2}", 100.0 * area));
        bar.suspend(|| {
            log::info!(
                "epoch {}: loss {:.4}, validation {:.4}, {}muAP {}, mAP {}, rate {:.2e}, {:.1} s{}",
                epoch.epoch,
                epoch.train_loss,
                epoch.validation_loss,
                areas.top_1.map(|share| format!("top-1 {:.2}, ", 100.0 * share)).unwrap_or_default(),
                percent(areas.mu_ap),
                percent(areas.m_ap),
                epoch.rate,
                begun.elapsed().as_secs_f64(),
                if epoch.best { ", best" } else { "" }
            );
        });
        epochs.push(epoch);
        let moments = trainer.moments();
        let networks = trainer.classifier().networks().iter();
        let networks: Vec<(String, Weights)> = networks.map(|(name, one)| (name.clone(), one.weights())).collect();
        folder.keep(&networks, &moments, trainer.standing(), &epochs)?;
    }
    bar.finish_and_clear();
    Ok(epochs)
}

/// The epoch whose weights are the best; that must be those which the folder keeps.
pub fn best_epoch(folder: &RunFolder, epochs: &[Epoch]) -> anyhow::Result<Epoch> {
    let best = epochs.iter().rfind(|epoch| epoch.best);
    match best.filter(|best| folder.best_epoch().is_ok_and(|kept| kept == best.epoch)) {
        Some(best) => Ok(best.clone()),
        None => bail!("the best weights are of epoch {}: give --epochs at least as many", folder.best_epoch()?),
    }
}
