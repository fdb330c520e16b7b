//! Late fusion: one head per stream, whose logits are averaged (paper, section 5).

use burn_core::tensor::{Device, Tensor, TensorData};
use rand_chacha::ChaCha8Rng;

use super::{
    classifier::{Classifier, ClassifierError, Loss},
    clip_vectors::ClipVectors,
    differentiable::{Differentiable, Mode, ParameterGradients},
    snippets::{Snippet, gather},
};
use crate::{
    networks::Head,
    parallel::{for_each, for_each_mut},
    weights::Weights,
};

/// The heads, in the order of the streams of the vectors that they read.
pub struct Fusion {
    /// Name of each stream, and its head.
    heads: Vec<(String, Differentiable)>,
    vectors: ClipVectors,
}

impl Fusion {
    /// Returns a head `kind` over each of the streams of `vectors`, which are called `names`, with
    /// its own of `weights`.
    ///
    /// # Errors
    /// [`crate::Error::MissingWeight`] and [`crate::Error::WeightShape`] where weights are not the
    /// head's.
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
        random: Option<&mut ChaCha8Rng>,
    ) -> Result<Tensor<2>, ClassifierError> {
        Ok(mean(self.of_heads(snippets, clips, device, random)?))
    }

    /// Returns every head runs forward and backward on a thread of its own: they meet in the mean
    /// of their logits only.
    fn gradients(
        &mut self,
        snippets: &[Snippet],
        clips: usize,
        device: &Device,
        random: &mut ChaCha8Rng,
        loss: Loss<'_>,
    ) -> Result<(f64, Vec<ParameterGradients>), ClassifierError> {
        let logits = self.of_heads(snippets, clips, device, Some(random))?;
        let fused = Tensor::from_inner(mean(logits.iter().map(|logits| logits.clone().inner()).collect()));
        let fused = fused.require_grad();
        let loss = loss(fused.clone())?;
        let value = f64::from(loss.clone().into_scalar::<f32>());
        let gradient = fused.grad(&loss.backward()).expect("a loss depends on the logits") / logits.len() as f64;
        let heads = logits.into_iter().zip(&mut self.heads).map(|(logits, (_, head))| (Some(logits), head));
        let gradients = for_each_mut(&mut heads.collect::<Vec<_>>(), |(logits, head)| {
            // Its derivative by the logits is the gradient.
            let product = logits.take().map(|logits| (logits * Tensor::from_inner(gradient.clone())).sum());
            product.map(|product| head.gradients(&product.backward())).unwrap_or_default()
        });
        Ok((value, gradients))
    }
}

impl Fusion {
    /// Returns the logits of each head. What training draws for a head is what it would draw if the
    /// heads ran one after the other.
    fn of_heads(
        &mut self,
        snippets: &[Snippet],
        clips: usize,
        device: &Device,
        mut random: Option<&mut ChaCha8Rng>,
    ) -> Result<Vec<Tensor<2>>, ClassifierError> {
        let Fusion { heads, vectors } = self;
        let mut with_draws = Vec::new();
        for (stream, (_, head)) in heads.iter_mut().enumerate() {
            let own = random.as_deref().cloned();
            if let Some(random) = random.as_deref_mut() {
                random.set_word_pos(random.get_word_pos() + head.words_drawn(snippets.len()));
            }
            with_draws.push((stream, head, own));
        }
        let logits = for_each_mut(&mut with_draws, |(stream, head, random)| {
            let features = head.graph().input_shape()[2];
            let input = gather(vectors, *stream, snippets, clips, features)?;
            let input = Tensor::<3>::from_data(TensorData::new(input, [snippets.len(), clips, features]), device);
            Ok(head.run(input, random.as_mut().map_or(Mode::Inference, Mode::Training))?)
        });
        logits.into_iter().collect()
    }
}

/// Returns the mean of the heads' logits.
fn mean(logits: Vec<Tensor<2>>) -> Tensor<2> {
    let heads = logits.len() as f64;
    logits.into_iter().reduce(|sum, logits| sum + logits).expect("there is a stream") / heads
}
