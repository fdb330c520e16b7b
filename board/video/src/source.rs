//! The trait of everything that gives frames, and what a source states about itself.

use divita_runtime::event::Event;
use divita_runtime::frame::{Frame, Timestamp, Undecoded};

use crate::{DecodedPictures, SourceError};

/// What is known of a source before its first frame.
#[derive(Clone, Debug, PartialEq)]
pub struct SourceInfo {
    /// The input as the user wrote it, without credentials ([`Input::shown`](crate::Input::shown)).
    pub name: String,
    /// Width of the pictures in pixels, as stored (before orientation and sample aspect).
    pub width: usize,
    /// Height of the pictures in pixels, as stored (before orientation and sample aspect).
    pub height: usize,
    /// Frames per second: the nominal rate, or the mean where frames are not evenly spaced.
    pub frame_rate: Option<f64>,
    /// Number of frames to expect. It serves a progress bar; a damaged input gives fewer.
    pub frames: Option<u64>,
    /// Time from zero to the end of the last frame, whose length is that of the others on average.
    pub duration: Option<Timestamp>,
    /// Whether frames come at their own pace (a camera, a stream). A caller that takes them too
    /// late must drop some.
    pub live: bool,
}

/// Pictures that damage cost: those that could not be decoded, and those that were decoded with
/// errors because their data, or that of a picture they refer to, is damaged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Loss {
    /// Time of the first of them.
    pub at: Timestamp,
    /// Time of the first good picture after them; that of the last picture at the end of stream.
    pub until: Timestamp,
    /// Number of them.
    pub frames: u64,
}

impl From<Loss> for Event {
    fn from(loss: Loss) -> Self {
        Event::Lost { at_s: loss.at.as_secs_f64(), end_s: loss.until.as_secs_f64(), frames: loss.frames }
    }
}

/// A stream of frames.
///
/// The caller pulls: a source does nothing between two calls of [`FrameSource::next_frame`]. The
/// source owns the samples that it lends, so a frame costs no allocation.
pub trait FrameSource: Send {
    /// Returns what was known before the first frame.
    fn info(&self) -> &SourceInfo;

    /// Lends the next frame, later than the one before in presentation time; `None` at the end, and
    /// from then on.
    ///
    /// All frames of a file have the size that [`SourceInfo`] announces, unless the size changes
    /// within the stream.
    ///
    /// # Errors
    /// When the input cannot be read any further. Every frame lent before was good; the source is
    /// then finished and returns `None`.
    fn next_frame(&mut self) -> Result<Option<Frame<'_>>, SourceError>;

    /// Chooses which pictures are decoded from now on. A source that cannot leave any out ignores
    /// it. After fewer than those that others need, more come from the next key picture on.
    fn select(&mut self, pictures: DecodedPictures) {
        let _ = pictures;
    }

    /// Returns the pictures after the last frame that were not decoded, once, at the end.
    fn take_undecoded(&mut self) -> Option<Undecoded> {
        None
    }

    /// Returns the oldest loss that was not returned yet. Call it after every call of
    /// [`FrameSource::next_frame`], the last one too.
    fn take_loss(&mut self) -> Option<Loss> {
        None
    }
}
