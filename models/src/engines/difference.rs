//! How far the outputs of two implementations of a network lie apart, and how far they may.

/// How far two outputs lie apart.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Difference {
    /// The largest absolute difference.
    pub worst: f32,
    /// The mean absolute difference.
    pub mean: f32,
    /// The largest absolute value of what was expected.
    pub largest: f32,
}

/// Largest difference that may lie between two implementations, as a part of the output's largest value.
pub const TOLERANCE: f32 = 1e-4;

impl Difference {
    /// Between what was found and what was expected; infinite where the lengths differ or a value is not a number.
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

    /// The largest difference as a part of the largest value.
    #[must_use]
    pub fn relative(&self) -> f32 {
        self.worst / self.largest.max(f32::MIN_POSITIVE)
    }

    /// Whether the two agree.
    #[must_use]
    pub fn is_small(&self) -> bool {
        self.relative() <= TOLERANCE
    }
}
