//! The difference between the outputs of two implementations of a network.

/// Difference between two outputs.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Difference {
    /// The largest absolute difference.
    pub worst: f32,
    /// The mean absolute difference.
    pub mean: f32,
    /// The largest absolute expected value.
    pub largest: f32,
}

/// Largest difference allowed between two implementations, relative to the output's largest value.
pub const TOLERANCE: f32 = 1e-4;

impl Difference {
    /// Compares `found` with `expected`. The difference is infinite where the lengths differ or a
    /// value is not a number.
    #[must_use]
    pub fn between(found: &[f32], expected: &[f32]) -> Difference {
        let largest = expected.iter().map(|value| value.abs()).fold(0.0, f32::max);
        if found.len() != expected.len() || found.iter().chain(expected).any(|value| !value.is_finite()) {
            return Difference { worst: f32::INFINITY, mean: f32::INFINITY, largest };
        }
        let differences = || found.iter().zip(expected).map(|(a, b)| (a - b).abs());
        let mean = differences().map(f64::from).sum::<f64>() / expected.len().max(1) as f64;
        Difference { worst: differences().fold(0.0, f32::max), mean: mean as f32, largest }
    }

    /// Returns the largest difference relative to the largest value.
    #[must_use]
    pub fn relative(&self) -> f32 {
        self.worst / self.largest.max(f32::MIN_POSITIVE)
    }

    /// Returns whether the two outputs agree.
    #[must_use]
    pub fn is_small(&self) -> bool {
        self.relative() <= TOLERANCE
    }
}
