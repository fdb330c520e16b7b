//! Snippets and late fusion. The heads process the vectors of c clips at a time. Logits are
//! averaged over the streams. The sigmoid (or the softmax for single-label bundles) gives
//! probabilities, which are averaged over snippets (paper, section 5).
//!
//! A head that ends in a mean over the clips also gives the logits of each clip: the snippet's
//! logits are their mean, padding included. They depend on all clips of the snippet, so they change
//! until the snippet is complete.

use std::collections::VecDeque;
use std::num::NonZeroUsize;

use ndarray::Array2;

use crate::bundle::{Manifest, Task};
use crate::contributions::{Contribution, ShotLogits, contributions};
use crate::network::{Features, Head, NetworkError};

/// One stream's snippet: the vectors of its clips, (snippet_clips, b). Missing clips are zero.
struct Window {
    head: Head,
    features: Array2<f32>,
}

/// A snippet that is complete.
#[derive(Default)]
struct Past {
    /// Probabilities (labels).
    probabilities: Vec<f32>,
    /// The logits of its shots, if the heads give those of clips.
    shots: Vec<ShotLogits>,
}

/// Collects clips into snippets and computes probabilities.
pub struct Snippets {
    windows: Vec<Window>,
    task: Task,
    clips: usize,
    /// The shot of each clip of the current snippet.
    shots: Vec<usize>,
    /// Probabilities (labels) of the current snippet as if the stream ended here.
    current: Vec<f32>,
    /// Logits (snippet_clips, labels) of the current snippet's clips as if the stream ended here,
    /// padding last. Empty if a head does not give them.
    clip_logits: Vec<f32>,
    /// The complete snippets that count, oldest first.
    past: VecDeque<Past>,
    /// Number of complete snippets.
    complete: usize,
    /// The logits of the latest shot's clips in complete snippets.
    carried: Option<ShotLogits>,
    latest: Option<NonZeroUsize>,
}

impl Snippets {
    /// Returns snippets for `heads` and the labels of `manifest`. The result averages the `latest`
    /// snippets, or all.
    pub fn new(heads: Vec<Head>, manifest: &Manifest, latest: Option<NonZeroUsize>) -> Self {
        let (clips, labels) = (manifest.snippet_clips, manifest.labels.len());
        let window = |head: Head| Window { features: Array2::zeros((clips, head.features())), head };
        let per_clip = heads.iter().all(Head::is_per_clip);
        Snippets {
            windows: heads.into_iter().map(window).collect(),
            task: manifest.task,
            clips,
            shots: Vec::with_capacity(clips),
            current: vec![0.0; labels],
            clip_logits: vec![0.0; if per_clip { clips * labels } else { 0 }],
            past: VecDeque::new(),
            complete: 0,
            carried: None,
            latest,
        }
    }

    /// Adds the next clip, of the shot with index `shot`. Returns the provisional probabilities
    /// (labels) of its snippet. Zero vectors stand for the missing clips.
    ///
    /// # Errors
    /// Returns an error if a head fails, or if a logit is not finite.
    pub fn push(&mut self, features: &Features, shot: usize) -> Result<&[f32], NetworkError> {
        if self.is_full() {
            self.close();
        }
        let (labels, streams) = (self.current.len(), self.windows.len() as f64);
        let mut sums = vec![0.0; labels];
        self.clip_logits.fill(0.0);
        let clip_logits = &mut self.clip_logits;
        for Window { head, features: window } in &mut self.windows {
            let row = features.stream(head.stream());
            window.row_mut(self.shots.len()).iter_mut().zip(row).for_each(|(to, from)| *to = *from);
            let Some(snippet) = window.as_slice() else { continue };
            head.logits(snippet, |logits| {
                let rows = logits.chunks_exact(labels);
                let share = streams * rows.len() as f64;
                for row in rows {
                    sums.iter_mut().zip(row).for_each(|(sum, &logit)| *sum += f64::from(logit) / share);
                }
                let all = clip_logits.iter_mut().zip(logits);
                all.for_each(|(sum, &logit)| *sum += (f64::from(logit) / streams) as f32);
            })?;
        }
        self.current.iter_mut().zip(sums).for_each(|(logit, sum)| *logit = sum as f32);
        if self.current.iter().any(|logit| !logit.is_finite()) {
            return Err(NetworkError::NotFinite);
        }
        self.task.apply(&mut self.current);
        self.shots.push(shot);
        Ok(&self.current)
    }

    /// Returns whether the current snippet is complete.
    pub fn is_full(&self) -> bool {
        self.shots.len() == self.clips
    }

    /// Returns the number of clips in a snippet.
    pub fn length(&self) -> usize {
        self.clips
    }

    /// Returns the index of the oldest shot with a clip in a snippet that counts.
    pub fn oldest_shot(&self) -> Option<usize> {
        let past = self.past.iter().find_map(|past| past.shots.first()).map(ShotLogits::shot);
        past.or(self.shots.first().copied())
    }

    /// Returns the number of snippets so far, the current one included.
    pub fn started(&self) -> usize {
        self.complete + usize::from(!self.shots.is_empty())
    }

    /// Returns the probabilities (labels) of the current snippet as if the stream ended here.
    pub fn current(&self) -> &[f32] {
        &self.current
    }

    /// Returns the logits (snippet_clips, labels) of the current snippet's clips as if the stream
    /// ended here, padding last. Their mean over the clips is the snippet's logits. `None` if a
    /// head does not end in a mean over the clips.
    pub fn clip_logits(&self) -> Option<&[f32]> {
        (!self.clip_logits.is_empty()).then_some(&*self.clip_logits)
    }

    /// Returns the probabilities (labels) of the clip at `position` of the current snippet, which
    /// its logits give. `None` if a head does not end in a mean over the clips.
    pub fn clip(&self, position: usize) -> Option<Vec<f32>> {
        let mut logits = self.clip_logits()?.chunks_exact(self.current.len()).nth(position)?.to_vec();
        self.task.apply(&mut logits);
        Some(logits)
    }

    /// Returns the probabilities (labels) of the latest clip.
    pub fn latest_clip(&self) -> Option<Vec<f32>> {
        self.clip(self.shots.len().checked_sub(1)?)
    }

    /// Returns the probabilities (labels) of the latest shot, which the mean of its clips' logits
    /// gives. `None` if `shot` is not its index, or if a head does not end in a mean over the
    /// clips.
    pub fn latest_shot(&self, shot: usize) -> Option<Vec<f32>> {
        let open = self.current_shots();
        let parts = self.carried.iter().chain(open.last()).filter(|part| part.shot() == shot);
        let mut mean = parts.cloned().reduce(ShotLogits::join)?.mean();
        self.task.apply(&mut mean);
        Some(mean)
    }

    /// Returns the probabilities (labels): the mean over the snippets that count. Zero vectors pad
    /// the last snippet. Returns `None` before the first clip.
    pub fn result(&self) -> Option<Vec<f32>> {
        let count = self.count();
        let open = (!self.shots.is_empty()).then_some(&self.current);
        let mean = |label: usize| {
            let all = self.past.iter().map(|past| &past.probabilities).chain(open);
            let sum: f64 = all.map(|values| f64::from(values[label])).sum();
            (sum / count as f64) as f32
        };
        (count > 0).then(|| (0..self.current.len()).map(mean).collect())
    }

    /// Returns the shots that contribute most to the logits of each of `labels`, in the snippets
    /// that count. `None` if a head does not end in a mean over the clips.
    pub fn contributions(&self, labels: &[usize]) -> Option<Vec<Contribution>> {
        self.clip_logits()?;
        let open = self.current_shots();
        let shots = self.past.iter().flat_map(|past| &past.shots).chain(&open);
        Some(contributions(shots, labels, self.clips * self.count()))
    }

    /// Returns the number of snippets that the result averages, the current one included.
    pub fn count(&self) -> usize {
        self.past.len() + usize::from(!self.shots.is_empty())
    }

    /// Returns the logits of the shots in the current snippet.
    fn current_shots(&self) -> Vec<ShotLogits> {
        let rows = self.clip_logits.chunks_exact(self.current.len());
        let mut shots: Vec<ShotLogits> = Vec::new();
        for (&shot, logits) in self.shots.iter().zip(rows) {
            match shots.last_mut().filter(|last| last.shot() == shot) {
                Some(last) => last.add(logits),
                None => shots.push(ShotLogits::new(shot, logits)),
            }
        }
        shots
    }

    fn close(&mut self) {
        let shots = self.current_shots();
        if let Some(last) = shots.last().cloned() {
            self.carried = Some(match self.carried.take().filter(|carried| carried.shot() == last.shot()) {
                Some(carried) => carried.join(last),
                None => last,
            });
        }
        // The current snippet counts too.
        let full = self.latest.is_some_and(|latest| self.past.len() + 1 >= latest.get());
        let mut past = if full { self.past.pop_front() } else { None }.unwrap_or_default();
        past.probabilities.clone_from(&self.current);
        past.shots = shots;
        if self.latest.is_none_or(|latest| latest.get() > 1) {
            self.past.push_back(past);
        }
        for window in &mut self.windows {
            window.features.fill(0.0);
        }
        self.complete += 1;
        self.shots.clear();
    }
}
