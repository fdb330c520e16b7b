//! The data of a film's report.

/// What is known of a film. All strings may be hostile: the page escapes them.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct FilmReport {
    /// Name of the film, such as its file name.
    pub film: String,
    /// End of the last frame, in seconds.
    pub duration_s: f64,
    /// Number of decoded frames.
    pub frames: u64,
    /// Frames a second of the film; none if they vary or are unknown.
    pub frame_rate: Option<f64>,
    /// Width and height of the picture, in pixels.
    pub size: Option<(u32, u32)>,
    /// Frames a second that the networks saw.
    pub working_rate: f64,
    /// How clips were cut: `shot` or `seq`.
    pub segmentation: String,
    /// The bundle that made the probabilities.
    pub bundle: Bundle,
    /// Command line of the run.
    pub command_line: String,
    /// Version of the program.
    pub version: String,
    /// Time at which the report was made, as it is shown.
    pub created: String,
    /// Names of the genres, in the order of the bundle.
    pub labels: Vec<String>,
    /// Final probability of each label; empty if there is no result.
    pub probabilities: Vec<f32>,
    /// Snippets in the order of time.
    pub snippets: Vec<Snippet>,
    /// Clips in the order of time.
    pub clips: Vec<Clip>,
    /// Shots in the order of time.
    pub shots: Vec<Shot>,
    /// Why the leading genres lead, in the order in which the page shows them.
    pub contributions: Vec<GenreContributions>,
    /// Pictures that damage cost.
    pub lost: Vec<LostPictures>,
    /// Clips that no network saw.
    pub dropped_clips: Vec<DroppedClip>,
    /// Errors of the run.
    pub errors: Vec<String>,
    /// Whether the whole film was read and no picture was lost.
    pub complete: bool,
}

/// The bundle that made the probabilities.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Bundle {
    /// Name.
    pub name: String,
    /// What its author wants to be shown with results.
    pub notice: Option<String>,
    /// Whether its weights are trained. If not, the probabilities mean nothing.
    pub trained: bool,
    /// Task, such as `multi-label`.
    pub task: String,
    /// Networks in words.
    pub architecture: String,
    /// Facts of its model card: name and value.
    pub card: Vec<(String, String)>,
    /// Licence of the weights.
    pub licence: Option<String>,
    /// Origin of the weights.
    pub provenance: Option<String>,
}

/// Clips that the heads saw together.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Snippet {
    /// Start in seconds.
    pub start_s: f64,
    /// End in seconds.
    pub end_s: f64,
    /// Probability of each label.
    pub probabilities: Vec<f32>,
}

/// A clip and the genres found in it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Clip {
    /// Start in seconds.
    pub start_s: f64,
    /// End in seconds.
    pub end_s: f64,
    /// Index of its shot. The shot may be absent if the run stopped within it.
    pub shot: usize,
    /// Probability of each label.
    pub probabilities: Vec<f32>,
}

/// A shot.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Shot {
    /// Index among the shots of the film, from 0. Each shot has another one.
    pub index: usize,
    /// Start in seconds.
    pub start_s: f64,
    /// End in seconds.
    pub end_s: f64,
    /// How it began: `start`, `cut`, `black`, `fade`, `gradual` or `gap`.
    pub kind: String,
    /// Index of its first decoded frame.
    pub first_frame: u64,
    /// Number of decoded frames.
    pub frames: u64,
    /// Timecode of its start.
    pub start_timecode: String,
    /// Timecode of its end.
    pub end_timecode: String,
    /// Probability of each label, if there are any.
    pub probabilities: Option<Vec<f32>>,
    /// Picture area inside the borders, if there are borders.
    pub active: Option<ActiveArea>,
    /// A picture of the shot.
    pub keyframe: Option<Keyframe>,
}

/// Picture area inside the borders, in pixels.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ActiveArea {
    /// Left edge.
    pub x: u32,
    /// Top edge.
    pub y: u32,
    /// Width.
    pub width: u32,
    /// Height.
    pub height: u32,
}

/// A small picture of a shot. [`keyframe_size`](crate::keyframe_size) says how small.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Keyframe {
    /// The JPEG file. The page leaves out what does not begin like one.
    pub jpeg: Vec<u8>,
    /// Width in pixels.
    pub width: u32,
    /// Height in pixels.
    pub height: u32,
}

/// The shots that contribute most to a genre.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct GenreContributions {
    /// Position of the genre among the labels.
    pub label: usize,
    /// Shots that raise its probability, the strongest first.
    pub raising: Vec<ShotShare>,
    /// Shots that lower its probability, the strongest first.
    pub lowering: Vec<ShotShare>,
}

/// What a shot contributes to a genre.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct ShotShare {
    /// Index of the shot.
    pub shot: usize,
    /// What the shot adds to the logit of the genre; negative if it lowers the probability.
    pub logits: f32,
}

/// Pictures that damage cost.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct LostPictures {
    /// Time of the first lost picture, in seconds.
    pub at_s: f64,
    /// Time of the first good picture after the loss, in seconds.
    pub end_s: f64,
    /// Number of lost pictures.
    pub frames: u64,
}

/// A clip that no network saw.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct DroppedClip {
    /// Start in seconds.
    pub start_s: f64,
    /// End in seconds.
    pub end_s: f64,
    /// Index of its shot.
    pub shot: usize,
}
