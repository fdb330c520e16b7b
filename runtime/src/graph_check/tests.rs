//! Graphs that are refused before tract reads them, and graphs that are accepted.

use prost::Message;
use tract_onnx::pb::attribute_proto::AttributeType;
use tract_onnx::pb::tensor_proto::{DataLocation, DataType};
use tract_onnx::pb::tensor_shape_proto::Dimension;
use tract_onnx::pb::{AttributeProto, TensorProto, TensorShapeProto, TypeProto, ValueInfoProto};

use super::*;

fn integers(name: &str, numbers: &[i64]) -> TensorProto {
    let raw_data = numbers.iter().flat_map(|number| number.to_le_bytes()).collect();
    TensorProto {
        name: name.into(),
        dims: vec![numbers.len() as i64],
        data_type: DataType::Int64 as i32,
        raw_data,
        ..TensorProto::default()
    }
}

fn floats(name: &str, dims: &[i64]) -> TensorProto {
    let count: i64 = dims.iter().product();
    let raw_data = vec![0; 4 * count as usize];
    TensorProto {
        name: name.into(),
        dims: dims.to_vec(),
        data_type: DataType::Float as i32,
        raw_data,
        ..TensorProto::default()
    }
}

fn node(kind: &str, inputs: &[&str], output: &str, attributes: &[(&str, &[i64])]) -> NodeProto {
    let attribute = |(name, ints): &(&str, &[i64])| AttributeProto {
        name: (*name).into(),
        r#type: AttributeType::Ints as i32,
        i: ints[0],
        ints: ints.to_vec(),
        ..AttributeProto::default()
    };
    NodeProto {
        op_type: kind.into(),
        name: output.into(),
        input: inputs.iter().map(|&input| input.into()).collect(),
        output: vec![output.into()],
        attribute: attributes.iter().map(attribute).collect(),
        ..NodeProto::default()
    }
}

fn model(nodes: Vec<NodeProto>, initializer: Vec<TensorProto>) -> ModelProto {
    let value = |name: &str| {
        let shape = TensorShapeProto { dim: vec![Dimension::default(); 4] };
        let tensor = type_proto::Tensor { elem_type: DataType::Float as i32, shape: Some(shape) };
        let kind = TypeProto { value: Some(type_proto::Value::TensorType(tensor)), ..TypeProto::default() };
        ValueInfoProto { name: name.into(), r#type: Some(kind), ..ValueInfoProto::default() }
    };
    let graph = GraphProto {
        node: nodes,
        initializer,
        input: vec![value("x")],
        output: vec![value("y")],
        ..GraphProto::default()
    };
    ModelProto { graph: Some(graph), ..ModelProto::default() }
}

/// Returns why a model whose input is one picture of 224 pixels is refused.
fn fault(model: &ModelProto) -> Option<Fault> {
    let bytes = model.encode_to_vec();
    let check = || check_needs(decode(&bytes)?.graph.as_ref().ok_or("no graph")?, &[1, 3, 224, 224], bytes.len());
    check().err()
}

fn assert_refused(nodes: Vec<NodeProto>, initializer: Vec<TensorProto>, words: &str) {
    let found = fault(&model(nodes, initializer));
    assert!(found.as_ref().is_some_and(|found| found.contains(words)), "{found:?} does not contain {words:?}");
}

#[test]
fn a_small_file_that_needs_much_memory_is_refused() {
    let shape = integers("s", &[1 << 17, 1 << 17]);
    let sum = || node("ReduceSum", &["c"], "r", &[("keepdims", &[0])]);
    let add = || node("Add", &["x", "r"], "y", &[]);
    let constant = node("ConstantOfShape", &["s"], "c", &[]);
    assert_refused(vec![constant.clone(), sum(), add()], vec![shape], "ConstantOfShape \"c\": its output of shape");
    // Below the limit in one constant, above it in many.
    let many = (0..20).map(|at| node("ConstantOfShape", &["s"], &format!("c{at}"), &[])).collect();
    assert_refused(many, vec![integers("s", &[1 << 20])], "no node computes the output \"y\"");
    let mut many: Vec<NodeProto> = (0..20).map(|at| node("ConstantOfShape", &["s"], &format!("c{at}"), &[])).collect();
    many.push(node("Relu", &["x"], "y", &[]));
    assert_refused(many, vec![integers("s", &[1 << 20])], "more memory");
    let tile = node("Tile", &["x", "t"], "y", &[]);
    assert_refused(vec![tile], vec![integers("t", &[1, 1000, 40, 40])], "Tile \"y\": its output of shape [1, 3000");
    let expand = node("Expand", &["x", "t"], "y", &[]);
    assert_refused(vec![expand], vec![integers("t", &[1 << 20, 3, 224, 224])], "more memory");
    let pad = node("Pad", &["x", "p"], "y", &[]);
    assert_refused(vec![pad], vec![integers("p", &[0, 0, 60_000, 60_000, 0, 0, 0, 0])], "more memory");
    let range = node("Range", &["a", "b", "c"], "r", &[]);
    let scalars = |end| [("a", 0), ("b", end), ("c", 1)].map(|(name, number)| integers(name, &[number])).to_vec();
    assert_refused(vec![range, node("Relu", &["x"], "y", &[])], scalars(1 << 40), "only when it runs");
    let product = node("MatMul", &["a", "b"], "m", &[]);
    let vectors = vec![floats("a", &[100_000, 1]), floats("b", &[1, 100_000])];
    assert_refused(vec![product, node("Relu", &["x"], "y", &[])], vectors, "more memory");
    let gather = node("Gather", &["x", "i"], "y", &[]);
    assert_refused(vec![gather], vec![integers("i", &vec![0; 100_000])], "more memory");
    let concat = node("Concat", &["x"; 1000], "y", &[("axis", &[1])]);
    assert_refused(vec![concat], vec![], "more memory");
}

#[test]
fn sizes_that_depend_on_the_input_are_refused() {
    let cast = node("Cast", &["x"], "n", &[("to", &[7])]);
    assert_refused(vec![cast, node("ConstantOfShape", &["n"], "y", &[])], vec![], "known only when it runs");
}

#[test]
fn work_is_bounded() {
    let side = |count| floats("w", &[64, count, 7, 7]);
    let first = node("Conv", &["x", "w3"], "v0", &[("pads", &[3; 4])]);
    let mut nodes = vec![first];
    nodes.extend(
        (0..300).map(|at| node("Conv", &[&format!("v{at}"), "w"], &format!("v{}", at + 1), &[("pads", &[3; 4])])),
    );
    nodes.push(node("Relu", &["v300"], "y", &[]));
    let small = TensorProto { name: "w3".into(), ..floats("w3", &[64, 3, 7, 7]) };
    assert_refused(nodes, vec![side(64), small], "more work");
    let chain = |count: usize| {
        let named = |at| if at == 0 { "x".to_owned() } else { format!("v{at}") };
        let mut nodes: Vec<NodeProto> = (0..count).map(|at| node("Neg", &[&named(at)], &named(at + 1), &[])).collect();
        nodes.push(node("Relu", &[&named(count)], "y", &[]));
        nodes
    };
    assert_refused(chain(30_000), vec![], "more than 10000 nodes");
    assert_refused(chain(5_000), vec![], "5001 nodes that depend on the input");
    assert_eq!(fault(&model(chain(1_499), vec![])), None);
}

#[test]
fn unsupported_operators_and_attributes_are_refused() {
    assert_refused(vec![node("Resize", &["x"], "y", &[])], vec![], "Resize \"y\": this operator is not supported");
    let custom = NodeProto { domain: "com.example".into(), ..node("Relu", &["x"], "y", &[]) };
    assert_refused(vec![custom], vec![], "not in the ONNX standard");
    // tract counts upwards from the axis.
    let norm = node("LayerNormalization", &["x", "w"], "y", &[("axis", &[-4_503_599_627_370_497])]);
    assert_refused(vec![norm], vec![floats("w", &[224])], "\"axis\" is too large");
    assert_refused(vec![node("Softmax", &["x"], "y", &[("axis", &[4])])], vec![], "axis 4 of a value with 4 axes");
    let twice = node("Softmax", &["x"], "y", &[("axis", &[1]), ("axis", &[1])]);
    assert_refused(vec![twice], vec![], "occurs twice");
}

#[test]
fn invalid_references_are_refused() {
    let no_output = NodeProto { output: vec![], ..node("Conv", &["x", "w"], "", &[]) };
    assert_refused(vec![no_output], vec![floats("w", &[1, 3, 1, 1])], "wrong number of outputs");
    assert_refused(vec![node("Cast", &[], "y", &[("to", &[1])])], vec![], "wrong number of inputs");
    assert_refused(vec![node("Relu", &["nowhere"], "y", &[])], vec![], "\"nowhere\", which no earlier node computes");
    assert_refused(vec![node("Relu", &["y"], "y", &[])], vec![], "no earlier node computes");
    assert_refused(vec![node("Relu", &["x"], "z", &[])], vec![], "no node computes the output \"y\"");
    assert_refused(vec![node("Relu", &["x"], "x", &[])], vec![], "an earlier node computes too");
    let split = node("Split", &["x", "parts"], "y", &[("axis", &[1])]);
    assert_refused(vec![split], vec![integers("parts", &[0])], "the sizes of its parts do not match its input");
}

#[test]
fn constants_must_match_their_shapes() {
    let relu = || vec![node("Relu", &["x"], "y", &[])];
    let wrong = TensorProto { dims: vec![1 << 40, 1 << 40], ..floats("w", &[2]) };
    assert_refused(relu(), vec![wrong], "is too large");
    assert_refused(relu(), vec![TensorProto { dims: vec![-1], ..floats("w", &[2]) }], "invalid shape");
    assert_refused(relu(), vec![TensorProto { dims: vec![3], ..floats("w", &[2]) }], "more or fewer numbers");
    assert_refused(relu(), vec![TensorProto { data_type: 8, ..floats("w", &[2]) }], "unsupported type");
    assert_refused(relu(), vec![floats("w", &[2]), floats("w", &[2])], "occurs twice");
    let external = TensorProto { data_location: Some(DataLocation::External as i32), ..floats("w", &[0]) };
    assert_refused(relu(), vec![external], "another file");
}

#[test]
fn millions_of_empty_messages_are_refused_before_they_are_decoded() {
    // Field 1 of a graph: a node of length 0, two bytes each.
    for (field, words) in [(0x0a, "nodes"), (0x6a, "nodes, attributes"), (0x32, "fields")] {
        let graph = [field, 0].repeat(2_000_000);
        let mut bytes = vec![0x3a];
        let mut length = graph.len();
        while length >= 0x80 {
            bytes.push(length as u8 | 0x80);
            length >>= 7;
        }
        bytes.push(length as u8);
        bytes.extend(graph);
        let fault = decode(&bytes).unwrap_err();
        assert!(fault.contains(words), "{fault}");
    }
}

#[test]
fn shapes_that_exporters_compute_are_accepted() {
    // x.view(x.size(0), -1), as torch exports it.
    let nodes = vec![
        node("Shape", &["x"], "shape", &[]),
        node("Gather", &["shape", "zero"], "batch", &[]),
        node("Concat", &["batch", "rest"], "to", &[("axis", &[0])]),
        node("Reshape", &["x", "to"], "y", &[]),
    ];
    assert_eq!(fault(&model(nodes, vec![integers("zero", &[0]), integers("rest", &[-1])])), None);
    // token.expand(x.size(0), -1, -1), as torch exports it.
    let nodes = vec![
        node("ConstantOfShape", &["three"], "ones", &[]),
        node("Equal", &["wanted", "minus"], "free", &[]),
        node("Where", &["free", "one", "wanted"], "to", &[]),
        node("Expand", &["token", "to"], "tokens", &[]),
        node("Add", &["x", "tokens"], "y", &[]),
    ];
    let constants = vec![
        integers("three", &[3]),
        integers("wanted", &[1, -1, -1]),
        integers("minus", &[-1]),
        integers("one", &[1]),
        floats("token", &[1, 1, 224]),
    ];
    assert_eq!(fault(&model(nodes, constants)), None);
}

#[test]
fn quantised_values_keep_their_shape() {
    let scale = floats("scale", &[]);
    let zero = TensorProto {
        name: "zero".into(),
        data_type: DataType::Uint8 as i32,
        raw_data: vec![7],
        ..TensorProto::default()
    };
    let weights = TensorProto {
        name: "weights".into(),
        dims: vec![4, 3, 1, 1],
        data_type: DataType::Int8 as i32,
        raw_data: vec![1; 12],
        ..TensorProto::default()
    };
    let nodes = || {
        vec![
            node("QuantizeLinear", &["x", "scale", "zero"], "q", &[]),
            node("DequantizeLinear", &["q", "scale", "zero"], "d", &[]),
            node("DequantizeLinear", &["weights", "scales"], "w", &[("axis", &[0])]),
            node("Conv", &["d", "w"], "y", &[]),
        ]
    };
    let constants = |weights| vec![scale.clone(), zero.clone(), weights, floats("scales", &[4])];
    assert_eq!(fault(&model(nodes(), constants(weights.clone()))), None);
    // Their shape is checked like that of any other kernel.
    let other = TensorProto { dims: vec![4, 2, 1, 1], raw_data: vec![1; 8], ..weights };
    assert!(fault(&model(nodes(), constants(other))).is_some());
    let lone = vec![node("QuantizeLinear", &["x"], "y", &[])];
    assert_refused(lone, vec![], "wrong number of inputs");
}
