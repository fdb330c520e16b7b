//! What a session runs on the frames of an input: the whole method, or shot detection alone.

use anyhow::Result;
use divita_runtime::frame::{Frame, Undecoded};
use divita_runtime::sampler::WorkingRate;
use divita_video::session::{Ending, Progress};
use divita_video::{DecodedPictures, Loss};

use crate::event::SessionEvent;

/// Receives the events of a method.
pub type Emit<'a> = &'a mut dyn FnMut(SessionEvent);

/// A method: frames in, events out.
pub trait Method {
    /// Processes the next frame.
    ///
    /// # Errors
    /// When the input cannot be processed any further.
    fn frame(&mut self, frame: &Frame<'_>, emit: Emit<'_>) -> Result<()>;

    /// Takes the counters of the session after a frame.
    fn progress(&mut self, progress: Progress, emit: Emit<'_>) {
        let _ = (progress, emit);
    }

    /// Returns the working rate, if the method has one.
    fn rate(&self) -> Option<WorkingRate> {
        None
    }

    /// Returns which pictures are to be decoded from now on, if the method decides that.
    fn pictures(&self) -> Option<DecodedPictures> {
        None
    }

    /// Takes a loss: pictures before the next frame that damage cost.
    fn loss(&mut self, loss: Loss, emit: Emit<'_>);

    /// Takes the pictures after the last frame that were not decoded.
    fn undecoded(&mut self, undecoded: Undecoded);

    /// Processes what is left, and emits the result.
    ///
    /// # Errors
    /// When there is no result.
    fn finish(&mut self, ending: &Ending, emit: Emit<'_>) -> Result<()>;
}
