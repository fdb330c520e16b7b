//! Shots: runs of content frames between two transitions, what a detector of them is and what it says of a frame.

pub mod evidence;
mod evidence_detector;
pub mod signature;
mod still_cut;
mod tracker;
pub mod transition_network;

use serde::{Deserialize, Serialize};

use crate::active_area::Area;
use crate::frame::{Frame, Timestamp};

pub use evidence_detector::EvidenceDetector;
pub use tracker::ShotTracker;

/// Finds the shots of one stream. Give it every decoded frame in order; it gives back one verdict a frame, in the same order.
pub trait ShotDetector {
    /// Why it can go no further.
    type Error;

    /// Takes the next frame and hands `verdict` those that can now be decided. Times must increase.
    ///
    /// # Errors
    /// When the detector fails; the stream cannot go on then.
    fn push(&mut self, frame: &Frame<'_>, verdict: impl FnMut(Verdict)) -> Result<(), Self::Error>;

    /// Decides what is left at the end of the stream, after which the detector is of no more use.
    ///
    /// # Errors
    /// When the detector fails.
    fn finish(&mut self, verdict: impl FnMut(Verdict)) -> Result<(), Self::Error>;
}

/// Largest pause over which a picture may be taken to stand still, seconds. It bounds the clips that one picture can fill.
const LONGEST_GAP_S: f64 = 60.0;

/// Settings of the detector of the edge, and what every detector must know of pauses. The thresholds are those that did best on the training and
/// validation parts of the corpus that `benches/shots` makes.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct ShotSettings {
    /// Probability in [0, 1] above which a shot begins with a frame.
    pub cut: f32,
    /// Probability in [0, 1] above which a frame is part of a gradual transition.
    pub gradual: f32,
    /// Mean luma, 0 to 255, up to which a frame is black.
    pub black_luma: f32,
    /// Share of samples of luma 32 and above up to which a frame is black; a title on black is more.
    pub black_bright_share: f32,
    /// A pause between two frames that ends a shot, in seconds. Up to here a picture is taken to be standing still.
    pub gap_s: f64,
}

impl Default for ShotSettings {
    fn default() -> Self {
        ShotSettings { cut: 0.76, gradual: 0.97, black_luma: 4.0, black_bright_share: 0.005, gap_s: 10.0 }
    }
}

impl ShotSettings {
    /// The first setting that is not a number or outside its meaning, with what it must be.
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
    /// With the stream, or with everything where shots are not looked for.
    Start,
    /// With a cut.
    Cut,
    /// Out of black, at once.
    Black,
    /// Out of black, by a fade.
    Fade,
    /// After a gradual transition of another kind, or of one that the detector does not name.
    Gradual,
    /// After a pause of the stream.
    Gap,
}

/// What a frame is to the shots.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Label {
    /// A frame of the shot that is open.
    Content,
    /// The first frame of a new shot.
    Opens(ShotKind),
    /// A frame of a transition: of no shot.
    Transition,
}

/// The detector's word on one frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// Presentation time of the frame.
    pub time: Timestamp,
    /// What it is.
    pub label: Label,
    /// Whether it comes after a pause of the stream, of which nobody knows what was shown in it.
    pub after_gap: bool,
    /// The active picture area of the frame; None where it has no borders, or the detector looks for none.
    pub area: Option<Area>,
}

/// One shot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shot {
    /// Position among the stream's shots, from 0.
    pub index: usize,
    /// How it began.
    pub kind: ShotKind,
    /// Presentation time of its first frame.
    pub start: Timestamp,
    /// Presentation time of the first frame after it; at the end of the stream or before a pause, when its last frame is
    /// over.
    pub end: Timestamp,
    /// Index of its first frame among the decoded frames, from 0.
    pub first_frame: u64,
    /// Decoded frames in it.
    pub frames: u64,
    /// The active picture area of its last frame; None where it has no borders.
    pub active: Option<Area>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_without_meaning_are_named() {
        assert_eq!(ShotSettings::default().fault(), None);
        let fault = |settings: ShotSettings| settings.fault().map(|(name, _)| name);
        assert_eq!(fault(ShotSettings { cut: f32::NAN, ..Default::default() }), Some("cut"));
        assert_eq!(fault(ShotSettings { gap_s: -1.0, ..Default::default() }), Some("gap_s"));
    }
}
