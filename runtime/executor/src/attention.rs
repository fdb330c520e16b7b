//! Multi-head attention of each position to all positions: softmax(query key) value for each head.

use crate::spans::{Run, Target, spans};

/// Attention with `heads` heads. The query's weights contain the scale of the scores.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Attention {
    pub heads: usize,
}

impl Attention {
    /// Returns the size of the scratch space for `positions` positions of `channels` channels, in
    /// floats. It holds one head's transposed keys, values and queries, and the scores of one
    /// position.
    pub fn room(&self, positions: usize, channels: usize) -> usize {
        (3 * channels / self.heads + 1) * padded(positions)
    }
}

/// Number of neighbouring values that are summed at once.
const CHUNK: usize = 16;

/// Returns the number of positions, rounded up to whole vectors of any processor.
fn padded(positions: usize) -> usize {
    positions.next_multiple_of(CHUNK)
}

/// Computes `out[p]` = softmax over q of (`query[p]` . `key[q]`) times `value[q]` for each head's
/// channels. The scratch space (see [`Attention::room`]) starts at float `room` of the arena and
/// overlaps nothing else.
///
/// All sums have one order, so the bits do not depend on the instructions.
#[inline(always)]
pub(crate) fn run(
    arena: &mut [f32],
    attention: &Attention,
    [query, key, value]: &[Run; 3],
    target: Target,
    positions: usize,
    room: usize,
) {
    let part = query.length / attention.heads;
    let across = padded(positions);
    for head in 0..attention.heads {
        // Values that are read more than once are gathered first. Keys are transposed, (part,
        // positions), so that scores are neighbours.
        for position in 0..positions {
            for channel in 0..part {
                arena[room + channel * across + position] =
                    arena[key.offset + position * key.stride + head * part + channel];
            }
            let at = value.offset + position * value.stride + head * part;
            arena.copy_within(at..at + part, room + part * across + position * part);
            let at = query.offset + position * query.stride + head * part;
            arena.copy_within(at..at + part, room + 2 * part * across + position * part);
        }
        for channel in 0..part {
            arena[room + channel * across + positions..room + (channel + 1) * across].fill(0.0);
        }
        for position in 0..positions {
            let out = target.offset + position * target.stride + head * part;
            let len = (3 * part + 1) * across;
            let [out, room] = spans(arena, out..out + part, room..room + len);
            let (keys, rest) = room.split_at_mut(part * across);
            let (values, rest) = rest.split_at_mut(part * across);
            let (queries, scores) = rest.split_at_mut(part * across);
            combine(scores, &queries[position * part..][..part], keys);
            softmax(scores, positions);
            combine(out, &scores[..positions], values);
        }
    }
}

/// Computes `out` as the sum of `rows`, each as long as `out`, times their `factors`.
#[inline(always)]
fn combine(out: &mut [f32], factors: &[f32], rows: &[f32]) {
    let width = out.len();
    let (chunks, rest) = out.as_chunks_mut::<CHUNK>();
    let whole = chunks.len() * CHUNK;
    for (at, chunk) in chunks.iter_mut().enumerate() {
        // The sums stay in registers.
        let mut sums = [0.0; CHUNK];
        for (factor, row) in factors.iter().zip(rows.chunks_exact(width)) {
            let row = &row.as_chunks::<CHUNK>().0[at];
            for place in 0..CHUNK {
                sums[place] = factor.mul_add(row[place], sums[place]);
            }
        }
        *chunk = sums;
    }
    rest.fill(0.0);
    for (factor, row) in factors.iter().zip(rows.chunks_exact(width)) {
        rest.iter_mut().zip(&row[whole..]).for_each(|(sum, value)| *sum = factor.mul_add(*value, *sum));
    }
}

/// Replaces the first `count` of `scores` by their softmax.
#[inline(always)]
fn softmax(scores: &mut [f32], count: usize) {
    let most = scores[..count].iter().fold(f32::NEG_INFINITY, |most, &score| if score > most { score } else { most });
    scores.iter_mut().for_each(|score| *score = exp(*score - most));
    let sum: f32 = scores[..count].iter().sum();
    scores.iter_mut().for_each(|score| *score /= sum);
}

/// Returns e to the power of `x`, where `x` is at most 0. The error is at most 2 units in the last
/// place for results above 1e-37. Smaller results are 0.
///
/// Uses only sums and products, so that a compiler can vectorise it: an integer power of 2 times a
/// polynomial of the remainder (Cody and Waite's reduction, the Taylor series to the sixth power).
#[inline(always)]
fn exp(x: f32) -> f32 {
    const LN2_HIGH: f32 = 0.693_359_4;
    const LN2_LOW: f32 = -2.121_944_4e-4;
    // Adding 1.5 times 2^23 rounds to an integer, which is then in the lowest bits.
    const ROUND: f32 = 12_582_912.0;
    let clamped = if x > -87.0 { x } else { -87.0 };
    let rounded = clamped * std::f32::consts::LOG2_E + ROUND;
    let whole = rounded - ROUND;
    let rest = clamped - whole * LN2_HIGH - whole * LN2_LOW;
    let series = 1.0
        + rest * (1.0 + rest * (0.5 + rest * (1.0 / 6.0 + rest * (1.0 / 24.0 + rest * (1.0 / 120.0 + rest / 720.0)))));
    let power = f32::from_bits((rounded.to_bits().wrapping_sub(ROUND.to_bits()).wrapping_add(127)) << 23);
    if x > -87.0 { series * power } else { 0.0 }
}

#[cfg(test)]
mod tests {
    use super::exp;

    #[test]
    fn exp_agrees_with_double_precision() {
        for at in 0..=880_000 {
            let x = -(at as f32) * 1e-4;
            let (here, there) = (exp(x), f64::from(x).exp());
            if x > -87.0 {
                assert!((f64::from(here) - there).abs() <= 2.5e-7 * there, "{x}: {here} {there}");
            } else {
                assert!(f64::from(here) < 2e-38, "{x}: {here}");
            }
        }
        assert_eq!(exp(0.0), 1.0);
        assert_eq!(exp(f32::NEG_INFINITY), 0.0);
    }
}
