//! A network as layers for any input size: the channels that each layer reads, and its weights,
//! packed for the processor.
//!
//! [`Builder`] adds layers and returns channels: the layer that computes a channel, and the
//! channel's place in it. Splitting, joining and shuffling only rearrange channels and cost
//! nothing.

use std::sync::Arc;

use crate::attention::Attention;
use crate::depthwise::Sides;
use crate::instructions::Instructions;
use crate::int8::Scale;
use crate::norm::NormWeights;
use crate::weights::{DepthwiseWeights, Packed, Weights};

/// A channel of activations: the layer that computes it, and its place among the layer's channels.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Channel {
    pub layer: usize,
    pub place: usize,
}

/// Neighbouring channels of one layer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Stretch {
    pub layer: usize,
    pub place: usize,
    pub length: usize,
}

/// The first convolution, its ReLU and its max pool.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct StemLayer {
    pub colours: usize,
    pub kernel: Sides,
    pub step: Sides,
    pub weights: Arc<Packed>,
}

/// The computation of a layer.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Layer {
    /// Reads the network's input as planes.
    Stem(StemLayer),
    /// Reads the network's input as rows: this number of channels at each position.
    Rows(usize),
    /// A 1x1 convolution, or a matrix product at each position.
    Pointwise { input: Vec<Stretch>, weights: Arc<Packed>, relu: bool },
    /// A depthwise convolution, stretch by stretch.
    Depthwise { input: Vec<Stretch>, kernel: Sides, step: Sides, weights: Vec<Arc<DepthwiseWeights>> },
    /// Attention of each position to all positions.
    Attention { input: [Stretch; 3], attention: Attention },
    /// The sum of two inputs, normalised at each position.
    AddNorm { input: [Stretch; 2], weights: Arc<NormWeights> },
    /// The mean over all positions, of activations in eight bits if there is a scale.
    Mean { input: Stretch, scale: Option<Scale> },
}

impl Layer {
    /// Returns the channels that the layer reads from other layers.
    pub fn input(&self) -> &[Stretch] {
        match self {
            Layer::Stem(_) | Layer::Rows(_) => &[],
            Layer::Pointwise { input, .. } | Layer::Depthwise { input, .. } => input,
            Layer::Attention { input, .. } => input,
            Layer::AddNorm { input, .. } => input,
            Layer::Mean { input, .. } => std::slice::from_ref(input),
        }
    }
}

/// A network. Its output is the channels of the last layer at each of its positions.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Layers {
    pub layers: Vec<Layer>,
    /// Number of positions of the last layer: 1 behind a mean.
    pub rows: usize,
    /// Number of outputs at each position.
    pub outputs: usize,
    pub instructions: Instructions,
}

/// Builds a network layer by layer. The caller knows the shapes, and passes layers that fit
/// together.
pub(crate) struct Builder {
    instructions: Instructions,
    layers: Vec<Layer>,
}

impl Builder {
    pub fn new(instructions: Instructions) -> Self {
        Builder { instructions, layers: Vec::new() }
    }

    fn push(&mut self, layer: Layer, channels: usize) -> Vec<Channel> {
        self.layers.push(layer);
        let layer = self.layers.len() - 1;
        (0..channels).map(|place| Channel { layer, place }).collect()
    }

    /// Adds the first convolution of planes, its ReLU and its max pool. `weights` are (outputs,
    /// colours x kernel).
    pub fn stem(&mut self, colours: usize, kernel: Sides, step: Sides, weights: Weights<'_>) -> Vec<Channel> {
        let packed = Arc::new(self.instructions.pack_stem(weights, colours));
        self.push(Layer::Stem(StemLayer { colours, kernel, step, weights: packed }), weights.bias.len())
    }

    /// Adds the network's input, (positions, channels).
    pub fn rows(&mut self, channels: usize) -> Vec<Channel> {
        self.push(Layer::Rows(channels), channels)
    }

    /// Adds a 1x1 convolution. `weights` are (outputs, inputs).
    pub fn pointwise(&mut self, channels: &[Channel], weights: Weights<'_>, relu: bool) -> Vec<Channel> {
        let (input, order) = stretches(channels);
        let weights_of = Arc::new(self.instructions.pack(weights, &order, input.iter().map(|stretch| stretch.length)));
        self.push(Layer::Pointwise { input, weights: weights_of, relu }, weights.bias.len())
    }

    /// Adds a depthwise convolution. `weights` are (channels, taps).
    pub fn depthwise(
        &mut self,
        channels: &[Channel],
        kernel: Sides,
        step: Sides,
        weights: Weights<'_>,
    ) -> Vec<Channel> {
        let (input, order) = stretches(channels);
        let mut own = order.as_slice();
        let mut packed = Vec::new();
        for stretch in &input {
            let (these, others) = own.split_at(stretch.length);
            packed.push(Arc::new(self.instructions.pack_depthwise(weights, these)));
            own = others;
        }
        let made = self.push(Layer::Depthwise { input, kernel, step, weights: packed }, channels.len());
        let mut channels = made.clone();
        order.iter().zip(made).for_each(|(&channel, at)| channels[channel] = at);
        channels
    }

    /// Adds attention of each position to all positions, over neighbouring channels.
    pub fn attention(&mut self, [query, key, value]: [&[Channel]; 3], attention: Attention) -> Vec<Channel> {
        let input = [query, key, value].map(stretch);
        self.push(Layer::Attention { input, attention }, query.len())
    }

    /// Adds the sum of two lists of neighbouring channels, normalised over the channels of each
    /// position.
    pub fn add_norm(&mut self, [a, b]: [&[Channel]; 2], weights: NormWeights) -> Vec<Channel> {
        self.push(Layer::AddNorm { input: [a, b].map(stretch), weights: Arc::new(weights) }, a.len())
    }

    /// Adds the mean over all positions of each of the neighbouring channels. In eight bits they
    /// have a scale.
    pub fn mean(&mut self, channels: &[Channel], scale: Option<Scale>) -> Vec<Channel> {
        let scale = scale.filter(|_| self.instructions.is_int8());
        self.push(Layer::Mean { input: stretch(channels), scale }, channels.len())
    }

    /// Returns the network whose output is `output`, the channels of the last layer, at `rows`
    /// positions.
    pub fn finish(self, output: &[Channel], rows: usize) -> Layers {
        Layers { layers: self.layers, rows, outputs: output.len(), instructions: self.instructions }
    }
}

/// Returns `channels` as stretches, sorted by their place, and the index of each channel in that
/// order.
fn stretches(channels: &[Channel]) -> (Vec<Stretch>, Vec<usize>) {
    let mut order: Vec<usize> = (0..channels.len()).collect();
    order.sort_by_key(|&at| channels[at]);
    let mut stretches: Vec<Stretch> = Vec::new();
    for &at in &order {
        let Channel { layer, place } = channels[at];
        match stretches.last_mut() {
            Some(last) if last.layer == layer && last.place + last.length == place => last.length += 1,
            _ => stretches.push(Stretch { layer, place, length: 1 }),
        }
    }
    (stretches, order)
}

/// Returns channels that are sorted neighbours as one stretch.
///
/// # Panics
/// Panics if they are not. The channels of one layer always are.
fn stretch(channels: &[Channel]) -> Stretch {
    let (stretches, order) = stretches(channels);
    assert!(stretches.len() == 1 && order.is_sorted(), "the channels of one layer, in its order");
    stretches[0]
}
