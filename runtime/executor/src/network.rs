//! A network that was found in an ONNX graph.

use std::collections::HashSet;

use crate::depthwise::Sides;
use crate::layers::Layers;

/// A network that was found in a graph.
#[derive(Debug)]
pub(crate) struct Network {
    /// Layers with packed weights.
    pub layers: Layers,
    /// Name of the value that the network reads.
    pub input: String,
    /// Shape of that value.
    pub shape: InputShape,
    /// Name of the value that the network computes.
    pub output: String,
    /// Indices of the nodes that the network replaces.
    pub nodes: HashSet<usize>,
}

/// Input shape of a recognised network.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum InputShape {
    /// (1, colours, height, width) if `axes` is 2, (1, colours, time, height, width) if it is 3.
    Planes { colours: usize, axes: usize },
    /// (1, positions, channels).
    Rows { positions: usize, channels: usize },
}

impl InputShape {
    /// Returns time, height and width of an input with dimensions `dims`, or `None` if an input
    /// with these dimensions does not fit.
    pub fn sides(self, dims: &[usize]) -> Option<Sides> {
        match (self, dims) {
            (InputShape::Planes { colours, axes: 2 }, &[1, count, height, width]) if count == colours => {
                Some([1, height, width])
            }
            (InputShape::Planes { colours, axes: 3 }, &[1, count, time, height, width]) if count == colours => {
                Some([time, height, width])
            }
            (InputShape::Rows { positions, channels }, &[1, rows, count]) if (rows, count) == (positions, channels) => {
                Some([1, 1, positions])
            }
            _ => None,
        }
        .filter(|sides| sides.iter().all(|&side| side > 0))
    }
}
