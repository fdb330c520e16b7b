//! The network that reads the evidence on a frame: the probabilities that a shot begins with it,
//! and that it belongs to a gradual transition.
//!
//! It has several members, trained from different initial weights, whose logits are averaged to
//! cancel errors that one of them learned by chance. Each member has two hidden layers with ReLU
//! and about 21,000 weights. `divita-models fit-shots` trains them.

use divita_executor::{Computation, run_widest};
use half::f16;
use safetensors::tensor::{Dtype, SafeTensorError, SafeTensors, TensorView, serialize};
use thiserror::Error;

use super::evidence_numbers::{Evidence, NUMBERS};

/// Outputs of the first layer.
pub const FIRST: usize = 32;
/// Outputs of the second layer.
pub const SECOND: usize = 16;
/// Logits: cut, gradual.
pub const OUTPUTS: usize = 2;

/// Number of weights of one member.
pub const WEIGHTS: usize = NUMBERS * FIRST + FIRST + FIRST * SECOND + SECOND + SECOND * OUTPUTS + OUTPUTS;

/// The built-in weights. `transition_network.md` describes their training data.
pub const BUILT_IN: &[u8] = include_bytes!("transition_network.safetensors");

/// Largest number of members.
pub const MEMBERS: usize = 8;

/// The tensors of a file with their shapes for one member, in the order of their use. In the file,
/// each tensor contains all members.
const TENSORS: [(&str, &[usize]); 6] = [
    ("first.weight", &[NUMBERS, FIRST]),
    ("first.bias", &[FIRST]),
    ("second.weight", &[FIRST, SECOND]),
    ("second.bias", &[SECOND]),
    ("output.weight", &[SECOND, OUTPUTS]),
    ("output.bias", &[OUTPUTS]),
];

/// Mean logit below which no further member runs. Most frames are inside a shot, and the first
/// member recognises them. The weights of all members do not fit into a fast cache next to a
/// decoder's pictures.
const NOTHING: f32 = -4.0;

/// The network's reading of a frame, as probabilities in [0, 1].
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Reading {
    /// Probability that a shot begins with the frame, after a cut.
    pub cut: f32,
    /// Probability that the frame lies between two shots.
    pub gradual: f32,
}

/// A file that contains no valid weights.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum TransitionNetworkError {
    /// The file is no safetensors file, or cannot be encoded as one.
    #[error("this file contains no weights of the shot detector")]
    File(#[from] SafeTensorError),
    /// A tensor is missing or has another type or shape.
    #[error(
        "the shot detector's weights have no tensor {0} in half precision with shape {1:?} for each member; check their version"
    )]
    Tensor(&'static str, &'static [usize]),
    /// A weight is not finite.
    #[error("a weight of the shot detector's {0} is not finite")]
    NotFinite(&'static str),
}

/// The members, each with its weights in the order of their use: a layer's weights (inputs,
/// outputs), then its biases.
#[derive(Clone, Debug, PartialEq)]
pub struct TransitionNetwork {
    members: Vec<Vec<f32>>,
}

impl Default for TransitionNetwork {
    /// Returns the built-in network.
    fn default() -> Self {
        // A test reads the built-in file.
        #[allow(clippy::expect_used)]
        TransitionNetwork::read(BUILT_IN).expect("the program's own weights are good")
    }
}

impl TransitionNetwork {
    /// Reads a safetensors file in half precision, as [`TransitionNetwork::encode`] writes it.
    ///
    /// # Errors
    /// Returns an error if the file is no such file, or if a weight is not finite.
    pub fn read(bytes: &[u8]) -> Result<Self, TransitionNetworkError> {
        let tensors = SafeTensors::deserialize(bytes)?;
        let count = tensors.tensor(TENSORS[0].0).ok().and_then(|first| first.shape().first().copied());
        let count = count.filter(|count| (1..=MEMBERS).contains(count));
        let mut members = vec![Vec::with_capacity(WEIGHTS); count.unwrap_or(1)];
        for (name, shape) in TENSORS {
            let tensor = tensors.tensor(name).ok().filter(|tensor| {
                tensor.dtype() == Dtype::F16 && tensor.shape().split_first() == Some((&members.len(), shape))
            });
            let tensor = tensor.ok_or(TransitionNetworkError::Tensor(name, shape))?;
            let (weights, _) = tensor.data().as_chunks::<2>();
            for (member, weights) in members.iter_mut().zip(weights.chunks(weights.len() / count.unwrap_or(1))) {
                member.extend(weights.iter().map(|&bytes| f16::from_le_bytes(bytes).to_f32()));
                if !member.iter().all(|weight| weight.is_finite()) {
                    return Err(TransitionNetworkError::NotFinite(name));
                }
            }
        }
        Ok(TransitionNetwork { members })
    }

    /// Returns the file of `members`, each with [`WEIGHTS`] weights, rounded to half precision.
    ///
    /// # Errors
    /// Returns an error if a member has fewer weights.
    pub fn encode(members: &[Vec<f32>]) -> Result<Vec<u8>, TransitionNetworkError> {
        let (mut at, mut pieces) = (0, Vec::new());
        for (name, shape) in TENSORS {
            let range = at..at + shape.iter().product::<usize>();
            at = range.end;
            let mut bytes = Vec::new();
            for member in members {
                let own = member.get(range.clone()).ok_or(TransitionNetworkError::Tensor(name, shape))?;
                bytes.extend(own.iter().flat_map(|&weight| f16::from_f32(weight).to_le_bytes()));
            }
            let shape: Vec<usize> = std::iter::once(members.len()).chain(shape.iter().copied()).collect();
            pieces.push((name, shape, bytes));
        }
        let views: Result<Vec<_>, _> = pieces
            .iter()
            .map(|(name, shape, bytes)| TensorView::new(Dtype::F16, shape.clone(), bytes).map(|view| (*name, view)))
            .collect();
        Ok(serialize(views?, None)?)
    }

    /// Returns the probabilities for one frame. Allocates nothing.
    pub fn run(&self, evidence: &Evidence) -> Reading {
        let (mut sums, mut asked) = ([0.0; OUTPUTS], 0.0);
        for member in &self.members {
            let (first, rest) = member.split_at(NUMBERS * FIRST + FIRST);
            let (second, third) = rest.split_at(FIRST * SECOND + SECOND);
            let (mut a, mut b, mut logits) = ([0.0; FIRST], [0.0; SECOND], [0.0; OUTPUTS]);
            run_widest(Layer { input: evidence, weights: first, output: &mut a });
            a.iter_mut().for_each(|value| *value = value.max(0.0));
            run_widest(Layer { input: &a, weights: second, output: &mut b });
            b.iter_mut().for_each(|value| *value = value.max(0.0));
            run_widest(Layer { input: &b, weights: third, output: &mut logits });
            sums.iter_mut().zip(logits).for_each(|(sum, logit)| *sum += logit);
            asked += 1.0;
            if sums.iter().all(|&sum| sum < NOTHING * asked) {
                break;
            }
        }
        let [cut, gradual] = sums.map(|sum| 1.0 / (1.0 + (-sum / asked).exp()));
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
    fn invalid_files_are_refused() {
        use TransitionNetworkError::{File, NotFinite, Tensor};
        assert!(matches!(TransitionNetwork::read(&[0; 12]), Err(File(_))));
        let members = [vec![0.25; WEIGHTS], vec![-0.5; WEIGHTS], vec![1.0; WEIGHTS]];
        let good = TransitionNetwork::encode(&members).expect("as many as there are");
        assert_eq!(TransitionNetwork::read(&good).expect("a good file").members, members);
        assert!(matches!(TransitionNetwork::read(&good[..good.len() - 2]), Err(File(_))));
        let short = TransitionNetwork::encode(&[vec![0.0; WEIGHTS], vec![0.0; WEIGHTS - 1]]);
        assert!(matches!(short, Err(Tensor("output.bias", [OUTPUTS]))));
        for members in [0, MEMBERS + 1] {
            let other = TransitionNetwork::encode(&vec![vec![0.0; WEIGHTS]; members]).expect("as many as there are");
            assert!(matches!(TransitionNetwork::read(&other), Err(Tensor("first.weight", _))), "{members}");
        }
        for shape in [vec![2], vec![], vec![1, NUMBERS, FIRST - 1]] {
            let data = vec![0; 2 * shape.iter().product::<usize>()];
            let other = TensorView::new(Dtype::F16, shape, &data).expect("as many numbers");
            let other = serialize([("first.weight", other)], None).expect("a good file");
            assert!(matches!(TransitionNetwork::read(&other), Err(Tensor("first.weight", _))));
        }
        let mut weights = vec![0.0; WEIGHTS];
        weights[WEIGHTS - 1] = 1e9;
        let infinite = TransitionNetwork::encode(&[weights]).expect("as many as there are");
        assert!(matches!(TransitionNetwork::read(&infinite), Err(NotFinite("output.bias"))));
    }

    #[test]
    fn a_member_that_reads_nothing_ends_the_run() {
        // The logits of a member are its last biases.
        let reading = |logits: &[[f32; OUTPUTS]]| {
            let member = |logits: &[f32; OUTPUTS]| [&vec![0.0; WEIGHTS - OUTPUTS][..], logits].concat();
            let members: Vec<Vec<f32>> = logits.iter().map(member).collect();
            TransitionNetwork { members }.run(&[0.0; NUMBERS])
        };
        let probability = |logit: f32| 1.0 / (1.0 + (-logit).exp());
        assert_eq!(reading(&[[-5.0, -6.0], [9.0, 9.0]]).cut, probability(-5.0));
        assert_eq!(reading(&[[-5.0, -3.0], [9.0, 9.0]]), Reading { cut: probability(2.0), gradual: probability(3.0) });
    }

    #[test]
    fn readings_equal_those_of_plain_code() {
        let number = |at: u32| f16::from_f32((at.wrapping_mul(2_654_435_761) >> 8) as f32 / 1.7e8 - 0.05).to_f32();
        let members = [0, 7_000].map(|from| (from..from + WEIGHTS as u32).map(number).collect::<Vec<f32>>());
        let evidence: Evidence = std::array::from_fn(|at| (at as f32 * 0.7).sin());
        let relu = |values: Vec<f32>| values.into_iter().map(|value| value.max(0.0)).collect::<Vec<_>>();
        let logits = members.each_ref().map(|weights| {
            let mut at = 0;
            let mut layer = |input: &[f32], outputs: usize| -> Vec<f32> {
                let (matrix, biases) = (at, at + input.len() * outputs);
                at = biases + outputs;
                let sum = |to: usize| {
                    input.iter().enumerate().map(|(from, x)| x * weights[matrix + from * outputs + to]).sum::<f32>()
                };
                (0..outputs).map(|to| sum(to) + weights[biases + to]).collect()
            };
            let first = relu(layer(&evidence, FIRST));
            let second = relu(layer(&first, SECOND));
            layer(&second, OUTPUTS)
        });
        let bytes = TransitionNetwork::encode(&members).expect("as many as there are");
        let reading = TransitionNetwork::read(&bytes).expect("good weights").run(&evidence);
        for (at, probability) in [reading.cut, reading.gradual].into_iter().enumerate() {
            let logit = logits.iter().map(|logits| logits[at]).sum::<f32>() / 2.0;
            assert!((1.0 / (1.0 + (-logit).exp()) - probability).abs() < 1e-4, "{logits:?} {reading:?}");
        }
    }
}
