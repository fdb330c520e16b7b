//! The latencies of one stage, and how they are printed.

use std::time::{Duration, Instant};

use serde::Serialize;

/// Latencies of one stage in milliseconds.
#[derive(Serialize)]
pub(super) struct Stage {
    name: String,
    runs: usize,
    p50_ms: f64,
    p90_ms: f64,
    p99_ms: f64,
    max_ms: f64,
}

impl Stage {
    pub(super) fn from_times(name: String, mut times: Vec<Duration>) -> Option<Self> {
        times.sort();
        let last = times.len().checked_sub(1)?;
        let at = |share: f64| milliseconds(times[(share * last as f64).round() as usize]);
        Some(Stage { name, runs: times.len(), p50_ms: at(0.5), p90_ms: at(0.9), p99_ms: at(0.99), max_ms: at(1.0) })
    }

    /// The names of a table's columns.
    pub(super) fn heading() -> String {
        format!("{:<34} {:>6} {:>9} {:>9} {:>9} {:>9}\n", "milliseconds", "runs", "p50", "p90", "p99", "max")
    }

    /// A line of a table.
    pub(super) fn row(&self) -> String {
        let Stage { name, runs, p50_ms, p90_ms, p99_ms, max_ms } = self;
        format!("{name:<34} {runs:>6} {p50_ms:>9.3} {p90_ms:>9.3} {p99_ms:>9.3} {max_ms:>9.3}\n")
    }
}

/// Runs `work` and adds its time to `times`.
pub(super) fn timed<T>(times: &mut Vec<Duration>, work: impl FnOnce() -> T) -> T {
    let before = Instant::now();
    let done = work();
    times.push(before.elapsed());
    done
}

/// Returns a time in milliseconds.
pub(super) fn milliseconds(time: Duration) -> f64 {
    time.as_secs_f64() * 1000.0
}
