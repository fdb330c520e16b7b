//! What can be wrong with the codec of a track.

use thiserror::Error;

use crate::SourceError;
use crate::error::{CONVERT, Fault};

/// Why a track is not decoded.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum CodecError {
    /// A codec that this build does not decode.
    #[error("its video is {codec}, and only H.264 can be decoded; convert it: {CONVERT}")]
    Unsupported {
        /// The codec's name, or as the container spells it.
        codec: String,
    },
    /// Encrypted (DRM) video.
    #[error("its video is encrypted, and no key can be given; use a copy without copy protection")]
    Encrypted,
    /// A container without moving pictures.
    #[error("it has no video track, only sound or data; check that this is the right file")]
    NoVideoTrack,
    /// The H.264 decoder could not be started.
    #[error("the H.264 decoder could not start ({reason}); free some memory and try again")]
    NotStarted {
        /// The decoder's own words.
        reason: String,
    },
}

impl From<CodecError> for SourceError {
    fn from(error: CodecError) -> Self {
        let cause = Box::new(error);
        match *cause {
            CodecError::Unsupported { .. } => SourceError::Unsupported(cause),
            CodecError::Encrypted | CodecError::NoVideoTrack => SourceError::NoVideo(cause),
            CodecError::NotStarted { .. } => SourceError::Unavailable { fault: Fault::Garbage, cause },
        }
    }
}
