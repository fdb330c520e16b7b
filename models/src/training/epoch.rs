//! The progress of a training run, and the results of its epochs.

use divita_runtime::bundle::Task;
use serde::{Deserialize, Serialize};

use super::plateau::Plateau;
use crate::dataset::metrics::{Areas, Predictions};

/// Progress of a run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Standing {
    /// Epochs that are done.
    pub epoch: usize,
    /// The rate, and whether the loss stands still.
    pub plateau: Plateau,
    /// Whether training has ended before the last epoch.
    pub stopped: bool,
}

impl Standing {
    /// Returns whether a run of at most `epochs` is over.
    #[must_use]
    pub fn is_over(&self, epochs: usize) -> bool {
        self.stopped || self.epoch >= epochs
    }
}

/// Results of an epoch.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Epoch {
    /// Its number, from 1.
    pub epoch: usize,
    /// Rate of its first step.
    pub rate: f64,
    /// Mean loss of its steps.
    pub train_loss: f64,
    /// Loss of the videos' probabilities: binary cross entropy, or of a single-label task cross
    /// entropy.
    pub validation_loss: f64,
    /// The measures of section 6 on the validation part.
    #[serde(flatten)]
    pub areas: ShortAreas,
    /// Whether its validation loss is the lowest so far.
    pub best: bool,
}

/// The areas of all labels together and, of a single-label task, top-1 accuracy.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[allow(missing_docs)]
pub struct ShortAreas {
    pub mu_ap: Option<f64>,
    pub m_ap: Option<f64>,
    pub w_ap: Option<f64>,
    pub s_ap: Option<f64>,
    /// Share of the videos whose most probable label is theirs, in [0, 1]. None where the task is
    /// multi-label.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub top_1: Option<f64>,
}

impl ShortAreas {
    /// Measures `predictions` as far as `task` asks.
    #[must_use]
    pub fn of(predictions: &Predictions, task: Task) -> ShortAreas {
        let Areas { mu_ap, m_ap, w_ap, s_ap, .. } = predictions.areas();
        let top_1 = if task == Task::SingleLabel { predictions.top_k_accuracy(1) } else { None };
        ShortAreas { mu_ap, m_ap, w_ap, s_ap, top_1 }
    }

    /// Returns each with its name in the paper.
    #[must_use]
    pub fn by_name(&self) -> [(&'static str, Option<f64>); 4] {
        [("muAP", self.mu_ap), ("mAP", self.m_ap), ("wAP", self.w_ap), ("sAP", self.s_ap)]
    }
}
