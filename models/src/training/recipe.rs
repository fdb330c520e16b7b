//! The recipe of a training run.

use std::str::FromStr;

use divita_runtime::bundle::Task;
use serde::{Deserialize, Serialize};

/// How to train. The default is the paper's recipe (section 6), with the authors' code's patience:
/// the paper's is as long as that of stopping, and so would never act.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Recipe {
    /// Whether a video may have any number of the labels or has exactly one; decides loss and
    /// probabilities. Multi-label, the default, is left out of files.
    #[serde(skip_serializing_if = "Task::is_multi_label")]
    pub task: Task,
    /// Clips of a snippet.
    pub clips: usize,
    /// Snippets of a step.
    pub batch: usize,
    /// Most epochs.
    pub epochs: usize,
    /// Rate at first.
    pub rate: f64,
    /// Weight decay, as a share of the rate.
    pub decay: f32,
    /// Epochs without a better validation loss after which the rate is divided by ten.
    pub patience: usize,
    /// Epochs without a lower validation loss after which training ends.
    pub stop_after: usize,
    /// Schedule of the rate.
    pub schedule: Schedule,
    /// Of the weights at the start, the order of the videos, the places of snippets, and whatever
    /// training draws.
    pub seed: u64,
}

/// Schedule of the rate.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Schedule {
    /// By ten where the validation loss stands still.
    #[default]
    Plateau,
    /// Half a cosine down to nothing at the last epoch, after it has risen (Loshchilov and Hutter
    /// 2017).
    Cosine,
}

impl FromStr for Schedule {
    type Err = &'static str;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "plateau" => Ok(Schedule::Plateau),
            "cosine" => Ok(Schedule::Cosine),
            _ => Err("choose plateau or cosine"),
        }
    }
}

/// Share of a cosine schedule in which the rate rises: a network whose norms know nothing yet is
impl Default for Recipe {
    fn default() -> Self {
        Recipe {
            task: Task::MultiLabel,
            clips: 30,
            batch: 32,
            epochs: 100,
            rate: 1e-4,
            decay: 1e-2,
            patience: 10,
            stop_after: 20,
            schedule: Schedule::Plateau,
            seed: 1,
        }
    }
}
