//! Decodes a short video that is part of the crate, to see that decoding works on this machine.

use std::io::Cursor;

use crate::containers::mp4;
use crate::media_source;
use crate::{Playback, SourceError};

/// Half a second of H.264 in MP4.
const VIDEO: &[u8] = include_bytes!("../media/baseline.mp4");

/// Decodes the video and returns its number of frames.
///
/// # Errors
/// When the video cannot be decoded.
pub fn decode() -> Result<usize, SourceError> {
    let name = "the test video";
    let opened = (mp4::FORMAT.open)(name, Box::new(Cursor::new(VIDEO)))?;
    let mut source = media_source::start(name, opened, Playback::default())?;
    let mut frames = 0;
    while source.next_frame()?.is_some() {
        frames += 1;
    }
    Ok(frames)
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_video_has_twelve_frames() {
        assert_eq!(super::decode().unwrap(), 12);
    }
}
