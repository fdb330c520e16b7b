//! The bundle that ships is what its recipe makes: seeded, small, and true to the code as it is.
#![allow(clippy::unwrap_used)]

use std::fs;

use divita_runtime::bundle::{GOLDEN_FILE, MANIFEST_FILE, Manifest};
use divita_tests::{demo_bundle, program, stdout};

/// Read from the manifest, so that the test fails if it is built with another one than it says.
fn manifest(folder: &std::path::Path) -> Manifest {
    serde_json::from_slice(&fs::read(folder.join(MANIFEST_FILE)).unwrap()).unwrap()
}

#[test]
fn it_is_built_anew_byte_for_byte() {
    let folder = tempfile::tempdir().unwrap();
    let built = folder.path().join("demo");
    let seed = manifest(&demo_bundle()).provenance.seed.unwrap().to_string();
    let arguments = ["build", "--seed", &seed, "--name", "demo", "--output", built.to_str().unwrap()];
    stdout(&program("divita-models").args(arguments).output().unwrap());
    let (mut shipped, mut anew) = (manifest(&demo_bundle()), manifest(&built));
    assert_eq!(shipped.files.keys().collect::<Vec<_>>(), anew.files.keys().collect::<Vec<_>>());
    for name in shipped.files.keys().filter(|&name| name != GOLDEN_FILE) {
        // No assert_eq: nobody wants to read two megabytes.
        assert!(
            fs::read(demo_bundle().join(name)).unwrap() == fs::read(built.join(name)).unwrap(),
            "{name} is out of date: build the bundle that ships anew (CONTRIBUTING.md says how)"
        );
    }
    // The golden outputs depend on the processor in their last digits; `divita verify` compares those.
    shipped.files.remove(GOLDEN_FILE);
    anew.files.remove(GOLDEN_FILE);
    assert_eq!(shipped, anew);
}

#[test]
fn it_is_untrained_and_at_most_eight_megabytes() {
    let manifest = manifest(&demo_bundle());
    assert!(!manifest.trained);
    assert_eq!(manifest.provenance.weights, "seeded");
    let bytes: u64 = fs::read_dir(demo_bundle()).unwrap().map(|file| file.unwrap().metadata().unwrap().len()).sum();
    assert!(bytes <= 8_000_000, "{bytes} bytes");
}
