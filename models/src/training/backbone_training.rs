//! Trains a backbone on the labels of videos, from the videos to the file of its weights.

use std::path::{Path, PathBuf};

use anyhow::bail;
use divita_runtime::{bundle::Borders, sampler::WorkingRate, segmenter::Segmentation, shots::transition_network};

use super::{
    backbone_classifier::{BackboneClassifier, Begin},
    clip_pictures::{ClipPictures, Cutting},
    data_set::{DataSet, DataSetSource},
    device::training_device,
    epochs::{TrainingProgress, best_epoch, run_epochs},
    head_training::check_rate,
    initial_weights::InitialWeights,
    recipe::{Recipe, Schedule},
    run_folder::{BackboneRecipe, Results, RunFolder},
    trainer::Trainer,
};
use crate::{
    engines::session::Device,
    networks::Backbone,
    weights::{
        facts::{self, Facts},
        fitted::{Fitted, MOST_EARLIER},
        known_weights::sha256,
    },
};

/// Highest rate of training from scratch.
const RATE: f64 = 3e-3;

/// Highest rate of fine-tuning. It is lower, so that the first steps do not undo what the weights
/// have learned.
const FINE_TUNING_RATE: f64 = 1e-3;

/// What to train a backbone on, and how.
#[derive(Clone, Debug)]
pub struct BackboneTraining {
    /// The backbone.
    pub network: Backbone,
    /// The data set.
    pub data: DataSetSource,
    /// File of the weights to fine-tune; training from scratch where there is none.
    pub from: Option<PathBuf>,
    /// Folder of the table's videos; that of the table where there is none.
    pub videos: Option<PathBuf>,
    /// Working rate.
    pub fps: WorkingRate,
    /// Whether clips are cut within shots or across them.
    pub segmentation: Segmentation,
    /// Whether borders are kept or cropped; as in the initial weights where there is none.
    pub borders: Option<Borders>,
    /// Clips of each video to keep in memory.
    pub kept: usize,
    /// Divisor of the input's width and height.
    pub shrink: usize,
    /// Clips per video in a step.
    pub clips: usize,
    /// Videos per step.
    pub batch: usize,
    /// Epochs.
    pub epochs: usize,
    /// Highest learning rate; 3e-3, or 1e-3 for fine-tuning, where there is none.
    pub rate: Option<f64>,
    /// Weight decay, as a share of the rate.
    pub decay: f32,
    /// Memory limit for the kept pictures, bytes.
    pub room_bytes: u64,
    /// The device that trains.
    pub device: Device,
    /// Seed of the initial weights, the choice and order of clips, and the mirrored clips.
    pub seed: u64,
    /// Folder of the run.
    pub output: PathBuf,
    /// Whether the run in the folder resumes.
    pub resume: bool,
}

impl BackboneTraining {
    /// Trains and writes the best weights of the backbone.
    ///
    /// # Errors
    /// Where the videos, the weights or the folder cannot be used, or training fails.
    pub fn run(&self, progress: &dyn TrainingProgress) -> anyhow::Result<()> {
        let rate = self.rate.unwrap_or(if self.from.is_some() { FINE_TUNING_RATE } else { RATE });
        check_rate(rate, self.decay)?;
        let device = training_device(self.device)?;
        log::info!("working rate: {} fps (--fps)", self.fps);
        let graph = self.network.graph(self.fps.clip_frames());
        let initial = self.from.as_deref().map(|path| InitialWeights::read(self.network, path)).transpose()?;
        let data = self.data.read()?;
        let cutting = self.cutting(initial.as_ref());
        let recipe = self.recipe(rate);
        let described = BackboneRecipe {
            network: self.network.name().to_owned(),
            labels: data.table.labels.clone(),
            split: self.data.split.clone(),
            videos: data.rows_sum(),
            truth: data.sums()[1].clone(),
            initial_weights: initial.as_ref().map(|initial| initial.sha256.clone()),
            cutting: cutting.clone(),
            recipe: recipe.clone(),
        };
        let fitted = self.fitted(&data, initial.as_ref())?;
        let names = BackboneClassifier::NETWORKS.map(str::to_owned);
        let begun = if self.resume { Some(RunFolder::open(&self.output, &described)?) } else { None };
        let resumed = begun.as_ref().map(|folder| folder.last(&names)).transpose()?.flatten();
        if let (Some(folder), Some(_)) = (&begun, resumed.as_ref().filter(|run| run.standing.is_over(recipe.epochs)))
            && folder.results().is_ok()
        {
            log::info!("the run in {} is finished", self.output.display());
            return Ok(());
        }
        if begun.is_none() {
            RunFolder::check_vacant(&self.output)?;
        }
        // Unreadable videos fail before the run's folder exists.
        let pictures = self.pictures(&data, &cutting, progress)?;
        let folder = match begun {
            Some(folder) => folder,
            None => RunFolder::create(&self.output, &described)?,
        };
        let begin = match (&resumed, &initial) {
            (Some(resumed), _) => Begin::Weights(&resumed.networks),
            (None, Some(initial)) => Begin::Backbone(&initial.weights, self.seed),
            (None, None) => Begin::Seed(self.seed),
        };
        let labels = data.table.labels.len();
        let classifier = BackboneClassifier::new(graph, self.network.features(), labels, pictures, begin, &device)?;
        let mut trainer = Trainer::new(data.examples(), recipe, classifier, device);
        let epochs = run_epochs(&mut trainer, &folder, resumed, progress)?;
        let best = best_epoch(&folder, &epochs)?;

        let begun = initial.as_ref().map_or("from scratch", |initial| &initial.told);
        let videos = data.parts.each_ref().map(Vec::len);
        let fitted = Fitted { told: described.told(begun, &self.data.name(), videos, &best), ..fitted };
        let input = Some(cutting.input(self.network));
        let facts = Facts { network: described.network.clone(), source_sha256: None, input, fitted: Some(fitted) };
        let file = self.write_backbone(&folder, &facts)?;
        let (number, loss) = (best.epoch, best.validation_loss);
        folder.finish(&Results { table: self.data.name(), videos, epochs: epochs.len(), best, test: Vec::new() })?;
        log::info!(
            "the best of {} epochs is epoch {number}, validation loss {loss:.4}; `divita-models extract --network {} --weights {} --fps {}` extracts vectors with it",
            epochs.len(),
            described.network,
            file.display(),
            self.fps.fps()
        );
        Ok(())
    }

    /// Writes the backbone of the best epoch. Returns the path of the file.
    fn write_backbone(&self, folder: &RunFolder, facts: &Facts) -> anyhow::Result<PathBuf> {
        let names = BackboneClassifier::NETWORKS.map(str::to_owned);
        let weights = folder.best(&names)?;
        let [backbone, _] = &weights[..] else { bail!("the run has no best weights") };
        let graph = self.network.graph(self.fps.clip_frames());
        graph.weights().iter().try_for_each(|spec| backbone.get(&spec.name, &spec.shape).map(|_| ()))?;
        let file = self.output.join("backbone.safetensors");
        facts::write(backbone, facts, &file)?;
        Ok(file)
    }

    /// Returns how videos become pictures: with the preprocessing of the initial weights.
    fn cutting(&self, initial: Option<&InitialWeights>) -> Cutting {
        let mut input = initial.map_or(self.network.input(), |initial| initial.input);
        input.borders = self.borders.unwrap_or(input.borders);
        Cutting {
            fps: self.fps,
            segmentation: self.segmentation,
            kept: self.kept,
            shrink: self.shrink,
            seed: self.seed,
            detector: sha256(transition_network::BUILT_IN),
            input: Some(input).filter(|input| *input != self.network.input()),
        }
    }

    /// Returns the recipe with the highest rate `rate`.
    fn recipe(&self, rate: f64) -> Recipe {
        Recipe {
            task: self.data.task,
            clips: self.clips,
            batch: self.batch,
            epochs: self.epochs,
            rate,
            decay: self.decay,
            // The cosine schedule runs to its end.
            patience: self.epochs,
            stop_after: self.epochs,
            schedule: Schedule::Cosine,
            seed: self.seed,
        }
    }

    /// Returns what the file of the backbone states about the run, without its results.
    fn fitted(&self, data: &DataSet, initial: Option<&InitialWeights>) -> anyhow::Result<Fitted> {
        let fitted = Fitted {
            table: self.data.name(),
            split: self.data.split.clone(),
            videos: data.sums()[0].clone(),
            told: String::new(),
            earlier: initial.map(InitialWeights::splits).unwrap_or_default(),
        };
        if fitted.earlier.len() > MOST_EARLIER {
            bail!(
                "the weights of --from were trained on {} splits in turn, but a file can name {MOST_EARLIER}: start from earlier weights",
                fitted.earlier.len()
            );
        }
        if !fitted.is_plain() {
            bail!(
                "{}: its name, or the name of its split, contains characters that a model card cannot show: rename it",
                fitted.table
            );
        }
        Ok(fitted)
    }

    /// Cuts the videos of the training and the validation set into clips.
    fn pictures(
        &self,
        data: &DataSet,
        cutting: &Cutting,
        progress: &dyn TrainingProgress,
    ) -> anyhow::Result<ClipPictures> {
        let folder = self.videos.as_deref().or(self.data.table.parent()).unwrap_or_else(|| "".as_ref());
        let [train, validation, _] = &data.parts;
        let path = |&row: &usize| (row, folder.join(&data.table.videos[row]).to_string_lossy().into_owned());
        let needed: Vec<(usize, String)> = train.iter().chain(validation).map(path).collect();
        if let Some((_, missing)) = needed.iter().find(|(_, video)| !Path::new(video).exists()) {
            bail!(
                "{missing}: no such file. Give the folder of the videos with --videos; the first column of the table names each file, with its extension"
            );
        }
        let bytes = cutting.bytes(self.network) * needed.len() as u64;
        if bytes > self.room_bytes {
            bail!(
                "the pictures need up to {:.1} GiB: lower --kept, or raise --shrink or --room",
                bytes as f64 / f64::from(1 << 30)
            );
        }
        progress.begin_cutting(needed.len());
        let pictures = ClipPictures::cut(self.network, cutting, &needed, || progress.cut_video());
        progress.finish_cutting();
        Ok(pictures?)
    }
}
