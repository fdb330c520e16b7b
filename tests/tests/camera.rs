//! A V4L2 camera, the kernel's test driver, in a small virtual machine: frames with their colours,
//! faults of the camera, and reconnection while `divita` classifies it.
#![cfg(feature = "v4l")]
#![allow(missing_docs, clippy::unwrap_used)]

use std::collections::HashMap;
use std::process::Command;

use divita_tests::{demo_bundle, program, root};
use serde_json::Value;

/// Exit status of the script if this machine lacks a requirement.
const LACKING: i32 = 77;

/// The test pattern of the driver: bars of three quarters of full brightness, then black.
const BARS: [[i32; 3]; 8] =
    [[191, 191, 191], [191, 191, 0], [0, 191, 191], [0, 191, 0], [191, 0, 191], [191, 0, 0], [0, 0, 191], [0, 0, 0]];

/// A check in the virtual machine: its output and exit status.
struct Check {
    lines: Vec<String>,
    status: i32,
}

impl Check {
    /// Returns the lines that begin with `word`, without `word`.
    fn after(&self, word: &str) -> Vec<&str> {
        self.lines.iter().filter_map(|line| line.strip_prefix(word)?.strip_prefix(' ')).collect()
    }

    fn text(&self) -> String {
        self.lines.join("\n")
    }

    fn bars(&self) -> Vec<[i32; 3]> {
        let bar = |line: &&str| {
            let values: Vec<i32> = line.split(' ').map(|value| value.parse().unwrap()).collect();
            values.try_into().unwrap()
        };
        self.after("bar").iter().map(bar).collect()
    }

    /// Returns presentation times in nanoseconds. All frames must have the layout `layout`.
    fn times(&self, layout: &str) -> Vec<i64> {
        self.after("frame").iter().map(|line| line.strip_prefix(layout).unwrap().trim().parse().unwrap()).collect()
    }
}

/// Runs the virtual machine. Returns `None` and prints a line if it cannot run here.
fn machine() -> Option<HashMap<String, Check>> {
    let path = |name: &str| program(name).get_program().to_owned();
    let mut command = Command::new(root().join("tests/vivid-vm/run"));
    command.arg(path("divita")).arg(env!("CARGO_BIN_EXE_camera_frames")).arg(demo_bundle());
    let output = command.output().unwrap();
    let console = String::from_utf8_lossy(&output.stdout).replace('\r', "");
    std::fs::write(concat!(env!("CARGO_TARGET_TMPDIR"), "/vivid-vm.log"), &console).unwrap();
    if output.status.code() == Some(LACKING) {
        eprintln!("{}", console.trim());
        return None;
    }
    assert!(output.status.success(), "{console}\n{}", String::from_utf8_lossy(&output.stderr));
    let mut checks = HashMap::new();
    let mut lines = Vec::new();
    for line in console.lines() {
        match line.strip_prefix("== ").map(|line| line.split(' ').collect::<Vec<_>>()).as_deref() {
            Some([_, "begins", ..]) => lines.clear(),
            Some([name, "ends", "with", status]) => {
                let check = Check { lines: std::mem::take(&mut lines), status: status.parse().unwrap() };
                checks.insert((*name).to_owned(), check);
            }
            _ => lines.push(line.to_owned()),
        }
    }
    assert!(console.contains("== all ends"), "the machine did not come to its end:\n{console}");
    Some(checks)
}

/// Returns whether colours are equal except for rounding and scaling.
fn near(found: &[[i32; 3]], expected: &[[i32; 3]]) -> bool {
    found.len() == expected.len()
        && found.iter().flatten().zip(expected.iter().flatten()).all(|(a, b)| (a - b).abs() <= 8)
}

#[test]
fn a_camera_is_listed_read_in_its_colours_and_may_fail() {
    let Some(checks) = machine() else { return };
    let check = |name: &str| checks.get(name).unwrap_or_else(|| panic!("no check {name}"));
    let succeeded = |name: &str| {
        assert_eq!(check(name).status, 0, "{name}: {}", check(name).text());
        check(name)
    };
    let failed = |name: &str, words: &str| {
        let (check, text) = (check(name), check(name).text());
        assert_eq!(check.status, 1, "{name}: {text}");
        assert!(text.contains(words) && text.contains("error: ") && !text.contains("panicked"), "{name}: {text}");
    };

    let listed = succeeded("devices").text();
    for part in
        ["v4l2:///dev/video0", "vivid", "takes     yuyv 640x360 at 25 frames a second", "NV12", "GREY", "brightness"]
    {
        assert!(listed.contains(part), "{part} is not in\n{listed}");
    }
    let json: Value = serde_json::from_str(&succeeded("devices-json").text()).unwrap();
    assert_eq!(json[0]["driver"], "vivid");
    assert_eq!(json[0]["chosen"]["width"], 640);

    for format in ["yuyv", "nv12", "grey"] {
        let check = succeeded(format);
        let times = check.times(format);
        assert_eq!((times.len(), times[0]), (5, 0), "{format}");
        assert!(times.windows(2).all(|pair| pair[0] < pair[1] && pair[1] - pair[0] < 5_000_000_000), "{times:?}");
        assert_eq!(check.after("source")[0].split(' ').take(2).collect::<Vec<_>>(), ["640x360", "live=true"]);
        let expected = BARS.map(|[red, green, blue]| match format {
            // The driver's luma, with the weights of BT.709.
            "grey" => [(2126 * red + 7152 * green + 722 * blue) / 10_000; 3],
            _ => [red, green, blue],
        });
        assert!(near(&check.bars(), &expected), "{format}: {:?}", check.bars());
    }

    assert_eq!(succeeded("default").times("yuyv").len(), 2);
    assert!(near(&succeeded("control").bars(), &[[255, 0, 0]; 8]), "{:?}", check("control").bars());
    assert_eq!(succeeded("damaged").times("yuyv").len(), 3);
    failed("no-such-control", "nor a control of this camera");
    failed("out-of-range", "`brightness=256`");
    failed("no-format", "it offers");
    failed("stalled", "no picture has come for 2 s");
    failed("missing", "there is no camera at this path");
    failed("no-camera", "this is no camera");
    failed("busy", "another program is using the camera");

    // Unplugged and plugged in again: the program reconnects and counts the failures.
    let interrupted = succeeded("interrupted");
    let events: Vec<Value> = interrupted.lines.iter().filter_map(|line| serde_json::from_str(line).ok()).collect();
    let states: Vec<&str> = events.iter().filter_map(|event| event["state"].as_str()).collect();
    assert_eq!((states.first(), states.last()), (Some(&"connected"), Some(&"connected")), "{}", interrupted.text());
    assert!(states.contains(&"waiting"), "{}", interrupted.text());
    let again = events.iter().rposition(|event| event["state"] == "connected").unwrap();
    assert_eq!(events[again]["reconnects"], 1, "{}", interrupted.text());
    let back_s = events[again]["at_s"].as_f64().unwrap();
    let ends = events.iter().filter(|event| event["event"] == "clip").map(|clip| clip["end_s"].as_f64().unwrap());
    assert!(ends.fold(0.0, f64::max) > back_s, "no clip after it came back: {}", interrupted.text());
    assert_eq!(events.last().unwrap()["event"], "result", "{}", interrupted.text());
    failed("none-left", "there is no camera here");
    assert_eq!(succeeded("plugged-in").times("yuyv").len(), 2);
}
