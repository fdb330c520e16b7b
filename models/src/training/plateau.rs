//! Decides when the rate falls and when training ends: when the validation loss stops improving
//! (section 6).

use serde::{Deserialize, Serialize};

/// How much better a loss must be than the best to count, as a share of it (torch's
/// `ReduceLROnPlateau`).
const THRESHOLD: f64 = 1e-4;

/// The rate, divided by ten where the loss stands still, as torch's `ReduceLROnPlateau` does; and
/// the count towards the end.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Plateau {
    /// The rate now.
    pub rate: f64,
    /// Epochs without a better loss that are borne before the rate falls.
    pub patience: usize,
    /// Epochs without a lower loss after which training ends.
    pub stop_after: usize,
    /// The loss that counts as the best for the rate.
    best: Option<f64>,
    waited: usize,
    /// The lowest loss of all, and the epochs since.
    lowest: Option<f64>,
    since: usize,
}

/// What a validation loss means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// It is the lowest so far.
    pub lowest: bool,
    /// Training ends.
    pub stop: bool,
}

impl Plateau {
    /// Begins at `rate`.
    #[must_use]
    pub fn new(rate: f64, patience: usize, stop_after: usize) -> Plateau {
        Plateau { rate, patience, stop_after, best: None, waited: 0, lowest: None, since: 0 }
    }

    /// Takes the validation loss of one more epoch.
    pub fn see(&mut self, loss: f64) -> Verdict {
        if self.best.is_none_or(|best| loss < best * (1.0 - THRESHOLD)) {
            (self.best, self.waited) = (Some(loss), 0);
        } else {
            self.waited += 1;
            if self.waited > self.patience {
                (self.rate, self.waited) = (self.rate / 10.0, 0);
            }
        }
        let lowest = self.lowest.is_none_or(|lowest| loss < lowest);
        if lowest {
            (self.lowest, self.since) = (Some(loss), 0);
        } else {
            self.since += 1;
        }
        Verdict { lowest, stop: self.since >= self.stop_after }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Rates after each loss, from torch 1.13: `ReduceLROnPlateau(optimizer, patience=2)`, rate 1
    /// at first.
    #[test]
    fn the_rate_falls_as_in_torch() {
        let losses = [1.0, 0.9, 0.9, 0.89999, 0.95, 0.8, 0.81, 0.82, 0.83, 0.84, 0.85, 0.86, 0.5];
        let rates = [1.0, 1.0, 1.0, 1.0, 0.1, 0.1, 0.1, 0.1, 0.01, 0.01, 0.01, 0.001, 0.001];
        let mut plateau = Plateau::new(1.0, 2, 100);
        for (loss, rate) in losses.into_iter().zip(rates) {
            plateau.see(loss);
            assert!((plateau.rate - rate).abs() < 1e-12, "{loss}: {}", plateau.rate);
        }
    }

    #[test]
    fn training_ends_when_nothing_gets_better() {
        let mut plateau = Plateau::new(1.0, 10, 3);
        let verdicts = [0.5, 0.4, 0.4, 0.41, 0.39, 0.5, 0.5, 0.5].map(|loss| plateau.see(loss));
        assert_eq!(verdicts.map(|verdict| verdict.lowest), [true, true, false, false, true, false, false, false]);
        assert_eq!(verdicts.map(|verdict| verdict.stop), [false, false, false, false, false, false, false, true]);
    }
}
