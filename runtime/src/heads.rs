//! Snippets and late fusion. The heads process the vectors of c clips at a time. Logits are
//! averaged over the streams. The sigmoid (or the softmax for single-label bundles) gives
//! probabilities, which are averaged over snippets (paper, section 5).

use std::collections::VecDeque;
use std::num::NonZeroUsize;

use ndarray::Array2;

use crate::bundle::{Manifest, Task};
use crate::network::{Features, Head, NetworkError};

/// One stream's snippet: the vectors of its clips, (snippet_clips, b). Missing clips are zero.
struct Window {
    head: Head,
    features: Array2<f32>,
}

/// Collects clips into snippets and computes probabilities.
pub struct Snippets {
    windows: Vec<Window>,
    task: Task,
    clips: usize,
    filled: usize,
    /// Probabilities (labels) of the current snippet as if the stream ended here.
    current: Vec<f32>,
    /// Probabilities (labels) of the full snippets that count, oldest first.
    past: VecDeque<Vec<f32>>,
    latest: Option<NonZeroUsize>,
}

impl Snippets {
    /// Returns snippets for `heads` and the labels of `manifest`. The result averages the `latest`
    /// snippets, or all.
    pub fn new(heads: Vec<Head>, manifest: &Manifest, latest: Option<NonZeroUsize>) -> Self {
        let (clips, labels) = (manifest.snippet_clips, manifest.labels.len());
        let window = |head: Head| Window { features: Array2::zeros((clips, head.features())), head };
        Snippets {
            windows: heads.into_iter().map(window).collect(),
            task: manifest.task,
            clips,
            filled: 0,
            current: vec![0.0; labels],
            past: VecDeque::new(),
            latest,
        }
    }

    /// Adds the next clip. Returns the provisional probabilities (labels) of its snippet. Zero
    /// vectors stand for the missing clips.
    ///
    /// # Errors
    /// Returns an error if a head fails, or if a probability is not finite.
    pub fn push(&mut self, features: &Features) -> Result<&[f32], NetworkError> {
        if self.filled == self.clips {
            self.close();
        }
        let streams = self.windows.len() as f32;
        self.current.fill(0.0);
        for Window { head, features: window } in &mut self.windows {
            let row = features.stream(head.stream());
            window.row_mut(self.filled).iter_mut().zip(row).for_each(|(to, from)| *to = *from);
            if let Some(snippet) = window.as_slice() {
                head.add_logits(snippet, &mut self.current)?;
            }
        }
        self.current.iter_mut().for_each(|logit| *logit /= streams);
        match self.task {
            Task::MultiLabel => self.current.iter_mut().for_each(|logit| *logit = sigmoid(*logit)),
            Task::SingleLabel => softmax(&mut self.current),
        }
        if self.current.iter().any(|value| !value.is_finite()) {
            return Err(NetworkError::NotFinite);
        }
        self.filled += 1;
        Ok(&self.current)
    }

    /// Returns the probabilities (labels): the mean over the snippets that count. Zero vectors pad
    /// the last snippet. Returns `None` before the first clip.
    pub fn result(&self) -> Option<Vec<f32>> {
        let count = self.count();
        let open = (self.filled > 0).then_some(&self.current);
        let mean = |label: usize| {
            let sum: f64 = self.past.iter().chain(open).map(|values| f64::from(values[label])).sum();
            (sum / count as f64) as f32
        };
        (count > 0).then(|| (0..self.current.len()).map(mean).collect())
    }

    /// Returns the number of snippets that the result averages, the current one included.
    pub fn count(&self) -> usize {
        self.past.len() + usize::from(self.filled > 0)
    }

    fn close(&mut self) {
        // The current snippet counts too.
        let full = self.latest.is_some_and(|latest| self.past.len() + 1 >= latest.get());
        let mut values = if full { self.past.pop_front() } else { None }.unwrap_or_default();
        values.clone_from(&self.current);
        if self.latest.is_none_or(|latest| latest.get() > 1) {
            self.past.push_back(values);
        }
        for window in &mut self.windows {
            window.features.fill(0.0);
        }
        self.filled = 0;
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
