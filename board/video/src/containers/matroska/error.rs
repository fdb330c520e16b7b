//! What can be wrong with a Matroska file.

use thiserror::Error;

use crate::SourceError;

/// Why a Matroska file is refused.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub(super) enum MatroskaError {
    /// No list of tracks, or one behind the pictures of a pipe.
    #[error(
        "its list of tracks is missing: the file is cut short or, in a pipe, comes too late; write it anew: ffmpeg -i IN -c copy OUT.mkv"
    )]
    NoTracks,
    /// An EBML file of another kind.
    #[error("it is an EBML file, but neither Matroska nor WebM; check that this is the right file")]
    OtherDocument,
    /// A track whose packets are compressed as a ZIP archive's files are.
    #[error("the packets of its video are packed once more ({algorithm}); unpack them: ffmpeg -i IN -c copy OUT.mkv")]
    Packed {
        /// How, as in "zlib".
        algorithm: &'static str,
    },
}

impl From<MatroskaError> for SourceError {
    fn from(error: MatroskaError) -> Self {
        match error {
            MatroskaError::NoTracks => SourceError::Malformed(Box::new(error)),
            MatroskaError::OtherDocument => SourceError::NoVideo(Box::new(error)),
            MatroskaError::Packed { .. } => SourceError::Unsupported(Box::new(error)),
        }
    }
}
