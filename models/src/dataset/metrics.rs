//! Measures of label probabilities: areas under curves, thresholds, calibration. The measures of
//! the paper, section 6, as scikit-learn computes them.

use serde::Serialize;

/// Probabilities and truth of the same rows and labels.
#[derive(Clone, Debug, Default)]
pub struct Predictions {
    /// Probability of each label, for each row.
    pub probabilities: Vec<Vec<f64>>,
    /// Labels of each row.
    pub truth: Vec<Vec<bool>>,
}

/// Areas under the curve of precision over recall, in [0, 1]. None where nothing is true that could
/// be found.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Areas {
    /// muAP: all decisions on labels in one.
    pub mu_ap: Option<f64>,
    /// mAP: the mean over labels.
    pub m_ap: Option<f64>,
    /// wAP: the mean over labels, each weighing as much as it is frequent.
    pub w_ap: Option<f64>,
    /// sAP: the mean over rows that have a label.
    pub s_ap: Option<f64>,
    /// Of each label its own.
    pub labels: Vec<Option<f64>>,
}

/// Pairs of a probability and whether it should have been high, highest first, in runs of equal
/// probability: (true ones, false ones) of each.
fn runs(pairs: impl Iterator<Item = (f64, bool)>) -> Vec<(f64, usize, usize)> {
    let mut pairs: Vec<(f64, bool)> = pairs.collect();
    pairs.sort_by(|one, other| other.0.total_cmp(&one.0));
    pairs
        .chunk_by(|one, other| one.0 == other.0)
        .map(|run| {
            let good = run.iter().filter(|pair| pair.1).count();
            (run[0].0, good, run.len() - good)
        })
        .collect()
}

/// Returns the area under the curve of precision over recall by the trapezoid rule over all
/// distinct thresholds, from recall 0, where precision is 1. What scikit-learn's
/// `precision_recall_curve` and `auc` give together. None where nothing is true.
pub fn precision_recall_area(pairs: impl Iterator<Item = (f64, bool)>) -> Option<f64> {
    let runs = runs(pairs);
    let all: usize = runs.iter().map(|run| run.1).sum();
    let (mut area, mut good, mut bad) = (0.0, 0, 0);
    let (mut recall_before, mut precision_before) = (0.0, 1.0);
    for (_, more, others) in runs {
        (good, bad) = (good + more, bad + others);
        let (recall, precision) = (good as f64 / all as f64, good as f64 / (good + bad) as f64);
        area += (recall - recall_before) * (precision + precision_before) / 2.0;
        (recall_before, precision_before) = (recall, precision);
    }
    (all > 0).then_some(area)
}

/// Returns the area under the receiver operating characteristic: how often something true has a
/// higher probability than something that is not, equals counting half. None where all or nothing
/// is true.
pub fn receiver_operating_area(pairs: impl Iterator<Item = (f64, bool)>) -> Option<f64> {
    let runs = runs(pairs);
    let (all_good, all_bad) = runs.iter().fold((0, 0), |(good, bad), run| (good + run.1, bad + run.2));
    let (mut wins, mut good) = (0.0, 0);
    for (_, more, others) in runs {
        wins += others as f64 * (good as f64 + more as f64 / 2.0);
        good += more;
    }
    (all_good > 0 && all_bad > 0).then(|| wins / (all_good as f64 * all_bad as f64))
}

impl Predictions {
    /// Returns label `label` of every row.
    pub fn of_label(&self, label: usize) -> impl Iterator<Item = (f64, bool)> {
        self.probabilities.iter().zip(&self.truth).map(move |(row, truth)| (row[label], truth[label]))
    }

    /// Returns every decision.
    pub fn all(&self) -> impl Iterator<Item = (f64, bool)> {
        self.probabilities
            .iter()
            .zip(&self.truth)
            .flat_map(|(row, truth)| row.iter().copied().zip(truth.iter().copied()))
    }

    /// Returns the mean over all decisions of the negative logarithm of the probability given to
    /// what is true; 0 without rows.
    pub fn binary_cross_entropy(&self) -> f64 {
        let surprise = |(p, truth): (f64, bool)| surprise(if truth { p } else { 1.0 - p });
        self.all().map(surprise).sum::<f64>() / self.all().count().max(1) as f64
    }

    /// Returns the mean over rows of the negative logarithm of the probabilities given to their
    /// labels, of which a single-label row has one; 0 without rows.
    pub fn cross_entropy(&self) -> f64 {
        let of_labels = self.all().filter(|(_, truth)| *truth).map(|(p, _)| surprise(p));
        of_labels.sum::<f64>() / self.truth.len().max(1) as f64
    }

    /// Returns the areas under the curves of precision over recall.
    pub fn areas(&self) -> Areas {
        let count = self.truth.first().map_or(0, Vec::len);
        let labels: Vec<Option<f64>> = (0..count).map(|label| precision_recall_area(self.of_label(label))).collect();
        let frequency = |label: usize| self.truth.iter().filter(|row| row[label]).count() as f64;
        let known = || labels.iter().enumerate().filter_map(|(label, area)| Some((frequency(label), (*area)?)));
        let rows = self.probabilities.iter().zip(&self.truth);
        let of_rows =
            rows.filter_map(|(row, truth)| precision_recall_area(row.iter().copied().zip(truth.iter().copied())));
        Areas {
            mu_ap: precision_recall_area(self.all()),
            m_ap: mean(known().map(|(_, area)| (1.0, area))),
            w_ap: mean(known()),
            s_ap: mean(of_rows.map(|area| (1.0, area))),
            labels,
        }
    }
}

/// Negative logarithm of a probability, at most 100, as torch limits it.
fn surprise(probability: f64) -> f64 {
    -probability.ln().max(-100.0)
}

/// Returns the mean of values by their weights.
fn mean(values: impl Iterator<Item = (f64, f64)>) -> Option<f64> {
    let (sum, weight) = values.fold((0.0, 0.0), |(sum, all), (weight, value)| (sum + weight * value, all + weight));
    (weight > 0.0).then(|| sum / weight)
}

/// The probability from which on a label counts as present, and the F1 that this gives.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Threshold {
    /// Present from here on.
    pub threshold: f64,
    /// F1, in [0, 1].
    pub f1: f64,
}

/// Returns F1 where probabilities of at least `threshold` count as present; 0 where nothing is
/// true.
pub fn f1_at(threshold: f64, pairs: impl Iterator<Item = (f64, bool)>) -> f64 {
    let (mut hits, mut sum) = (0, 0);
    for (probability, truth) in pairs {
        hits += usize::from(probability >= threshold && truth);
        sum += usize::from(probability >= threshold) + usize::from(truth);
    }
    if sum > 0 { 2.0 * hits as f64 / sum as f64 } else { 0.0 }
}

/// Returns the threshold among the probabilities with the highest F1, the lowest of such. None
/// where nothing is true.
pub fn best_threshold(pairs: impl Iterator<Item = (f64, bool)>) -> Option<Threshold> {
    let runs = runs(pairs);
    let all: usize = runs.iter().map(|run| run.1).sum();
    let (mut good, mut taken) = (0, 0);
    let mut best: Option<Threshold> = None;
    for (threshold, more, others) in runs {
        (good, taken) = (good + more, taken + more + others);
        let f1 = 2.0 * good as f64 / (taken + all) as f64;
        if best.is_none_or(|best| f1 >= best.f1) {
            best = Some(Threshold { threshold, f1 });
        }
    }
    best.filter(|_| all > 0)
}

/// Probabilities of about the same height.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Bin {
    /// Count.
    pub count: usize,
    /// Their mean.
    pub probability: f64,
    /// The share of what is true among them.
    pub truth: f64,
}

/// Calibration: how often labels with a probability of 0.7 are right.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Calibration {
    /// Expected calibration error (Guo et al., 2017): the mean over all probabilities of the
    /// difference in their bin between probability and truth.
    pub expected_error: f64,
    /// Bins of equal width over [0, 1], from 0 upwards; the points of a reliability plot. What is
    /// on an edge is of the bin below.
    pub bins: Vec<Bin>,
}

impl Calibration {
    /// That of `pairs` over `bins` bins.
    pub fn of(pairs: impl Iterator<Item = (f64, bool)>, bins: usize) -> Self {
        let mut sums = vec![(0usize, 0.0, 0usize); bins.max(1)];
        let last = sums.len() - 1;
        for (probability, truth) in pairs {
            let at = ((probability * (last + 1) as f64).ceil() as usize).saturating_sub(1).min(last);
            let (count, sum, good) = &mut sums[at];
            (*count, *sum, *good) = (*count + 1, *sum + probability, *good + usize::from(truth));
        }
        let all: usize = sums.iter().map(|sum| sum.0).sum();
        let bins: Vec<Bin> = sums
            .into_iter()
            .map(|(count, sum, good)| match count {
                0 => Bin::default(),
                _ => Bin { count, probability: sum / count as f64, truth: good as f64 / count as f64 },
            })
            .collect();
        let error: f64 = bins.iter().map(|bin| bin.count as f64 * (bin.probability - bin.truth).abs()).sum();
        Calibration { expected_error: if all > 0 { error / all as f64 } else { 0.0 }, bins }
    }
}

/// Returns the mean and standard deviation (of a sample; 0 for one value) of `values`; `None` where
/// there are none.
#[must_use]
pub fn mean_and_deviation(values: &[f64]) -> Option<(f64, f64)> {
    let count = values.len() as f64;
    let mean = values.iter().sum::<f64>() / count;
    let squares: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
    (!values.is_empty()).then(|| (mean, (squares / (count - 1.0).max(1.0)).sqrt()))
}
