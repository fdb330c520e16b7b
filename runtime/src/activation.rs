//! Probabilities from logits: the sigmoid of each, or the softmax over all (paper, section 5).

use crate::bundle::Task;

impl Task {
    /// Replaces `logits` by their probabilities.
    pub(crate) fn apply(self, logits: &mut [f32]) {
        match self {
            Task::MultiLabel => logits.iter_mut().for_each(|logit| *logit = sigmoid(*logit)),
            Task::SingleLabel => softmax(logits),
        }
    }
}

/// Returns the logistic function, computed in double precision so that the last bit depends only on
/// the logit.
fn sigmoid(logit: f32) -> f32 {
    (1.0 / (1.0 + (-f64::from(logit)).exp())) as f32
}

/// Replaces logits by their softmax. Computes in double precision and relative to the largest
/// logit, so that no exponential overflows. A NaN logit makes all probabilities NaN.
fn softmax(logits: &mut [f32]) {
    let largest = f64::from(logits.iter().copied().fold(f32::NEG_INFINITY, f32::max));
    let exponential = |logit: f32| (f64::from(logit) - largest).exp();
    let sum: f64 = logits.iter().map(|&logit| exponential(logit)).sum();
    logits.iter_mut().for_each(|logit| *logit = (exponential(*logit) / sum) as f32);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn softmax_of<const N: usize>(mut logits: [f32; N]) -> [f32; N] {
        softmax(&mut logits);
        logits
    }

    #[test]
    fn softmax_sums_to_one_and_ignores_a_common_offset() {
        // Computed by hand: exp(0), exp(ln 2), exp(ln 5) over their sum 8.
        let logits = [0.0, 2.0f32.ln(), 5.0f32.ln()];
        let wanted = [0.125, 0.25, 0.625];
        for offset in [0.0, -90.0, 90.0, 1000.0] {
            let found = softmax_of(logits.map(|logit| logit + offset));
            assert!((found.iter().sum::<f32>() - 1.0).abs() < 1e-6, "{found:?}");
            // With an offset of 1000, a logit keeps 4 decimals.
            assert!(found.iter().zip(&wanted).all(|(found, wanted)| (found - wanted).abs() < 1e-4), "{found:?}");
        }
    }

    #[test]
    fn softmax_of_extreme_logits_is_finite_and_of_nan_is_not() {
        assert_eq!(softmax_of([f32::MAX, f32::MIN, 0.0]), [1.0, 0.0, 0.0]);
        assert_eq!(softmax_of([f32::MIN, f32::MIN]), [0.5, 0.5]);
        for bad in [[f32::NAN, 0.0], [0.0, f32::NAN], [f32::INFINITY, 0.0], [f32::NEG_INFINITY; 2]] {
            assert!(softmax_of(bad).iter().any(|value| !value.is_finite()), "{bad:?}");
        }
    }
}
