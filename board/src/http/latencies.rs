//! The time from the end of a live clip to its event, for the metrics.

use std::collections::BTreeMap;
use std::time::Instant;

use anyhow::Result;
use divita_runtime::event::Event;
use divita_video::SourceInfo;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::histogram::Histogram;

use crate::event::SessionEvent;
use crate::observers::{Observer, Source};

/// Upper limits of the histogram of clip latencies, seconds.
const LATENCIES: [f64; 9] = [0.05, 0.1, 0.25, 0.5, 1.0, 2.0, 4.0, 8.0, 16.0];

/// Label of every figure of a source.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct SourceLabel {
    pub source: String,
}

/// Histograms of the latencies of each source. Clones share them.
#[derive(Clone)]
pub struct Latencies(pub(super) Family<SourceLabel, Histogram, fn() -> Histogram>);

/// Measures the latencies.
struct Measurement {
    latencies: Latencies,
    /// Begin of each open session of a live source.
    opened: BTreeMap<usize, Instant>,
}

impl Default for Latencies {
    fn default() -> Self {
        let histogram: fn() -> Histogram = || Histogram::new(LATENCIES);
        Latencies(Family::new_with_constructor(histogram))
    }
}

impl Latencies {
    /// Returns the observer that measures them.
    #[must_use]
    pub fn observer(&self) -> Box<dyn Observer> {
        Box::new(Measurement { latencies: self.clone(), opened: BTreeMap::new() })
    }
}

impl Observer for Measurement {
    fn opened(&mut self, source: Source<'_>, info: &SourceInfo) -> Result<()> {
        if info.live {
            self.opened.insert(source.number, Instant::now());
        }
        Ok(())
    }

    fn event(&mut self, source: Source<'_>, event: &SessionEvent) -> Result<()> {
        if let SessionEvent::Method(Event::Clip { end_s, .. }) = event
            && let Some(opened) = self.opened.get(&source.number)
        {
            let latency = opened.elapsed().as_secs_f64() - end_s;
            let label = SourceLabel { source: source.name.to_owned() };
            self.latencies.0.get_or_create(&label).observe(latency.max(0.0));
        }
        Ok(())
    }

    fn closed(&mut self, source: Source<'_>, _: bool) -> Result<()> {
        self.opened.remove(&source.number);
        Ok(())
    }

    fn removed(&mut self, name: &str) {
        self.latencies.0.remove(&SourceLabel { source: name.to_owned() });
    }
}
