//! Snippets and late fusion: the vectors of c clips at a time through the heads, logits averaged over the streams, the
//! sigmoid, and the genre-wise mean over snippets (paper, section 5).

use std::collections::VecDeque;
use std::num::NonZeroUsize;

use ndarray::Array2;

use crate::network::{Features, Head, NetworkError};

/// One stream's window: the vectors of the snippet's clips so far, (snippet_clips, b), zero where no clip is yet.
struct Window {
    head: Head,
    features: Array2<f32>,
}

/// Collects clips into snippets and turns them into probabilities.
pub struct Snippets {
    windows: Vec<Window>,
    clips: usize,
    filled: usize,
    /// Of the snippet that is being filled, as if the stream ended here, (labels).
    current: Vec<f32>,
    /// Of the full snippets, oldest first, (labels) each: all of them, or as many as count.
    past: VecDeque<Vec<f32>>,
    latest: Option<NonZeroUsize>,
}

impl Snippets {
    /// Snippets of `clips` clips through `heads` to `labels` probabilities. The result is a mean over the `latest`, or over
    /// all of them.
    pub fn new(heads: Vec<Head>, clips: usize, labels: usize, latest: Option<NonZeroUsize>) -> Self {
        let window = |head: Head| Window { features: Array2::zeros((clips, head.features())), head };
        Snippets {
            windows: heads.into_iter().map(window).collect(),
            clips,
            filled: 0,
            current: vec![0.0; labels],
            past: VecDeque::new(),
            latest,
        }
    }

    /// Adds the next clip. The provisional probabilities (labels): those of the snippet it falls in, zero vectors
    /// standing for the clips to come.
    ///
    /// # Errors
    /// When a head fails.
    pub fn push(&mut self, features: &Features) -> Result<&[f32], NetworkError> {
        if self.filled == self.clips {
            self.close();
        }
        let streams = self.windows.len() as f32;
        self.current.fill(0.0);
        for Window { head, features: window } in &mut self.windows {
            let row = features.of(head.stream());
            window.row_mut(self.filled).iter_mut().zip(row).for_each(|(to, from)| *to = *from);
            if let Some(snippet) = window.as_slice() {
                head.add_logits(snippet, &mut self.current)?;
            }
        }
        for value in &mut self.current {
            *value = sigmoid(*value / streams);
        }
        if self.current.iter().any(|value| !value.is_finite()) {
            return Err(NetworkError::NotFinite);
        }
        self.filled += 1;
        Ok(&self.current)
    }

    /// The probabilities (labels) of everything that counts: the genre-wise mean over the snippets, the one that is not full
    /// padded with zero vectors. None before the first clip.
    pub fn result(&self) -> Option<Vec<f32>> {
        let count = self.count();
        let open = (self.filled > 0).then_some(&self.current);
        let mean = |label: usize| {
            let sum: f64 = self.past.iter().chain(open).map(|values| f64::from(values[label])).sum();
            (sum / count as f64) as f32
        };
        (count > 0).then(|| (0..self.current.len()).map(mean).collect())
    }

    /// Snippets that the result is a mean over, the one that is being filled included.
    pub fn count(&self) -> usize {
        self.past.len() + usize::from(self.filled > 0)
    }

    fn close(&mut self) {
        // The one that is being filled counts too.
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

/// The logistic function, in double precision: the last bit of the result is then that of the logit.
fn sigmoid(logit: f32) -> f32 {
    (1.0 / (1.0 + (-f64::from(logit)).exp())) as f32
}
