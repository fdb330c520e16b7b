//! The network that reads the evidence on a frame: how probable it is that a shot begins with it, and that it is part of a gradual transition.
//!
//! Two hidden layers with ReLU. It has some 21,000 weights; they are trained by `divita-models fit-shots`.

use half::f16;
use safetensors::tensor::{Dtype, SafeTensorError, SafeTensors, TensorView, serialize};
use thiserror::Error;

use super::evidence::{Evidence, NUMBERS};
use crate::vectors::{Computation, run_widest};

/// Outputs of the first layer.
pub const FIRST: usize = 32;
/// Outputs of the second.
pub const SECOND: usize = 16;
/// Logits: cut, gradual.
pub const OUTPUTS: usize = 2;

/// Weights in all.
pub const WEIGHTS: usize = NUMBERS * FIRST + FIRST + FIRST * SECOND + SECOND + SECOND * OUTPUTS + OUTPUTS;

/// The tensors of a file and their shapes, in the order in which they are used.
const TENSORS: [(&str, &[usize]); 6] = [
    ("first.weight", &[NUMBERS, FIRST]),
    ("first.bias", &[FIRST]),
    ("second.weight", &[FIRST, SECOND]),
    ("second.bias", &[SECOND]),
    ("output.weight", &[SECOND, OUTPUTS]),
    ("output.bias", &[OUTPUTS]),
];

/// What a frame is, each as a probability in [0, 1].
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Reading {
    /// That a shot begins with it, with a cut.
    pub cut: f32,
    /// That it lies between two shots.
    pub gradual: f32,
}

/// A file that is not one of weights.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum TransitionNetworkError {
    /// It is no safetensors file, or cannot be made one.
    #[error("these are no weights of the shot detector")]
    File(#[from] SafeTensorError),
    /// A tensor is missing or of another form.
    #[error(
        "the shot detector's weights have no tensor {0} of half precision and the shape {1:?}: are they of another version?"
    )]
    Tensor(&'static str, &'static [usize]),
    /// A weight is infinite or not a number.
    #[error("a weight of the shot detector's {0} is not a number")]
    NotFinite(&'static str),
}

/// The weights, in the order in which they are used: a layer's weights (inputs, outputs), then its biases.
#[derive(Clone, Debug, PartialEq)]
pub struct TransitionNetwork {
    weights: Vec<f32>,
}

impl TransitionNetwork {
    /// The network of a safetensors file in half precision, as [`TransitionNetwork::encode`] writes it.
    ///
    /// # Errors
    /// When it is no such file, or a number in it is none.
    pub fn read(bytes: &[u8]) -> Result<Self, TransitionNetworkError> {
        let tensors = SafeTensors::deserialize(bytes)?;
        let mut weights = Vec::with_capacity(WEIGHTS);
        for (name, shape) in TENSORS {
            let tensor = tensors.tensor(name).ok();
            let tensor = tensor.filter(|tensor| tensor.dtype() == Dtype::F16 && tensor.shape() == shape);
            let tensor = tensor.ok_or(TransitionNetworkError::Tensor(name, shape))?;
            weights.extend(tensor.data().as_chunks::<2>().0.iter().map(|&bytes| f16::from_le_bytes(bytes).to_f32()));
            if !weights.iter().all(|weight| weight.is_finite()) {
                return Err(TransitionNetworkError::NotFinite(name));
            }
        }
        Ok(TransitionNetwork { weights })
    }

    /// The file of [`WEIGHTS`] weights, rounded to half precision.
    ///
    /// # Errors
    /// When there are fewer.
    pub fn encode(weights: &[f32]) -> Result<Vec<u8>, TransitionNetworkError> {
        let bytes: Vec<u8> = weights.iter().flat_map(|&weight| f16::from_f32(weight).to_le_bytes()).collect();
        let mut rest = &*bytes;
        let mut tensors = Vec::new();
        for (name, shape) in TENSORS {
            let size = 2 * shape.iter().product::<usize>();
            let (own, others) = rest.split_at_checked(size).ok_or(TransitionNetworkError::Tensor(name, shape))?;
            tensors.push((name, TensorView::new(Dtype::F16, shape.to_vec(), own)?));
            rest = others;
        }
        Ok(serialize(tensors, None)?)
    }

    /// The probabilities of one frame. Allocates nothing.
    pub fn run(&self, evidence: &Evidence) -> Reading {
        let (first, rest) = self.weights.split_at(NUMBERS * FIRST + FIRST);
        let (second, third) = rest.split_at(FIRST * SECOND + SECOND);
        let (mut a, mut b, mut logits) = ([0.0; FIRST], [0.0; SECOND], [0.0; OUTPUTS]);
        run_widest(Layer { input: evidence, weights: first, output: &mut a });
        a.iter_mut().for_each(|value| *value = value.max(0.0));
        run_widest(Layer { input: &a, weights: second, output: &mut b });
        b.iter_mut().for_each(|value| *value = value.max(0.0));
        run_widest(Layer { input: &b, weights: third, output: &mut logits });
        let [cut, gradual] = logits.map(|logit| 1.0 / (1.0 + (-logit).exp()));
        Reading { cut, gradual }
    }
}

/// One linear layer.
struct Layer<'a, const OUT: usize> {
    input: &'a [f32],
    weights: &'a [f32],
    output: &'a mut [f32; OUT],
}

impl<const OUT: usize> Computation for Layer<'_, OUT> {
    #[inline(always)]
    fn run(self) {
        let (weights, biases) = self.weights.split_at(self.input.len() * OUT);
        let mut sums = [0.0; OUT];
        sums.copy_from_slice(biases);
        for (&input, weights) in self.input.iter().zip(weights.as_chunks::<OUT>().0) {
            for (sum, weight) in sums.iter_mut().zip(weights) {
                *sum += input * weight;
            }
        }
        *self.output = sums;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_of_another_kind_are_refused() {
        use TransitionNetworkError::{File, NotFinite, Tensor};
        assert!(matches!(TransitionNetwork::read(&[0; 12]), Err(File(_))));
        let good = TransitionNetwork::encode(&[0.25; WEIGHTS]).expect("as many as there are");
        assert_eq!(TransitionNetwork::read(&good).expect("a good file").weights, [0.25; WEIGHTS]);
        assert!(matches!(TransitionNetwork::read(&good[..good.len() - 2]), Err(File(_))));
        assert!(matches!(TransitionNetwork::encode(&[0.0; WEIGHTS - 1]), Err(Tensor("output.bias", [OUTPUTS]))));
        let two = TensorView::new(Dtype::F16, vec![2], &[0; 4]).expect("two numbers");
        let other = serialize([("first.weight", two)], None).expect("a good file");
        assert!(matches!(TransitionNetwork::read(&other), Err(Tensor("first.weight", _))));
        let mut weights = [0.0; WEIGHTS];
        weights[WEIGHTS - 1] = 1e9;
        let infinite = TransitionNetwork::encode(&weights).expect("as many as there are");
        assert!(matches!(TransitionNetwork::read(&infinite), Err(NotFinite("output.bias"))));
    }

    #[test]
    fn layers_are_those_of_plain_code() {
        let weights: Vec<f32> =
            (0..WEIGHTS as u32).map(|at| (at.wrapping_mul(2_654_435_761) >> 8) as f32 / 1.7e8 - 0.05).collect();
        let bytes = TransitionNetwork::encode(&weights).expect("as many as there are");
        let weights: Vec<f32> = weights.into_iter().map(|weight| f16::from_f32(weight).to_f32()).collect();
        let evidence: Evidence = std::array::from_fn(|at| (at as f32 * 0.7).sin());
        let mut at = 0;
        let mut layer = |input: &[f32], outputs: usize| -> Vec<f32> {
            let (matrix, biases) = (at, at + input.len() * outputs);
            at = biases + outputs;
            let sum = |to: usize| {
                input.iter().enumerate().map(|(from, x)| x * weights[matrix + from * outputs + to]).sum::<f32>()
            };
            (0..outputs).map(|to| sum(to) + weights[biases + to]).collect()
        };
        let relu = |values: Vec<f32>| values.into_iter().map(|value| value.max(0.0)).collect::<Vec<_>>();
        let first = relu(layer(&evidence, FIRST));
        let second = relu(layer(&first, SECOND));
        let logits = layer(&second, OUTPUTS);
        let reading = TransitionNetwork::read(&bytes).expect("good weights").run(&evidence);
        for (logit, probability) in logits.iter().zip([reading.cut, reading.gradual]) {
            assert!((1.0 / (1.0 + (-logit).exp()) - probability).abs() < 1e-4, "{logits:?} {reading:?}");
        }
    }
}
