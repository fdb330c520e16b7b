//! The table of the networks that this tool knows, with what each costs and what the paper says it costs.

use crate::{
    cost,
    graph::Graph,
    networks::{FEATURES, SNIPPET_CLIPS, cat_head, shufflenet_2d, shufflenet_3d},
};

/// A stream of a network: a backbone that sees each clip and a head that sees the snippet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stream {
    /// ShuffleNet V2 on the keyframe.
    Shufflenet2d,
    /// 3D ShuffleNet V2 on all f frames.
    Shufflenet3d,
}

impl Stream {
    /// The backbone for clips of `frames` frames.
    #[must_use]
    pub fn backbone(self, frames: usize) -> Graph {
        match self {
            Stream::Shufflenet2d => shufflenet_2d(),
            Stream::Shufflenet3d => shufflenet_3d(frames),
        }
    }

    /// The head over the backbone's vectors.
    #[must_use]
    pub fn head(self) -> Graph {
        cat_head(FEATURES)
    }

    /// Parameters of backbone and head.
    #[must_use]
    pub fn parameters(self) -> u64 {
        cost::parameters(&self.backbone(1)) + cost::parameters(&self.head())
    }

    /// Multiply-accumulates of a snippet: the backbone on each of its 30 clips of `frames` frames, and the head once.
    #[must_use]
    pub fn macs_per_snippet(self, frames: usize) -> u64 {
        SNIPPET_CLIPS as u64 * cost::macs(&self.backbone(frames)) + cost::macs(&self.head())
    }
}

/// A network of the paper: one stream, or two fused late.
#[derive(Clone, Copy, Debug)]
pub struct Network {
    /// Name, as other programs know it.
    pub name: &'static str,
    /// Its streams.
    pub streams: &'static [Stream],
    /// Parameters according to the paper's table, millions.
    pub paper_parameters_m: f64,
    /// Multiply-accumulates of a snippet of 30 clips of 24 frames according to the paper's table, thousand millions.
    pub paper_macs_g: f64,
}

/// Every network, in the paper's order.
pub const NETWORKS: [Network; 3] = [
    Network { name: "shufflenet-2d", streams: &[Stream::Shufflenet2d], paper_parameters_m: 1.7, paper_macs_g: 4.3 },
    Network { name: "shufflenet-3d", streams: &[Stream::Shufflenet3d], paper_parameters_m: 1.7, paper_macs_g: 8.5 },
    Network {
        name: "shufflenet-fusion",
        streams: &[Stream::Shufflenet2d, Stream::Shufflenet3d],
        paper_parameters_m: 3.3,
        paper_macs_g: 12.9,
    },
];

impl Network {
    /// Parameters of all streams, heads included.
    #[must_use]
    pub fn parameters(&self) -> u64 {
        self.streams.iter().map(|stream| stream.parameters()).sum()
    }

    /// Multiply-accumulates of a snippet of 30 clips of `frames` frames, heads included.
    #[must_use]
    pub fn macs_per_snippet(&self, frames: usize) -> u64 {
        self.streams.iter().map(|stream| stream.macs_per_snippet(frames)).sum()
    }
}
