//! The description of a network: a small graph of the operators that these networks are made of.
//!
//! A graph is written by calling one method a layer, in order; each method checks nothing it cannot
//! know, computes the shape of what it makes, and returns a [`Value`] for the next layer to read.
//! Shapes are channels-first with a batch of one: (1, channels, height, width) for pictures, (1,
//! channels, time, height, width) for clips and (1, clips, features) for heads.

use super::op::{Conv, Op, Windows};

/// A value in a graph: an input, or the output of a layer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Value(usize);

/// Default epsilon of batch norms and layer norms: PyTorch's.
pub const EPSILON: f32 = 1e-5;

/// A layer.
#[derive(Clone, Debug, PartialEq)]
pub struct Layer {
    /// Prefix of its weights in the state dict, such as `stage2.0.branch1.0`; empty for layers
    /// without weights.
    pub name: String,
    /// Its operator.
    pub op: Op,
    /// The values that it reads.
    pub inputs: Vec<Value>,
    /// The values that it makes.
    pub outputs: Vec<Value>,
}

/// Role of a weight. It decides how the weight is seeded and whether it counts as a parameter.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Role {
    /// Kernel or matrix: the first axis is the output, the product of the others the fan-in.
    Kernel {
        /// Whether the layer reads the output of a ReLU.
        rectified: bool,
    },
    /// Bias of a convolution or linear layer, or shift of a norm.
    Bias,
    /// Scale of a norm.
    Scale,
    /// Stored mean of a batch norm: a statistic, not a parameter.
    Mean,
    /// Stored variance of a batch norm: a statistic, not a parameter.
    Variance,
}

/// A weight that a graph needs.
#[derive(Clone, Debug, PartialEq)]
pub struct WeightSpec {
    /// Name in the state dict, such as `conv1.0.weight`.
    pub name: String,
    /// Shape in PyTorch's order: (out, in / groups, kernel...) or (out, in) or (channels).
    pub shape: Vec<usize>,
    /// Its role.
    pub role: Role,
}

/// The description of a network.
#[derive(Clone, Debug, PartialEq)]
pub struct Graph {
    /// Name, such as `shufflenet-2d`.
    pub name: &'static str,
    /// What it reads: the name in ONNX and the value.
    pub inputs: Vec<(&'static str, Value)>,
    /// Name of the output in ONNX.
    pub output: &'static str,
    /// Whether clips may have any length: the weights do not depend on the length of the time axis
    /// (axis 2 of five), which is a symbol in ONNX.
    pub any_frames: bool,
    /// The layers in the order in which they can be computed; the last one makes the output.
    pub layers: Vec<Layer>,
    /// Values of which training leaves out a share.
    dropouts: Vec<(Value, f32)>,
    shapes: Vec<Vec<usize>>,
}

impl Graph {
    /// Creates a graph without layers and its input of the given shape.
    #[must_use]
    pub fn new(name: &'static str, input: (&'static str, &[usize]), output: &'static str) -> (Graph, Value) {
        let mut graph = Graph {
            name,
            inputs: Vec::new(),
            output,
            any_frames: false,
            layers: Vec::new(),
            dropouts: Vec::new(),
            shapes: Vec::new(),
        };
        let value = graph.input(input.0, input.1);
        (graph, value)
    }

    /// Adds an input.
    pub fn input(&mut self, name: &'static str, shape: &[usize]) -> Value {
        let value = Value(self.shapes.len());
        self.shapes.push(shape.to_vec());
        self.inputs.push((name, value));
        value
    }

    /// Returns the shape of a value.
    #[must_use]
    pub fn shape(&self, value: Value) -> &[usize] {
        &self.shapes[value.0]
    }

    /// Returns the shape of the first input.
    #[must_use]
    pub fn input_shape(&self) -> &[usize] {
        &self.shapes[0]
    }

    /// Returns the shape of the output: the last layer's.
    #[must_use]
    pub fn output_shape(&self) -> &[usize] {
        self.layers.last().map_or(self.input_shape(), |layer| self.shape(layer.outputs[0]))
    }

    /// Returns whether `value` is the output of the network.
    #[must_use]
    pub fn is_output(&self, value: Value) -> bool {
        self.layers.last().is_some_and(|layer| layer.outputs.contains(&value))
    }

    /// Returns the name of the input that `value` is, if it is one.
    #[must_use]
    pub fn input_name(&self, value: Value) -> Option<&'static str> {
        self.inputs.iter().find(|(_, input)| *input == value).map(|(name, _)| *name)
    }

    /// Returns a number for `value`, unique in the graph.
    #[must_use]
    pub fn index(&self, value: Value) -> usize {
        value.0
    }

    fn push(&mut self, name: impl Into<String>, op: Op, inputs: &[Value], shapes: Vec<Vec<usize>>) -> Vec<Value> {
        let outputs: Vec<Value> = (0..shapes.len()).map(|i| Value(self.shapes.len() + i)).collect();
        self.shapes.extend(shapes);
        self.layers.push(Layer { name: name.into(), op, inputs: inputs.to_vec(), outputs: outputs.clone() });
        outputs
    }

    fn push_same(&mut self, name: impl Into<String>, op: Op, inputs: &[Value]) -> Value {
        let shape = self.shape(inputs[0]).to_vec();
        self.push(name, op, inputs, vec![shape])[0]
    }

    /// Adds a convolution of (1, channels, ...).
    pub fn conv(&mut self, name: impl Into<String>, x: Value, conv: Conv) -> Value {
        let mut shape = vec![1, conv.channels];
        let sizes = self.shape(x)[2..].iter().enumerate();
        shape.extend(sizes.map(|(axis, size)| {
            let reach = conv.dilation[axis] * (conv.kernel[axis] - 1) + 1;
            (size + conv.padding[axis].iter().sum::<usize>() - reach) / conv.stride[axis] + 1
        }));
        self.push(name, Op::Conv(conv), &[x], vec![shape])[0]
    }

    /// Adds a batch norm over the channels on `axis`, with PyTorch's default epsilon.
    pub fn batch_norm(&mut self, name: impl Into<String>, x: Value, axis: usize) -> Value {
        self.batch_norm_of(name, x, axis, EPSILON)
    }

    /// Adds a batch norm over the channels on `axis`.
    pub fn batch_norm_of(&mut self, name: impl Into<String>, x: Value, axis: usize, epsilon: f32) -> Value {
        self.push_same(name, Op::BatchNorm { axis, epsilon }, &[x])
    }

    /// Adds a linear layer from the last axis to `outputs` features.
    pub fn linear(&mut self, name: impl Into<String>, x: Value, outputs: usize, bias: bool) -> Value {
        let mut shape = self.shape(x).to_vec();
        shape.pop();
        shape.push(outputs);
        self.push(name, Op::Linear { bias }, &[x], vec![shape])[0]
    }

    /// Adds a layer norm over the last axis, with PyTorch's default epsilon.
    pub fn layer_norm(&mut self, name: impl Into<String>, x: Value) -> Value {
        self.layer_norm_of(name, x, EPSILON)
    }

    /// Adds a layer norm over the last axis.
    pub fn layer_norm_of(&mut self, name: impl Into<String>, x: Value, epsilon: f32) -> Value {
        self.push_same(name, Op::LayerNorm { epsilon }, &[x])
    }

    /// Adds attention of (query, key, value).
    pub fn attention(&mut self, [query, key, value]: [Value; 3], heads: usize) -> Value {
        self.push_same("", Op::Attention { heads, windows: None }, &[query, key, value])
    }

    /// Adds attention of (query, key, value) within windows. The table of relative positions is a
    /// weight.
    pub fn window_attention(
        &mut self,
        name: impl Into<String>,
        [query, key, value]: [Value; 3],
        heads: usize,
        windows: Windows,
    ) -> Value {
        self.push_same(name, Op::Attention { heads, windows: Some(windows) }, &[query, key, value])
    }

    /// Adds a gated recurrent unit over (1, steps, features), with output (1, steps, hidden).
    pub fn gru(&mut self, name: impl Into<String>, x: Value, hidden: usize) -> Value {
        let shape = vec![1, self.shape(x)[1], hidden];
        self.push(name, Op::Gru { hidden }, &[x], vec![shape])[0]
    }

    /// Adds max(x, 0).
    pub fn relu(&mut self, x: Value) -> Value {
        self.push_same("", Op::Relu, &[x])
    }

    /// Adds min(max(x, 0), 6).
    pub fn relu6(&mut self, x: Value) -> Value {
        self.push_same("", Op::Relu6, &[x])
    }

    /// Adds x Φ(x).
    pub fn gelu(&mut self, x: Value) -> Value {
        self.push_same("", Op::Gelu, &[x])
    }

    /// Divides x by its Euclidean length over the last axis.
    pub fn normalize(&mut self, x: Value) -> Value {
        self.push_same("", Op::Normalize, &[x])
    }

    /// Adds the scalar products of all pairs of rows of (1, rows, features).
    pub fn similarity(&mut self, x: Value) -> Value {
        let rows = self.shape(x)[1];
        self.push("", Op::Similarity, &[x], vec![vec![1, rows, rows]])[0]
    }

    /// Adds a + b.
    pub fn add(&mut self, a: Value, b: Value) -> Value {
        self.push_same("", Op::Add, &[a, b])
    }

    /// Adds max pooling of side 3, stride 2, padding 1.
    pub fn max_pool(&mut self, x: Value) -> Value {
        let shape = self.shape(x);
        let pooled = shape[..2].iter().copied().chain(shape[2..].iter().map(|size| size.div_ceil(2))).collect();
        self.push("", Op::MaxPool, &[x], vec![pooled])[0]
    }

    /// Adds the mean over adjacent windows of these sides.
    pub fn average_pool(&mut self, x: Value, sides: &[usize]) -> Value {
        let shape = self.shape(x);
        let pooled =
            shape[..2].iter().copied().chain(shape[2..].iter().zip(sides).map(|(size, side)| size / side)).collect();
        self.push("", Op::AveragePool { sides: sides.to_vec() }, &[x], vec![pooled])[0]
    }

    /// Splits `x` into N equal parts along `axis`.
    pub fn split<const N: usize>(&mut self, x: Value, axis: usize) -> [Value; N] {
        let mut part = self.shape(x).to_vec();
        part[axis] /= N;
        let parts = self.push("", Op::Split { axis }, &[x], vec![part; N]);
        std::array::from_fn(|k| parts[k])
    }

    /// Concatenates the inputs along `axis`.
    pub fn concat(&mut self, inputs: &[Value], axis: usize) -> Value {
        let mut shape = self.shape(inputs[0]).to_vec();
        shape[axis] = inputs.iter().map(|input| self.shape(*input)[axis]).sum();
        self.push("", Op::Concat { axis }, inputs, vec![shape])[0]
    }

    /// Reorders the axes: axis k of the output is axis `order[k]` of the input.
    pub fn transpose(&mut self, x: Value, order: &[usize]) -> Value {
        let shape = order.iter().map(|axis| self.shape(x)[*axis]).collect();
        self.push("", Op::Transpose { order: order.to_vec() }, &[x], vec![shape])[0]
    }

    /// Reshapes `x`.
    pub fn reshape(&mut self, x: Value, shape: &[usize]) -> Value {
        self.push("", Op::Reshape, &[x], vec![shape.to_vec()])[0]
    }

    /// Picks the elements of axis 1 at these indices; the index after the last gives zeros.
    pub fn pick(&mut self, x: Value, indices: Vec<usize>) -> Value {
        let mut shape = self.shape(x).to_vec();
        shape[1] = indices.len();
        self.push("", Op::Pick { indices }, &[x], vec![shape])[0]
    }

    /// Adds to each token its row of a learned table of `rows` rows, which is the weight `name`
    /// itself; the index after the last adds nothing.
    pub fn add_rows(&mut self, name: impl Into<String>, x: Value, rows: usize, indices: Vec<usize>) -> Value {
        self.push_same(name, Op::AddRows { rows, indices }, &[x])
    }

    /// Adds a channel shuffle over `groups` groups.
    pub fn shuffle(&mut self, x: Value, groups: usize) -> Value {
        self.push_same("", Op::Shuffle { groups }, &[x])
    }

    /// Averages over `axes` (ascending), which disappear.
    pub fn mean(&mut self, x: Value, axes: &[usize]) -> Value {
        let kept = self.shape(x).iter().enumerate().filter(|(axis, _)| !axes.contains(axis));
        let shape = kept.map(|(_, size)| *size).collect();
        self.push("", Op::Mean { axes: axes.to_vec() }, &[x], vec![shape])[0]
    }

    /// Takes the maximum over `axis`, which disappears.
    pub fn largest(&mut self, x: Value, axis: usize) -> Value {
        let mut shape = self.shape(x).to_vec();
        shape.remove(axis);
        self.push("", Op::Largest { axis }, &[x], vec![shape])[0]
    }

    /// Marks `x` for dropout of `share` in training (Srivastava 2014). Dropout is not a layer:
    /// engines that run the network ignore it.
    pub fn dropout(&mut self, x: Value, share: f32) {
        self.dropouts.push((x, share));
    }

    /// Returns the same network of which training leaves nothing out.
    #[must_use]
    pub fn without_dropout(self) -> Graph {
        Graph { dropouts: Vec::new(), ..self }
    }

    /// Returns the share of `value` that training leaves out, if it does.
    #[must_use]
    pub fn dropout_of(&self, value: Value) -> Option<f32> {
        self.dropouts.iter().find(|(dropped, _)| *dropped == value).map(|(_, share)| *share)
    }

    /// Returns every weight of the network in the order of its layers, with PyTorch's names.
    #[must_use]
    pub fn weights(&self) -> Vec<WeightSpec> {
        self.layers.iter().flat_map(|layer| self.layer_weights(layer)).collect()
    }

    /// Returns the weights of one layer.
    fn layer_weights(&self, layer: &Layer) -> Vec<WeightSpec> {
        let input = self.shape(layer.inputs[0]);
        let kernel = Role::Kernel { rectified: self.is_rectified(layer.inputs[0]) };
        let last = |shape: &[usize]| shape[shape.len() - 1];
        let parts: Vec<(&str, Vec<usize>, Role)> = match &layer.op {
            Op::Conv(conv) => {
                let mut shape = vec![conv.channels, input[1] / conv.groups];
                shape.extend(&conv.kernel);
                let bias = conv.bias.then(|| ("bias", vec![conv.channels], Role::Bias));
                [("weight", shape, kernel)].into_iter().chain(bias).collect()
            }
            Op::Linear { bias } => {
                let outputs = last(self.shape(layer.outputs[0]));
                let bias = bias.then(|| ("bias", vec![outputs], Role::Bias));
                [("weight", vec![outputs, last(input)], kernel)].into_iter().chain(bias).collect()
            }
            Op::BatchNorm { axis, .. } => vec![
                ("weight", vec![input[*axis]], Role::Scale),
                ("bias", vec![input[*axis]], Role::Bias),
                ("running_mean", vec![input[*axis]], Role::Mean),
                ("running_var", vec![input[*axis]], Role::Variance),
            ],
            Op::Affine { axis } => {
                vec![("scale", vec![input[*axis]], Role::Scale), ("shift", vec![input[*axis]], Role::Bias)]
            }
            Op::Attention { heads, windows: Some(windows) } => {
                vec![("relative_position_bias_table", vec![windows.table_rows(), *heads], Role::Bias)]
            }
            Op::Gru { hidden } => {
                let gates = 3 * hidden;
                let recurrent = Role::Kernel { rectified: false };
                vec![
                    ("weight_ih_l0", vec![gates, last(input)], kernel),
                    ("weight_hh_l0", vec![gates, *hidden], recurrent),
                    ("bias_ih_l0", vec![gates], Role::Bias),
                    ("bias_hh_l0", vec![gates], Role::Bias),
                ]
            }
            Op::AddRows { rows, .. } => vec![("", vec![1, *rows, last(input)], Role::Bias)],
            Op::LayerNorm { .. } => {
                vec![("weight", vec![last(input)], Role::Scale), ("bias", vec![last(input)], Role::Bias)]
            }
            _ => Vec::new(),
        };
        let name = |part: &str| if part.is_empty() { layer.name.clone() } else { format!("{}.{part}", layer.name) };
        parts.into_iter().map(|(part, shape, role)| WeightSpec { name: name(part), shape, role }).collect()
    }

    /// Returns whether all that `value` holds came out of a ReLU, looking through the layers that
    /// only move or pick elements.
    fn is_rectified(&self, value: Value) -> bool {
        let Some(maker) = self.layers.iter().find(|layer| layer.outputs.contains(&value)) else { return false };
        match maker.op {
            Op::Relu | Op::Relu6 => true,
            Op::MaxPool | Op::Split { .. } | Op::Concat { .. } | Op::Shuffle { .. } => {
                maker.inputs.iter().all(|input| self.is_rectified(*input))
            }
            _ => false,
        }
    }
}
