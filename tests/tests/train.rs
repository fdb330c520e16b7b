//! `divita-models train`: heads that learn, runs that resume, and refusals.
#![allow(clippy::unwrap_used)]

use std::fs;
use std::path::Path;
use std::process::Output;
use std::time::Duration;

use divita_models::{networks::SWIN_FEATURES, representations::Store};
use divita_tests::data_set::{FEATURES, VIDEOS, chance, data_set};
use divita_tests::{assert_fails, program, stderr, stdout};
use serde_json::{Value, json};

fn command(folder: &Path, output: &str, more: &[&str]) -> std::process::Command {
    let mut command = program("divita-models");
    command.current_dir(folder).args(["train", "table.csv", "--output", output, "--clips", "8", "--batch", "16"]);
    command.args(more);
    command
}

fn train(folder: &Path, output: &str, more: &[&str]) -> Output {
    command(folder, output, more).output().unwrap()
}

fn evaluated(folder: &Path, run: &str) -> Value {
    let predictions = format!("split0={run}/predictions.csv");
    let mut evaluate = program("divita-models");
    evaluate.current_dir(folder).args(["evaluate", "table.csv", "--predictions", &predictions, "--json"]);
    let values: Vec<Value> = serde_json::from_str(&stdout(&evaluate.output().unwrap())).unwrap();
    values[0].clone()
}

#[test]
fn heads_learn_what_each_stream_tells_and_fusion_all_of_it() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    data_set(folder);
    let quick = ["--epochs", "60", "--rate", "5e-3"];
    let areas = |run: &str| -> Vec<f64> {
        let labels = evaluated(folder, run)["labels"].clone();
        labels.as_array().unwrap().iter().map(|label| label["area"].as_f64().unwrap()).collect()
    };
    for (run, streams) in [
        ("i", &["--image", "image"][..]),
        ("v", &["--video", "video"]),
        ("f", &["--image", "image", "--video", "video"]),
    ] {
        let output = train(folder, run, &[streams, &quick, &["--head", "mean"]].concat());
        assert!(output.status.success(), "{}", stderr(&output));
    }
    let [image, video, fusion] = ["i", "v", "f"].map(areas);
    assert!(image[0] > 0.9 && image[1] > 0.9 && image[2] < 0.8 && image[3] < 0.8, "{image:?}");
    assert!(video[2] > 0.9 && video[3] > 0.9 && video[0] < 0.8 && video[1] < 0.8, "{video:?}");
    assert!(fusion.iter().all(|area| *area > 0.9), "{fusion:?}");
    // Every other head learns too.
    for head in ["cat", "gru", "conv"] {
        let output = train(folder, head, &["--image", "image", "--head", head, "--epochs", "25", "--rate", "2e-3"]);
        assert!(output.status.success(), "{}", stderr(&output));
        let areas = areas(head);
        assert!(areas[0] > 0.9 && areas[1] > 0.9, "{head}: {areas:?}");
    }
    // A line of figures per epoch, and their plot.
    let lines = fs::read_to_string(folder.join("f/epochs.jsonl")).unwrap();
    let lines: Vec<Value> = lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines[1]["epoch"], json!(2));
    assert!(lines.iter().all(|line| line["validation_loss"].is_f64() && line["mu_ap"].is_f64()));
    let best = lines.iter().rfind(|line| line["best"] == json!(true)).unwrap();
    let lowest = lines.iter().map(|line| line["validation_loss"].as_f64().unwrap()).fold(f64::INFINITY, f64::min);
    assert_eq!(best["validation_loss"].as_f64().unwrap(), lowest);
    assert!(fs::read_to_string(folder.join("f/curves.svg")).unwrap().contains("<polyline"));
}

#[test]
fn a_run_that_is_killed_ten_times_comes_to_the_same_weights() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    data_set(folder);
    let how = ["--image", "image", "--video", "video", "--epochs", "14", "--rate", "1e-3"];
    let unbroken = train(folder, "unbroken", &how);
    assert!(unbroken.status.success(), "{}", stderr(&unbroken));
    let (mut kills, mut tries) = (0, 0);
    loop {
        let more = [&how[..], &["--resume"][..if folder.join("killed/recipe.json").exists() { 1 } else { 0 }]].concat();
        let mut run = command(folder, "killed", &more).stderr(std::process::Stdio::null()).spawn().unwrap();
        tries += 1;
        if kills < 10 {
            // At some moment within a few epochs.
            std::thread::sleep(Duration::from_millis(40 + (chance(tries) * 400.0) as u64));
            run.kill().unwrap();
            let ended = run.wait().unwrap();
            if ended.success() {
                break;
            }
            assert_eq!(std::os::unix::process::ExitStatusExt::signal(&ended), Some(9), "it failed by itself");
            kills += 1;
        } else {
            assert!(run.wait().unwrap().success());
            break;
        }
    }
    assert!(kills >= 3, "it was killed {kills} times only");
    for file in ["last.safetensors", "best.safetensors", "predictions.csv", "epochs.jsonl", "curves.svg", "recipe.json"]
    {
        let read = |run: &str| fs::read(folder.join(run).join(file)).unwrap();
        assert!(read("unbroken") == read("killed"), "{file} differs after {kills} kills");
    }
    // Another seed is another run.
    let other = train(folder, "other", &[&how[..], &["--seed", "2"]].concat());
    assert!(other.status.success(), "{}", stderr(&other));
    let read = |run: &str| fs::read(folder.join(run).join("last.safetensors")).unwrap();
    assert!(read("other") != read("unbroken"));
}

#[test]
fn a_loss_that_is_no_number_stops_and_what_was_good_is_kept() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    data_set(folder);
    let how = ["--image", "image", "--head", "mean"];
    let good = train(folder, "run", &[&how[..], &["--epochs", "2"]].concat());
    assert!(good.status.success(), "{}", stderr(&good));
    let last = fs::read(folder.join("run/last.safetensors")).unwrap();
    fs::remove_dir_all(folder.join("image/v5")).unwrap();
    Store::open(&folder.join("image")).unwrap().write("v5", 3, &[f32::NAN; 3 * FEATURES]).unwrap();
    let bad = train(folder, "run", &[&how[..], &["--epochs", "4", "--resume"]].concat());
    assert_fails(&bad, 1, &["the loss of step", "of epoch 3 is NaN", "is kept"]);
    assert_eq!(fs::read(folder.join("run/last.safetensors")).unwrap(), last);
    // The same for a video outside the training set.
    fs::remove_dir_all(folder.join("image/v2")).unwrap();
    fs::remove_dir_all(folder.join("image/v5")).unwrap();
    Store::open(&folder.join("image")).unwrap().write("v5", 3, &[0.5; 3 * FEATURES]).unwrap();
    Store::open(&folder.join("image")).unwrap().write("v2", 3, &[f32::NAN; 3 * FEATURES]).unwrap();
    let bad = train(folder, "run", &[&how[..], &["--epochs", "4", "--resume"]].concat());
    assert_fails(&bad, 1, &["the video in row 3 of the table are not finite", "is kept"]);
    assert_eq!(fs::read(folder.join("run/last.safetensors")).unwrap(), last);
}

#[test]
fn what_cannot_be_trained_is_said() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    data_set(folder);
    let how = ["--image", "image", "--head", "mean", "--epochs", "1"];
    let with = |more: &[&'static str]| [&how[..], more].concat();
    assert!(train(folder, "run", &how).status.success());
    assert_fails(&train(folder, "run", &how), 1, &["run already contains a run", "--resume"]);
    assert_fails(&train(folder, "none", &with(&["--resume"])), 1, &["none contains no run"]);
    assert_fails(
        &train(folder, "run", &with(&["--resume", "--rate", "0.5"])),
        1,
        &["another recipe.rate", "0.0001 instead of 0.5"],
    );
    assert_fails(&train(folder, "new", &with(&["--split", "split9"])), 1, &["no split split9", "its splits: split0"]);
    assert_fails(&train(folder, "new", &with(&["--rate", "0"])), 1, &["--rate must be above 0"]);
    assert_fails(
        &train(folder, "new", &with(&["--device", "cuda"])),
        1,
        &["burn", "built without CUDA", "cuda-training"],
    );
    assert_fails(&train(folder, "new", &["--video", "nowhere"]), 1, &["nowhere"]);
    fs::remove_dir_all(folder.join("image/v7")).unwrap();
    assert_fails(&train(folder, "new", &how), 1, &["1 of 150 videos have no vectors", "for example v7", "extract"]);
    assert!(!folder.join("new").exists(), "a run that cannot be is begun");
    // A truncated file must not restart the run silently.
    let last = folder.join("run/last.safetensors");
    let bytes = fs::read(&last).unwrap();
    fs::write(&last, &bytes[..bytes.len() / 2]).unwrap();
    assert_fails(&train(folder, "run", &["--video", "video", "--head", "mean", "--resume"]), 1, &["another streams"]);
    Store::open(&folder.join("image")).unwrap().write("v7", 3, &[0.5; 3 * FEATURES]).unwrap();
    assert_fails(&train(folder, "run", &with(&["--resume"])), 1, &["cannot read", "last.safetensors"]);
}

/// Copies a folder.
fn copy(from: &Path, to: &Path) {
    fs::create_dir(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        fs::copy(entry.path(), to.join(entry.file_name())).unwrap();
    }
}

#[test]
fn a_bundle_of_a_run_gives_what_the_run_predicted() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let sample = divita_tests::sample();
    let models = |arguments: &[&str]| program("divita-models").current_dir(folder).args(arguments).output().unwrap();
    for (stream, network, seed) in [("image", "shufflenet-2d", "5"), ("video", "shufflenet-3d", "6")] {
        let path = sample.to_str().unwrap();
        let made = models(&["extract", path, "--network", network, "--seed", seed, "--fps", "4", "--store", stream]);
        assert!(made.status.success(), "{}", stderr(&made));
        (1..6).for_each(|n| copy(&folder.join(stream).join("sintel-trailer"), &folder.join(format!("{stream}/v{n}"))));
    }
    fs::write(
        folder.join("table.csv"),
        "video,happy,sad,split0\nsintel-trailer.mp4,1,0,2\nv1,1,0,0\nv2,0,1,0\nv3,1,0,0\nv4,1,0,1\nv5,0,1,1\n",
    )
    .unwrap();
    let how = ["--image", "image", "--video", "video", "--epochs", "3", "--rate", "1e-3"];
    let trained = train(folder, "run", &how);
    assert!(trained.status.success(), "{}", stderr(&trained));
    let build =
        ["build", "--run", "run", "--name", "moods", "--output", "bundle", "--precision", "f32", "--also-at", "12,4"];
    let built = models(&[&build[..], &["--notice", "made of three videos"]].concat());
    assert!(built.status.success(), "{}", stderr(&built));

    let manifest: Value = serde_json::from_slice(&fs::read(folder.join("bundle/manifest.json")).unwrap()).unwrap();
    assert_eq!(manifest["labels"], json!(["happy", "sad"]));
    assert_eq!((&manifest["snippet_clips"], &manifest["working_rates"]), (&json!(8), &json!([4, 12])));
    assert_eq!(manifest["trained_rates"], json!([4]));
    let said = stderr(&built);
    assert!(said.contains("the cost of 12 frames a second is not measured for heads trained at 4"), "{said}");
    assert!(stderr(&trained).contains("working rate: 4 fps, from the representations"));
    // Random backbones are not trained.
    assert_eq!(manifest["trained"], json!(false));
    let card = fs::read_to_string(folder.join("bundle/README.md")).unwrap();
    for words in [
        "not trained",
        "table.csv, split0: 3 videos, 2 for validation, 1 for the test",
        "seeded, untrained: 5",
        "shufflenet-fusion",
        "4, 12 frames a second; trained at 4, the others are untried",
        "test at 4 muAP",
        "Shown with every result: **made of three videos**",
    ] {
        assert!(card.contains(words), "{words:?} is not in {card}");
    }
    let verified = program("divita").args(["verify"]).arg(folder.join("bundle")).output().unwrap();
    assert!(verified.status.success(), "{}", stderr(&verified));

    // `divita` and training give the same probabilities for a video.
    let classify = program("divita")
        .arg("classify")
        .arg(&sample)
        .arg("--bundle")
        .arg(folder.join("bundle"))
        .args(["--fps", "4", "--format", "jsonl"])
        .output();
    let result: Value = stdout(&classify.unwrap())
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .find(|line: &Value| line["event"] == "result")
        .unwrap();
    assert_eq!(result["notice"], "made of three videos");
    let predictions = fs::read_to_string(folder.join("run/predictions.csv")).unwrap();
    let predicted = predictions.lines().find(|line| line.starts_with("sintel-trailer")).unwrap();
    for (label, predicted) in ["happy", "sad"].into_iter().zip(predicted.split(',').skip(1)) {
        let (said, predicted) = (result["probabilities"][label].as_f64().unwrap(), predicted.parse::<f64>().unwrap());
        assert!((said - predicted).abs() < 1e-3, "{label}: {said} {predicted}");
    }

    // Other weights, streams of unknown origin, and an unfinished run.
    let imported = divita_models::weights::seed::seeded(&divita_models::networks::shufflenet_2d(), 9, "image");
    divita_models::weights::write_safetensors(&[("", &imported)], &[], &folder.join("other.safetensors")).unwrap();
    let build = |more: &[&str]| models(&[&["build", "--output", "new"], more].concat());
    assert_fails(
        &build(&["--run", "run", "--image-weights", "other.safetensors"]),
        1,
        &["other.safetensors: has SHA-256", "image stream's vectors were made with seeded, untrained: 5"],
    );
    assert_fails(&build(&["--run", "run", "--notice", "two\nlines"]), 1, &["notice: it must be one line"]);
    fs::remove_file(folder.join("run/results.json")).unwrap();
    assert_fails(&build(&["--run", "run"]), 1, &["is not finished", "--resume"]);
    assert_fails(&build(&["--run", "nowhere"]), 1, &["nowhere contains no run"]);
    assert!(!folder.join("new").exists());
}

/// Copies the store `from` to `to`, with numbers changed by `change` and other attributes.
fn copy_store(folder: &Path, [from, to]: [&str; 2], change: impl Fn(f32) -> f32, said: Value) {
    let from = Store::open(&folder.join(from)).unwrap();
    let to = Store::create_or_open(&folder.join(to), from.num_features(), said.as_object().unwrap()).unwrap();
    for video in 0..divita_tests::data_set::VIDEOS {
        let (clips, data) = from.read(&format!("v{video}")).unwrap();
        let data: Vec<f32> = data.into_iter().map(&change).collect();
        to.write(&format!("v{video}"), clips, &data).unwrap();
    }
}

#[test]
fn heads_for_two_rates_learn_from_both() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    data_set(folder);
    let said = |fps: u32| json!({"fps": fps, "network": "swin-2d", "weights": "SHA-256 1"});
    copy_store(folder, ["image", "image-4"], |value| value, said(4));
    // Heads trained only on the other store would invert all of these.
    copy_store(folder, ["image", "image-8"], |value| 1.0 - value, said(8));
    let quick = ["--head", "conv", "--epochs", "40", "--rate", "5e-3"];
    let learned = |run: &str, stores: &[&str]| {
        let output = train(folder, run, &[stores, &quick].concat());
        assert!(output.status.success(), "{}", stderr(&output));
        let results: Value = serde_json::from_slice(&fs::read(folder.join(run).join("results.json")).unwrap()).unwrap();
        results["test"].as_array().unwrap().iter().map(|at| at["mu_ap"].as_f64().unwrap()).collect::<Vec<f64>>()
    };
    let both = learned("both", &["--image", "image-8", "--image", "image-4"]);
    assert_eq!(both.len(), 2);
    assert!(both.iter().all(|area| *area > 0.6), "{both:?}");
    // Predictions of the lowest rate, and of each other rate in its own file.
    let area = |file: &str| -> f64 {
        let mut evaluate = program("divita-models");
        evaluate.current_dir(folder).args([
            "evaluate",
            "table.csv",
            "--predictions",
            &format!("split0={file}"),
            "--json",
        ]);
        let values: Vec<Value> = serde_json::from_str(&stdout(&evaluate.output().unwrap())).unwrap();
        values[0]["mu_ap"].as_f64().unwrap()
    };
    assert!((area("both/predictions.csv") - both[0]).abs() < 1e-12);
    assert!((area("both/predictions-8.csv") - both[1]).abs() < 1e-12);
    let recipe: Value = serde_json::from_slice(&fs::read(folder.join("both/recipe.json")).unwrap()).unwrap();
    assert_eq!(recipe["streams"]["image"]["attributes"]["fps"], json!([4, 8]));

    // Stores that do not match.
    copy_store(folder, ["video", "video-4"], |value| value, json!({"fps": 4}));
    copy_store(folder, ["video", "video-8"], |value| value, json!({"fps": 8}));
    copy_store(
        folder,
        ["image", "other"],
        |value| value,
        json!({"fps": 12, "network": "swin-2d", "weights": "SHA-256 2"}),
    );
    let refused = |stores: &[&str], said: &[&str]| assert_fails(&train(folder, "new", stores), 1, said);
    refused(&["--image", "image-4", "--image", "image-4"], &["the image stream has two stores at 4 fps"]);
    refused(&["--image", "image-4", "--image", "image"], &["image does not state its working rate"]);
    refused(&["--image", "image-4", "--image", "other"], &["other: its network, weights or preprocessing differ"]);
    refused(
        &["--image", "image-4", "--image", "image-8", "--video", "video-8"],
        &["the image stream has stores at [4, 8] fps, the video stream at [8] fps"],
    );
    refused(&["--image", "image-4", "--video", "video-4", "--video", "video-8"], &["at [4] fps", "at [4, 8]"]);
    refused(&["--image", "image-4", "--video", "video-8"], &["fps is 4 in one and 8 in another"]);
}

#[test]
fn vectors_that_do_not_say_what_made_them_give_no_bundle() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    data_set(folder);
    assert!(train(folder, "run", &["--image", "image", "--head", "mean", "--epochs", "1"]).status.success());
    let mut build = program("divita-models");
    build.current_dir(folder).args(["build", "--run", "run", "--output", "new"]);
    assert_fails(
        &build.output().unwrap(),
        1,
        &["image stream (12 features) do not state the network that made them", "extract"],
    );
    // Different networks at each rate cannot serve all rates.
    let swin = json!({"network": "swin-3d", "weights": "seeded, untrained: 1", "fps": 8, "segmentation": "shot"});
    let store = Store::create_or_open(&folder.join("swin"), SWIN_FEATURES, swin.as_object().unwrap()).unwrap();
    for video in 0..VIDEOS {
        let vectors: Vec<f32> = (0..3 * SWIN_FEATURES).map(|at| chance((video * at) as u64)).collect();
        store.write(&format!("v{video}"), 3, &vectors).unwrap();
    }
    assert!(train(folder, "teacher", &["--video", "swin", "--head", "mean", "--epochs", "1"]).status.success());
    let mut build = program("divita-models");
    build.current_dir(folder).args(["build", "--run", "teacher", "--output", "new"]);
    assert_fails(
        &build.output().unwrap(),
        1,
        &["swin-3d needs another ONNX file for each clip length", "divita-models distill"],
    );
    assert!(!folder.join("new").exists());
}
