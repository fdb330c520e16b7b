//! The sum of two inputs, normalised over the channels of each position: the residual connections
//! of a transformer.

use crate::spans::{Run, Target, spans};

/// Scale and shift of each channel, and the constant that keeps the root away from zero.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct NormWeights {
    pub scale: Vec<f32>,
    pub shift: Vec<f32>,
    pub epsilon: f32,
}

/// Independent partial sums, which a processor can compute together.
const SIDES: usize = 16;

/// Returns the sum of `of(value)` over `values`. Its order does not depend on the processor.
#[inline(always)]
fn sum(values: &[f32], of: impl Fn(f32) -> f32) -> f32 {
    let mut sums = [0.0; SIDES];
    let (whole, rest) = values.as_chunks::<SIDES>();
    for chunk in whole {
        sums.iter_mut().zip(chunk).for_each(|(sum, &value)| *sum += of(value));
    }
    sums.iter_mut().zip(rest).for_each(|(sum, &value)| *sum += of(value));
    sums.iter().sum()
}

/// Computes `out[p]` = the norm of `a[p] + b[p]` for each of `positions`. Mean and variance are
/// over the channels.
///
/// All sums have one order, so the bits do not depend on the instructions.
#[inline(always)]
pub(crate) fn run(arena: &mut [f32], weights: &NormWeights, [a, b]: &[Run; 2], target: Target, positions: usize) {
    let channels = weights.scale.len();
    for position in 0..positions {
        let (a, b) = (a.offset + position * a.stride, b.offset + position * b.stride);
        let out = target.offset + position * target.stride;
        arena.copy_within(a..a + channels, out);
        let [out, b] = spans(arena, out..out + channels, b..b + channels);
        out.iter_mut().zip(b).for_each(|(sum, value)| *sum += *value);
        let mean = sum(out, |value| value) / channels as f32;
        out.iter_mut().for_each(|value| *value -= mean);
        let variance = sum(out, |value| value * value) / channels as f32;
        let factor = 1.0 / (variance + weights.epsilon).sqrt();
        for ((value, scale), shift) in out.iter_mut().zip(&weights.scale).zip(&weights.shift) {
            *value = *value * factor * scale + shift;
        }
    }
}
