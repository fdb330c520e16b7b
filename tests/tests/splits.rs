//! `divita-models split`: splits of a data set.
#![allow(clippy::unwrap_used)]

use std::path::Path;

use divita_tests::{assert_fails, program, shared_data, stdout};
use serde_json::Value;

/// Returns the report of each split of a table.
fn split(table: &Path, more: &[&str]) -> Vec<Value> {
    let output = program("divita-models").arg("split").arg(table).args(more).arg("--json").output().unwrap();
    serde_json::from_str(&stdout(&output)).unwrap()
}

#[test]
fn new_splits_of_the_real_labels_are_as_alike_as_the_published_one() {
    let Some(table) = shared_data("trailers12k/mtgc.csv") else { return };
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("split.csv");
    let splits = split(&table, &["--output", path.to_str().unwrap()]);
    let published = &splits[0];
    assert_eq!(published["split"], "the table's split0");
    assert_eq!([&published["train"], &published["validation"], &published["test"]], [8384, 1228, 2388]);
    assert_eq!(splits.len(), 6);
    for made in &splits[3..] {
        for figure in ["ld", "lpd"] {
            assert!(made[figure].as_f64() <= published[figure].as_f64(), "{figure}: {made} {published}");
        }
        for (part, size) in [("train", 8400.0), ("validation", 1200.0), ("test", 2400.0)] {
            assert!((made[part].as_f64().unwrap() - size).abs() <= 60.0, "{made}");
        }
    }
    // Splits differ, and the file matches the report.
    assert_ne!(splits[3]["ld"], splits[4]["ld"]);
    for (read, made) in split(&path, &[]).iter().zip(&splits[3..]) {
        assert_eq!([&read["train"], &read["ld"], &read["lpd"]], [&made["train"], &made["ld"], &made["lpd"]]);
    }
    let again = folder.path().join("again.csv");
    split(&table, &["--output", again.to_str().unwrap()]);
    assert_eq!(std::fs::read(&path).unwrap(), std::fs::read(again).unwrap(), "the same seed");
}

#[test]
fn what_cannot_be_parted_is_an_error_that_says_why() {
    let folder = tempfile::tempdir().unwrap();
    let table = folder.path().join("table.csv");
    let fails = |text: &str, more: &[&str], said: &str| {
        std::fs::write(&table, text).unwrap();
        let output = program("divita-models").arg("split").arg(&table).args(more).output().unwrap();
        assert_fails(&output, 1, &[said]);
    };
    fails("video,fun\na.mp4,1\nb.mp4,2\n", &[], "line 3, column fun");
    fails("video,fun\na.mp4,1\n", &[], "has no splits: give --output");
    fails("video,fun\na.mp4,1\n", &["--output", "/nowhere/x.csv"], "/nowhere/x.csv");
    fails("video,fun\na.mp4,1\n", &["--ratios", "70,0,30"], "--ratios must be three numbers above 0");
}
