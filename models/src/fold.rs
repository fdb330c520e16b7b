//! Batch norm folded into its neighbours: the same function with fewer layers.
//!
//! A batch norm with stored statistics is a scale and a shift for each channel. After a convolution they go into its
//! kernel and bias; before a linear layer into its matrix and bias. The head's batch norm may be folded too: the zero
//! vectors that fill up a short snippet are put in before it, so they meet the same numbers either way. The arithmetic is
//! done in double precision and rounded once.

use crate::{
    Error,
    graph::{Graph, Layer, Op, Value},
    weights::{Tensor, Weights},
};

/// Epsilon of every batch norm and layer norm here, PyTorch's default.
pub const EPSILON: f32 = 1e-5;

/// The same network without batch norm, and its weights.
///
/// # Errors
/// [`Error::Unfoldable`] for a batch norm without such a neighbour, [`Error::MissingWeight`] and
/// [`Error::WeightShape`] where the weights are not the graph's.
pub fn fold(graph: &Graph, weights: &Weights) -> Result<(Graph, Weights), Error> {
    let mut folded = graph.clone();
    let mut values = Weights::default();
    for spec in graph.weights() {
        values.0.insert(spec.name.clone(), weights.get(&spec.name, &spec.shape)?.clone());
    }
    let read_once = |value: Value| graph.layers.iter().filter(|layer| layer.inputs.contains(&value)).count() == 1;
    for norm in graph.layers.iter().filter(|layer| matches!(layer.op, Op::BatchNorm { .. })) {
        let affine = Affine::take(&norm.name, &mut values)?;
        let (input, output) = (norm.inputs[0], norm.outputs[0]);
        folded.layers.retain(|layer| layer.name != norm.name);
        if let Some(Layer { name, op: Op::Conv(conv), outputs, .. }) =
            folded.layers.iter_mut().find(|layer| layer.outputs[0] == input)
            && read_once(input)
        {
            conv.bias = true;
            outputs[0] = output;
            affine.after(name, &mut values)?;
        } else if let Some(Layer { name, op: Op::Linear { bias }, inputs, .. }) =
            folded.layers.iter_mut().find(|layer| layer.inputs[0] == output)
            && read_once(output)
        {
            *bias = true;
            inputs[0] = input;
            affine.before(name, &mut values)?;
        } else {
            return Err(Error::Unfoldable(norm.name.clone()));
        }
    }
    Ok((folded, values))
}

/// A batch norm as a scale and a shift for each channel.
struct Affine {
    scale: Vec<f64>,
    shift: Vec<f64>,
}

impl Affine {
    /// Takes the batch norm's weights out of the state dict.
    fn take(name: &str, weights: &mut Weights) -> Result<Affine, Error> {
        let gamma = take(weights, name, "weight")?;
        let beta = take(weights, name, "bias")?;
        let mean = take(weights, name, "running_mean")?;
        let variance = take(weights, name, "running_var")?;
        let deviation = |variance: &f32| (f64::from(*variance) + f64::from(EPSILON)).sqrt();
        let scale: Vec<f64> =
            gamma.data.iter().zip(&variance.data).map(|(g, v)| f64::from(*g) / deviation(v)).collect();
        let terms = beta.data.iter().zip(&mean.data).zip(&scale);
        let shift = terms.map(|((b, m), s)| f64::from(*b) - f64::from(*m) * s).collect();
        Ok(Affine { scale, shift })
    }

    /// Into the layer `name` that the batch norm follows: each output is scaled and shifted.
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

    /// Into the linear layer `name` that the batch norm precedes: each input is scaled and shifted.
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
