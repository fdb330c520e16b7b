//! What can be wrong with an MP4 file.

use thiserror::Error;

use crate::SourceError;
use crate::error::CONVERT;

/// Why an MP4 file is refused.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub(super) enum Mp4Error {
    /// No index.
    #[error(
        "its index (`moov`) is missing: the file is cut short or still being written; copy or record it again in full"
    )]
    NoIndex,
    /// The index comes after the pictures, and the input cannot go back.
    #[error(
        "its index comes after its pictures, and a pipe cannot go back; give the file itself, or write it with: ffmpeg -i IN -c copy -movflags faststart OUT.mp4"
    )]
    IndexAfterData,
    /// Pictures in another order than that of the file, in an input that cannot go back.
    #[error("its pictures are not stored in their order, and a pipe cannot go back; give the file itself")]
    OutOfOrder,
    /// An edit list with several parts, in an input that cannot go back.
    #[error("its edit list rearranges it, which a pipe cannot; give the file itself")]
    EditListInPipe,
    /// An edit list that plays parts backwards or the track over and over.
    #[error(
        "its edit list plays it backwards or over and over, which is not supported; write it out plainly: {CONVERT}"
    )]
    EditList,
}

impl From<Mp4Error> for SourceError {
    fn from(error: Mp4Error) -> Self {
        match error {
            Mp4Error::EditList | Mp4Error::EditListInPipe | Mp4Error::IndexAfterData | Mp4Error::OutOfOrder => {
                SourceError::Unsupported(Box::new(error))
            }
            Mp4Error::NoIndex => SourceError::Malformed(Box::new(error)),
        }
    }
}
