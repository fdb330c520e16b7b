//! The numbers in the evidence on a frame: their order, and access to them.

use super::signature::{DISTANCES, Signature};

/// Compared frames, counted from the frame in question.
pub(super) const AROUND: [isize; 16] = [-24, -16, -11, -7, -5, -4, -3, -2, -1, 0, 1, 2, 3, 4, 6, 8];

/// Largest number of later frames in the evidence on a frame.
pub const AHEAD: usize = 8;
/// The same in seconds. If frames are further apart, the first frame after this time is the last
/// one in the evidence.
pub(super) const AHEAD_S: f64 = 1.0 / 3.0;

const PAIRS: usize = AROUND.len() * (AROUND.len() - 1) / 2;

/// Index of the frame in question in [`AROUND`].
pub(super) const OWN: usize = 9;

/// Numbers in the evidence on one frame.
pub const NUMBERS: usize = DISTANCES * PAIRS + 3 * AROUND.len() + 2;

/// The evidence on one frame.
pub type Evidence = [f32; NUMBERS];

/// Returns the distances between the frames at indices `one` and `other` of [`AROUND`], the earlier
/// one first.
pub(super) fn change(evidence: &Evidence, one: usize, other: usize) -> [f32; DISTANCES] {
    let before: usize = (0..one).map(|place| AROUND.len() - 1 - place).sum();
    let at = DISTANCES * (before + other - one - 1);
    std::array::from_fn(|kind| evidence[at + kind])
}

/// Returns the standard deviation of luma of the frame at index `place` of [`AROUND`], 0 to 127.
pub(super) fn spread(evidence: &Evidence, place: usize) -> f32 {
    (2.0 * evidence[DISTANCES * PAIRS + 3 * place + 1]).exp() - 4.0
}

/// Returns the seconds from one compared frame to the next.
pub(super) fn interval(evidence: &Evidence) -> f32 {
    evidence[NUMBERS - 2].exp2() / 24.0
}

/// Returns whether the evidence includes all later frames: nearly [`AHEAD_S`], or [`AHEAD`] frames.
pub(super) fn is_seen_ahead(evidence: &Evidence) -> bool {
    let frames = evidence[NUMBERS - 1] * AHEAD as f32;
    f64::from(frames * interval(evidence)) >= 0.9 * AHEAD_S || frames >= AHEAD as f32
}

/// Writes the evidence of frames with these signatures, in the order of [`AROUND`]. `distances`
/// returns those between two of them.
pub(super) fn fill(
    evidence: &mut Evidence,
    signatures: [&Signature; AROUND.len()],
    distances: impl Fn(usize, usize) -> [f32; DISTANCES],
    pace: [f32; 2],
) {
    let mut numbers = evidence.iter_mut();
    let mut put = |number: f32| {
        if let Some(to) = numbers.next() {
            *to = number;
        }
    };
    for one in 0..signatures.len() {
        for other in one + 1..signatures.len() {
            distances(one, other).into_iter().for_each(&mut put);
        }
    }
    for signature in signatures {
        put((signature.mean() - signatures[OWN].mean()) / 64.0);
        put((signature.spread() + 4.0).ln() / 2.0);
        put(signature.mean() / 255.0);
    }
    pace.into_iter().for_each(put);
}
