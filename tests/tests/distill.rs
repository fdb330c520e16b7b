//! `divita-models distill`: heads that learn from better ones.
#![allow(clippy::unwrap_used)]

use std::fs;
use std::path::Path;
use std::process::Output;

use divita_tests::data_set::data_set;
use divita_tests::{assert_fails, program, stderr, stdout};
use serde_json::Value;

fn models(folder: &Path, arguments: &[&str]) -> Output {
    program("divita-models").current_dir(folder).args(arguments).output().unwrap()
}

/// Writes a data set, and trains heads of both streams on `table`.
fn teacher(folder: &Path, table: &str) {
    let how = ["--image", "image", "--video", "video", "--head", "mean", "--clips", "8", "--rate", "1e-2"];
    let trained = models(folder, &[&["train", table, "--output", "teacher", "--epochs", "40"], &how[..]].concat());
    assert!(trained.status.success(), "{}", stderr(&trained));
}

fn distill(folder: &Path, output: &str, more: &[&str]) -> Output {
    let teacher = ["--teacher", "teacher", "--teacher-image", "image", "--teacher-video", "video"];
    let how = ["--image", "image", "--head", "mean", "--clips", "6", "--rate", "1e-2", "--output", output, "--json"];
    models(folder, &[&["distill", "table.csv"], &teacher[..], &how, more].concat())
}

fn area(output: &Output, of: &str) -> f64 {
    let said: Value = serde_json::from_str(&stdout(output)).unwrap();
    said[of]["mu_ap"].as_f64().unwrap()
}

#[test]
fn without_its_share_the_teacher_changes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    data_set(folder);
    teacher(folder, "table.csv");
    let output = distill(folder, "student", &["--mix", "0", "--epochs", "3"]);
    assert_eq!(area(&output, "plain"), area(&output, "distilled"));
    let read = |run: &str, file: &str| fs::read(folder.join("student").join(run).join(file)).unwrap();
    for file in ["predictions.csv", "epochs.jsonl", "best.safetensors", "last.safetensors"] {
        assert!(read("plain", file) == read("distilled", file), "{file}");
    }
    // With it, it does, and a stopped run resumes with its options.
    let whole = distill(folder, "whole", &["--epochs", "6"]);
    assert!(whole.status.success(), "{}", stderr(&whole));
    for epochs in ["2", "6"] {
        let resume: &[&str] = if epochs == "2" { &[] } else { &["--resume"] };
        let part = distill(folder, "parts", &[&["--epochs", epochs], resume].concat());
        assert!(part.status.success(), "{}", stderr(&part));
    }
    let read = |run: &str| fs::read(folder.join(run).join("distilled/last.safetensors")).unwrap();
    assert!(read("whole") == read("parts"));
    assert!(read("whole") != fs::read(folder.join("whole/plain/last.safetensors")).unwrap());
    assert_fails(
        &distill(folder, "whole", &["--resume", "--temperature", "3"]),
        1,
        &["another teacher.distillation.temperature"],
    );
}

#[test]
fn what_the_teacher_says_is_what_is_learned() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    data_set(folder);
    // A teacher that inverts every label.
    let table = fs::read_to_string(folder.join("table.csv")).unwrap();
    let mut lines = table.lines();
    let mut contrary = format!("{}\n", lines.next().unwrap());
    for line in lines {
        let cells: Vec<&str> = line.split(',').collect();
        let turned = cells[1..5].iter().map(|cell| if *cell == "1" { "0" } else { "1" });
        let turned: Vec<&str> = [cells[0]].into_iter().chain(turned).chain([cells[5]]).collect();
        contrary.push_str(&format!("{}\n", turned.join(",")));
    }
    fs::write(folder.join("contrary.csv"), contrary).unwrap();
    teacher(folder, "contrary.csv");
    // Validation uses the labels and prefers the first epochs. Only the last epoch matters here.
    let how = ["--mix", "1", "--temperature", "1", "--epochs", "40", "--stop-after", "100"];
    let output = distill(folder, "student", &how);
    assert!(area(&output, "teacher") < 0.4 && area(&output, "plain") > 0.6, "{}", stdout(&output));
    let losses = |run: &str| -> Vec<f64> {
        let lines = fs::read_to_string(folder.join("student").join(run).join("epochs.jsonl")).unwrap();
        let loss = |line: &str| serde_json::from_str::<Value>(line).unwrap()["validation_loss"].as_f64().unwrap();
        lines.lines().map(loss).collect()
    };
    let (plain, distilled) = (losses("plain"), losses("distilled"));
    assert!(plain[39] < plain[0] && distilled[39] > distilled[0] + 0.05, "{plain:?} {distilled:?}");
}

#[test]
fn a_teacher_that_cannot_teach_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    data_set(folder);
    assert_fails(&distill(folder, "student", &[]), 1, &["teacher contains no run"]);
    teacher(folder, "table.csv");
    let table = fs::read_to_string(folder.join("table.csv")).unwrap();
    let student = |how: &[&str]| distill(folder, "student", &[&["--epochs", "1"], how].concat());
    assert_fails(&student(&["--mix", "2"]), 1, &["--mix 0 to 1"]);
    // The teacher has seen a test video: a training video moved to the test set.
    let trained_on = table.lines().find(|line| line.contains("/v4.mp4") && line.ends_with(",0")).unwrap();
    let judged = format!("{},2", trained_on.strip_suffix(",0").unwrap());
    fs::write(folder.join("table.csv"), table.replace(trained_on, &judged)).unwrap();
    assert_fails(
        &student(&[]),
        1,
        &["another split (split0) than split0 of table.csv", "may have been trained on the test videos"],
    );
    fs::write(folder.join("table.csv"), table.replace("fear", "joy")).unwrap();
    assert_fails(&student(&[]), 1, &["the teacher has other labels", "fear"]);
    fs::write(folder.join("table.csv"), &table).unwrap();
    let one = [
        "distill",
        "table.csv",
        "--teacher",
        "teacher",
        "--teacher-image",
        "image",
        "--image",
        "image",
        "--output",
        "student",
    ];
    assert_fails(&models(folder, &one), 1, &["the teacher reads image and video"]);
    assert!(!folder.join("student").exists());
}
