//! Bad and unusual inputs in the program: one clear line, a non-zero status, no panic. Good parts
//! are used.
#![allow(clippy::unwrap_used)]

use std::path::{Path, PathBuf};

use divita_tests::{assert_fails, divita, root, sample, stdout};
use divita_video::registry;
use serde_json::Value;
use tempfile::TempDir;

fn file(folder: &TempDir, name: &str, data: &[u8]) -> PathBuf {
    let path = folder.path().join(name);
    std::fs::write(&path, data).unwrap();
    path
}

fn classify(path: &Path) -> std::process::Output {
    divita(&["classify", "--format", "jsonl", path.to_str().unwrap()])
}

/// Returns a Y4M with `frames` frames of one grey.
fn y4m(width: usize, height: usize, frames: usize) -> Vec<u8> {
    let mut data = format!("YUV4MPEG2 W{width} H{height} F4:1 Ip A1:1 C420jpeg\n").into_bytes();
    for _ in 0..frames {
        data.extend_from_slice(b"FRAME\n");
        data.resize(data.len() + width * height, 140);
        data.resize(data.len() + 2 * width.div_ceil(2) * height.div_ceil(2), 128);
    }
    data
}

#[test]
fn an_empty_file() {
    let folder = tempfile::tempdir().unwrap();
    for name in ["empty.mp4", "empty.y4m", "empty"] {
        assert_fails(&classify(&file(&folder, name, b"")), 1, &[name, "empty"]);
    }
}

#[test]
fn a_text_file() {
    let folder = tempfile::tempdir().unwrap();
    for name in ["text.mp4", "text.txt"] {
        assert_fails(&classify(&file(&folder, name, b"This is not a video.\nNot at all.\n")), 1, &[name]);
    }
}

#[test]
fn a_truncated_file_is_classified_as_far_as_it_goes() {
    let folder = tempfile::tempdir().unwrap();
    let whole = std::fs::read(sample()).unwrap();
    let path = file(&folder, "cut.mp4", &whole[..whole.len() / 2]);
    let output = classify(&path);
    assert_fails(&output, 1, &["cut.mp4", "cut short"]);
    let text = String::from_utf8(output.stdout).unwrap();
    let events: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let [.., result, error] = &events[..] else { panic!("{text}") };
    assert_eq!((&result["event"], &result["complete"]), (&"result".into(), &false.into()));
    assert!((300..1253).contains(&result["frames"].as_u64().unwrap()), "{result}");
    assert_eq!(error["event"], "error");
}

#[test]
fn videos_that_this_build_cannot_read() {
    // GStreamer reads the other files if it has the decoders.
    let with_gstreamer = ["audio-only.mp4", "encrypted.mp4"];
    for (name, words) in [
        ("audio-only.mp4", &["no video"][..]),
        ("mpeg4.mp4", &["MPEG-4", "ffmpeg"]),
        ("vp8.webm", &["VP8", "ffmpeg"]),
        ("four-four-four.mp4", &["High 4:4:4 Predictive", "ffmpeg"]),
        ("encrypted.mp4", &["encrypted"]),
    ] {
        if registry::is_built_in("gstreamer") && !with_gstreamer.contains(&name) {
            continue;
        }
        assert_fails(&classify(&root().join("tests/media").join(name)), 1, &[&[name], words].concat());
    }
}

#[test]
fn pictures_of_any_size_are_classified() {
    let folder = tempfile::tempdir().unwrap();
    for (width, height) in [(1, 1), (35, 27), (7680, 4320), (3, 2000)] {
        let name = format!("{width}x{height}.y4m");
        let text = stdout(&classify(&file(&folder, &name, &y4m(width, height, 5))));
        let result: Value = serde_json::from_str(text.lines().last().unwrap()).unwrap();
        assert_eq!((&result["frames"], &result["clips"]), (&5.into(), &2.into()), "{name}");
    }
}

#[test]
fn an_h264_picture_that_the_decoder_cannot_hold() {
    if registry::is_built_in("gstreamer") {
        return; // Another decoder may.
    }
    assert_fails(&classify(&root().join("tests/media/eight-k.mp4")), 1, &["eight-k.mp4", "7680x4320", "4096x2304"]);
}

#[test]
fn a_picture_of_absurd_size() {
    let folder = tempfile::tempdir().unwrap();
    let path = file(&folder, "huge.y4m", b"YUV4MPEG2 W100000 H100000 F24:1 C420jpeg\nFRAME\nabc");
    assert_fails(&classify(&path), 1, &["huge.y4m", "100000x100000"]);
}

#[test]
fn a_video_that_is_all_black() {
    let folder = tempfile::tempdir().unwrap();
    let mut data = b"YUV4MPEG2 W16 H16 F4:1 C420jpeg\n".to_vec();
    for _ in 0..8 {
        data.extend_from_slice(b"FRAME\n");
        data.resize(data.len() + 256, 16);
        data.resize(data.len() + 128, 128);
    }
    assert_fails(&classify(&file(&folder, "black.y4m", &data)), 1, &["black.y4m", "no clip to classify", "8 frames"]);
}

#[test]
fn what_is_not_there() {
    assert_fails(&classify(Path::new("no/such/file.mp4")), 1, &["no/such/file.mp4", "No such file"]);
    let folder = tempfile::tempdir().unwrap();
    assert_fails(&classify(folder.path()), 1, &[folder.path().to_str().unwrap()]);
    assert_fails(&divita(&["shots", "gopher://camera/1"]), 1, &["gopher://camera/1", "file://, test://"]);
    if !registry::is_built_in("gstreamer") {
        let words = ["rtsps://camera.example/1", "cargo build", "divita/gstreamer"];
        assert_fails(&divita(&["shots", "rtsps://camera.example/1"]), 1, &words);
    }
    if !registry::is_built_in("rtsp") && !registry::is_built_in("gstreamer") {
        let words = ["rtsp://camera.example/1", "cargo build", "divita/rtsp"];
        assert_fails(&divita(&["shots", "rtsp://camera.example/1"]), 1, &words);
    }
}

/// Only 64-bit ARM processors do.
#[cfg(not(target_arch = "aarch64"))]
#[test]
fn half_precision_on_a_processor_that_does_not_compute_in_it() {
    for command in ["classify", "bench"] {
        let output = divita(&[command, "--executor", "half", sample().to_str().unwrap()]);
        assert_fails(&output, 1, &["half precision", "--executor fused"]);
    }
}
