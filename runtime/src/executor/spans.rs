//! Two parts of the arena at once: what is read and what is written.

use std::ops::Range;

/// Two spans of `arena` that do not overlap.
///
/// # Panics
/// Where they do.
#[inline(always)]
pub(super) fn spans(arena: &mut [f32], a: Range<usize>, b: Range<usize>) -> [&mut [f32]; 2] {
    if a.start < b.start {
        let (first, second) = arena.split_at_mut(b.start);
        [&mut first[a], &mut second[..b.end - b.start]]
    } else {
        let (first, second) = arena.split_at_mut(a.start);
        [&mut second[..a.end - a.start], &mut first[b]]
    }
}
