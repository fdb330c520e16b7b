//! Folds batch norm into the neighbouring layers: the same function with fewer layers.
//!
//! A batch norm with stored statistics is a scale and a shift per channel. After a convolution they
//! fold into its kernel and bias; before a linear layer, into its matrix and bias. This also holds
//! for the head's batch norm: the zero vectors that fill up a short snippet are inserted before it,
//! so the result is the same. The arithmetic is in double precision and rounded once.

use crate::{
    Error,
    networks::{
        graph::{Graph, Layer, Value},
        op::Op,
    },
    weights::{Tensor, Weights},
};

/// Returns the same network without batch norm, and its weights. A batch norm without a neighbour
/// to fold into becomes an [`Op::Affine`].
///
/// # Errors
/// [`Error::MissingWeight`] and [`Error::WeightShape`] where the weights do not fit the graph.
pub fn fold(graph: &Graph, weights: &Weights) -> Result<(Graph, Weights), Error> {
    let mut folded = graph.clone();
    let mut values = Weights::default();
    for spec in graph.weights() {
        values.0.insert(spec.name.clone(), weights.get(&spec.name, &spec.shape)?.clone());
    }
    let read_once = |value: Value| graph.layers.iter().filter(|layer| layer.inputs.contains(&value)).count() == 1;
    for norm in &graph.layers {
        let Op::BatchNorm { axis, epsilon } = norm.op else { continue };
        let affine = Affine::take(&norm.name, epsilon, &mut values)?;
        let (input, output) = (norm.inputs[0], norm.outputs[0]);
        let before = convolutions_before(graph, input).filter(|_| axis == 1 && read_once(input));
        let after = graph.layers.iter().find(|layer| layer.inputs.first() == Some(&output));
        let after = after.filter(|layer| matches!(layer.op, Op::Linear { .. }) && read_once(output));
        if let Some(convolutions) = before {
            let mut channel = 0;
            for name in convolutions {
                let conv = layer_mut(&mut folded, |layer| layer.name == name);
                let Some(Layer { op: Op::Conv(conv), .. }) = conv else { continue };
                conv.bias = true;
                affine.part(channel, conv.channels).after(name, &mut values)?;
                channel += conv.channels;
            }
            if let Some(maker) = layer_mut(&mut folded, |layer| layer.outputs[0] == input) {
                maker.outputs[0] = output;
            }
            folded.layers.retain(|layer| layer.name != norm.name);
        } else if let Some(Layer { name, .. }) = after {
            if let Some(Layer { op: Op::Linear { bias }, inputs, .. }) =
                layer_mut(&mut folded, |layer| layer.name == *name)
            {
                *bias = true;
                inputs[0] = input;
            }
            affine.before(name, &mut values)?;
            folded.layers.retain(|layer| layer.name != norm.name);
        } else {
            if let Some(layer) = layer_mut(&mut folded, |layer| layer.name == norm.name) {
                layer.op = Op::Affine { axis };
            }
            affine.stay(&norm.name, &mut values);
        }
    }
    Ok((folded, values))
}

/// Returns the names of the convolutions that make `value`: one, or several whose outputs are
/// concatenated over the channels and used nowhere else.
fn convolutions_before(graph: &Graph, value: Value) -> Option<Vec<&str>> {
    let maker = |value: Value| graph.layers.iter().find(|layer| layer.outputs[0] == value);
    let read_once = |value: &Value| graph.layers.iter().filter(|layer| layer.inputs.contains(value)).count() == 1;
    let layer = maker(value)?;
    match layer.op {
        Op::Conv(_) => Some(vec![&layer.name]),
        Op::Concat { axis: 1 } if layer.inputs.iter().all(read_once) => layer
            .inputs
            .iter()
            .map(|input| maker(*input).filter(|layer| matches!(layer.op, Op::Conv(_))).map(|layer| layer.name.as_str()))
            .collect(),
        _ => None,
    }
}

fn layer_mut(graph: &mut Graph, is_it: impl Fn(&Layer) -> bool) -> Option<&mut Layer> {
    graph.layers.iter_mut().find(|layer| is_it(layer))
}

/// A batch norm as a scale and a shift per channel.
struct Affine {
    scale: Vec<f64>,
    shift: Vec<f64>,
}

impl Affine {
    /// Removes the batch norm's weights from the state dict and converts them.
    fn take(name: &str, epsilon: f32, weights: &mut Weights) -> Result<Affine, Error> {
        let gamma = take(weights, name, "weight")?;
        let beta = take(weights, name, "bias")?;
        let mean = take(weights, name, "running_mean")?;
        let variance = take(weights, name, "running_var")?;
        let deviation = |variance: &f32| (f64::from(*variance) + f64::from(epsilon)).sqrt();
        let scale: Vec<f64> =
            gamma.data.iter().zip(&variance.data).map(|(g, v)| f64::from(*g) / deviation(v)).collect();
        let terms = beta.data.iter().zip(&mean.data).zip(&scale);
        let shift = terms.map(|((b, m), s)| f64::from(*b) - f64::from(*m) * s).collect();
        Ok(Affine { scale, shift })
    }

    /// Returns the part for `count` channels from `first`.
    fn part(&self, first: usize, count: usize) -> Affine {
        let part = |values: &[f64]| values.iter().skip(first).take(count).copied().collect();
        Affine { scale: part(&self.scale), shift: part(&self.shift) }
    }

    /// Stores the scale and the shift as weights of their own.
    fn stay(&self, name: &str, weights: &mut Weights) {
        for (part, values) in [("scale", &self.scale), ("shift", &self.shift)] {
            let data = values.iter().map(|value| *value as f32).collect();
            weights.0.insert(format!("{name}.{part}"), Tensor { shape: vec![values.len()], data });
        }
    }

    /// Folds into the layer `name` before the batch norm: scales and shifts each output.
    fn after(&self, name: &str, weights: &mut Weights) -> Result<(), Error> {
        let mut kernel = take(weights, name, "weight")?;
        let bias = take(weights, name, "bias").map_or_else(|_| vec![0.0; self.scale.len()], |bias| bias.data);
        let fan_in = kernel.data.len() / self.scale.len();
        for (row, scale) in kernel.data.chunks_exact_mut(fan_in).zip(&self.scale) {
            row.iter_mut().for_each(|weight| *weight = (f64::from(*weight) * scale) as f32);
        }
        let terms = bias.iter().zip(&self.scale).zip(&self.shift);
        let bias = terms.map(|((b, scale), shift)| (f64::from(*b) * scale + shift) as f32).collect();
        put(weights, name, kernel, bias);
        Ok(())
    }

    /// Folds into the linear layer `name` after the batch norm: scales and shifts each input.
    fn before(&self, name: &str, weights: &mut Weights) -> Result<(), Error> {
        let mut matrix = take(weights, name, "weight")?;
        let mut bias = take(weights, name, "bias").map_or_else(|_| vec![0.0; matrix.shape[0]], |bias| bias.data);
        for (row, bias) in matrix.data.chunks_exact_mut(self.scale.len()).zip(&mut bias) {
            let shifted: f64 = row.iter().zip(&self.shift).map(|(weight, shift)| f64::from(*weight) * shift).sum();
            *bias = (f64::from(*bias) + shifted) as f32;
            for (weight, scale) in row.iter_mut().zip(&self.scale) {
                *weight = (f64::from(*weight) * scale) as f32;
            }
        }
        put(weights, name, matrix, bias);
        Ok(())
    }
}

fn take(weights: &mut Weights, layer: &str, part: &str) -> Result<Tensor, Error> {
    let name = format!("{layer}.{part}");
    weights.0.remove(&name).ok_or(Error::MissingWeight(name))
}

fn put(weights: &mut Weights, layer: &str, kernel: Tensor, bias: Vec<f32>) {
    weights.0.insert(format!("{layer}.weight"), kernel);
    weights.0.insert(format!("{layer}.bias"), Tensor { shape: vec![bias.len()], data: bias });
}
