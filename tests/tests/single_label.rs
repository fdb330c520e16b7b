//! `--single-label` from the table to the result: training, evaluation, bundle, and every output of
//! `divita`.
#![allow(clippy::unwrap_used)]

use std::fs;
use std::path::Path;
use std::process::Output;

use divita_tests::data_set::{LABELS, VIDEOS, chance, data_set, only_label, single_label_data_set};
use divita_tests::{assert_fails, event_schema, program, sample, stderr, stdout};
use serde_json::{Value, json};

const FUSED: [&str; 4] = ["--image", "image", "--video", "video"];

fn models(folder: &Path, arguments: &[&str]) -> Output {
    program("divita-models").current_dir(folder).args(arguments).output().unwrap()
}

fn train(folder: &Path, output: &str, more: &[&str]) -> Output {
    let how = ["train", "table.csv", "--output", output, "--clips", "8", "--batch", "16"];
    models(folder, &[&how[..], more].concat())
}

fn assert_done(output: &Output) {
    assert!(output.status.success(), "{}", stderr(output));
}

fn read_json(path: &Path) -> Value {
    serde_json::from_slice(&fs::read(path).unwrap()).unwrap()
}

fn json_lines(text: &str) -> Vec<Value> {
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// Returns each video of a run's predictions with its probabilities.
fn predictions(folder: &Path, run: &str) -> Vec<(String, Vec<f64>)> {
    let text = fs::read_to_string(folder.join(run).join("predictions.csv")).unwrap();
    let row = |line: &str| {
        let (video, numbers) = line.split_once(',').unwrap();
        (video.to_owned(), numbers.split(',').map(|number| number.parse().unwrap()).collect())
    };
    text.lines().skip(1).map(row).collect()
}

#[test]
fn heads_learn_which_label_a_video_has() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    single_label_data_set(folder);
    let quick = ["--single-label", "--head", "mean", "--epochs", "60", "--rate", "5e-3"];
    let evaluate = |run: &str, more: &[&str]| {
        let predicted = format!("split0={run}/predictions.csv");
        let how = ["evaluate", "table.csv", "--single-label", "--predictions", &predicted];
        stdout(&models(folder, &[&how[..], more].concat()))
    };
    let scores = |run: &str| serde_json::from_str::<Value>(&evaluate(run, &["--json"])).unwrap()[0].clone();
    for (run, streams) in [("image-run", &FUSED[..2]), ("fused", &FUSED[..])] {
        assert_done(&train(folder, run, &[streams, &quick].concat()));
    }
    let (image, fused) = (scores("image-run"), scores("fused"));
    let top_1 = |scores: &Value| scores["top_1"].as_f64().unwrap();
    // The image stream cannot distinguish the last two labels. Both streams together distinguish
    // all four.
    assert!(top_1(&image) < 0.9 && top_1(&fused) > 0.9, "{image} {fused}");
    assert!(fused["top_3"].as_f64().unwrap() >= top_1(&fused));

    // The confusion matrix counts each test video by its true and its most probable label.
    let rows = predictions(folder, "fused");
    let mut confusion = vec![vec![0u64; LABELS.len()]; LABELS.len()];
    for (video, probabilities) in &rows {
        assert!((probabilities.iter().sum::<f64>() - 1.0).abs() < 1e-6, "{video}: {probabilities:?}");
        let number: usize = video.strip_prefix("films/v").unwrap().strip_suffix(".mp4").unwrap().parse().unwrap();
        let best = (0..LABELS.len()).max_by(|&a, &b| probabilities[a].total_cmp(&probabilities[b])).unwrap();
        if number % 10 < 2 {
            confusion[only_label(number)][best] += 1;
        }
    }
    assert_eq!(fused["confusion"], json!(confusion));
    assert_eq!(confusion.iter().flatten().sum::<u64>() as usize, VIDEOS / 5);
    for (label, row) in confusion.iter().enumerate() {
        let scores = &fused["labels"][label];
        let (hits, videos) = (row[label], row.iter().sum::<u64>());
        assert_eq!(scores["videos"], json!(videos));
        assert!((scores["recall"].as_f64().unwrap() - hits as f64 / videos as f64).abs() < 1e-12, "{scores}");
        assert!(scores["precision"].is_f64() && scores["f1"].is_f64() && scores["threshold"].is_null());
    }
    let text = evaluate("fused", &[]);
    for words in ["top-1", "macro F1", "precision", "recall", "confusion: rows are true labels", "fear"] {
        assert!(text.contains(words), "{words:?} is not in {text}");
    }

    // The run records its task. Each epoch has top-1, and the best epoch has the lowest loss.
    assert_eq!(read_json(&folder.join("fused/recipe.json"))["recipe"]["task"], "single-label");
    let epochs = json_lines(&fs::read_to_string(folder.join("fused/epochs.jsonl")).unwrap());
    assert!(epochs.iter().all(|epoch| epoch["top_1"].is_f64() && epoch["mu_ap"].is_f64()));
    // A guess among four labels costs ln 4.
    let loss = |epoch: &Value| epoch["validation_loss"].as_f64().unwrap();
    assert!((loss(&epochs[0]) - 4f64.ln()).abs() < 0.3 && loss(&epochs[59]) < 0.7, "{epochs:?}");
    assert!(read_json(&folder.join("fused/results.json"))["test"][0]["top_1"].as_f64() == Some(top_1(&fused)));
    assert!(fs::read_to_string(folder.join("fused/curves.svg")).unwrap().contains("top-1"));

    // It resumes with its task.
    let more = ["--epochs", "61", "--resume"];
    let single = [&FUSED[..], &quick[..3], &["--rate", "5e-3"], &more].concat();
    assert_done(&train(folder, "fused", &single));
    assert_fails(
        &train(folder, "fused", &single.iter().copied().filter(|word| *word != "--single-label").collect::<Vec<_>>()),
        1,
        &["another recipe.task", "\"single-label\" instead of \"multi-label\""],
    );
}

#[test]
fn multi_label_runs_and_figures_do_not_mention_a_task() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    data_set(folder);
    assert_done(&train(folder, "run", &["--image", "image", "--head", "mean", "--epochs", "1"]));
    for file in ["recipe.json", "epochs.jsonl", "results.json"] {
        let text = fs::read_to_string(folder.join("run").join(file)).unwrap();
        assert!(!text.contains("task") && !text.contains("top_1"), "{file}: {text}");
    }
}

#[test]
fn a_video_with_no_label_or_several_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    data_set(folder);
    let table = fs::read_to_string(folder.join("table.csv")).unwrap();
    let count = |line: &str| line.split(',').skip(1).take(LABELS.len()).filter(|cell| *cell == "1").count();
    let (row, bad) = (1..).zip(table.lines().skip(1)).find(|(_, line)| count(line) != 1).unwrap();
    let video = bad.split(',').next().unwrap();
    let found = if count(bad) == 0 { "no label".to_owned() } else { format!("{} labels", count(bad)) };
    let words = ["table.csv", &format!("row {row}: {video} has {found}"), "--single-label needs exactly one"];
    assert_fails(&train(folder, "run", &["--single-label", "--image", "image"]), 1, &words);
    fs::write(folder.join("p.csv"), "video,fun\n").unwrap();
    let evaluate = ["evaluate", "table.csv", "--single-label", "--predictions", "p.csv"];
    assert_fails(&models(folder, &evaluate), 1, &words);
    let fit = ["fit-backbone", "shufflenet-2d", "table.csv", "--single-label", "--output", "run"];
    assert_fails(&models(folder, &fit), 1, &words);
    assert!(!folder.join("run").exists());
}

#[test]
fn a_teacher_and_its_pupil_have_one_task() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    single_label_data_set(folder);
    let how = ["--head", "mean", "--epochs", "25", "--rate", "5e-3"];
    assert_done(&train(folder, "teacher", &[&FUSED[..], &how, &["--single-label"]].concat()));
    let distill = |output: &str, more: &[&str]| {
        let streams = ["--teacher", "teacher", "--teacher-image", "image", "--teacher-video", "video"];
        let own = ["--image", "image", "--video", "video", "--clips", "8", "--batch", "16", "--output", output];
        models(folder, &[&["distill", "table.csv"], &streams[..], &own, &how, more].concat())
    };
    let text = stdout(&distill("pupil", &["--single-label"]));
    let cells = |name: &str| -> Vec<f64> {
        let line = text.lines().find(|line| line.starts_with(name)).unwrap();
        line.split_whitespace().skip(1).map(|cell| cell.parse().unwrap()).collect()
    };
    assert!(text.lines().next().unwrap().ends_with("top-1"), "{text}");
    assert!(["teacher", "plain", "distilled"].iter().all(|name| cells(name)[4] > 80.0), "{text}");
    let gain = cells("distilled")[4] - cells("plain")[4];
    assert!((cells("gain")[4] - gain).abs() < 0.011, "{text}");
    assert_fails(&distill("other", &[]), 1, &["the teacher is single-label", "would be multi-label"]);
}

/// Copies a folder.
fn copy(from: &Path, to: &Path) {
    fs::create_dir(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        fs::copy(entry.path(), to.join(entry.file_name())).unwrap();
    }
}

/// Builds a bundle in `folder` with single-label heads trained on vectors of the sample. Its run is
/// `run`.
fn bundle(folder: &Path) {
    let sample = sample();
    for (stream, network, seed) in [("image", "shufflenet-2d", "5"), ("video", "shufflenet-3d", "6")] {
        let extract = ["extract", sample.to_str().unwrap(), "--network", network, "--seed", seed];
        assert_done(&models(folder, &[&extract[..], &["--fps", "4", "--store", stream]].concat()));
        (1..7).for_each(|n| copy(&folder.join(stream).join("sintel-trailer"), &folder.join(format!("{stream}/v{n}"))));
    }
    let table = "video,fun,fear,war,split0\nsintel-trailer.mp4,1,0,0,2\n\
        v1,1,0,0,0\nv2,0,1,0,0\nv3,0,0,1,0\nv4,1,0,0,1\nv5,0,1,0,1\nv6,1,0,0,0\n";
    fs::write(folder.join("table.csv"), table).unwrap();
    let how = ["--single-label", "--epochs", "3", "--rate", "1e-3"];
    assert_done(&train(folder, "run", &[&FUSED[..], &how].concat()));
    assert_done(&models(folder, &["build", "--run", "run", "--output", "bundle", "--precision", "f32"]));
}

/// Returns the sum of an event's probabilities.
fn sum(event: &Value) -> f64 {
    event["probabilities"].as_object().unwrap().values().map(|value| value.as_f64().unwrap()).sum()
}

#[test]
fn a_single_label_bundle_says_so_everywhere_and_its_probabilities_sum_to_one() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    bundle(folder);
    let path = folder.join("bundle");
    let manifest = read_json(&path.join("manifest.json"));
    assert_eq!((&manifest["schema"], &manifest["task"]), (&json!(2), &json!("single-label")));
    assert!(manifest["metrics"]["test at 4 top-1"].is_f64(), "{manifest}");
    let card = fs::read_to_string(path.join("README.md")).unwrap();
    assert!(card.contains("a video has exactly one") && card.contains("softmax and cross entropy"), "{card}");
    let divita = |arguments: &[&str]| {
        stdout(&program("divita").args(arguments).arg("--bundle").arg(&path).arg(sample()).output().unwrap())
    };
    let about = |command: &str| stdout(&program("divita").arg(command).arg(&path).output().unwrap());
    assert!(about("inspect").contains("single-label: one softmax"));
    assert!(about("verify").contains("single-label") && about("verify").contains("\nverified"));

    let schema = event_schema();
    let events = json_lines(&divita(&["classify", "--fps", "4", "--format", "jsonl"]));
    events.iter().for_each(|event| assert!(schema.is_valid(event), "{event}"));
    let said: Vec<&Value> = events.iter().filter(|event| event.get("probabilities").is_some()).collect();
    assert!(said.len() > 10);
    said.iter().for_each(|event| assert!((sum(event) - 1.0).abs() < 1e-5, "{event}"));
    let result = events.iter().find(|event| event["event"] == "result").unwrap();
    assert_eq!(result["task"], "single-label");
    // `divita` and training give the same probabilities for a video.
    let trained = predictions(folder, "run");
    let (_, trained) = trained.iter().find(|(video, _)| video.starts_with("sintel")).unwrap();
    for (label, trained) in ["fun", "fear", "war"].into_iter().zip(trained) {
        let said = result["probabilities"][label].as_f64().unwrap();
        assert!((said - trained).abs() < 1e-3, "{label}: {said} {trained}");
    }
    assert!(divita(&["classify", "--fps", "4"]).contains("\n  one label: the probabilities sum to 1\n"));
    let table = divita(&["classify", "--fps", "4", "--format", "csv"]);
    let [heading, line] = table.lines().collect::<Vec<_>>()[..] else { panic!("{table}") };
    let cells = |line: &str| line.split(',').map(str::to_owned).collect::<Vec<String>>();
    let (heading, line) = (cells(heading), cells(line));
    assert_eq!(heading[8..], ["task", "fun", "fear", "war"]);
    assert_eq!(line[8], "single-label");
    assert!((line[9..].iter().map(|cell| cell.parse::<f64>().unwrap()).sum::<f64>() - 1.0).abs() < 1e-5);

    // An older program would apply sigmoids, so the manifest must exclude it. One label is no
    // choice.
    for (key, value, words) in [
        ("schema", json!(1), &["schema: 1", "need 2"][..]),
        ("task", json!("ranking"), &["manifest.json: unknown variant `ranking`", "`single-label`"]),
        ("labels", json!(["fun"]), &["single-label needs at least 2 labels"]),
    ] {
        let mut changed = manifest.clone();
        changed[key] = value;
        fs::write(path.join("manifest.json"), serde_json::to_vec(&changed).unwrap()).unwrap();
        assert_fails(&program("divita").arg("inspect").arg(&path).output().unwrap(), 1, words);
    }
}

/// Writes videos of two seconds, red, green or blue, with the colour as label.
fn coloured_videos(folder: &Path) {
    let (width, height) = (96, 64);
    let mut table = "video,red,green,blue,split0\n".to_owned();
    for video in 0..30 {
        let colour = video % 3;
        let one_hot = ["1,0,0", "0,1,0", "0,0,1"][colour];
        table.push_str(&format!("v{video}.y4m,{one_hot},{}\n", usize::from(video % 6 < 3 && video > 5)));
        let (cb, cr) = [(100, 190), (90, 80), (190, 110)][colour];
        let mut file = format!("YUV4MPEG2 W{width} H{height} F12:1 C420jpeg\n").into_bytes();
        for frame in 0..24 {
            file.extend_from_slice(b"FRAME\n");
            let luma = |at: usize| 60 + (80.0 * chance((at / 8 + 31 * video + frame / 24) as u64)) as u8;
            file.extend((0..width * height).map(luma));
            file.extend(std::iter::repeat_n(cb, width * height / 4));
            file.extend(std::iter::repeat_n(cr, width * height / 4));
        }
        fs::write(folder.join(format!("v{video}.y4m")), file).unwrap();
    }
    fs::write(folder.join("table.csv"), table).unwrap();
}

#[test]
fn a_backbone_learns_which_label_a_video_has() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    coloured_videos(folder);
    let fit = ["fit-backbone", "shufflenet-2d", "table.csv", "--single-label", "--output", "run", "--epochs", "12"];
    let quick = ["--kept", "2", "--clips", "2", "--batch", "4", "--shrink", "4"];
    assert_done(&models(folder, &[&fit[..], &quick].concat()));
    assert_eq!(read_json(&folder.join("run/recipe.json"))["recipe"]["task"], "single-label");
    let epochs = json_lines(&fs::read_to_string(folder.join("run/epochs.jsonl")).unwrap());
    let best = epochs.iter().rfind(|epoch| epoch["best"] == json!(true)).unwrap();
    assert!(best["top_1"].as_f64().unwrap() > 0.8, "{epochs:?}");
    assert!(folder.join("run/backbone.safetensors").exists());
}
