//! Backbones in eight bits as a user makes and runs them: built with clips of a video, replayed,
//! and compared with those in floats on the sample.

use divita_tests::{assert_fails, change_manifest, program, sample, stdout};
use serde_json::Value;
use std::path::Path;

/// Runs `divita-models build` with `arguments`.
fn build(arguments: &[&str], output: &Path) -> std::process::Output {
    program("divita-models")
        .arg("build")
        .args(arguments)
        .arg("--output")
        .arg(output)
        .output()
        .expect("the program starts")
}

/// Returns the genres of the sample and their probabilities.
fn genres(bundle: &Path, executor: &str) -> Vec<(String, f64)> {
    let mut command = program("divita");
    command.arg("classify").arg(sample()).arg("--bundle").arg(bundle);
    let output = command.args(["--executor", executor, "--format", "jsonl"]).output().expect("the program starts");
    let lines = stdout(&output);
    let events = lines.lines().map(|line| serde_json::from_str::<Value>(line).expect("an event"));
    let result = events.into_iter().find(|event| event["event"] == "result").expect("a result");
    let genres = result["probabilities"].as_object().expect("genres").iter();
    genres.map(|(name, probability)| (name.clone(), probability.as_f64().expect("a number"))).collect()
}

#[test]
fn a_bundle_in_eight_bits_is_built_replayed_and_run() {
    let folder = tempfile::tempdir().unwrap();
    let (seeded, eight) = (folder.path().join("seeded"), folder.path().join("eight"));
    stdout(&build(&["--seed", "12"], &seeded));
    let video = sample();
    let from = ["--from", seeded.to_str().unwrap(), "--int8", video.to_str().unwrap()];
    stdout(&build(&from, &eight));

    // The copy is the bundle and two files more, a quarter of the size in single precision.
    let manifest: Value = serde_json::from_slice(&std::fs::read(eight.join("manifest.json")).unwrap()).unwrap();
    for stream in ["image", "video"] {
        let name = format!("{stream}.onnx");
        assert_eq!(std::fs::read(seeded.join(&name)).unwrap(), std::fs::read(eight.join(&name)).unwrap());
        let int8 = manifest["streams"][stream]["int8"].as_str().unwrap();
        let size = |name: &str| std::fs::metadata(eight.join(name)).unwrap().len() as f64;
        assert!((0.5..0.6).contains(&(size(int8) / size(&name))), "half of half precision: {int8}");
    }

    let verify = |bundle: &Path, executor: &str| {
        program("divita").args(["verify", "--executor", executor]).arg(bundle).output().unwrap()
    };
    assert!(stdout(&verify(&eight, "fused")).contains("verified"));
    assert_fails(&verify(&seeded, "int8"), 1, &["no backbones in eight bits", "build --int8"]);
    if !runs_int8() {
        return;
    }
    let said = stdout(&verify(&eight, "int8"));
    assert!(said.contains("image.features.int8") && said.contains("\nverified"), "{said}");
    let (floats, eights) = (genres(&eight, "fused"), genres(&eight, "int8"));
    assert_ne!(floats, eights, "the backbones in eight bits run");
    for (name, probability) in &floats {
        let (_, found) = eights.iter().find(|(other, _)| other == name).unwrap();
        assert!((found - probability).abs() < 0.02, "{name}: {probability} and {found}");
    }
}

/// Returns whether this processor computes in eight bits; says so if not.
fn runs_int8() -> bool {
    let can = divita_runtime::executor::Executor::entry("int8").is_some_and(|entry| (entry.detect)().is_some());
    if !can {
        println!("skipped: this processor has no instructions for eight bits");
    }
    can
}

#[test]
fn a_changed_backbone_in_eight_bits_is_found_by_the_replay() {
    let folder = tempfile::tempdir().unwrap();
    let (bundle, video) = (folder.path().join("bundle"), sample());
    stdout(&build(&["--seed", "3", "--int8", video.to_str().unwrap()], &bundle));
    if !runs_int8() {
        return;
    }
    // In the middle of the file are weights of a convolution.
    let path = bundle.join("image_int8.onnx");
    let mut onnx = std::fs::read(&path).unwrap();
    let middle = onnx.len() / 2;
    onnx[middle..middle + 400].iter_mut().for_each(|byte| *byte = byte.wrapping_add(64));
    std::fs::write(&path, &onnx).unwrap();
    let sum = divita_runtime::bundle::FileEntry::from_data(&onnx).sha256;
    change_manifest(&bundle, |manifest| manifest["files"]["image_int8.onnx"]["sha256"] = sum.into());
    let output = program("divita").args(["verify", "--executor", "int8"]).arg(&bundle).output().unwrap();
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    assert!(String::from_utf8_lossy(&output.stdout).contains("image.features.int8"), "{output:?}");
    assert!(String::from_utf8_lossy(&output.stdout).contains("DIFFERENT"), "{output:?}");
}

#[test]
fn what_cannot_be_calibrated_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let output = folder.path().join("bundle");
    assert_fails(&build(&["--seed", "1", "--int8", "nothing.mp4"], &output), 1, &["nothing.mp4"]);
    assert!(!output.exists());
    let text = folder.path().join("text.mp4");
    std::fs::write(&text, "no video").unwrap();
    assert_fails(&build(&["--seed", "1", "--int8", text.to_str().unwrap()], &output), 1, &["text.mp4"]);
    assert!(!output.exists());
    let from = ["--from", "models/bundles/demo"];
    assert_fails(&build(&from, &output), 2, &["required arguments"]);
}
