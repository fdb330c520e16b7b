//! Writes a network as an ONNX file: opset 17, IR version 8, batch of one, static shapes except for
//! the time axis of clips.
//!
//! Batch norm is folded first. Networks for clips of any length have the symbol `f` as their time
//! axis (axis 2 of a value of rank 5) in the input. Where a channel shuffle reshapes the axis, the
//! reader infers its length, so one file serves every working rate.

use prost::Message;
use tract_onnx::pb::{
    AttributeProto, GraphProto, ModelProto, NodeProto, OperatorSetIdProto, TensorProto, TensorShapeProto, TypeProto,
    ValueInfoProto, attribute_proto::AttributeType, tensor_proto::DataType, tensor_shape_proto, type_proto,
};

use super::fold::fold;
use crate::{
    Error,
    networks::{
        graph::{Graph, Layer, Value},
        op::{APART, Conv, Op, Windows},
    },
    weights::{Tensor, Weights},
};

/// Operator set of the files.
pub const OPSET: i64 = 17;

/// Version of the file format; 8 belongs to opset 17.
pub const IR_VERSION: i64 = 8;

/// Name of the symbolic length of the time axis: the frames of a clip.
pub const FRAMES_SYMBOL: &str = "f";

/// Precision of stored weights. Computation is in single precision either way.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Precision {
    /// Single precision.
    F32,
    /// Half precision, each weight followed by a cast, which a runtime does once when it prepares
    /// the network.
    #[default]
    F16,
}

/// Encodes the network with these weights as an ONNX file. The weights have the names of
/// [`Graph::weights`]. Folds batch norm.
///
/// # Errors
/// [`Error::MissingWeight`] or [`Error::WeightShape`] where the weights do not fit the network,
/// [`Error::HalfOverflow`] where a weight exceeds half precision.
pub fn encode(graph: &Graph, weights: &Weights, precision: Precision) -> Result<Vec<u8>, Error> {
    let (graph, weights) = fold(graph, weights)?;
    let mut writer = Writer { graph: &graph, weights: &weights, precision, proto: GraphProto::default() };
    for layer in &graph.layers {
        writer.layer(layer)?;
    }
    let mut proto = writer.proto;
    proto.name = graph.name.to_owned();
    let any_frames = graph.any_frames;
    let input = |(name, value): &(&str, Value)| value_info(name, graph.shape(*value), any_frames);
    proto.input = graph.inputs.iter().map(input).collect();
    proto.output = vec![value_info(graph.output, graph.output_shape(), any_frames)];
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
            Op::Split { axis } => plain("Split", vec![int("axis", *axis as i64)]),
            Op::Concat { axis } => plain("Concat", vec![int("axis", *axis as i64)]),
            Op::Transpose { order } => plain("Transpose", vec![ints("perm", order)]),
            Op::AveragePool { sides } => {
                plain("AveragePool", vec![ints("kernel_shape", sides), ints("strides", sides)])
            }
            Op::Mean { axes } => plain("ReduceMean", vec![ints("axes", axes), int("keepdims", 0)]),
            Op::Largest { axis } => plain("ReduceMax", vec![ints("axes", &[*axis]), int("keepdims", 0)]),
            Op::MaxPool => {
                let rank = self.graph.shape(layer.inputs[0]).len() - 2;
                let sides = |side| vec![side; rank];
                let pads = ints("pads", &vec![1; 2 * rank]);
                plain("MaxPool", vec![ints("kernel_shape", &sides(3)), ints("strides", &sides(2)), pads])
            }
            Op::Conv(conv) => self.conv(layer, conv, &inputs[0], &outputs)?,
            Op::LayerNorm { epsilon } => {
                let width = *self.graph.shape(layer.inputs[0]).last().unwrap_or(&0);
                let scale = self.weight(&layer.name, "weight", &[width])?;
                let shift = self.weight(&layer.name, "bias", &[width])?;
                let attributes = vec![int("axis", -1), float("epsilon", *epsilon)];
                node("LayerNormalization", &name, &[inputs[0].clone(), scale, shift], &outputs, attributes)
            }
            Op::Linear { bias } => return self.linear(layer, *bias, &inputs[0], &outputs[0]),
            Op::Shuffle { groups } => {
                self.shuffle(layer, *groups, &inputs[0], &outputs[0]);
                return Ok(());
            }
            Op::Attention { heads, windows } => {
                return self.attention(layer, *heads, windows.as_ref(), &inputs, &outputs[0]);
            }
            Op::Gru { hidden } => return self.gru(layer, *hidden, &inputs[0], &outputs[0]),
            Op::Affine { axis } => return self.affine(layer, *axis, &inputs[0], &outputs[0]),
            Op::Relu6 => {
                let [least, most] = [("zero", 0.0), ("six", 6.0)].map(|(name, value)| self.number(name, value));
                node("Clip", &name, &[inputs[0].clone(), least, most], &outputs, vec![])
            }
            Op::Gelu => self.gelu(&name, &inputs[0], &outputs),
            Op::Normalize => self.normalize(&name, &inputs[0], &outputs),
            Op::Similarity => {
                let turned = self.transpose(&format!("{name}.turned"), &inputs[0], &[0, 2, 1]);
                node("MatMul", &name, &[inputs[0].clone(), turned], &outputs, vec![])
            }
            Op::Reshape => {
                let shape: Vec<i64> = self.graph.shape(layer.outputs[0]).iter().map(|size| *size as i64).collect();
                self.reshape_to(&name, &inputs[0], &shape, &outputs[0]);
                return Ok(());
            }
            Op::Pick { indices } => {
                let shape = self.graph.shape(layer.inputs[0]).to_vec();
                self.gather(&name, &inputs[0], &shape, indices, &outputs)
            }
            Op::AddRows { rows, indices } => {
                let shape = [1, *rows, *self.graph.shape(layer.inputs[0]).last().unwrap_or(&0)];
                let table = self.weights.get(&layer.name, &shape)?;
                let table = self.store(layer.name.clone(), &shape, &table.data)?;
                let rows = format!("{name}.rows");
                let gather = self.gather(&rows, &table, &shape, indices, std::slice::from_ref(&rows));
                self.proto.node.push(gather);
                node("Add", &name, &[inputs[0].clone(), rows], &outputs, vec![])
            }
            // `fold` left none.
            Op::BatchNorm { .. } => return Err(Error::MissingWeight(format!("{name}.scale"))),
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
        let side = |end: usize| conv.padding.iter().map(move |ends| ends[end]);
        let mut attributes = vec![
            ints("kernel_shape", &conv.kernel),
            ints("strides", &conv.stride),
            ints("pads", &side(0).chain(side(1)).collect::<Vec<_>>()),
            int("group", conv.groups as i64),
        ];
        if conv.dilation.iter().any(|step| *step != 1) {
            attributes.push(ints("dilations", &conv.dilation));
        }
        Ok(node("Conv", &layer.name, &inputs, outputs, attributes))
    }

    /// PyTorch keeps the matrix as (out, in); ONNX multiplies by (in, out).
    fn linear(&mut self, layer: &Layer, bias: bool, x: &str, output: &str) -> Result<(), Error> {
        let [rows, columns] = [layer.outputs[0], layer.inputs[0]].map(|v| *self.graph.shape(v).last().unwrap_or(&0));
        let matrix = self.weights.get(&format!("{}.weight", layer.name), &[rows, columns])?;
        let transposed = transposed(matrix);
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
        if self.graph.any_frames && shape.len() == 5 {
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

    /// softmax(q kᵀ / √d + position) v for each head, d the features of a head.
    fn attention(
        &mut self,
        layer: &Layer,
        heads: usize,
        windows: Option<&Windows>,
        inputs: &[String],
        output: &str,
    ) -> Result<(), Error> {
        let &[batch, tokens, width] = self.graph.shape(layer.inputs[0]) else { return Ok(()) };
        let name = self.layer_name(layer);
        let apart = [batch as i64, tokens as i64, heads as i64, (width / heads) as i64];
        // Keys are turned once more than queries and values: they are the right side of a product.
        let perms = [[0, 2, 1, 3], [0, 2, 3, 1], [0, 2, 1, 3]];
        let parts = inputs.iter().zip(["query", "key", "value"]).zip(perms).map(|((input, part), perm)| {
            let apart = self.reshape(&format!("{name}.{part}.apart"), input, &apart);
            self.transpose(&format!("{name}.{part}"), &apart, &perm)
        });
        let Ok([query, key, value]) = <[String; 3]>::try_from(parts.collect::<Vec<_>>()) else { return Ok(()) };
        let scale = 1.0 / ((width / heads) as f32).sqrt();
        let factor = self.number(&format!("factor.{}", width / heads), scale);
        let scores = self.step("MatMul", format!("{name}.scores"), &[query, key], vec![]);
        let mut scores = self.step("Mul", format!("{name}.scaled"), &[scores, factor], vec![]);
        if let Some(windows) = windows {
            let position = self.positions(&name, heads, windows)?;
            scores = self.step("Add", format!("{name}.positioned"), &[scores, position], vec![]);
            if let Some(mask) = self.mask(windows) {
                scores = self.step("Add", format!("{name}.masked"), &[scores, mask], vec![]);
            }
        }
        let shares = self.step("Softmax", format!("{name}.shares"), &[scores], vec![int("axis", -1)]);
        let mixed = self.step("MatMul", format!("{name}.mixed"), &[shares, value], vec![]);
        let turned = self.transpose(&format!("{name}.turned"), &mixed, &[0, 2, 1, 3]);
        self.reshape_to(&name, &turned, &[batch as i64, tokens as i64, width as i64], output);
        Ok(())
    }

    /// Returns the table of relative positions spread over all pairs of tokens, (heads, tokens,
    /// tokens). The file holds the table, and the rows once for all windows of a shape.
    fn positions(&mut self, name: &str, heads: usize, windows: &Windows) -> Result<String, Error> {
        let table_name = format!("{name}.relative_position_bias_table");
        let rows = windows.table_rows();
        let table = transposed(self.weights.get(&table_name, &[rows, heads])?);
        let table = self.store(table_name, &[heads, rows], &table)?;
        let indices = format!("rows.{}.{}", sizes(&windows.table), sizes(&windows.window));
        if !self.proto.initializer.iter().any(|tensor| tensor.name == indices) {
            self.indices(indices.clone(), &[windows.window_tokens(); 2], &windows.rows());
        }
        Ok(self.step("Gather", format!("{name}.positions"), &[table, indices], vec![int("axis", 1)]))
    }

    /// What is added to the score of each pair of tokens of each window, (windows, 1, tokens,
    /// tokens), where the grid is moved. The file holds the tokens' regions, whose pairs are
    /// hundreds of times as many; blocks of one stage share it.
    fn mask(&mut self, windows: &Windows) -> Option<String> {
        let regions = windows.regions()?;
        let name = format!("mask.{}.{}", sizes(&windows.grid), sizes(&windows.window));
        if self.proto.node.iter().any(|node| node.name == name) {
            return Some(name);
        }
        let (count, tokens) = (windows.count(), windows.window_tokens());
        let queries = self.constant(format!("{name}.queries"), &[count, 1, tokens, 1], &regions);
        let keys = self.constant(format!("{name}.keys"), &[count, 1, 1, tokens], &regions);
        let together = self.step("Equal", format!("{name}.together"), &[queries, keys], vec![]);
        let [zero, apart] = [("zero", 0.0), ("apart", APART)].map(|(name, value)| self.number(name, value));
        Some(self.step("Where", name, &[together, zero, apart], vec![]))
    }

    /// PyTorch's gates are in the order reset, update, new; ONNX wants update, reset, new.
    fn gru(&mut self, layer: &Layer, hidden: usize, x: &str, output: &str) -> Result<(), Error> {
        let &[_, steps, features] = self.graph.shape(layer.inputs[0]) else { return Ok(()) };
        let name = &layer.name;
        let gates = |part: &str, columns: usize, shape: &[usize]| -> Result<Vec<f32>, Error> {
            let tensor = self.weights.get(&format!("{name}.{part}"), shape)?;
            let (reset, rest) = tensor.data.split_at(hidden * columns);
            let (update, new) = rest.split_at(hidden * columns);
            Ok([update, reset, new].concat())
        };
        let input = gates("weight_ih_l0", features, &[3 * hidden, features])?;
        let state = gates("weight_hh_l0", hidden, &[3 * hidden, hidden])?;
        let bias = [gates("bias_ih_l0", 1, &[3 * hidden])?, gates("bias_hh_l0", 1, &[3 * hidden])?].concat();
        let input = self.store(format!("{name}.weight_ih_l0"), &[1, 3 * hidden, features], &input)?;
        let state = self.store(format!("{name}.weight_hh_l0"), &[1, 3 * hidden, hidden], &state)?;
        let bias = self.store(format!("{name}.bias"), &[1, 6 * hidden], &bias)?;
        let steps = steps as i64;
        let x = self.reshape(&format!("{name}.steps"), x, &[steps, 1, features as i64]);
        let attributes = vec![int("hidden_size", hidden as i64), int("linear_before_reset", 1)];
        let states = self.step("GRU", format!("{name}.states"), &[x, input, state, bias], attributes);
        self.reshape_to(name, &states, &[1, steps, hidden as i64], output);
        Ok(())
    }

    /// x · scale + shift over the channels on `axis`.
    fn affine(&mut self, layer: &Layer, axis: usize, x: &str, output: &str) -> Result<(), Error> {
        let shape = self.graph.shape(layer.inputs[0]);
        let mut spread = vec![1; shape.len() - axis];
        spread[0] = shape[axis];
        let name = &layer.name;
        let [scale, shift] = ["scale", "shift"].map(|part| {
            let tensor = self.weights.get(&format!("{name}.{part}"), &shape[axis..=axis])?;
            self.store(format!("{name}.{part}"), &spread, &tensor.data)
        });
        let scaled = self.step("Mul", format!("{name}.scaled"), &[x.to_owned(), scale?], vec![]);
        self.proto.node.push(node("Add", name, &[scaled, shift?], &[output.to_owned()], vec![]));
        Ok(())
    }

    /// x · (1 + erf(x / √2)) · ½
    fn gelu(&mut self, name: &str, x: &str, outputs: &[String]) -> NodeProto {
        let [root, one, half] = [("root_half", std::f32::consts::FRAC_1_SQRT_2), ("one", 1.0), ("half", 0.5)]
            .map(|(name, value)| self.number(name, value));
        let scaled = self.step("Mul", format!("{name}.scaled"), &[x.to_owned(), root], vec![]);
        let erf = self.step("Erf", format!("{name}.erf"), &[scaled], vec![]);
        let share = self.step("Add", format!("{name}.share"), &[erf, one], vec![]);
        let product = self.step("Mul", format!("{name}.product"), &[x.to_owned(), share], vec![]);
        node("Mul", name, &[product, half], outputs, vec![])
    }

    /// x / max(‖x‖, 10⁻¹²), as PyTorch has it.
    fn normalize(&mut self, name: &str, x: &str, outputs: &[String]) -> NodeProto {
        let attributes = vec![int_list("axes", &[-1]), int("keepdims", 1)];
        let length = self.step("ReduceL2", format!("{name}.length"), &[x.to_owned()], attributes);
        let least = self.number("least_length", 1e-12);
        let length = self.step("Max", format!("{name}.divisor"), &[length, least], vec![]);
        node("Div", name, &[x.to_owned(), length], outputs, vec![])
    }

    /// Returns a gather along axis 1 of `x`, whose shape is given, behind one more element of zeros
    /// where it is wanted.
    fn gather(&mut self, name: &str, x: &str, shape: &[usize], indices: &[usize], outputs: &[String]) -> NodeProto {
        let mut source = x.to_owned();
        if indices.contains(&shape[1]) {
            let zero: Vec<usize> =
                shape.iter().enumerate().map(|(axis, size)| if axis == 1 { 1 } else { *size }).collect();
            let zeros = self.constant(format!("{name}.zeros"), &zero, &vec![0.0; zero.iter().product()]);
            source = self.step("Concat", format!("{name}.padded"), &[source, zeros], vec![int("axis", 1)]);
        }
        let constant = format!("{name}.indices");
        self.indices(constant.clone(), &[indices.len()], indices);
        node("Gather", name, &[source, constant], outputs, vec![int("axis", 1)])
    }

    /// Indices for a gather.
    fn indices(&mut self, name: String, shape: &[usize], indices: &[usize]) {
        let bytes = indices.iter().flat_map(|index| (*index as i64).to_le_bytes()).collect();
        self.proto.initializer.push(tensor(&name, shape, DataType::Int64, bytes));
    }

    /// Returns a number that layers share.
    fn number(&mut self, name: &str, value: f32) -> String {
        let name = format!("number.{name}");
        if !self.proto.initializer.iter().any(|tensor| tensor.name == name) {
            self.constant(name.clone(), &[], &[value]);
        }
        name
    }

    /// Numbers of the method, in single precision whatever the precision of the weights.
    fn constant(&mut self, name: String, shape: &[usize], values: &[f32]) -> String {
        let bytes = values.iter().flat_map(|value| value.to_le_bytes()).collect();
        self.proto.initializer.push(tensor(&name, shape, DataType::Float, bytes));
        name
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
        let constant = format!("shape.{}", sizes(shape));
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
                self.constant(name.clone(), shape, data);
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

    /// Returns a layer's own name, or its operator and a number.
    fn layer_name(&self, layer: &Layer) -> String {
        if !layer.name.is_empty() {
            return layer.name.clone();
        }
        let op = match layer.op {
            Op::Relu => "relu",
            Op::Relu6 => "relu6",
            Op::Gelu => "gelu",
            Op::Add => "add",
            Op::Normalize => "normalize",
            Op::Similarity => "similarity",
            Op::MaxPool => "max_pool",
            Op::AveragePool { .. } => "average_pool",
            Op::Split { .. } => "split",
            Op::Concat { .. } => "concat",
            Op::Transpose { .. } => "transpose",
            Op::Reshape => "reshape",
            Op::Pick { .. } => "pick",
            Op::Shuffle { .. } => "shuffle",
            Op::Mean { .. } => "mean",
            Op::Largest { .. } => "largest",
            Op::Attention { .. } => "attention",
            _ => "layer",
        };
        format!("{op}.{}", self.graph.index(layer.outputs[0]))
    }

    fn value_name(&self, value: Value) -> String {
        if let Some(name) = self.graph.input_name(value) {
            return name.to_owned();
        }
        if self.graph.is_output(value) {
            return self.graph.output.to_owned();
        }
        format!("value.{}", self.graph.index(value))
    }
}

/// Returns the elements of a matrix, its columns one after the other.
fn transposed(matrix: &Tensor) -> Vec<f32> {
    let columns = matrix.shape.last().copied().unwrap_or(0);
    (0..columns).flat_map(|column| matrix.data.iter().skip(column).step_by(columns)).copied().collect()
}

/// Sizes as part of a name.
fn sizes<T: ToString>(sizes: &[T]) -> String {
    sizes.iter().map(ToString::to_string).collect::<Vec<_>>().join("x")
}

pub(crate) fn node(
    op: &str,
    name: &str,
    inputs: &[String],
    outputs: &[String],
    attributes: Vec<AttributeProto>,
) -> NodeProto {
    NodeProto {
        op_type: op.to_owned(),
        name: name.to_owned(),
        input: inputs.to_vec(),
        output: outputs.to_vec(),
        attribute: attributes,
        ..Default::default()
    }
}

pub(crate) fn int(name: &str, i: i64) -> AttributeProto {
    AttributeProto { name: name.to_owned(), r#type: AttributeType::Int as i32, i, ..Default::default() }
}

fn float(name: &str, f: f32) -> AttributeProto {
    AttributeProto { name: name.to_owned(), r#type: AttributeType::Float as i32, f, ..Default::default() }
}

fn ints(name: &str, values: &[usize]) -> AttributeProto {
    int_list(name, &values.iter().map(|value| *value as i64).collect::<Vec<_>>())
}

fn int_list(name: &str, values: &[i64]) -> AttributeProto {
    AttributeProto {
        name: name.to_owned(),
        r#type: AttributeType::Ints as i32,
        ints: values.to_vec(),
        ..Default::default()
    }
}

pub(crate) fn tensor(name: &str, shape: &[usize], data_type: DataType, raw_data: Vec<u8>) -> TensorProto {
    let dims = shape.iter().map(|size| *size as i64).collect();
    TensorProto { name: name.to_owned(), dims, data_type: data_type as i32, raw_data, ..Default::default() }
}

fn value_info(name: &str, shape: &[usize], any_frames: bool) -> ValueInfoProto {
    use tensor_shape_proto::{Dimension, dimension::Value};
    let dimension = |(axis, size): (usize, &usize)| Dimension {
        value: Some(if any_frames && shape.len() == 5 && axis == 2 {
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
