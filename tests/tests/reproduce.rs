//! `divita-models reproduce`: the paper's tables on small stores of the published layout.
#![allow(clippy::unwrap_used)]

use std::fs;
use std::path::Path;
use std::process::Output;

use divita_tests::data_set::data_set;
use divita_tests::{assert_fails, program, stderr, stdout};
use serde_json::{Value, json};

fn reproduce(folder: &Path, more: &[&str]) -> Output {
    let mut command = program("divita-models");
    command.current_dir(folder).args(["reproduce", "trailers12k", "--output", "runs", "--epochs", "2"]);
    command.args(["--splits", "split0,split1"]).args(more).output().unwrap()
}

/// Writes a small folder like Trailers12k: a table with two splits, and two of the six stores.
fn published(folder: &Path) {
    let to = folder.join("trailers12k");
    fs::create_dir(&to).unwrap();
    data_set(&to);
    fs::rename(to.join("image"), to.join("trailers_i_swin_fpc24.zarr")).unwrap();
    fs::rename(to.join("video"), to.join("trailers_k_shufflenet_fps24_fpc24.zarr")).unwrap();
    let table = fs::read_to_string(to.join("table.csv")).unwrap();
    let lines = table.lines().enumerate().map(|(at, line)| match at {
        0 => format!("{line},split1\n"),
        at => format!("{line},{}\n", [0, 0, 1, 2][at % 4]),
    });
    fs::write(to.join("mtgc.csv"), lines.collect::<String>()).unwrap();
}

#[test]
fn what_can_be_run_is_and_of_the_rest_it_says_why_not() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    published(folder);
    let output = reproduce(folder, &["--tables", "9,10,11", "--json", "--plot", "figure10.svg"]);
    assert!(stderr(&output).contains("is not the published table"), "{}", stderr(&output));
    let rows: Vec<Value> = serde_json::from_str(&stdout(&output)).unwrap();
    let row = |table: u64, name: &str| rows.iter().find(|row| row["table"] == table && row["row"] == name).unwrap();
    for (table, name) in
        [(9, "I, GRU"), (9, "I, Conv"), (9, "I, Transformer"), (10, "ShuffleNet-3D"), (11, "DIViTA Swin-2D")]
    {
        assert!(row(table, name)["here"]["mu_ap"]["mean"].as_f64().unwrap() > 10.0, "{name}");
        assert!(row(table, name)["not_run"].is_null());
    }
    assert_eq!(row(9, "IK, Transformer")["paper"]["mu_ap"]["mean"], 75.57);
    for (table, name, why) in [
        (9, "IK, GRU", "trailers_ik_swin_fps24_fpc24.zarr is published"),
        (10, "ShuffleNet-F", "trailers_i_shufflenet_fpc24.zarr"),
        (11, "fastVideo", "trailers_i_resnet_fpc24.zarr is published"),
        (
            11,
            "TimeSformer",
            "--network timesformer --weights FILE --fps 8 --store trailers_i_timesformer_fps8_fpc8.zarr",
        ),
    ] {
        assert!(row(table, name)["here"].is_null());
        assert!(row(table, name)["not_run"].as_str().unwrap().contains(why), "{name}: {}", row(table, name));
    }
    assert!(row(11, "TimeSformer")["but"].as_str().unwrap().contains("frozen"));
    // Figure 10 has the paper's eight points and our two, in both panels.
    let figure = fs::read_to_string(folder.join("figure10.svg")).unwrap();
    assert_eq!((figure.matches(", paper: muAP").count(), figure.matches(", here: muAP").count()), (16, 4));
    // The same run is in several tables, with the figures of both splits.
    assert_eq!(row(9, "I, Transformer")["here"], row(11, "DIViTA Swin-2D")["here"]);
    let of = |split: &str| -> f64 {
        let results = fs::read(folder.join(format!("runs/i_swin_fpc24-cat-30-{split}/results.json"))).unwrap();
        serde_json::from_slice::<Value>(&results).unwrap()["test"][0]["mu_ap"].as_f64().unwrap()
    };
    let (one, other) = (100.0 * of("split0"), 100.0 * of("split1"));
    let here = &row(9, "I, Transformer")["here"]["mu_ap"];
    assert!((here["mean"].as_f64().unwrap() - (one + other) / 2.0).abs() < 1e-9);
    assert!((here["standard_deviation"].as_f64().unwrap() - (one - other).abs() / 2f64.sqrt()).abs() < 1e-9);

    // Other methods, on other stores.
    fs::rename(
        folder.join("trailers12k/trailers_i_swin_fpc24.zarr"),
        folder.join("trailers12k/trailers_i_resnet_fpc24.zarr"),
    )
    .unwrap();
    let others = stdout(&reproduce(folder, &["--tables", "11"]));
    fs::rename(
        folder.join("trailers12k/trailers_i_resnet_fpc24.zarr"),
        folder.join("trailers12k/trailers_i_swin_fpc24.zarr"),
    )
    .unwrap();
    let lines: Vec<&str> = others.lines().collect();
    for name in ["CTT-MMC-A", "fastVideo"] {
        let at = lines.iter().position(|line| line.trim().starts_with(name)).unwrap();
        assert!(lines[at + 1].contains(" here ") && lines[at + 1].matches(" ± ").count() == 4, "{others}");
        assert!(lines[at + 2].contains("vectors of ResNet-50"), "{others}");
    }

    // A store of another network does not match its name.
    let store = folder.join("trailers12k/trailers_k_shufflenet_fps24_fpc24.zarr/.zattrs");
    let published = fs::read_to_string(&store).unwrap();
    for (fact, words) in [
        (r#""network": "resnet""#, r#"its network is "resnet", not "shufflenet-3d""#),
        (r#""fps": 8"#, "its fps is 8, not 24"),
        (r#""weights": "seeded, untrained: 7""#, "was made with seeded, untrained: 7"),
    ] {
        fs::write(&store, published.replacen('{', &format!("{{{fact},"), 1)).unwrap();
        let table = stdout(&reproduce(folder, &["--tables", "10"]));
        assert!(table.contains(words), "{words:?} is not in {table}");
    }
    fs::write(&store, published).unwrap();

    // A second run trains nothing, and prints a table.
    let written =
        || fs::metadata(folder.join("runs/i_swin_fpc24-gru-30-split0/last.safetensors")).unwrap().modified().unwrap();
    let before = written();
    let table = stdout(&reproduce(folder, &["--tables", "6,9"]));
    assert_eq!(written(), before);
    for words in [
        "Table 6: clips of shots, and across them",
        "70.83 ± 1.93",
        "trailers_i_swin_fpc24_seq.zarr is not published",
        "--network swin-2d --weights FILE --fps 24 --segmentation seq",
        "clips are of 4, 6, 8, 12 or 24 frames here",
    ] {
        assert!(table.contains(words), "{words:?} is not in {table}");
    }
}

#[test]
fn archives_are_held_to_the_published_sums() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    published(folder);
    let store = folder.join("trailers12k/trailers_i_swin_fpc24.zarr");
    let archive = folder.join("trailers12k/trailers_i_swin_fpc24.zarr.tar.gz");
    fs::write(&archive, "abc").unwrap();
    // RFC 1321 has the sum of "abc".
    let words = ["zarr.tar.gz: its MD5 is 900150983cd24fb0d6963f7d28e17f72", "not d544acb0", "fetch it again"];
    assert_fails(&reproduce(folder, &["--tables", "10"]), 1, &words);
    // An unpacked store records its archive, which is not read again.
    let mark = r#"{"archive": "trailers_i_swin_fpc24.zarr.tar.gz", "md5": "900150983cd24fb0d6963f7d28e17f72"}"#;
    fs::write(store.join(".divita-source.json"), mark).unwrap();
    let rows = stdout(&reproduce(folder, &["--tables", "10", "--rows", "Swin-2D", "--json"]));
    let rows: Vec<Value> = serde_json::from_str(&rows).unwrap();
    assert_eq!((rows.len(), &rows[0]["row"], &rows[0]["data"]), (1, &json!("Swin-2D"), &json!("not-published")));
    // If only the archive exists, it is unpacked first.
    fs::remove_dir_all(&store).unwrap();
    assert_fails(&reproduce(folder, &["--tables", "10"]), 1, &["trailers_i_swin_fpc24.zarr.tar.gz cannot be unpacked"]);
    assert!(!store.exists());
    fs::remove_file(&archive).unwrap();

    let none = reproduce(folder, &["--tables", "7"]);
    assert!(stdout(&none).contains("72.55 ± 0.89") && stderr(&none).contains("cannot train any row"));
    let words = ["--rows Swin: no such row in these tables", "ShuffleNet-F"];
    assert_fails(&reproduce(folder, &["--tables", "10", "--rows", "Swin"]), 1, &words);
    assert_fails(&reproduce(&folder.join("trailers12k"), &[]), 1, &["mtgc.csv"]);
    assert_fails(&reproduce(folder, &["--tables", "5"]), 2, &["6..=11"]);
    assert_fails(&reproduce(folder, &["--tables", "9", "--plot", "x.svg"]), 1, &["--plot draws Table 10"]);
}
