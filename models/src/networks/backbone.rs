//! What the table of backbones says of each: a network that makes the vector of a clip.

use std::fmt;

use divita_runtime::{bundle::StreamInput, network::StreamName};

use super::{
    cost,
    graph::Graph,
    head::{LABELS, SNIPPET_CLIPS},
    heads::CAT,
};

/// A backbone: it reads each clip of a snippet. A head reads the vectors of the snippet.
///
/// Two backbones are equal when their names are.
#[derive(Clone, Copy)]
pub struct Backbone {
    /// Name, as commands, stores and files of weights spell it.
    pub(super) name: &'static str,
    /// Length of its vectors.
    pub(super) features: usize,
    /// Whether it reads the keyframe or all frames of a clip.
    pub(super) stream: StreamName,
    /// Its graph for clips of so many frames.
    pub(super) graph: fn(usize) -> Graph,
    /// The publisher's preprocessing.
    pub(super) input: fn() -> StreamInput,
    /// Whether `fit-backbone` trains it: burn differentiates its layers, and a processor trains it
    /// within minutes.
    pub(super) is_trainable: bool,
}

impl Backbone {
    /// Returns the name, as commands, stores and files of weights spell it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        self.name
    }

    /// Returns the length of its vectors (b in the paper).
    #[must_use]
    pub const fn features(self) -> usize {
        self.features
    }

    /// Returns whether it reads the keyframe or all frames of a clip.
    #[must_use]
    pub const fn stream(self) -> StreamName {
        self.stream
    }

    /// Builds its graph for clips of `frames` frames.
    #[must_use]
    pub fn graph(self, frames: usize) -> Graph {
        (self.graph)(frames)
    }

    /// Returns the publisher's preprocessing: how frames become its input unless its weights say
    /// otherwise.
    #[must_use]
    pub fn input(self) -> StreamInput {
        (self.input)()
    }

    /// Returns whether `fit-backbone` trains it.
    #[must_use]
    pub const fn is_trainable(self) -> bool {
        self.is_trainable
    }

    /// Builds the graph of the paper's head over its vectors.
    #[must_use]
    pub fn head(self) -> Graph {
        CAT.graph(self.features, LABELS)
    }

    /// Counts the parameters of backbone and head.
    #[must_use]
    pub fn parameters(self) -> u64 {
        cost::parameters(&self.graph(1)) + cost::parameters(&self.head())
    }

    /// Counts the multiply-accumulates of a snippet: the backbone on each of its 30 clips of
    /// `frames` frames, and the head once.
    #[must_use]
    pub fn macs_per_snippet(self, frames: usize) -> u64 {
        SNIPPET_CLIPS as u64 * cost::macs(&self.graph(frames)) + cost::macs(&self.head())
    }
}

impl PartialEq for Backbone {
    fn eq(&self, other: &Backbone) -> bool {
        self.name == other.name
    }
}

impl Eq for Backbone {}

impl fmt::Debug for Backbone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Backbone").field(&self.name).finish()
    }
}
