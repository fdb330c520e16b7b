//! The input on which implementations of a network are compared. A formula makes it, so that no
//! file is needed.

use divita_runtime::bundle::StreamInput;

use crate::networks::{Backbone, graph::Graph};

/// An input of a network: shape and elements.
pub type Input = (Vec<usize>, Vec<f32>);

/// Returns the inputs of `graph`. Element i is (h >> 8) / 2^22 - 2 with h = (i * 2654435761 +
/// 12345) mod 2^32: in [-2, 2) like a normalised picture, and exact in single precision. Frames of
/// TransNet V2 are scaled to [0, 1), its histograms to whole counts from 0 to 399.
/// `reference/make_vectors.py` makes the same inputs.
#[must_use]
pub fn reference_inputs(graph: &Graph) -> Vec<Input> {
    let input = |(name, value): &(&str, _)| {
        let shape = graph.shape(*value).to_vec();
        let elements = (0..shape.iter().product()).map(element);
        let elements = match *name {
            "histograms" => elements.map(|x| ((x + 2.0) * 100.0).floor()).collect(),
            "frames" => elements.map(|x| (x + 2.0) / 4.0).collect(),
            _ => elements.collect(),
        };
        (shape, elements)
    };
    graph.inputs.iter().map(input).collect()
}

/// Returns the same inputs for weights of `backbone` whose preprocessing is `input`: the values
/// that the same pixels have under it, where it is not the publisher's. Values of the size that the
/// weights know show errors at their true size.
#[must_use]
pub fn preprocessed_inputs(graph: &Graph, backbone: Option<Backbone>, input: Option<StreamInput>) -> Vec<Input> {
    let mut inputs = reference_inputs(graph);
    let usual = backbone.map(Backbone::input);
    if let (Some(usual), Some(input), [(shape, data)]) = (usual, input, &mut inputs[..])
        && (usual.mean, usual.std) != (input.mean, input.std)
    {
        let plane = shape[2..].iter().product();
        for (channel, values) in data.chunks_exact_mut(plane).enumerate() {
            for value in values {
                let pixel = *value * usual.std[channel] + usual.mean[channel];
                *value = (pixel - input.mean[channel]) / input.std[channel];
            }
        }
    }
    inputs
}

fn element(i: usize) -> f32 {
    let hash = (i as u32).wrapping_mul(2_654_435_761).wrapping_add(12_345);
    (hash >> 8) as f32 / (1 << 22) as f32 - 2.0
}
