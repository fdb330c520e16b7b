//! Writes pairs of `QuantizeLinear` and `DequantizeLinear` into a network.

use std::collections::HashSet;

use tract_onnx::pb::{GraphProto, ModelProto, NodeProto, tensor_proto::DataType};

use super::{
    activations::Activations,
    convolution::{self, Convolution},
    range::Range,
};
use crate::{Error, engines::onnx};

/// Returns `model` with its activations, weights and biases quantised. `ranges` has the range of
/// each group of activations.
///
/// # Errors
/// [`Error::Unquantisable`] where the weights of a convolution do not have the form of weights,
/// [`Error::NotFinite`] where a weight is no finite number.
pub(super) fn write(mut model: ModelProto, activations: &Activations, ranges: &[Range]) -> Result<ModelProto, Error> {
    let graph = model.graph.take().unwrap_or_default();
    let mut writer = Writer { activations, ranges, source: &graph, graph: GraphProto::default() };
    for group in 0..activations.groups {
        writer.range(group);
    }
    writer.pair(&activations.values[0].name);
    for node in &graph.node {
        writer.node(node)?;
    }
    let GraphProto { mut node, mut initializer, .. } = writer.graph;
    initializer.splice(0..0, graph.initializer.iter().cloned());
    prune(&graph.output.iter().map(|output| output.name.as_str()).collect(), &mut node, &mut initializer);
    let weights: HashSet<String> = graph.initializer.iter().map(|tensor| tensor.name.clone()).collect();
    let input = graph.input.iter().filter(|input| !weights.contains(&input.name)).cloned().collect();
    model.graph = Some(GraphProto { node, initializer, input, ..graph });
    Ok(model)
}

struct Writer<'a> {
    activations: &'a Activations,
    ranges: &'a [Range],
    source: &'a GraphProto,
    graph: GraphProto,
}

impl Writer<'_> {
    /// Stores the scale and the zero point of a group, which its values share.
    fn range(&mut self, group: usize) {
        let Range { scale, zero } = self.ranges[group];
        let [scale_name, zero_name] = range_names(group);
        self.store(&scale_name, &[], DataType::Float, scale.to_le_bytes().to_vec());
        self.store(&zero_name, &[], DataType::Uint8, vec![zero]);
    }

    /// Adds a node, and the pair behind each activation that it makes.
    fn node(&mut self, node: &NodeProto) -> Result<(), Error> {
        let mut node = node.clone();
        if node.op_type == "Conv" {
            self.convolution(&mut node)?;
        }
        for name in &mut node.input {
            if self.activations.get(name).is_some() {
                *name = dequantised(name);
            }
        }
        let outputs = node.output.clone();
        self.graph.node.push(node);
        for name in outputs {
            self.pair(&name);
        }
        Ok(())
    }

    /// Adds the pair behind the value `name`, if it is an activation.
    fn pair(&mut self, name: &str) {
        let Some(value) = self.activations.get(name) else { return };
        let [scale, zero] = range_names(value.group);
        let codes = format!("{name}.quantised");
        let inputs = [name.to_owned(), scale.clone(), zero.clone()];
        self.graph.node.push(onnx::node("QuantizeLinear", &codes, &inputs, std::slice::from_ref(&codes), vec![]));
        let output = dequantised(name);
        let inputs = [codes, scale, zero];
        self.graph.node.push(onnx::node("DequantizeLinear", &output, &inputs, std::slice::from_ref(&output), vec![]));
    }

    /// Replaces the weights and the bias that the convolution `node` reads.
    fn convolution(&mut self, node: &mut NodeProto) -> Result<(), Error> {
        let misshapen = || Error::Unquantisable(format!("the weights of Conv '{}' have the wrong shape", node.name));
        let [input, weight, bias @ ..] = &node.input[..] else { return Err(misshapen()) };
        let input_scale = self.activations.get(input).map(|value| self.ranges[value.group].scale);
        let (Some(input_scale), Some(output)) = (input_scale, node.output.first()) else { return Err(misshapen()) };
        let (shape, weights) = convolution::constant(self.source, weight)?;
        let &[channels, ..] = &shape[..] else { return Err(misshapen()) };
        let biases = match bias {
            [name] if !name.is_empty() => Some(convolution::constant(self.source, name)?.1),
            _ => None,
        };
        if weights.is_empty() || biases.as_ref().is_some_and(|biases| biases.len() != channels) {
            return Err(misshapen());
        }
        let integers = Convolution::new(&weights, channels, biases.as_deref(), input_scale);
        let codes = integers.weights.iter().map(|code| code.cast_unsigned()).collect();
        let weight = self.dequantised(&format!("{output}.weight"), &shape, DataType::Int8, codes, &integers.scales);
        let mut inputs = vec![input.clone(), weight];
        if biases.is_some() {
            let codes = integers.biases.iter().flat_map(|code| code.to_le_bytes()).collect();
            let name = format!("{output}.bias");
            inputs.push(self.dequantised(&name, &[channels], DataType::Int32, codes, &integers.bias_scales));
        }
        node.input = inputs;
        Ok(())
    }

    /// Stores integers with a scale per channel of axis 0. Returns the name of the floats that they
    /// represent.
    fn dequantised(&mut self, name: &str, shape: &[usize], kind: DataType, codes: Vec<u8>, scales: &[f32]) -> String {
        let inputs = ["quantised", "scale"].map(|part| format!("{name}.{part}"));
        self.store(&inputs[0], shape, kind, codes);
        let bytes = scales.iter().flat_map(|scale| scale.to_le_bytes()).collect();
        self.store(&inputs[1], &[scales.len()], DataType::Float, bytes);
        let output = dequantised(name);
        let axis = onnx::int("axis", 0);
        let node = onnx::node("DequantizeLinear", &output, &inputs, std::slice::from_ref(&output), vec![axis]);
        self.graph.node.push(node);
        output
    }

    fn store(&mut self, name: &str, shape: &[usize], kind: DataType, bytes: Vec<u8>) {
        self.graph.initializer.push(onnx::tensor(name, shape, kind, bytes));
    }
}

/// Names of the scale and the zero point of a group.
fn range_names(group: usize) -> [String; 2] {
    ["scale", "zero"].map(|part| format!("range.{group}.{part}"))
}

/// Name of the floats behind the pair of the value `name`.
fn dequantised(name: &str) -> String {
    format!("{name}.dequantised")
}

/// Removes the nodes and tensors on which no output depends: the float weights.
fn prune(outputs: &HashSet<&str>, nodes: &mut Vec<NodeProto>, tensors: &mut Vec<tract_onnx::pb::TensorProto>) {
    let mut needed: HashSet<String> = outputs.iter().map(|&name| name.to_owned()).collect();
    let mut kept = Vec::new();
    for node in nodes.drain(..).rev() {
        if node.output.iter().any(|name| needed.contains(name)) {
            needed.extend(node.input.iter().cloned());
            kept.push(node);
        }
    }
    nodes.extend(kept.into_iter().rev());
    tensors.retain(|tensor| needed.contains(&tensor.name));
}
