//! Late fusion: a head for each stream, whose logits are averaged (paper, section 5).

use burn_core::tensor::{Device, Tensor, activation};
use rand_chacha::ChaCha8Rng;

use super::{
    clip_vectors::ClipVectors,
    differentiable::{Differentiable, Mode, Untrainable, numbers},
    snippets::{Snippet, consecutive, gather},
};
use crate::{networks::Head, representations, weights::Weights};

/// Snippets that are run at a time where nothing is trained.
const TOGETHER: usize = 64;

/// The heads, in the order of the streams of [`ClipVectors`].
pub struct Fusion {
    /// Name of each stream, and its head.
    pub heads: Vec<(String, Differentiable)>,
}

/// Why there is no result.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FusionError {
    /// A head cannot be run here.
    #[error(transparent)]
    Untrainable(#[from] Untrainable),
    /// A probability is no number.
    #[error(
        "the probabilities of the video in row {row} of the table are no numbers: its vectors are not finite, or the rate was too high; what the last whole epoch left is kept"
    )]
    NotFinite {
        /// The row, from 1, the heading left out.
        row: usize,
    },
    /// Vectors cannot be read.
    #[error("the vectors of a clip cannot be read")]
    Vectors(#[from] representations::Error),
}

impl Fusion {
    /// A head `kind` over each of the streams called `names`, whose vectors have `features` numbers, with its own of `weights`.
    ///
    /// # Errors
    /// [`crate::Error::MissingWeight`] and [`crate::Error::WeightShape`] where weights are not the head's.
    pub fn new(
        kind: Head,
        clips: usize,
        features: &[usize],
        labels: usize,
        names: &[String],
        weights: &[Weights],
        device: &Device,
    ) -> Result<Fusion, crate::Error> {
        let head = |((name, &features), weights): ((&String, &usize), &Weights)| {
            Ok((name.clone(), Differentiable::new(kind.over(clips, features, labels), weights, device)?))
        };
        let heads = names.iter().zip(features).zip(weights).map(head).collect::<Result<_, crate::Error>>()?;
        Ok(Fusion { heads })
    }

    /// Logits of `snippets` of `clips` clips, (snippets, labels), on `device`. `random` draws what dropout leaves out; without it nothing is, and batch norms take what they have kept.
    ///
    /// # Errors
    /// [`FusionError`].
    pub fn logits(
        &mut self,
        vectors: &ClipVectors,
        snippets: &[Snippet],
        clips: usize,
        device: &Device,
        mut random: Option<&mut ChaCha8Rng>,
    ) -> Result<Tensor<2>, FusionError> {
        let streams = self.heads.len();
        let mut sum: Option<Tensor<2>> = None;
        for (stream, features) in vectors.num_features().enumerate().take(streams) {
            let input = gather(vectors, stream, snippets, clips, features)?;
            let input = Tensor::<1>::from_floats(input.as_slice(), device).reshape([snippets.len(), clips, features]);
            let mode = random.as_deref_mut().map_or(Mode::Inference, Mode::Training);
            let logits = self.heads[stream].1.run(input, mode)?;
            sum = Some(match sum {
                Some(sum) => sum + logits,
                None => logits,
            });
        }
        Ok(sum.expect("there is a stream") / streams as f64)
    }

    /// Probabilities of the labels of the videos at `rows`: the mean over each one's snippets (paper, section 5).
    ///
    /// # Errors
    /// [`FusionError`].
    pub fn probabilities(
        &mut self,
        vectors: &ClipVectors,
        rows: &[usize],
        clips: usize,
        device: &Device,
    ) -> Result<Vec<Vec<f64>>, FusionError> {
        let device = device.clone().inner();
        let of_rows = crate::parallel::for_each(rows, |&row| consecutive(vectors, row, clips));
        let of_rows = of_rows.into_iter().collect::<Result<Vec<_>, _>>()?;
        let snippets: Vec<Snippet> = of_rows.iter().flatten().copied().collect();
        let mut of_snippets = Vec::new();
        for some in snippets.chunks(TOGETHER) {
            let logits = self.logits(vectors, some, clips, &device, None)?;
            let labels = logits.dims()[1];
            let data = numbers(activation::sigmoid(logits));
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
            Some(at) => Err(FusionError::NotFinite { row: rows[at] + 1 }),
            None => Ok(means),
        }
    }
}
