//! `divita-models fit-backbone`: trains a backbone on the labels of videos, from scratch or from
//! existing weights.

use std::path::{Path, PathBuf};

use crate::{
    dataset::video_clips::DEFAULT_RATE,
    networks::{Backbone, zoo::BACKBONES},
    training::{
        BackboneClassifier, Begin, ClipPictures, Cutting, Recipe, Schedule, Trainer,
        run_folder::{BackboneRecipe, Results, RunFolder},
    },
    weights::{
        facts::{self, Facts},
        fitted::{Fitted, MOST_EARLIER},
        known_weights::sha256,
    },
};
use anyhow::bail;
use clap::Args;
use divita_runtime::{bundle::Borders, sampler::WorkingRate, segmenter::Segmentation, shots::transition_network};

use super::{
    data_set::{DataSet, DataSetArgs},
    initial_weights::InitialWeights,
    training_run::{DeviceArgs, best_epoch, check_rate, run_epochs},
};

/// Highest rate of training from scratch.
const RATE: f64 = 3e-3;

/// Highest rate of fine-tuning. It is lower, so that the first steps do not undo what the weights
/// have learned.
const FINE_TUNING_RATE: f64 = 1e-3;

/// Train a backbone on the videos of a data set, from scratch or from existing weights
///
/// For users without published weights, or with videos unlike the publishers'. --from FILE
/// fine-tunes existing weights: with their preprocessing and at a lower rate. Cuts each training
/// and validation video into shots and clips as on a board and keeps some clips in memory. Each
/// step reads a few clips of a video, some of them mirrored; a linear layer on the mean of their
/// vectors predicts the video's labels. The rate rises for a twentieth of the steps and then falls
/// by half a cosine.
///
/// With --single-label, every video has exactly one label, and the loss is the cross entropy of a
/// softmax.
///
/// DIR has the layout of `train`, without predictions, and at the end backbone.safetensors: the
/// weights with the lowest validation loss, for `extract`. The linear layer is discarded. The test
/// set is not used.
///
/// Trains the backbones that a processor can train: the two ShuffleNets (on two cores about 80
/// pictures, or 100 clips of 4 frames, per second at half size) and EfficientNet-Lite0, which has
/// 2.7 times the multiply-accumulates of shufflenet-2d.
#[derive(Args)]
#[command(after_help = "Examples:\n  \
    divita-models fit-backbone shufflenet-2d films/splits.csv --output runs/image\n  \
    divita-models fit-backbone shufflenet-3d films/splits.csv --fps 8 --output runs/video\n  \
    divita-models fit-backbone efficientnet-lite0 films/splits.csv --from efficientnet-lite0.safetensors --output runs/tuned\n  \
    divita-models extract films/ --network shufflenet-2d --weights runs/image/backbone.safetensors --fps 8 --store image.zarr")]
pub struct FitBackbone {
    /// Backbone: shufflenet-2d, shufflenet-3d or efficientnet-lite0
    #[arg(value_name = "NETWORK", value_parser = trainable)]
    network: Backbone,
    #[command(flatten)]
    data: DataSetArgs,
    /// Folder of the run
    #[arg(long, value_name = "DIR")]
    output: PathBuf,
    /// Fine-tune these weights of the network, from `import` or `fit-backbone`
    #[arg(long, value_name = "FILE")]
    from: Option<PathBuf>,
    /// Folder of the table's videos [default: the folder of the table]
    #[arg(long, value_name = "DIR")]
    videos: Option<PathBuf>,
    /// Working rate in fps: frames per second that the network reads, and frames per clip
    #[arg(long, value_name = "4|6|8|12|24", default_value_t = DEFAULT_RATE)]
    fps: WorkingRate,
    /// Cut clips within shots, or across shots (an ablation)
    #[arg(long, value_name = "shot|seq", default_value = "shot")]
    segmentation: Segmentation,
    /// Keep or crop the borders of letterboxed and pillarboxed frames; the file of weights records
    /// it [default: as the weights of --from were trained, or keep]
    #[arg(long, value_name = "keep|crop")]
    borders: Option<Borders>,
    /// Clips of each video to keep in memory, chosen at random
    #[arg(help_heading = "Recipe", long, value_name = "N", default_value_t = 16, value_parser = clap::value_parser!(u16).range(1..=1000))]
    kept: u16,
    /// Divide the width and height of the network's input by this factor
    #[arg(help_heading = "Recipe", long, value_name = "1|2|4", default_value_t = 2, value_parser = shrink)]
    shrink: usize,
    /// Clips per video in a step
    #[arg(help_heading = "Recipe", long, value_name = "N", default_value_t = 4, value_parser = clap::value_parser!(u16).range(1..=1000))]
    clips: u16,
    /// Videos per step
    #[arg(help_heading = "Recipe", long, value_name = "N", default_value_t = 8, value_parser = clap::value_parser!(u16).range(1..=1024))]
    batch: u16,
    /// Epochs
    #[arg(help_heading = "Recipe", long, value_name = "N", default_value_t = 12, value_parser = clap::value_parser!(u16).range(1..))]
    epochs: u16,
    /// Highest learning rate [default: 3e-3, with --from 1e-3]
    #[arg(help_heading = "Recipe", long, value_name = "RATE")]
    rate: Option<f64>,
    /// Weight decay, as a share of the rate
    #[arg(help_heading = "Recipe", long, value_name = "SHARE", default_value_t = 5e-2)]
    decay: f32,
    /// Memory limit for the kept pictures, GiB
    #[arg(long, value_name = "GIB", default_value_t = 8, value_parser = clap::value_parser!(u64).range(..=1 << 20))]
    room: u64,
    #[command(flatten)]
    device: DeviceArgs,
    /// Seed of the initial weights, the choice and order of clips, and the mirrored clips
    #[arg(help_heading = "Recipe", long, value_name = "N", default_value_t = 1)]
    seed: u64,
    /// Resume the run in --output after its last finished epoch
    #[arg(long)]
    resume: bool,
}

/// Parses the name of a backbone that `fit-backbone` trains.
fn trainable(name: &str) -> Result<Backbone, String> {
    let trainable = || BACKBONES.into_iter().filter(|backbone| backbone.is_trainable());
    let names = || trainable().map(Backbone::name).collect::<Vec<_>>().join(", ");
    trainable().find(|backbone| backbone.name() == name).ok_or_else(|| format!("choose one of {}", names()))
}

fn shrink(text: &str) -> Result<usize, &'static str> {
    text.parse().ok().filter(|times| [1, 2, 4].contains(times)).ok_or("choose 1, 2 or 4")
}

impl FitBackbone {
    /// Trains and writes the best weights of the backbone.
    pub fn run(self) -> anyhow::Result<()> {
        let rate = self.rate.unwrap_or(if self.from.is_some() { FINE_TUNING_RATE } else { RATE });
        check_rate(rate, self.decay)?;
        let device = self.device.get()?;
        log::info!("working rate: {} frames a second (--fps)", self.fps);
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
            log::info!("the run in {} is over", self.output.display());
            return Ok(());
        }
        if begun.is_none() {
            RunFolder::check_vacant(&self.output)?;
        }
        // Whether the videos can be read shows before there is a run.
        let pictures = self.pictures(&data, &cutting)?;
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
        let epochs = run_epochs(&mut trainer, &folder, resumed)?;
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
            "the best of {} epochs is epoch {number}, validation loss {loss:.4}; `divita-models extract --network {} --weights {} --fps {}` makes vectors with it",
            epochs.len(),
            described.network,
            file.display(),
            self.fps.fps()
        );
        Ok(())
    }

    /// Writes the backbone of the best epoch; the path of the file.
    fn write_backbone(&self, folder: &RunFolder, facts: &Facts) -> anyhow::Result<PathBuf> {
        let names = BackboneClassifier::NETWORKS.map(str::to_owned);
        let weights = folder.best(&names)?;
        let [backbone, _] = &weights[..] else { bail!("the best weights are not there") };
        let graph = self.network.graph(self.fps.clip_frames());
        graph.weights().iter().try_for_each(|spec| backbone.get(&spec.name, &spec.shape).map(|_| ()))?;
        let file = self.output.join("backbone.safetensors");
        facts::write(backbone, facts, &file)?;
        Ok(file)
    }

    /// How videos become pictures: as the weights that training begins with expect them.
    fn cutting(&self, initial: Option<&InitialWeights>) -> Cutting {
        let mut input = initial.map_or(self.network.input(), |initial| initial.input);
        input.borders = self.borders.unwrap_or(input.borders);
        Cutting {
            fps: self.fps,
            segmentation: self.segmentation,
            kept: self.kept.into(),
            shrink: self.shrink,
            seed: self.seed,
            detector: sha256(transition_network::BUILT_IN),
            input: Some(input).filter(|input| *input != self.network.input()),
        }
    }

    /// How the backbone is trained.
    fn recipe(&self, rate: f64) -> Recipe {
        Recipe {
            task: self.data.task(),
            clips: self.clips.into(),
            batch: self.batch.into(),
            epochs: self.epochs.into(),
            rate,
            decay: self.decay,
            // A cosine is gone through to its end.
            patience: self.epochs.into(),
            stop_after: self.epochs.into(),
            schedule: Schedule::Cosine,
            seed: self.seed,
        }
    }

    /// What the file of the backbone says of the run, before it is known what came of it.
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
                "the weights of --from were fitted by {} splits one after the other, of which a file can name {MOST_EARLIER}: begin with earlier weights",
                fitted.earlier.len()
            );
        }
        if !fitted.is_plain() {
            bail!("{}: its name, or that of its split, cannot stand in a model card: rename it", fitted.table);
        }
        Ok(fitted)
    }

    /// The clips of the training and the validation part.
    fn pictures(&self, data: &DataSet, cutting: &Cutting) -> anyhow::Result<ClipPictures> {
        let folder = self.videos.as_deref().or(self.data.table.parent()).unwrap_or_else(|| "".as_ref());
        let [train, validation, _] = &data.parts;
        let path = |&row: &usize| (row, folder.join(&data.table.videos[row]).to_string_lossy().into_owned());
        let needed: Vec<(usize, String)> = train.iter().chain(validation).map(path).collect();
        if let Some((_, missing)) = needed.iter().find(|(_, video)| !Path::new(video).exists()) {
            bail!(
                "{missing} is not there: --videos names the folder of the videos, and the first column of the table each one's file, with its ending"
            );
        }
        let bytes = cutting.bytes(self.network) * needed.len() as u64;
        if bytes > self.room << 30 {
            bail!(
                "the pictures would take up to {:.1} GiB: lower --kept, or raise --shrink or --room",
                bytes as f64 / f64::from(1 << 30)
            );
        }
        let bar = super::progress::bar(needed.len() as u64);
        bar.set_message("cutting videos into clips");
        let pictures = ClipPictures::cut(self.network, cutting, &needed, || bar.inc(1));
        bar.finish_and_clear();
        Ok(pictures?)
    }
}
