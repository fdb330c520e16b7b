//! A board that is too slow for its live sources: working rates go down, the oldest clip of the
//! busiest source is dropped, counted and reported, and no source starves.
#![allow(clippy::unwrap_used)]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::process::{Child, Command};
use std::time::{Duration, Instant};

use divita_tests::event_schema;
use divita_tests::http::{get, start};
use serde_json::Value;

/// Sources whose working rate is fixed.
const FIXED: [&str; 6] = ["fixed 0", "fixed 1", "fixed 2", "fixed 3", "fixed 4", "fixed 5"];

/// Sources whose working rate follows the load.
const FOLLOWING: [&str; 2] = ["auto 0", "auto 1"];

/// Processes that take most of the time of one processor.
struct Burners(Vec<Child>);

impl Burners {
    /// Starts `count` of them on `processor`.
    fn start(count: usize, processor: &str) -> Burners {
        let burner = || {
            let mut command = Command::new("taskset");
            command.args(["-c", processor, "sh", "-c", "while :; do :; done"]).spawn().unwrap()
        };
        Burners((0..count).map(|_| burner()).collect())
    }
}

impl Drop for Burners {
    fn drop(&mut self) {
        for child in &mut self.0 {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// Returns the events of each source of one kind.
fn by_source<'a>(events: &'a [Value], kind: &str) -> BTreeMap<&'a str, Vec<&'a Value>> {
    let mut all: BTreeMap<&str, Vec<&Value>> = BTreeMap::new();
    for event in events.iter().filter(|event| event["event"] == kind) {
        all.entry(event["source"].as_str().unwrap()).or_default().push(event);
    }
    all
}

/// The value at the end of a line of metrics.
fn value(line: &str) -> f64 {
    line.rsplit(' ').next().unwrap().parse().unwrap()
}

#[test]
fn rates_go_down_and_clips_are_dropped_evenly_and_counted() {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let allowed = status.lines().find_map(|line| line.strip_prefix("Cpus_allowed_list:")).unwrap().trim();
    let processor = allowed.split([',', '-']).next().unwrap();
    let address = "test://?live=1&seconds=600&size=64x36";
    let following = format!("{address}\"\nfps = \"auto");
    let fixed = FIXED.iter().map(|name| (*name, address));
    let sources: Vec<(&str, &str)> = fixed.chain(FOLLOWING.iter().map(|name| (*name, &*following))).collect();
    // Stock tract takes several times as long as the project's own kernels. The profile begins at
    // the highest rate.
    let keys = "executor = \"tract\"\nthreads = 1\nfps = 24\nprofile = \"jetson-orin-nano\"\n";
    let (service, listening) = start(&sources, keys);
    let mut pin = Command::new("taskset");
    let Ok(pinned) = pin.args(["-a", "-c", "-p", processor, &service.id().to_string()]).output() else {
        eprintln!("SKIPPED: taskset is not installed (Debian: util-linux)");
        return;
    };
    assert!(pinned.status.success());
    let burners = Burners::start(8, processor);
    let (begun, mut events, mut dropped) = (Instant::now(), Vec::new(), 0);
    // A source may go down twice before another does once.
    let mut went_down = BTreeSet::new();
    while dropped < 5 * sources.len() || went_down.len() < FOLLOWING.len() {
        assert!(begun.elapsed() < Duration::from_secs(120), "{dropped} {went_down:?} {:?}", events.last());
        let seen = service.until("rate or drop", |event| event["event"] == "dropped" || event["event"] == "rate");
        let last = &seen[seen.len() - 1];
        match last["event"].as_str() {
            Some("rate") => {
                went_down.insert(last["source"].to_string());
            }
            _ => dropped += 1,
        }
        events.extend(seen);
    }
    let metrics = get(listening, "/metrics", "").1;
    drop(burners);
    let (status, rest) = service.end();
    assert!(status.success());
    events.extend(rest);
    let schema = event_schema();
    assert!(events.iter().all(|event| schema.is_valid(event)));
    check_rates(&events);
    check_clips(&events, &metrics);
}

/// Sources whose rate follows the load go down, and no other does.
fn check_rates(events: &[Value]) {
    let rates = by_source(events, "rate");
    assert_eq!(rates.keys().copied().collect::<Vec<_>>(), FOLLOWING);
    for (source, rates) in rates {
        let first = rates[0];
        let step = (&first["from_fps"], &first["fps"], &first["reason"]);
        assert_eq!(step, (&24.into(), &12.into(), &"behind".into()), "{source}");
    }
}

/// Each clip was processed or dropped, and no source has much less than its share.
fn check_clips(events: &[Value], metrics: &str) {
    let (clips, dropped) = (by_source(events, "clip"), by_source(events, "dropped"));
    let results = by_source(events, "result");
    let sources = FIXED.len() + FOLLOWING.len();
    assert_eq!((clips.len(), results.len()), (sources, sources), "each source has clips and a result");
    let share = clips.values().map(Vec::len).sum::<usize>() / sources;
    for (source, clips) in &clips {
        assert!(clips.len() >= share / 2 && clips.len() <= 2 * share + 2, "{source}: {} of {share}", clips.len());
        let is_of =
            |event: &&Value| (event["event"] == "clip" || event["event"] == "dropped") && event["source"] == **source;
        let numbers: Vec<u64> = events.iter().filter(is_of).map(|event| event["index"].as_u64().unwrap()).collect();
        assert_eq!(numbers, (0..numbers.len() as u64).collect::<Vec<_>>(), "{source}");
        let result = results[source][0];
        assert_eq!(result["clips"], numbers.len(), "{source}");
        let dropped = dropped.get(source).map_or(0, Vec::len);
        assert_eq!(result["dropped_clips"].as_u64().unwrap_or(0), dropped as u64, "{source}");
    }
    let counted: f64 =
        metrics.lines().filter_map(|line| line.strip_prefix("divita_clips_dropped_total{")).map(value).sum();
    assert!(counted >= 5.0 * sources as f64 && counted <= dropped.values().map(Vec::len).sum::<usize>() as f64);
    let waiting = metrics.lines().find_map(|line| line.strip_prefix("divita_clips_waiting ")).map(value).unwrap();
    assert!(waiting <= 4.0 * sources as f64, "{waiting}");
}
