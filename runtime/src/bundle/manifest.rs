//! The manifest: what `manifest.json` of a bundle says about its networks, their inputs and where they come from.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::shots::ShotSettings;

/// Highest version of the bundle's layout that this code reads. A bundle carries the lowest version that
/// understands it, [`Manifest::needed_schema`], so that older programs still read what they can.
pub const BUNDLE_SCHEMA: u32 = 2;

/// Name of the manifest inside a bundle.
pub const MANIFEST_FILE: &str = "manifest.json";

/// Name of the fixed input and its expected outputs inside a bundle.
pub const GOLDEN_FILE: &str = "golden.safetensors";

/// Name of the shot detector's weights inside a bundle; where there are none, the program's own are used.
pub const SHOTS_FILE: &str = "shots.safetensors";

/// The ten genres of Trailers12k in the order of the paper and of its label file.
pub const GENRES: [&str; 10] =
    ["action", "adventure", "comedy", "crime", "drama", "fantasy", "horror", "romance", "sci-fi", "thriller"];

/// How logits of the labels become probabilities: what the heads were trained for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Task {
    /// A video may have any number of the labels: the sigmoid of each logit.
    #[default]
    MultiLabel,
    /// A video has exactly one of the labels: the softmax over all logits, so probabilities sum to 1.
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

    /// Returns whether this is [`Task::MultiLabel`], the default, which files and outputs leave out.
    pub fn is_multi_label(&self) -> bool {
        *self == Task::MultiLabel
    }
}

/// Everything a bundle says of itself. Unknown keys are ignored, so that a later writer may add facts without a new schema.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Manifest {
    /// Version of the layout: at least [`Manifest::needed_schema`], at most [`BUNDLE_SCHEMA`].
    pub schema: u32,
    /// Short name of the bundle.
    pub name: String,
    /// Genre names, in the order of the heads' outputs.
    pub labels: Vec<String>,
    /// How the labels' logits become probabilities. Schema 2.
    #[serde(default, skip_serializing_if = "Task::is_multi_label")]
    pub task: Task,
    /// Name of the architecture, such as `shufflenet-fusion`.
    pub architecture: String,
    /// Whether the weights were learned from data. Where false, every result says so.
    pub trained: bool,
    /// What is to be said wherever a result of it shows, one line, such as that it has learned from drawings.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub notice: Option<String>,
    /// Working rates that the networks may run at, frames a second; the model card says which they were trained at; f, the frames of a clip, is the rate.
    pub working_rates: Vec<u32>,
    /// Clips in a snippet (c in the paper, 30).
    pub snippet_clips: usize,
    /// The streams that are present.
    pub streams: Streams,
    /// Settings of the shot detector that the networks were trained behind.
    #[serde(default)]
    pub shots: ShotSettings,
    /// Where the weights come from.
    pub provenance: Provenance,
    /// Measured quality by name, empty where nothing was measured.
    #[serde(default)]
    pub metrics: BTreeMap<String, f64>,
    /// SPDX expression of the weights' licence.
    pub licence: String,
    /// Every other file of the bundle by name.
    pub files: BTreeMap<String, FileEntry>,
}

impl Manifest {
    /// Returns the lowest schema whose programs understand this manifest. Unknown keys are ignored, so a key
    /// that changes what the networks compute needs a schema that older programs refuse.
    #[must_use]
    pub fn needed_schema(&self) -> u32 {
        let uses_schema_2 = [!self.task.is_multi_label()];
        if uses_schema_2.contains(&true) { 2 } else { 1 }
    }
}

/// The streams of a bundle; at least one must be there. What is there is fused.
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
    /// File of the backbone: (1, 3, size, size) or (1, 3, f, size, size) to (1, features).
    pub backbone: String,
    /// File of the head: (1, snippet_clips, features) to logits (1, labels).
    pub head: String,
    /// Length of the backbone's vector (b in the paper).
    pub features: usize,
    /// How a frame becomes the backbone's input.
    pub input: StreamInput,
    /// Parameters of backbone and head.
    pub parameters: u64,
    /// Multiply-accumulates for one snippet, head included, by working rate.
    pub macs_per_snippet: BTreeMap<u32, u64>,
}

/// How a frame becomes pixels of a backbone's input: scaled so that the shorter side is `resize`, the middle
/// `size` x `size` cut out, then per channel (value / 255 - mean) / std.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct StreamInput {
    /// Side of the square input in pixels.
    pub size: usize,
    /// Length of the shorter side after scaling, at least `size`.
    pub resize: usize,
    /// Order of the channels in `mean`, `std` and the input.
    pub channels: Channels,
    /// Mean of each channel in [0, 1].
    pub mean: [f32; 3],
    /// Standard deviation of each channel, above zero.
    pub std: [f32; 3],
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

/// Where a bundle's weights come from.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Provenance {
    /// What the weights are: a checkpoint's name and sum, or `seeded`.
    pub weights: String,
    /// What they were trained on, empty where they were not.
    #[serde(default)]
    pub data: String,
    /// Seed of whatever was drawn at random.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seed: Option<u64>,
    /// Program and version that wrote the bundle.
    pub tool: String,
    /// Bundle or network that taught this one.
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
