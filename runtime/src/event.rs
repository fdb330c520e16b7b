//! Events of the pipeline, in the form that other programs read (`runtime/schema/events.json`,
//! and `runtime/schema/events-1.json` for version 1).

use std::sync::Arc;

use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};

use crate::area::Area;
use crate::bundle::Task;
use crate::clips::Clip;
use crate::frame::Timestamp;
use crate::preprocess::Picture;
use crate::sampler::WorkingRate;
use crate::segmenter::Segmentation;
use crate::shots::{Shot, ShotKind};

/// Version of the event schema. A name keeps its meaning within a version.
pub const EVENT_SCHEMA: u32 = 2;

/// One event. Seconds are presentation times of the source.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "event", rename_all = "lowercase")]
pub enum Event {
    /// A shot ended. Its clips were emitted before.
    Shot {
        /// Index among the shots, from 0.
        index: usize,
        /// Time of its first frame that was decoded.
        start_s: f64,
        /// Time of the first picture before it that was not decoded, since the frame before: the
        /// shot may have begun there. JSON has it only if there is such a picture.
        #[serde(skip_serializing_if = "Option::is_none")]
        earliest_start_s: Option<f64>,
        /// Time of the first frame after it. At the end of the stream or before a pause: the time
        /// at which its last frame ends.
        end_s: f64,
        /// How it began.
        kind: ShotKind,
        /// Index of its first frame among those of the stream, from 0. Pictures that were not
        /// decoded count.
        first_frame: u64,
        /// Number of frames from its first on. Pictures that were not decoded count.
        frames: u64,
        /// The picture inside its borders, in stored pixels. JSON has it only if the picture has
        /// borders.
        #[serde(skip_serializing_if = "Option::is_none")]
        active: Option<Area>,
        /// Probabilities that the mean of its clips' logits gives. `None` if it has no clip, if it
        /// was only detected, or if a head does not end in a mean over the clips.
        #[serde(skip_serializing_if = "Option::is_none")]
        probabilities: Option<Probabilities>,
    },
    /// The networks processed a clip.
    Clip {
        /// Index among the clips, from 0.
        index: usize,
        /// Index of its shot.
        shot: usize,
        /// Time of its first frame.
        start_s: f64,
        /// Time at which the next clip of its shot begins, or its shot ends.
        end_s: f64,
        /// Time of its keyframe, the frame for the image stream.
        keyframe_s: f64,
        /// Number of black frames at its end.
        padded: usize,
        /// Probabilities of the clip in its snippet so far. They are final in
        /// [`Event::Snippet`]. `None` if a head does not end in a mean over the clips.
        #[serde(skip_serializing_if = "Option::is_none")]
        probabilities: Option<Probabilities>,
        /// The keyframe as the networks see it: upright, scaled and cropped. JSON does not have it.
        /// `None` unless it was requested
        /// ([`PipelineOptions::keyframes`](crate::PipelineOptions::keyframes)).
        #[serde(skip)]
        keyframe: Option<Arc<Picture>>,
    },
    /// The processor was too slow: a clip of a stream that cannot wait was dropped, and no network
    /// processed it.
    Dropped {
        /// Index among the clips, from 0.
        index: usize,
        /// Index of its shot.
        shot: usize,
        /// Time of its first frame.
        start_s: f64,
        /// Time at which the next clip of its shot begins, or its shot ends.
        end_s: f64,
    },
    /// Provisional probabilities after a clip, over the clip's snippet.
    Genres {
        /// End of the clip.
        at_s: f64,
        /// Genre probabilities.
        probabilities: Probabilities,
    },
    /// A snippet is complete, or the stream ended in it.
    Snippet {
        /// Index among the snippets, from 0.
        index: usize,
        /// Its clips in order, with their final probabilities.
        clips: Vec<ClipGenres>,
        /// Number of missing clips at its end. Zero vectors stand for them.
        padded: usize,
        /// Genre probabilities. Without padding, their logits are the mean of the clips' logits.
        probabilities: Probabilities,
    },
    /// The end of the stream: the mean over the snippets.
    Result {
        /// Genre probabilities.
        probabilities: Probabilities,
        /// The shots that contribute most to the leading genres: the most probable one, and others
        /// above 0.5, at most three. Empty if a head does not end in a mean over the clips.
        #[serde(skip_serializing_if = "Vec::is_empty")]
        contributions: Vec<GenreContributions>,
        /// Number of frames. Pictures that were not decoded count.
        frames: u64,
        /// Number of shots.
        shots: usize,
        /// Number of clips, those that were dropped included.
        clips: usize,
        /// Number of snippets that the probabilities average.
        snippets: usize,
        /// Time at which the last frame ends.
        duration_s: f64,
        /// Working rate at the end, in frames per second.
        fps: WorkingRate,
        /// Whether clips respect shots.
        segmentation: Segmentation,
        /// Name of the bundle.
        bundle: String,
        /// How logits became probabilities. JSON has it only for single-label bundles.
        #[serde(skip_serializing_if = "Task::is_multi_label")]
        task: Task,
        /// Whether the weights were trained. If not, the probabilities mean nothing.
        trained: bool,
        /// The bundle's notice about its results.
        #[serde(skip_serializing_if = "Option::is_none")]
        notice: Option<String>,
        /// Number of frames lost to damage, the sum of all [`Event::Lost`]. JSON has it only if it
        /// is not 0.
        #[serde(skip_serializing_if = "is_zero")]
        lost_frames: u64,
        /// Number of clips dropped because the processor was too slow, one for each
        /// [`Event::Dropped`]. JSON has it only if it is not 0.
        #[serde(skip_serializing_if = "is_zero")]
        dropped_clips: u64,
        /// Whether the source was read to its end, or a live source for the requested time, and no
        /// frame was lost. If false, an error event follows, frames were lost, or the program was
        /// stopped.
        complete: bool,
    },
    /// Damage destroyed frames: they could not be decoded, or only with errors.
    Lost {
        /// Time of the first lost frame.
        at_s: f64,
        /// Time of the first good frame after them. At the end of the stream: the time of the last
        /// frame.
        end_s: f64,
        /// Number of lost frames.
        frames: u64,
    },
}

fn is_zero(count: &u64) -> bool {
    *count == 0
}

/// The genres of a clip in its snippet.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ClipGenres {
    /// Index among the clips, from 0.
    pub index: usize,
    /// Index of its shot.
    pub shot: usize,
    /// Probabilities of the clip. `None` if a head does not end in a mean over the clips.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub probabilities: Option<Probabilities>,
}

/// The shots that contribute most to the logit of a genre.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct GenreContributions {
    /// The label.
    pub genre: String,
    /// At most three shots that speak for it, the strongest first.
    #[serde(rename = "for")]
    pub supporting: Vec<ShotContribution>,
    /// At most three shots that speak against it, the strongest first.
    #[serde(rename = "against")]
    pub opposing: Vec<ShotContribution>,
}

/// The share of a shot in the mean of the snippets' logits.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ShotContribution {
    /// Index of the shot.
    pub shot: usize,
    /// Time of its first frame.
    pub start_s: f64,
    /// Time of the first frame after it.
    pub end_s: f64,
    /// The sum of the logits of its clips, divided by the number of clips in all snippets, padding
    /// included.
    pub logit: f64,
}

impl Event {
    /// Returns the event as version 1 of the schema has it. `None` if version 1 has no such event.
    #[must_use]
    pub fn in_schema_1(mut self) -> Option<Event> {
        match &mut self {
            Event::Snippet { .. } => return None,
            Event::Shot { probabilities, earliest_start_s, .. } => (*probabilities, *earliest_start_s) = (None, None),
            Event::Clip { probabilities, .. } => *probabilities = None,
            Event::Result { contributions, .. } => contributions.clear(),
            Event::Dropped { .. } | Event::Genres { .. } | Event::Lost { .. } => {}
        }
        Some(self)
    }
}

/// The event of a shot without probabilities.
impl From<&Shot> for Event {
    fn from(shot: &Shot) -> Self {
        Event::Shot {
            index: shot.index,
            start_s: shot.start.as_secs_f64(),
            earliest_start_s: shot.earliest_start.map(Timestamp::as_secs_f64),
            end_s: shot.end.as_secs_f64(),
            kind: shot.kind,
            first_frame: shot.first_frame,
            frames: shot.frames,
            active: shot.active,
            probabilities: None,
        }
    }
}

/// The event of a clip without probabilities.
impl From<&Clip> for Event {
    fn from(clip: &Clip) -> Self {
        Event::Clip {
            index: clip.index,
            shot: clip.shot,
            start_s: clip.start.as_secs_f64(),
            end_s: clip.end.as_secs_f64(),
            keyframe_s: clip.keyframe().time.as_secs_f64(),
            padded: clip.padded(),
            probabilities: None,
            keyframe: None,
        }
    }
}

/// A probability in [0, 1] for each label, in the bundle's order. The probabilities of a
/// single-label bundle sum to 1. Otherwise several can be high at once.
#[derive(Clone, Debug, PartialEq)]
pub struct Probabilities {
    labels: Arc<[String]>,
    values: Vec<f32>,
}

impl Probabilities {
    /// Returns probabilities of `labels`. Both have the same length.
    pub(crate) fn new(labels: Arc<[String]>, values: Vec<f32>) -> Self {
        Probabilities { labels, values }
    }

    /// Returns the probabilities that the mean of the logits of `all` gives. `None` if `all` is
    /// empty. `task` is that of the bundle.
    #[must_use]
    pub fn mean<'a>(all: impl IntoIterator<Item = &'a Probabilities>, task: Task) -> Option<Probabilities> {
        let mut all = all.into_iter().peekable();
        let labels = all.peek()?.labels.clone();
        let mut sums = vec![0.0; labels.len()];
        let mut count = 0.0;
        for values in all {
            count += 1.0;
            sums.iter_mut().zip(&values.values).for_each(|(sum, &value)| *sum += logit(value, task));
        }
        let mut values: Vec<f32> = sums.iter().map(|sum| (sum / count) as f32).collect();
        task.apply(&mut values);
        Some(Probabilities { labels, values })
    }

    /// Returns labels and their probabilities, in the bundle's order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, f32)> {
        self.labels.iter().map(String::as_str).zip(self.values.iter().copied())
    }

    /// Returns labels and their probabilities, the most probable first. Equal ones stay in the
    /// bundle's order.
    pub fn ranked(&self) -> Vec<(&str, f32)> {
        let mut all: Vec<_> = self.iter().collect();
        all.sort_by(|a, b| b.1.total_cmp(&a.1));
        all
    }
}

/// Returns the logit that gives `probability`, up to a number that is the same for all labels.
fn logit(probability: f32, task: Task) -> f64 {
    // A probability of 0 or 1 is one that single precision cannot tell from it.
    let least = f64::from(f32::EPSILON) / 2.0;
    let probability = f64::from(probability).clamp(least, 1.0 - least);
    match task {
        Task::MultiLabel => (probability / (1.0 - probability)).ln(),
        Task::SingleLabel => probability.ln(),
    }
}

/// A map from label to probability, in the bundle's order.
impl Serialize for Probabilities {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.values.len()))?;
        for (label, value) in self.iter() {
            map.serialize_entry(label, &value)?;
        }
        map.end()
    }
}
