//! The network that reads the evidence on a frame: how probable it is that a shot begins with it, and that it is part of a gradual transition.
//!
//! Two hidden layers with ReLU. It has some 22,000 weights; they are trained by `divita-models fit-shots`.

use thiserror::Error;

use super::evidence::{Evidence, NUMBERS};
use crate::vectors::{Computation, run_widest};

/// Outputs of the first layer.
pub const FIRST: usize = 32;
/// Outputs of the second.
pub const SECOND: usize = 16;
/// Logits: cut, gradual.
pub const OUTPUTS: usize = 2;

/// Numbers in a file of weights.
pub const WEIGHTS: usize = NUMBERS * FIRST + FIRST + FIRST * SECOND + SECOND + SECOND * OUTPUTS + OUTPUTS;

/// What a frame is, each as a probability in [0, 1].
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Reading {
    /// That a shot begins with it, with a cut.
    pub cut: f32,
    /// That it lies between two shots.
    pub gradual: f32,
}

/// A file that is not one of weights.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum TransitionNetworkError {
    /// It is of another length.
    #[error("the shot detector's weights have {0} bytes, not {expected}: are they of another version?", expected = 4 * WEIGHTS)]
    Length(usize),
    /// A weight is infinite or not a number.
    #[error("the shot detector's weight {0} is not a number")]
    NotFinite(usize),
}

/// The weights, in the order in which they are used: a layer's weights (inputs, outputs), then its biases.
#[derive(Clone, Debug, PartialEq)]
pub struct TransitionNetwork {
    weights: Vec<f32>,
}

impl TransitionNetwork {
    /// The network of a file: [`WEIGHTS`] little-endian floats.
    ///
    /// # Errors
    /// When it has another length, or a number in it is none.
    pub fn read(bytes: &[u8]) -> Result<Self, TransitionNetworkError> {
        let (numbers, rest) = bytes.as_chunks::<4>();
        if numbers.len() != WEIGHTS || !rest.is_empty() {
            return Err(TransitionNetworkError::Length(bytes.len()));
        }
        let weights: Vec<f32> = numbers.iter().map(|&number| f32::from_le_bytes(number)).collect();
        match weights.iter().position(|weight| !weight.is_finite()) {
            Some(at) => Err(TransitionNetworkError::NotFinite(at)),
            None => Ok(TransitionNetwork { weights }),
        }
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
        assert_eq!(TransitionNetwork::read(&[0; 12]), Err(TransitionNetworkError::Length(12)));
        let mut bytes = vec![0; 4 * WEIGHTS];
        assert!(TransitionNetwork::read(&bytes).is_ok());
        bytes[40..44].copy_from_slice(&f32::NAN.to_le_bytes());
        assert_eq!(TransitionNetwork::read(&bytes), Err(TransitionNetworkError::NotFinite(10)));
    }

    #[test]
    fn layers_are_those_of_plain_code() {
        let weights: Vec<f32> =
            (0..WEIGHTS as u32).map(|at| (at.wrapping_mul(2_654_435_761) >> 8) as f32 / 1.7e8 - 0.05).collect();
        let bytes: Vec<u8> = weights.iter().flat_map(|weight| weight.to_le_bytes()).collect();
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
