//! One film in every container and codec: the same cuts within a frame, from a file and from a
//! pipe.
#![allow(clippy::unwrap_used)]

use std::path::Path;

use divita_tests::streams::{has_encoder, piped, run};
use divita_tests::{ffmpeg, program, sample, stdout};
use serde_json::Value;

/// Frames a second of the film.
const RATE: f64 = 24.0;

/// An encoder, its arguments, and files with whether a pipe can give them.
type Encoding = (&'static str, &'static str, &'static [(&'static str, bool)]);

const ENCODINGS: [Encoding; 8] = [
    (
        "libx264",
        "-preset veryfast -pix_fmt yuv420p -crf 20 -bf 3",
        &[
            ("h264.mp4", false),
            ("h264.mov", false),
            ("h264.mkv", true),
            ("h264.ts", true),
            ("h264.m2ts", true),
            ("h264.flv", true),
            ("h264.avi", true),
            ("h264.h264", true),
        ],
    ),
    ("libx264", "-preset veryfast -pix_fmt yuv422p10le -crf 20", &[("h264-high.mp4", false), ("h264-high.ts", true)]),
    ("libx264", "-preset veryfast -pix_fmt yuv420p -crf 20 -x264-params interlaced=1", &[("h264-fields.ts", true)]),
    (
        "libx265",
        "-pix_fmt yuv420p -crf 22 -preset ultrafast -x265-params log-level=0",
        &[("hevc.mp4", false), ("hevc.mkv", true), ("hevc.ts", true), ("hevc.hevc", true)],
    ),
    ("libx265", "-pix_fmt yuv420p10le -crf 22 -preset ultrafast -x265-params log-level=0", &[("hevc-10.mkv", true)]),
    (
        "libvpx-vp9",
        "-pix_fmt yuv420p -b:v 0 -crf 24 -deadline good -cpu-used 8 -auto-alt-ref 1 -lag-in-frames 16",
        &[("vp9.webm", true), ("vp9.mp4", false), ("vp9.ivf", true)],
    ),
    (
        "libaom-av1",
        "-pix_fmt yuv420p -b:v 0 -crf 24 -cpu-used 8 -usage realtime",
        &[("av1.mp4", false), ("av1.webm", true), ("av1.ivf", true)],
    ),
    ("mjpeg", "-pix_fmt yuvj420p -q:v 3", &[("jpeg.avi", true), ("jpeg.mkv", true), ("jpeg.mov", false)]),
];

/// Returns the first frame of each shot of `path`, or of a pipe that gives its contents, and when
/// it is shown in seconds.
fn cuts(path: &Path, by_pipe: bool) -> Vec<(u64, f64)> {
    let mut command = program("divita");
    command.args(["shots", "--format", "jsonl", if by_pipe { "-" } else { path.to_str().unwrap() }]);
    let output = if by_pipe { piped(&mut command, path) } else { command.output().unwrap() };
    let cut = |line: &str| {
        let event: Value = serde_json::from_str(line).unwrap();
        (event["first_frame"].as_u64().unwrap(), event["start_s"].as_f64().unwrap())
    };
    let text = stdout(&output);
    let shots: Vec<_> = text.lines().filter(|line| line.contains("\"event\":\"shot\"")).map(cut).collect();
    // Some containers begin at a time of their own.
    let start = shots[0].1;
    shots.into_iter().map(|(frame, time)| (frame, time - start)).collect()
}

/// Returns how `found` differs from `expected` by more than a frame.
fn difference(found: &[(u64, f64)], expected: &[(u64, f64)]) -> Option<String> {
    let is_near = |(found, expected): (&(u64, f64), &(u64, f64))| {
        found.0.abs_diff(expected.0) <= 1 && (found.1 - expected.1).abs() <= 1.01 / RATE
    };
    let same = found.len() == expected.len() && found.iter().zip(expected).all(is_near);
    (!same).then(|| format!("cuts at {found:?}, not {expected:?}"))
}

#[test]
fn a_film_has_the_same_cuts_in_every_format() {
    let folder = tempfile::tempdir().unwrap();
    let Some(mut command) = ffmpeg() else { return };
    // Hard cuts alone: where a gradual transition is found depends on the encoding.
    let film = folder.path().join("film.y4m");
    command.args(["-ss", "27", "-t", "8.5", "-i"]).arg(sample()).args(["-an", "-vf", "scale=320:-2"]);
    run(command.args(["-pix_fmt", "yuv420p"]).arg(&film));
    let expected = cuts(&film, false);
    assert!(expected.len() == 6, "{expected:?}");
    let (mut faults, mut compared) = (Vec::new(), 0);
    for (encoder, arguments, files) in ENCODINGS {
        if !has_encoder(encoder, arguments) {
            continue;
        }
        let encoded = folder.path().join("encoded.mkv");
        let mut command = ffmpeg().unwrap();
        command.arg("-y").arg("-i").arg(&film).args(["-c:v", encoder]).args(arguments.split_whitespace());
        run(command.arg(&encoded));
        for &(name, can_pipe) in files {
            let path = folder.path().join(name);
            let mut command = ffmpeg().unwrap();
            command.arg("-i").arg(&encoded).args(["-c", "copy"]);
            if name == "h264.avi" {
                command.args(["-bsf:v", "h264_mp4toannexb"]);
            }
            run(command.arg(&path));
            for by_pipe in [false, true].into_iter().filter(|by_pipe| !by_pipe || can_pipe) {
                let fault = difference(&cuts(&path, by_pipe), &expected);
                faults.extend(fault.map(|fault| format!("{name} (by pipe: {by_pipe}): {fault}")));
                compared += 1;
            }
        }
    }
    println!("{compared} readings with {} shots each", expected.len());
    assert!(faults.is_empty(), "\n{}", faults.join("\n"));
}
