//! The trait of networks that are trained on labels of videos: logits of snippets, and
//! probabilities of videos from them.

use burn_core::tensor::{Device, Tensor};
use divita_runtime::bundle::Task;
use rand_chacha::ChaCha8Rng;

use super::{
    differentiable::{Differentiable, ParameterGradients, Untrainable, numbers},
    loss,
    snippets::{Snippet, consecutive},
};
use crate::representations;

/// Snippets that are run at a time where nothing is trained.
const TOGETHER: usize = 64;

/// Why there are no results.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ClassifierError {
    /// A network cannot be run here.
    #[error(transparent)]
    Untrainable(#[from] Untrainable),
    /// A probability is no number.
    #[error(
        "the probabilities of the video in row {row} of the table are not finite: its vectors are not finite, or the rate is too high. The last finished epoch is kept"
    )]
    NotFinite {
        /// The row, from 1, the heading left out.
        row: usize,
    },
    /// Vectors cannot be read.
    #[error("cannot read the vectors of a clip")]
    Vectors(#[from] representations::Error),
}

/// The loss of logits (snippets, labels), one number.
pub type Loss<'a> = &'a mut dyn FnMut(Tensor<2>) -> Result<Tensor<1>, ClassifierError>;

/// Networks that together say which labels a snippet has.
pub trait Classifier {
    /// Returns the networks, each with its name.
    fn networks(&mut self) -> &mut [(String, Differentiable)];

    /// Returns the row of the table that the video at `row` has.
    fn table_row(&self, row: usize) -> usize {
        row
    }

    /// Clips of each of the videos at `rows`, at least one.
    ///
    /// # Errors
    /// [`ClassifierError::Vectors`].
    fn clips(&self, rows: &[usize]) -> Result<Vec<usize>, ClassifierError>;

    /// Logits of `snippets` of `clips` clips, (snippets, labels), on `device`. `random` draws
    /// whatever training draws, such as what dropout leaves out; without it nothing is drawn, and
    /// batch norms take what they have kept.
    ///
    /// # Errors
    /// [`ClassifierError`].
    fn logits(
        &mut self,
        snippets: &[Snippet],
        clips: usize,
        device: &Device,
        random: Option<&mut ChaCha8Rng>,
    ) -> Result<Tensor<2>, ClassifierError>;

    /// Runs a training step's `snippets` as [`Classifier::logits`] does: the loss that `loss` gives
    /// for the logits, and its gradients, a map for each of the networks in their order.
    ///
    /// # Errors
    /// [`ClassifierError`].
    fn gradients(
        &mut self,
        snippets: &[Snippet],
        clips: usize,
        device: &Device,
        random: &mut ChaCha8Rng,
        loss: Loss<'_>,
    ) -> Result<(f64, Vec<ParameterGradients>), ClassifierError> {
        let loss = loss(self.logits(snippets, clips, device, Some(random))?)?;
        let value = f64::from(loss.clone().into_scalar::<f32>());
        let gradients = loss.backward();
        Ok((value, self.networks().iter().map(|(_, network)| network.gradients(&gradients)).collect()))
    }

    /// Probabilities of the labels of the videos at `rows`: the mean over each one's snippets
    /// (paper, section 5), each snippet's being the sigmoids of its logits, or of a single-label
    /// `task` their softmax. A mean of vectors that sum to 1 sums to 1.
    ///
    /// # Errors
    /// [`ClassifierError`].
    fn probabilities(
        &mut self,
        rows: &[usize],
        clips: usize,
        task: Task,
        device: &Device,
    ) -> Result<Vec<Vec<f64>>, ClassifierError> {
        let device = device.clone().inner();
        let counts = self.clips(rows)?;
        let of_row = |(&row, &count): (&usize, &usize)| consecutive(row, count, clips).collect::<Vec<_>>();
        let of_rows: Vec<Vec<Snippet>> = rows.iter().zip(&counts).map(of_row).collect();
        let mut of_snippets = Vec::new();
        for some in of_rows.concat().chunks(TOGETHER) {
            let logits = self.logits(some, clips, &device, None)?;
            let labels = logits.dims()[1];
            let data = numbers(loss::label_probabilities(task, logits));
            of_snippets.extend(data.chunks_exact(labels).map(<[f32]>::to_vec));
        }
        let mut rest = of_snippets.as_slice();
        let mean = |of_row: Vec<Snippet>| {
            let (own, others) = rest.split_at(of_row.len());
            rest = others;
            let labels = own.first().map_or(0, Vec::len);
            let sum = |label: usize| own.iter().map(|snippet| f64::from(snippet[label])).sum::<f64>();
            (0..labels).map(|label| sum(label) / own.len() as f64).collect()
        };
        let means: Vec<Vec<f64>> = of_rows.into_iter().map(mean).collect();
        match means.iter().position(|probabilities| probabilities.iter().any(|probability| !probability.is_finite())) {
            Some(at) => Err(ClassifierError::NotFinite { row: self.table_row(rows[at]) + 1 }),
            None => Ok(means),
        }
    }
}
