//! The whole numbers of a quantised convolution: weights, biases, and the factors that turn sums
//! into activations.

use super::{Number, OFFSET};

/// What the activations of a tensor stand for: `scale (q - zero)`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Scale {
    pub scale: f32,
    pub zero: u8,
}

impl Scale {
    /// Returns the stored form of the zero point.
    pub fn stored_zero(self) -> i32 {
        i32::from(self.zero) - OFFSET
    }
}

/// The scales of a convolution: of its input, of its output behind the ReLU, and of the weights of
/// each output.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Scales<'a> {
    pub input: Scale,
    pub output: Scale,
    pub weights: &'a [f32],
}

/// A convolution in whole numbers. All arrays are for each output, in the order of the weights.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Quantised {
    /// Row-major (outputs, inputs).
    pub weights: Vec<i8>,
    /// The bias, in units of the input's scale times the weights' scale.
    pub bias: Vec<i32>,
    /// Input scale times weight scale by output scale.
    pub factors: Vec<f32>,
    /// Scale of the input.
    pub input: Scale,
    /// What is added to a rounded sum: the stored form of the output's zero point.
    pub zero: i32,
}

impl Quantised {
    /// Returns the whole numbers of row-major weights `data`, (outputs, inputs), which are whole
    /// multiples of their scales, and of `biases`.
    ///
    /// # Errors
    /// Returns the reason if the scales are not positive and finite, if a sum may not fit 32 bits,
    /// or if there is a ReLU and the output's zero point is not 0: then the smallest number is 0.
    pub fn new(data: &[f32], biases: &[f32], scales: &Scales<'_>, relu: bool) -> Result<Self, String> {
        let outputs = biases.len();
        let usable = |scale: f32| scale.is_normal() && scale > 0.0;
        let each = [scales.input.scale, scales.output.scale];
        if scales.weights.len() != outputs || !each.iter().chain(scales.weights).all(|&scale| usable(scale)) {
            return Err("its scales are not one positive number for each output".into());
        }
        if relu && scales.output.zero != 0 {
            return Err("the zero point behind its ReLU is not 0".into());
        }
        let inputs = data.len() / outputs.max(1);
        let (mut integers, mut bias, mut factors) = (Vec::with_capacity(data.len()), vec![], vec![]);
        for ((row, &own), &scale) in data.chunks_exact(inputs.max(1)).zip(biases).zip(scales.weights) {
            integers.extend(row.iter().map(|&weight| (weight / scale).round_ties_even().clamp(-127.0, 127.0) as i8));
            let unit = f64::from(scales.input.scale) * f64::from(scale);
            let sum = (f64::from(own) / unit).round_ties_even();
            let factor = unit / f64::from(scales.output.scale);
            let row = &integers[integers.len() - inputs..];
            let weights: u64 = row.iter().map(|&weight| u64::from(weight.unsigned_abs())).sum();
            let most = sum.abs() + 256.0 * weights as f64;
            // A rounded sum and its zero point fit 32 bits too.
            if most > f64::from(i32::MAX) || most * factor > f64::from(i32::MAX / 2) || !usable(factor as f32) {
                return Err("a sum of it may not fit 32 bits".into());
            }
            bias.push(sum as i32);
            factors.push(factor as f32);
        }
        Ok(Quantised { weights: integers, bias, factors, input: scales.input, zero: scales.output.stored_zero() })
    }

    /// Returns the number of weights of each output.
    pub fn inputs(&self) -> usize {
        self.weights.len() / self.bias.len()
    }

    /// Returns the weights of an output.
    pub fn row(&self, output: usize) -> &[i8] {
        &self.weights[output * self.inputs()..][..self.inputs()]
    }
}

/// Turns a sum into a stored activation. This is the safe reference.
pub(crate) fn number(sum: i32, factor: f32, zero: i32) -> Number {
    let rounded = (sum as f32 * factor).round_ties_even() as i32;
    (rounded + zero).clamp(i32::from(Number::MIN), i32::from(Number::MAX)) as Number
}
