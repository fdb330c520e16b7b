//! Live inputs: a camera that fails and returns, signals, results over the latest snippets, and ten
//! thousand failures.
#![allow(clippy::unwrap_used)]

use std::fs;
use std::io::{BufRead, BufReader};
use std::num::NonZeroUsize;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use divita_runtime::bundle::Bundle;
use divita_runtime::event::Event;
use divita_runtime::frame::{Frame, Timestamp};
use divita_runtime::network::{Executor, Networks};
use divita_runtime::pipeline::{Pipeline, PipelineOptions};
use divita_runtime::sampler::WorkingRate;
use divita_runtime::segmenter::Segmentation;
use divita_tests::{assert_fails, demo_bundle, divita, event_schema, program, stdout};
use divita_video::live::{Change, Fault, LiveSource, Next, Patience};
use divita_video::test_pattern::{TestPattern, TestPatternSource};
use divita_video::{self as source, CodecError, FrameSource, SourceError, SourceInfo, VideoError};
use serde_json::Value;

fn lines(text: &str) -> Vec<Value> {
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn of<'a>(events: &'a [Value], kind: &str) -> Vec<&'a Value> {
    events.iter().filter(|event| event["event"] == kind).collect()
}

#[test]
fn an_input_that_ends_again_and_again_is_one_result() {
    // Two seconds of pictures, with pauses of half a second and a second between.
    let input = "test://?live=1&seconds=2&size=64x36";
    let output = stdout(&divita(&["classify", input, "--duration", "7", "--format", "jsonl"]));
    let events = lines(&output);
    let schema = event_schema();
    events.iter().for_each(|event| assert!(schema.is_valid(event), "{event}"));
    let live = of(&events, "live");
    let states: Vec<&str> = live.iter().map(|event| event["state"].as_str().unwrap()).collect();
    assert_eq!(states, ["connected", "waiting", "connected", "waiting", "connected"], "{output}");
    assert_eq!((&live[1]["fault"], &live[1]["retry_s"]), (&"ended".into(), &0.5.into()));
    assert_eq!((&live[4]["reconnects"], &live[4]["failures"], &live[4]["dropped"]), (&2.into(), &2.into(), &0.into()));
    let results = of(&events, "result");
    assert_eq!((results.len(), &results[0]["complete"]), (1, &true.into()));
    let (frames, duration) = (results[0]["frames"].as_u64().unwrap(), results[0]["duration_s"].as_f64().unwrap());
    assert!((110..=145).contains(&frames) && (6.0..7.5).contains(&duration), "{frames} frames in {duration} s");
}

#[test]
fn a_live_table_prints_each_shot_as_it_ends_and_no_warning_of_a_connection() {
    let mut command: Command = program("divita");
    command.args(["classify", "test://?live=1&seconds=600&size=64x36"]);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    // While the input runs: its name, the heading, the first two shots.
    let first: Vec<String> = lines.by_ref().take(4).map(Result::unwrap).collect();
    signal(&child, "TERM");
    assert!(first[0].starts_with("test://") && first[1].contains("start s"), "{first:?}");
    assert!(first[2].trim_start().starts_with("0 ") && first[3].trim_start().starts_with("1 "), "{first:?}");
    let rest: Vec<String> = lines.map(Result::unwrap).collect();
    assert!(rest.iter().any(|line| line.contains("frames a second")), "the result follows: {rest:?}");
    let output = child.wait_with_output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success() && !said.contains("WARN"), "{said}");
}

#[test]
fn an_address_that_makes_no_sense_is_not_tried_again() {
    assert_fails(&divita(&["classify", "test://?live=1&colour=red", "--duration", "5"]), 1, &["colour=red"]);
}

/// Starts the program on an endless input, and waits for the first clip.
fn begun(arguments: &[&str]) -> (Child, Vec<String>, impl BufRead + use<>) {
    let mut command: Command = program("divita");
    command.args(["classify", "--format", "jsonl"]).args(arguments);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let mut reader = BufReader::new(child.stdout.take().unwrap());
    let mut lines = Vec::new();
    while !lines.last().is_some_and(|line: &String| line.contains("\"genres\"")) {
        let mut line = String::new();
        assert!(reader.read_line(&mut line).unwrap() > 0, "it ended before its first clip: {lines:?}");
        lines.push(line);
    }
    (child, lines, reader)
}

#[test]
fn a_signal_is_answered_with_a_result_within_two_seconds() {
    for (name, input, complete) in
        [("TERM", "test://?live=1&seconds=600", true), ("INT", "test://?seconds=86400&size=16x16", false)]
    {
        let (mut child, _, mut reader) = begun(&[input]);
        let sent = Instant::now();
        signal(&child, name);
        let mut rest = String::new();
        std::io::Read::read_to_string(&mut reader, &mut rest).unwrap();
        let status = child.wait().unwrap();
        assert!(sent.elapsed() < Duration::from_secs(2), "{:?}", sent.elapsed());
        // A file was not read to its end.
        assert_eq!(status.code(), Some(i32::from(!complete)), "{name}");
        let events = lines(&rest);
        let results = of(&events, "result");
        assert_eq!((results.len(), &results[0]["complete"]), (1, &complete.into()), "{rest}");
        assert!(of(&events, "error").is_empty(), "{rest}");
    }
}

#[test]
fn files_that_a_signal_left_out_are_counted() {
    let mut command = program("divita");
    let inputs = ["test://?seconds=86400&size=16x16", "b.mp4", "c.mp4"];
    command.args(["classify", "--jobs", "1", "--format", "jsonl"]).args(inputs);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut line = String::new();
    let mut reader = BufReader::new(child.stdout.take().unwrap());
    assert!(reader.read_line(&mut line).unwrap() > 0);
    signal(&child, "INT");
    std::io::Read::read_to_string(&mut reader, &mut line).unwrap();
    let said = child.wait_with_output().unwrap();
    let (status, said) = (said.status, String::from_utf8(said.stderr).unwrap());
    assert_eq!(status.code(), Some(1));
    assert!(said.contains("stopped before its end") && said.contains("2 of 3 inputs were not begun"), "{said}");
}

/// Sends a signal to a program.
fn signal(child: &Child, name: &str) {
    let sent = Command::new("kill").args([&format!("-{name}"), &child.id().to_string()]).status().unwrap();
    assert!(sent.success());
}

#[test]
fn a_board_that_is_too_slow_steps_down_and_says_why() {
    // After preparation at full speed, so that the program does not start behind.
    let input = "test://?live=1&seconds=600&fps=24&size=1280x720";
    let (mut child, mut text, mut reader) =
        begun(&["--fps", "auto", "--profile", "jetson-orin-nano", "--threads", "1", "--duration", "120", input]);
    // A slow board: this machine with a fiftieth of its time until the rate steps down. Some
    // machines wake up too slowly for any clip, so the share grows by a fiftieth every ten seconds.
    let slowed = Instant::now();
    let stepped = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !stepped.load(Ordering::Relaxed) {
                signal(&child, "STOP");
                std::thread::sleep(Duration::from_millis(490));
                signal(&child, "CONT");
                std::thread::sleep(Duration::from_millis(10 * (1 + slowed.elapsed().as_secs() / 10)));
            }
        });
        let mut line = String::new();
        while reader.read_line(&mut line).unwrap() > 0 {
            let is_step = line.contains("\"event\":\"rate\"");
            text.push(std::mem::take(&mut line));
            if is_step {
                break;
            }
        }
        stepped.store(true, Ordering::Relaxed);
    });
    signal(&child, "TERM");
    text.extend(reader.lines().map(Result::unwrap));
    assert!(child.wait().unwrap().success());
    let events = lines(&text.join("\n").replace("\n\n", "\n"));
    let step = *of(&events, "rate").first().unwrap_or_else(|| panic!("no step: {text:?}"));
    assert_eq!(
        (&step["from_fps"], &step["fps"], &step["reason"]),
        (&24.into(), &12.into(), &"behind".into()),
        "{step}"
    );
    assert!(step["message"].as_str().unwrap().contains("73.3 muAP instead of 75.6"), "{step}");
    let results = of(&events, "result");
    assert_eq!(results.len(), 1, "{text:?}");
}

#[test]
fn a_camera_that_is_absent_is_waited_for() {
    let mut live = LiveSource::start(Box::new(|| Err(CodecError::NoVideoTrack.into())), Patience::default()).unwrap();
    let begun = Instant::now();
    let mut waiting = 0;
    while begun.elapsed() < Duration::from_millis(800) {
        match live.next(Duration::from_millis(50)).unwrap() {
            Next::Change { change: Change::Waiting { fault: Fault::Absent, .. }, message, .. } => {
                assert!(message.unwrap().contains("no video track"));
                waiting += 1;
            }
            Next::Nothing => {}
            Next::Frame(_) | Next::End | Next::Change { .. } => panic!("there is nothing to connect to"),
        }
    }
    assert_eq!(waiting, 2);
}

/// A source that fails in every way in turn, after no, one or two frames. Holds a file and a buffer
/// while open.
struct Failing {
    inner: TestPatternSource,
    _file: fs::File,
    _buffer: Vec<u8>,
    left: u32,
    way: u64,
}

impl FrameSource for Failing {
    fn info(&self) -> &SourceInfo {
        self.inner.info()
    }
    fn next_frame(&mut self) -> Result<Option<Frame<'_>>, SourceError> {
        if self.left > 0 {
            self.left -= 1;
            return self.inner.next_frame();
        }
        match self.way % 4 {
            0 => Ok(None),
            1 => Err(VideoError::Gone { reason: "unplugged".to_owned() }.into()),
            2 => Err(VideoError::Stalled { seconds: 5 }.into()),
            _ => Err(SourceError::Damaged { at: Timestamp::ZERO }),
        }
    }
}

fn open_files() -> usize {
    fs::read_dir("/proc/self/fd").unwrap().count()
}

/// Returns the private memory of this process in bytes.
fn resident() -> u64 {
    let text = fs::read_to_string("/proc/self/smaps_rollup").unwrap();
    let line = text.lines().find_map(|line| line.strip_prefix("Anonymous:")).unwrap();
    1024 * line.trim().trim_end_matches("kB").trim().parse::<u64>().unwrap()
}

#[test]
fn ten_thousand_failures_leave_nothing_behind() {
    let mut attempt = 0;
    let open = move || -> Result<Box<dyn FrameSource>, SourceError> {
        attempt += 1;
        if attempt % 5 == 0 {
            return Err(VideoError::Gone { reason: "absent".to_owned() }.into());
        }
        // Another size every seventh time.
        let size = if attempt % 7 == 0 { "size=48x32" } else { "size=64x36" };
        let inner = TestPatternSource::new("test", TestPattern::from_query(size)?);
        let file = fs::File::open("/dev/null").map_err(|source| SourceError::Io { doing: "open it", source })?;
        let buffer = vec![1; 100_000];
        Ok(Box::new(Failing { inner, _file: file, _buffer: buffer, left: (attempt % 3) as u32, way: attempt }))
    };
    let patience = Patience { first: Duration::ZERO, longest: Duration::ZERO, steady: Duration::from_secs(5) };
    let mut live = LiveSource::start(Box::new(open), patience).unwrap();
    let (mut failures, mut frames, mut last) = (0, 0, Timestamp::from_nanos(-1));
    let mut early = None;
    while failures < 10_000 {
        match live.next(Duration::from_secs(20)).unwrap() {
            Next::Frame(frame) => {
                assert!(frame.time() > last, "times must increase whatever happens");
                (last, frames) = (frame.time(), frames + 1);
            }
            Next::Change { counters, .. } => failures = counters.failures,
            Next::Nothing | Next::End => panic!("nothing came for 20 s"),
        }
        if failures >= 2000 && early.is_none() {
            early = Some((open_files(), resident()));
        }
    }
    let (files, bytes) = early.unwrap();
    println!(
        "{frames} frames taken, {} dropped, {} files, {} kB more",
        live.dropped(),
        open_files(),
        resident().saturating_sub(bytes) / 1024
    );
    assert!(open_files() <= files + 2, "{} files are open, {files} were", open_files());
    assert!(resident() < bytes + 2_000_000, "{} bytes more are held", resident() - bytes);
    assert!(frames > 0);
    drop(live);
}

/// Returns the probabilities of the last provisional event and of the result.
fn classified(latest: Option<usize>) -> (Vec<f32>, Vec<f32>) {
    let bundle = Bundle::open(demo_bundle()).unwrap();
    let rate = WorkingRate::new(4).unwrap();
    let networks = Networks::prepare(&bundle, &[rate], Executor::default()).unwrap();
    let latest = latest.and_then(NonZeroUsize::new);
    let options = PipelineOptions { rate, segmentation: Segmentation::Seq, latest, ..PipelineOptions::default() };
    let mut pipeline = Pipeline::new(&bundle, &networks, options).unwrap();
    // 70 clips: two snippets and a third of one.
    let mut source = source::open("test://?seconds=70&fps=4&size=32x32").unwrap();
    let (mut provisional, mut result) = (Vec::new(), Vec::new());
    let mut emit = |event: Event| match event {
        Event::Genres { probabilities, .. } => {
            provisional.push(probabilities.iter().map(|(_, value)| value).collect::<Vec<f32>>());
        }
        Event::Result { probabilities, snippets, .. } => {
            assert_eq!(snippets, latest.map_or(3, |latest| latest.get().min(3)));
            result = probabilities.iter().map(|(_, value)| value).collect();
        }
        _ => {}
    };
    while let Some(frame) = source.next_frame().unwrap() {
        pipeline.push(&frame, &mut emit).unwrap();
    }
    pipeline.finish(true, &mut emit).unwrap();
    assert_eq!(provisional.len(), 70);
    let of_snippets: Vec<&Vec<f32>> = [&provisional[29], &provisional[59], &provisional[69]].into();
    let taken = &of_snippets[3 - latest.map_or(3, |latest| latest.get().min(3))..];
    let mean = |k: usize| (taken.iter().map(|one| f64::from(one[k])).sum::<f64>() / taken.len() as f64) as f32;
    ((0..result.len()).map(mean).collect(), result)
}

#[test]
fn the_result_is_a_mean_over_the_latest_snippets() {
    for latest in [None, Some(1), Some(2), Some(3), Some(10)] {
        let (expected, found) = classified(latest);
        assert_eq!(found, expected, "{latest:?}");
    }
}
