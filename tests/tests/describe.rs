//! `divita-models describe`: statistics of data sets.
#![allow(clippy::unwrap_used)]

use std::fs;
use std::path::Path;
use std::process::Output;

use divita_tests::{assert_fails, program, shared_data, stderr, stdout};
use serde_json::Value;

fn describe(folder: &Path, arguments: &[&str]) -> Output {
    program("divita-models").current_dir(folder).arg("describe").args(arguments).output().unwrap()
}

fn json(folder: &Path, arguments: &[&str]) -> Value {
    serde_json::from_str(&stdout(&describe(folder, &[arguments, &["--json"]].concat()))).unwrap()
}

/// Constants of `pandas.read_csv("mtgc.csv")` with numpy 2: `sum`, `mean`, `bincount` and
/// `corrcoef` of the columns of genres. The paper (section 4) states cardinality 2.5, density 0.25,
/// and 2 or 3 labels in nearly 70 %.
#[test]
fn trailers12k_has_the_figures_that_pandas_computes_and_the_paper_states() {
    let Some(table) = shared_data("trailers12k/mtgc.csv") else { return };
    let folder = tempfile::tempdir().unwrap();
    let told = json(folder.path(), &[table.to_str().unwrap(), "--plot", "page.svg"]);
    let statistics = &told["statistics"];
    assert_eq!(statistics["videos"], 12_000);
    let counts = [3115, 1951, 4194, 2484, 5968, 1568, 2573, 2193, 1535, 4447];
    for (label, count) in statistics["labels"].as_array().unwrap().iter().zip(counts) {
        assert_eq!(label["videos"], count);
    }
    let close = |value: &Value, expected: f64| assert!((value.as_f64().unwrap() - expected).abs() < 1e-12, "{value}");
    close(&statistics["cardinality"], 2.502_333_333_333_333_5);
    close(&statistics["density"], 0.250_233_333_333_333_3);
    assert_eq!(statistics["labels_per_video"], serde_json::json!([0, 1882, 4558, 3747, 1403, 310, 76, 21, 3]));
    let of = |labels: usize| statistics["labels_per_video"][labels].as_f64().unwrap();
    assert!((0.69..0.70).contains(&((of(2) + of(3)) / 12_000.0)));
    for (one, other, phi) in [
        (2, 9, -0.426_371_570_155_944_07), // comedy, thriller: the lowest
        (3, 9, 0.262_541_267_673_343_85),  // crime, thriller: the highest
        (3, 5, -0.163_903_646_836_289_47), // crime, fantasy
    ] {
        close(&statistics["correlations"][one][other], phi);
        close(&statistics["correlations"][other][one], phi);
    }
    let splits = statistics["splits"].as_array().unwrap();
    for (split, sizes) in splits.iter().zip([[8384, 1228, 2388], [8397, 1189, 2414], [8412, 1204, 2384]]) {
        assert_eq!([0, 1, 2].map(|part| split["parts"][part]["videos"].as_u64().unwrap()), sizes);
    }
    // Drama is the fifth label, horror the seventh.
    assert_eq!([0, 1, 2].map(|part| splits[2]["parts"][part]["label_videos"][4].as_u64().unwrap()), [4177, 597, 1194]);
    close(&splits[0]["parts"][1]["label_shares"][6], 0.209_283_387_622_149_85);
    close(&splits[0]["parts"][2]["cardinality"], 2.515_912_897_822_445_4);
    let page = fs::read_to_string(folder.path().join("page.svg")).unwrap();
    for words in ["12000 videos, 10 labels", "split2", "5968 (49.7 %)", "validation (1228)"] {
        assert!(page.contains(words), "{words:?} is not on the page");
    }
    let text = stdout(&describe(folder.path(), &[table.to_str().unwrap()]));
    assert!(text.contains("   0.263  crime, thriller") && text.contains("  -0.426  comedy, thriller"), "{text}");
}

#[test]
fn clips_and_shots_are_those_of_the_videos_and_of_the_store() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let models = |arguments: &[&str]| program("divita-models").current_dir(folder).args(arguments).output().unwrap();
    let synth = models(&["synth", "--count", "4", "--seconds", "8", "--size", "160x90", "--output", "films"]);
    assert!(synth.status.success(), "{}", stderr(&synth));
    let store = ["--network", "shufflenet-2d", "--seed", "1", "--fps", "24", "--store", "store"];
    let extracted = models(&[&["extract", "films"], &store[..]].concat());
    assert!(extracted.status.success(), "{}", stderr(&extracted));
    let of_videos = json(folder, &["films/labels.csv", "--videos", "films", "--fps", "24", "--plot", "page.svg"]);
    let of_store = json(folder, &["films/labels.csv", "--store", "store"]);
    // It counts the clips that `extract` makes.
    assert_eq!(of_videos["clips"], of_store["clips"]);
    assert_eq!((&of_videos["clips"]["per_video"]["count"], &of_videos["missing_videos"]), (&4.into(), &0.into()));
    assert!(of_store["shots"].is_null());
    // The shots are those of `divita shots`.
    let (mut shots, mut seconds) = (0, 0.0);
    for number in 0..4 {
        let video = format!("films/synthetic-{number:05}.mp4");
        let found =
            program("divita").current_dir(folder).args(["shots", &video, "--format", "jsonl"]).output().unwrap();
        for line in stdout(&found).lines() {
            let event: Value = serde_json::from_str(line).unwrap();
            if event["event"] == "shot" {
                shots += 1;
                seconds += event["end_s"].as_f64().unwrap() - event["start_s"].as_f64().unwrap();
            }
        }
    }
    let length = &of_videos["shots"]["length_s"];
    assert_eq!(length["count"], shots);
    let mean = length["mean"].as_f64().unwrap();
    assert!(shots > 4 && (mean - seconds / f64::from(shots)).abs() < 1e-2, "{length}, {seconds} s of {shots} shots");
    let histogram = &of_videos["shots"]["histogram"];
    let counted: u64 = histogram["counts"].as_array().unwrap().iter().map(|count| count.as_u64().unwrap()).sum();
    assert_eq!(counted + histogram["beyond"].as_u64().unwrap(), shots as u64);
    let page = fs::read_to_string(folder.join("page.svg")).unwrap();
    assert!(page.contains("Clips per video: mean") && page.contains(&format!("Shot length: {shots} shots")), "{page}");
    // A table may hold only ids. Missing and damaged videos are counted.
    let ids = fs::read_to_string(folder.join("films/labels.csv")).unwrap().replace(".mp4", "");
    fs::write(folder.join("ids.csv"), format!("{ids}gone,0,0,0,0,1,0,0,0,0,0\n")).unwrap();
    let of_ids = describe(folder, &["ids.csv", "--videos", "films", "--fps", "24", "--json"]);
    let told: Value = serde_json::from_str(&stdout(&of_ids)).unwrap();
    assert_eq!((&told["clips"], &told["missing_videos"]), (&of_videos["clips"], &1.into()));
    assert!(stderr(&of_ids).contains("films has 4 of the table's 5 videos"), "{}", stderr(&of_ids));
    fs::write(folder.join("films/synthetic-00002.mp4"), "damaged").unwrap();
    let damaged = describe(folder, &["films/labels.csv", "--videos", "films"]);
    assert_fails(&damaged, 1, &["cannot read 1 videos"]);
    let text = String::from_utf8(damaged.stdout).unwrap();
    assert!(text.contains("clips per video: ") && text.contains("of 3 videos"), "{text}");
}

#[test]
fn what_cannot_be_described_is_said() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    fs::write(folder.join("table.csv"), "video,label\na.mp4,<b>&amp;\nb.mp4,x|y\n").unwrap();
    fs::create_dir(folder.join("empty")).unwrap();
    assert_fails(&describe(folder, &["table.csv", "--videos", "nowhere"]), 1, &["--videos nowhere: not a folder"]);
    assert_fails(
        &describe(folder, &["table.csv", "--videos", "empty"]),
        1,
        &["empty has none of the table's 2 videos"],
    );
    assert_fails(&describe(folder, &["table.csv", "--store", "empty"]), 1, &["empty"]);
    assert_fails(&describe(folder, &["table.csv", "--plot", "nowhere/page.svg"]), 1, &["nowhere/page.svg"]);
    // A label cannot add markup to the page.
    let text = stdout(&describe(folder, &["table.csv", "--plot", "page.svg"]));
    assert!(text.contains("2 videos, 3 labels, cardinality 1.5000, density 0.5000"), "{text}");
    let page = fs::read_to_string(folder.join("page.svg")).unwrap();
    assert!(page.contains("&lt;b&gt;&amp;amp;") && !page.contains("<b>"), "{page}");
}
