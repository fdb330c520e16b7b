//! Reads a network of QuantizeLinear and DequantizeLinear nodes as the network in floats that it
//! stands for, and the scales of its values and weights.

use std::collections::{HashMap, HashSet};

use tract_onnx::pb::tensor_proto::DataType;
use tract_onnx::pb::{GraphProto, NodeProto, TensorProto};

use crate::graph::{Graph, Unrecognised, attribute, output_of};
use crate::int8::Scale;

/// The scales of a network, by the names of the values in floats.
#[derive(Debug, Default)]
pub(crate) struct Quantisation {
    /// Scale of each activation.
    pub activations: HashMap<String, Scale>,
    /// Scale of each output of a constant.
    pub weights: HashMap<String, Vec<f32>>,
}

/// Returns `graph` in floats and its scales, or `None` if nothing in it is quantised. Each pair of
/// QuantizeLinear and DequantizeLinear is taken out, and each dequantised constant becomes a
/// constant in floats.
///
/// # Errors
/// Returns the reason if the graph quantises in another way.
pub(crate) fn in_floats(graph: &GraphProto) -> Result<Option<(GraphProto, Quantisation)>, Unrecognised> {
    let is_of = |node: &NodeProto| matches!(node.op_type.as_str(), "QuantizeLinear" | "DequantizeLinear");
    if !graph.node.iter().any(is_of) {
        return Ok(None);
    }
    let view = Graph::new(graph);
    let mut found = Quantisation::default();
    let mut removed = HashSet::new();
    // What each value that is no longer made is read as.
    let mut renamed: HashMap<&str, &str> = HashMap::new();
    let mut constants = Vec::new();
    for (at, node) in graph.node.iter().enumerate() {
        let unknown = |what: &str| Unrecognised(format!("{} {:?}: {what}", node.op_type, node.name));
        match node.op_type.as_str() {
            "QuantizeLinear" => {
                let from = node.input.first().ok_or_else(|| unknown("it has no input"))?;
                let next = view.only_reader(output_of(node), "DequantizeLinear");
                let (next, reader) = next.ok_or_else(|| unknown("its output is not dequantised once"))?;
                let scale = scale_of(&view, node).filter(|scale| Some(*scale) == scale_of(&view, reader));
                let scale = scale.ok_or_else(|| {
                    unknown(
                        "it and its DequantizeLinear do not have the same scale and zero point of a tensor of uint8",
                    )
                })?;
                if view.is_output(output_of(reader)) {
                    return Err(unknown("the graph's output is quantised"));
                }
                // A value may be quantised twice, for two readers.
                if found.activations.insert(from.clone(), scale).is_some_and(|other| other != scale) {
                    return Err(unknown("its input has two scales"));
                }
                removed.extend([at, next]);
                renamed.insert(output_of(reader), from);
            }
            "DequantizeLinear" if !removed.contains(&at) => {
                let Some(constant) = node.input.first().and_then(|value| view.tensor(value)) else { continue };
                let (tensor, scales) =
                    dequantised(&view, node, constant).ok_or_else(|| unknown("its constant is not understood"))?;
                found.weights.insert(tensor.name.clone(), scales);
                constants.push(tensor);
                removed.insert(at);
            }
            _ => {}
        }
    }
    let left = graph.node.iter().enumerate().filter(|(at, _)| !removed.contains(at));
    let mut nodes: Vec<NodeProto> = left.map(|(_, node)| node.clone()).collect();
    if let Some(node) = nodes.iter().find(|node| is_of(node)) {
        return Err(Unrecognised(format!("{} {:?}: it is not one of a pair", node.op_type, node.name)));
    }
    for input in nodes.iter_mut().flat_map(|node| &mut node.input) {
        if let Some(&name) = renamed.get(input.as_str()) {
            name.clone_into(input);
        }
    }
    // The whole numbers are no longer read, and they are most of the file.
    let read: HashSet<&str> = nodes.iter().flat_map(|node| &node.input).map(String::as_str).collect();
    let kept = graph.initializer.iter().filter(|tensor| read.contains(tensor.name.as_str()));
    let initializer = kept.cloned().chain(constants).collect();
    let (input, output) = (graph.input.clone(), graph.output.clone());
    let floats =
        GraphProto { name: graph.name.clone(), node: nodes, initializer, input, output, ..GraphProto::default() };
    Ok(Some((floats, found)))
}

/// Returns the scale of a tensor of uint8 that a node has.
fn scale_of(graph: &Graph<'_>, node: &NodeProto) -> Option<Scale> {
    let (_, scale) = graph.floats(node.input.get(1)?)?;
    let &[scale] = scale.as_slice() else { return None };
    let (kind, zero) = whole(graph.tensor(node.input.get(2)?)?)?;
    let &[zero] = zero.as_slice() else { return None };
    (kind == DataType::Uint8).then_some(Scale { scale, zero: u8::try_from(zero).ok()? })
}

/// Returns a dequantised constant with a scale for each output and zero points of 0, and its
/// scales. A constant with one scale for all has it for each.
fn dequantised(graph: &Graph<'_>, node: &NodeProto, constant: &TensorProto) -> Option<(TensorProto, Vec<f32>)> {
    let (_, values) = whole(constant)?;
    let (_, mut scales) = graph.floats(node.input.get(1)?)?;
    if let Some(zero) = node.input.get(2).filter(|zero| !zero.is_empty())
        && whole(graph.tensor(zero)?)?.1.iter().any(|&zero| zero != 0)
    {
        return None;
    }
    let outputs = usize::try_from(*constant.dims.first()?).ok().filter(|&outputs| outputs > 0)?;
    if scales.len() == 1 {
        scales = vec![scales[0]; outputs];
    } else if attribute(node, "axis").is_none_or(|axis| axis.i != 0) {
        return None;
    }
    let each = values.len() / outputs;
    if scales.len() != outputs || values.len() != each * outputs {
        return None;
    }
    let floats = values.iter().enumerate().map(|(at, &value)| value as f32 * scales[at / each.max(1)]);
    let tensor = TensorProto {
        name: output_of(node).to_owned(),
        dims: constant.dims.clone(),
        data_type: DataType::Float as i32,
        raw_data: floats.flat_map(f32::to_le_bytes).collect(),
        ..TensorProto::default()
    };
    Some((tensor, scales))
}

/// Returns the type and the numbers of a constant of whole numbers of at most 32 bits.
fn whole(tensor: &TensorProto) -> Option<(DataType, Vec<i32>)> {
    let kind = DataType::try_from(tensor.data_type).ok()?;
    let bytes = &tensor.raw_data;
    let numbers: Vec<i32> = match kind {
        _ if !tensor.int32_data.is_empty() => tensor.int32_data.clone(),
        DataType::Uint8 => bytes.iter().map(|&byte| i32::from(byte)).collect(),
        DataType::Int8 => bytes.iter().map(|&byte| i32::from(byte as i8)).collect(),
        DataType::Int32 => bytes.as_chunks().0.iter().map(|&bytes| i32::from_le_bytes(bytes)).collect(),
        _ => return None,
    };
    let count = tensor.dims.iter().try_fold(1_usize, |count, &dim| count.checked_mul(usize::try_from(dim).ok()?))?;
    (numbers.len() == count).then_some((kind, numbers))
}

#[cfg(test)]
mod tests {
    use tract_onnx::pb::AttributeProto;

    use super::*;

    fn constant(name: &str, dims: &[i64], kind: DataType, raw_data: Vec<u8>) -> TensorProto {
        TensorProto { name: name.into(), dims: dims.into(), data_type: kind as i32, raw_data, ..TensorProto::default() }
    }

    fn node(op_type: &str, input: &[&str], output: &str) -> NodeProto {
        let names = |names: &[&str]| names.iter().map(|&name| name.to_owned()).collect();
        let axis = AttributeProto { name: "axis".into(), i: 0, ..AttributeProto::default() };
        NodeProto {
            op_type: op_type.into(),
            name: output.into(),
            input: names(input),
            output: names(&[output]),
            attribute: vec![axis],
            ..NodeProto::default()
        }
    }

    /// Returns a graph of a quantised convolution: two outputs of one input each.
    fn convolution() -> GraphProto {
        let floats = |values: &[f32]| values.iter().flat_map(|value| value.to_le_bytes()).collect::<Vec<u8>>();
        GraphProto {
            initializer: vec![
                constant("s", &[], DataType::Float, floats(&[0.5])),
                constant("other", &[], DataType::Float, floats(&[0.25])),
                constant("z", &[], DataType::Uint8, vec![7]),
                constant("signed", &[], DataType::Int8, vec![7]),
                constant("w", &[2, 1, 1, 1], DataType::Int8, vec![10, 0xf6]),
                constant("ws", &[2], DataType::Float, floats(&[0.1, 0.5])),
                constant("wz", &[2], DataType::Int8, vec![0, 0]),
            ],
            node: vec![
                node("QuantizeLinear", &["x", "s", "z"], "xq"),
                node("DequantizeLinear", &["xq", "s", "z"], "xd"),
                node("DequantizeLinear", &["w", "ws", "wz"], "wd"),
                node("Conv", &["xd", "wd"], "y"),
            ],
            output: vec![tract_onnx::pb::ValueInfoProto { name: "y".into(), ..Default::default() }],
            ..GraphProto::default()
        }
    }

    #[test]
    fn pairs_are_taken_out_and_constants_become_floats() {
        let (graph, found) = in_floats(&convolution()).unwrap().unwrap();
        assert_eq!(graph.node.len(), 1);
        assert_eq!(graph.initializer.iter().map(|tensor| tensor.name.as_str()).collect::<Vec<_>>(), ["wd"]);
        assert_eq!(graph.node[0].input, ["x", "wd"]);
        assert_eq!(found.activations, HashMap::from([("x".to_owned(), Scale { scale: 0.5, zero: 7 })]));
        assert_eq!(found.weights, HashMap::from([("wd".to_owned(), vec![0.1, 0.5])]));
        assert_eq!(Graph::new(&graph).floats("wd"), Some((vec![2, 1, 1, 1], vec![1.0, -5.0])));
    }

    #[test]
    fn a_graph_in_floats_stays_as_it_is() {
        let graph = GraphProto { node: vec![node("Relu", &["x"], "y")], ..GraphProto::default() };
        assert!(in_floats(&graph).unwrap().is_none());
    }

    #[test]
    fn what_is_quantised_in_another_way_is_refused() {
        let refused = |change: fn(&mut GraphProto), what: &str| {
            let mut graph = convolution();
            change(&mut graph);
            let reason = in_floats(&graph).unwrap_err().to_string();
            assert!(reason.contains(what), "{reason}");
        };
        refused(|graph| graph.node[1].input[1] = "other".into(), "same scale");
        refused(|graph| graph.node[0].input[2] = "signed".into(), "uint8");
        refused(|graph| graph.node[1].input.truncate(2), "uint8");
        refused(|graph| graph.node[0].input[1] = "ws".into(), "same scale");
        refused(|graph| graph.output[0].name = "xd".into(), "output is quantised");
        refused(|graph| graph.node.push(node("Relu", &["xq"], "again")), "dequantised once");
        refused(|graph| graph.node[2].attribute[0].i = 1, "not understood");
        refused(|graph| graph.node[2].attribute.clear(), "not understood");
        refused(|graph| graph.initializer[6].raw_data = vec![0, 1], "not understood");
        refused(|graph| graph.initializer[4].raw_data.push(1), "not understood");
        refused(|graph| graph.initializer[5].dims = vec![3], "not understood");
        refused(|graph| graph.node.push(node("DequantizeLinear", &["y", "s", "z"], "lone")), "not one of a pair");
        let twice = |graph: &mut GraphProto| {
            graph.node.push(node("QuantizeLinear", &["x", "other", "z"], "q2"));
            graph.node.push(node("DequantizeLinear", &["q2", "other", "z"], "d2"));
            graph.node.push(node("Relu", &["d2"], "r"));
        };
        refused(twice, "two scales");
    }
}
