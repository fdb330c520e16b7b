//! `divita-models shots`: scores of detectors on videos with known transitions.
#![allow(clippy::unwrap_used)]

use std::path::Path;
use std::process::Output;

use divita_tests::{assert_fails, demo_bundle, known_cuts, program, sample, shared_video, stdout};
use serde_json::{Value, json};

/// Returns a folder with a copy of `video` and its truth.
fn folder(video: &Path, truth: &Value) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let copy = folder.path().join(video.file_name().unwrap());
    std::fs::copy(video, &copy).unwrap();
    std::fs::write(copy.with_extension("json"), truth.to_string()).unwrap();
    folder
}

fn shots(folder: &Path, more: &[&str]) -> Output {
    program("divita-models").arg("shots").arg(folder).args(more).output().unwrap()
}

/// Returns the scores of each detector.
fn scored<const N: usize>(folder: &Path, more: &[&str]) -> [Value; N] {
    let values: Vec<Value> = serde_json::from_str(&stdout(&shots(folder, &[more, &["--json"]].concat()))).unwrap();
    values.try_into().unwrap()
}

fn cuts(firsts: &[u64]) -> Vec<Value> {
    firsts.iter().map(|first| json!({"last": first - 1, "first": first, "how": "cut"})).collect()
}

#[test]
fn the_detector_of_the_edge_is_scored_on_real_cuts() {
    let Some(video) = shared_video("bikes.mp4") else { return };
    let mut known = known_cuts(&video);
    // A transition that does not exist, to count a miss.
    known.insert(0, 10);
    let folder = folder(&video, &json!({"frames": 250, "transitions": cuts(&known)}));
    let sheet = folder.path().join("sheet");
    let [result] = scored(folder.path(), &["--tolerance", "0", "--report", sheet.to_str().unwrap()]);
    let score = &result["score"]["cuts"];
    assert_eq!((&score["true"], &score["found"], &score["false"]), (&json!(6), &json!(5), &json!(0)), "{result}");
    assert_eq!(result["found_by_kind"], json!({"cut": [5, 6]}));
    assert_eq!((&result["misses"][0]["first"], &result["misses"][0]["at_s"]), (&json!(10), &json!(0.4)));
    assert!(result["cpu_ms_per_1000_frames"].as_f64().unwrap() > 0.0);
    let page = std::fs::read_to_string(sheet.join("index.html")).unwrap();
    assert!(page.contains("Missed: 1") && page.contains("False alarms: 0"));
    assert!(page.contains("frame 10, 0.400 s, cut</p>"), "the transition is named: {page}");
    // Four frames on each side, all present.
    for frame in 6..14 {
        let picture = image::open(sheet.join(format!("0-{frame}.jpg"))).unwrap();
        assert_eq!((picture.width(), picture.height()), (128, 72));
    }
}

#[test]
fn thresholds_that_find_the_cuts_are_the_best() {
    let Some(video) = shared_video("bikes.mp4") else { return };
    let folder = folder(&video, &json!({"frames": 250, "transitions": cuts(&known_cuts(&video))}));
    let thresholds = |cut: &str| {
        let mut command = program("divita-models");
        command
            .arg("shot-thresholds")
            .arg(folder.path())
            .args(["--cut", cut, "--gradual", "0.98", "--json"])
            .output()
            .unwrap()
    };
    // No probability is above 1.
    let found: Value = serde_json::from_str(&stdout(&thresholds("1,0.5"))).unwrap();
    let f1: Vec<_> =
        found["tried"].as_array().unwrap().iter().map(|one| one["all"]["cuts_f1"].as_f64().unwrap()).collect();
    assert_eq!((f1, &found["best"]["cut"]), (vec![0.0, 1.0], &json!(0.5)), "{found}");
    let reference = found["best"]["reference"]["cuts_f1"].as_f64();
    assert!(reference.is_some_and(|f1| (0.0..=1.0).contains(&f1)), "also in the frames that others need: {found}");
    assert_fails(&thresholds("2"), 1, &["--cut must be in [0, 1]"]);
}

#[test]
fn what_another_program_found_is_scored_as_by_hand() {
    // 10 is off by one, 50 by three; 130 is inside the dissolve, and 200 is nothing.
    let truth = json!({
        "transitions": [{"last": 9, "first": 10}, {"last": 49, "first": 50}, {"last": 119, "first": 140, "how": "dissolve"}],
        "disturbances": [{"kind": "flash", "first": 198, "last": 201}], "disturbing": true,
    });
    let folder = folder(&sample(), &truth);
    let name = sample().file_name().unwrap().to_str().unwrap().to_owned();
    let found = json!({"detector": "another", "videos": {name: {"frames": 1253, "cpu_s": 2.506, "transitions": cuts(&[11, 53, 130, 200])}}});
    let path = folder.path().join("found.json");
    std::fs::write(&path, found.to_string()).unwrap();
    let path = path.to_str().unwrap();
    // Two detectors.
    let [result, again] = scored(folder.path(), &["--found", path, "--found", path]);
    assert_eq!(result, again);
    let counts = |kind: &str| ["true", "found", "false"].map(|count| result["score"][kind][count].as_u64().unwrap());
    assert_eq!((counts("cuts"), counts("gradual"), counts("all")), ([2, 1, 2], [1, 1, 0], [3, 2, 2]));
    assert_eq!(result["cpu_ms_per_1000_frames"], json!(2000.0));
    assert_eq!(result["false_alarms"][1]["what"], json!(["flash"]));
    let minutes = 1252.0 / 24.0 / 60.0;
    assert!((result["false_alarms_a_minute_where_disturbed"].as_f64().unwrap() - 2.0 / minutes).abs() < 1e-6);
}

#[test]
fn what_does_not_belong_together_is_refused() {
    let wrong = folder(&sample(), &json!({"frames": 7, "transitions": []}));
    assert_fails(&shots(wrong.path(), &[]), 1, &["7 frames", "1253"]);
    let reversed = folder(&sample(), &json!({"transitions": [{"last": 5, "first": 5}]}));
    assert_fails(&shots(reversed.path(), &[]), 1, &["not before its `first`"]);
    std::fs::remove_file(reversed.path().join("sintel-trailer.json")).unwrap();
    assert_fails(&shots(reversed.path(), &[]), 1, &["sintel-trailer.json", "ground truth"]);
    let weights = wrong.path().join("weights.bin");
    std::fs::write(&weights, [0; 100]).unwrap();
    let arguments = ["--detector", "evidence", "--detector-weights", weights.to_str().unwrap()];
    assert_fails(&shots(wrong.path(), &arguments), 1, &["no weights of the shot detector"]);
}

#[test]
fn a_detector_that_is_trained_learns_the_cuts_it_is_shown() {
    let Some(video) = shared_video("bikes.mp4") else { return };
    let folder = folder(&video, &json!({"frames": 250, "transitions": cuts(&known_cuts(&video))}));
    let weights = folder.path().join("weights.bin");
    let weights = weights.to_str().unwrap();
    let fit = |seed: &str| {
        let video = folder.path().join("bikes.mp4");
        let output = program("divita-models")
            .arg("fit-shots")
            .arg(video)
            .args(["--output", weights, "--epochs", "150", "--seed", seed])
            .output()
            .unwrap();
        stdout(&output);
        std::fs::read(weights).unwrap()
    };
    assert_eq!(fit("1"), fit("1"));
    let video = folder.path().join("bikes.mp4");
    let [result] = scored(&video, &["--detector", "evidence", "--detector-weights", weights, "--tolerance", "0"]);
    let score = &result["score"]["all"];
    assert_eq!((&score["true"], &score["found"], &score["false"]), (&json!(5), &json!(5), &json!(0)), "{result}");
}

#[test]
fn clips_by_true_shots_hold_one_shot_each_and_others_are_measured_by_them() {
    let Some(video) = shared_video("bikes.mp4") else { return };
    let known = known_cuts(&video);
    let folder = folder(&video, &json!({"frames": 250, "transitions": cuts(&known)}));
    // One cut is missed: its shot continues into the next.
    let (all, some) = (json!(cuts(&known)), json!(cuts(&known[1..])));
    let found = [("all", all), ("some", some)].map(|(name, transitions)| {
        let path = folder.path().join(format!("{name}.json"));
        let said = json!({"detector": name, "videos": {"bikes.mp4": {"frames": 250, "cpu_s": 1.0, "transitions": transitions}}});
        std::fs::write(&path, said.to_string()).unwrap();
        path
    });
    let output = program("divita-models")
        .args(["clips", "--json", "--bundle", demo_bundle().to_str().unwrap(), "--fps", "8"])
        .arg(folder.path().join("bikes.mp4"))
        .args(["--found", found[0].to_str().unwrap(), "--found", found[1].to_str().unwrap()])
        .output()
        .unwrap();
    let result: Value = serde_json::from_str(&stdout(&output)).unwrap();
    assert_eq!(result["trained"], json!(true));
    assert!(result["notice"].as_str().unwrap().contains("synthetic"));
    let rows = result["shots"].as_array().unwrap();
    let names: Vec<&str> = rows.iter().map(|row| row["detector"].as_str().unwrap()).collect();
    assert_eq!(names, ["truth", "no shots", "all", "some"]);
    let figure = |row: usize, name: &str| rows[row][name].as_f64().unwrap();
    for same in [0, 2] {
        for name in ["of_two_shots", "in_between", "image_distance", "video_distance"] {
            assert_eq!(figure(same, name), 0.0, "{name} of {result}");
        }
        assert_eq!(rows[same]["clips"], rows[0]["clips"]);
    }
    let clips = |row: usize| figure(row, "clips");
    // One clip contains the cut.
    assert!((figure(3, "of_two_shots") * clips(3) - 1.0).abs() < 1e-9, "{result}");
    assert!(figure(1, "of_two_shots") * clips(1) > 1.5 && figure(1, "video_distance") > figure(3, "video_distance"));
    assert!(figure(3, "video_distance") > 0.0 && figure(3, "image_distance") > 0.0, "{result}");
}
