//! A network as a differentiable function: the layers of its graph as operations of burn.

use std::collections::BTreeMap;

use burn_core::tensor::{
    Device, Gradients, Tensor, TensorData, activation,
    module::{batch_norm, batch_norm_train, conv1d, conv2d, conv3d, layer_norm, max_pool1d, max_pool2d},
    ops::{ConvOptions, MaxPoolOptions, PadMode},
};
use rand_chacha::{ChaCha8Rng, rand_core::Rng};
use thiserror::Error;

use crate::{
    engines::reference_input::Input,
    networks::{
        graph::{Graph, Layer, Role, Value as GraphValue},
        op::{Conv, Op},
    },
    weights::{self, Weights},
};

/// Share of a batch's statistics in those that a batch norm keeps (torch's default).
const MOMENTUM: f64 = 0.1;

/// The network has a layer that has no derivative here.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("cannot train {network}: it has a layer of type {layer}")]
pub struct Untrainable {
    network: &'static str,
    layer: String,
}

/// The gradient of each parameter's elements, by the parameter's name.
pub type ParameterGradients = BTreeMap<String, Tensor<1>>;

/// How a network is run.
pub enum Mode<'a> {
    /// Batch norms take and keep the statistics of the batch, and this draws what dropout leaves
    /// out.
    Training(&'a mut ChaCha8Rng),
    /// Batch norms take what they have kept, and all is there.
    Inference,
}

/// A network and its weights. All have their first axis for the batch, of any length; a head's
/// second one, the clips, may have any length too.
pub struct Differentiable {
    graph: Graph,
    /// Shape of each weight.
    shapes: BTreeMap<String, Vec<usize>>,
    /// What is trained: each weight's elements, of which the gradient is asked.
    parameters: BTreeMap<String, Tensor<1>>,
    /// What batch norms keep; no gradient passes through it.
    statistics: BTreeMap<String, Tensor<1>>,
    /// Whether what runs now is to be differentiated.
    tracked: bool,
}

/// Elements, and the shape that they lie in: burn's tensors have a rank that the compiler knows,
/// those of a graph have not.
#[derive(Clone)]
struct Value {
    elements: Tensor<1>,
    shape: Vec<usize>,
}

impl Value {
    fn of<const D: usize>(tensor: Tensor<D>) -> Value {
        let shape = tensor.dims().to_vec();
        Value { elements: tensor.reshape([-1]), shape }
    }

    /// In the shape that it has.
    fn shaped<const D: usize>(self) -> Tensor<D> {
        let shape: [usize; D] = std::array::from_fn(|axis| self.shape[axis]);
        self.elements.reshape(shape)
    }

    /// As (before, axis, after).
    fn around(self, axis: usize) -> Tensor<3> {
        let before: usize = self.shape[..axis].iter().product();
        let after: usize = self.shape[axis + 1..].iter().product();
        let length = self.shape[axis];
        self.elements.reshape([before, length, after])
    }

    /// As (rows, last axis).
    fn rows(self) -> Tensor<2> {
        let last = self.shape[self.shape.len() - 1];
        let rows = self.shape.iter().product::<usize>() / last;
        self.elements.reshape([rows, last])
    }

    /// Other elements in the same number of axes, of which one may have another length.
    fn with<const D: usize>(shape: &[usize], axis: usize, length: usize, tensor: Tensor<D>) -> Value {
        let mut shape = shape.to_vec();
        shape[axis] = length;
        Value { elements: tensor.reshape([-1]), shape }
    }
}

impl Differentiable {
    /// Returns the network `graph` with `weights`, on `device`, which must be one that keeps
    /// gradients (`Device::autodiff`).
    ///
    /// # Errors
    /// [`crate::Error::MissingWeight`] and [`crate::Error::WeightShape`] where the weights are not
    /// the graph's.
    pub fn new(graph: Graph, weights: &Weights, device: &Device) -> Result<Differentiable, crate::Error> {
        let mut network = Differentiable {
            graph,
            shapes: BTreeMap::new(),
            parameters: BTreeMap::new(),
            statistics: BTreeMap::new(),
            tracked: false,
        };
        for spec in network.graph.weights() {
            let weight = weights.get(&spec.name, &spec.shape)?;
            let elements = Tensor::from_floats(weight.data.as_slice(), device);
            match spec.role {
                Role::Mean | Role::Variance => network.statistics.insert(spec.name.clone(), elements.inner()),
                _ => network.parameters.insert(spec.name.clone(), elements.require_grad()),
            };
            network.shapes.insert(spec.name, spec.shape);
        }
        Ok(network)
    }

    /// Returns the description.
    #[must_use]
    pub fn graph(&self) -> &Graph {
        &self.graph
    }

    /// What is trained, by name: the elements of each weight.
    pub fn parameters(&self) -> &BTreeMap<String, Tensor<1>> {
        &self.parameters
    }

    /// Returns the gradients of the parameters that a loss depends on, out of those of the loss.
    #[must_use]
    pub fn gradients(&self, gradients: &Gradients) -> ParameterGradients {
        let all = self.parameters.iter();
        all.filter_map(|(name, elements)| Some((name.clone(), elements.grad(gradients)?))).collect()
    }

    /// Returns the number of 32-bit words that training draws for a batch of `batch` inputs of the
    /// graph's shape.
    #[must_use]
    pub fn words_drawn(&self, batch: usize) -> u128 {
        let outputs = self.graph.layers.iter().flat_map(|layer| &layer.outputs);
        let dropped = outputs.filter(|output| self.graph.dropout_of(**output).is_some());
        let words = |output: &GraphValue| {
            let shape = self.graph.shape(*output);
            (batch * shape[1..].iter().product::<usize>()).div_ceil(2) as u128
        };
        dropped.map(words).sum()
    }

    /// Puts other elements in the place of a parameter's.
    pub(super) fn set_parameter(&mut self, name: &str, elements: Tensor<1>) {
        self.parameters.insert(name.to_owned(), elements.require_grad());
    }

    /// Returns all weights as they are now.
    #[must_use]
    pub fn weights(&self) -> Weights {
        let all = self.parameters.iter().chain(&self.statistics);
        let weight = |(name, elements): (&String, &Tensor<1>)| {
            let data = numbers(elements.clone());
            (name.clone(), weights::Tensor { shape: self.shapes[name].clone(), data })
        };
        Weights(all.map(weight).collect())
    }

    /// What the network makes of a batch, a row each: `input` of shape (batch, ...), the axes after
    /// the first as in the graph. It can be differentiated where the input's device keeps
    /// gradients.
    ///
    /// # Errors
    /// [`Untrainable`].
    pub fn run<const D: usize>(&mut self, input: Tensor<D>, mode: Mode<'_>) -> Result<Tensor<2>, Untrainable> {
        self.run_value(Value::of(input), mode)
    }

    /// Returns the same for one input as other programs take it, with what batch norms have kept;
    /// its elements.
    ///
    /// # Errors
    /// [`Untrainable`].
    pub fn infer(&mut self, (shape, elements): &Input, device: &Device) -> Result<Vec<f32>, Untrainable> {
        let elements = Tensor::from_floats(elements.as_slice(), device);
        let value = Value { elements, shape: shape.clone() };
        Ok(numbers(self.run_value(value, Mode::Inference)?))
    }

    fn run_value(&mut self, input: Value, mut mode: Mode<'_>) -> Result<Tensor<2>, Untrainable> {
        self.tracked = input.elements.device().is_autodiff();
        let mut values: Vec<Option<Value>> = Vec::new();
        let put = |values: &mut Vec<Option<Value>>, at: usize, value| {
            values.resize_with(values.len().max(at + 1), || None);
            values[at] = Some(value);
        };
        put(&mut values, self.graph.index(self.graph.inputs[0].1), input);
        let layers = self.graph.layers.clone();
        let mut made = None;
        for layer in &layers {
            let inputs = layer.inputs.iter().map(|value| values[self.graph.index(*value)].clone());
            let inputs: Option<Vec<Value>> = inputs.collect();
            let outputs = inputs.and_then(|inputs| self.layer(layer, inputs, &mut mode));
            let outputs = outputs.ok_or_else(|| Untrainable {
                network: self.graph.name,
                layer: format!("{} {}", layer.name, layer.op.name()).trim().to_owned(),
            })?;
            for (at, mut value) in layer.outputs.iter().zip(outputs) {
                if let (Mode::Training(random), Some(share)) = (&mut mode, self.graph.dropout_of(*at)) {
                    value.elements = drop(value.elements, share, random);
                }
                made = Some(value.clone());
                put(&mut values, self.graph.index(*at), value);
            }
        }
        Ok(made.expect("a network has layers").rows())
    }

    fn parameter(&self, layer: &Layer, part: &str) -> Tensor<1> {
        let elements = self.parameters[&format!("{}.{part}", layer.name)].clone();
        if self.tracked { elements } else { elements.inner() }
    }

    fn matrix(&self, layer: &Layer, part: &str) -> Tensor<2> {
        let shape = &self.shapes[&format!("{}.{part}", layer.name)];
        self.parameter(layer, part).reshape([shape[0], shape[1]])
    }

    /// What a layer makes of its inputs; `None` where there is no derivative.
    fn layer(&mut self, layer: &Layer, mut inputs: Vec<Value>, mode: &mut Mode<'_>) -> Option<Vec<Value>> {
        let x = inputs[0].clone();
        let shape = x.shape.clone();
        let same = |elements: Tensor<1>| Value { elements, shape: shape.clone() };
        let made = match &layer.op {
            Op::Conv(conv) => self.convolve(layer, conv, x)?,
            Op::BatchNorm { axis, epsilon } => same(self.batch_norm(layer, *axis, *epsilon, x, mode)),
            Op::Linear { bias } => {
                let y = x.rows().matmul(self.matrix(layer, "weight").transpose());
                let y = if *bias { y + self.parameter(layer, "bias").unsqueeze() } else { y };
                Value::with(&shape, shape.len() - 1, y.dims()[1], y)
            }
            Op::LayerNorm { epsilon } => {
                let (scale, shift) = (self.parameter(layer, "weight"), self.parameter(layer, "bias"));
                same(layer_norm(x.rows(), scale, Some(shift), f64::from(*epsilon)).reshape([-1]))
            }
            Op::Attention { heads, windows: None } => same(attend(inputs.drain(..), *heads)),
            Op::Gru { hidden } => Value::of(self.recur(layer, *hidden, x.shaped())),
            Op::Relu => same(activation::relu(x.elements)),
            Op::Relu6 => same(x.elements.clamp(0.0, 6.0)),
            Op::Gelu => same(activation::gelu(x.elements)),
            Op::Add => same(x.elements + inputs[1].elements.clone()),
            Op::MaxPool => max_pool(x)?,
            Op::Split { axis } => {
                let parts = x.around(*axis).chunk(layer.outputs.len(), 1).into_iter();
                return Some(parts.map(|part| Value::with(&shape, *axis, part.dims()[1], part)).collect());
            }
            Op::Concat { axis } => {
                let parts = inputs.into_iter().map(|part| part.around(*axis)).collect();
                let all = Tensor::cat(parts, 1);
                Value::with(&shape, *axis, all.dims()[1], all)
            }
            Op::Shuffle { groups } => {
                let x = x.around(1);
                let [batch, channels, places] = x.dims();
                let grouped: Tensor<4> = x.reshape([batch, *groups, channels / groups, places]);
                same(grouped.swap_dims(1, 2).reshape([-1]))
            }
            Op::Mean { axes } => mean(x, axes)?,
            Op::Largest { axis } => {
                let mut shape = shape.clone();
                shape.remove(*axis);
                Value { elements: x.around(*axis).max_dim(1).reshape([-1]), shape }
            }
            // Of what lies in the batch's rows: the axis of the batch stays.
            Op::Reshape if self.graph.shape(layer.outputs[0])[0] == 1 => {
                let inner = &self.graph.shape(layer.outputs[0])[1..];
                Value { shape: [&shape[..1], inner].concat(), elements: x.elements }
            }
            Op::Transpose { order } if order.len() == 3 => {
                let order: [usize; 3] = std::array::from_fn(|axis| order[axis]);
                Value::of(x.shaped::<3>().permute(order))
            }
            _ => return None,
        };
        Some(vec![made])
    }

    fn batch_norm(&mut self, layer: &Layer, axis: usize, epsilon: f32, x: Value, mode: &Mode<'_>) -> Tensor<1> {
        let (scale, shift) = (self.parameter(layer, "weight"), self.parameter(layer, "bias"));
        let x = x.around(axis);
        let names = ["running_mean", "running_var"].map(|part| format!("{}.{part}", layer.name));
        if matches!(mode, Mode::Inference) {
            let kept = |name: &String| match self.tracked {
                true => Tensor::from_inner(self.statistics[name].clone()),
                false => self.statistics[name].clone(),
            };
            let [mean, variance] = names.each_ref().map(kept);
            return batch_norm(x, scale, shift, mean, variance, f64::from(epsilon)).reshape([-1]);
        }
        let [before, _, after] = x.dims();
        let of_batch = batch_norm_train(x, scale, shift, f64::from(epsilon));
        let plain = |new: Tensor<1>| if self.tracked { new.inner() } else { new };
        // The variance that is kept is that of what the batch is drawn from, as in torch.
        let count = (before * after) as f64;
        let unbiased = plain(of_batch.variance) * (count / (count - 1.0).max(1.0));
        for (name, new) in names.into_iter().zip([plain(of_batch.mean), unbiased]) {
            let kept = self.statistics.remove(&name).map(|kept| kept * (1.0 - MOMENTUM) + new.clone() * MOMENTUM);
            self.statistics.insert(name, kept.unwrap_or(new));
        }
        of_batch.output.reshape([-1])
    }

    fn convolve(&self, layer: &Layer, conv: &Conv, x: Value) -> Option<Value> {
        let kernel = Value {
            elements: self.parameter(layer, "weight"),
            shape: self.shapes[&format!("{}.weight", layer.name)].clone(),
        };
        let bias = conv.bias.then(|| self.parameter(layer, "bias"));
        Some(match conv.kernel.len() {
            1 => Value::of(conv1d(padded(conv, x.shaped()), kernel.shaped(), bias, geometry::<1>(conv))),
            2 => Value::of(conv2d(padded(conv, x.shaped()), kernel.shaped(), bias, geometry::<2>(conv))),
            3 => Value::of(conv3d(padded(conv, x.shaped()), kernel.shaped(), bias, geometry::<3>(conv))),
            _ => return None,
        })
    }

    /// Returns every state of a gated recurrent unit, (batch, steps, hidden), in torch's form: the
    /// reset gate is applied to what the state's matrix has made.
    fn recur(&self, layer: &Layer, hidden: usize, x: Tensor<3>) -> Tensor<3> {
        let [batch, steps, features] = x.dims();
        let device = x.device();
        let read = x.reshape([batch * steps, features]).matmul(self.matrix(layer, "weight_ih_l0").transpose());
        let read = read + self.parameter(layer, "bias_ih_l0").unsqueeze();
        let read = read.reshape([batch, steps, 3 * hidden]);
        let matrix = self.matrix(layer, "weight_hh_l0").transpose();
        let bias = self.parameter(layer, "bias_hh_l0").unsqueeze::<2>();
        let mut state = Tensor::<2>::zeros([batch, hidden], &device);
        let mut states = Vec::with_capacity(steps);
        for step in 0..steps {
            let read = read.clone().narrow(1, step, 1).reshape([batch, 3 * hidden]);
            let kept = state.clone().matmul(matrix.clone()) + bias.clone();
            let part = |of: &Tensor<2>, at: usize| of.clone().narrow(1, at * hidden, hidden);
            let reset = activation::sigmoid(part(&read, 0) + part(&kept, 0));
            let update = activation::sigmoid(part(&read, 1) + part(&kept, 1));
            let new = (part(&read, 2) + reset * part(&kept, 2)).tanh();
            state = new.clone() + update * (state - new);
            states.push(state.clone());
        }
        Tensor::stack(states, 1)
    }
}

/// Returns the elements as they are in memory.
pub(super) fn numbers<const D: usize>(tensor: Tensor<D>) -> Vec<f32> {
    tensor.try_into_vec_as().expect("what the processor has computed can be read")
}

/// Leaves out a share, and makes up for it in the rest.
fn drop(elements: Tensor<1>, share: f32, random: &mut ChaCha8Rng) -> Tensor<1> {
    let count = elements.dims()[0];
    let kept = 1.0 / (1.0 - share);
    let limit = (f64::from(share) * 65536.0) as u32;
    let mut mask = Vec::with_capacity(count + 1);
    while mask.len() < count {
        let bits = random.next_u32();
        mask.extend([bits & 0xffff, bits >> 16].map(|bits| if bits < limit { 0.0 } else { kept }));
    }
    mask.truncate(count);
    let mask = Tensor::from_data(TensorData::new(mask, [count]), &elements.device());
    elements * mask
}

/// Multi-head scaled dot-product attention of query, key and value, (batch, tokens, features) each;
/// its elements.
fn attend(inputs: impl Iterator<Item = Value>, heads: usize) -> Tensor<1> {
    let mut parts = inputs.map(|value| {
        let x: Tensor<3> = value.shaped();
        let [batch, tokens, features] = x.dims();
        x.reshape([batch, tokens, heads, features / heads]).swap_dims(1, 2)
    });
    let (Some(query), Some(key), Some(value)) = (parts.next(), parts.next(), parts.next()) else {
        unreachable!("attention has three inputs")
    };
    let width = query.dims()[3] as f64;
    let scores = query.matmul(key.transpose()) / width.sqrt();
    activation::softmax(scores, 3).matmul(value).swap_dims(1, 2).reshape([-1])
}

/// Returns whether both sides of every axis are padded alike, which burn's convolutions do
/// themselves.
fn is_symmetric(conv: &Conv) -> bool {
    conv.padding.iter().all(|[before, after]| before == after)
}

/// Pads the input of a convolution with zeros where its two sides are padded differently
/// (TensorFlow's `same`).
fn padded<const D: usize>(conv: &Conv, x: Tensor<D>) -> Tensor<D> {
    if is_symmetric(conv) {
        return x;
    }
    let pairs: Vec<(usize, usize)> = conv.padding.iter().map(|&[before, after]| (before, after)).collect();
    x.pad(pairs, PadMode::Constant(0.0))
}

/// Geometry of a convolution over what [`padded`] returns.
fn geometry<const N: usize>(conv: &Conv) -> ConvOptions<N> {
    let axes = |sizes: &[usize]| -> [usize; N] { std::array::from_fn(|axis| sizes[axis]) };
    let padding = std::array::from_fn(|axis| if is_symmetric(conv) { conv.padding[axis][0] } else { 0 });
    ConvOptions::new(axes(&conv.stride), padding, axes(&conv.dilation), conv.groups)
}

/// Returns the side 3, stride 2, padding 1 over all axes after the channels. Over three axes it is
/// the pool over two, then over time.
fn max_pool(x: Value) -> Option<Value> {
    let over = |sides: [usize; 2]| {
        MaxPoolOptions::new(sides).with_stride(sides.map(|side| side / 2 + 1)).with_padding(sides.map(|side| side / 2))
    };
    Some(match x.shape.len() {
        3 => Value::of(max_pool1d(x.shaped(), MaxPoolOptions::new([3]).with_stride([2]).with_padding([1]))),
        4 => Value::of(max_pool2d(x.shaped(), over([3, 3]))),
        5 => {
            let [batch, channels, frames, height, width] = x.shape[..] else { return None };
            let pictures = x.elements.reshape([batch, channels * frames, height, width]);
            let pooled = max_pool2d(pictures, over([3, 3]));
            let [_, _, height, width] = pooled.dims();
            let pooled = max_pool2d(pooled.reshape([batch, channels, frames, height * width]), over([3, 1]));
            let frames = pooled.dims()[2];
            Value::of(pooled.reshape([batch, channels, frames, height, width]))
        }
        _ => return None,
    })
}

/// Returns the mean over neighbouring axes, which vanish.
fn mean(x: Value, axes: &[usize]) -> Option<Value> {
    let (first, last) = (*axes.first()?, *axes.last()?);
    if last - first + 1 != axes.len() {
        return None;
    }
    let mut shape = x.shape.clone();
    let before: usize = shape[..first].iter().product();
    let length: usize = shape[first..=last].iter().product();
    let after: usize = shape[last + 1..].iter().product();
    let means: Tensor<3> = x.elements.reshape([before, length, after]).mean_dim(1);
    shape.drain(first..=last);
    Some(Value { elements: means.reshape([-1]), shape })
}
