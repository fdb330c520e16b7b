//! The weights of a layer: as they come from a file, and packed for the arithmetic that runs them.

use crate::int8::{self, Quantised};
use crate::{depthwise, matmul};

/// Row-major weights (outputs, inputs) or (channels, taps), and one bias for each output.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Weights<'a> {
    pub data: &'a [f32],
    pub bias: &'a [f32],
    /// The same in whole numbers, which instructions of eight bits need.
    pub quantised: Option<&'a Quantised>,
}

/// The weights of a matrix multiply, packed for its arithmetic.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Packed {
    Float(matmul::Packed),
    Int8(int8::Packed),
}

impl Packed {
    /// Returns the outputs for which each position must have room.
    pub fn padded(&self) -> usize {
        match self {
            Packed::Float(packed) => packed.padded(),
            Packed::Int8(packed) => packed.padded(),
        }
    }
}

/// The weights of a depthwise convolution, packed for its arithmetic.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum DepthwiseWeights {
    Float(depthwise::DepthwiseWeights),
    Int8(int8::DepthwiseWeights),
}
