//! Recognises a Clip Aggregation Transformer with its linear classifier by the structure of its
//! ONNX graph (paper, section 5.3): a projection, one block of multi-head self-attention and a
//! feed-forward network, each with its residual connection and layer norm, the mean over the clips,
//! and the classifier. Instead of the mean, the first snippet of the batch may be taken. The output
//! then has one row for each clip.
//!
//! Batch norm must be folded into the projection. Names, widths and the number of heads are free.

use std::collections::HashSet;

use tract_onnx::pb::NodeProto;

use crate::attention::Attention;
use crate::graph::{Graph, Unrecognised, attribute, integers, output_of};
use crate::instructions::Instructions;
use crate::layers::{Builder, Channel};
use crate::matmul::turn;
use crate::network::{InputShape, Network};
use crate::norm::NormWeights;
use crate::quantisation::Quantisation;
use crate::weights::Weights;

/// Recognises the network whose first node is `at`. Returns `None` if no projection with attention
/// starts there.
///
/// # Errors
/// Returns an error if one starts there but a later node does not match.
pub(crate) fn recognise(
    graph: &Graph<'_>,
    at: usize,
    _: &Quantisation,
    instructions: Instructions,
) -> Result<Option<Network>, Unrecognised> {
    let node = &graph.proto.node[at];
    if node.op_type != "MatMul" {
        return Ok(None);
    }
    // Single precision: the head takes a hundredth of the backbones' time, and its result is the
    // final one.
    let builder = Builder::new(instructions.single());
    let mut walk = Walk { graph, builder, done: HashSet::new() };
    let Some(projection) = walk.linear(at) else { return Ok(None) };
    // The projection's readers are the query, the key, the value and the residual connection.
    let readers = graph.readers(&projection.output);
    if readers.len() != 4
        || !readers.iter().any(|&at| graph.proto.node.get(at).is_some_and(|node| node.op_type == "Add"))
    {
        return Ok(None);
    }
    let (positions, output, rows, value) = walk
        .transformer(&projection)
        .ok_or_else(|| Unrecognised(format!("the nodes after {:?} are no Clip Aggregation Transformer", node.name)))?;
    graph.check_closed(&walk.done, &value)?;
    let shape = InputShape::Rows { positions, channels: projection.inputs() };
    let Walk { builder, done, .. } = walk;
    Ok(Some(Network {
        layers: builder.finish(&output, rows),
        input: node.input.first().cloned().unwrap_or_default(),
        shape,
        output: value,
        nodes: done,
    }))
}

/// A matrix product with constant weights, and the constant that is added.
struct Linear {
    /// Weights, (outputs, inputs).
    data: Vec<f32>,
    bias: Vec<f32>,
    output: String,
}

impl Linear {
    fn inputs(&self) -> usize {
        self.data.len() / self.bias.len()
    }

    fn weights(&self) -> Weights<'_> {
        Weights { data: &self.data, bias: &self.bias, quantised: None }
    }
}

/// The part of the graph that was recognised.
struct Walk<'a, 'g> {
    graph: &'a Graph<'g>,
    builder: Builder,
    done: HashSet<usize>,
}

impl<'g> Walk<'_, 'g> {
    /// Returns the matrix product of node `at`, with the sum that may follow.
    fn linear(&mut self, at: usize) -> Option<Linear> {
        let graph = self.graph;
        let node = graph.proto.node.get(at).filter(|node| node.op_type == "MatMul")?;
        let (dims, turned) = graph.floats(node.input.get(1)?)?;
        let &[inputs, outputs] = dims.as_slice() else { return None };
        if inputs * outputs == 0 {
            return None;
        }
        self.done.insert(at);
        let mut data = vec![0.0; turned.len()];
        turn(&turned, outputs, &mut data, inputs);
        let mut linear = Linear { data, bias: vec![0.0; outputs], output: output_of(node).to_owned() };
        if let Some((at, sum)) = graph.only_reader(&linear.output, "Add")
            && let Some((dims, bias)) = sum.input.iter().find_map(|value| graph.floats(value))
            && dims == [outputs]
        {
            self.done.insert(at);
            (linear.bias, linear.output) = (bias, output_of(sum).to_owned());
        }
        Some(linear)
    }

    /// Returns the matrix product that is the only reader of `value`.
    fn next_linear(&mut self, value: &str) -> Option<Linear> {
        let (at, _) = self.graph.only_reader(value, "MatMul")?;
        self.linear(at)
    }

    /// Returns the node with operator `kind` that is the only reader of `value`.
    fn next(&mut self, value: &str, kind: &str) -> Option<&'g NodeProto> {
        let (at, node) = self.graph.only_reader(value, kind)?;
        self.done.insert(at);
        Some(node)
    }

    /// Matches everything after the projection. Returns the number of positions, the channels of
    /// the logits, their number of rows, and their value.
    fn transformer(&mut self, projection: &Linear) -> Option<(usize, Vec<Channel>, usize, String)> {
        let graph = self.graph;
        let input = self.builder.rows(projection.inputs());
        let projected = self.builder.pointwise(&input, projection.weights(), false);
        let width = projection.bias.len();

        let products: Vec<usize> = graph
            .readers(&projection.output)
            .iter()
            .copied()
            .filter(|&at| graph.proto.node.get(at).is_some_and(|node| node.op_type == "MatMul"))
            .collect();
        let mut three = products.iter().map(|&at| self.linear(at)).collect::<Option<Vec<_>>>()?;
        if three.len() != 3 || three.iter().any(|linear| linear.inputs() != width || linear.bias.len() != width) {
            return None;
        }
        let mut split = Vec::new();
        for linear in &three {
            split.push(self.heads(&linear.output)?);
        }
        let [(positions, heads, ..), ..] = split[..] else { return None };
        if split.iter().any(|part| (part.0, part.1) != (positions, heads)) || heads.checked_mul(width / heads)? != width
        {
            return None;
        }
        // The key is the transposed one. The query is multiplied with it. The weights of the
        // softmax apply to the value.
        let key = split.iter().position(|part| part.3)?;
        let scores = self.next(&split[key].2, "MatMul")?;
        let query = split.iter().position(|part| Some(&part.2) == scores.input.first() && !part.3)?;
        let value = (0..3).find(|&at| at != key && at != query)?;
        let factor = match graph.only_reader(output_of(scores), "Mul") {
            Some((at, scaled)) => {
                self.done.insert(at);
                let (_, factor) = scaled.input.iter().find_map(|value| graph.floats(value))?;
                (factor.len() == 1).then(|| (factor[0], output_of(scaled).to_owned()))?
            }
            None => (1.0, output_of(scores).to_owned()),
        };
        let scaled = &mut three[query];
        scaled.data.iter_mut().chain(&mut scaled.bias).for_each(|number| *number *= factor.0);
        let softmax = self.next(&factor.1, "Softmax")?;
        if !attribute(softmax, "axis").is_none_or(|axis| [-1, 3].contains(&axis.i)) {
            return None;
        }
        let mixed = self.next(output_of(softmax), "MatMul")?;
        if mixed.input != [output_of(softmax), &split[value].2] {
            return None;
        }
        let turned = self.next(output_of(mixed), "Transpose")?;
        let joined = self.next(output_of(turned), "Reshape")?;
        let shape = graph.integers(joined.input.get(1)?)?;
        if integers(turned, "perm", 0, 0) != [0, 2, 1, 3] || *shape != [1, positions as i64, width as i64] {
            return None;
        }

        // One matrix product for all three, because they read the same input.
        let [q, k, v] = [query, key, value].map(|at| &three[at]);
        let data = [q.data.as_slice(), &k.data, &v.data].concat();
        let bias = [q.bias.as_slice(), &k.bias, &v.bias].concat();
        let all = self.builder.pointwise(&projected, Weights { data: &data, bias: &bias, quantised: None }, false);
        let parts = [&all[..width], &all[width..2 * width], &all[2 * width..]];
        let attended = self.builder.attention(parts, Attention { heads });

        let output = self.next_linear(output_of(joined))?;
        if output.inputs() != width || output.bias.len() != width {
            return None;
        }
        let mixed = self.builder.pointwise(&attended, output.weights(), false);
        let (normed, value) = self.add_norm(&output.output, &mixed, &projection.output, &projected)?;

        let first = *graph
            .readers(&value)
            .iter()
            .find(|&&at| graph.proto.node.get(at).is_some_and(|node| node.op_type == "MatMul"))?;
        let inner = self.linear(first)?;
        let relu = self.next(&inner.output, "Relu")?;
        let outer = self.next_linear(output_of(relu))?;
        if inner.inputs() != width || outer.inputs() != inner.bias.len() || outer.bias.len() != width {
            return None;
        }
        let hidden = self.builder.pointwise(&normed, inner.weights(), true);
        let fed = self.builder.pointwise(&hidden, outer.weights(), false);
        let (normed, value) = self.add_norm(&outer.output, &fed, &value, &normed)?;

        let (value, is_per_clip) = match self.next(&value, "Gather") {
            Some(first) => (self.first_of_batch(first)?, true),
            None => (self.mean_over_clips(&value)?, false),
        };
        let classifier = self.next_linear(&value)?;
        if classifier.inputs() != width {
            return None;
        }
        let rows = if is_per_clip { normed } else { self.builder.mean(&normed, None) };
        let logits = self.builder.pointwise(&rows, classifier.weights(), false);
        Some((positions, logits, if is_per_clip { positions } else { 1 }, classifier.output))
    }

    /// Matches the first snippet of the batch. Returns its value, (positions, channels).
    fn first_of_batch(&self, gather: &NodeProto) -> Option<String> {
        let index = self.graph.integers(gather.input.get(1)?)?;
        let is_first = *index == [0] && self.graph.is_scalar(gather.input.get(1)?);
        let is_first = is_first && attribute(gather, "axis").is_none_or(|axis| axis.i == 0);
        is_first.then(|| output_of(gather).to_owned())
    }

    /// Matches the mean over the clips. Returns its value.
    fn mean_over_clips(&mut self, value: &str) -> Option<String> {
        let mean = self.next(value, "ReduceMean")?;
        let is_mean =
            integers(mean, "axes", 0, 0) == [1] && attribute(mean, "keepdims").is_some_and(|keep| keep.i == 0);
        is_mean.then(|| output_of(mean).to_owned())
    }

    /// Matches reshape and transpose of `value`, (1, positions, channels), into heads. Returns
    /// positions, heads, the value, and whether channels come before positions in it.
    fn heads(&mut self, value: &str) -> Option<(usize, usize, String, bool)> {
        let apart = self.next(value, "Reshape")?;
        let shape = self.graph.integers(apart.input.get(1)?)?;
        let [1, positions, heads, _] = *shape else { return None };
        let turn = self.next(output_of(apart), "Transpose")?;
        let turned = match integers(turn, "perm", 0, 0)[..] {
            [0, 2, 1, 3] => false,
            [0, 2, 3, 1] => true,
            _ => return None,
        };
        let (positions, heads) = (usize::try_from(positions).ok()?, usize::try_from(heads).ok()?);
        (positions > 0 && heads > 0).then(|| (positions, heads, output_of(turn).to_owned(), turned))
    }

    /// Adds the sum of `value` and the residual, and its layer norm.
    fn add_norm(
        &mut self,
        value: &str,
        channels: &[Channel],
        residual: &str,
        residual_channels: &[Channel],
    ) -> Option<(Vec<Channel>, String)> {
        let sum = self.next(value, "Add")?;
        if sum.input != [value, residual] && sum.input != [residual, value] || value == residual {
            return None;
        }
        let norm = self.next(output_of(sum), "LayerNormalization")?;
        let (_, scale) = self.graph.floats(norm.input.get(1)?)?;
        let shift = match norm.input.get(2) {
            Some(value) => self.graph.floats(value)?.1,
            None => vec![0.0; scale.len()],
        };
        let last = attribute(norm, "axis").is_none_or(|axis| [-1, 2].contains(&axis.i));
        if !last || scale.len() != channels.len() || shift.len() != channels.len() {
            return None;
        }
        let epsilon = attribute(norm, "epsilon").map_or(1e-5, |epsilon| epsilon.f);
        let weights = NormWeights { scale, shift, epsilon };
        Some((self.builder.add_norm([channels, residual_channels], weights), output_of(norm).to_owned()))
    }
}
