//! A frozen backbone: a network with its weights and their preprocessing, which determine the
//! vector of a clip.

use divita_runtime::{bundle::StreamInput, network::StreamName};

use super::{
    onnx::{self, Precision},
    onnx_backbone::OnnxBackbone,
};
use crate::{
    Error,
    networks::{Backbone, cost},
    weights::{Weights, seed::seeded},
};

/// A backbone with fixed weights.
#[derive(Clone, Debug)]
pub struct FrozenBackbone {
    /// The network.
    pub network: FrozenNetwork,
    /// Preprocessing that the weights were trained with.
    pub input: StreamInput,
}

/// The network of a frozen backbone.
#[derive(Clone, Debug)]
pub enum FrozenNetwork {
    /// A network of [`crate::networks`] and its weights.
    Described {
        /// The network.
        backbone: Backbone,
        /// The weights, with batch norm.
        weights: Weights,
    },
    /// A feature extractor from an ONNX file.
    Onnx(OnnxBackbone),
}

impl FrozenBackbone {
    /// Creates `backbone` with random weights from `seed`, drawn for `stream`, and the publisher's
    /// preprocessing.
    #[must_use]
    pub fn seeded(backbone: Backbone, seed: u64, stream: &str) -> FrozenBackbone {
        let weights = seeded(&backbone.graph(1), seed, stream);
        FrozenBackbone { network: FrozenNetwork::Described { backbone, weights }, input: backbone.input() }
    }

    /// Returns the name of the network: as in `divita-models zoo`, or as an ONNX file was imported.
    #[must_use]
    pub fn name(&self) -> &str {
        match &self.network {
            FrozenNetwork::Described { backbone, .. } => backbone.name(),
            FrozenNetwork::Onnx(onnx) => &onnx.facts.network,
        }
    }

    /// Returns the network of [`crate::networks`], if it is one.
    #[must_use]
    pub fn described(&self) -> Option<Backbone> {
        match &self.network {
            FrozenNetwork::Described { backbone, .. } => Some(*backbone),
            FrozenNetwork::Onnx(_) => None,
        }
    }

    /// Returns the stream whose input it reads.
    #[must_use]
    pub fn stream(&self) -> StreamName {
        match &self.network {
            FrozenNetwork::Described { backbone, .. } => backbone.stream(),
            FrozenNetwork::Onnx(onnx) => onnx.stream(),
        }
    }

    /// Returns the length of its vectors (b in the paper).
    #[must_use]
    pub fn features(&self) -> usize {
        match &self.network {
            FrozenNetwork::Described { backbone, .. } => backbone.features(),
            FrozenNetwork::Onnx(onnx) => onnx.facts.features,
        }
    }

    /// Returns whether one ONNX file of it accepts clips of `clip_frames` frames, as a bundle needs
    /// for each of its rates.
    #[must_use]
    pub fn serves(&self, clip_frames: usize) -> bool {
        match &self.network {
            FrozenNetwork::Described { backbone, .. } => {
                backbone.stream() == StreamName::Image || backbone.graph(1).any_frames
            }
            FrozenNetwork::Onnx(onnx) => {
                onnx.facts.frames.is_none_or(|frames| frames == self.input.frames(clip_frames))
            }
        }
    }

    /// Returns its ONNX file for clips of `clip_frames` frames. An imported file is returned
    /// unchanged, whatever `precision`.
    ///
    /// # Errors
    /// Those of [`onnx::encode`].
    pub fn onnx(&self, clip_frames: usize, precision: Precision) -> Result<Vec<u8>, Error> {
        match &self.network {
            FrozenNetwork::Described { backbone, weights } => {
                onnx::encode(&backbone.graph(self.input.frames(clip_frames)), weights, precision)
            }
            FrozenNetwork::Onnx(onnx) => Ok(onnx.bytes.clone()),
        }
    }

    /// Returns the shape of its input for clips of `clip_frames` frames, with a batch of one.
    #[must_use]
    pub fn input_shape(&self, clip_frames: usize) -> Vec<usize> {
        let frames = match self.stream() {
            StreamName::Image => None,
            StreamName::Video => Some(self.input.frames(clip_frames)),
        };
        [1, 3].into_iter().chain(frames).chain([self.input.size; 2]).collect()
    }

    /// Counts its parameters.
    #[must_use]
    pub fn parameters(&self) -> u64 {
        match &self.network {
            FrozenNetwork::Described { backbone, .. } => cost::parameters(&backbone.graph(1)),
            FrozenNetwork::Onnx(onnx) => onnx.parameters(),
        }
    }

    /// Counts the multiply-accumulates for a clip of `clip_frames` frames; 0 where they cannot be
    /// counted.
    #[must_use]
    pub fn macs(&self, clip_frames: usize) -> u64 {
        match &self.network {
            FrozenNetwork::Described { backbone, .. } => cost::macs(&backbone.graph(self.input.frames(clip_frames))),
            FrozenNetwork::Onnx(onnx) => onnx.macs(&self.input_shape(clip_frames)).unwrap_or_default(),
        }
    }
}
