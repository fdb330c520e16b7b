//! Cuts between still pictures: flat colours, text slides, photographs.
//!
//! The network takes a change of brightness alone for a flash, because films have no flat pictures.
//! Changes of text are too small for it. Here a cut is a change between pictures that are still
//! before and after it, if their content changes and not only their brightness.

use super::evidence_numbers::{Evidence, OWN, change, interval, is_seen_ahead, spread};
use crate::frame::{Frame, Pixels};

/// Largest mean change of luma and of chroma between frames of a still picture, in the numbers of
/// [`super::signature::Signature::distances`]: less than 1 of 255.
const STILL: (f32, f32) = (0.12, 0.25);
/// Smallest such change at a cut: 2 and 4 of 255.
const CUT: (f32, f32) = (0.18, 0.5);
/// Largest correlation of the two pictures. It is near 1 if only the brightness changes.
const ALIKE: f64 = 0.7;
/// Largest difference of luma, of 255, of an unchanged sample.
const SAME: u8 = 10;
/// Largest standard deviation of the unchanged samples, as a share of that of each picture. If more
/// than a background is unchanged, as under a title or next to an added line, it is the same
/// picture.
const BACKGROUND: f64 = 0.85;
/// Share of unchanged samples from which flat pictures are the same, and below which the unchanged
/// samples are ignored.
const MOST: f64 = 0.5;
const FEW: f64 = 0.1;
/// Standard deviation of luma, of 255, below which a picture is flat, so that the correlation has
/// no meaning.
const FLAT: f32 = 4.0;
/// Shortest time in seconds that the previous picture was still: longer than a flash.
const BEFORE_S: f32 = 0.3;
/// The frames before the previous one, as indices in the evidence, with their distance in frames.
const BEFORE: [(usize, usize); 6] =
    [(OWN - 2, 2), (OWN - 3, 3), (OWN - 4, 4), (OWN - 5, 5), (OWN - 6, 7), (OWN - 7, 11)];
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
    let frames = (BEFORE_S / interval(evidence)).ceil() as usize;
    let far = BEFORE.iter().position(|&(_, back)| back >= frames).unwrap_or(BEFORE.len() - 1);
    is_seen_ahead(evidence)
        && BEFORE[..=far].iter().all(|&(place, _)| still(place, OWN - 1))
        && AFTER.into_iter().all(|place| still(OWN, place))
}

/// Returns whether the frame shows other content than the previous one, from the thumbnails of
/// both.
pub(super) fn shows_another(evidence: &Evidence, before: &Frame<'_>, own: &Frame<'_>) -> bool {
    let (Pixels::Planar { y: one, .. }, Pixels::Planar { y: other, .. }) = (before.pixels(), own.pixels()) else {
        return false;
    };
    let (mut all, mut stays) = (Moments::default(), Moments::default());
    for y in 0..before.height() {
        for (&a, &b) in one.row(y, before.width()).iter().zip(other.row(y, before.width())) {
            all.add(a, b);
            if a.abs_diff(b) <= SAME {
                stays.add(a, b);
            }
        }
    }
    let share = stays.count / all.count;
    if [OWN - 1, OWN].iter().any(|&place| spread(evidence, place) < FLAT) {
        return share < MOST || change(evidence, OWN - 1, OWN)[1] >= CUT.1;
    }
    let [one, other] = all.deviations();
    let background = share < FEW || stays.deviations()[0] <= BACKGROUND * one.min(other);
    all.covariance() <= ALIKE * one * other && background
}

/// Sums over the samples of two pictures.
#[derive(Default)]
struct Moments {
    count: f64,
    sums: [f64; 2],
    squares: [f64; 2],
    products: f64,
}

impl Moments {
    fn add(&mut self, one: u8, other: u8) {
        let both = [f64::from(one), f64::from(other)];
        self.count += 1.0;
        for (at, value) in both.into_iter().enumerate() {
            self.sums[at] += value;
            self.squares[at] += value * value;
        }
        self.products += both[0] * both[1];
    }

    /// Returns the standard deviations.
    fn deviations(&self) -> [f64; 2] {
        let variance = |at: usize| self.squares[at] / self.count - (self.sums[at] / self.count).powi(2);
        [variance(0).max(0.0).sqrt(), variance(1).max(0.0).sqrt()]
    }

    fn covariance(&self) -> f64 {
        self.products / self.count - self.sums[0] * self.sums[1] / (self.count * self.count)
    }
}
