//! `divita-models fit-backbone`: training of backbones, and refusals.
#![allow(clippy::unwrap_used)]

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use divita_tests::data_set::chance;
use divita_tests::{assert_fails, program, stderr};
use serde_json::Value;

const VIDEOS: usize = 28;
/// Width and height of the videos.
const SIZE: (usize, usize) = (96, 64);

fn is_red(video: usize) -> bool {
    chance(7 * video as u64) < 0.5
}

fn is_moving(video: usize) -> bool {
    chance(7 * video as u64 + 3) < 0.5
}

/// Writes videos of two seconds, red or blue, moving or still, and their table.
fn data_set(folder: &Path) {
    let mut table = "video,red,moving,split0\n".to_owned();
    for video in 0..VIDEOS {
        let (red, moving) = (is_red(video), is_moving(video));
        table.push_str(&format!(
            "v{video}.y4m,{},{},{}\n",
            u8::from(red),
            u8::from(moving),
            usize::from(video % 4 == 0)
        ));
        let (width, height) = SIZE;
        let mut file = format!("YUV4MPEG2 W{width} H{height} F12:1 C420jpeg\n").into_bytes();
        for frame in 0..24 {
            let shift = if moving { 5 * frame } else { 3 * video };
            let luma = |x: usize, y: usize| 40 + (120.0 * chance(((x + shift) / 8 + y / 8 * 977) as u64)) as u8;
            file.extend_from_slice(b"FRAME\n");
            file.extend((0..height).flat_map(|y| (0..width).map(move |x| luma(x, y))));
            let (blue_difference, red_difference) = if red { (110, 170) } else { (170, 110) };
            file.extend(std::iter::repeat_n(blue_difference, width * height / 4));
            file.extend(std::iter::repeat_n(red_difference, width * height / 4));
        }
        fs::write(folder.join(format!("v{video}.y4m")), file).unwrap();
    }
    fs::write(folder.join("table.csv"), table).unwrap();
}

fn fit(folder: &Path, network: &str, output: &str, more: &[&str]) -> Command {
    let mut command = program("divita-models");
    command.current_dir(folder).args(["fit-backbone", network, "table.csv", "--output", output]);
    command.args(["--kept", "2", "--clips", "2", "--batch", "4"]).args(more);
    command
}

/// Returns the figures of the epochs of a run.
fn epochs(folder: &Path, run: &str) -> Vec<Value> {
    let lines = fs::read_to_string(folder.join(run).join("epochs.jsonl")).unwrap();
    lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// Repeats the run `first`, kills it after its first epoch, resumes it, and compares the results.
fn kill_and_resume(folder: &Path, network: &str, [first, again]: [&str; 2], how: &[&str]) {
    let mut killed = fit(folder, network, again, how).spawn().unwrap();
    while !folder.join(again).join("last.safetensors").exists() {
        assert!(killed.try_wait().unwrap().is_none(), "it ended before it was killed");
        std::thread::sleep(Duration::from_millis(20));
    }
    killed.kill().unwrap();
    killed.wait().unwrap();
    let resumed = fit(folder, network, again, &[how, &["--resume"]].concat()).output().unwrap();
    assert!(resumed.status.success(), "{}", stderr(&resumed));
    for file in ["backbone.safetensors", "last.safetensors", "epochs.jsonl"] {
        let bytes = |run: &str| fs::read(folder.join(run).join(file)).unwrap();
        assert!(bytes(first) == bytes(again), "{file}");
    }
}

#[test]
fn a_backbone_learns_to_see_what_the_labels_mean() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    data_set(folder);
    let how = ["--epochs", "8", "--rate", "3e-3", "--seed", "3"];
    let fitted = fit(folder, "shufflenet-3d", "run", &how).output().unwrap();
    assert!(fitted.status.success(), "{}", stderr(&fitted));
    let figures = epochs(folder, "run");
    let best = figures.iter().rfind(|epoch| epoch["best"] == true).unwrap();
    assert!(best["m_ap"].as_f64().unwrap() > 0.95, "{figures:?}");
    // The learning rate rises, then falls almost to zero.
    let rates: Vec<f64> = figures.iter().map(|epoch| epoch["rate"].as_f64().unwrap()).collect();
    assert!(rates[0] < rates[1], "{rates:?}");
    assert!(rates[1..].is_sorted_by(|one, next| one > next) && rates[7] < 0.1 * rates[1], "{rates:?}");

    // A head can learn from the vectors that `extract` makes with it.
    let models = |arguments: &[&str]| program("divita-models").current_dir(folder).args(arguments).output().unwrap();
    let weights = ["--network", "shufflenet-3d", "--weights", "run/backbone.safetensors"];
    let made = models(&[&["extract", ".", "--fps", "4", "--store", "store"], &weights[..]].concat());
    assert!(made.status.success(), "{}", stderr(&made));
    let head = ["--head", "mean", "--clips", "2", "--batch", "4", "--epochs", "40", "--rate", "5e-3"];
    let trained = models(&[&["train", "table.csv", "--video", "store", "--output", "head"], &head[..]].concat());
    assert!(trained.status.success(), "{}", stderr(&trained));
    let best = epochs(folder, "head").into_iter().rfind(|epoch| epoch["best"] == true).unwrap();
    assert!(best["m_ap"].as_f64().unwrap() > 0.9, "{best}");

    // `import` keeps the record of the split.
    let imported = models(&["import", "shufflenet-3d", "run/backbone.safetensors", "--output", "imported.safetensors"]);
    assert!(imported.status.success(), "{}", stderr(&imported));
    let imported = fs::read(folder.join("imported.safetensors")).unwrap();
    assert!(String::from_utf8_lossy(&imported[..4096]).contains("split0"));

    // No warning if the backbone has not seen the heads' test videos, else a warning.
    assert!(!stderr(&trained).contains("another split"), "{}", stderr(&trained));
    let table = fs::read_to_string(folder.join("table.csv")).unwrap();
    let other = table.lines().enumerate().map(|(at, line)| match (at, line.rsplit_once(',').unwrap()) {
        (0, _) => format!("{line}\n"),
        (at, (before, _)) => format!("{before},{}\n", usize::from(at % 4 == 2)),
    });
    fs::write(folder.join("other.csv"), other.collect::<String>()).unwrap();
    let others = models(&[&["train", "other.csv", "--video", "store", "--output", "other"], &head[..]].concat());
    let said = "the backbone of the video stream was fitted by another split, split0 of table.csv";
    assert!(others.status.success() && stderr(&others).contains(said), "{}", stderr(&others));
    for (run, warned) in [("head", false), ("other", true)] {
        let card = format!("{run}-bundle");
        let built = ["--video-weights", "run/backbone.safetensors", "--output", &card];
        let built = models(&[&["build", "--run", run], &built[..]].concat());
        assert!(built.status.success(), "{}", stderr(&built));
        let card = fs::read_to_string(folder.join(card).join("README.md")).unwrap();
        assert!(card.contains("shufflenet-3d from scratch by `divita-models fit-backbone` on table.csv"), "{card}");
        assert_eq!(card.contains("; it was fitted by another split, split0 of table.csv"), warned, "{card}");
    }

    // A killed run reaches the same weights.
    kill_and_resume(folder, "shufflenet-3d", ["run", "again"], &how);
    // A finished run stays, even without its videos.
    fs::remove_file(folder.join("v1.y4m")).unwrap();
    let over = fit(folder, "shufflenet-3d", "again", &[&how[..], &["--resume"]].concat()).output().unwrap();
    assert!(over.status.success() && stderr(&over).contains("is finished"), "{}", stderr(&over));
    // It has no heads for a bundle or a teacher.
    assert_fails(&models(&["build", "--run", "run", "--output", "bundle"]), 1, &["of a run of `fit-backbone`"]);
}

#[test]
fn fine_tuning_goes_on_from_the_weights_of_a_file() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    data_set(folder);
    let long = ["--epochs", "8", "--rate", "3e-3", "--seed", "3"];
    let fitted = fit(folder, "shufflenet-3d", "run", &long).output().unwrap();
    assert!(fitted.status.success(), "{}", stderr(&fitted));
    let from = "run/backbone.safetensors";

    // One epoch from trained weights is better than one from random weights, for the same work.
    let short = ["--epochs", "3", "--rate", "1e-3", "--seed", "4"];
    let tuning = [&short[..], &["--from", from]].concat();
    for (output, how) in [("scratch", &short[..]), ("tuned", &tuning)] {
        let fitted = fit(folder, "shufflenet-3d", output, how).output().unwrap();
        assert!(fitted.status.success(), "{}", stderr(&fitted));
    }
    let first = |run: &str, figure: &str| epochs(folder, run)[0][figure].as_f64().unwrap();
    assert!(first("tuned", "train_loss") < first("scratch", "train_loss"));
    assert!(first("tuned", "validation_loss") < first("scratch", "validation_loss"));
    kill_and_resume(folder, "shufflenet-3d", ["tuned", "again"], &tuning);

    // Another file, or none, is another run.
    let resume = |more: &[&str]| {
        fit(folder, "shufflenet-3d", "tuned", &[&short[..], &["--resume"], more].concat()).output().unwrap()
    };
    assert_fails(&resume(&[]), 1, &["another initial_weights", "null"]);
    assert_fails(&resume(&["--from", "scratch/backbone.safetensors"]), 1, &["another initial_weights"]);
    // For another network, the error names both.
    let other = fit(folder, "shufflenet-2d", "new", &["--from", from]).output().unwrap();
    assert_fails(&other, 1, &["run/backbone.safetensors: contains the weights of shufflenet-3d, not of shufflenet-2d"]);
    let absent = fit(folder, "shufflenet-3d", "new", &["--from", "none.safetensors"]).output().unwrap();
    assert_fails(&absent, 1, &["none.safetensors"]);
    fs::write(folder.join("text.safetensors"), "weights").unwrap();
    let broken = fit(folder, "shufflenet-3d", "new", &["--from", "text.safetensors"]).output().unwrap();
    assert_fails(&broken, 1, &["text.safetensors"]);
    assert!(!folder.join("new").exists());

    // The file names its initial weights, and that these were trained on the same split.
    let file = fs::read(folder.join("tuned/backbone.safetensors")).unwrap();
    let facts = String::from_utf8_lossy(&file[..8192]);
    let sum = divita_models::weights::known_weights::sha256(&fs::read(folder.join(from)).unwrap());
    assert!(facts.contains(&format!("shufflenet-3d fine-tuned from backbone.safetensors (SHA-256 {sum})")), "{facts}");
    assert!(facts.contains("earlier"), "{facts}");
}

#[test]
fn what_cannot_be_fitted_is_said() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    data_set(folder);
    let quick = ["--epochs", "1"];
    let fitted = fit(folder, "shufflenet-2d", "run", &quick).output().unwrap();
    assert!(fitted.status.success(), "{}", stderr(&fitted));
    let fit = |network: &str, output: &str, more: &[&str]| fit(folder, network, output, more).output().unwrap();
    assert_fails(&fit("shufflenet-2d", "run", &quick), 1, &["run already contains a run", "--resume"]);
    assert_fails(
        &fit("shufflenet-2d", "run", &["--epochs", "2", "--resume"]),
        1,
        &["another recipe.epochs: 1 instead of 2"],
    );
    assert_fails(&fit("shufflenet-3d", "run", &["--epochs", "1", "--resume"]), 1, &["another network"]);
    assert_fails(
        &fit("swin-3d", "new", &quick),
        2,
        &["choose one of shufflenet-2d, shufflenet-3d, efficientnet-lite0"],
    );
    assert_fails(&fit("shufflenet-2d", "new", &["--rate", "0"]), 1, &["--rate must be above 0"]);
    assert_fails(&fit("shufflenet-2d", "new", &["--shrink", "3"]), 2, &["choose 1, 2 or 4"]);
    assert_fails(&fit("shufflenet-2d", "new", &["--videos", "elsewhere"]), 1, &["v1.y4m: no such file", "--videos"]);
    fs::write(folder.join("v1.y4m"), "YUV4MPEG2 W96").unwrap();
    assert_fails(&fit("shufflenet-2d", "other", &quick), 1, &["v1.y4m (repair it", "does not start as Y4M"]);
    // A black video has no clip.
    let black = [&b"YUV4MPEG2 W96 H64 F12:1 C420jpeg\nFRAME\n"[..], &[0; 96 * 64], &[128; 96 * 32]].concat();
    fs::write(folder.join("v1.y4m"), black).unwrap();
    assert_fails(&fit("shufflenet-2d", "other", &quick), 1, &["v1.y4m", "the video has no clips"]);
    assert_fails(&fit("shufflenet-2d", "other", &["--epochs", "1", "--room", "0"]), 1, &["0.0 GiB", "--kept"]);
    // No run is started if the videos cannot be read.
    assert!(!folder.join("new").exists() && !folder.join("other").exists());
}
