//! The data of an index of reports.

use crate::{Bundle, Keyframe};

/// A film of the index. All strings may be hostile: the page escapes them.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct IndexEntry {
    /// Name of the film.
    pub film: String,
    /// Path of the film's page from the index, with `/` between folders. Empty if the film has no
    /// page.
    pub page: String,
    /// Duration in seconds.
    pub duration_s: f64,
    /// Number of shots.
    pub shots: usize,
    /// Names and probabilities of the leading genres, in the order in which the page shows them.
    pub genres: Vec<(String, f32)>,
    /// A picture of the film.
    pub keyframe: Option<Keyframe>,
    /// The bundle that made the probabilities. The index shows its name and its notice.
    pub bundle: Bundle,
    /// Errors of the run.
    pub errors: Vec<String>,
    /// Whether the whole film was read and no picture was lost.
    pub complete: bool,
}
