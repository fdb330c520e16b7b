//! `divita-models synth`: a data set of synthetic trailers.
#![allow(clippy::unwrap_used)]

use std::fs;
use std::path::Path;
use std::process::Output;

use divita_models::{dataset::label_table::LabelTable, synth::LabelStatistics};
use divita_tests::{assert_fails, program, shared_data, stderr, stdout};
use serde_json::Value;

fn synth(folder: &Path, output: &str, more: &[&str]) -> Output {
    let mut command = program("divita-models");
    command.current_dir(folder).args(["synth", "--output", output, "--size", "160x90", "--seconds", "8"]);
    command.args(more).output().unwrap()
}

#[test]
fn trailers_are_those_of_their_seed_and_their_truth_is_true() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let made = synth(folder, "one", &["--count", "10", "--seed", "7"]);
    assert!(made.status.success(), "{}", stderr(&made));
    let table = LabelTable::read(&folder.join("one/labels.csv")).unwrap();
    assert_eq!((table.rows.len(), table.labels.len()), (10, 10));
    for (video, row) in table.videos.iter().zip(&table.rows) {
        let truth = fs::read(folder.join("one").join(video).with_extension("json")).unwrap();
        let truth: Value = serde_json::from_slice(&truth).unwrap();
        let genres: Vec<&str> = truth["genres"].as_array().unwrap().iter().map(|name| name.as_str().unwrap()).collect();
        let labels: Vec<&str> =
            table.labels.iter().zip(row).filter(|(_, there)| **there).map(|(name, _)| name.as_str()).collect();
        assert_eq!(genres, labels);
        assert_eq!(truth["synthetic"], Value::Bool(true));
    }
    // The shot detector, not trained on such videos, finds the true cuts.
    let mut shots = program("divita-models");
    let scored = shots.current_dir(folder).args(["shots", "one", "--json"]).output().unwrap();
    let scored: Vec<Value> = serde_json::from_str(&stdout(&scored)).unwrap();
    let cuts = &scored[0]["score"]["cuts"];
    assert!(cuts["true"].as_u64().unwrap() > 20 && cuts["f1"].as_f64().unwrap() > 0.85, "{cuts}");

    // Existing files stay, and missing files are made again with the same bytes.
    let video = folder.join("one/synthetic-00003.mp4");
    let bytes = fs::read(&video).unwrap();
    let other = folder.join("one/synthetic-00004.mp4");
    let time = fs::metadata(&other).unwrap().modified().unwrap();
    fs::remove_file(&video).unwrap();
    fs::remove_file(video.with_extension("json")).unwrap();
    assert!(synth(folder, "one", &["--count", "10", "--seed", "7"]).status.success());
    assert!(fs::read(&video).unwrap() == bytes);
    assert_eq!(fs::metadata(&other).unwrap().modified().unwrap(), time);
    // A larger set of the same seed begins with these. Another seed gives another data set.
    assert!(synth(folder, "two", &["--count", "4", "--seed", "7"]).status.success());
    assert!(fs::read(folder.join("two/synthetic-00003.mp4")).unwrap() == bytes);
    assert_fails(&synth(folder, "one", &["--count", "10", "--seed", "8"]), 1, &["has another seed, size or length"]);
    let mut odd = program("divita-models");
    let odd = odd.args(["synth", "--output", "new", "--size", "31x90"]).output().unwrap();
    assert_fails(&odd, 2, &["WIDTHxHEIGHT, both even"]);
}

#[test]
fn genres_are_together_as_in_trailers12k() {
    let Some(path) = shared_data("trailers12k/mtgc.csv") else { return };
    let table = LabelTable::read(&path).unwrap();
    let statistics = LabelStatistics::default();
    for one in 0..table.labels.len() {
        for other in 0..=one {
            let both = table.rows.iter().filter(|row| row[one] && row[other]).count() as f64 / table.rows.len() as f64;
            assert!(
                (statistics.pair(one, other) - both).abs() < 1e-4,
                "{} and {}",
                table.labels[one],
                table.labels[other]
            );
        }
    }
}
