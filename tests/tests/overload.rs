//! A board that is too slow for its live sources: the working rates go down first, then the oldest
//! clip of the busiest source is dropped, counted and reported, and no source starves.
#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use divita_tests::event_schema;
use divita_tests::http::{get, start};
use serde_json::Value;

/// Sources of one board, and the number of clips of each that has to be complete.
const SOURCES: usize = 24;

/// Starts that many live sources on one slow thread, at the rate `fps`, and returns the events until
/// `is_last`, and those of the end, with the metrics before it.
fn run(fps: &str, is_last: impl Fn(&[Value]) -> bool) -> (Vec<Value>, String) {
    let names: Vec<String> = (0..SOURCES).map(|number| format!("camera {number}")).collect();
    let sources: Vec<(&str, &str)> =
        names.iter().map(|name| (&**name, "test://?live=1&seconds=600&size=64x36")).collect();
    // Stock tract takes several times as long as the project's own kernels.
    let keys = format!("executor = \"tract\"\nthreads = 1\nfps = {fps}\n");
    let (service, address) = start(&sources, &keys);
    let (begun, mut events) = (Instant::now(), Vec::new());
    while !is_last(&events) {
        assert!(begun.elapsed() < Duration::from_secs(120), "{:?}", events.last());
        let wanted = events.len() + 20;
        let seen = std::cell::Cell::new(events.len());
        events.extend(service.until("events", |_| {
            seen.set(seen.get() + 1);
            seen.get() >= wanted
        }));
    }
    let metrics = get(address, "/metrics", "").1;
    let (status, rest) = service.end_within(Duration::from_secs(20));
    assert!(status.success());
    events.extend(rest);
    let schema = event_schema();
    assert!(events.iter().all(|event| schema.is_valid(event)));
    (events, metrics)
}

/// Returns the events of each source of one kind.
fn by_source<'a>(events: &'a [Value], kind: &str) -> BTreeMap<&'a str, Vec<&'a Value>> {
    let mut all: BTreeMap<&str, Vec<&Value>> = BTreeMap::new();
    for event in events.iter().filter(|event| event["event"] == kind) {
        all.entry(event["source"].as_str().unwrap()).or_default().push(event);
    }
    all
}

fn count(events: &[Value], kind: &str) -> usize {
    events.iter().filter(|event| event["event"] == kind).count()
}

#[test]
fn clips_are_dropped_evenly_and_counted_when_the_rate_is_fixed() {
    let (events, metrics) = run("24", |events| count(events, "dropped") >= 5 * SOURCES);
    let (clips, dropped) = (by_source(&events, "clip"), by_source(&events, "dropped"));
    let results = by_source(&events, "result");
    assert_eq!((clips.len(), results.len()), (SOURCES, SOURCES), "each source has clips and a result");
    let mean = count(&events, "clip") as f64 / SOURCES as f64;
    for (source, clips) in &clips {
        assert!((clips.len() as f64 - mean).abs() <= 2.0_f64.max(0.25 * mean), "{source}: {} of {mean}", clips.len());
        // Each clip was processed or dropped, in order.
        let none = Vec::new();
        let dropped = dropped.get(source).unwrap_or(&none);
        let of_both = |event: &&Value| {
            let is_clip = event["event"] == "clip" || event["event"] == "dropped";
            is_clip && event["source"] == **source
        };
        let numbers: Vec<u64> = events.iter().filter(of_both).map(|event| event["index"].as_u64().unwrap()).collect();
        assert_eq!(numbers, (0..numbers.len() as u64).collect::<Vec<_>>(), "{source}");
        let result = results[source][0];
        assert_eq!(result["clips"], numbers.len(), "{source}");
        assert_eq!(result["dropped_clips"].as_u64().unwrap_or(0), dropped.len() as u64, "{source}");
        // The shots are found all the same: no picture is dropped for want of a network.
        assert!(result["frames"].as_u64().unwrap() as f64 >= 0.9 * 24.0 * result["duration_s"].as_f64().unwrap());
    }
    let counted: f64 =
        metrics.lines().filter_map(|line| line.strip_prefix("divita_clips_dropped_total{")).map(value).sum();
    assert!(counted >= 5.0 * SOURCES as f64, "{counted}");
    let waiting = metrics.lines().find_map(|line| line.strip_prefix("divita_clips_waiting ")).map(value).unwrap();
    assert!(waiting <= 4.0 * SOURCES as f64, "{waiting}");
}

/// The value at the end of a line of metrics.
fn value(line: &str) -> f64 {
    line.rsplit(' ').next().unwrap().parse().unwrap()
}

#[test]
fn the_rate_goes_down_before_a_clip_is_dropped() {
    let lowest = |events: &[Value]| {
        let rates = by_source(events, "rate");
        rates.len() == SOURCES && rates.values().all(|rates| rates[rates.len() - 1]["fps"] == 4)
    };
    let (events, _) = run("\"auto\"", lowest);
    let first = |kind: &str| events.iter().position(|event| event["event"] == kind);
    let rate = first("rate").unwrap();
    assert_eq!(events[rate]["reason"], "behind");
    assert!(first("dropped").is_none_or(|dropped| rate < dropped), "{rate} {:?}", first("dropped"));
}
