//! `divita-models import-onnx`: feature extractors exported by torch, from the file to a bundle.
#![allow(clippy::unwrap_used)]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Output;

use divita_models::engines::{difference::Difference, onnx_backbone::OnnxBackbone};
use divita_runtime::{
    network::{Backbones, Executor},
    preprocess::Picture,
    sampler::WorkingRate,
};
use divita_tests::{assert_fails, program, root, sample, stderr, stdout};
use serde_json::Value;

fn exported(name: &str) -> PathBuf {
    root().join("models/tests/exported").join(name)
}

fn run(name: &str, folder: &Path, arguments: &[&str]) -> Output {
    program(name).current_dir(folder).args(arguments).output().unwrap()
}

fn import(folder: &Path, name: &str, output: &str, more: &[&str]) -> Output {
    let file = exported(name);
    let arguments = [&["import-onnx", file.to_str().unwrap(), "--output", output], more].concat();
    run("divita-models", folder, &arguments)
}

/// Returns frame `time` of the clip in `models/tests/make_exported.py`.
fn frame(size: usize, time: usize) -> Picture {
    let length = 3 * size * size;
    let code = |i: usize| (((time * length + i) as u32).wrapping_mul(2_654_435_761).wrapping_add(12_345) >> 24) as u8;
    Picture::from_planar(size, size, (0..length).map(code).collect()).unwrap()
}

#[test]
fn an_imported_network_makes_the_vectors_that_torch_makes() {
    let folder = tempfile::tempdir().unwrap();
    let vectors: Value = serde_json::from_slice(&fs::read(exported("vectors.json")).unwrap()).unwrap();
    for (name, features, size, frames) in [("picture", 40, 64, 1), ("clip", 24, 32, 8)] {
        let output = format!("{name}-backbone.onnx");
        let imported = import(folder.path(), &format!("{name}.onnx"), &output, &["--mean", "0.5", "--std", "0.25"]);
        assert!(imported.status.success(), "{}", stderr(&imported));
        assert!(stderr(&imported).contains(&format!("vectors of {features} numbers")), "{}", stderr(&imported));
        let (backbone, _) = OnnxBackbone::read(&folder.path().join(&output)).unwrap();
        let rate = WorkingRate::new(8).unwrap();
        let (stream, input) = (backbone.stream(), backbone.facts.input);
        let mut backbones =
            Backbones::alone(stream, &backbone.bytes, input, features, rate, Executor::default()).unwrap();
        let found = match frames {
            1 => backbones.image(&frame(size, 0)).unwrap(),
            _ => {
                let pictures: Vec<Picture> = (0..frames).map(|time| frame(size, time)).collect();
                backbones.video(pictures.iter(), frames).unwrap()
            }
        };
        let expected: Vec<f32> =
            vectors[name].as_array().unwrap().iter().map(|value| value.as_f64().unwrap() as f32).collect();
        let spread =
            expected.iter().copied().fold(f32::MIN, f32::max) - expected.iter().copied().fold(f32::MAX, f32::min);
        assert!(spread > 0.5, "vectors that are all alike test nothing: {expected:?}");
        let difference = Difference::between(&found, &expected);
        assert!(difference.is_small(), "{name}: {difference:?}");
    }
}

#[test]
fn imported_networks_are_extracted_with_trained_on_built_and_run() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let models = |arguments: &[&str]| {
        let output = run("divita-models", folder, arguments);
        assert!(output.status.success(), "{arguments:?}: {}", stderr(&output));
    };
    models(&["synth", "--count", "12", "--seconds", "5", "--output", "films"]);
    models(&["split", "films/labels.csv", "--splits", "1", "--ratios", "60,20,20", "--output", "splits.csv"]);
    for (name, stream, options) in [
        ("picture", "image", &["--mean", "0.5", "--std", "0.25"][..]),
        ("clip", "video", &["--mean", "110", "--stride", "2", "--resize", "40"]),
    ] {
        let weights = format!("{name}-backbone.onnx");
        assert!(import(folder, &format!("{name}.onnx"), &weights, options).status.success());
        models(&["extract", "films", "--weights", &weights, "--fps", "8", "--store", &format!("{stream}.zarr")]);
    }
    let attributes: Value = serde_json::from_slice(&fs::read(folder.join("video.zarr/.zattrs")).unwrap()).unwrap();
    assert_eq!((&attributes["network"], &attributes["stream"]), (&Value::from("clip"), &Value::from("video")));
    assert_eq!(attributes["input"]["stride"], 2);
    let swapped = ["train", "splits.csv", "--image", "video.zarr", "--output", "swapped"];
    assert_fails(&run("divita-models", folder, &swapped), 1, &["made by clip", "--video"]);
    let stores = ["--image", "image.zarr", "--video", "video.zarr"];
    models(&[&["train", "splits.csv", "--epochs", "2", "--output", "run"], &stores[..]].concat());

    let build = |image: &str, video: &str| {
        let files = ["--image-weights", image, "--video-weights", video];
        run(
            "divita-models",
            folder,
            &[&["build", "--run", "run", "--output", "bundle", "--force"], &files[..]].concat(),
        )
    };
    assert_fails(&build("clip-backbone.onnx", "clip-backbone.onnx"), 1, &["has SHA-256", "image stream"]);
    let built = build("picture-backbone.onnx", "clip-backbone.onnx");
    assert!(built.status.success(), "{}", stderr(&built));
    let manifest: Value = serde_json::from_slice(&fs::read(folder.join("bundle/manifest.json")).unwrap()).unwrap();
    assert_eq!((&manifest["schema"], &manifest["architecture"]), (&Value::from(2), &Value::from("picture+clip")));
    assert!(manifest["streams"]["video"]["macs_per_snippet"]["8"].as_u64().unwrap() > 1_000_000);
    let inspected = stdout(&run("divita", folder, &["inspect", "bundle"]));
    assert!(
        inspected.contains("middle 32x32 of frames scaled to 40, RGB, 0 to 255 minus 110, every 2 frames"),
        "{inspected}"
    );
    assert!(run("divita", folder, &["verify", "bundle"]).status.success());
    let video = sample();
    let classify = ["classify", "--bundle", "bundle", "--fps", "8", video.to_str().unwrap()];
    assert!(stdout(&run("divita", folder, &classify)).contains("1253 frames"));
}

#[test]
fn what_is_no_feature_extractor_is_refused_in_one_line() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let refused = |name: &str, more: &[&str], words: &[&str]| {
        assert_fails(&import(folder, name, "out.onnx", more), 1, words);
        assert!(!folder.join("out.onnx").exists());
    };
    refused("classes.onnx", &[], &["classes.onnx", "[1, 40, 8, 8]", "without a classifier"]);
    refused("two.onnx", &[], &["two.onnx", "2 outputs", "export the features alone"]);
    refused("picture.onnx", &["--size", "96"], &["not of --size 96"]);
    refused("picture.onnx", &["--stride", "2"], &["one picture per clip"]);
    refused("picture.onnx", &["--resize", "32"], &["--resize 32 cannot fill"]);
    refused("picture.onnx", &["--name", "shufflenet-2d"], &["choose another --name"]);
    refused("picture.onnx", &["--name", "a|b"], &["other characters than letters"]);
    refused("picture.onnx", &["--input", "auto"], &["--input auto"]);
    refused("vectors.json", &[], &["vectors.json", "not an ONNX file"]);
    refused("absent.onnx", &[], &["absent.onnx", "cannot read"]);
    // The first half of a file, and a file with only a header.
    let whole = fs::read(exported("picture.onnx")).unwrap();
    fs::write(folder.join("half.onnx"), &whole[..whole.len() / 2]).unwrap();
    let half = run("divita-models", folder, &["import-onnx", "half.onnx", "--output", "out.onnx"]);
    assert_fails(&half, 1, &["half.onnx", "not an ONNX file"]);
    // A file that was not imported has no preprocessing.
    let file = exported("picture.onnx");
    let extract = ["extract", "films", "--weights", file.to_str().unwrap(), "--store", "store"];
    fs::create_dir(folder.join("films")).unwrap();
    fs::copy(sample(), folder.join("films/a.mp4")).unwrap();
    assert_fails(&run("divita-models", folder, &extract), 1, &["picture.onnx", "import-onnx"]);
}
