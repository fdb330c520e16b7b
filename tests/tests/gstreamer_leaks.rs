//! Opening and dropping GStreamer inputs leaks nothing. The only test of its program, because it
//! counts all open files and threads.
#![cfg(feature = "gstreamer")]
#![allow(clippy::unwrap_used)]

use std::time::{Duration, Instant};

use divita_tests::{root, sample};
use divita_video as source;

fn count(what: &str) -> usize {
    std::fs::read_dir(format!("/proc/self/{what}")).unwrap().count()
}

/// Opens and drops good and bad inputs, unread or half read.
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
        format!("rtsp://127.0.0.1:{port}/live?stall_s=1&via=gstreamer"),
        #[cfg(feature = "rtsp")]
        format!("rtsp://127.0.0.1:{port}/live?stall_s=1&via=rtsp"),
    ];
    // GStreamer keeps some threads for reuse. They exist after the first few inputs.
    (0..5).for_each(|_| once(&inputs));
    let (files, threads) = (count("fd"), count("task"));
    (0..50).for_each(|_| once(&inputs));
    // Ended threads take a moment to disappear.
    let begun = Instant::now();
    while count("task") > threads + 2 && begun.elapsed() < Duration::from_secs(10) {
        std::thread::sleep(Duration::from_millis(100));
    }
    println!("files {files} then {}, threads {threads} then {}", count("fd"), count("task"));
    assert!(count("fd") <= files + 2, "files {files} then {}", count("fd"));
    assert!(count("task") <= threads + 2, "threads {threads} then {}", count("task"));
}
