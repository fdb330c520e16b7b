//! Measures of single-label predictions: top-k accuracy, and the confusion matrix with precision,
//! recall and F1 of each label.

use serde::Serialize;

use super::metrics::Predictions;

/// Number of rows for each pair of true and predicted label.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Confusion {
    /// `counts[truth][predicted]`, (labels, labels).
    pub counts: Vec<Vec<usize>>,
}

/// Precision, recall and F1 of one label, in [0, 1]; None where the divisor is 0.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LabelScore {
    /// Rows that have the label.
    pub support: usize,
    /// Share of the rows predicted to have the label that have it.
    pub precision: Option<f64>,
    /// Share of the rows with the label that were predicted to have it.
    pub recall: Option<f64>,
    /// Harmonic mean of both: 2 TP / (2 TP + FP + FN).
    pub f1: Option<f64>,
}

impl Predictions {
    /// Returns the share of rows whose label is among their `k` most probable labels, in [0, 1]. Of
    /// equal probabilities, the first in the table counts as the higher. None without rows.
    #[must_use]
    pub fn top_k_accuracy(&self, k: usize) -> Option<f64> {
        let rows = self.probabilities.iter().zip(&self.truth);
        let hits = rows.filter(|(probabilities, truth)| {
            label_of(truth).is_some_and(|label| {
                let higher = |(at, value): (usize, &f64)| {
                    *value > probabilities[label] || (at < label && *value == probabilities[label])
                };
                probabilities.iter().enumerate().filter(|&one| higher(one)).count() < k
            })
        });
        let hits = hits.count();
        (!self.truth.is_empty()).then(|| hits as f64 / self.truth.len() as f64)
    }

    /// Returns of each row the probability of its most probable label, and whether the row has that
    /// label: the pairs whose calibration Guo et al. (2017) measure.
    pub fn most_probable(&self) -> impl Iterator<Item = (f64, bool)> {
        self.probabilities.iter().zip(&self.truth).filter_map(|(probabilities, truth)| {
            let at = most_probable(probabilities)?;
            Some((probabilities[at], truth[at]))
        })
    }
}

/// Returns the label that a row has, the first where there are several.
fn label_of(truth: &[bool]) -> Option<usize> {
    truth.iter().position(|&label| label)
}

/// Returns the most probable label, the first of equals.
fn most_probable(probabilities: &[f64]) -> Option<usize> {
    (0..probabilities.len()).rev().max_by(|&one, &other| probabilities[one].total_cmp(&probabilities[other]))
}

impl Confusion {
    /// Counts `predictions`, of which every row has one label; a row without a label is left out.
    #[must_use]
    pub fn of(predictions: &Predictions) -> Confusion {
        let labels = predictions.truth.first().map_or(0, Vec::len);
        let mut counts = vec![vec![0; labels]; labels];
        for (probabilities, truth) in predictions.probabilities.iter().zip(&predictions.truth) {
            if let (Some(truth), Some(predicted)) = (label_of(truth), most_probable(probabilities)) {
                counts[truth][predicted] += 1;
            }
        }
        Confusion { counts }
    }

    /// Adds the counts of `other`, which has the same labels.
    pub fn add(&mut self, other: &Confusion) {
        if self.counts.is_empty() {
            self.counts.clone_from(&other.counts);
            return;
        }
        for (row, others) in self.counts.iter_mut().zip(&other.counts) {
            row.iter_mut().zip(others).for_each(|(count, more)| *count += more);
        }
    }

    /// Returns precision, recall and F1 of `label`.
    #[must_use]
    pub fn score(&self, label: usize) -> LabelScore {
        let hits = self.counts[label][label];
        let support: usize = self.counts[label].iter().sum();
        let predicted: usize = self.counts.iter().map(|row| row[label]).sum();
        let share = |part: usize, all: usize| (all > 0).then(|| part as f64 / all as f64);
        LabelScore {
            support,
            precision: share(hits, predicted),
            recall: share(hits, support),
            f1: share(2 * hits, predicted + support),
        }
    }

    /// Returns the mean F1 over the labels that some row has or was predicted to have. None where
    /// there are none.
    #[must_use]
    pub fn macro_f1(&self) -> Option<f64> {
        let scores: Vec<f64> = (0..self.counts.len()).filter_map(|label| self.score(label).f1).collect();
        (!scores.is_empty()).then(|| scores.iter().sum::<f64>() / scores.len() as f64)
    }
}
