//! The rows that a history returns, as JSON objects and CSV lines have them.

use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};

/// Probabilities with their labels, in the order of the bundle.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Probabilities(pub Vec<(String, f64)>);

impl Probabilities {
    /// Returns the probability of `genre`.
    #[must_use]
    pub fn get(&self, genre: &str) -> Option<f64> {
        self.0.iter().find(|(label, _)| label == genre).map(|(_, probability)| *probability)
    }
}

/// Serializes an object with a name for each label.
impl Serialize for Probabilities {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        for (label, probability) in &self.0 {
            map.serialize_entry(label, probability)?;
        }
        map.end()
    }
}

/// A run of the program.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RunRow {
    /// Number of the run.
    pub run: i64,
    /// Command line, without credentials.
    pub command: String,
    /// Version of the program.
    pub version: String,
    /// Name of the bundle, if the run had one.
    pub bundle: Option<String>,
    /// Time at which the run began, RFC 3339 in UTC.
    pub started: String,
    /// Time at which the run ended; none while it goes on, and after a kill.
    pub ended: Option<String>,
    /// Number of its films.
    pub films: u64,
}

/// A film. The names have the meanings of the event `result`.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct FilmRow {
    /// Number of the film.
    pub film: i64,
    /// Number of its run.
    pub run: i64,
    /// Name as the user wrote it, without credentials.
    pub name: String,
    /// Whether the source is endless.
    pub live: bool,
    /// Time at which reading began, RFC 3339 in UTC.
    pub started: String,
    /// Size of the file in bytes.
    pub size: Option<u64>,
    /// Width of the picture in pixels.
    pub width: Option<u32>,
    /// Height of the picture in pixels.
    pub height: Option<u32>,
    /// Frame rate of the file, in frames a second.
    pub frame_rate: Option<f64>,
    /// End of the last frame, in seconds.
    pub duration_s: Option<f64>,
    /// Number of decoded frames.
    pub frames: Option<u64>,
    /// Number of recorded shots, also those that were too old and deleted.
    pub shots: u64,
    /// Number of recorded clips, also those that were too old and deleted.
    pub clips: u64,
    /// Number of snippets.
    pub snippets: Option<u64>,
    /// Number of frames lost through damage.
    pub lost_frames: Option<u64>,
    /// Number of clips dropped because the board was too slow.
    pub dropped_clips: Option<u64>,
    /// Working rate, in frames a second.
    pub fps: Option<f64>,
    /// `shot` or `seq`.
    pub segmentation: Option<String>,
    /// Name of the bundle.
    pub bundle: Option<String>,
    /// `single-label`, if each input has exactly one label.
    pub task: Option<String>,
    /// Whether the weights are trained.
    pub trained: Option<bool>,
    /// What the bundle's author wants to be shown with results.
    pub notice: Option<String>,
    /// Whether the whole input was read and no picture was lost. False for a live source that did
    /// not end.
    pub complete: bool,
    /// What failed.
    pub error: Option<String>,
    /// The result; empty if there is none.
    pub probabilities: Probabilities,
}

/// A shot of a film. The names have the meanings of the event `shot`.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ShotRow {
    /// Number of the film.
    pub film: i64,
    /// Name of the film.
    pub name: String,
    /// Position among the shots of the film, from 0.
    pub index: u32,
    /// Time of the clock, RFC 3339 in UTC; only of live sources.
    pub time: Option<String>,
    /// Time of its first frame, in seconds.
    pub start_s: f64,
    /// Time of its end, in seconds.
    pub end_s: f64,
    /// How it began.
    pub kind: String,
    /// Index of its first decoded frame.
    pub first_frame: u64,
    /// Number of its decoded frames.
    pub frames: u64,
    /// Probability of the genre by which a query sorts.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub probability: Option<f64>,
    /// Mean over its clips, to 0.0001; empty for a shot without clips.
    pub probabilities: Probabilities,
}

/// A clip of a film. The names have the meanings of the events `clip` and `genres`.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ClipRow {
    /// Number of the film.
    pub film: i64,
    /// Name of the film.
    pub name: String,
    /// Position among the clips of the film, from 0.
    pub index: u32,
    /// Index of its shot.
    pub shot: u32,
    /// Time of the clock, RFC 3339 in UTC; only of live sources.
    pub time: Option<String>,
    /// Time of its first frame, in seconds.
    pub start_s: f64,
    /// Time of its end, in seconds.
    pub end_s: f64,
    /// Time of its keyframe, in seconds.
    pub keyframe_s: f64,
    /// Number of black frames that fill its end.
    pub padded: u32,
    /// Probabilities after the clip, to 0.0001.
    pub probabilities: Probabilities,
}
