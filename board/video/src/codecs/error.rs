//! What can be wrong with the codec of a track.

use thiserror::Error;

use crate::SourceError;
use crate::error::{CONVERT, Fault};

/// Why a track is not decoded.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum CodecError {
    /// A codec that this build does not decode.
    #[error("its video is {codec}, which divita does not decode; convert it: {CONVERT}")]
    Unsupported {
        /// The codec's name, or as the container spells it.
        codec: String,
    },
    /// A codec that other builds decode.
    #[error(
        "its video is {codec}, which this build does not decode; build it in: cargo build --release --features divita/{feature}, or convert it: {CONVERT}"
    )]
    NotBuiltIn {
        /// The codec's name.
        codec: String,
        /// The cargo feature of divita that brings its decoder.
        feature: &'static str,
    },
    /// Encrypted (DRM) video.
    #[error("its video is encrypted, and no key can be given; use a copy without copy protection")]
    Encrypted,
    /// A track that the user chose and the container has not.
    #[error("there is no video track {track}, but {found}; choose another with --track or ?track=")]
    NoSuchTrack {
        /// Number of the track, from 1.
        track: usize,
        /// The tracks that there are, as in "1 (H.264), 2 (VP9)".
        found: String,
    },
    /// A container without moving pictures.
    #[error("it has no video track, only sound or data; check that this is the right file")]
    NoVideoTrack,
    /// A decoder that could not be started.
    #[error("the {codec} decoder could not start ({reason}); free some memory and try again")]
    NotStarted {
        /// The codec's name.
        codec: &'static str,
        /// The decoder's own words.
        reason: String,
    },
}

impl From<CodecError> for SourceError {
    fn from(error: CodecError) -> Self {
        let cause = Box::new(error);
        match *cause {
            CodecError::Unsupported { .. } | CodecError::NotBuiltIn { .. } => SourceError::Unsupported(cause),
            CodecError::Encrypted | CodecError::NoSuchTrack { .. } | CodecError::NoVideoTrack => {
                SourceError::NoVideo(cause)
            }
            CodecError::NotStarted { .. } => SourceError::Unavailable { fault: Fault::Garbage, cause },
        }
    }
}
