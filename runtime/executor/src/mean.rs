//! The mean over all positions.

use crate::spans::{Run, Target, spans};

/// Computes the mean of each channel of `input` over its `positions` and writes it to position 0 of
/// `target`.
pub(crate) fn run(arena: &mut [f32], input: Run, target: Target, positions: usize) {
    let from = input.offset..input.offset + (positions - 1) * input.stride + input.length;
    let [sums, rows] = spans(arena, target.offset..target.offset + input.length, from);
    sums.fill(0.0);
    for row in rows.chunks(input.stride) {
        sums.iter_mut().zip(row).for_each(|(sum, value)| *sum += value);
    }
    sums.iter_mut().for_each(|sum| *sum /= positions as f32);
}
