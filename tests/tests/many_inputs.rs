//! Several inputs at once: the same results as one after the other, shares of several machines,
//! runs that are killed and resumed, and live inputs beside each other.
#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Output, Stdio};
use std::thread::sleep;
use std::time::Duration;

use divita_tests::films::write_textured_film;
use divita_tests::{assert_fails, demo_bundle, divita, event_schema, program, stderr, stdout};
use serde_json::Value;

/// A folder with `count` films of two to six seconds, and their paths.
fn films(count: usize) -> (tempfile::TempDir, Vec<PathBuf>) {
    let folder = tempfile::tempdir().unwrap();
    let film = |number: usize| {
        let path = folder.path().join(format!("film{number:02}.y4m"));
        // The longest first, so that the others wait for it.
        write_textured_film(&path, number, 2 + (count - number) % 5, 12);
        path
    };
    let paths = (0..count).map(film).collect();
    (folder, paths)
}

/// Runs a command on inputs.
fn run(arguments: &[&str], inputs: &[PathBuf]) -> Output {
    program("divita").args(arguments).args(inputs).output().unwrap()
}

fn events(text: &str) -> Vec<Value> {
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn results_do_not_depend_on_the_number_of_files_at_once() {
    let (folder, mut inputs) = films(7);
    inputs.insert(2, folder.path().join("missing.mp4"));
    fs::write(folder.path().join("damaged.mp4"), [0; 100]).unwrap();
    inputs.insert(5, folder.path().join("damaged.mp4"));
    for command in ["classify", "shots"] {
        for format in ["table", "jsonl", "csv"] {
            let with = |jobs: &str| run(&[command, "--format", format, "--jobs", jobs], &inputs);
            let expected = with("1");
            assert_eq!(expected.status.code(), Some(1));
            for jobs in ["2", "5", "20"] {
                let found = with(jobs);
                assert!(
                    found.stdout == expected.stdout,
                    "{command} --format {format} --jobs {jobs}: {}",
                    String::from_utf8_lossy(&found.stdout)
                );
                assert_eq!(found.status, expected.status);
                assert!(stderr(&found).contains("missing.mp4: ") && stderr(&found).contains("damaged.mp4: "));
            }
            assert!(!expected.stdout.is_empty());
        }
    }
}

#[test]
fn the_shares_of_several_machines_make_the_whole() {
    let (folder, _) = films(5);
    let folder = folder.path().to_str().unwrap();
    let lines = |arguments: &[&str]| -> Vec<String> {
        let all = [&["shots", "--format", "csv", folder], arguments].concat();
        let mut lines: Vec<String> = stdout(&divita(&all)).lines().skip(1).map(str::to_owned).collect();
        lines.sort();
        lines
    };
    let whole = lines(&[]);
    let mut shares: Vec<String> = ["1/2", "2/2"].iter().flat_map(|share| lines(&["--shard", share])).collect();
    shares.sort();
    assert_eq!(shares, whole);
    assert!(lines(&["--shard", "1/2"]).len() < whole.len() && !whole.is_empty());
    assert!(lines(&["--shard", "7/9"]).is_empty(), "a share may be empty");
    assert_fails(&divita(&["shots", "--shard", "3/2", folder]), 2, &["3/8"]);
}

#[test]
fn a_run_that_was_killed_again_and_again_ends_as_an_undisturbed_one() {
    let (folder, inputs) = films(40);
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let arguments = ["classify", "--fps", "24", "--format", "jsonl", "--jobs", "2", "--resume", "--output"];
    let undisturbed = run(&[&arguments[..], &[&path("undisturbed.jsonl")]].concat(), &inputs);
    assert!(undisturbed.status.success(), "{}", stderr(&undisturbed));
    let (output, resumption) = (path("results.jsonl"), path("results.jsonl.resume"));
    let read = |path: &str| fs::read_to_string(path).unwrap();
    let expected = read(&path("undisturbed.jsonl"));
    let (mut killed, mut midway) = (0, 0);
    for round in 0..100_u64 {
        let mut command = program("divita");
        command.args(arguments).arg(&output).args(&inputs).stderr(Stdio::null());
        let mut child = command.spawn().unwrap();
        // Another moment each time, at first too early for any film.
        sleep(Duration::from_millis(20 + 19 * (round * 7 % 13)));
        killed += u32::from(child.try_wait().unwrap().is_none());
        child.kill().unwrap();
        child.wait().unwrap();
        let finished = fs::read_to_string(&resumption).unwrap_or_default().lines().count().saturating_sub(1);
        midway += u32::from((1..inputs.len()).contains(&finished));
        if Path::new(&output).exists() {
            assert!(read(&output) == expected, "a part of the results was left");
            fs::remove_file(&output).unwrap();
            fs::remove_file(&resumption).unwrap();
        }
        if killed >= 20 && midway >= 5 && finished > 0 {
            break;
        }
    }
    assert!(killed >= 20 && midway >= 5, "{killed} runs were killed, {midway} when a part of the films was done");
    let resumed = run(&[&arguments[..], &[&output]].concat(), &inputs);
    assert!(resumed.status.success() && stderr(&resumed).contains("of 40 inputs are finished"), "{}", stderr(&resumed));
    assert!(read(&output) == expected, "the results differ");
}

#[test]
fn a_resumed_run_reads_what_is_new_or_changed_and_refuses_other_results() {
    let (folder, mut inputs) = films(4);
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let output = path("shots.csv");
    let resume = |arguments: &[&str], inputs: &[PathBuf]| {
        run(&[&["shots", "--resume", "--output", &output, "--format"], arguments].concat(), inputs)
    };
    assert!(resume(&["csv"], &inputs[1..]).status.success());
    let again = resume(&["csv"], &inputs[1..]);
    assert!(stderr(&again).contains("3 of 3 inputs are finished"), "{}", stderr(&again));
    // One is longer, one is new and the first, one is gone.
    write_textured_film(&inputs[1], 9, 12, 12);
    inputs.pop();
    let changed = resume(&["csv"], &inputs);
    assert!(stderr(&changed).contains("1 of 3 inputs are finished"), "{}", stderr(&changed));
    let expected = run(&["shots", "--format", "csv"], &inputs);
    assert_eq!(fs::read_to_string(&output).unwrap(), stdout(&expected));
    let before = fs::read(&output).unwrap();
    let bundle = demo_bundle();
    for other in [&["jsonl"][..], &["csv", "--bundle", bundle.to_str().unwrap()], &["csv", "--duration", "3"]] {
        assert_fails(&resume(other, &inputs), 1, &["shots.csv.resume", "of a run with another", "to start anew"]);
    }
    assert_eq!(fs::read(&output).unwrap(), before);
    // A failed input is read again by the next run.
    inputs.push(folder.path().join("later.y4m"));
    assert_eq!(resume(&["csv"], &inputs).status.code(), Some(1));
    write_textured_film(&inputs[3], 3, 4, 12);
    let later = resume(&["csv"], &inputs);
    assert!(later.status.success() && stderr(&later).contains("3 of 4 inputs are finished"), "{}", stderr(&later));
    assert_eq!(run(&["shots", "--resume"], &inputs).status.code(), Some(2), "where would the state be?");
    assert_fails(&run(&["shots", "--resume", "--output", "/dev/null"], &inputs), 1, &["ordinary file"]);
}

#[test]
fn live_inputs_run_beside_each_other_and_beside_files() {
    let (_folder, inputs) = films(3);
    let live = ["test://?live=1&seconds=600&size=64x36", "test://?live=1&seconds=2&size=80x48"];
    let mut arguments = vec!["classify", "--format", "jsonl", "--jobs", "1", "--duration", "6"];
    arguments.extend(live);
    let output = run(&arguments, &inputs);
    let events = events(&stdout(&output));
    let schema = event_schema();
    events.iter().for_each(|event| assert!(schema.is_valid(event), "{event}"));
    let mut results: BTreeMap<&str, &Value> = BTreeMap::new();
    for event in events.iter().filter(|event| event["event"] == "result") {
        results.insert(event["source"].as_str().unwrap(), event);
    }
    for input in live {
        let frames = results[input]["frames"].as_u64().unwrap();
        assert!(frames > 60, "{input}: {frames} frames of about 140");
        assert_eq!(results[input]["complete"], true);
    }
    // The files are read while the live inputs go on: their results come first.
    let order: Vec<&str> = events
        .iter()
        .filter(|event| event["event"] == "result")
        .map(|event| event["source"].as_str().unwrap())
        .collect();
    let files: Vec<&str> = inputs.iter().map(|input| input.to_str().unwrap()).collect();
    assert_eq!(order[..3], files, "{order:?}");
}

#[test]
fn the_table_of_several_live_inputs_names_the_one_of_each_shot() {
    let inputs = ["test://?live=1&seconds=600&size=64x36", "test://?live=1&seconds=600&size=80x48"];
    let output = divita(&[&["shots", "--duration", "7"][..], &inputs].concat());
    let text = stdout(&output);
    let mut shots: BTreeMap<&str, usize> = BTreeMap::new();
    let mut heading = "";
    for line in text.lines() {
        match line.trim_start().split(' ').next() {
            Some(word) if word.starts_with("test://") => heading = line,
            Some(word) if word.parse::<usize>().is_ok() => *shots.entry(heading).or_default() += 1,
            _ => {}
        }
    }
    assert!(inputs.iter().all(|input| shots.get(input).is_some_and(|count| *count >= 2)), "{text}");
    assert!(text.matches("test://").count() > 2, "a heading stands above each change: {text}");
}
