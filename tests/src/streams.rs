//! Short streams that ffmpeg makes, and their pictures as ffmpeg decodes them.

use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::thread;

use divita_runtime::frame::Frame;

use crate::{ffmpeg, raw_planes, stderr, stdout};

/// Returns whether the installed ffmpeg has `encoder`. If not, prints that `what` is skipped.
pub fn has_encoder(encoder: &str, what: &str) -> bool {
    let Some(mut command) = ffmpeg() else { return false };
    let output = command.args(["-h", &format!("encoder={encoder}")]).output().unwrap();
    let has = String::from_utf8_lossy(&output.stdout).starts_with("Encoder ");
    if !has {
        eprintln!("SKIPPED: {what}: this ffmpeg has no encoder {encoder}");
    }
    has
}

/// Runs `command`, which must succeed.
pub fn run(command: &mut Command) {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{command:?}: {}", stderr(&output));
}

/// Runs `command` with a pipe on its standard input that gives the contents of `path`.
pub fn piped(command: &mut Command, path: &Path) -> Output {
    let command = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let (mut pipe, data) = (child.stdin.take().unwrap(), fs::read(path).unwrap());
    // The program may end before the end of the pipe.
    let writer = thread::spawn(move || drop(pipe.write_all(&data)));
    let output = child.wait_with_output().unwrap();
    writer.join().unwrap();
    output
}

/// Returns the format of the pixels of the video in `path`, as ffmpeg names it.
pub fn pixel_format(path: &Path) -> String {
    probe(path, "stream=pix_fmt", &[]).lines().next().unwrap_or_default().to_owned()
}

/// Returns when each picture of `path` is shown, in seconds, from ffprobe.
pub fn times(path: &Path) -> Vec<f64> {
    times_skipping(path, "default")
}

/// As [`times`], of the pictures that ffmpeg decodes with `-skip_frame skip`.
pub fn times_skipping(path: &Path, skip: &str) -> Vec<f64> {
    let numbers = probe(path, "frame=best_effort_timestamp_time", &["-skip_frame", skip]);
    numbers.lines().filter_map(|line| line.trim_end_matches(',').parse().ok()).collect()
}

/// Returns when the packets of `path` are shown that its container marks as key pictures, in
/// seconds.
pub fn key_packets(path: &Path) -> Vec<f64> {
    let packets = probe(path, "packet=pts_time,flags", &[]);
    let keys = packets.lines().filter_map(|line| line.split_once(',').filter(|(_, flags)| flags.starts_with('K')));
    keys.filter_map(|(time, _)| time.parse().ok()).collect()
}

fn probe(path: &Path, entries: &str, options: &[&str]) -> String {
    let mut command = Command::new("ffprobe");
    command.args(options).args(["-v", "error", "-select_streams", "v:0", "-show_entries", entries, "-of", "csv=p=0"]);
    stdout(&command.arg(path).output().unwrap())
}

/// Returns the samples that ffmpeg decodes from `path`, all planes of all pictures, converted to
/// 8 bits: those of more bits are rounded. `arguments` come before the output.
pub fn reference(path: &Path, arguments: &[&str]) -> Vec<u8> {
    let Some(mut command) = ffmpeg() else { return Vec::new() };
    command.arg("-noautorotate").arg("-i").arg(path).args(["-map", "0:v:0", "-fps_mode", "passthrough"]);
    let output = command.args(arguments).args(["-f", "rawvideo", "-"]).output().unwrap();
    assert!(output.status.success(), "{}: {}", path.display(), stderr(&output));
    let format = pixel_format(path);
    let bits: u32 = match format.strip_suffix("le") {
        _ if arguments.contains(&"rgb24") => 8,
        Some(deep) if deep.ends_with("10") => 10,
        Some(deep) if deep.ends_with("12") => 12,
        Some(_) => panic!("{}: pixels of {format}", path.display()),
        None => 8,
    };
    if bits == 8 {
        return output.stdout;
    }
    let half = 1 << (bits - 9);
    let code = |pair: &[u8]| u16::from_le_bytes([pair[0], pair[1]]);
    output.stdout.chunks_exact(2).map(|pair| ((code(pair) + half) >> (bits - 8)).min(255) as u8).collect()
}

/// Returns the samples of `frame`, all planes, one after the other.
pub fn samples(frame: &Frame<'_>) -> Vec<u8> {
    raw_planes(frame).concat()
}

/// Returns the peak signal-to-noise ratio in dB, infinite if nothing differs.
pub fn psnr(a: &[u8], b: &[u8]) -> f64 {
    assert_eq!(a.len(), b.len());
    if a == b {
        return f64::INFINITY;
    }
    let squares: u64 = a.iter().zip(b).map(|(&a, &b)| u64::from(a.abs_diff(b)).pow(2)).sum();
    10.0 * (255.0 * 255.0 * a.len() as f64 / squares as f64).log10()
}
