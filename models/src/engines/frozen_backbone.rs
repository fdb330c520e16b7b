//! A frozen backbone: a network with its weights and their preprocessing, which together decide the vector of a clip.

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

/// A backbone that makes vectors and is not trained any more.
#[derive(Clone, Debug)]
pub struct FrozenBackbone {
    /// The network.
    pub network: FrozenNetwork,
    /// How frames become its input: the preprocessing that its weights were trained with.
    pub input: StreamInput,
}

/// The network of a frozen backbone.
#[derive(Clone, Debug)]
pub enum FrozenNetwork {
    /// One that this tool describes, and its weights.
    Described {
        /// The description.
        backbone: Backbone,
        /// The weights, batch norm unfolded.
        weights: Weights,
    },
    /// A feature extractor that was exported elsewhere.
    Onnx(OnnxBackbone),
}

impl FrozenBackbone {
    /// `backbone` with random weights from `seed`, drawn for `stream`, and its usual preprocessing.
    #[must_use]
    pub fn seeded(backbone: Backbone, seed: u64, stream: &str) -> FrozenBackbone {
        let weights = seeded(&backbone.graph(1), seed, stream);
        FrozenBackbone { network: FrozenNetwork::Described { backbone, weights }, input: backbone.input() }
    }

    /// Name of the network: that of `divita-models zoo`, or the one that an ONNX file was imported under.
    #[must_use]
    pub fn name(&self) -> &str {
        match &self.network {
            FrozenNetwork::Described { backbone, .. } => backbone.name(),
            FrozenNetwork::Onnx(onnx) => &onnx.facts.network,
        }
    }

    /// The described network, where it is one.
    #[must_use]
    pub fn described(&self) -> Option<Backbone> {
        match &self.network {
            FrozenNetwork::Described { backbone, .. } => Some(*backbone),
            FrozenNetwork::Onnx(_) => None,
        }
    }

    /// The stream whose input it reads.
    #[must_use]
    pub fn stream(&self) -> StreamName {
        match &self.network {
            FrozenNetwork::Described { backbone, .. } => backbone.stream(),
            FrozenNetwork::Onnx(onnx) => onnx.stream(),
        }
    }

    /// Length of its vectors (b in the paper).
    #[must_use]
    pub fn features(&self) -> usize {
        match &self.network {
            FrozenNetwork::Described { backbone, .. } => backbone.features(),
            FrozenNetwork::Onnx(onnx) => onnx.facts.features,
        }
    }

    /// Whether one ONNX file of it serves clips of `clip_frames` frames, as a bundle needs for each of its rates.
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

    /// Its ONNX file for clips of `clip_frames` frames. A file from elsewhere is passed on as it is, whatever `precision`.
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

    /// Shape of its input for clips of `clip_frames` frames, batch of one.
    #[must_use]
    pub fn input_shape(&self, clip_frames: usize) -> Vec<usize> {
        let frames = match self.stream() {
            StreamName::Image => None,
            StreamName::Video => Some(self.input.frames(clip_frames)),
        };
        [1, 3].into_iter().chain(frames).chain([self.input.size; 2]).collect()
    }

    /// Number of its parameters.
    #[must_use]
    pub fn parameters(&self) -> u64 {
        match &self.network {
            FrozenNetwork::Described { backbone, .. } => cost::parameters(&backbone.graph(1)),
            FrozenNetwork::Onnx(onnx) => onnx.parameters(),
        }
    }

    /// Multiply-accumulates for a clip of `clip_frames` frames; 0 where they cannot be counted.
    #[must_use]
    pub fn macs(&self, clip_frames: usize) -> u64 {
        match &self.network {
            FrozenNetwork::Described { backbone, .. } => cost::macs(&backbone.graph(self.input.frames(clip_frames))),
            FrozenNetwork::Onnx(onnx) => onnx.macs(&self.input_shape(clip_frames)).unwrap_or_default(),
        }
    }
}
