//! Events of the pipeline, in the form that other programs read (`runtime/schema/events.json`).

use std::sync::Arc;

use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};

use crate::area::Area;
use crate::bundle::Task;
use crate::clips::Clip;
use crate::sampler::WorkingRate;
use crate::segmenter::Segmentation;
use crate::shots::{Shot, ShotKind};

/// Version of the event schema. A name keeps its meaning within a version.
pub const EVENT_SCHEMA: u32 = 1;

/// One event. Seconds are presentation times of the source.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "event", rename_all = "lowercase")]
pub enum Event {
    /// A shot ended. Its clips were emitted before.
    Shot {
        /// Index among the shots, from 0.
        index: usize,
        /// Time of its first frame.
        start_s: f64,
        /// Time of the first frame after it. At the end of the stream or before a pause: the time
        /// at which its last frame ends.
        end_s: f64,
        /// How it began.
        kind: ShotKind,
        /// Index of its first frame among the decoded frames, from 0.
        first_frame: u64,
        /// Number of decoded frames in it.
        frames: u64,
        /// The picture inside its borders, in stored pixels. JSON has it only if the picture has
        /// borders.
        #[serde(skip_serializing_if = "Option::is_none")]
        active: Option<Area>,
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
    /// The end of the stream: the mean over the snippets.
    Result {
        /// Genre probabilities.
        probabilities: Probabilities,
        /// Number of decoded frames.
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
