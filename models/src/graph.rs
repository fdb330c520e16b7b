//! The description of a network: a small graph of the operators that these networks are made of.
//!
//! A graph is written by calling one method a layer, in order; each method checks nothing it cannot know, computes the
//! shape of what it makes, and returns a [`Value`] for the next layer to read. Shapes are channels-first with a batch of
//! one: (1, channels, height, width) for pictures, (1, channels, time, height, width) for clips and
//! (1, clips, features) for heads.

/// A value inside a graph: the input, or what a layer made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Value(usize);

/// What a layer does to its inputs.
#[derive(Clone, Debug, PartialEq)]
pub enum Op {
    /// Convolution over all axes after the channels.
    Conv(Conv),
    /// Batch norm with stored statistics over the channels, which lie on `axis`.
    BatchNorm {
        /// Axis of the channels.
        axis: usize,
    },
    /// Matrix multiplication over the last axis.
    Linear {
        /// Whether a bias is added.
        bias: bool,
    },
    /// Layer norm over the last axis.
    LayerNorm,
    /// Multi-head scaled dot-product attention of (query, key, value), each (1, clips, features), without projections.
    Attention {
        /// Number of heads; divides the features.
        heads: usize,
    },
    /// max(x, 0).
    Relu,
    /// Sum of two values of one shape.
    Add,
    /// Maximum over windows of side 3, stride 2, padded by one, over all axes after the channels.
    MaxPool,
    /// First and second half of the channels.
    Split,
    /// The inputs one after the other along the channels.
    Concat,
    /// Channel shuffle: channel (g, i) of `groups` groups becomes channel (i, g).
    Shuffle {
        /// Number of groups; divides the channels.
        groups: usize,
    },
    /// Mean over these axes, which vanish.
    Mean {
        /// The axes, ascending.
        axes: Vec<usize>,
    },
}

/// Geometry of a convolution. The lists hold one entry for each axis after the channels.
#[derive(Clone, Debug, PartialEq)]
pub struct Conv {
    /// Number of output channels.
    pub channels: usize,
    /// Sides of the kernel, odd; the padding is half of each, so that stride 1 keeps the size.
    pub kernel: Vec<usize>,
    /// Steps between outputs.
    pub stride: Vec<usize>,
    /// Number of groups, 1 or the number of input channels (depthwise).
    pub groups: usize,
    /// Whether a bias is added.
    pub bias: bool,
}

/// One layer.
#[derive(Clone, Debug, PartialEq)]
pub struct Layer {
    /// Prefix of its weights in the state dict, such as `stage2.0.branch1.0`; empty for layers without weights.
    pub name: String,
    /// What it does.
    pub op: Op,
    /// What it reads.
    pub inputs: Vec<Value>,
    /// What it makes.
    pub outputs: Vec<Value>,
}

/// What a weight is for; decides how it is seeded and whether it counts as a parameter.
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

/// One weight that a graph needs.
#[derive(Clone, Debug, PartialEq)]
pub struct WeightSpec {
    /// Name in the state dict, such as `conv1.0.weight`.
    pub name: String,
    /// Shape in PyTorch's order: (out, in / groups, kernel...) or (out, in) or (channels).
    pub shape: Vec<usize>,
    /// What it is for.
    pub role: Role,
}

/// A network.
#[derive(Clone, Debug, PartialEq)]
pub struct Graph {
    /// Name, such as `shufflenet-2d`.
    pub name: &'static str,
    /// Name of the input in ONNX.
    pub input: &'static str,
    /// Name of the output in ONNX.
    pub output: &'static str,
    /// The layers in the order in which they can be computed; the last one makes the output.
    pub layers: Vec<Layer>,
    shapes: Vec<Vec<usize>>,
}

impl Graph {
    /// A graph without layers, and its input of the given shape.
    #[must_use]
    pub fn new(name: &'static str, input: (&'static str, &[usize]), output: &'static str) -> (Graph, Value) {
        let (input, shape) = input;
        (Graph { name, input, output, layers: Vec::new(), shapes: vec![shape.to_vec()] }, Value(0))
    }

    /// Shape of a value.
    #[must_use]
    pub fn shape(&self, value: Value) -> &[usize] {
        &self.shapes[value.0]
    }

    /// Shape of the input.
    #[must_use]
    pub fn input_shape(&self) -> &[usize] {
        &self.shapes[0]
    }

    /// Shape of the output: what the last layer makes.
    #[must_use]
    pub fn output_shape(&self) -> &[usize] {
        self.layers.last().map_or(self.input_shape(), |layer| self.shape(layer.outputs[0]))
    }

    /// Whether `value` is what the network makes.
    #[must_use]
    pub fn is_output(&self, value: Value) -> bool {
        self.layers.last().is_some_and(|layer| layer.outputs.contains(&value))
    }

    /// Whether `value` is what the network reads.
    #[must_use]
    pub fn is_input(&self, value: Value) -> bool {
        value.0 == 0
    }

    /// A number for `value`, unique in the graph.
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

    /// Convolution of (1, channels, ...).
    pub fn conv(&mut self, name: impl Into<String>, x: Value, conv: Conv) -> Value {
        let mut shape = vec![1, conv.channels];
        let sizes = self.shape(x)[2..].iter().zip(&conv.kernel).zip(&conv.stride);
        shape.extend(sizes.map(|((size, kernel), stride)| (size + 2 * (kernel / 2) - kernel) / stride + 1));
        self.push(name, Op::Conv(conv), &[x], vec![shape])[0]
    }

    /// Batch norm over the channels on `axis`.
    pub fn batch_norm(&mut self, name: impl Into<String>, x: Value, axis: usize) -> Value {
        self.push_same(name, Op::BatchNorm { axis }, &[x])
    }

    /// Linear layer from the last axis to `outputs` features.
    pub fn linear(&mut self, name: impl Into<String>, x: Value, outputs: usize, bias: bool) -> Value {
        let mut shape = self.shape(x).to_vec();
        shape.pop();
        shape.push(outputs);
        self.push(name, Op::Linear { bias }, &[x], vec![shape])[0]
    }

    /// Layer norm over the last axis.
    pub fn layer_norm(&mut self, name: impl Into<String>, x: Value) -> Value {
        self.push_same(name, Op::LayerNorm, &[x])
    }

    /// Attention of (query, key, value).
    pub fn attention(&mut self, [query, key, value]: [Value; 3], heads: usize) -> Value {
        self.push_same("", Op::Attention { heads }, &[query, key, value])
    }

    /// max(x, 0).
    pub fn relu(&mut self, x: Value) -> Value {
        self.push_same("", Op::Relu, &[x])
    }

    /// a + b.
    pub fn add(&mut self, a: Value, b: Value) -> Value {
        self.push_same("", Op::Add, &[a, b])
    }

    /// Max pooling, side 3, stride 2, padding 1.
    pub fn max_pool(&mut self, x: Value) -> Value {
        let shape = self.shape(x);
        let pooled = shape[..2].iter().copied().chain(shape[2..].iter().map(|size| size.div_ceil(2))).collect();
        self.push("", Op::MaxPool, &[x], vec![pooled])[0]
    }

    /// First and second half of the channels.
    pub fn split(&mut self, x: Value) -> [Value; 2] {
        let mut half = self.shape(x).to_vec();
        half[1] /= 2;
        let halves = self.push("", Op::Split, &[x], vec![half.clone(), half]);
        [halves[0], halves[1]]
    }

    /// The channels of `a`, then those of `b`.
    pub fn concat(&mut self, a: Value, b: Value) -> Value {
        let mut shape = self.shape(a).to_vec();
        shape[1] += self.shape(b)[1];
        self.push("", Op::Concat, &[a, b], vec![shape])[0]
    }

    /// Channel shuffle over `groups` groups.
    pub fn shuffle(&mut self, x: Value, groups: usize) -> Value {
        self.push_same("", Op::Shuffle { groups }, &[x])
    }

    /// Mean over `axes` (ascending), which vanish.
    pub fn mean(&mut self, x: Value, axes: &[usize]) -> Value {
        let kept = self.shape(x).iter().enumerate().filter(|(axis, _)| !axes.contains(axis));
        let shape = kept.map(|(_, size)| *size).collect();
        self.push("", Op::Mean { axes: axes.to_vec() }, &[x], vec![shape])[0]
    }

    /// Every weight of the network in the order of its layers, named as PyTorch names it.
    #[must_use]
    pub fn weights(&self) -> Vec<WeightSpec> {
        self.layers.iter().flat_map(|layer| self.layer_weights(layer)).collect()
    }

    /// The weights of one layer.
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
            Op::BatchNorm { axis } => vec![
                ("weight", vec![input[*axis]], Role::Scale),
                ("bias", vec![input[*axis]], Role::Bias),
                ("running_mean", vec![input[*axis]], Role::Mean),
                ("running_var", vec![input[*axis]], Role::Variance),
            ],
            Op::LayerNorm => {
                vec![("weight", vec![last(input)], Role::Scale), ("bias", vec![last(input)], Role::Bias)]
            }
            _ => Vec::new(),
        };
        let name = |part| format!("{}.{part}", layer.name);
        parts.into_iter().map(|(part, shape, role)| WeightSpec { name: name(part), shape, role }).collect()
    }

    /// Whether all that `value` holds came out of a ReLU, looking through the layers that only move or pick elements.
    fn is_rectified(&self, value: Value) -> bool {
        let Some(maker) = self.layers.iter().find(|layer| layer.outputs.contains(&value)) else { return false };
        match maker.op {
            Op::Relu => true,
            Op::MaxPool | Op::Split | Op::Concat | Op::Shuffle { .. } => {
                maker.inputs.iter().all(|input| self.is_rectified(*input))
            }
            _ => false,
        }
    }
}
