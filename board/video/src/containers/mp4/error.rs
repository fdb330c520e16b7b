//! What can be wrong with an MP4 file.

use thiserror::Error;

use crate::SourceError;
use crate::error::CONVERT;

/// Why an MP4 file is refused.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub(super) enum Mp4Error {
    /// A fragmented MP4: its pictures are not in the index.
    #[error(
        "it is a fragmented MP4, whose index lists no pictures; join it: ffmpeg -i IN -c copy -movflags faststart OUT.mp4"
    )]
    Fragmented,
    /// No index.
    #[error(
        "its index (`moov`) is missing: the file is cut short or still being written; copy or record it again in full"
    )]
    NoIndex,
    /// An edit list that plays parts backwards or the track over and over.
    #[error(
        "its edit list plays it backwards or over and over, which is not supported; write it out plainly: {CONVERT}"
    )]
    EditList,
}

impl From<Mp4Error> for SourceError {
    fn from(error: Mp4Error) -> Self {
        match error {
            Mp4Error::Fragmented | Mp4Error::EditList => SourceError::Unsupported(Box::new(error)),
            Mp4Error::NoIndex => SourceError::Malformed(Box::new(error)),
        }
    }
}
