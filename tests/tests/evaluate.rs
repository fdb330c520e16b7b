//! `divita-models evaluate`: scores of predictions.
#![allow(clippy::unwrap_used)]

use std::fs;
use std::path::Path;
use std::process::Output;

use divita_tests::{assert_fails, demo_bundle, program, sample, stdout};
use serde_json::{Value, json};

const TABLE: &str = "video,fun,fear,split0,split1\n\
    a.mp4,1,0,2,0\nb.mp4,0,1,2,2\nc.mp4,1,1,2,2\nd.mp4,0,1,1,1\ne.mp4,1,0,1,1\nf.mp4,1,0,0,2\n";
/// All correct but one: `b` gets a higher probability of fun than `c`.
const PREDICTED: &str = "source,clips,fear,fun\nx/a.mp4,3,0.1,0.4\nx/b.mp4,3,0.8,0.5\nx/c.mp4,3,0.7,0.9\nx/d.mp4,3,0.6,0.2\nx/e.mp4,3,0.3,0.45\nx/f.mp4,3,0.2,0.8\n";

fn evaluate(folder: &Path, files: &[(&str, &str)], more: &[&str]) -> Output {
    fs::write(folder.join("table.csv"), TABLE).unwrap();
    files.iter().for_each(|(name, text)| fs::write(folder.join(name), text).unwrap());
    program("divita-models").current_dir(folder).args(["evaluate", "table.csv"]).args(more).output().unwrap()
}

#[test]
fn predictions_are_scored_on_the_test_part_with_thresholds_of_the_validation_part() {
    let folder = tempfile::tempdir().unwrap();
    let more = ["--predictions", "split0=p.csv", "--predictions", "split1=p.csv", "--json"];
    let output = evaluate(folder.path(), &[("p.csv", PREDICTED)], &more);
    let values: Vec<Value> = serde_json::from_str(&stdout(&output)).unwrap();
    let first = &values[0];
    assert_eq!(
        (&values[1]["split"], &first["split"], &first["videos"]),
        (&json!("split1"), &json!("split0"), &json!(3))
    );
    // By hand: fun of a, b, c: 0.9 true, 0.5 false, 0.4 true. Recall 0 to a half at precision 1,
    // then a half to one from a half to two thirds.
    let [fun, fear] = [&first["labels"][0], &first["labels"][1]];
    let area = 0.5 + 0.5 * (0.5 + 2.0 / 3.0) / 2.0;
    assert!((fun["area"].as_f64().unwrap() - area).abs() < 1e-12, "{fun}");
    assert_eq!((&fear["area"], &fun["roc"], &fear["roc"]), (&json!(1.0), &json!(0.5), &json!(1.0)));
    assert!((first["m_ap"].as_f64().unwrap() - (1.0 + area) / 2.0).abs() < 1e-12);
    // On validation 0.45 is the only fun; on test it takes b and c, and not a: one of two, and one
    // of two found.
    assert_eq!((&fun["threshold"], &fun["f1"]), (&json!(0.45), &json!(0.5)));
    assert_eq!((&fear["threshold"], &fear["f1"]), (&json!(0.6), &json!(1.0)));
    assert_eq!(first["calibration"]["bins"].as_array().unwrap().len(), 10);

    let table = stdout(&evaluate(folder.path(), &[], &more[..4]));
    assert!(table.contains("muAP") && table.contains("+-"), "{table}");
}

#[test]
fn what_divita_prints_is_read() {
    let folder = tempfile::tempdir().unwrap();
    let bundle = demo_bundle();
    let output = program("divita")
        .arg("classify")
        .arg(sample())
        .arg("--bundle")
        .arg(&bundle)
        .args(["--format", "jsonl"])
        .output()
        .unwrap();
    let manifest: Value = serde_json::from_slice(&fs::read(bundle.join("manifest.json")).unwrap()).unwrap();
    let labels: Vec<&str> =
        manifest["labels"].as_array().unwrap().iter().map(|label| label.as_str().unwrap()).collect();
    let row = |at: usize| if at < 2 { ",1" } else { ",0" };
    let table =
        format!("video,{}\nsintel-trailer{}\n", labels.join(","), (0..labels.len()).map(row).collect::<String>());
    fs::write(folder.path().join("labels.csv"), table).unwrap();
    fs::write(folder.path().join("said.jsonl"), stdout(&output)).unwrap();
    let mut command = program("divita-models");
    let evaluated = command
        .current_dir(folder.path())
        .args(["evaluate", "labels.csv", "--predictions", "said.jsonl", "--json"])
        .output();
    let values: Vec<Value> = serde_json::from_str(&stdout(&evaluated.unwrap())).unwrap();
    let result: Value = stdout(&output)
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .find(|line: &Value| line["event"] == "result")
        .unwrap();
    let probability = |label: &&str| result["probabilities"][label].as_f64().unwrap();
    let mean = labels.iter().map(probability).sum::<f64>() / labels.len() as f64;
    let bins = values[0]["calibration"]["bins"].as_array().unwrap().clone();
    let said: f64 = bins.iter().map(|bin| bin["count"].as_f64().unwrap() * bin["probability"].as_f64().unwrap()).sum();
    assert!((said / labels.len() as f64 - mean).abs() < 1e-12);
    assert_eq!((&values[0]["split"], &values[0]["videos"]), (&json!("all"), &json!(1)));
}

#[test]
fn what_is_missing_or_wrong_is_said() {
    let folder = tempfile::tempdir().unwrap();
    let fails = |text: &str, predictions: &str, said: &str| {
        let output = evaluate(folder.path(), &[("p.csv", text)], &["--predictions", predictions]);
        assert_fails(&output, 1, &[said]);
    };
    fails("video,fun,fear\na,0.5,0.5\n", "split0=p.csv", "no predictions for 2 of 3 videos, for example b.mp4");
    fails("video,fun\na,0.5\n", "p.csv", "line 2: no probability in [0, 1] for fear");
    fails("video,fun,fear\na,0.5,1.5\n", "p.csv", "line 2: no probability in [0, 1] for fear");
    fails("video,fun,fear\na,0.5,0.5\nx/a.mp4,0.5,0.4\n", "p.csv", "line 3: x/a.mp4 occurs twice");
    // One prediction cannot be for two videos.
    let two = TABLE.replace("b.mp4", "other/a.mov");
    fs::write(folder.path().join("two.csv"), two).unwrap();
    let mut command = program("divita-models");
    command.current_dir(folder.path()).args(["evaluate", "two.csv", "--predictions", "split0=p.csv"]);
    fs::write(folder.path().join("p.csv"), PREDICTED).unwrap();
    assert_fails(&command.output().unwrap(), 1, &["a.mp4 and other/a.mov are different videos with the same id"]);
    fails("{\"event\": \"result\"}\n", "p.csv", "no probability");
    fails("{broken\n", "p.csv", "line 1: not an event");
    fails(PREDICTED, "split7=p.csv", "no such split");
    fails(PREDICTED, "absent.csv", "absent.csv");
}
