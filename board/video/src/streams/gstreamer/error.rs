//! What GStreamer can find wrong.

use divita_runtime::frame::Timestamp;
use thiserror::Error;

use crate::SourceError;
use crate::error::CONVERT;

/// Why GStreamer gives no pictures.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub(super) enum GStreamerError {
    /// It does not run here.
    #[error("GStreamer could not start ({reason}); check its installation with gst-inspect-1.0")]
    NotStarted {
        /// Its own words.
        reason: String,
    },
    /// A part that the input needs is not installed.
    #[error("GStreamer has no {missing} here; install it (on Debian it is in {packages})")]
    MissingPlugin {
        /// What is missing, as in "H.265 decoder".
        missing: String,
        /// The packages to look in.
        packages: &'static str,
    },
    /// A file that it cannot make pictures of.
    #[error("GStreamer finds no pictures in it ({reason}); check that it is a video, or convert it: {CONVERT}")]
    Undecodable {
        /// GStreamer's words.
        reason: String,
    },
    /// A file of which it could read only a part. Every frame before that was lent out.
    #[error("it breaks off after {at} ({reason}); copy or download it again")]
    BrokenOff {
        /// The time of the last good frame.
        at: Timestamp,
        /// GStreamer's words.
        reason: String,
    },
}

impl From<GStreamerError> for SourceError {
    fn from(error: GStreamerError) -> Self {
        let cause = Box::new(error);
        match *cause {
            GStreamerError::NotStarted { .. } | GStreamerError::MissingPlugin { .. } => SourceError::Missing(cause),
            GStreamerError::Undecodable { .. } | GStreamerError::BrokenOff { .. } => SourceError::Malformed(cause),
        }
    }
}
