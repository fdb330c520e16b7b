//! Trains heads on stores of representations, from the stores to the results in a run's folder.

use std::path::{Path, PathBuf};

use anyhow::bail;
use burn_core::tensor::Device as TrainingDevice;
use divita_runtime::bundle::Task;

use super::{
    classifier::Classifier,
    clip_vectors::{DEFAULT_ROOM, Room},
    data_set::{DataSet, DataSetSource, csv},
    device::training_device,
    epochs::{TrainingProgress, best_epoch, run_epochs},
    fusion::Fusion,
    published_results::Heads,
    recipe::Recipe,
    run_folder::{Results, RunFolder, RunRecipe, Vectors},
    stream_stores::{stores, working_rate},
    teacher::Teacher,
    trainer::{Examples, Trainer},
};
use crate::{
    engines::session::Device,
    networks::Head,
    representations::published_stores::StoreKind,
    weights::{fitted::Fitted, seed::initial, write_whole},
};

/// What to train heads on, and how.
#[derive(Clone, Debug)]
pub struct HeadTraining {
    /// The data set.
    pub data: DataSetSource,
    /// Stores of the image stream, one per working rate.
    pub image: Vec<PathBuf>,
    /// Stores of the video stream, at the same rates.
    pub video: Vec<PathBuf>,
    /// The head.
    pub head: Head,
    /// The recipe.
    pub recipe: Recipe,
    /// Memory limit for kept vectors, bytes.
    pub room_bytes: u64,
    /// The device that trains.
    pub device: Device,
}

/// Checks that `rate` is above 0 and `decay` not below.
///
/// # Errors
/// Where they are not.
pub fn check_rate(rate: f64, decay: f32) -> anyhow::Result<()> {
    if !(rate > 0.0 && rate.is_finite() && decay >= 0.0 && decay.is_finite()) {
        bail!("--rate must be above 0, and --decay at least 0");
    }
    Ok(())
}

impl HeadTraining {
    /// Returns the paper's recipe for `heads` on split `split` of the table and the stores in
    /// `folder`.
    #[must_use]
    pub fn paper(folder: &Path, table: PathBuf, split: &str, heads: &Heads, device: Device) -> HeadTraining {
        let store = |made: Option<StoreKind>| made.map(|made| folder.join(made.store())).into_iter().collect();
        HeadTraining {
            data: DataSetSource { table, split: split.to_owned(), task: Task::MultiLabel },
            image: store(heads.image),
            video: store(heads.video),
            head: heads.head,
            recipe: Recipe { clips: heads.clips, ..Recipe::default() },
            room_bytes: DEFAULT_ROOM,
            device,
        }
    }

    /// Returns the memory for kept vectors.
    #[must_use]
    pub fn room(&self) -> Room {
        Room::new(self.room_bytes)
    }

    /// Reads the data set.
    ///
    /// # Errors
    /// Where the recipe's rate or decay cannot be used, and those of [`DataSetSource::read`].
    pub fn data_set(&self) -> anyhow::Result<DataSet> {
        check_rate(self.recipe.rate, self.recipe.decay)?;
        self.data.read()
    }

    /// Opens the device that trains.
    ///
    /// # Errors
    /// Where this build or machine does not have it.
    pub fn training_device(&self) -> anyhow::Result<TrainingDevice> {
        Ok(training_device(self.device)?)
    }

    /// Trains in the folder `output`, or resumes the run in it. Keeps vectors in memory up to
    /// `room`.
    ///
    /// # Errors
    /// Where the stores do not match, the folder cannot be used, or training fails.
    pub fn run(
        &self,
        data: &DataSet,
        output: &Path,
        resume: bool,
        room: &Room,
        teacher: Option<Teacher>,
        progress: &dyn TrainingProgress,
    ) -> anyhow::Result<Results> {
        let device = self.training_device()?;
        let labels = data.table.labels.len();
        let (names, stores) = stores(&self.image, &self.video)?;
        let recipe = self.recipe.clone();
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
            known if known.is_empty() => log::info!("working rate: unknown; the representations do not state it (fps)"),
            known => log::info!("working rate: {known} fps, from the representations"),
        }
        let vectors = data.vectors(stores, room.clone())?;
        let [train, validation, test] = data.parts.each_ref().map(Vec::len);
        log::info!("{train} training videos, {validation} validation videos, {test} test videos");
        let folder = match resume {
            true => RunFolder::open(output, &described)?,
            false => RunFolder::create(output, &described)?,
        };
        let resumed = if resume { folder.last(&names)? } else { None };
        if resumed.as_ref().is_some_and(|run| run.standing.is_over(recipe.epochs))
            && let Ok(results) = folder.results()
        {
            log::info!("the run in {} is finished", output.display());
            return Ok(results);
        }
        let features: Vec<usize> = vectors.num_features().collect();
        let weights = match &resumed {
            Some(resumed) => resumed.networks.clone(),
            None => {
                let head = |(name, &features): (&String, &usize)| {
                    initial(&self.head.over(self.recipe.clips, features, labels), self.recipe.seed, name)
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
        let fusion = Fusion::new(vectors, self.head, self.recipe.clips, labels, &names, &weights, &device)?;
        let mut trainer = Trainer::new(examples, recipe, fusion, device.clone());
        if let Some(teacher) = teacher {
            trainer = trainer.taught_by(teacher);
        }
        let epochs = run_epochs(&mut trainer, &folder, resumed, progress)?;
        let best = best_epoch(&folder, &epochs)?;
        let mut fusion = trainer.into_classifier();
        fusion.load(&folder.best(&names)?, &device)?;
        let probabilities = fusion.probabilities(&judged, self.recipe.clips, self.data.task, &device)?;
        let rows = data.judged();
        let path = output.join("predictions.csv");
        let mut test = Vec::new();
        for (at, (rate, probabilities)) in rates.iter().zip(probabilities.chunks(rows.len())).enumerate() {
            let path = match rate {
                Some(rate) if at > 0 => output.join(format!("predictions-{rate}.csv")),
                _ => path.clone(),
            };
            write_whole(&path, &csv(&data.table, &rows, probabilities)?)?;
            test.extend(data.test_areas(probabilities, self.data.task));
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
            "the best of {} epochs is epoch {}, validation loss {:.4}; `divita-models evaluate {}{} --predictions {}={}` prints more",
            epochs.len(),
            best.epoch,
            best.validation_loss,
            self.data.table.display(),
            if self.data.task == Task::SingleLabel { " --single-label" } else { "" },
            self.data.split,
            path.display()
        );
        Ok(results)
    }
}
