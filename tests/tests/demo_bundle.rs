//! The demo bundle is as documented: small, trained on synthetic trailers, accurate on them, and
//! made with the program's shot detector.
#![allow(clippy::unwrap_used)]

use std::fs;

use divita_runtime::{
    bundle::{MANIFEST_FILE, Manifest, SHOTS_FILE},
    shots::{ShotSettings, transition_network::BUILT_IN},
};
use divita_tests::{demo_bundle, divita, program, stderr, stdout};
use serde_json::Value;

#[test]
fn it_says_what_it_is_and_has_at_most_eight_megabytes() {
    let manifest: Manifest = serde_json::from_slice(&fs::read(demo_bundle().join(MANIFEST_FILE)).unwrap()).unwrap();
    assert!(manifest.trained);
    assert!(manifest.notice.unwrap().contains("synthetic"));
    let card = fs::read_to_string(demo_bundle().join("README.md")).unwrap();
    for words in ["synthetic", "601 videos, 99 for validation, 300 for the test", "test at 8 muAP", "nothing of films"]
    {
        assert!(card.contains(words), "{words:?} is not in {card}");
    }
    let bytes: u64 = fs::read_dir(demo_bundle()).unwrap().map(|file| file.unwrap().metadata().unwrap().len()).sum();
    assert!(bytes <= 8_000_000, "{bytes} bytes");
    // Its training clips were cut by this detector. Another detector needs new training
    // (CONTRIBUTING.md).
    assert!(fs::read(demo_bundle().join(SHOTS_FILE)).unwrap() == BUILT_IN);
    assert_eq!(manifest.shots, ShotSettings::default());
}

#[test]
fn it_knows_the_genres_of_synthetic_trailers() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let models = |arguments: &[&str]| {
        let output = program("divita-models").current_dir(folder).args(arguments).output().unwrap();
        stdout(&output)
    };
    // Another seed than the training data.
    models(&["synth", "--count", "60", "--seconds", "16", "--seed", "77", "--output", "new"]);
    let new = folder.join("new");
    let classified = divita(&["classify", new.to_str().unwrap(), "--format", "csv"]);
    fs::write(folder.join("found.csv"), stdout(&classified)).unwrap();
    assert!(stderr(&classified).contains("synthetic"), "{}", stderr(&classified));
    let mu_ap = |predictions: &str| -> f64 {
        let found = models(&["evaluate", "new/labels.csv", "--predictions", predictions, "--json"]);
        let found: Value = serde_json::from_str(&found).unwrap();
        found[0]["mu_ap"].as_f64().unwrap()
    };
    // The baseline predicts the genre frequencies for each trailer.
    let table = fs::read_to_string(new.join("labels.csv")).unwrap();
    let rows: Vec<Vec<&str>> = table.lines().map(|line| line.split(',').collect()).collect();
    let frequency = |label: usize| rows[1..].iter().filter(|row| row[label] == "1").count() as f64 / 60.0;
    let frequencies: Vec<String> = (1..rows[0].len()).map(|label| frequency(label).to_string()).collect();
    let lines = rows[1..].iter().map(|row| format!("{},{}", row[0], frequencies.join(",")));
    let blind: Vec<String> = std::iter::once(rows[0].join(",")).chain(lines).collect();
    fs::write(folder.join("blind.csv"), blind.join("\n")).unwrap();
    let (found, blind) = (mu_ap("found.csv"), mu_ap("blind.csv"));
    assert!(found > blind + 0.25, "{found} {blind}");
}
