//! What the server answers from, which its observers keep up to date.

use super::latencies::Latencies;
use super::recent::Recent;
use crate::observers::{Observer, Telemetry};

/// What is known of the sources. Clones share it.
#[derive(Clone, Default)]
pub struct ServiceState {
    /// State and counters of each source.
    pub(super) telemetry: Telemetry,
    /// Latest events.
    pub(super) recent: Recent,
    /// Latencies of clips.
    pub(super) latencies: Latencies,
}

impl ServiceState {
    /// Returns the observers that keep it up to date.
    #[must_use]
    pub fn observers(&self) -> [Box<dyn Observer>; 3] {
        [self.telemetry.observer(), self.recent.observer(), self.latencies.observer()]
    }
}
