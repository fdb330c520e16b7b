//! Late fusion: a head for each stream, whose logits are averaged (paper, section 5).

use burn_core::tensor::{Device, Tensor};
use rand_chacha::ChaCha8Rng;

use super::{
    classifier::{Classifier, ClassifierError},
    clip_vectors::ClipVectors,
    differentiable::{Differentiable, Mode},
    snippets::{Snippet, gather},
};
use crate::{networks::Head, parallel::for_each, weights::Weights};

/// The heads, in the order of the streams of the vectors that they read.
pub struct Fusion {
    /// Name of each stream, and its head.
    heads: Vec<(String, Differentiable)>,
    vectors: ClipVectors,
}

impl Fusion {
    /// A head `kind` over each of the streams of `vectors`, which are called `names`, with its own of `weights`.
    ///
    /// # Errors
    /// [`crate::Error::MissingWeight`] and [`crate::Error::WeightShape`] where weights are not the head's.
    pub fn new(
        vectors: ClipVectors,
        kind: Head,
        clips: usize,
        labels: usize,
        names: &[String],
        weights: &[Weights],
        device: &Device,
    ) -> Result<Fusion, crate::Error> {
        let head = |((name, features), weights): ((&String, usize), &Weights)| {
            Ok((name.clone(), Differentiable::new(kind.over(clips, features, labels), weights, device)?))
        };
        let heads =
            names.iter().zip(vectors.num_features()).zip(weights).map(head).collect::<Result<_, crate::Error>>()?;
        Ok(Fusion { heads, vectors })
    }

    /// Puts other weights in the place of the heads'.
    ///
    /// # Errors
    /// As [`Fusion::new`].
    pub fn load(&mut self, weights: &[Weights], device: &Device) -> Result<(), crate::Error> {
        for ((_, head), weights) in self.heads.iter_mut().zip(weights) {
            *head = Differentiable::new(head.graph().clone(), weights, device)?;
        }
        Ok(())
    }
}

impl Classifier for Fusion {
    fn networks(&mut self) -> &mut [(String, Differentiable)] {
        &mut self.heads
    }

    fn table_row(&self, row: usize) -> usize {
        self.vectors.table_row(row)
    }

    fn clips(&self, rows: &[usize]) -> Result<Vec<usize>, ClassifierError> {
        let clips = for_each(rows, |&row| self.vectors.clips(row));
        Ok(clips.into_iter().collect::<Result<_, _>>()?)
    }

    fn logits(
        &mut self,
        snippets: &[Snippet],
        clips: usize,
        device: &Device,
        mut random: Option<&mut ChaCha8Rng>,
    ) -> Result<Tensor<2>, ClassifierError> {
        let streams = self.heads.len();
        let mut sum: Option<Tensor<2>> = None;
        for (stream, features) in self.vectors.num_features().enumerate().take(streams) {
            let input = gather(&self.vectors, stream, snippets, clips, features)?;
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
}
