//! Events: what the pipeline says while a stream runs, in the form that other programs read (`runtime/schema/events.json`).

use std::sync::Arc;

use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};

use crate::active_area::Area;
use crate::bundle::Task;
use crate::clips::Clip;
use crate::sampler::WorkingRate;
use crate::segmenter::Segmentation;
use crate::shots::{Shot, ShotKind};

/// Version of the events' form; a name is never given another meaning within a version.
pub const EVENT_SCHEMA: u32 = 1;

/// One event. Seconds are presentation times of the source.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "event", rename_all = "lowercase")]
pub enum Event {
    /// A shot closed; its clips came before.
    Shot {
        /// Position among the shots, from 0.
        index: usize,
        /// Time of its first frame.
        start_s: f64,
        /// Time of the first frame after it; at the end of the stream or before a pause, when its last frame is over.
        end_s: f64,
        /// How it began.
        kind: ShotKind,
        /// Index of its first frame among the decoded frames, from 0.
        first_frame: u64,
        /// Decoded frames in it.
        frames: u64,
        /// The part of the picture inside its borders, in pixels as stored; in JSON only where the picture has borders.
        #[serde(skip_serializing_if = "Option::is_none")]
        active: Option<Area>,
    },
    /// The networks have seen a clip.
    Clip {
        /// Position among the clips, from 0.
        index: usize,
        /// Its shot's index.
        shot: usize,
        /// Time of its first frame.
        start_s: f64,
        /// When the next clip of its shot begins, or its shot ends.
        end_s: f64,
        /// Time of the frame that stands for it in the image stream.
        keyframe_s: f64,
        /// Black frames at its end.
        padded: usize,
    },
    /// Provisional probabilities after a clip, over the snippet it falls in.
    Genres {
        /// End of the clip.
        at_s: f64,
        /// Genre probabilities.
        probabilities: Probabilities,
    },
    /// The end: the mean over the snippets.
    Result {
        /// Genre probabilities.
        probabilities: Probabilities,
        /// Decoded frames.
        frames: u64,
        /// Shots.
        shots: usize,
        /// Clips.
        clips: usize,
        /// Snippets that the probabilities are a mean over.
        snippets: usize,
        /// Time at which the last frame is over.
        duration_s: f64,
        /// Working rate in frames a second, at the end.
        fps: WorkingRate,
        /// Whether clips respect shots.
        segmentation: Segmentation,
        /// Name of the bundle.
        bundle: String,
        /// How the labels' logits became probabilities; in JSON only where it is single-label.
        #[serde(skip_serializing_if = "Task::is_multi_label")]
        task: Task,
        /// Whether the weights were learned. Where false the probabilities mean nothing.
        trained: bool,
        /// What the bundle wants to be said with its results.
        #[serde(skip_serializing_if = "Option::is_none")]
        notice: Option<String>,
        /// Pictures that damage cost, in all [`Event::Lost`] together; in JSON only where there are any.
        #[serde(skip_serializing_if = "is_zero")]
        lost_frames: u64,
        /// Whether the source was read to its end, or a live one as long as was asked, and nothing was lost; where false an error
        /// event follows, pictures were lost, or the program was told to stop.
        complete: bool,
    },
    /// Damage cost pictures: they could not be decoded, or only with errors.
    Lost {
        /// Time of the first of them.
        at_s: f64,
        /// Time of the first good picture after them; of the last picture at the end of the stream.
        end_s: f64,
        /// Number of them.
        frames: u64,
    },
}

fn is_zero(count: &u64) -> bool {
    *count == 0
}

impl From<&Shot> for Event {
    fn from(shot: &Shot) -> Self {
        Event::Shot {
            index: shot.index,
            start_s: shot.start.as_secs_f64(),
            end_s: shot.end.as_secs_f64(),
            kind: shot.kind,
            first_frame: shot.first_frame,
            frames: shot.frames,
            active: shot.active,
        }
    }
}

impl From<&Clip> for Event {
    fn from(clip: &Clip) -> Self {
        Event::Clip {
            index: clip.index,
            shot: clip.shot,
            start_s: clip.start.as_secs_f64(),
            end_s: clip.end.as_secs_f64(),
            keyframe_s: clip.keyframe().time.as_secs_f64(),
            padded: clip.padded(),
        }
    }
}

/// A probability in [0, 1] for each label, in the bundle's order. Several may be high at once, unless the bundle is
/// single-label: then they sum to 1.
#[derive(Clone, Debug, PartialEq)]
pub struct Probabilities {
    labels: Arc<[String]>,
    values: Vec<f32>,
}

impl Probabilities {
    /// `values` for `labels`, as many of one as of the other.
    pub(crate) fn new(labels: Arc<[String]>, values: Vec<f32>) -> Self {
        Probabilities { labels, values }
    }

    /// Labels and their probabilities, in the bundle's order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, f32)> {
        self.labels.iter().map(String::as_str).zip(self.values.iter().copied())
    }

    /// Labels and their probabilities, the likeliest first, equals in the bundle's order.
    pub fn ranked(&self) -> Vec<(&str, f32)> {
        let mut all: Vec<_> = self.iter().collect();
        all.sort_by(|a, b| b.1.total_cmp(&a.1));
        all
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
