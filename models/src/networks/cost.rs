//! Cost of a network: its parameters and multiply-accumulates, counted from its graph.

use super::{
    graph::{Graph, Role},
    op::Op,
};

/// Returns the number of trainable parameters, before batch norm is folded.
#[must_use]
pub fn parameters(graph: &Graph) -> u64 {
    let specs = graph.weights().into_iter().filter(|spec| !matches!(spec.role, Role::Mean | Role::Variance));
    specs.map(|spec| elements(&spec.shape)).sum()
}

/// Returns the multiply-accumulates of one run of the network on an input of the shape that the
/// graph was described for.
#[must_use]
pub fn macs(graph: &Graph) -> u64 {
    let count = |layer: &crate::networks::graph::Layer| {
        let input = graph.shape(layer.inputs[0]);
        let output = elements(graph.shape(layer.outputs[0]));
        match &layer.op {
            Op::Conv(conv) => output * (input[1] / conv.groups) as u64 * elements(&conv.kernel),
            Op::Linear { .. } => output * input[input.len() - 1] as u64,
            // Scores (tokens x tokens) from queries and keys, then as many again from scores and
            // values.
            Op::Attention { .. } => 2 * output * input[1] as u64,
            Op::Similarity => output * input[2] as u64,
            Op::Gru { hidden } => output * 3 * (input[2] + hidden) as u64,
            _ => 0,
        }
    };
    graph.layers.iter().map(count).sum()
}

fn elements(shape: &[usize]) -> u64 {
    shape.iter().map(|size| *size as u64).product()
}
