//! What the end-to-end tests share: where the programs, the sample and the test videos are.
#![allow(clippy::unwrap_used)]

pub mod data_set;
pub mod file_server;

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use divita_runtime::frame::{Frame, Pixels, Plane, Subsampling};
use serde_json::Value;
use tempfile::TempDir;

/// Root of the project.
pub fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap()
}

/// The bundle that ships.
pub fn demo_bundle() -> PathBuf {
    root().join("models/bundles/demo")
}

/// A copy of the bundle that ships, to change.
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

/// The sample that ships.
pub fn sample() -> PathBuf {
    root().join("samples/sintel-trailer.mp4")
}

/// A file of the project's test data, which lies beside the project and is no part of it. Where it is absent, the test
/// that needs it says so and passes.
pub fn shared_data(name: &str) -> Option<PathBuf> {
    let shared = std::env::var_os("DIVITA_SHARED").map_or_else(|| root().join("../shared"), PathBuf::from);
    let path = shared.join("data").join(name);
    if !path.is_file() {
        eprintln!("SKIPPED: {} is not here (set DIVITA_SHARED to the folder of the test data)", path.display());
        return None;
    }
    Some(path)
}

/// A video of [`shared_data`].
pub fn shared_video(name: &str) -> Option<PathBuf> {
    shared_data(&format!("video/{name}"))
}

/// The first frame after each cut of a [`shared_video`], as `cuts.json` beside it says.
pub fn known_cuts(video: &Path) -> Vec<u64> {
    let truth = known_boundaries(video);
    truth["cuts"].as_array().unwrap().iter().map(|cut| cut.as_u64().unwrap()).collect()
}

/// Everything that `cuts.json` says of a [`shared_video`].
pub fn known_boundaries(video: &Path) -> Value {
    let text = std::fs::read_to_string(video.with_file_name("cuts.json")).unwrap();
    let all: Value = serde_json::from_str(&text).unwrap();
    all[video.file_name().unwrap().to_str().unwrap()].clone()
}

/// `ffmpeg`, whose pictures ours are held against. Where it is not installed, the test that needs it says so and passes.
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

/// The planes of `frame`, each without padding, one after the other, as `ffmpeg -f rawvideo` writes them.
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

/// The program `name`, which cargo has built beside the tests. It does so because the package of the program has tests of
/// its own; `cargo test -p divita-tests` alone would run an older one.
pub fn program(name: &str) -> Command {
    let test = std::env::current_exe().unwrap();
    let folder = test.parent().and_then(Path::parent).unwrap();
    let program = folder.join(format!("{name}{}", std::env::consts::EXE_SUFFIX));
    assert!(program.is_file(), "{} is not built; run the tests with `cargo test --release`", program.display());
    let mut command = Command::new(program);
    command.current_dir(root()).env_remove("DIVITA_BUNDLE").env_remove("RUST_LOG").stdin(Stdio::null());
    command
}

/// `divita` with `arguments`, run to its end.
pub fn divita(arguments: &[&str]) -> Output {
    program("divita").args(arguments).output().unwrap()
}

/// Address space that `divita` takes for the bundle that ships and a short input, bytes, rounded up.
const OWN_MEMORY: u64 = 150 << 20;

/// `divita` with `arguments`, run with 300 MB of address space beyond its own and killed after a minute, which is far more
/// than a hostile input may take.
pub fn divita_limited(arguments: &[&str]) -> Output {
    let program = program("divita");
    let kilobytes = (OWN_MEMORY + (300 << 20)) / 1024;
    let limits = format!("ulimit -v {kilobytes} && exec timeout -s KILL 60 \"$0\" \"$@\"");
    let mut shell = Command::new("sh");
    shell.current_dir(root()).env_remove("DIVITA_BUNDLE").env_remove("RUST_LOG").stdin(Stdio::null());
    shell.args(["-c", &limits]).arg(program.get_program()).args(arguments).output().unwrap()
}

/// Standard output of a run that must have succeeded.
pub fn stdout(output: &Output) -> String {
    assert!(output.status.success(), "{}", stderr(output));
    String::from_utf8(output.stdout.clone()).unwrap()
}

/// Standard error of a run.
pub fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// What every line of `--format jsonl` must fit.
pub fn event_schema() -> jsonschema::Validator {
    let schema = std::fs::read_to_string(root().join("runtime/schema/events.json")).unwrap();
    jsonschema::validator_for(&serde_json::from_str(&schema).unwrap()).unwrap()
}

/// What every failure must look like: exit status `status`, one line that begins with `error:` and holds each of
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

/// The examples of README.md compile.
#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
struct Readme;
