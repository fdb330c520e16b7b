//! Observers of sessions: each receives every event and does one thing with it.
//!
//! An observer is one file here and one line in [`OBSERVERS`].

mod progress;
mod results;
mod systemd;

use std::path::Path;

use anyhow::Result;
use divita_runtime::frame::Timestamp;
use divita_video::{Input, SourceInfo};

use crate::output::{Content, Format};
use crate::session::event::SessionEvent;

/// Starts an observer for a run of a command; none where nobody wants it.
type Start = fn(&RunInfo<'_>) -> Result<Option<Box<dyn Observer>>>;

/// Every observer, in the order in which they receive an event.
const OBSERVERS: &[Start] = &[progress::start, systemd::start, results::start];

/// What the observers of a run are told before its first session.
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
    /// The session stops because the program was told to.
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

    /// The session has ended; `succeeded` tells whether its input was read as far as the user asked.
    fn closed(&mut self, succeeded: bool) {
        let _ = succeeded;
    }

    /// The run has ended.
    fn finish(self: Box<Self>) -> Result<()> {
        Ok(())
    }
}

/// The observers of a run.
#[derive(Default)]
pub struct Observers(Vec<Box<dyn Observer>>);

impl From<Vec<Box<dyn Observer>>> for Observers {
    /// Observes with these observers, called in this order.
    fn from(observers: Vec<Box<dyn Observer>>) -> Self {
        Observers(observers)
    }
}

impl Observers {
    /// Starts the observers of a run.
    ///
    /// # Errors
    /// When one cannot be started, such as an output that cannot be written.
    pub fn start(run: &RunInfo<'_>) -> Result<Self> {
        let started = OBSERVERS.iter().filter_map(|start| start(run).transpose());
        started.collect::<Result<_>>().map(Observers)
    }

    /// Passes on that a session has opened its input.
    ///
    /// # Errors
    /// The first of an observer.
    pub fn opened(&mut self, source: &SourceInfo) -> Result<()> {
        self.0.iter_mut().try_for_each(|observer| observer.opened(source))
    }

    /// Passes on an event.
    ///
    /// # Errors
    /// The first of an observer.
    pub fn event(&mut self, source: &Input, event: &SessionEvent) -> Result<()> {
        self.0.iter_mut().try_for_each(|observer| observer.event(source, event))
    }

    /// Passes on what a session does.
    pub fn status(&mut self, status: Status) {
        self.0.iter_mut().for_each(|observer| observer.status(status));
    }

    /// Passes on that the session has ended.
    pub fn closed(&mut self, succeeded: bool) {
        self.0.iter_mut().for_each(|observer| observer.closed(succeeded));
    }

    /// Ends the run.
    ///
    /// # Errors
    /// The first of an observer.
    pub fn finish(self) -> Result<()> {
        self.0.into_iter().try_for_each(Observer::finish)
    }
}
