//! Trains epoch after epoch: steps over the training set, then a pass over the validation set.
//!
//! All random numbers derive from the seed and the number of the epoch, so a resumed run equals an
//! uninterrupted one.

use std::f64::consts::PI;

use burn_core::tensor::{Device, Tensor};
use divita_runtime::bundle::Task;
use rand_chacha::{ChaCha8Rng, rand_core::SeedableRng};

use super::{
    adamw::{AdamW, Moments},
    classifier::{Classifier, ClassifierError},
    differentiable::ParameterGradients,
    epoch::{Epoch, ShortAreas, Standing},
    loss,
    plateau::Plateau,
    recipe::{Recipe, Schedule},
    snippets::{Snippet, drawn},
    teacher::Teacher,
};
use crate::{dataset::metrics::Predictions, parallel::for_each_mut};

/// The training data. A row is a video at a working rate.
pub struct Examples {
    /// Labels of each row.
    pub truth: Vec<Vec<bool>>,
    /// Rows of the training part.
    pub train: Vec<usize>,
    /// Rows of the validation part.
    pub validation: Vec<usize>,
}

/// thrown far by large steps.
const WARM_UP: f64 = 0.05;

/// Why training stopped.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TrainingError {
    /// There is no result of a batch.
    #[error(transparent)]
    Classifier(#[from] ClassifierError),
    /// The loss is no number.
    #[error(
        "the loss of step {step} of epoch {epoch} is {loss}: the rate is too high, or vectors are not finite. The last finished epoch is kept"
    )]
    NotFinite {
        /// The epoch, from 1.
        epoch: usize,
        /// The step, from 1.
        step: usize,
        /// The loss.
        loss: f64,
    },
}

/// A run.
pub struct Trainer<C> {
    examples: Examples,
    recipe: Recipe,
    classifier: C,
    optimizers: Vec<AdamW>,
    standing: Standing,
    device: Device,
    teacher: Option<Teacher>,
}

/// What a generator is for; each has a stream of its own.
#[derive(Clone, Copy)]
enum Draws {
    Snippets = 1,
    Training = 2,
}

impl<C: Classifier> Trainer<C> {
    /// Returns a run that begins with `classifier`, whose weights are on `device`.
    #[must_use]
    pub fn new(examples: Examples, recipe: Recipe, mut classifier: C, device: Device) -> Trainer<C> {
        let optimizers = classifier.networks().iter().map(|_| AdamW::new(recipe.decay)).collect();
        let plateau = Plateau::new(recipe.rate, recipe.patience, recipe.stop_after);
        let standing = Standing { epoch: 0, plateau, stopped: false };
        Trainer { examples, recipe, classifier, optimizers, standing, device, teacher: None }
    }

    /// Returns the same run, whose loss listens to `teacher` too.
    #[must_use]
    pub fn taught_by(self, teacher: Teacher) -> Trainer<C> {
        Trainer { teacher: Some(teacher), ..self }
    }

    /// Goes on from where another run was.
    ///
    /// # Errors
    /// Where `moments` are not those of the networks.
    pub fn resume(&mut self, standing: Standing, moments: &[Moments]) -> Result<(), crate::Error> {
        let device = self.device.clone().inner();
        let optimizers = self.classifier.networks().iter().zip(moments);
        let resumed =
            optimizers.map(|((_, network), moments)| AdamW::resume(self.recipe.decay, moments, network, &device));
        self.optimizers = resumed.collect::<Result<_, _>>()?;
        self.standing = standing;
        Ok(())
    }

    /// Its progress.
    #[must_use]
    pub fn standing(&self) -> &Standing {
        &self.standing
    }

    /// What is trained, as it is.
    pub fn classifier(&mut self) -> &mut C {
        &mut self.classifier
    }

    /// It, when training is over.
    #[must_use]
    pub fn into_classifier(self) -> C {
        self.classifier
    }

    /// What the optimizer of each network remembers.
    #[must_use]
    pub fn moments(&self) -> Vec<Moments> {
        self.optimizers.iter().map(AdamW::moments).collect()
    }

    /// Returns whether there is no epoch left.
    #[must_use]
    pub fn is_over(&self) -> bool {
        self.standing.is_over(self.recipe.epochs)
    }

    /// Returns the most epochs that there are.
    #[must_use]
    pub fn most_epochs(&self) -> usize {
        self.recipe.epochs
    }

    /// Steps of an epoch.
    #[must_use]
    pub fn steps(&self) -> usize {
        self.examples.train.len().div_ceil(self.recipe.batch)
    }

    fn random(&self, epoch: usize, draws: Draws) -> ChaCha8Rng {
        let mut key = [0; 32];
        key[..8].copy_from_slice(&self.recipe.seed.to_le_bytes());
        key[8..16].copy_from_slice(&(epoch as u64).to_le_bytes());
        key[16] = draws as u8;
        ChaCha8Rng::from_seed(key)
    }

    /// Returns one epoch; `progress` gets the number of each step, from 1, and its loss.
    ///
    /// # Errors
    /// [`TrainingError`]; the networks are then no longer what they were.
    pub fn epoch(&mut self, mut progress: impl FnMut(usize, f64)) -> Result<Epoch, TrainingError> {
        let epoch = self.standing.epoch + 1;
        let clips = self.recipe.clips;
        let counts = self.classifier.clips(&self.examples.train)?;
        let order = drawn(&self.examples.train, &counts, clips, &mut self.random(epoch, Draws::Snippets));
        let mut random = self.random(epoch, Draws::Training);
        let mut sum = 0.0;
        for (step, snippets) in order.chunks(self.recipe.batch).enumerate() {
            let targets = self.targets(snippets);
            let (task, teacher) = (self.recipe.task, &mut self.teacher);
            let mut step_loss = |logits| match teacher.as_mut() {
                Some(teacher) => teacher.loss(logits, targets.clone(), snippets, clips),
                None => Ok(loss::loss(task, logits, targets.clone())),
            };
            let (value, gradients) =
                self.classifier.gradients(snippets, clips, &self.device, &mut random, &mut step_loss)?;
            if !value.is_finite() {
                return Err(TrainingError::NotFinite { epoch, step: step + 1, loss: value });
            }
            self.step_down(self.rate(epoch, step), gradients);
            sum += value * snippets.len() as f64;
            progress(step + 1, value);
        }
        let (validation_loss, areas) = self.validate()?;
        let rate = self.rate(epoch, 0);
        let verdict = self.standing.plateau.see(validation_loss);
        self.standing = Standing {
            epoch,
            stopped: verdict.stop && self.recipe.schedule == Schedule::Plateau,
            ..self.standing.clone()
        };
        let train_loss = sum / order.len() as f64;
        Ok(Epoch { epoch, rate, train_loss, validation_loss, areas, best: verdict.lowest })
    }

    /// One step of every network down its gradients, all at the same time.
    fn step_down(&mut self, rate: f64, gradients: Vec<ParameterGradients>) {
        let networks = self.classifier.networks().iter_mut().zip(&mut self.optimizers).zip(gradients);
        let mut networks: Vec<_> =
            networks.map(|(((_, network), optimizer), gradients)| (network, optimizer, Some(gradients))).collect();
        for_each_mut(&mut networks, |(network, optimizer, gradients)| {
            optimizer.step(rate, network, gradients.take().unwrap_or_default());
        });
    }

    /// Rate of a step, counted from 0, of an epoch.
    fn rate(&self, epoch: usize, step: usize) -> f64 {
        let steps = self.steps() as f64;
        let passed = ((epoch - 1) as f64 + (step as f64 + 0.5) / steps) / self.recipe.epochs as f64;
        match self.recipe.schedule {
            Schedule::Plateau => self.standing.plateau.rate,
            Schedule::Cosine => self.recipe.rate * (passed / WARM_UP).min(1.0) * (0.5 + 0.5 * (PI * passed).cos()),
        }
    }

    fn targets(&self, snippets: &[Snippet]) -> Tensor<2> {
        let truth = snippets.iter().flat_map(|snippet| &self.examples.truth[snippet.row]);
        let targets: Vec<f32> = truth.map(|&label| f32::from(u8::from(label))).collect();
        let labels = targets.len() / snippets.len();
        Tensor::<1>::from_floats(targets.as_slice(), &self.device).reshape([snippets.len(), labels])
    }

    /// Loss of the probabilities of the validation part, and its measures.
    fn validate(&mut self) -> Result<(f64, ShortAreas), TrainingError> {
        let Examples { truth, validation, .. } = &self.examples;
        let Recipe { clips, task, .. } = self.recipe;
        let probabilities = self.classifier.probabilities(validation, clips, task, &self.device)?;
        let truth: Vec<Vec<bool>> = validation.iter().map(|&row| truth[row].clone()).collect();
        let predictions = Predictions { probabilities, truth };
        let loss = match task {
            Task::MultiLabel => predictions.binary_cross_entropy(),
            Task::SingleLabel => predictions.cross_entropy(),
        };
        Ok((loss, ShortAreas::of(&predictions, task)))
    }
}
