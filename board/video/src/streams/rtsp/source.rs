//! The source of frames from a session.

use divita_runtime::frame::Frame;

use super::packets::{Packets, Waiting};
use super::request::Request;
use crate::{DecodedPictures, FrameSource, Loss, MediaSource, Playback, SourceError, SourceInfo};

/// Opens a stream.
///
/// # Errors
/// When the server does not answer, or has no stream that can be decoded.
pub(super) fn open(request: &Request) -> Result<Box<dyn FrameSource>, SourceError> {
    let packets = Packets::open(request)?;
    let waiting = packets.waiting();
    let playback = Playback { exact: request.exact, decode: request.decode, ..Playback::default() };
    let media = MediaSource::open(&request.name, Box::new(packets), playback)?;
    let info = SourceInfo { live: true, ..media.info().clone() };
    Ok(Box::new(RtspSource { info, media, waiting }))
}

/// A stream of a network camera. Its times count from the first packet, which may come before the
/// first picture that can be shown.
struct RtspSource {
    info: SourceInfo,
    media: MediaSource,
    waiting: Waiting,
}

impl FrameSource for RtspSource {
    fn info(&self) -> &SourceInfo {
        &self.info
    }

    fn next_frame(&mut self) -> Result<Option<Frame<'_>>, SourceError> {
        self.waiting.begin();
        self.media.next_frame()
    }

    fn select(&mut self, pictures: DecodedPictures) {
        self.media.select(pictures);
    }

    fn take_loss(&mut self) -> Option<Loss> {
        self.media.take_loss()
    }
}
