//! A network as an ONNX file: opset 17, IR version 8, batch of one, static shapes but for the time axis of clips.
//!
//! Batch norm is folded away first. The time axis (axis 2 of a value of rank 5) is the symbol `f` in the input; where a
//! channel shuffle reshapes it, its length is left for the reader to infer, so one file serves every working rate.

use prost::Message;
use tract_onnx::pb::{
    AttributeProto, GraphProto, ModelProto, NodeProto, OperatorSetIdProto, TensorProto, TensorShapeProto, TypeProto,
    ValueInfoProto, attribute_proto::AttributeType, tensor_proto::DataType, tensor_shape_proto, type_proto,
};

use crate::{
    Error,
    fold::{EPSILON, fold},
    graph::{Conv, Graph, Layer, Op, Value},
    weights::Weights,
};

/// Operator set of the files.
pub const OPSET: i64 = 17;

/// Version of the file format itself; 8 goes with opset 17.
pub const IR_VERSION: i64 = 8;

/// Name of the symbolic length of the time axis: the frames of a clip.
pub const FRAMES_SYMBOL: &str = "f";

/// How weights are stored. They are computed with in single precision either way.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Precision {
    /// Single precision.
    F32,
    /// Half precision, each weight followed by a cast, which a runtime does once when it prepares the network.
    #[default]
    F16,
}

/// The network with these weights as the bytes of an ONNX file. The weights are named as [`Graph::weights`] says; batch
/// norm is folded here.
///
/// # Errors
/// [`Error::MissingWeight`], [`Error::WeightShape`] or [`Error::Unfoldable`] where folding fails,
/// [`Error::HalfOverflow`] where a weight is beyond half precision.
pub fn encode(graph: &Graph, weights: &Weights, precision: Precision) -> Result<Vec<u8>, Error> {
    let (graph, weights) = fold(graph, weights)?;
    let mut writer = Writer { graph: &graph, weights: &weights, precision, proto: GraphProto::default() };
    for layer in &graph.layers {
        writer.layer(layer)?;
    }
    let mut proto = writer.proto;
    proto.name = graph.name.to_owned();
    proto.input = vec![value_info(graph.input, graph.input_shape())];
    proto.output = vec![value_info(graph.output, graph.output_shape())];
    let model = ModelProto {
        ir_version: IR_VERSION,
        opset_import: vec![OperatorSetIdProto { domain: String::new(), version: OPSET }],
        producer_name: env!("CARGO_PKG_NAME").to_owned(),
        producer_version: env!("CARGO_PKG_VERSION").to_owned(),
        graph: Some(proto),
        ..Default::default()
    };
    Ok(model.encode_to_vec())
}

struct Writer<'a> {
    graph: &'a Graph,
    weights: &'a Weights,
    precision: Precision,
    proto: GraphProto,
}

impl Writer<'_> {
    fn layer(&mut self, layer: &Layer) -> Result<(), Error> {
        let name = self.layer_name(layer);
        let inputs: Vec<String> = layer.inputs.iter().map(|value| self.value_name(*value)).collect();
        let outputs: Vec<String> = layer.outputs.iter().map(|value| self.value_name(*value)).collect();
        let plain = |op_type, attributes| node(op_type, &name, &inputs, &outputs, attributes);
        let node = match &layer.op {
            Op::Relu => plain("Relu", vec![]),
            Op::Add => plain("Add", vec![]),
            Op::Split => plain("Split", vec![int("axis", 1)]),
            Op::Concat => plain("Concat", vec![int("axis", 1)]),
            Op::Mean { axes } => plain("ReduceMean", vec![ints("axes", axes), int("keepdims", 0)]),
            Op::MaxPool => {
                let rank = self.graph.shape(layer.inputs[0]).len() - 2;
                let sides = |side| vec![side; rank];
                let pads = ints("pads", &vec![1; 2 * rank]);
                plain("MaxPool", vec![ints("kernel_shape", &sides(3)), ints("strides", &sides(2)), pads])
            }
            Op::Conv(conv) => self.conv(layer, conv, &inputs[0], &outputs)?,
            Op::LayerNorm => {
                let width = *self.graph.shape(layer.inputs[0]).last().unwrap_or(&0);
                let scale = self.weight(&layer.name, "weight", &[width])?;
                let shift = self.weight(&layer.name, "bias", &[width])?;
                let attributes = vec![int("axis", -1), float("epsilon", EPSILON)];
                node("LayerNormalization", &name, &[inputs[0].clone(), scale, shift], &outputs, attributes)
            }
            Op::Linear { bias } => return self.linear(layer, *bias, &inputs[0], &outputs[0]),
            Op::Shuffle { groups } => {
                self.shuffle(layer, *groups, &inputs[0], &outputs[0]);
                return Ok(());
            }
            Op::Attention { heads } => {
                self.attention(layer, *heads, &inputs, &outputs[0]);
                return Ok(());
            }
            // `fold` removed every one or failed.
            Op::BatchNorm { .. } => return Err(Error::Unfoldable(layer.name.clone())),
        };
        self.proto.node.push(node);
        Ok(())
    }

    fn conv(&mut self, layer: &Layer, conv: &Conv, x: &str, outputs: &[String]) -> Result<NodeProto, Error> {
        let mut shape = vec![conv.channels, self.graph.shape(layer.inputs[0])[1] / conv.groups];
        shape.extend(&conv.kernel);
        let mut inputs = vec![x.to_owned(), self.weight(&layer.name, "weight", &shape)?];
        if conv.bias {
            inputs.push(self.weight(&layer.name, "bias", &[conv.channels])?);
        }
        let half: Vec<usize> = conv.kernel.iter().map(|side| side / 2).collect();
        let attributes = vec![
            ints("kernel_shape", &conv.kernel),
            ints("strides", &conv.stride),
            ints("pads", &[half.clone(), half].concat()),
            int("group", conv.groups as i64),
        ];
        Ok(node("Conv", &layer.name, &inputs, outputs, attributes))
    }

    /// PyTorch keeps the matrix as (out, in); ONNX multiplies by (in, out).
    fn linear(&mut self, layer: &Layer, bias: bool, x: &str, output: &str) -> Result<(), Error> {
        let [rows, columns] = [layer.outputs[0], layer.inputs[0]].map(|v| *self.graph.shape(v).last().unwrap_or(&0));
        let matrix = self.weights.get(&format!("{}.weight", layer.name), &[rows, columns])?;
        let transposed: Vec<f32> =
            (0..columns).flat_map(|column| matrix.data.iter().skip(column).step_by(columns)).copied().collect();
        let matrix = self.store(format!("{}.weight", layer.name), &[columns, rows], &transposed)?;
        let product = if bias { format!("{}.product", layer.name) } else { output.to_owned() };
        self.proto.node.push(node(
            "MatMul",
            &layer.name,
            &[x.to_owned(), matrix],
            std::slice::from_ref(&product),
            vec![],
        ));
        if bias {
            let bias = self.weight(&layer.name, "bias", &[rows])?;
            let name = format!("{}.add", layer.name);
            self.proto.node.push(node("Add", &name, &[product, bias], &[output.to_owned()], vec![]));
        }
        Ok(())
    }

    /// (1, g c, ...) is seen as (1, g, c, ...), g and c change places, and back.
    fn shuffle(&mut self, layer: &Layer, groups: usize, x: &str, output: &str) {
        let shape = self.graph.shape(layer.inputs[0]);
        let mut rest: Vec<i64> = shape[2..].iter().map(|size| *size as i64).collect();
        if shape.len() == 5 {
            rest[0] = -1;
        }
        let channels = shape[1] as i64;
        let groups = groups as i64;
        let apart = [&[1, groups, channels / groups], rest.as_slice()].concat();
        let together = [&[1, channels], rest.as_slice()].concat();
        let perm: Vec<usize> = [0, 2, 1].into_iter().chain(3..apart.len()).collect();
        let name = self.layer_name(layer);
        let apart = self.reshape(&format!("{name}.apart"), x, &apart);
        let swapped = self.transpose(&format!("{name}.swap"), &apart, &perm);
        self.reshape_to(&name, &swapped, &together, output);
    }

    /// softmax(q kᵀ / √d) v for each head, d the features of a head.
    fn attention(&mut self, layer: &Layer, heads: usize, inputs: &[String], output: &str) {
        let &[_, clips, width] = self.graph.shape(layer.inputs[0]) else { return };
        let name = self.layer_name(layer);
        let apart = [1, clips as i64, heads as i64, (width / heads) as i64];
        // Keys are turned once more than queries and values: they are the right side of a product.
        let perms = [[0, 2, 1, 3], [0, 2, 3, 1], [0, 2, 1, 3]];
        let mut parts = inputs.iter().zip(["query", "key", "value"]).zip(perms).map(|((input, part), perm)| {
            let apart = self.reshape(&format!("{name}.{part}.apart"), input, &apart);
            self.transpose(&format!("{name}.{part}"), &apart, &perm)
        });
        let (Some(query), Some(key), Some(value)) = (parts.next(), parts.next(), parts.next()) else { return };
        drop(parts);
        let factor = format!("{name}.factor");
        let scale = 1.0 / ((width / heads) as f32).sqrt();
        self.proto.initializer.push(tensor(&factor, &[], DataType::Float, scale.to_le_bytes().to_vec()));
        let scores = self.step("MatMul", format!("{name}.scores"), &[query, key], vec![]);
        let scaled = self.step("Mul", format!("{name}.scaled"), &[scores, factor], vec![]);
        let shares = self.step("Softmax", format!("{name}.shares"), &[scaled], vec![int("axis", -1)]);
        let mixed = self.step("MatMul", format!("{name}.mixed"), &[shares, value], vec![]);
        let turned = self.transpose(&format!("{name}.turned"), &mixed, &[0, 2, 1, 3]);
        self.reshape_to(&name, &turned, &[1, clips as i64, width as i64], output);
    }

    /// Adds a node whose one output has its own name, and returns that name.
    fn step(&mut self, op_type: &str, name: String, inputs: &[String], attributes: Vec<AttributeProto>) -> String {
        self.proto.node.push(node(op_type, &name, inputs, std::slice::from_ref(&name), attributes));
        name
    }

    fn transpose(&mut self, name: &str, x: &str, perm: &[usize]) -> String {
        self.step("Transpose", name.to_owned(), &[x.to_owned()], vec![ints("perm", perm)])
    }

    fn reshape(&mut self, name: &str, x: &str, shape: &[i64]) -> String {
        self.reshape_to(name, x, shape, name);
        name.to_owned()
    }

    fn reshape_to(&mut self, name: &str, x: &str, shape: &[i64], output: &str) {
        let sizes: Vec<String> = shape.iter().map(ToString::to_string).collect();
        let constant = format!("shape.{}", sizes.join("x"));
        if !self.proto.initializer.iter().any(|tensor| tensor.name == constant) {
            let bytes = shape.iter().flat_map(|size| size.to_le_bytes()).collect();
            self.proto.initializer.push(tensor(&constant, &[shape.len()], DataType::Int64, bytes));
        }
        self.proto.node.push(node("Reshape", name, &[x.to_owned(), constant], &[output.to_owned()], vec![]));
    }

    /// Stores the weight `part` of a layer and returns the name of its single-precision value.
    fn weight(&mut self, layer: &str, part: &str, shape: &[usize]) -> Result<String, Error> {
        let name = format!("{layer}.{part}");
        let tensor = self.weights.get(&name, shape)?;
        self.store(name, shape, &tensor.data)
    }

    fn store(&mut self, name: String, shape: &[usize], data: &[f32]) -> Result<String, Error> {
        match self.precision {
            Precision::F32 => {
                let bytes = data.iter().flat_map(|value| value.to_le_bytes()).collect();
                self.proto.initializer.push(tensor(&name, shape, DataType::Float, bytes));
            }
            Precision::F16 => {
                let halves: Vec<half::f16> = data.iter().map(|value| half::f16::from_f32(*value)).collect();
                if halves.iter().any(|value| !value.is_finite()) {
                    return Err(Error::HalfOverflow(name));
                }
                let bytes = halves.iter().flat_map(|value| value.to_le_bytes()).collect();
                let stored = format!("{name}.f16");
                self.proto.initializer.push(tensor(&stored, shape, DataType::Float16, bytes));
                let to = int("to", DataType::Float as i64);
                self.proto.node.push(node(
                    "Cast",
                    &format!("{name}.cast"),
                    &[stored],
                    std::slice::from_ref(&name),
                    vec![to],
                ));
            }
        }
        Ok(name)
    }

    /// A layer's own name, or its operator and a number.
    fn layer_name(&self, layer: &Layer) -> String {
        if !layer.name.is_empty() {
            return layer.name.clone();
        }
        let op = match layer.op {
            Op::Relu => "relu",
            Op::Add => "add",
            Op::MaxPool => "max_pool",
            Op::Split => "split",
            Op::Concat => "concat",
            Op::Shuffle { .. } => "shuffle",
            Op::Mean { .. } => "mean",
            Op::Attention { .. } => "attention",
            _ => "layer",
        };
        format!("{op}.{}", self.graph.index(layer.outputs[0]))
    }

    fn value_name(&self, value: Value) -> String {
        if self.graph.is_input(value) {
            return self.graph.input.to_owned();
        }
        if self.graph.is_output(value) {
            return self.graph.output.to_owned();
        }
        format!("value.{}", self.graph.index(value))
    }
}

fn node(op: &str, name: &str, inputs: &[String], outputs: &[String], attributes: Vec<AttributeProto>) -> NodeProto {
    NodeProto {
        op_type: op.to_owned(),
        name: name.to_owned(),
        input: inputs.to_vec(),
        output: outputs.to_vec(),
        attribute: attributes,
        ..Default::default()
    }
}

fn int(name: &str, i: i64) -> AttributeProto {
    AttributeProto { name: name.to_owned(), r#type: AttributeType::Int as i32, i, ..Default::default() }
}

fn float(name: &str, f: f32) -> AttributeProto {
    AttributeProto { name: name.to_owned(), r#type: AttributeType::Float as i32, f, ..Default::default() }
}

fn ints(name: &str, values: &[usize]) -> AttributeProto {
    let ints = values.iter().map(|value| *value as i64).collect();
    AttributeProto { name: name.to_owned(), r#type: AttributeType::Ints as i32, ints, ..Default::default() }
}

fn tensor(name: &str, shape: &[usize], data_type: DataType, raw_data: Vec<u8>) -> TensorProto {
    let dims = shape.iter().map(|size| *size as i64).collect();
    TensorProto { name: name.to_owned(), dims, data_type: data_type as i32, raw_data, ..Default::default() }
}

fn value_info(name: &str, shape: &[usize]) -> ValueInfoProto {
    use tensor_shape_proto::{Dimension, dimension::Value};
    let dimension = |(axis, size): (usize, &usize)| Dimension {
        value: Some(if shape.len() == 5 && axis == 2 {
            Value::DimParam(FRAMES_SYMBOL.to_owned())
        } else {
            Value::DimValue(*size as i64)
        }),
        ..Default::default()
    };
    let shape = TensorShapeProto { dim: shape.iter().enumerate().map(dimension).collect() };
    let tensor = type_proto::Tensor { elem_type: DataType::Float as i32, shape: Some(shape) };
    let r#type = TypeProto { value: Some(type_proto::Value::TensorType(tensor)), ..Default::default() };
    ValueInfoProto { name: name.to_owned(), r#type: Some(r#type), ..Default::default() }
}
