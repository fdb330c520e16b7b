//! A backbone with the simplest head, for training: the mean of the vectors of a few clips of a
//! video, and a linear layer.

use burn_core::tensor::{Device, Tensor};
use rand_chacha::{ChaCha8Rng, rand_core::Rng};

use super::{
    classifier::{Classifier, ClassifierError},
    clip_pictures::ClipPictures,
    differentiable::{Differentiable, Mode},
    snippets::Snippet,
};
use crate::{
    networks::{graph::Graph, heads::MEAN},
    weights::{Weights, seed::initial},
};

/// Clips that are run at a time where nothing is trained: what a backbone makes of pictures is much
/// larger than what it makes in the end.
const TOGETHER: usize = 32;

/// The backbone and the head.
pub struct BackboneClassifier {
    networks: [(String, Differentiable); 2],
    pictures: ClipPictures,
}

impl BackboneClassifier {
    /// The names of the two networks.
    pub const NETWORKS: [&str; 2] = ["backbone", "classifier"];

    /// `backbone`, which makes vectors of `features` numbers, for `labels` labels, over what
    /// `pictures` holds; with `weights` of the two, or such as training begins with.
    ///
    /// # Errors
    /// [`crate::Error::MissingWeight`] and [`crate::Error::WeightShape`] where the weights are not
    /// the networks'.
    pub fn new(
        backbone: Graph,
        features: usize,
        labels: usize,
        pictures: ClipPictures,
        weights: Begin<'_>,
        device: &Device,
    ) -> Result<BackboneClassifier, crate::Error> {
        // How many clips there are decides no weight.
        let graphs = [backbone, MEAN.over(1, features, labels)];
        let of = |at: usize, graph: Graph| -> Result<(String, Differentiable), crate::Error> {
            let name = Self::NETWORKS[at];
            let network = match weights {
                Begin::Backbone(weights, _) if at == 0 => Differentiable::new(graph, weights, device),
                Begin::Seed(seed) | Begin::Backbone(_, seed) => {
                    Differentiable::new(graph.clone(), &initial(&graph, seed, name), device)
                }
                Begin::Weights(weights) => Differentiable::new(graph, &weights[at], device),
            }?;
            Ok((name.to_owned(), network))
        };
        let [backbone, head] = graphs;
        Ok(BackboneClassifier { networks: [of(0, backbone)?, of(1, head)?], pictures })
    }
}

/// Initial weights.
#[derive(Clone, Copy)]
pub enum Begin<'a> {
    /// Numbers drawn from a seed.
    Seed(u64),
    /// These weights of the backbone, and a head drawn from a seed.
    Backbone(&'a Weights, u64),
    /// The weights of the backbone and the head.
    Weights(&'a [Weights]),
}

impl Classifier for BackboneClassifier {
    fn networks(&mut self) -> &mut [(String, Differentiable)] {
        &mut self.networks
    }

    fn clips(&self, rows: &[usize]) -> Result<Vec<usize>, ClassifierError> {
        Ok(rows.iter().map(|&row| self.pictures.clips(row)).collect())
    }

    /// In training, each clip is shown as it is or as in a mirror.
    fn logits(
        &mut self,
        snippets: &[Snippet],
        clips: usize,
        device: &Device,
        mut random: Option<&mut ChaCha8Rng>,
    ) -> Result<Tensor<2>, ClassifierError> {
        let shape = self.pictures.shape();
        let (size, side) = (shape.iter().product::<usize>(), shape[shape.len() - 1]);
        let all = snippets.iter().flat_map(|snippet| (0..clips).map(|clip| (snippet.row, snippet.first + clip)));
        let all: Vec<(usize, usize)> = all.collect();
        let [(_, backbone), (_, head)] = &mut self.networks;
        let mut vectors = Vec::new();
        let together = if random.is_some() { all.len() } else { TOGETHER };
        for some in all.chunks(together) {
            let mut input = vec![0.0; some.len() * size];
            for (&(row, clip), data) in some.iter().zip(input.chunks_exact_mut(size)) {
                self.pictures.fill(row, clip, data);
                if random.as_deref_mut().is_some_and(|random| random.next_u32() & 1 == 1) {
                    data.chunks_exact_mut(side).for_each(<[f32]>::reverse);
                }
            }
            let input = Tensor::<1>::from_floats(input.as_slice(), device);
            let mode = random.as_deref_mut().map_or(Mode::Inference, Mode::Training);
            let batch = some.len();
            vectors.push(match shape[..] {
                [channels, height, width] => backbone.run(input.reshape([batch, channels, height, width]), mode),
                [channels, frames, height, width] => {
                    backbone.run(input.reshape([batch, channels, frames, height, width]), mode)
                }
                _ => unreachable!("a clip has three axes or four"),
            }?);
        }
        let vectors = Tensor::cat(vectors, 0);
        let features = vectors.dims()[1];
        let mode = random.map_or(Mode::Inference, Mode::Training);
        Ok(head.run(vectors.reshape([snippets.len(), clips, features]), mode)?)
    }
}
