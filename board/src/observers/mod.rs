//! Observers of sessions: each receives every event and does one thing with it.
//!
//! An observer is one file here and one line in `OBSERVERS`.

mod film_files;
#[cfg(feature = "history")]
mod history;
#[cfg(any(feature = "http", feature = "mqtt", feature = "webhook"))]
mod leader;
mod liveness;
mod observer;
mod progress;
mod reports;
mod results;
mod shot_images;
mod systemd;
#[cfg(any(feature = "http", feature = "mqtt"))]
mod telemetry;

use std::collections::BTreeSet;

use anyhow::Result;
use divita_video::SourceInfo;

#[cfg(any(feature = "http", feature = "mqtt", feature = "webhook"))]
pub use leader::{Leader, Leading};
pub use liveness::Liveness;
pub use observer::{HistoryPlace, ImagesPlace, Observer, RunInfo, Source, Status};
#[cfg(any(feature = "http", feature = "mqtt"))]
pub use telemetry::{Connection, Counters, SourceState, Telemetry};

use crate::event::SessionEvent;

/// Starts an observer for a run of a command; none where nobody wants it.
type Start = fn(&RunInfo<'_>) -> Result<Option<Box<dyn Observer>>>;

/// Every observer, in the order in which they receive an event.
const OBSERVERS: &[Start] = &[
    progress::start,
    systemd::start,
    results::start,
    film_files::start,
    reports::start,
    shot_images::start,
    #[cfg(feature = "history")]
    history::start,
];

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

    /// Adds an observer, which receives each event after the others.
    pub fn add(&mut self, observer: Box<dyn Observer>) {
        self.0.push(observer);
    }

    /// Returns the numbers of the inputs whose results are there from an earlier run.
    #[must_use]
    pub fn finished(&self) -> BTreeSet<usize> {
        self.0.iter().flat_map(|observer| observer.finished()).collect()
    }

    /// Passes on that a session has opened its input.
    ///
    /// # Errors
    /// The first of an observer.
    pub fn opened(&mut self, source: Source<'_>, info: &SourceInfo) -> Result<()> {
        self.0.iter_mut().try_for_each(|observer| observer.opened(source, info))
    }

    /// Passes on an event.
    ///
    /// # Errors
    /// The first of an observer.
    pub fn event(&mut self, source: Source<'_>, event: &SessionEvent) -> Result<()> {
        self.0.iter_mut().try_for_each(|observer| observer.event(source, event))
    }

    /// Passes on what a session does.
    pub fn status(&mut self, source: Source<'_>, status: Status) {
        self.0.iter_mut().for_each(|observer| observer.status(source, status));
    }

    /// Passes on that a session has ended.
    ///
    /// # Errors
    /// The first of an observer.
    pub fn closed(&mut self, source: Source<'_>, succeeded: bool) -> Result<()> {
        self.0.iter_mut().try_for_each(|observer| observer.closed(source, succeeded))
    }

    /// Passes on that the user has removed a source.
    pub fn removed(&mut self, name: &str) {
        self.0.iter_mut().for_each(|observer| observer.removed(name));
    }

    /// Returns the number of bytes that the observers hold back.
    #[must_use]
    pub fn held_bytes(&self) -> usize {
        self.0.iter().map(|observer| observer.held_bytes()).sum()
    }

    /// Ends the run.
    ///
    /// # Errors
    /// The first of an observer.
    pub fn finish(self) -> Result<()> {
        self.0.into_iter().try_for_each(Observer::finish)
    }
}
