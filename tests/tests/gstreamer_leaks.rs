//! Opening and dropping what GStreamer reads leaves nothing behind: the only test of its program, as it counts what all of it has open.
#![cfg(feature = "gstreamer")]
#![allow(clippy::unwrap_used)]

use std::time::{Duration, Instant};

use divita_tests::{root, sample};
use divita_video as source;

fn count(what: &str) -> usize {
    std::fs::read_dir(format!("/proc/self/{what}")).unwrap().count()
}

/// Opens and drops, halfway through or not at all read, what works and what does not.
fn once(inputs: &[String]) {
    for input in inputs {
        if let Ok(mut source) = source::open(input) {
            for _ in 0..3 {
                source.next_frame().unwrap();
            }
        }
    }
}

#[test]
fn a_hundred_sources_leave_no_files_and_no_threads() {
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let inputs = [
        format!("gst://{}", std::path::absolute(sample()).unwrap().display()),
        format!("gst://{}", std::path::absolute(root().join("README.md")).unwrap().display()),
        "gst-launch://videotestsrc is-live=true".to_owned(),
        format!("rtsp://127.0.0.1:{port}/live?stall_s=1"),
    ];
    // GStreamer keeps some threads for the next to come; they are there after the first few.
    (0..5).for_each(|_| once(&inputs));
    let (files, threads) = (count("fd"), count("task"));
    (0..50).for_each(|_| once(&inputs));
    // Threads that end take a moment to be gone.
    let begun = Instant::now();
    while count("task") > threads + 2 && begun.elapsed() < Duration::from_secs(10) {
        std::thread::sleep(Duration::from_millis(100));
    }
    println!("files {files} then {}, threads {threads} then {}", count("fd"), count("task"));
    assert!(count("fd") <= files + 2, "files {files} then {}", count("fd"));
    assert!(count("task") <= threads + 2, "threads {threads} then {}", count("task"));
}
