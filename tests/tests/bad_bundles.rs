//! Bad bundles in the program: it uses nothing of a bundle unless all of it agrees with the
//! manifest.
#![allow(clippy::unwrap_used)]

use std::path::Path;

use divita_runtime::bundle::FileEntry;
use divita_tests::{assert_fails, change_manifest as change, demo_bundle, demo_copy as copy, divita, stdout};
use serde_json::{Value, json};

/// Replaces the file `name` with `data`, and its sum in the manifest.
fn replace(folder: &Path, name: &str, data: &[u8]) {
    std::fs::write(folder.join(name), data).unwrap();
    let entry = serde_json::to_value(FileEntry::from_data(data)).unwrap();
    change(folder, |manifest| manifest["files"][name] = entry);
}

fn assert_refused(folder: &Path, words: &[&str]) {
    let bundle = folder.to_str().unwrap();
    assert_fails(&divita(&["classify", "--bundle", bundle, "test://?seconds=1"]), 1, &[&[bundle], words].concat());
}

#[test]
fn a_whole_copy_is_accepted_as_a_folder_and_as_a_tar() {
    let folder = copy();
    let run = |bundle: &Path| {
        stdout(&divita(&["classify", "--format", "csv", "--bundle", bundle.to_str().unwrap(), "test://?seconds=2"]))
    };
    let from_folder = run(folder.path());
    for top in ["", "demo", "."] {
        let path = folder.path().with_extension("tar");
        let mut tar = tar::Builder::new(std::fs::File::create(&path).unwrap());
        tar.append_dir_all(if top.is_empty() { "." } else { top }, folder.path()).unwrap();
        tar.into_inner().unwrap();
        assert_eq!(run(&path), from_folder);
        std::fs::remove_file(&path).unwrap();
    }
}

#[test]
fn a_missing_file() {
    for name in ["video.onnx", "golden.safetensors"] {
        let folder = copy();
        std::fs::remove_file(folder.path().join(name)).unwrap();
        assert_refused(folder.path(), &[name, "is missing"]);
    }
    let folder = copy();
    std::fs::remove_file(folder.path().join("manifest.json")).unwrap();
    assert_refused(folder.path(), &["no manifest.json"]);
    assert_refused(&folder.path().join("nowhere"), &["No such file"]);
}

#[test]
fn a_wrong_sum_and_a_wrong_size() {
    let folder = copy();
    let path = folder.path().join("image.onnx");
    let mut data = std::fs::read(&path).unwrap();
    let middle = data.len() / 2;
    data[middle] ^= 1;
    std::fs::write(&path, &data).unwrap();
    assert_refused(folder.path(), &["image.onnx", "SHA-256"]);
    data.pop();
    std::fs::write(&path, &data).unwrap();
    assert_refused(folder.path(), &["image.onnx", "bytes instead of"]);
}

#[test]
fn a_wrong_shape() {
    // The manifest states outputs that the networks do not have.
    let folder = copy();
    change(folder.path(), |manifest| manifest["streams"]["image"]["features"] = json!(512));
    assert_refused(folder.path(), &["image.onnx", "an output", "512"]);
    let folder = copy();
    change(folder.path(), |manifest| manifest["streams"]["image"]["input"]["size"] = json!(128));
    assert_refused(folder.path(), &["image.onnx", "an input", "128"]);
    let folder = copy();
    change(folder.path(), |manifest| {
        manifest["labels"].as_array_mut().unwrap().pop();
    });
    assert_refused(folder.path(), &["head.onnx", "an output"]);
    // The networks are swapped.
    let folder = copy();
    change(folder.path(), |manifest| manifest["streams"]["image"]["backbone"] = json!("image_head.onnx"));
    assert_refused(folder.path(), &["image_head.onnx", "an input"]);
}

#[test]
fn a_network_that_is_none() {
    for data in [&b""[..], b"\x00\x01garbage", b"\xff\xff\xff\xff\xff\xff"] {
        let folder = copy();
        replace(folder.path(), "image.onnx", data);
        assert_refused(folder.path(), &["image.onnx"]);
    }
}

#[test]
fn a_path_that_leaves_the_folder() {
    for name in ["../outside", "/etc/hostname", "a/../../b", "..\\outside"] {
        let folder = copy();
        change(folder.path(), |manifest| manifest["files"][name] = json!({"sha256": "00", "size": 1}));
        assert_refused(folder.path(), &["not a plain name"]);
    }
    #[cfg(unix)]
    {
        let folder = copy();
        let path = folder.path().join("image.onnx");
        std::fs::remove_file(&path).unwrap();
        std::os::unix::fs::symlink(demo_bundle().join("image.onnx"), &path).unwrap();
        assert_refused(folder.path(), &["image.onnx", "not a plain name"]);
    }
}

#[test]
fn a_newer_schema() {
    let folder = copy();
    change(folder.path(), |manifest| *manifest = json!({"schema": 4, "all": "new"}));
    assert_refused(folder.path(), &["schema 4", "update divita"]);
}

#[test]
fn a_manifest_that_cannot_be() {
    type Change = fn(&mut Value);
    let changes: [(&str, Change); 10] = [
        ("working_rates", |m| m["working_rates"] = json!([5])),
        ("trained_rates: 5", |m| m["trained_rates"] = json!([4, 5])),
        ("snippet_clips", |m| m["snippet_clips"] = json!(0)),
        ("labels", |m| m["labels"][1] = json!("action")),
        ("streams", |m| m["streams"] = json!({})),
        ("std", |m| m["streams"]["video"]["input"]["std"] = json!([0.0, 1.0, 1.0])),
        ("resize", |m| m["streams"]["video"]["input"]["resize"] = json!(8)),
        ("shots.cut", |m| m["shots"]["cut"] = json!(7.0)),
        ("does not list", |m| m["streams"]["video"]["head"] = json!("other.onnx")),
        ("manifest.json", |m| m["name"] = json!(3)),
    ];
    for (word, edit) in changes {
        let folder = copy();
        change(folder.path(), edit);
        assert_refused(folder.path(), &["manifest.json", word]);
    }
}

#[test]
fn one_stream_alone_is_enough() {
    for (absent, present) in [("image", "video"), ("video", "image")] {
        let folder = copy();
        change(folder.path(), |manifest| {
            manifest["streams"].as_object_mut().unwrap().remove(absent);
        });
        let bundle = folder.path().to_str().unwrap();
        let text = stdout(&divita(&["classify", "--format", "jsonl", "--bundle", bundle, "test://?seconds=2"]));
        assert!(text.contains("\"event\":\"result\""), "{present} alone");
    }
}

#[test]
fn a_rate_that_the_bundle_was_not_made_for() {
    let folder = copy();
    change(folder.path(), |manifest| {
        manifest["working_rates"] = json!([8]);
        manifest["trained_rates"] = json!([8]);
    });
    let bundle = folder.path().to_str().unwrap();
    let output = divita(&["classify", "--bundle", bundle, "--fps", "4", "test://?seconds=1"]);
    assert_fails(&output, 1, &["4 fps", "[8]", "--fps"]);
}

#[test]
fn outputs_that_differ_are_not_verified() {
    let folder = copy();
    let golden = std::fs::read(folder.path().join("golden.safetensors")).unwrap();
    let tensors = safetensors::SafeTensors::deserialize(&golden).unwrap();
    let data = tensors.tensor("image.features").unwrap().data().as_ptr() as usize - golden.as_ptr() as usize;
    let mut golden = golden.clone();
    golden[data..data + 4].copy_from_slice(&9.0f32.to_le_bytes());
    replace(folder.path(), "golden.safetensors", &golden);
    let output = divita(&["verify", folder.path().to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(1));
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(text.contains("DIFFERENT") && text.contains("NOT verified"), "{text}");
    // A bundle without golden outputs cannot be verified.
    change(folder.path(), |manifest| {
        manifest["files"].as_object_mut().unwrap().remove("golden.safetensors");
    });
    assert_fails(&divita(&["verify", folder.path().to_str().unwrap()]), 1, &["golden.safetensors"]);
}
