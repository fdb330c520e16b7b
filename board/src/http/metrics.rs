//! The metrics of a service, in the text format of Prometheus.

use std::fmt;
use std::sync::atomic::AtomicU64;

pub(super) use prometheus_client::encoding::prometheus_text::CONTENT_TYPE;
use prometheus_client::encoding::prometheus_text::encode as encode_text;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::{Registry, Unit};

use super::latencies::{Latencies, SourceLabel};
use crate::observers::{Connection, Counters, Telemetry};
use crate::thermal;

/// A counter of each source: its name, help and value.
type SourceCounter = (&'static str, &'static str, fn(&Counters) -> u64);

const COUNTERS: [SourceCounter; 7] = [
    ("frames_processed", "Frames processed", |counters| counters.frames),
    ("frames_dropped", "Frames of a live source that the board was too slow for", |counters| counters.dropped_frames),
    ("frames_lost", "Frames that damage cost", |counters| counters.lost_frames),
    ("shots", "Shots", |counters| counters.shots),
    ("clips", "Clips that the networks have seen", |counters| counters.clips),
    ("clips_dropped", "Clips of a live source that the board was too slow for", |counters| counters.dropped_clips),
    ("reconnects", "Reconnections of a live source", |counters| counters.reconnects),
];

/// Returns the metrics of `telemetry` and `latencies`, with `queued` clips that wait for a thread.
///
/// # Errors
/// When a value cannot be written.
pub(super) fn encode(telemetry: &Telemetry, latencies: &Latencies, queued: usize) -> Result<String, fmt::Error> {
    let mut registry = Registry::with_prefix("divita");
    let sources = telemetry.sources();
    let label = |source: &String| SourceLabel { source: source.clone() };
    for (name, help, value) in COUNTERS {
        let family = Family::<SourceLabel, Counter>::default();
        for (source, state) in &sources {
            family.get_or_create(&label(source)).inc_by(value(&state.counters));
        }
        registry.register(name, help, family);
    }
    let (up, rate) = (Family::<SourceLabel, Gauge>::default(), Family::<SourceLabel, Gauge>::default());
    for (source, state) in &sources {
        // A file that has ended is no source that is down.
        if state.state != Connection::Ended {
            up.get_or_create(&label(source)).set((state.state == Connection::Connected).into());
        }
        if let Some(fps) = state.fps {
            rate.get_or_create(&label(source)).set(fps.into());
        }
    }
    registry.register("source_up", "Whether the source gives pictures", up);
    registry.register("working_rate_fps", "Frames a second that the networks see", rate);
    let help = "Time from the end of a live clip to its event";
    registry.register_with_unit("clip_latency", help, Unit::Seconds, latencies.0.clone());
    let waiting: Gauge = Gauge::default();
    waiting.set(i64::try_from(queued).unwrap_or(i64::MAX));
    registry.register("clips_waiting", "Clips that wait for a thread", waiting);
    let temperature = Family::<Vec<(String, String)>, Gauge<f64, AtomicU64>>::default();
    for zone in thermal::zones(&[]) {
        temperature.get_or_create(&vec![("zone".to_owned(), zone.name)]).set(zone.celsius);
    }
    registry.register_with_unit("temperature", "Temperature of a thermal zone", Unit::Celsius, temperature);
    let build = Family::<Vec<(String, String)>, Gauge>::default();
    build.get_or_create(&vec![("version".to_owned(), env!("CARGO_PKG_VERSION").to_owned())]).set(1);
    registry.register("build_info", "Version of the program", build);
    let mut text = String::new();
    encode_text(&mut text, &registry)?;
    Ok(text)
}
