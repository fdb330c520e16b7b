//! A user's labelled videos: class folders, `video,label` and JSON Lines, from the table to
//! trained heads, and errors of bad tables and unusual files.
#![allow(clippy::unwrap_used)]

use std::fs;
use std::path::Path;
use std::process::Output;

use divita_models::{dataset::label_table::LabelTable, representations::Store};
use divita_tests::{assert_fails, program, stderr, stdout};
use serde_json::Value;

const CLASSES: [&str; 3] = ["drama", "horror", "sci-fi"];

fn models(folder: &Path, arguments: &[&str]) -> Output {
    program("divita-models").current_dir(folder).args(arguments).output().unwrap()
}

fn done(output: Output) -> String {
    assert!(output.status.success(), "{}", stderr(&output));
    stderr(&output)
}

/// Writes twenty synthetic trailers into `folder`/films, each into one class folder, every fifth
/// also into another, beside files that are not videos.
fn class_folders(folder: &Path) {
    done(models(folder, &["synth", "--count", "20", "--seconds", "3", "--size", "96x64", "--output", "made"]));
    for class in CLASSES {
        fs::create_dir_all(folder.join("films").join(class)).unwrap();
    }
    for number in 0..20 {
        let name = format!("synthetic-{number:05}.mp4");
        let to = |class: usize| folder.join("films").join(CLASSES[class % 3]).join(&name);
        fs::copy(folder.join("made").join(&name), to(number)).unwrap();
        if number % 5 == 0 {
            fs::copy(folder.join("made").join(&name), to(number + 1)).unwrap();
        }
    }
    fs::write(folder.join("films/notes.txt"), "notes").unwrap();
    fs::write(folder.join("films/drama/.trash.mp4"), "").unwrap();
}

#[test]
fn class_folders_become_a_trained_and_evaluated_run() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    class_folders(folder);
    let said =
        done(models(folder, &["split", "films", "--splits", "1", "--ratios", "60,20,20", "--output", "films.csv"]));
    assert!(said.contains("skipped 1 file in films/: notes.txt (not a format that this build reads)"), "{said}");
    assert!(said.contains("skipped 1 file in films/: drama/.trash.mp4 (hidden)"), "{said}");
    let table = LabelTable::read(&folder.join("films.csv")).unwrap();
    assert_eq!(table.labels, CLASSES);
    assert_eq!((table.videos.len(), table.rows.iter().flatten().filter(|label| **label).count()), (20, 24));
    let row = table.videos.iter().position(|video| video == "drama/synthetic-00000.mp4").unwrap();
    assert_eq!(table.rows[row], [true, true, false]);

    let store = ["--network", "shufflenet-2d", "--seed", "1", "--fps", "4", "--store", "image.zarr"];
    let said = done(models(folder, &[&["extract", "films"], &store[..]].concat()));
    assert!(said.contains("20 videos done"), "{said}");
    assert_eq!(Store::open(&folder.join("image.zarr")).unwrap().ids().unwrap().len(), 20);
    let how = ["--head", "mean", "--clips", "3", "--batch", "4", "--epochs", "2"];
    done(models(folder, &[&["train", "films.csv", "--image", "image.zarr", "--output", "run"], &how[..]].concat()));
    let evaluate = ["evaluate", "films.csv", "--predictions", "split0=run/predictions.csv", "--json"];
    let evaluated: Value = serde_json::from_str(&stdout(&models(folder, &evaluate))).unwrap();
    let test = table.splits[0].parts.iter().filter(|part| part.name() == "test").count();
    assert_eq!(evaluated[0]["videos"], test);
    assert!(evaluated[0]["mu_ap"].as_f64().unwrap() > 0.0, "{evaluated}");

    // A backbone learns from the same table, and a bundle's predictions for the folder are
    // evaluated, copies too.
    let fit = ["fit-backbone", "shufflenet-2d", "films.csv", "--videos", "films", "--output", "fit"];
    done(models(folder, &[&fit[..], &["--epochs", "1", "--kept", "2", "--clips", "1", "--shrink", "4"]].concat()));
    let mut classify = program("divita");
    classify.current_dir(folder).args(["classify", "films", "--format", "jsonl", "--bundle"]);
    let classified = classify.arg(divita_tests::demo_bundle()).output().unwrap();
    fs::write(folder.join("said.jsonl"), stdout(&classified)).unwrap();
    assert!(stderr(&classified).contains("drama/.trash.mp4 (hidden)"), "{}", stderr(&classified));
    let scored = stdout(&models(folder, &["evaluate", "films", "--predictions", "said.jsonl"]));
    assert!(scored.contains("horror"), "{scored}");

    // A folder has no splits, and two films cannot have one id.
    let train = ["train", "films", "--image", "image.zarr", "--output", "new"];
    assert_fails(&models(folder, &train), 1, &["films has no split split0", "Make splits with `divita-models split`"]);
    fs::copy(folder.join("made/synthetic-00001.mp4"), folder.join("films/drama/synthetic-00002.mp4")).unwrap();
    let words = ["films/drama/synthetic-00002.mp4 and films/sci-fi/synthetic-00002.mp4 are different videos"];
    assert_fails(&models(folder, &["split", "films"]), 1, &words);
    // The other videos are extracted all the same.
    let store = ["--network", "shufflenet-2d", "--seed", "1", "--fps", "4", "--store", "other.zarr"];
    let extracted = models(folder, &[&["extract", "films"], &store[..]].concat());
    assert_fails(&extracted, 1, &["1 videos have names that a store cannot use"]);
    assert!(stderr(&extracted).contains(words[0]), "{}", stderr(&extracted));
    assert_eq!(Store::open(&folder.join("other.zarr")).unwrap().ids().unwrap().len(), 19);
}

#[test]
fn lists_of_labels_train_as_a_table_of_0_and_1_does() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    divita_tests::data_set::data_set(folder);
    let table = LabelTable::read(&folder.join("table.csv")).unwrap();
    let (mut lists, mut json) = ("video,labels,split0\n".to_owned(), String::new());
    let mut zeros = "video,fear,fun,love,war,split0\n".to_owned();
    for (at, (video, row)) in table.videos.iter().zip(&table.rows).enumerate() {
        let mut labels: Vec<&str> = row.iter().zip(&table.labels).filter(|(has, _)| **has).map(|(_, l)| &**l).collect();
        // `video,labels` needs a label.
        if labels.is_empty() {
            labels.push("war");
        }
        let part = table.splits[0].parts[at];
        lists.push_str(&format!("{video},{},{}\n", labels.join("|"), part.name()));
        let line = serde_json::json!({"video": video, "labels": labels, "split0": part as usize});
        json.push_str(&format!("{line}\n"));
        let has = ["fear", "fun", "love", "war"].map(|label| u8::from(labels.contains(&label)).to_string());
        zeros.push_str(&format!("{video},{},{}\n", has.join(","), part as usize));
    }
    fs::write(folder.join("lists.csv"), lists).unwrap();
    fs::write(folder.join("lists.jsonl"), json).unwrap();
    fs::write(folder.join("zeros.csv"), zeros).unwrap();
    let train = |table: &str, run: &str| {
        let how = ["--image", "image", "--head", "mean", "--clips", "8", "--epochs", "2", "--output", run];
        done(models(folder, &[&["train", table], &how[..]].concat()));
        fs::read(folder.join(run).join("best.safetensors")).unwrap()
    };
    let weights = train("zeros.csv", "zeros");
    assert!(train("lists.csv", "lists") == weights && train("lists.jsonl", "json") == weights);
    // `split` makes the same table of all three.
    for table in ["lists.csv", "lists.jsonl", "zeros.csv"] {
        let to = format!("{table}.split");
        done(models(folder, &["split", table, "--splits", "1", "--output", &to]));
    }
    let read = |name: &str| fs::read(folder.join(name)).unwrap();
    assert!(read("lists.csv.split") == read("zeros.csv.split") && read("lists.jsonl.split") == read("zeros.csv.split"));
}

#[test]
fn a_bad_table_is_an_error_that_names_the_line_and_the_forms() {
    let folder = tempfile::tempdir().unwrap();
    let fails = |name: &str, text: &str, said: &str| {
        fs::write(folder.path().join(name), text).unwrap();
        for command in [&["split", name][..], &["describe", name], &["train", name, "--image", "i", "--output", "r"]] {
            assert_fails(&models(folder.path(), command), 1, &[name, said, "Accepted forms: CSV with", "JSON Lines"]);
        }
    };
    fails("a.csv", "video,label\na.mp4,horror\nb.mp4,\n", "line 3, column label: a label is empty");
    fails("a.csv", "video,label\na.mp4,horror\n\nb.mp4,drama,2\n", "line 4: the line has 3 values, the heading 2");
    fails("a.csv", "path,label\na.mp4,horror\n", "line 2, column label: \"horror\" is not 0 or 1");
    fails("a.csv", "video;label\na.mp4;horror\n", "line 1: the heading has no column of a label");
    fails(
        "a.jsonl",
        "{\"video\": \"a.mp4\", \"labels\": [\"x\"]}\n{\"video\": \"b.mp4\"}\n",
        "line 2: labels: the key is missing",
    );
    fails(
        "a.jsonl",
        "{\"video\": \"a.mp4\", \"labels\": [\"x\"]}\n{\"video\": \"b.mp4\"\n",
        "line 2: not a JSON object",
    );
    fs::create_dir(folder.path().join("films")).unwrap();
    fs::write(folder.path().join("films/loose.mp4"), "").unwrap();
    let split = models(folder.path(), &["split", "films"]);
    assert_fails(&split, 1, &["films: the folder has no sub-folder with videos", "films/horror/a.mp4"]);
    assert!(stderr(&split).contains("loose.mp4 (in no class folder)"), "{}", stderr(&split));
    assert_fails(&models(folder.path(), &["split", "none.csv"]), 1, &["none.csv: cannot be read: No such file"]);
}

#[test]
fn one_bad_file_does_not_stop_extract_before_its_first_video() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    fs::create_dir_all(folder.join("films/deep/er")).unwrap();
    let frame = [&b"FRAME\n"[..], &[120; 64 * 48 * 3 / 2]].concat();
    let video = [&b"YUV4MPEG2 W64 H48 F4:1\n"[..], &frame.repeat(8)].concat();
    for (name, bytes) in [
        ("films/.trash.mp4", &b""[..]),
        ("films/a.mp4", b"damaged"),
        ("films/b?.y4m", &video),
        ("films/cover.bmp", b"BM"),
        ("films/deep/er/c.y4m", &video),
    ] {
        fs::write(folder.join(name), bytes).unwrap();
    }
    let store = ["--network", "shufflenet-2d", "--seed", "1", "--store", "store"];
    let extracted = models(folder, &[&["extract", "films"], &store[..]].concat());
    assert_fails(&extracted, 1, &["1 of 2 videos failed, and 1 videos have names that a store cannot use"]);
    let said = stderr(&extracted);
    for words in [
        "skipped 1 file in films/: cover.bmp (not a format that this build reads)",
        "skipped 1 file in films/: .trash.mp4 (hidden)",
        "films/a.mp4: ",
        "films/b?.y4m: ",
    ] {
        assert!(said.contains(words), "{words:?} is not in {said}");
    }
    assert_eq!(Store::open(&folder.join("store")).unwrap().ids().unwrap(), ["c"]);
}
