//! The manifest, `manifest.json` of a bundle: its networks, their inputs and their origin.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::{sampler::WorkingRate, shots::ShotSettings};

/// Highest schema that this code reads. A bundle has the lowest schema that describes it
/// ([`Manifest::needed_schema`]), so that older programs can read it if possible.
pub const BUNDLE_SCHEMA: u32 = 3;

/// Name of the manifest inside a bundle.
pub const MANIFEST_FILE: &str = "manifest.json";

/// Name of the fixed input and its expected outputs inside a bundle.
pub const GOLDEN_FILE: &str = "golden.safetensors";

/// Name of the shot detector's weights inside a bundle. If the file is missing, the built-in
/// weights are used.
pub const SHOTS_FILE: &str = "shots.safetensors";

/// The ten genres of Trailers12k in the order of the paper and of its label file.
pub const GENRES: [&str; 10] =
    ["action", "adventure", "comedy", "crime", "drama", "fantasy", "horror", "romance", "sci-fi", "thriller"];

/// How logits become probabilities. The heads were trained for it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Task {
    /// A video can have any number of labels: the sigmoid of each logit.
    #[default]
    MultiLabel,
    /// A video has exactly one label: the softmax over all logits. Probabilities sum to 1.
    SingleLabel,
}

impl Task {
    /// Returns the task's name in files and outputs: `multi-label` or `single-label`.
    pub fn name(self) -> &'static str {
        match self {
            Task::MultiLabel => "multi-label",
            Task::SingleLabel => "single-label",
        }
    }

    /// Returns whether this is [`Task::MultiLabel`], the default, which files and outputs omit.
    pub fn is_multi_label(&self) -> bool {
        *self == Task::MultiLabel
    }
}

/// The contents of a manifest. Unknown keys are ignored, so that newer programs can add facts
/// without a new schema.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Manifest {
    /// Version of the schema: at least [`Manifest::needed_schema`], at most [`BUNDLE_SCHEMA`].
    pub schema: u32,
    /// Short name of the bundle.
    pub name: String,
    /// Genre names, in the order of the heads' outputs.
    pub labels: Vec<String>,
    /// How logits become probabilities. Schema 2.
    #[serde(default, skip_serializing_if = "Task::is_multi_label")]
    pub task: Task,
    /// Name of the architecture, such as `shufflenet-fusion`.
    pub architecture: String,
    /// Whether the weights were trained. If not, every result states it.
    pub trained: bool,
    /// One line that is shown with every result, for example that the training data was synthetic.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub notice: Option<String>,
    /// Working rates that the networks support, in frames per second. The rate is also f, the
    /// frames of a clip.
    pub working_rates: Vec<u32>,
    /// Working rates that the heads were trained at, a subset of `working_rates`. Empty if the
    /// weights were not trained, or if the rates are unknown.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub trained_rates: Vec<u32>,
    /// Clips in a snippet (c in the paper, 30).
    pub snippet_clips: usize,
    /// The streams that are present.
    pub streams: Streams,
    /// Settings of the shot detector in training.
    #[serde(default)]
    pub shots: ShotSettings,
    /// Origin of the weights.
    pub provenance: Provenance,
    /// Measured quality by name. Empty if nothing was measured.
    #[serde(default)]
    pub metrics: BTreeMap<String, f64>,
    /// SPDX expression of the weights' licence.
    pub licence: String,
    /// Every other file of the bundle by name.
    pub files: BTreeMap<String, FileEntry>,
}

impl Manifest {
    /// Returns the lowest schema that describes this manifest. Unknown keys are ignored, so a key
    /// that changes what the networks compute needs a schema that older programs refuse.
    #[must_use]
    pub fn needed_schema(&self) -> u32 {
        let Streams { image, video } = &self.streams;
        let inputs = [image, video].map(|stream| stream.as_ref().map(|stream| stream.input));
        if inputs.iter().flatten().any(|input| !input.borders.is_keep()) {
            return 3;
        }
        let own_fit_or_stride = inputs.into_iter().flatten().any(|input| !input.fit.is_crop() || input.stride != 1);
        if own_fit_or_stride || !self.task.is_multi_label() { 2 } else { 1 }
    }

    /// Returns whether any stream crops borders.
    #[must_use]
    pub fn borders(&self) -> Borders {
        let Streams { image, video } = &self.streams;
        let crops = [image, video].into_iter().flatten().any(|stream| !stream.input.borders.is_keep());
        if crops { Borders::Crop } else { Borders::Keep }
    }

    /// Returns the default working rate: the lowest rate in training, or the lowest working rate if
    /// the rates in training are unknown.
    #[must_use]
    pub fn default_rate(&self) -> WorkingRate {
        let rates = if self.trained_rates.is_empty() { &self.working_rates } else { &self.trained_rates };
        rates.iter().filter_map(|&fps| WorkingRate::new(fps).ok()).min().unwrap_or_default()
    }

    /// Returns whether the heads were trained, but not at `rate`. Returns false if the rates in
    /// training are unknown.
    #[must_use]
    pub fn is_untried_at(&self, rate: WorkingRate) -> bool {
        !self.trained_rates.is_empty() && !self.trained_rates.contains(&rate.fps())
    }
}

/// The streams of a bundle, one at least. The logits of two streams are fused.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Streams {
    /// 2D backbone on the keyframe.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub image: Option<Stream>,
    /// 3D backbone on all frames of the clip.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub video: Option<Stream>,
}

/// One stream: a frozen backbone and its head.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Stream {
    /// File of the backbone: from (1, 3, size, size) or (1, 3, f, size, size) to (1, features).
    pub backbone: String,
    /// File of the backbone quantised to eight bits, for the executor `int8`: the same shapes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub int8: Option<String>,
    /// File of the head: from (1, snippet_clips, features) to logits (1, labels).
    pub head: String,
    /// Length of the backbone's vector (b in the paper).
    pub features: usize,
    /// Preprocessing of frames for the backbone.
    pub input: StreamInput,
    /// Number of parameters of backbone and head.
    pub parameters: u64,
    /// Multiply-accumulates for one snippet, head included, by working rate.
    pub macs_per_snippet: BTreeMap<u32, u64>,
}

/// Preprocessing: how the frames of a clip become a backbone's input. It belongs to the weights,
/// because they were trained with it, and not to the architecture.
///
/// Every `stride`-th frame of the clip is scaled and cropped to `size` x `size` according to `fit`.
/// Then each channel becomes (value / 255 - mean) / std.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct StreamInput {
    /// Side of the square input in pixels.
    pub size: usize,
    /// Length of the shorter side after scaling in pixels, at least `size`. Not used for
    /// [`Fit::Stretch`].
    pub resize: usize,
    /// How a frame fills the square. Schema 2 if it is not [`Fit::Crop`].
    #[serde(default, skip_serializing_if = "Fit::is_crop")]
    pub fit: Fit,
    /// Order of the channels in `mean`, `std` and the input.
    pub channels: Channels,
    /// Mean of each channel in [0, 1].
    pub mean: [f32; 3],
    /// Standard deviation of each channel, above zero.
    pub std: [f32; 3],
    /// Distance between the frames of a clip that a video backbone reads, in frames at the working
    /// rate. 1 reads all frames. Schema 2 if it is not 1.
    #[serde(default = "every_frame", skip_serializing_if = "is_every_frame")]
    pub stride: usize,
    /// Whether borders are kept or cropped. Schema 3 if it is not [`Borders::Keep`].
    #[serde(default, skip_serializing_if = "Borders::is_keep")]
    pub borders: Borders,
}

fn every_frame() -> usize {
    1
}

fn is_every_frame(stride: &usize) -> bool {
    *stride == 1
}

impl StreamInput {
    /// Returns the preprocessing for RGB, every frame, and the centre square after scaling the
    /// shorter side to `resize`, normalised by `mean` and `std`.
    #[must_use]
    pub fn new(size: usize, resize: usize, mean: [f32; 3], std: [f32; 3]) -> Self {
        StreamInput {
            size,
            resize,
            fit: Fit::Crop,
            channels: Channels::Rgb,
            mean,
            std,
            stride: 1,
            borders: Borders::Keep,
        }
    }

    /// Returns the number of frames that a video backbone reads from a clip of `clip_frames`
    /// frames.
    #[must_use]
    pub fn frames(&self, clip_frames: usize) -> usize {
        clip_frames.div_ceil(self.stride)
    }
}

impl fmt::Display for StreamInput {
    /// Writes one line: `middle 112x112 of frames scaled to 112, RGB, 0 to 255 minus (114.7748,
    /// 107.7354, 99.475)`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let StreamInput { size, resize, fit, channels, mean, std, stride, borders } = *self;
        match fit {
            Fit::Crop => write!(f, "middle {size}x{size} of frames scaled to {resize}")?,
            Fit::Stretch => write!(f, "whole frames stretched to {size}x{size}")?,
        }
        f.write_str(match channels {
            Channels::Rgb => ", RGB",
            Channels::Bgr => ", BGR",
        })?;
        let list = |values: [f32; 3], times: f32| {
            let rounded = values.map(|value| (f64::from(value * times) * 1e5).round() / 1e5);
            match rounded {
                [a, b, c] if a == b && b == c => a.to_string(),
                [a, b, c] => format!("({a}, {b}, {c})"),
            }
        };
        // Networks without division read values from 0 to 255.
        match std.iter().all(|std| (std * 255.0 - 1.0).abs() < 1e-5) {
            true => write!(f, ", 0 to 255 minus {}", list(mean, 255.0))?,
            false => write!(f, ", 0 to 1 minus {}, divided by {}", list(mean, 1.0), list(std, 1.0))?,
        }
        if stride > 1 {
            write!(f, ", every {stride} frames")?;
        }
        if borders == Borders::Crop {
            f.write_str(", borders cropped")?;
        }
        Ok(())
    }
}

/// How a frame fills a square input.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Fit {
    /// Scales the shorter side, keeps the aspect ratio and crops the centre.
    #[default]
    Crop,
    /// Scales the whole frame to the square and ignores its aspect ratio.
    Stretch,
}

impl Fit {
    fn is_crop(&self) -> bool {
        *self == Fit::Crop
    }
}

/// What happens to the borders of a letterbox, pillarbox or windowbox before a frame is scaled.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Borders {
    /// The network reads the whole frame with its borders.
    #[default]
    Keep,
    /// The network reads only the active picture area.
    Crop,
}

impl Borders {
    fn is_keep(&self) -> bool {
        *self == Borders::Keep
    }

    /// Returns the name in files and options: `keep` or `crop`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Borders::Keep => "keep",
            Borders::Crop => "crop",
        }
    }
}

/// An unknown [`Borders`].
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
#[error("choose keep or crop")]
pub struct UnknownBorders;

impl FromStr for Borders {
    type Err = UnknownBorders;
    fn from_str(text: &str) -> Result<Self, UnknownBorders> {
        [Borders::Keep, Borders::Crop].into_iter().find(|borders| borders.name() == text).ok_or(UnknownBorders)
    }
}

/// Order of the colour channels.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Channels {
    /// Red, green, blue.
    Rgb,
    /// Blue, green, red.
    Bgr,
}

/// Origin of a bundle's weights.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Provenance {
    /// The weights: the name and sum of a checkpoint, or `seeded`.
    pub weights: String,
    /// The training data. Empty if the weights were not trained.
    #[serde(default)]
    pub data: String,
    /// Seed of all random numbers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seed: Option<u64>,
    /// Program and version that wrote the bundle.
    pub tool: String,
    /// Bundle or network that was the teacher in distillation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub teacher: Option<String>,
}

/// Sum and size of one file of a bundle.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileEntry {
    /// SHA-256, 64 lower-case hexadecimal digits.
    pub sha256: String,
    /// Length in bytes.
    pub size: u64,
}
