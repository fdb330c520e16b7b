//! The range of real numbers that the 256 codes of an activation represent.

/// Smallest and largest of the values that a tensor had in calibration, and 0, which every range
/// includes.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Extremes {
    /// Smallest value, at most 0.
    pub least: f32,
    /// Largest value, at least 0.
    pub most: f32,
}

impl Extremes {
    /// Extends the extremes to `values`. Returns whether all of them are finite; otherwise changes
    /// nothing.
    #[must_use]
    pub fn add(&mut self, values: &[f32]) -> bool {
        let is_finite = values.iter().all(|value| value.is_finite());
        if is_finite {
            self.least = values.iter().copied().fold(self.least, f32::min);
            self.most = values.iter().copied().fold(self.most, f32::max);
        }
        is_finite
    }
}

/// Scale and zero point of a tensor of `uint8`: code q represents (q - zero) x scale.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Range {
    /// Difference between the numbers of two codes; positive.
    pub scale: f32,
    /// Code of 0. It is 0 for values that are never negative.
    pub zero: u8,
}

impl From<Extremes> for Range {
    /// Returns the range from one extreme to the other.
    ///
    /// Ranges that cut off rare values are finer, but features of unknown videos suffer: a range by
    /// least squared error or by percentile, calibrated on one kind of video, was worse on another
    /// kind and hardly better on the same.
    fn from(Extremes { least, most }: Extremes) -> Range {
        let scale = ((f64::from(most) - f64::from(least)) / 255.0) as f32;
        // All values are 0, or so small that a scale would lose its precision.
        if scale < f32::MIN_POSITIVE {
            return Range { scale: 1.0, zero: 0 };
        }
        let zero = (-f64::from(least) / f64::from(scale)).round_ties_even().clamp(0.0, 255.0) as u8;
        Range { scale, zero }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn range(values: &[f32]) -> Range {
        let mut extremes = Extremes::default();
        assert!(extremes.add(values));
        extremes.into()
    }

    #[test]
    fn ranges_include_zero_and_reach_the_extremes() {
        assert_eq!(range(&[0.0, 510.0, 3.0]), Range { scale: 2.0, zero: 0 });
        assert_eq!(range(&[400.0, 510.0]), Range { scale: 2.0, zero: 0 });
        assert_eq!(range(&[-255.0, -1.0]), Range { scale: 1.0, zero: 255 });
        assert_eq!(range(&[-51.0, 204.0]), Range { scale: 1.0, zero: 51 });
        let range = range(&[-1.0, 1.0]);
        for (code, expected) in [(0, -1.0), (255, 1.0)] {
            let number = (f32::from(code as u8) - f32::from(range.zero)) * range.scale;
            assert!((number - expected).abs() <= 0.5001 * range.scale, "{number}");
        }
    }

    #[test]
    fn degenerate_values_have_a_usable_range() {
        let unit = Range { scale: 1.0, zero: 0 };
        assert_eq!(range(&[]), unit);
        assert_eq!(range(&[0.0, -0.0]), unit);
        assert_eq!(range(&[1e-44]), unit);
        let widest = range(&[f32::MIN, f32::MAX]);
        assert!(widest.scale.is_finite());
        assert_eq!(widest.zero, 128);
    }

    #[test]
    fn values_that_are_not_finite_are_reported_and_leave_no_trace() {
        for value in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
            let mut extremes = Extremes::default();
            assert!(extremes.add(&[-1.0, 2.0]));
            assert!(!extremes.add(&[7.0, value]));
            assert_eq!(extremes, Extremes { least: -1.0, most: 2.0 });
        }
    }
}
