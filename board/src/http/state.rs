//! What the server answers from, which its observers keep up to date.

use super::latencies::Latencies;
use super::recent::Recent;
use crate::observers::{Observer, Telemetry};

/// What is known of the sources. Clones share it.
#[derive(Clone)]
pub struct ServiceState {
    /// State and counters of each source, which other outputs read too.
    pub(super) telemetry: Telemetry,
    /// Latest events.
    pub(super) recent: Recent,
    /// Latencies of clips.
    pub(super) latencies: Latencies,
}

impl ServiceState {
    /// Returns a state without events, with the states of `telemetry`, whose observer is called
    /// before its own.
    #[must_use]
    pub fn new(telemetry: Telemetry) -> Self {
        ServiceState { telemetry, recent: Recent::default(), latencies: Latencies::default() }
    }

    /// Returns the observers that keep the rest up to date.
    #[must_use]
    pub fn observers(&self) -> [Box<dyn Observer>; 2] {
        [self.recent.observer(), self.latencies.observer()]
    }
}
