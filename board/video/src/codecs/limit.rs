//! The largest pictures that are decoded: decoders take their memory by the size that a header
//! claims.

use crate::SourceError;
use crate::error::VideoError;

/// Pixels of 4096x2304, the largest picture of level 5.2 of H.264.
pub(super) const MAX_PIXELS: u64 = 9_437_184;

/// Returns an error for a picture of more than [`MAX_PIXELS`] pixels.
pub(super) fn check(width: usize, height: usize) -> Result<(), SourceError> {
    if width as u64 * height as u64 > MAX_PIXELS {
        return Err(VideoError::TooLarge { width, height, limit: "4096x2304 or as many pixels" }.into());
    }
    Ok(())
}
