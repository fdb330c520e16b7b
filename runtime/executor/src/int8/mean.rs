//! The mean over all positions of activations in eight bits.

use super::quantised::Scale;
use super::{Number, PER_FLOAT};
use crate::spans::{Run, Target, spans};

/// Channels that are added at once.
const BLOCK: usize = 16;

/// Computes the mean of each channel of `input` over its `positions` and writes it to position 0 of
/// `target` as a float of four numbers.
#[inline(always)]
pub(crate) fn run(arena: &mut [Number], input: Run, target: Target, positions: usize, scale: Scale) {
    let from = input.offset..input.offset + (positions - 1) * input.stride + input.length;
    let to = target.offset..target.offset + input.length * size_of::<f32>();
    let [out, rows] = spans(arena, to, from);
    // The sum is below 2^31: fewer than 2^22 positions.
    let factor = (f64::from(scale.scale) / positions as f64) as f32;
    let zero = scale.stored_zero();
    for (block, out) in out.chunks_mut(BLOCK * size_of::<f32>()).enumerate() {
        let mut sums = [0_i32; BLOCK];
        for row in rows.chunks(input.stride) {
            let numbers = &row[block * BLOCK..];
            if let Some(numbers) = numbers.first_chunk::<BLOCK>() {
                sums.iter_mut().zip(numbers).for_each(|(sum, &number)| *sum += i32::from(number) - zero);
            } else {
                sums.iter_mut().zip(numbers).for_each(|(sum, &number)| *sum += i32::from(number) - zero);
            }
        }
        for (out, sum) in out.as_chunks_mut::<4>().0.iter_mut().zip(sums) {
            *out = (sum as f32 * factor).to_ne_bytes().map(|byte| byte as Number);
        }
    }
}

/// Reads floats that [`run`] wrote from number `at` of the arena on.
pub(crate) fn read(arena: &[f32], at: usize, values: &mut [f32]) {
    let at = at / PER_FLOAT;
    values.copy_from_slice(&arena[at..at + values.len()]);
}
