//! Working rates: the default, and the warning for a rate that the heads were not trained at.
#![allow(clippy::unwrap_used)]

use std::path::Path;

use divita_tests::{change_manifest, demo_copy, divita, program, stderr, stdout};
use serde_json::{Value, json};

const INPUT: &str = "test://?seconds=2&size=64x48";

/// Runs `divita classify` with the bundle in `folder`. Returns the rate of the result and the
/// messages.
fn classified(folder: &Path, more: &[&str]) -> (u64, String) {
    let bundle = folder.to_str().unwrap();
    let output = divita(&[&["classify", "--bundle", bundle, "--format", "jsonl", INPUT], more].concat());
    let text = stdout(&output);
    let events = text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let result = events.into_iter().find(|event| event["event"] == "result").unwrap();
    (result["fps"].as_u64().unwrap(), stderr(&output))
}

#[test]
fn classify_takes_the_lowest_rate_that_the_heads_were_trained_at() {
    let folder = demo_copy();
    for (working, trained, expected) in [
        (json!([4, 6, 8, 12, 24]), json!([24, 12]), 12),
        (json!([4, 8]), json!([8]), 8),
        (json!([24, 6]), json!([]), 6),
        (json!([24, 8]), Value::Null, 8),
    ] {
        change_manifest(folder.path(), |manifest| {
            manifest["working_rates"] = working;
            match trained {
                Value::Null => drop(manifest.as_object_mut().unwrap().remove("trained_rates")),
                trained => manifest["trained_rates"] = trained,
            }
        });
        let (fps, said) = classified(folder.path(), &[]);
        assert_eq!(fps, expected);
        assert!(!said.contains("were trained at"), "{said}");
    }
}

#[test]
fn a_rate_that_the_heads_were_not_trained_at_is_warned_of() {
    let folder = demo_copy();
    for (fps, warned) in [("4", false), ("8", false), ("12", true)] {
        let (found, said) = classified(folder.path(), &["--fps", fps]);
        assert_eq!(found.to_string(), fps);
        let warning = "its heads were trained at 4 and 8 frames a second, and are untried at 12";
        assert_eq!(said.contains(warning), warned, "{said}");
    }
    // `--fps auto` gives no warning.
    let (_, said) = classified(folder.path(), &["--fps", "auto"]);
    assert!(!said.contains("were trained at"), "{said}");
    let inspected = stdout(&divita(&["inspect", folder.path().to_str().unwrap()]));
    assert!(inspected.contains("4, 6, 8, 12, 24 frames a second; heads trained at 4, 8"), "{inspected}");
}

#[test]
fn extract_and_fit_backbone_share_one_default_and_print_it() {
    let folder = tempfile::tempdir().unwrap();
    let models = |arguments: &[&str]| program("divita-models").current_dir(&folder).args(arguments).output().unwrap();
    let video = divita_tests::sample();
    let network = ["--network", "shufflenet-3d", "--seed", "1", "--store", "store"];
    let extracted = models(&[&["extract", video.to_str().unwrap()], &network[..]].concat());
    assert!(stderr(&extracted).contains("working rate: 4 fps (--fps)"), "{}", stderr(&extracted));
    let attributes = std::fs::read(folder.path().join("store/.zattrs")).unwrap();
    assert_eq!(serde_json::from_slice::<Value>(&attributes).unwrap()["fps"], 4);
    // The rate is printed before any failure.
    let fitted = models(&["fit-backbone", "shufflenet-2d", "none.csv", "--output", "run"]);
    assert!(stderr(&fitted).contains("working rate: 4 fps (--fps)"), "{}", stderr(&fitted));
}
