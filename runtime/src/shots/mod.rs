//! Shots: runs of frames between two transitions. This module defines detectors and their verdicts
//! on frames.

mod detector_entry;
mod detectors;
pub mod evidence;
mod evidence_detector;
mod evidence_numbers;
pub mod signature;
mod still_cut;
mod tracker;
pub mod transition_network;

use serde::{Deserialize, Serialize};

use crate::area::Area;
use crate::frame::{Frame, Timestamp};

pub use detector_entry::{BoxedDetector, DetectorEntry, DetectorError, DetectorSetup};
pub use detectors::{DETECTORS, detector};
pub use evidence_detector::EvidenceDetector;
pub use tracker::ShotTracker;

/// Finds the shots of one stream. Takes every decoded frame in order and returns one verdict for
/// each frame, in the same order.
///
/// To add a detector, write one file that implements this trait and add a line to [`DETECTORS`].
pub trait ShotDetector {
    /// Why the detector cannot continue.
    type Error;

    /// Processes the next frame and passes the verdicts that are ready to `verdict`. Times must
    /// increase.
    ///
    /// # Errors
    /// Returns an error if the detector fails. The stream cannot continue then.
    fn push(&mut self, frame: &Frame<'_>, verdict: impl FnMut(Verdict)) -> Result<(), Self::Error>;

    /// Ends the stream and passes the remaining verdicts to `verdict`. The detector is not used
    /// again.
    ///
    /// # Errors
    /// Returns an error if the detector fails.
    fn finish(&mut self, verdict: impl FnMut(Verdict)) -> Result<(), Self::Error>;
}

/// Longest pause in seconds over which a picture may be held. It limits the number of clips from
/// one picture.
const LONGEST_GAP_S: f64 = 60.0;

/// Settings of the built-in detector, and the length of a pause for every detector. The default
/// thresholds scored best on the training and validation sets of the corpus that `benches/shots`
/// builds.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct ShotSettings {
    /// Probability in [0, 1] above which a frame starts a shot.
    pub cut: f32,
    /// Probability in [0, 1] above which a frame belongs to a gradual transition.
    pub gradual: f32,
    /// Largest mean luma of a black frame, 0 to 255.
    pub black_luma: f32,
    /// Largest share of samples with luma of at least 32 in a black frame. A title on black has
    /// more.
    pub black_bright_share: f32,
    /// Length of a pause between two frames that ends a shot, in seconds. During a shorter pause
    /// the picture is held.
    pub gap_s: f64,
}

impl Default for ShotSettings {
    fn default() -> Self {
        ShotSettings { cut: 0.76, gradual: 0.97, black_luma: 4.0, black_bright_share: 0.005, gap_s: 10.0 }
    }
}

impl ShotSettings {
    /// Returns the first invalid setting, with a description of the valid values.
    pub fn fault(&self) -> Option<(&'static str, &'static str)> {
        let share = |value: f32| (0.0..=1.0).contains(&value);
        [
            (share(self.cut), "cut", "in [0, 1]"),
            (share(self.gradual), "gradual", "in [0, 1]"),
            ((0.0..=255.0).contains(&self.black_luma), "black_luma", "in [0, 255]"),
            (share(self.black_bright_share), "black_bright_share", "in [0, 1]"),
            ((0.0..=LONGEST_GAP_S).contains(&self.gap_s), "gap_s", "seconds in [0, 60]"),
        ]
        .into_iter()
        .find_map(|(good, name, must)| (!good).then_some((name, must)))
    }
}

/// How a shot began.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ShotKind {
    /// At the start of the stream, or of everything if shots are not detected.
    Start,
    /// With a cut.
    Cut,
    /// From black, at once.
    Black,
    /// From black, with a fade.
    Fade,
    /// After another gradual transition, or after one that the detector does not classify.
    Gradual,
    /// After a pause of the stream.
    Gap,
}

impl ShotKind {
    /// Returns the name in events and files.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            ShotKind::Start => "start",
            ShotKind::Cut => "cut",
            ShotKind::Black => "black",
            ShotKind::Fade => "fade",
            ShotKind::Gradual => "gradual",
            ShotKind::Gap => "gap",
        }
    }
}

/// The role of a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Label {
    /// A frame of the open shot.
    Content,
    /// The first frame of a new shot.
    Opens(ShotKind),
    /// A frame of a transition, which belongs to no shot.
    Transition,
}

/// The detector's verdict on one frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// Presentation time of the frame.
    pub time: Timestamp,
    /// The role of the frame.
    pub label: Label,
    /// Whether the frame follows a pause of the stream. The content of the pause is unknown.
    pub after_gap: bool,
    /// The active picture area of the frame. `None` if it has no borders, or if the detector does
    /// not look for borders.
    pub area: Option<Area>,
}

/// One shot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shot {
    /// Index among the stream's shots, from 0.
    pub index: usize,
    /// How it began.
    pub kind: ShotKind,
    /// Presentation time of its first frame that was decoded.
    pub start: Timestamp,
    /// Presentation time of the first picture before `start` that was not decoded, since the frame
    /// before: the shot may have begun there. `None` if there is no such picture.
    pub earliest_start: Option<Timestamp>,
    /// Presentation time of the first frame after it. At the end of the stream or before a pause:
    /// the time at which its last frame ends.
    pub end: Timestamp,
    /// Index of its first frame among those of the stream, from 0. Pictures that were not decoded
    /// count.
    pub first_frame: u64,
    /// Number of frames from its first on. Pictures that were not decoded count.
    pub frames: u64,
    /// The active picture area of its last frame. `None` if it has no borders.
    pub active: Option<Area>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn invalid_settings_are_named() {
        assert_eq!(ShotSettings::default().fault(), None);
        let fault = |settings: ShotSettings| settings.fault().map(|(name, _)| name);
        assert_eq!(fault(ShotSettings { cut: f32::NAN, ..Default::default() }), Some("cut"));
        assert_eq!(fault(ShotSettings { gap_s: -1.0, ..Default::default() }), Some("gap_s"));
    }
}
