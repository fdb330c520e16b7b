//! `models/recipes/own-videos.sh`: from class folders to a verified bundle in one command, killed
//! and run again.
#![allow(clippy::unwrap_used)]

use std::fs;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Output};
use std::time::Duration;

use divita_tests::{assert_fails, program, root, stderr, stdout};

const QUICK: [&str; 8] = ["--fps", "4", "--backbone-epochs", "1", "--epochs", "2", "--ratios", "60,20,20"];

/// Runs the script with `arguments` in `folder`.
fn recipe(folder: &Path, arguments: &[&str]) -> Command {
    let divita = program("divita");
    let programs = Path::new(divita.get_program()).parent().unwrap();
    let path = format!("{}:{}", programs.display(), std::env::var("PATH").unwrap());
    let mut command = Command::new("bash");
    command.arg(root().join("models/recipes/own-videos.sh")).args(arguments);
    command.current_dir(folder).env("PATH", path).env_remove("DIVITA_BUNDLE").env_remove("RUST_LOG");
    command
}

fn run(folder: &Path, arguments: &[&str]) -> Output {
    recipe(folder, arguments).output().unwrap()
}

/// Writes twenty synthetic trailers into `folder`/films, half of them into each class folder.
fn class_folders(folder: &Path) {
    let synth = ["synth", "--count", "20", "--seconds", "2", "--size", "96x64", "--output", "made"];
    let made = program("divita-models").current_dir(folder).args(synth).output().unwrap();
    assert!(made.status.success(), "{}", stderr(&made));
    for number in 0..20 {
        let class = folder.join("films").join(["fun", "war"][number % 2]);
        fs::create_dir_all(&class).unwrap();
        let name = format!("synthetic-{number:05}.mp4");
        fs::rename(folder.join("made").join(&name), class.join(name)).unwrap();
    }
}

#[test]
fn class_folders_become_a_verified_bundle_though_the_script_is_killed() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    class_folders(folder);
    let arguments = [&QUICK[..], &["films", "results"]].concat();
    // Killed with its children during the training of a backbone.
    let mut script = recipe(folder, &arguments).process_group(0).stderr(std::process::Stdio::null()).spawn().unwrap();
    while !folder.join("results/image-backbone/recipe.json").exists() {
        assert!(script.try_wait().unwrap().is_none(), "the script ended before it was killed");
        std::thread::sleep(Duration::from_millis(20));
    }
    let group = format!("-{}", script.id());
    assert!(Command::new("kill").args(["-9", "--", &group]).status().unwrap().success());
    script.wait().unwrap();
    let done = run(folder, &arguments);
    assert!(done.status.success(), "{}", stderr(&done));
    for words in ["muAP", "verified"] {
        assert!(stdout(&done).contains(words), "{words:?} is not in {}", stdout(&done));
    }
    let said = stderr(&done);
    assert!(said.contains("== backbone of the video stream") && !said.contains("== split"), "{said}");
    assert!(fs::read_to_string(folder.join("results/evaluation.txt")).unwrap().contains("war"));
    let video = folder.join("films/fun/synthetic-00000.mp4");
    let mut classify = program("divita");
    classify.arg("classify").arg(video).args(["--fps", "4", "--bundle"]).arg(folder.join("results/bundle"));
    let classified = stdout(&classify.output().unwrap());
    assert!(classified.contains("fun") && classified.contains("war"), "{classified}");

    // A second run repeats nothing. Other options are refused.
    let written = || fs::metadata(folder.join("results/run/best.safetensors")).unwrap().modified().unwrap();
    let before = written();
    let again = run(folder, &arguments);
    assert!(again.status.success() && written() == before, "{}", stderr(&again));
    let other = run(folder, &[&arguments[..], &["--seed", "2"]].concat());
    assert_fails(&other, 1, &["results was begun with other options (seed 1;seed 2;)"]);

    // With weights and a table: one stream, no training of backbones.
    let mut table = "video,label\n".to_owned();
    for number in 0..20 {
        let class = ["fun", "war"][number % 2];
        table.push_str(&format!("{class}/synthetic-{number:05}.mp4,{class}\n"));
    }
    fs::write(folder.join("labels.csv"), table).unwrap();
    let weights = ["--image-weights", "results/image-backbone/backbone.safetensors", "--single-label"];
    let given = [&QUICK[..], &weights[..], &["--videos", "films", "labels.csv", "given"]].concat();
    let given = run(folder, &given);
    assert!(given.status.success(), "{}", stderr(&given));
    assert!(stdout(&given).contains("top-1") && stdout(&given).contains("verified"), "{}", stdout(&given));
    assert!(!stderr(&given).contains("== backbone") && !folder.join("given/video.zarr").exists());
}

#[test]
fn what_cannot_be_done_is_said_in_one_line() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    fs::create_dir_all(folder.join("films/fun")).unwrap();
    for (arguments, words) in [
        (&["films"][..], "give the videos or their table, and a folder for the results"),
        (&["nowhere", "results"], "nowhere: no such file or folder"),
        (&["--fps", "5", "films", "results"], "--fps 5: choose 4, 6, 8, 12 or 24"),
        (&["--image-weights", "w", "films", "results"], "w: no such file of weights"),
        (&["--frames", "films", "results"], "unknown option --frames"),
        (&["films", "results", "--fps"], "--fps needs a value"),
        (&["films", "results"], "films: the folder has no sub-folder with videos"),
    ] {
        assert_fails(&run(folder, arguments), 1, &[words]);
    }
    assert!(stdout(&run(folder, &["--help"])).contains("Usage: own-videos.sh"));
    let mut without = recipe(folder, &["films", "results"]);
    assert_fails(&without.env("PATH", "/usr/bin:/bin").output().unwrap(), 1, &["divita is not on the PATH"]);
}
