//! Cuts between still pictures: flat colours, text slides, photographs.
//!
//! The network takes a change of brightness alone for a flash, since films have no flat pictures, and what changes in text is
//! too small for it. Here a cut is a change between pictures that stand still before and after it, if what they show
//! changes and not only their light.

use super::evidence::{Evidence, OWN, change, interval, is_seen_ahead, spread};
use crate::frame::{Frame, Pixels};

/// Mean change of luma and of chroma from one frame to the next up to which a picture stands still, as
/// [`super::signature::Signature::distances`] has them: less than one of 255.
const STILL: (f32, f32) = (0.12, 0.25);
/// The same of a cut, at least: 2 and 4 of 255.
const CUT: (f32, f32) = (0.18, 0.5);
/// One less the correlation of the two pictures, at least. It is near 0 where the light alone changes, and below this where
/// something is added, as a line of text is to others.
const UNLIKE: f64 = 0.3;
/// Standard deviation of luma, of 255, below which a picture is flat, so that a correlation says nothing.
const FLAT: f32 = 4.0;
/// Seconds that the picture before it has stood still, at least: longer than a flash.
const BEFORE_S: f32 = 0.3;
/// The frames before the last one before it, as places in what the evidence is on, and how many frames before it they are.
const BEFORE: [(usize, usize); 5] = [(OWN - 2, 2), (OWN - 3, 3), (OWN - 4, 4), (OWN - 5, 5), (OWN - 6, 7)];
/// The frames after it.
const AFTER: std::ops::Range<usize> = OWN + 1..OWN + 7;

/// Returns whether the picture changes with the frame and stands still before and after.
pub(super) fn begins(evidence: &Evidence) -> bool {
    let [luma, chroma, ..] = change(evidence, OWN - 1, OWN);
    if luma < CUT.0 && chroma < CUT.1 {
        return false;
    }
    let still = |one: usize, other: usize| {
        let [luma, chroma, ..] = change(evidence, one, other);
        luma <= STILL.0 && chroma <= STILL.1
    };
    let frames = ((BEFORE_S / interval(evidence)).ceil() as usize).max(2);
    // The first of them is always asked.
    let mut before = BEFORE.into_iter().filter(|&(_, back)| back <= frames);
    is_seen_ahead(evidence)
        && before.all(|(place, _)| still(place, OWN - 1))
        && AFTER.into_iter().all(|place| still(OWN, place))
}

/// Returns whether the frame shows something else than the one before it, from the thumbnails of both.
pub(super) fn shows_another(evidence: &Evidence, before: &Frame<'_>, own: &Frame<'_>) -> bool {
    [OWN - 1, OWN].iter().any(|&place| spread(evidence, place) < FLAT) || 1.0 - correlation(before, own) >= UNLIKE
}

/// Correlation of the luma of two thumbnails of one size.
fn correlation(one: &Frame<'_>, other: &Frame<'_>) -> f64 {
    let (Pixels::Planar { y: one_plane, .. }, Pixels::Planar { y: other_plane, .. }) = (one.pixels(), other.pixels())
    else {
        return 1.0;
    };
    let [mut sum, mut other_sum, mut squares, mut other_squares, mut products] = [0.0f64; 5];
    for y in 0..one.height() {
        for (&a, &b) in one_plane.row(y, one.width()).iter().zip(other_plane.row(y, one.width())) {
            let (a, b) = (f64::from(a), f64::from(b));
            sum += a;
            other_sum += b;
            squares += a * a;
            other_squares += b * b;
            products += a * b;
        }
    }
    let count = (one.width() * one.height()) as f64;
    let covariance = products - sum * other_sum / count;
    let scale = ((squares - sum * sum / count) * (other_squares - other_sum * other_sum / count)).sqrt();
    if scale > 0.0 { covariance / scale } else { 1.0 }
}
