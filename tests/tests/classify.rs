//! `divita classify`, as people and programs use it.
#![allow(clippy::unwrap_used)]

use std::collections::BTreeSet;
use std::io::Write;
use std::process::Stdio;

use divita_tests::{assert_fails, divita, event_schema, program, root, sample, stderr, stdout};
use serde_json::Value;

fn events(text: &str) -> Vec<Value> {
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn classify(arguments: &[&str]) -> String {
    stdout(&divita(&[&["classify", "--format", "jsonl"], arguments].concat()))
}

const PATTERN: &str = "test://?seconds=6&fps=24&size=320x180";

#[test]
fn the_sample_is_classified() {
    let output = divita(&["classify", sample().to_str().unwrap()]);
    let table = stdout(&output);
    let summary = table.lines().find(|line| line.contains("1253 frames")).unwrap();
    let readme = std::fs::read_to_string(root().join("README.md")).unwrap();
    assert!(readme.contains(summary), "README.md shows another result than {summary:?}");
    let notice = "bundle \"demo\": trained on synthetic trailers: it knows nothing of films";
    assert!(table.contains(notice) && stderr(&output).contains(notice), "{table}");
    for genre in divita_runtime::bundle::GENRES {
        assert!(table.contains(genre), "{table}");
    }
}

#[test]
fn a_bundle_of_random_weights_says_that_it_is_untrained() {
    let folder = tempfile::tempdir().unwrap();
    let bundle = folder.path().join("random");
    let bundle = bundle.to_str().unwrap();
    stdout(&program("divita-models").args(["build", "--seed", "1", "--output", bundle]).output().unwrap());
    let output = divita(&["classify", "--bundle", bundle, PATTERN]);
    assert!(stdout(&output).contains("UNTRAINED bundle \"random\"") && stderr(&output).contains("untrained"));
    assert!(stdout(&divita(&["inspect", bundle])).contains("NO: its probabilities mean nothing"));
    let csv = stdout(&divita(&["classify", "--bundle", bundle, "--format", "csv", PATTERN]));
    let rows: Vec<Vec<&str>> = csv.lines().map(|line| line.split(',').collect()).collect();
    let of = |name: &str| rows[1][rows[0].iter().position(|column| *column == name).unwrap()];
    assert_eq!((of("trained"), of("notice")), ("false", ""));
}

#[test]
fn every_line_fits_the_schema() {
    let validator = event_schema();
    let sample = sample();
    let mut text = classify(&[sample.to_str().unwrap(), PATTERN]);
    text += &stdout(&divita(&["shots", "--format", "jsonl", PATTERN]));
    let failed = divita(&["classify", "--format", "jsonl", "no-such-file.mp4"]);
    text += &String::from_utf8(failed.stdout).unwrap();
    let mut kinds = BTreeSet::new();
    for event in events(&text) {
        let errors: Vec<String> = validator.iter_errors(&event).map(|error| error.to_string()).collect();
        assert!(errors.is_empty(), "{event}: {errors:?}");
        kinds.insert(event["event"].as_str().unwrap().to_owned());
    }
    assert_eq!(kinds, ["opened", "shot", "clip", "genres", "snippet", "result", "error"].map(str::to_owned).into());
    // The schema refuses other objects, so the check above is meaningful.
    let broken = serde_json::json!({"schema": 2, "source": "x", "event": "shot", "index": 0});
    assert!(!validator.is_valid(&broken));
}

#[test]
fn events_agree_with_each_other() {
    let events = events(&classify(&[sample().to_str().unwrap()]));
    let of = |kind: &str| events.iter().filter(|event| event["event"] == kind).collect::<Vec<_>>();
    let (shots, clips, genres) = (of("shot"), of("clip"), of("genres"));
    let result = events.last().unwrap();
    assert_eq!(result["event"], "result");
    assert_eq!(result["shots"], shots.len());
    assert_eq!(result["clips"], clips.len());
    assert_eq!(genres.len(), clips.len());
    assert_eq!(result["snippets"], clips.len().div_ceil(30));
    assert_eq!(result["trained"], true);
    assert_eq!(result["notice"], "trained on synthetic trailers: it knows nothing of films");
    // The result is the mean of the last provisional probabilities of each snippet.
    let ends: Vec<usize> = (0..clips.len()).filter(|at| at % 30 == 29 || *at == clips.len() - 1).collect();
    for (label, probability) in result["probabilities"].as_object().unwrap() {
        let of_snippet = |&at: &usize| genres[at]["probabilities"][label].as_f64().unwrap();
        let mean = ends.iter().map(of_snippet).sum::<f64>() / ends.len() as f64;
        assert!((mean - probability.as_f64().unwrap()).abs() < 1e-6, "{label}");
    }
    for clip in &clips {
        let shot = shots[clip["shot"].as_u64().unwrap() as usize];
        assert!(clip["start_s"].as_f64() >= shot["start_s"].as_f64());
        assert!(clip["keyframe_s"].as_f64() < shot["end_s"].as_f64());
    }
}

#[test]
fn the_same_bytes_come_out_on_one_thread_two_and_three_and_again() {
    let sample = sample();
    for (fps, input) in [("4", sample.to_str().unwrap()), ("12", PATTERN)] {
        let run = |threads: &str| classify(&["--fps", fps, "--threads", threads, input]);
        let one = run("1");
        assert!(one.lines().count() > 10);
        assert_eq!(one, run("2"));
        assert_eq!(one, run("3"));
        assert_eq!(one, run("2"));
    }
}

#[test]
fn every_working_rate_and_segmentation_runs() {
    for fps in ["4", "6", "8", "12", "24"] {
        for segmentation in ["shot", "seq"] {
            let text = classify(&["--fps", fps, "--segmentation", segmentation, "test://?seconds=2&size=64x48"]);
            let result = events(&text).pop().unwrap();
            assert_eq!(result["fps"].to_string(), fps);
            assert_eq!(result["segmentation"], segmentation);
            if segmentation == "seq" {
                assert_eq!((&result["shots"], &result["clips"]), (&1.into(), &2.into()));
            }
        }
    }
}

#[test]
fn a_failing_input_does_not_stop_the_others() {
    let output = divita(&["classify", "--format", "csv", "missing.mp4", "test://?seconds=2&size=64x48"]);
    assert_fails(&output, 1, &["missing.mp4"]);
    let csv = String::from_utf8(output.stdout).unwrap();
    let lines: Vec<&str> = csv.lines().collect();
    assert_eq!(lines.len(), 2, "{csv}");
    assert!(lines[0].starts_with("source,frames,") && lines[0].ends_with(",thriller"));
    assert_eq!(lines[0].split(',').count(), lines[1].split(',').count());
}

#[test]
fn a_folder_of_videos_stands_for_each_of_them() {
    let folder = tempfile::tempdir().unwrap();
    for name in ["b.mp4", "a.mp4"] {
        std::fs::copy(root().join("tests/media/b-frames.mp4"), folder.path().join(name)).unwrap();
    }
    std::fs::write(folder.path().join("notes.txt"), "not a video").unwrap();
    let results = classify(&[folder.path().to_str().unwrap()]);
    let sources: Vec<String> = events(&results)
        .iter()
        .filter(|event| event["event"] == "result")
        .map(|event| event["source"].as_str().unwrap().rsplit('/').next().unwrap().to_owned())
        .collect();
    assert_eq!(sources, ["a.mp4", "b.mp4"]);
}

#[test]
fn a_file_and_standard_input_give_the_same() {
    // 12 frames of 16x16: a dark and a light half.
    let mut y4m = b"YUV4MPEG2 W16 H16 F6:1 Ip A1:1 C420jpeg\n".to_vec();
    for frame in 0..12 {
        y4m.extend_from_slice(b"FRAME\n");
        y4m.extend_from_slice(&[if frame < 6 { 90 } else { 200 }; 256]);
        y4m.extend_from_slice(&[128; 128]);
    }
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("v.y4m");
    std::fs::write(&path, &y4m).unwrap();
    let from_file = classify(&[path.to_str().unwrap()]);
    let mut child = program("divita")
        .args(["classify", "--format", "jsonl", "-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(&y4m).unwrap();
    let from_pipe = stdout(&child.wait_with_output().unwrap());
    let without_source = |text: &str| {
        let strip = |mut event: Value| {
            event.as_object_mut().unwrap().remove("source");
            event
        };
        // A pipe does not tell how long it is.
        events(text).into_iter().map(strip).filter(|event| event["event"] != "opened").collect::<Vec<_>>()
    };
    assert_eq!(without_source(&from_file), without_source(&from_pipe));
    assert!(from_file.contains("\"event\":\"result\""));
}

#[test]
fn an_output_file_is_there_whole_or_not_at_all() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("result.jsonl");
    std::fs::write(&path, "before").unwrap();
    let output = path.to_str().unwrap();
    // An interrupted run keeps the old file.
    let mut child = program("divita")
        .args(["classify", "--format", "jsonl", "--output", output, "test://?seconds=3000&size=640x360"])
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    std::thread::sleep(std::time::Duration::from_millis(1500));
    assert!(child.try_wait().unwrap().is_none(), "it ended before it was killed");
    child.kill().unwrap();
    child.wait().unwrap();
    assert_eq!(std::fs::read_to_string(&path).unwrap(), "before");
    stdout(&divita(&["classify", "--format", "jsonl", "--output", output, "test://?seconds=2&size=64x48"]));
    assert_eq!(events(&std::fs::read_to_string(&path).unwrap()).last().unwrap()["event"], "result");
    // A link stays, and the file that it names is replaced.
    let link = folder.path().join("link");
    std::os::unix::fs::symlink(&path, &link).unwrap();
    stdout(&divita(&[
        "classify",
        "--format",
        "csv",
        "--output",
        link.to_str().unwrap(),
        "test://?seconds=2&size=64x48",
    ]));
    assert!(link.symlink_metadata().unwrap().is_symlink());
    assert!(std::fs::read_to_string(&path).unwrap().starts_with("source,"));
    // The output never overwrites an input, under any name.
    let video = folder.path().join("video.mp4");
    std::fs::copy(sample(), &video).unwrap();
    std::fs::remove_file(&link).unwrap();
    std::os::unix::fs::symlink(&video, &link).unwrap();
    let address = format!("file://{}", video.display());
    for (command, input, output) in [("classify", &*address, &link), ("shots", video.to_str().unwrap(), &video)] {
        let refused = divita(&[command, "--output", output.to_str().unwrap(), input]);
        assert_fails(&refused, 1, &["is an input", "name another file"]);
    }
    assert_eq!(std::fs::read(&video).unwrap(), std::fs::read(sample()).unwrap());
    let nowhere = divita(&["classify", "--output", "no/such/folder/x", "test://?seconds=1"]);
    assert_fails(&nowhere, 1, &["cannot write no/such/folder/x"]);
}

#[test]
fn a_full_disk_is_an_error() {
    use std::os::unix::fs::FileTypeExt;
    if !std::fs::metadata("/dev/full").is_ok_and(|there| there.file_type().is_char_device()) {
        eprintln!("SKIPPED: /dev/full is no device here");
        return;
    }
    let full = std::fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
    // The name is a device: it is written to, not replaced.
    let named = divita(&["shots", "test://?seconds=1", "--output", "/dev/full"]);
    assert_fails(&named, 1, &["cannot write the results"]);
    let output = program("divita").args(["shots", "test://?seconds=1"]).stdout(full).output().unwrap();
    assert_fails(&output, 1, &["cannot write the results"]);
}

#[test]
fn a_reader_that_leaves_is_no_error() {
    let mut child = program("divita")
        .args(["classify", "--format", "jsonl", "test://?seconds=86400&size=64x48"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    assert!(!stderr(&output).contains("error:"));
}

#[test]
fn a_reader_of_a_table_may_leave_too() {
    for (name, arguments) in [("divita-models", &["zoo"][..]), ("divita", &["inspect", "models/bundles/demo"])] {
        let mut child = program(name).args(arguments).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        drop(child.stdout.take());
        let output = child.wait_with_output().unwrap();
        assert_eq!((output.status.code(), stderr(&output).as_str()), (Some(0), ""), "{name}");
    }
}

#[test]
fn bench_inspect_verify_and_doctor_run() {
    let bench = stdout(&divita(&["bench", "--json", "test://?seconds=3&size=160x90"]));
    let figures: Value = serde_json::from_str(&bench).unwrap();
    assert!(figures["classify_over_decode"].as_f64().unwrap() > 0.0);
    assert_eq!(figures["stages"].as_array().unwrap().len(), 5);
    let inspect = stdout(&divita(&["inspect", "models/bundles/demo"]));
    assert!(inspect.contains("trained on synthetic trailers") && inspect.contains("sci-fi"), "{inspect}");
    assert!(stdout(&divita(&["verify", "models/bundles/demo"])).contains("\nverified\n"));
    assert!(stdout(&divita(&["doctor"])).contains("all is well"));
}
