//! The loop over the epochs of a training run, and what it reports.

use std::time::{Duration, Instant};

use anyhow::bail;

use super::{
    classifier::Classifier,
    epoch::Epoch,
    run_folder::{Resumed, RunFolder},
    trainer::Trainer,
};
use crate::weights::Weights;

/// A step of training.
#[derive(Clone, Copy, Debug)]
pub struct Step {
    /// Number of the epoch, from 1.
    pub epoch: usize,
    /// Maximum number of epochs.
    pub epochs: usize,
    /// Number of the step in its epoch.
    pub step: usize,
    /// Steps per epoch.
    pub steps: usize,
    /// Mean loss of the epoch so far.
    pub loss: f64,
}

/// Receives the progress of training. Every method does nothing by default.
pub trait TrainingProgress: Sync {
    /// `videos` videos will be cut into clips.
    fn begin_cutting(&self, videos: usize) {
        let _ = videos;
    }

    /// A video was cut into clips.
    fn cut_video(&self) {}

    /// All videos were cut into clips.
    fn finish_cutting(&self) {}

    /// A step was made.
    fn step(&self, step: Step) {
        let _ = step;
    }

    /// An epoch ended after `duration`.
    fn epoch(&self, epoch: &Epoch, duration: Duration) {
        let _ = (epoch, duration);
    }

    /// Training ended.
    fn finish(&self) {}
}

/// Trains epoch after epoch to the end, from where `resumed` stopped, and keeps each in `folder`.
/// Returns all epochs.
///
/// # Errors
/// Where training fails, or the folder cannot be written.
pub fn run_epochs<C: Classifier>(
    trainer: &mut Trainer<C>,
    folder: &RunFolder,
    resumed: Option<Resumed>,
    progress: &dyn TrainingProgress,
) -> anyhow::Result<Vec<Epoch>> {
    if let Some(Resumed { standing, moments, .. }) = resumed {
        trainer.resume(standing, &moments)?;
    }
    let mut epochs = folder.epochs(trainer.standing().epoch)?;
    while !trainer.is_over() {
        let begun = Instant::now();
        let (number, most, steps) = (trainer.standing().epoch + 1, trainer.most_epochs(), trainer.steps());
        let epoch =
            trainer.epoch(|step, loss| progress.step(Step { epoch: number, epochs: most, step, steps, loss }))?;
        progress.epoch(&epoch, begun.elapsed());
        epochs.push(epoch);
        let moments = trainer.moments();
        let networks = trainer.classifier().networks().iter();
        let networks: Vec<(String, Weights)> = networks.map(|(name, one)| (name.clone(), one.weights())).collect();
        folder.keep(&networks, &moments, trainer.standing(), &epochs)?;
    }
    progress.finish();
    Ok(epochs)
}

/// Returns the best epoch, whose weights the folder keeps.
///
/// # Errors
/// Where the folder keeps the weights of another epoch.
pub fn best_epoch(folder: &RunFolder, epochs: &[Epoch]) -> anyhow::Result<Epoch> {
    let best = epochs.iter().rfind(|epoch| epoch.best);
    match best.filter(|best| folder.best_epoch().is_ok_and(|kept| kept == best.epoch)) {
        Some(best) => Ok(best.clone()),
        None => {
            bail!("the best weights are from epoch {}: raise --epochs to at least this number", folder.best_epoch()?)
        }
    }
}
