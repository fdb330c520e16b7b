//! A network as layers, whatever the size of its input: which channels each layer reads, and its weights, packed for the processor.
//!
//! [`Builder`] is told of layers and gives channels back: which layer makes each, and where in what it makes. To split, join or shuffle is to
//! rearrange those, and costs nothing.

use std::sync::Arc;

use crate::attention::Attention;
use crate::depthwise::{DepthwiseWeights, Sides};
use crate::instructions::Instructions;
use crate::matmul::Packed;
use crate::norm::NormWeights;

/// A channel of activations: the layer that makes it, and which of the layer's channels.
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

/// Weights (outputs, inputs) row-major, or (channels, taps), with a bias for each output.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Weights<'a> {
    pub data: &'a [f32],
    pub bias: &'a [f32],
}

/// The first convolution, its ReLU and its max pool.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct StemLayer {
    pub colours: usize,
    pub kernel: Sides,
    pub step: Sides,
    pub weights: Arc<Packed>,
}

/// What a layer does.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Layer {
    /// Takes the network's input: planes.
    Stem(StemLayer),
    /// Takes the network's input: so many channels at each position.
    Rows(usize),
    /// A 1x1 convolution, or a matrix product at each position.
    Pointwise { input: Vec<Stretch>, weights: Arc<Packed>, relu: bool },
    /// A depthwise convolution, stretch by stretch.
    Depthwise { input: Vec<Stretch>, kernel: Sides, step: Sides, weights: Vec<Arc<DepthwiseWeights>> },
    /// Attention of each position to all.
    Attention { input: [Stretch; 3], attention: Attention },
    /// The sum of two, normalised at each position.
    AddNorm { input: [Stretch; 2], weights: Arc<NormWeights> },
    /// The mean over all positions.
    Mean { input: Stretch },
}

impl Layer {
    /// What it reads of other layers.
    pub fn input(&self) -> &[Stretch] {
        match self {
            Layer::Stem(_) | Layer::Rows(_) => &[],
            Layer::Pointwise { input, .. } | Layer::Depthwise { input, .. } => input,
            Layer::Attention { input, .. } => input,
            Layer::AddNorm { input, .. } => input,
            Layer::Mean { input } => std::slice::from_ref(input),
        }
    }
}

/// A network; the channels of the last layer at its only position are the output.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Layers {
    pub layers: Vec<Layer>,
    /// Numbers of the output.
    pub outputs: usize,
    pub instructions: Instructions,
}

/// Takes a network layer by layer. What does not fit together is a mistake of the caller, who knows the shapes.
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

    /// The first convolution of planes, its ReLU and its max pool; `weights` are (outputs, colours x kernel).
    pub fn stem(&mut self, colours: usize, kernel: Sides, step: Sides, weights: Weights<'_>) -> Vec<Channel> {
        let packed = Arc::new(self.instructions.pack_stem(weights.data, weights.bias));
        self.push(Layer::Stem(StemLayer { colours, kernel, step, weights: packed }), weights.bias.len())
    }

    /// The input itself, (positions, channels).
    pub fn rows(&mut self, channels: usize) -> Vec<Channel> {
        self.push(Layer::Rows(channels), channels)
    }

    /// A 1x1 convolution; `weights` are (outputs, inputs).
    pub fn pointwise(&mut self, channels: &[Channel], weights: Weights<'_>, relu: bool) -> Vec<Channel> {
        let (input, order) = stretches(channels);
        let weights_of = Arc::new(self.instructions.pack(weights.data, weights.bias, &order));
        self.push(Layer::Pointwise { input, weights: weights_of, relu }, weights.bias.len())
    }

    /// A depthwise convolution; `weights` are (channels, taps).
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
            packed.push(Arc::new(self.instructions.pack_depthwise(weights.data, weights.bias, these)));
            own = others;
        }
        let made = self.push(Layer::Depthwise { input, kernel, step, weights: packed }, channels.len());
        let mut channels = made.clone();
        order.iter().zip(made).for_each(|(&channel, at)| channels[channel] = at);
        channels
    }

    /// Attention of each position to all, of neighbouring channels.
    pub fn attention(&mut self, [query, key, value]: [&[Channel]; 3], attention: Attention) -> Vec<Channel> {
        let input = [query, key, value].map(stretch);
        self.push(Layer::Attention { input, attention }, query.len())
    }

    /// The sum of two lists of neighbouring channels, normalised over the channels of each position.
    pub fn add_norm(&mut self, [a, b]: [&[Channel]; 2], weights: NormWeights) -> Vec<Channel> {
        self.push(Layer::AddNorm { input: [a, b].map(stretch), weights: Arc::new(weights) }, a.len())
    }

    /// The mean of each of neighbouring channels over all positions.
    pub fn mean(&mut self, channels: &[Channel]) -> Vec<Channel> {
        self.push(Layer::Mean { input: stretch(channels) }, channels.len())
    }

    /// The network whose output is what the last layer made.
    pub fn finish(self, output: &[Channel]) -> Layers {
        Layers { layers: self.layers, outputs: output.len(), instructions: self.instructions }
    }
}

/// The channels in the order in which they lie, as stretches, and which channel each is.
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

/// Channels that are neighbours in order.
///
/// # Panics
/// Where they are not: what a layer made is.
fn stretch(channels: &[Channel]) -> Stretch {
    let (stretches, order) = stretches(channels);
    assert!(stretches.len() == 1 && order.is_sorted(), "the channels of one layer, in its order");
    stretches[0]
}
