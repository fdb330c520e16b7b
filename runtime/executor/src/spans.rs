//! Regions of the arena: what a kernel reads and writes.

use std::ops::Range;

/// Channels that a kernel reads at each position: neighbours in the arena.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Run {
    /// Index of the first number at position 0, counted from the start of the arena.
    pub offset: usize,
    /// Distance from one position to the next, in numbers.
    pub stride: usize,
    /// Number of channels.
    pub length: usize,
}

/// Region that a kernel writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Target {
    /// Index of the first number at position 0, counted from the start of the arena.
    pub offset: usize,
    /// Distance from one position to the next, in numbers. For a matrix multiply at least
    /// [`Packed::padded`](crate::matmul::Packed::padded).
    pub stride: usize,
}

/// Returns two spans of `arena` that do not overlap.
///
/// # Panics
/// Panics if the spans overlap.
#[inline(always)]
pub(crate) fn spans<T>(arena: &mut [T], a: Range<usize>, b: Range<usize>) -> [&mut [T]; 2] {
    if a.start < b.start {
        let (first, second) = arena.split_at_mut(b.start);
        [&mut first[a], &mut second[..b.end - b.start]]
    } else {
        let (first, second) = arena.split_at_mut(a.start);
        [&mut second[..a.end - a.start], &mut first[b]]
    }
}
