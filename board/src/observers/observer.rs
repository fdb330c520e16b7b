//! The trait of observers, and what they receive.

use std::path::Path;

use anyhow::Result;
use divita_runtime::frame::Timestamp;
use divita_video::{Input, SourceInfo};

use crate::event::SessionEvent;
use crate::output::{Content, Format};

/// Facts of a run that its observers need before the first session.
pub struct RunInfo<'a> {
    /// The inputs.
    pub inputs: &'a [Input],
    /// What the results are.
    pub content: Content<'a>,
    /// Form of the results.
    pub format: &'static Format,
    /// File of the results; standard output without one.
    pub output: Option<&'a Path>,
}

/// What a session does between events.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Status {
    /// A frame of this presentation time was read.
    Read(Timestamp),
    /// A frame was processed.
    Processed,
    /// A live source gave nothing for a tenth of a second.
    Idle,
    /// The session stops on request.
    Stopping,
}

/// Receives what happens in the sessions of a run. Errors end the run.
pub trait Observer {
    /// A session has opened its input.
    fn opened(&mut self, source: &SourceInfo) -> Result<()> {
        let _ = source;
        Ok(())
    }

    /// Something happened in the session of `source`, which may not have been opened.
    fn event(&mut self, source: &Input, event: &SessionEvent) -> Result<()>;

    /// The session goes on.
    fn status(&mut self, status: Status) {
        let _ = status;
    }

    /// The session has ended; `succeeded` tells whether its input was read as far as the user
    /// asked.
    fn closed(&mut self, succeeded: bool) {
        let _ = succeeded;
    }

    /// The run has ended.
    fn finish(self: Box<Self>) -> Result<()> {
        Ok(())
    }
}
