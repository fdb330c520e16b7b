//! Exact frame rates, and the frame rate that a decimal number stands for.

use std::fmt::{self, Display};

use crate::film::Shot;

/// Nominal rates whose NTSC variant, 1000/1001 of the nominal rate, is in use.
const NTSC_RATES: [u32; 10] = [12, 15, 24, 30, 48, 60, 72, 96, 120, 240];

/// Maximum relative difference between a decimal rate and the standard rate that it stands for.
///
/// Less than half the difference between a rate and its NTSC variant, and enough for 23.98.
const SNAP: f64 = 2e-4;

/// Highest frame rate, in frames per second.
const HIGHEST: f64 = 10_000.0;

/// Lowest frame rate, in frames per second.
const LOWEST: f64 = 0.001;

/// Maximum denominator of a rate that is no standard rate.
const MAX_DENOMINATOR: u32 = 100_000;

/// An exact frame rate in frames per second, as a reduced fraction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FrameRate {
    numerator: u32,
    denominator: u32,
}

impl FrameRate {
    /// Returns the rate `numerator / denominator`. `None` outside 0.001 to 10 000 frames per
    /// second, or if the denominator is above 100 000.
    #[must_use]
    pub fn new(numerator: u32, denominator: u32) -> Option<Self> {
        let divisor = greatest_common_divisor(numerator, denominator);
        if divisor == 0 {
            return None;
        }
        let (numerator, denominator) = (numerator / divisor, denominator / divisor);
        let rate = f64::from(numerator) / f64::from(denominator);
        ((LOWEST..=HIGHEST).contains(&rate) && denominator <= MAX_DENOMINATOR)
            .then_some(FrameRate { numerator, denominator })
    }

    /// Returns the exact rate that the decimal number `fps` stands for.
    ///
    /// A number within 0.02 % of an integer or of an NTSC rate (such as 24000/1001) is that rate:
    /// 23.976, 23.98 and 23.976023976 are 24000/1001. Another number becomes the simplest fraction
    /// that is equal to within 1e-9. `None` outside 0.001 to 10 000 frames per second.
    #[must_use]
    pub fn from_f64(fps: f64) -> Option<Self> {
        if !(LOWEST..=HIGHEST).contains(&fps) {
            return None;
        }
        let ntsc = NTSC_RATES.iter().filter_map(|nominal| FrameRate::new(nominal * 1000, 1001));
        // In range, so the conversion is exact.
        let integer = FrameRate::new(fps.round() as u32, 1);
        let distance = |rate: &FrameRate| (rate.as_f64() / fps - 1.0).abs();
        let standard = ntsc.chain(integer).min_by(|a, b| distance(a).total_cmp(&distance(b)));
        standard.filter(|rate| distance(rate) <= SNAP).or_else(|| simplest_fraction(fps))
    }

    /// Returns the rate that the counts of frames and the times of `shots` give. `None` without
    /// shots, or if the times do not advance.
    #[must_use]
    pub fn from_shots(shots: &[Shot]) -> Option<Self> {
        let (first, last) = (shots.first()?, shots.last()?);
        let end = last.first_frame.checked_add(last.frames)?;
        let frames = end.checked_sub(first.first_frame)?;
        FrameRate::from_f64(frames as f64 / (last.end_s - first.start_s))
    }

    /// Returns the numerator of the reduced fraction.
    #[must_use]
    pub fn numerator(self) -> u32 {
        self.numerator
    }

    /// Returns the denominator of the reduced fraction.
    #[must_use]
    pub fn denominator(self) -> u32 {
        self.denominator
    }

    /// Returns the rate as a number.
    #[must_use]
    pub fn as_f64(self) -> f64 {
        f64::from(self.numerator) / f64::from(self.denominator)
    }

    /// Returns the number of frames that a second of timecode counts: the nearest integer, at
    /// least 1.
    #[must_use]
    pub fn nominal(self) -> u32 {
        // At most 10 000, so the conversion is exact.
        (self.as_f64().round() as u32).max(1)
    }

    /// Returns whether drop-frame timecode exists at this rate: 29.97 and 59.94.
    #[must_use]
    pub fn is_drop_frame_rate(self) -> bool {
        self.denominator == 1001 && matches!(self.numerator, 30_000 | 60_000)
    }

    /// Returns the time of a frame in seconds. Frame 0 is at 0.
    #[must_use]
    pub fn seconds(self, frame: u64) -> f64 {
        frame as f64 * f64::from(self.denominator) / f64::from(self.numerator)
    }

    /// Returns the frame whose time is nearest to `seconds`, 0 before the first.
    #[must_use]
    pub fn nearest_frame(self, seconds: f64) -> u64 {
        // The conversion saturates.
        (seconds * f64::from(self.numerator) / f64::from(self.denominator)).round() as u64
    }
}

impl Display for FrameRate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = format!("{:.3}", self.as_f64());
        f.write_str(text.trim_end_matches('0').trim_end_matches('.'))
    }
}

/// Returns the greatest common divisor, 0 of two zeros.
fn greatest_common_divisor(mut a: u32, mut b: u32) -> u32 {
    while b != 0 {
        (a, b) = (b, a % b);
    }
    a
}

/// Returns the simplest fraction that is equal to `fps` to within 1e-9, or the nearest one whose
/// denominator is small enough: a convergent of the continued fraction.
fn simplest_fraction(fps: f64) -> Option<FrameRate> {
    let (mut numerators, mut denominators) = ((1_u64, 0_u64), (0_u64, 1_u64));
    let mut rest = fps;
    let mut best = None;
    for _ in 0..32 {
        // Saturates where the rest is large, and the checks below then end the loop.
        let whole = rest.floor() as u64;
        let next = |(last, before): (u64, u64)| whole.checked_mul(last)?.checked_add(before);
        let (Some(numerator), Some(denominator)) = (next(numerators), next(denominators)) else { break };
        if denominator > u64::from(MAX_DENOMINATOR) {
            break;
        }
        let (Ok(n), Ok(d)) = (u32::try_from(numerator), u32::try_from(denominator)) else { break };
        best = FrameRate::new(n, d).or(best);
        if (numerator as f64 / denominator as f64 / fps - 1.0).abs() < 1e-9 {
            break;
        }
        (numerators, denominators) = ((numerator, numerators.0), (denominator, denominators.0));
        rest = 1.0 / (rest - rest.floor());
    }
    best
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::FrameRate;

    fn fraction(fps: f64) -> Option<(u32, u32)> {
        FrameRate::from_f64(fps).map(|rate| (rate.numerator(), rate.denominator()))
    }

    #[test]
    fn decimal_rates_become_standard_rates() {
        for fps in [23.976, 23.98, 23.976023976, 23.976215, 24000.0 / 1001.0] {
            assert_eq!(fraction(fps), Some((24_000, 1001)), "{fps}");
        }
        assert_eq!(fraction(29.97), Some((30_000, 1001)));
        assert_eq!(fraction(47.952), Some((48_000, 1001)));
        assert_eq!(fraction(59.94), Some((60_000, 1001)));
        assert_eq!(fraction(119.88), Some((120_000, 1001)));
        for fps in [1.0, 15.0, 24.0, 25.0, 30.0, 48.0, 50.0, 60.0, 120.0, 1000.0] {
            assert_eq!(fraction(fps), Some((fps as u32, 1)));
            assert_eq!(fraction(fps * (1.0 + 1e-6)), Some((fps as u32, 1)));
        }
    }

    #[test]
    fn other_rates_become_simple_fractions() {
        assert_eq!(fraction(12.5), Some((25, 2)));
        assert_eq!(fraction(1.0 / 3.0), Some((1, 3)));
        assert_eq!(fraction(26.37), Some((2637, 100)));
        assert_eq!(fraction(0.04), Some((1, 25)));
    }

    #[test]
    fn impossible_rates_are_refused() {
        for fps in [0.0, -25.0, f64::NAN, f64::INFINITY, 1e-9, 1e9] {
            assert_eq!(fraction(fps), None, "{fps}");
        }
        assert_eq!(FrameRate::new(0, 1), None);
        assert_eq!(FrameRate::new(1, 0), None);
        assert_eq!(FrameRate::new(0, 0), None);
    }

    #[test]
    fn a_rate_prints_as_people_write_it() {
        let shown = |fps| FrameRate::from_f64(fps).unwrap().to_string();
        assert_eq!([23.976, 29.97, 25.0, 12.5].map(shown), ["23.976", "29.97", "25", "12.5"]);
    }

    proptest! {
        #[test]
        fn every_rate_is_near_its_number(fps in 0.001_f64..10_000.0) {
            let rate = FrameRate::from_f64(fps).unwrap().as_f64();
            prop_assert!((rate / fps - 1.0).abs() < 2.1e-4, "{} {}", fps, rate);
        }

        #[test]
        fn the_nearest_frame_of_a_frames_time_is_that_frame(frame in 0_u64..10_000_000, fps in 1.0_f64..240.0) {
            let rate = FrameRate::from_f64(fps).unwrap();
            prop_assert_eq!(rate.nearest_frame(rate.seconds(frame)), frame);
        }
    }
}
