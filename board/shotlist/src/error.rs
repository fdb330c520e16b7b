//! The errors of shot lists.

use crate::frame_rate::FrameRate;

/// Why a film has no shot list, or a format cannot hold the list.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum ShotListError {
    /// Neither the film nor its shots tell the frame rate.
    #[error("the frame rate is unknown; give the frame rate")]
    UnknownFrameRate,
    /// The frame rate is no positive number, or outside 0.001 to 10 000.
    #[error("frame rate {fps}: not between 0.001 and 10000 fps; give another frame rate")]
    InvalidFrameRate {
        /// The frame rate.
        fps: f64,
    },
    /// Drop-frame timecode was requested at a rate without it.
    #[error("drop-frame timecode: exists only at 29.97 and 59.94 fps, not at {rate} fps; use non-drop timecode")]
    NoDropFrame {
        /// The frame rate.
        rate: FrameRate,
    },
    /// A time or a frame index is no number, or too large.
    #[error("shot {index}: its times or frames are out of range; detect the shots again")]
    OutOfRange {
        /// Index of the shot.
        index: usize,
    },
    /// A shot ends before it begins, or begins before the shot before it ends.
    #[error("shot {index}: is not after the shot before it; detect the shots again")]
    OutOfOrder {
        /// Index of the shot.
        index: usize,
    },
    /// The timecode of the format ends after 24 hours.
    #[error("the film is longer than the 24 hours of timecode; use a format without timecode")]
    TooLong,
    /// The name of the film contains a character that the format cannot hold.
    #[error("the format cannot hold the name of the film, which contains {character:?}; rename the film")]
    UnwritableName {
        /// The character.
        character: char,
    },
}
