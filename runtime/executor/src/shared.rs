//! The stem's matrix multiply for one and a half vectors of outputs: two neighbouring positions
//! share the vector of their second halves.
//!
//! The stem of a ShuffleNet has 24 outputs. In vectors of 16, a quarter of every multiply-add would
//! process zeros, and the stem is half of the work for a clip.

use crate::lanes::Shares;
use crate::matmul::{Packed, Taps};
use crate::spans::Target;

/// Positions of a tile. Two positions need three sums. With the weights, a tile needs at most 32
/// registers.
const MOST: usize = 16;

/// Computes [`crate::matmul::run`] for a row of [`Taps`], with ReLU, for weights that are
/// [shared](Packed::shared).
///
/// # Safety
/// Same as [`crate::matmul::run`].
#[inline(always)]
pub(crate) unsafe fn run<L: Shares>(
    arena: *mut f32,
    taps: &Taps<'_>,
    target: Target,
    positions: usize,
    packed: &Packed,
) {
    let mut position = 0;
    while position < positions {
        let left = positions - position;
        // The last two tiles share the remaining positions, in pairs.
        let rows = if left <= MOST { left } else { left.div_ceil(2).next_multiple_of(2).min(MOST) };
        // SAFETY: the caller guarantees it.
        unsafe {
            match rows.div_ceil(2) {
                8 => tile::<L, 8>(arena, taps, target, position, rows, packed),
                7 => tile::<L, 7>(arena, taps, target, position, rows, packed),
                6 => tile::<L, 6>(arena, taps, target, position, rows, packed),
                5 => tile::<L, 5>(arena, taps, target, position, rows, packed),
                4 => tile::<L, 4>(arena, taps, target, position, rows, packed),
                3 => tile::<L, 3>(arena, taps, target, position, rows, packed),
                2 => tile::<L, 2>(arena, taps, target, position, rows, packed),
                _ => tile::<L, 1>(arena, taps, target, position, rows, packed),
            }
        }
        position += rows;
    }
}

/// Computes `rows` positions from `position` on. If their number is odd, the last one shares with
/// none.
///
/// # Safety
/// Same as [`run`].
#[inline(always)]
unsafe fn tile<L: Shares, const PAIRS: usize>(
    arena: *mut f32,
    taps: &Taps<'_>,
    target: Target,
    position: usize,
    rows: usize,
    packed: &Packed,
) {
    // SAFETY: the caller guarantees it.
    unsafe {
        let (mut weights, bias) = packed.panel();
        let bias = [L::load(bias), L::load(bias), L::load(bias.add(L::COUNT))];
        let mut sums = [bias; PAIRS];
        let input = arena.add(taps.shift + position).cast_const();
        for &tap in taps.taps {
            let (whole, half) = (L::load(weights), L::load(weights.add(L::COUNT)));
            for (pair, [first, second, both]) in sums.iter_mut().enumerate() {
                let at = input.add(tap + 2 * pair);
                *first = L::multiply_add(L::splat(*at), whole, *first);
                *second = L::multiply_add(L::splat(*at.add(1)), whole, *second);
                *both = L::multiply_add(L::splat_two(at), half, *both);
            }
            weights = weights.add(2 * L::COUNT);
        }
        let zero = L::splat(0.0);
        for (pair, sums) in sums.iter().enumerate() {
            let [first, second, both] = sums.map(|sum| L::max(sum, zero));
            let out = arena.add(target.offset + (position + 2 * pair) * target.stride);
            L::store(out, first);
            let next = (2 * pair + 1 < rows).then(|| out.add(target.stride));
            if let Some(next) = next {
                L::store(next, second);
            }
            L::store_two(out.add(L::COUNT), next.map(|next| next.add(L::COUNT)), both);
        }
    }
}
