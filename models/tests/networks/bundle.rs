//! The folder that `build` writes.

use std::{fs, path::Path};

use divita_models::{
    Error,
    bundle::{self, BuildOptions, Contents},
    engines::onnx::Precision,
};
use divita_runtime::{
    bundle::{Bundle, GENRES, MANIFEST_FILE, Manifest},
    shots::transition_network::{self, TransitionNetwork},
};
use sha2::{Digest, Sha256};

fn options(output: &Path, force: bool) -> BuildOptions {
    let (name, shots) = ("demo".to_owned(), transition_network::BUILT_IN.to_vec());
    BuildOptions {
        name,
        precision: Precision::F16,
        output: output.to_owned(),
        force,
        shots,
        notice: None,
        int8: vec![],
    }
}

fn build(options: &BuildOptions) -> Result<Manifest, Error> {
    bundle::build(options, &Contents::seeded(12))
}

#[test]
fn a_bundle_holds_what_its_manifest_says() {
    let place = tempfile::tempdir().unwrap();
    let folder = place.path().join("made/on/the/way");
    let returned = build(&options(&folder, false)).unwrap();
    let manifest: Manifest = serde_json::from_slice(&fs::read(folder.join(MANIFEST_FILE)).unwrap()).unwrap();
    assert_eq!(manifest, returned);
    assert!(!manifest.trained);
    assert_eq!(manifest.labels, GENRES);
    for name in ["image.onnx", "video.onnx", "image_head.onnx", "video_head.onnx", "README.md"] {
        assert!(manifest.files.contains_key(name), "{name}");
    }
    for (name, entry) in &manifest.files {
        let bytes = fs::read(folder.join(name)).unwrap();
        let sum: String = Sha256::digest(&bytes).iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!((bytes.len() as u64, sum), (entry.size, entry.sha256.clone()), "{name}");
    }
    assert_eq!(fs::read_dir(&folder).unwrap().count(), manifest.files.len() + 1);
    let card = fs::read_to_string(folder.join("README.md")).unwrap();
    assert!(card.contains("not trained"));
    // Nothing is left of the making.
    assert_eq!(fs::read_dir(folder.parent().unwrap()).unwrap().count(), 1);
}

#[test]
fn the_shot_detector_of_a_bundle_is_the_one_it_was_built_with() {
    let place = tempfile::tempdir().unwrap();
    let folder = place.path().join("bundle");
    let own = TransitionNetwork::encode(&[vec![0.5; transition_network::WEIGHTS]]).unwrap();
    build(&BuildOptions { shots: own.clone(), ..options(&folder, false) }).unwrap();
    let bundle = Bundle::open(&folder).unwrap();
    assert_eq!(bundle.transitions(), &TransitionNetwork::read(&own).unwrap());
    assert_ne!(bundle.transitions(), &TransitionNetwork::default());
    // What is no detector is found before the bundle is there.
    let other = place.path().join("other");
    let error = build(&BuildOptions { shots: vec![0; 9], ..options(&other, false) }).unwrap_err();
    let reason = std::error::Error::source(&error).unwrap().to_string();
    assert!(reason.contains("shots.safetensors") && !other.exists(), "{error}: {reason}");
}

#[test]
fn the_same_seed_gives_the_same_bundle() {
    let place = tempfile::tempdir().unwrap();
    let [a, b] = ["a", "b"].map(|name| build(&options(&place.path().join(name), false)).unwrap());
    assert_eq!(a, b);
}

#[test]
fn what_is_there_is_not_lost() {
    let place = tempfile::tempdir().unwrap();
    let folder = place.path().join("bundle");
    fs::create_dir(&folder).unwrap();
    fs::write(folder.join("letter.txt"), "dear").unwrap();
    assert!(matches!(build(&options(&folder, false)), Err(Error::Exists(_))));
    assert!(matches!(build(&options(&folder, true)), Err(Error::NotABundle(_))));
    // Nor where somebody else's file is called as ours is.
    fs::write(folder.join("manifest.json"), "{}").unwrap();
    assert!(matches!(build(&options(&folder, true)), Err(Error::NotABundle(_))));
    assert_eq!(fs::read_to_string(folder.join("letter.txt")).unwrap(), "dear");
}

#[test]
fn force_replaces_a_bundle() {
    let place = tempfile::tempdir().unwrap();
    let folder = place.path().join("bundle");
    build(&options(&folder, false)).unwrap();
    // Not with what lies beside it.
    let letter = folder.join("letter.txt");
    fs::write(&letter, "dear").unwrap();
    assert!(matches!(build(&options(&folder, true)), Err(Error::NotOfTheBundle(path)) if path == letter));
    fs::remove_file(&letter).unwrap();
    // A damaged one too.
    fs::remove_file(folder.join("image.onnx")).unwrap();
    build(&options(&folder, true)).unwrap();
    assert!(folder.join("image.onnx").exists());
    assert_eq!(fs::read_dir(place.path()).unwrap().count(), 1);
}
