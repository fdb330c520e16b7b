//! What a shot list is made from: a film and its shots.

/// A film and its shots, as divita detects them.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Film {
    /// Path or address, as the user named it. Other programs resolve a relative path from the
    /// folder of the shot list.
    pub name: String,
    /// Frames per second: the nominal rate, or the mean if frames are not evenly spaced. `None`:
    /// the shots give the rate.
    pub frame_rate: Option<f64>,
    /// Width of the picture in pixels.
    pub width: Option<usize>,
    /// Height of the picture in pixels.
    pub height: Option<usize>,
    /// Number of decoded frames.
    pub frames: Option<u64>,
    /// End of the last frame, in seconds.
    pub duration_s: Option<f64>,
    /// Text that the bundle shows with its results.
    pub notice: Option<String>,
    /// The shots in order. Between two shots may be a gap: a transition or black frames.
    pub shots: Vec<Shot>,
}

/// A shot of a film.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Shot {
    /// Position among the shots, from 0.
    pub index: usize,
    /// Presentation time of the first frame, in seconds.
    pub start_s: f64,
    /// Presentation time of the first frame after the shot, in seconds.
    pub end_s: f64,
    /// Index of the first decoded frame, from 0.
    pub first_frame: u64,
    /// Number of decoded frames.
    pub frames: u64,
    /// How the shot begins: `start`, `cut`, `black`, `fade`, `gradual` or `gap`.
    pub kind: String,
    /// Labels and their probabilities. May be empty.
    pub genres: Vec<(String, f32)>,
}
