//! Programs, sample, test videos and checks that the end-to-end tests share.
#![allow(clippy::unwrap_used)]

pub mod broker;
pub mod browser;
pub mod data_set;
pub mod file_server;
pub mod films;
pub mod http;
pub mod numbers;
pub mod rtsp_server;
pub mod service;
pub mod streams;

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use divita_runtime::frame::{Frame, Pixels, Plane, Subsampling};
use serde_json::Value;
use tempfile::TempDir;

/// Returns the root of the project.
pub fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap()
}

/// Returns the folder of the demo bundle.
pub fn demo_bundle() -> PathBuf {
    root().join("models/bundles/demo")
}

/// Copies the demo bundle to a temporary folder.
pub fn demo_copy() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    for entry in std::fs::read_dir(demo_bundle()).unwrap() {
        let path = entry.unwrap().path();
        std::fs::copy(&path, folder.path().join(path.file_name().unwrap())).unwrap();
    }
    folder
}

/// Changes the manifest of the bundle in `folder`.
pub fn change_manifest(folder: &Path, change: impl FnOnce(&mut Value)) {
    let path = folder.join("manifest.json");
    let mut manifest: Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
    change(&mut manifest);
    std::fs::write(&path, serde_json::to_vec(&manifest).unwrap()).unwrap();
}

/// Returns the path of a video of `tests/media`, or of the one that `divita-video` brings.
pub fn media(name: &str) -> PathBuf {
    let own = root().join("board/video/media").join(name);
    if own.is_file() { own } else { root().join("tests/media").join(name) }
}

/// Returns the path of the sample.
pub fn sample() -> PathBuf {
    root().join("samples/sintel-trailer.mp4")
}

/// Returns a file of the project's test data, which is beside the project. If it is absent, prints
/// that the test is skipped.
pub fn shared_data(name: &str) -> Option<PathBuf> {
    let shared = std::env::var_os("DIVITA_SHARED").map_or_else(|| root().join("../shared"), PathBuf::from);
    let path = shared.join("data").join(name);
    if !path.is_file() {
        eprintln!("SKIPPED: {} is not here (set DIVITA_SHARED to the folder of the test data)", path.display());
        return None;
    }
    Some(path)
}

/// Returns a video of [`shared_data`].
pub fn shared_video(name: &str) -> Option<PathBuf> {
    shared_data(&format!("video/{name}"))
}

/// Returns the first frame after each cut of a [`shared_video`], from `cuts.json`.
pub fn known_cuts(video: &Path) -> Vec<u64> {
    let truth = known_boundaries(video);
    truth["cuts"].as_array().unwrap().iter().map(|cut| cut.as_u64().unwrap()).collect()
}

/// Returns the entry of a [`shared_video`] in `cuts.json`.
pub fn known_boundaries(video: &Path) -> Value {
    let text = std::fs::read_to_string(video.with_file_name("cuts.json")).unwrap();
    let all: Value = serde_json::from_str(&text).unwrap();
    all[video.file_name().unwrap().to_str().unwrap()].clone()
}

/// Returns the command `ffmpeg`, the reference for decoded pictures. If it is not installed, prints
/// that the test is skipped.
pub fn ffmpeg() -> Option<Command> {
    let installed = Command::new("ffmpeg").arg("-version").output().is_ok_and(|output| output.status.success());
    if !installed {
        eprintln!("SKIPPED: ffmpeg is not installed");
        return None;
    }
    let mut command = Command::new("ffmpeg");
    command.args(["-nostdin", "-v", "error"]).stdin(Stdio::null());
    Some(command)
}

/// Returns the planes of `frame` without padding, in the order of `ffmpeg -f rawvideo`.
pub fn raw_planes(frame: &Frame<'_>) -> Vec<Vec<u8>> {
    let (width, height) = (frame.width(), frame.height());
    let tight = |plane: Plane<'_>, bytes: usize, rows: usize| -> Vec<u8> {
        (0..rows).flat_map(|row| &plane.data[row * plane.stride..][..bytes]).copied().collect()
    };
    match frame.pixels() {
        Pixels::Planar { y, u, v, subsampling } => {
            let (across, down) = match subsampling {
                Subsampling::Both => (width.div_ceil(2), height.div_ceil(2)),
                Subsampling::Across => (width.div_ceil(2), height),
                Subsampling::None => (width, height),
            };
            vec![tight(y, width, height), tight(u, across, down), tight(v, across, down)]
        }
        Pixels::Nv12 { y, uv } => {
            vec![tight(y, width, height), tight(uv, 2 * width.div_ceil(2), height.div_ceil(2))]
        }
        Pixels::Yuyv(pairs) => vec![tight(pairs, 4 * width.div_ceil(2), height)],
        Pixels::Rgb8(rgb) => vec![tight(rgb, 3 * width, height)],
        Pixels::Grey(grey) => vec![tight(grey, width, height)],
    }
}

/// Returns the program `name`, which cargo built beside the tests. It builds it because the
/// program's package has tests too. `cargo test -p divita-tests` would run an older one.
pub fn program(name: &str) -> Command {
    built(Path::new(name))
}

/// The example `name`, which cargo has built beside the tests.
pub fn example(name: &str) -> Command {
    built(&Path::new("examples").join(name))
}

fn built(path: &Path) -> Command {
    let test = std::env::current_exe().unwrap();
    let folder = test.parent().and_then(Path::parent).unwrap();
    let program = folder.join(path);
    assert!(program.is_file(), "{} is not built; run the tests with `cargo test --release`", program.display());
    let mut command = Command::new(program);
    command.current_dir(root()).env_remove("DIVITA_BUNDLE").env_remove("RUST_LOG").stdin(Stdio::null());
    command
}

/// Runs `divita` with `arguments` to its end.
pub fn divita(arguments: &[&str]) -> Output {
    program("divita").args(arguments).output().unwrap()
}

/// Address space of `divita` with the demo bundle and a short input, in bytes, rounded up.
const OWN_MEMORY: u64 = 150 << 20;

/// Runs `divita` with `arguments`, with 300 MB of address space beyond its own and for at most a
/// minute, far more than a hostile input may take.
pub fn divita_limited(arguments: &[&str]) -> Output {
    limited(arguments, OWN_MEMORY + (300 << 20), 60).output().unwrap()
}

/// Returns the command that runs `divita` with `arguments`, at most `bytes` of address space and
/// for at most `seconds`. One that runs longer is killed.
pub fn limited(arguments: &[&str], bytes: u64, seconds: u64) -> Command {
    let program = program("divita");
    let limits = format!("ulimit -v {} && exec timeout -s KILL {seconds} \"$0\" \"$@\"", bytes / 1024);
    let mut shell = Command::new("sh");
    shell.current_dir(root()).env_remove("DIVITA_BUNDLE").env_remove("RUST_LOG").stdin(Stdio::null());
    shell.args(["-c", &limits]).arg(program.get_program()).args(arguments);
    shell
}

/// Returns the standard output of a run that must have succeeded.
pub fn stdout(output: &Output) -> String {
    assert!(output.status.success(), "{}", stderr(output));
    String::from_utf8(output.stdout.clone()).unwrap()
}

/// Returns the standard error of a run.
pub fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// Returns the validator of each line of `--format jsonl`.
pub fn event_schema() -> jsonschema::Validator {
    validator("events.json")
}

/// Returns the validator of each line of `--format jsonl-1`.
pub fn event_schema_1() -> jsonschema::Validator {
    validator("events-1.json")
}

fn validator(name: &str) -> jsonschema::Validator {
    let schema = std::fs::read_to_string(root().join("runtime/schema").join(name)).unwrap();
    jsonschema::validator_for(&serde_json::from_str(&schema).unwrap()).unwrap()
}

/// Checks a failure: exit status `status`, one line that begins with `error:` and holds each of
/// `words`, and no panic.
pub fn assert_fails(output: &Output, status: i32, words: &[&str]) {
    let stderr = stderr(output);
    assert_eq!(output.status.code(), Some(status), "{stderr}");
    assert!(!stderr.contains("panicked"), "{stderr}");
    let errors: Vec<&str> = stderr.lines().filter(|line| line.starts_with("error: ")).collect();
    assert_eq!(errors.len(), 1, "{stderr}");
    for word in words {
        assert!(errors[0].contains(word), "{:?} does not say {word:?}", errors[0]);
    }
}

/// Compiles the examples of README.md.
#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
struct Readme;
