//! The options of commands that train.

use std::path::PathBuf;

use crate::{
    engines::session::Device,
    networks::Head,
    training::{Recipe, Schedule, clip_vectors::DEFAULT_ROOM, head_training::HeadTraining, run_folder::MOST_CLIPS},
};
use clap::Args;

use super::data_set::DataSetArgs;

/// The options of commands that train heads.
#[derive(Args)]
pub struct HeadTrainingArgs {
    #[command(flatten)]
    data: DataSetArgs,
    /// Representations for the image stream; repeat with stores at other working rates to train for
    /// all these rates
    #[arg(long, value_name = "STORE", required_unless_present = "video")]
    image: Vec<PathBuf>,
    /// Representations for the video stream, at the same rates
    #[arg(long, value_name = "STORE")]
    video: Vec<PathBuf>,
    /// Head: how the vectors of a snippet's clips are aggregated
    #[arg(long, value_name = "cat|gru|conv|mean|ctt-mmc-a|fastvideo", default_value = "cat")]
    head: Head,
    /// Clips per snippet
    #[arg(help_heading = "Recipe", long, value_name = "N", default_value_t = 30, value_parser = clap::value_parser!(u16).range(1..=MOST_CLIPS as i64))]
    clips: u16,
    /// Snippets per step
    #[arg(help_heading = "Recipe", long, value_name = "N", default_value_t = 32, value_parser = clap::value_parser!(u16).range(1..=4096))]
    batch: u16,
    /// Maximum number of epochs
    #[arg(help_heading = "Recipe", long, value_name = "N", default_value_t = 100, value_parser = clap::value_parser!(u16).range(1..))]
    epochs: u16,
    /// Initial learning rate
    #[arg(help_heading = "Recipe", long, value_name = "RATE", default_value_t = 1e-4)]
    rate: f64,
    /// Weight decay, as a share of the rate
    #[arg(help_heading = "Recipe", long, value_name = "SHARE", default_value_t = 1e-2)]
    decay: f32,
    /// Schedule of the rate: divide it when the validation loss stalls, or raise it for a twentieth
    /// of the steps and lower it by half a cosine
    #[arg(help_heading = "Recipe", long, value_name = "plateau|cosine", default_value = "plateau")]
    schedule: Schedule,
    /// Epochs without a better validation loss before the rate is divided by ten (plateau only)
    #[arg(help_heading = "Recipe", long, value_name = "N", default_value_t = 10)]
    patience: u16,
    /// Epochs without a lower validation loss before training ends (plateau only)
    #[arg(help_heading = "Recipe", long, value_name = "N", default_value_t = 20, value_parser = clap::value_parser!(u16).range(1..))]
    stop_after: u16,
    /// Seed of the initial weights, the order of videos, the snippets and dropout; the same seed
    /// gives the same weights on one machine's processor
    #[arg(help_heading = "Recipe", long, value_name = "N", default_value_t = 1)]
    seed: u64,
    /// Memory limit for kept vectors, of all streams and a teacher together, GiB; other vectors are
    /// read from their stores each time
    #[arg(long, value_name = "GIB", default_value_t = DEFAULT_ROOM >> 30, value_parser = clap::value_parser!(u64).range(..=1 << 20))]
    room: u64,
    #[command(flatten)]
    device: DeviceArgs,
}

/// The device that trains.
#[derive(Args, Clone, Copy)]
pub struct DeviceArgs {
    /// Device that trains; cuda needs an NVIDIA GPU and a program built with the feature
    /// `cuda-training`. On a GPU a seed gives nearly, not exactly, the same weights
    #[arg(long, value_name = "cpu|cuda", default_value = "cpu")]
    pub device: Device,
}

impl HeadTrainingArgs {
    /// Returns the training that the options describe.
    pub fn training(&self) -> HeadTraining {
        let data = self.data.source();
        let recipe = Recipe {
            task: data.task,
            clips: self.clips.into(),
            batch: self.batch.into(),
            epochs: self.epochs.into(),
            rate: self.rate,
            decay: self.decay,
            patience: self.patience.into(),
            stop_after: self.stop_after.into(),
            schedule: self.schedule,
            seed: self.seed,
        };
        HeadTraining {
            data,
            image: self.image.clone(),
            video: self.video.clone(),
            head: self.head,
            recipe,
            room_bytes: self.room << 30,
            device: self.device.device,
        }
    }
}
