//! `divita-models fit-backbone`: trains a backbone on the labels of videos, from scratch or from
//! existing weights.

use std::path::PathBuf;

use crate::{
    dataset::video_clips::DEFAULT_RATE,
    networks::{Backbone, zoo::BACKBONES},
    training::backbone_training::BackboneTraining,
};
use clap::Args;
use divita_runtime::{bundle::Borders, sampler::WorkingRate, segmenter::Segmentation};

use super::{data_set::DataSetArgs, progress::TrainingBar, training_options::DeviceArgs};

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
    let trainable = || BACKBONES.iter().copied().filter(|backbone| backbone.is_trainable());
    let names = || trainable().map(Backbone::name).collect::<Vec<_>>().join(", ");
    trainable().find(|backbone| backbone.name() == name).ok_or_else(|| format!("choose one of {}", names()))
}

/// Parses the divisor of the input's sides.
fn shrink(text: &str) -> Result<usize, &'static str> {
    text.parse().ok().filter(|times| [1, 2, 4].contains(times)).ok_or("choose 1, 2 or 4")
}

impl FitBackbone {
    /// Trains the backbone.
    pub fn run(self) -> anyhow::Result<()> {
        let training = BackboneTraining {
            network: self.network,
            data: self.data.source(),
            from: self.from,
            videos: self.videos,
            fps: self.fps,
            segmentation: self.segmentation,
            borders: self.borders,
            kept: self.kept.into(),
            shrink: self.shrink,
            clips: self.clips.into(),
            batch: self.batch.into(),
            epochs: self.epochs.into(),
            rate: self.rate,
            decay: self.decay,
            room_bytes: self.room << 30,
            device: self.device.device,
            seed: self.seed,
            output: self.output,
            resume: self.resume,
        };
        training.run(&TrainingBar::new())
    }
}
