//! Takes the mean over the clips out of a head, so that the head gives the logits of each clip.
//!
//! A head that ends in a mean over c clips and an affine classifier computes the logits
//! W mean(h) + b. They equal the mean of W h_k + b, the contributions of the clips. So the
//! classifier can read the c rows h_k as they are, and the mean comes after it.

use std::collections::HashMap;

use tract_onnx::pb::attribute_proto::AttributeType;
use tract_onnx::pb::tensor_proto::DataType;
use tract_onnx::pb::{AttributeProto, GraphProto, NodeProto, TensorProto};

/// Takes the mean over the clips out of `graph`, so that its output has one row for each clip
/// instead of one row. Returns false, and leaves `graph` as it is, if the head does not end in a
/// mean and an affine classifier.
pub(crate) fn take_mean_out(graph: &mut GraphProto) -> bool {
    let Some((at, axis)) = final_mean(graph) else { return false };
    let mean = &graph.node[at];
    let (Some(mut input), Some(output)) = (mean.input.first().cloned(), mean.output.first().cloned()) else {
        return false;
    };
    let mut nodes = Vec::new();
    if axis == 2 {
        // From (1, width, clips) to (1, clips, width).
        let turned = format!("{output}, turned");
        let perm =
            AttributeProto { r#type: AttributeType::Ints as i32, ints: vec![0, 2, 1], ..attribute_called("perm") };
        nodes.push(node("Transpose", vec![input], &turned, perm));
        input = turned;
    }
    // From (1, clips, width) to (clips, width): the only snippet of the batch.
    let first = format!("{output}, first snippet");
    let axis = AttributeProto { r#type: AttributeType::Int as i32, i: 0, ..attribute_called("axis") };
    nodes.push(node("Gather", vec![input, first.clone()], &output, axis));
    graph.initializer.push(TensorProto {
        name: first,
        data_type: DataType::Int64 as i32,
        int64_data: vec![0],
        ..TensorProto::default()
    });
    graph.node.splice(at..=at, nodes);
    // The file states the shape of the snippet's logits.
    graph.output.iter_mut().for_each(|value| value.r#type = None);
    true
}

fn attribute_called(name: &str) -> AttributeProto {
    AttributeProto { name: name.into(), ..AttributeProto::default() }
}

fn node(kind: &str, input: Vec<String>, output: &str, attribute: AttributeProto) -> NodeProto {
    NodeProto {
        op_type: kind.into(),
        name: output.into(),
        input,
        output: vec![output.into()],
        attribute: vec![attribute],
        ..NodeProto::default()
    }
}

/// Returns the node of the mean that only an affine classifier follows, and the axis of the mean, 1
/// or 2.
fn final_mean(graph: &GraphProto) -> Option<(usize, i64)> {
    let [output] = graph.output.as_slice() else { return None };
    let constants = constants(graph);
    let mut value = output.name.as_str();
    loop {
        let at = graph.node.iter().position(|node| node.output.first().is_some_and(|made| made == value))?;
        let node = &graph.node[at];
        let readers = graph.node.iter().flat_map(|node| &node.input).filter(|read| *read == value).count();
        // Another reader would see the rows too.
        if readers != usize::from(value != output.name) || node.output.len() != 1 {
            return None;
        }
        if node.op_type == "ReduceMean" {
            return Some((at, mean_axis(graph, node)?));
        }
        value = affine_input(node, &constants)?;
    }
}

/// Returns the axis of a mean that removes one axis, 1 or 2 of three.
fn mean_axis(graph: &GraphProto, node: &NodeProto) -> Option<i64> {
    if attribute(node, "keepdims").is_none_or(|keep| keep.i != 0) {
        return None;
    }
    // The axes are an attribute until operator set 17, and an input since.
    let axes = match (attribute(node, "axes"), node.input.get(1)) {
        (Some(axes), None) => axes.ints.clone(),
        (None, Some(name)) => {
            let tensor = graph.initializer.iter().find(|tensor| tensor.name == *name)?;
            match tensor.int64_data.is_empty() {
                true => tensor.raw_data.as_chunks().0.iter().map(|&bytes| i64::from_le_bytes(bytes)).collect(),
                false => tensor.int64_data.clone(),
            }
        }
        _ => return None,
    };
    match axes[..] {
        [1 | -2] => Some(1),
        [2 | -1] => Some(2),
        _ => None,
    }
}

/// Returns the input of which each row of the output of `node` is an affine function. The other
/// inputs are constant and the same for all rows.
fn affine_input<'a>(node: &'a NodeProto, constants: &HashMap<&str, &[i64]>) -> Option<&'a str> {
    let shape = |at: usize| node.input.get(at).and_then(|name| constants.get(name.as_str()));
    let is_matrix = |at: usize| shape(at).is_some_and(|dims| dims.len() == 2);
    let is_row = |at: usize| shape(at).is_some_and(|dims| dims.iter().rev().skip(1).all(|&dim| dim == 1));
    let turned = attribute(node, "transA").is_some_and(|turned| turned.i != 0);
    let at = match (node.op_type.as_str(), node.input.len()) {
        ("Identity", 1) => 0,
        ("Add" | "Sub" | "Mul", 2) => (0..2).find(|&at| is_row(1 - at))?,
        ("Div", 2) if is_row(1) => 0,
        ("MatMul", 2) if is_matrix(1) => 0,
        ("Gemm", 2) if is_matrix(1) && !turned => 0,
        ("Gemm", 3) if is_matrix(1) && is_row(2) && !turned => 0,
        _ => return None,
    };
    node.input.get(at).map(String::as_str)
}

/// Returns the constants, as they are or converted, with their shapes.
fn constants(graph: &GraphProto) -> HashMap<&str, &[i64]> {
    let mut constants: HashMap<&str, &[i64]> =
        graph.initializer.iter().map(|tensor| (tensor.name.as_str(), tensor.dims.as_slice())).collect();
    // Nodes come after those that they read.
    for node in &graph.node {
        if let ([from], [to], "Cast" | "Identity") =
            (node.input.as_slice(), node.output.as_slice(), node.op_type.as_str())
            && let Some(&shape) = constants.get(from.as_str())
        {
            constants.insert(to, shape);
        }
    }
    constants
}

fn attribute<'a>(node: &'a NodeProto, name: &str) -> Option<&'a AttributeProto> {
    node.attribute.iter().find(|attribute| attribute.name == name)
}

#[cfg(test)]
mod tests {
    use tract_onnx::pb::type_proto::Value;
    use tract_onnx::pb::{ModelProto, OperatorSetIdProto, TypeProto, ValueInfoProto, type_proto};
    use tract_onnx::prelude::*;

    use super::*;

    const CLIPS: usize = 5;

    fn floats(name: &str, dims: &[i64]) -> TensorProto {
        let count = dims.iter().product::<i64>();
        TensorProto {
            name: name.into(),
            data_type: DataType::Float as i32,
            dims: dims.to_vec(),
            float_data: (0..count).map(|at| (at * 7 % 11) as f32 / 4.0 - 1.0).collect(),
            ..TensorProto::default()
        }
    }

    fn integers(name: &str, values: &[i64]) -> TensorProto {
        TensorProto {
            name: name.into(),
            data_type: DataType::Int64 as i32,
            dims: vec![values.len() as i64],
            int64_data: values.to_vec(),
            ..TensorProto::default()
        }
    }

    fn operator(kind: &str, input: &[&str], output: &str, attributes: Vec<AttributeProto>) -> NodeProto {
        NodeProto {
            op_type: kind.into(),
            name: output.into(),
            input: input.iter().map(|&name| name.into()).collect(),
            output: vec![output.into()],
            attribute: attributes,
            ..NodeProto::default()
        }
    }

    fn number(name: &str, i: i64) -> AttributeProto {
        AttributeProto { r#type: AttributeType::Int as i32, i, ..attribute_called(name) }
    }

    fn numbers(name: &str, ints: &[i64]) -> AttributeProto {
        AttributeProto { r#type: AttributeType::Ints as i32, ints: ints.to_vec(), ..attribute_called(name) }
    }

    fn mean(axes: &[i64], keep: i64) -> NodeProto {
        operator("ReduceMean", &["h"], "m", vec![numbers("axes", axes), number("keepdims", keep)])
    }

    /// A head from "x", (1, clips, 3), to "z": ReLU to "h", then `nodes`.
    fn head(nodes: Vec<NodeProto>) -> GraphProto {
        let value = |name: &str, dims: &[i64]| {
            let dim = |&dim: &i64| tract_onnx::pb::tensor_shape_proto::Dimension {
                value: Some(tract_onnx::pb::tensor_shape_proto::dimension::Value::DimValue(dim)),
                ..Default::default()
            };
            let shape = tract_onnx::pb::TensorShapeProto { dim: dims.iter().map(dim).collect() };
            let tensor = type_proto::Tensor { elem_type: DataType::Float as i32, shape: Some(shape) };
            let value = Some(Value::TensorType(tensor));
            ValueInfoProto {
                name: name.into(),
                r#type: Some(TypeProto { value, ..TypeProto::default() }),
                ..Default::default()
            }
        };
        GraphProto {
            node: [operator("Relu", &["x"], "h", vec![])].into_iter().chain(nodes).collect(),
            input: vec![value("x", &[1, CLIPS as i64, 3])],
            output: vec![value("z", &[1, 2])],
            initializer: vec![
                floats("W", &[3, 2]),
                floats("turned W", &[2, 3]),
                floats("b", &[2]),
                floats("row", &[1, 2]),
                floats("rows", &[CLIPS as i64, 2]),
                floats("scale", &[]),
                integers("one", &[1]),
            ],
            ..GraphProto::default()
        }
    }

    /// Runs `graph` on a fixed input in tract.
    fn run(graph: &GraphProto, opset: i64) -> (Vec<usize>, Vec<f32>) {
        let proto = ModelProto {
            ir_version: 8,
            opset_import: vec![OperatorSetIdProto { version: opset, ..OperatorSetIdProto::default() }],
            graph: Some(graph.clone()),
            ..ModelProto::default()
        };
        let input = tract_ndarray::Array3::from_shape_fn((1, CLIPS, 3), |(_, row, column)| {
            ((row * 5 + column * 3) % 7) as f32 - 2.0
        });
        let model = tract_onnx::onnx().model_for_proto_model(&proto).unwrap();
        let model = model.with_input_fact(0, f32::fact([1, CLIPS, 3]).into()).unwrap();
        let plan = model.into_optimized().unwrap().into_runnable().unwrap();
        let output = plan.run(tvec!(Tensor::from(input).into())).unwrap();
        let view = output[0].to_plain_array_view::<f32>().unwrap();
        (view.shape().to_vec(), view.iter().copied().collect())
    }

    fn affine_tails() -> Vec<(i64, Vec<NodeProto>)> {
        let mat_mul = || operator("MatMul", &["m", "W"], "y", vec![]);
        vec![
            (17, vec![mean(&[1], 0), mat_mul(), operator("Add", &["y", "b"], "z", vec![])]),
            (17, vec![mean(&[-2], 0), mat_mul(), operator("Sub", &["row", "y"], "z", vec![])]),
            (17, vec![mean(&[1], 0), operator("Gemm", &["m", "turned W", "b"], "z", vec![number("transB", 1)])]),
            (
                17,
                vec![
                    mean(&[1], 0),
                    operator("Gemm", &["m", "W"], "y", vec![]),
                    operator("Div", &["y", "scale"], "z", vec![]),
                ],
            ),
            (
                17,
                vec![
                    mean(&[1], 0),
                    operator("Identity", &["W"], "same W", vec![]),
                    operator("MatMul", &["m", "same W"], "y", vec![]),
                    operator("Identity", &["y"], "z", vec![]),
                ],
            ),
            (
                18,
                vec![
                    operator("ReduceMean", &["h", "one"], "m", vec![number("keepdims", 0)]),
                    mat_mul(),
                    operator("Mul", &["y", "scale"], "z", vec![]),
                ],
            ),
            (
                17,
                vec![
                    operator("Transpose", &["h"], "turned h", vec![numbers("perm", &[0, 2, 1])]),
                    operator("ReduceMean", &["turned h"], "m", vec![numbers("axes", &[2]), number("keepdims", 0)]),
                    mat_mul(),
                    operator("Add", &["b", "y"], "z", vec![]),
                ],
            ),
        ]
    }

    #[test]
    fn the_mean_of_the_rows_is_the_output_before() {
        for (opset, nodes) in affine_tails() {
            let mut graph = head(nodes);
            let (shape, wanted) = run(&graph, opset);
            assert_eq!(shape, [1, 2]);
            assert!(take_mean_out(&mut graph), "{:?}", graph.node);
            let (shape, rows) = run(&graph, opset);
            assert_eq!(shape, [CLIPS, 2]);
            let mean = |column: usize| rows.iter().skip(column).step_by(2).sum::<f32>() / CLIPS as f32;
            assert!((0..2).all(|column| (mean(column) - wanted[column]).abs() < 1e-6), "{rows:?} and {wanted:?}");
        }
    }

    #[test]
    fn a_head_without_an_affine_end_stays_as_it_is() {
        let end = |node| vec![mean(&[1], 0), operator("MatMul", &["m", "W"], "y", vec![]), node];
        let others = [
            // Not affine.
            end(operator("Relu", &["y"], "z", vec![])),
            end(operator("Mul", &["y", "y"], "z", vec![])),
            end(operator("Div", &["row", "y"], "z", vec![])),
            end(operator("Softmax", &["y"], "z", vec![])),
            // Not the same for all rows.
            end(operator("Add", &["y", "rows"], "z", vec![])),
            // Another mean, or one that keeps its axis.
            vec![mean(&[1], 1), operator("MatMul", &["m", "W"], "z", vec![])],
            vec![mean(&[0], 0), operator("MatMul", &["m", "W"], "z", vec![])],
            vec![mean(&[1, 2], 0), operator("MatMul", &["m", "W"], "z", vec![])],
            vec![operator("ReduceMax", &["h"], "z", vec![numbers("axes", &[1]), number("keepdims", 0)])],
            // A second reader of the mean.
            vec![
                mean(&[1], 0),
                operator("Relu", &["m"], "r", vec![]),
                operator("MatMul", &["m", "W"], "y", vec![]),
                operator("MatMul", &["r", "W"], "s", vec![]),
                operator("Add", &["y", "s"], "z", vec![]),
            ],
            // Nothing computes the output.
            vec![],
        ];
        for nodes in others {
            let graph = head(nodes);
            let mut same = graph.clone();
            assert!(!take_mean_out(&mut same), "{:?}", graph.node);
            assert_eq!(same, graph);
        }
        // More than one output.
        let (_, nodes) = affine_tails().remove(0);
        let mut two = head(nodes);
        two.output.push(two.output[0].clone());
        assert!(!take_mean_out(&mut two));
    }
}
