//! Mutated files of every container and codec through the whole program: an answer in bounded time
//! and memory, and no panic.
//!
//! `DIVITA_MUTATIONS` sets the number of mutations of each file.
#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::Output;
use std::time::{Duration, Instant};

use divita_tests::numbers::Numbers;
use divita_tests::streams::{piped, run};
use divita_tests::{ffmpeg, limited, media, stderr};

/// One file of each kind.
const FILES: [&str; 24] = [
    "av1-in-ivf.ivf",
    "av1-in-matroska.mkv",
    "av1.mp4",
    "avc3.mp4",
    "b-frames.mp4",
    "four-two-two.mp4",
    "fragmented-dash.mp4",
    "fragmented.mp4",
    "hevc-in-matroska.mkv",
    "hevc-in-ts.ts",
    "hevc-ten-bit.mp4",
    "hevc.mp4",
    "in-flv.flv",
    "in-live-matroska.mkv",
    "in-m2ts.m2ts",
    "in-matroska.mkv",
    "in-ts.ts",
    "interlaced.mp4",
    "motion-jpeg.avi",
    "ten-bit.mp4",
    "variable-rate.mp4",
    "vp9-in-ivf.ivf",
    "vp9-in-mp4.mp4",
    "vp9.webm",
];

/// Streams without a container, which ffmpeg copies out of these files.
const BARE: [(&str, &str); 2] = [("in-ts.ts", "bare.h264"), ("hevc-in-ts.ts", "bare.hevc")];

/// Memory of the program with any input, in bytes, and its longest run in seconds.
const MEMORY: u64 = 600 << 20;
const SECONDS: u64 = 20;

/// Mutations of each file, unless `DIVITA_MUTATIONS` says otherwise.
const MUTATIONS: u64 = 12;

/// Changes `data` in one of the ways in which files break, or are made to break programs.
fn mutate(data: &mut Vec<u8>, numbers: &mut Numbers) {
    let at = numbers.below(data.len());
    let length = 1 + numbers.below(400.min(data.len() - at));
    match numbers.below(8) {
        0 => (0..1 + numbers.below(20)).for_each(|_| {
            let at = numbers.below(data.len());
            data[at] ^= 1 << numbers.below(8);
        }),
        1 => (0..1 + numbers.below(20)).for_each(|_| {
            let at = numbers.below(data.len());
            data[at] = numbers.below(256) as u8;
        }),
        2 => data.truncate(at),
        3 => drop(data.drain(at..at + length)),
        4 => {
            let copy = data[at..at + length].to_vec();
            data.splice(at..at, copy);
        }
        5 => {
            let noise: Vec<u8> = (0..length).map(|_| numbers.below(256) as u8).collect();
            data.splice(at..at, noise);
        }
        6 => data[at..at + length].fill([0, 0xff][numbers.below(2)]),
        _ => {
            // Sizes and counts of all formats have 1 to 8 bytes. Most of them are near the start.
            let limit = if numbers.below(2) == 0 { 1200 } else { usize::MAX };
            let at = numbers.below(data.len().min(limit));
            let claimed = [0u64, 1, 0x7fff_ffff, 0x8000_0000, 0xffff_ffff, 0x00ff_ffff][numbers.below(6)];
            let bytes = (claimed << (8 * numbers.below(5))).to_be_bytes();
            let first = numbers.below(8);
            let room = data.len() - at;
            data[at..at + (8 - first).min(room)].copy_from_slice(&bytes[first..first + (8 - first).min(room)]);
        }
    }
}

/// Runs `divita shots` on `path`, or on a pipe that gives its contents.
fn shots(path: &Path, by_pipe: bool) -> Output {
    let name = if by_pipe { "-" } else { path.to_str().unwrap() };
    let mut command = limited(&["shots", "--format", "csv", name], MEMORY, SECONDS);
    if !by_pipe {
        return command.output().unwrap();
    }
    piped(&mut command, path)
}

/// Runs the program on mutations of `whole`. Returns what is wrong.
fn check(name: &str, whole: &[u8], folder: &Path) -> Vec<String> {
    let mutations = std::env::var("DIVITA_MUTATIONS").ok().map_or(MUTATIONS, |number| number.parse().unwrap());
    let path = folder.join(name);
    let (mut faults, mut statuses, mut longest) = (Vec::new(), BTreeMap::<_, u32>::new(), Duration::ZERO);
    for seed in 0..mutations {
        let (mut data, mut numbers) = (whole.to_vec(), Numbers(seed * 1_000_003 + whole.len() as u64));
        // The first numbers of neighbouring seeds are alike.
        numbers.below(1);
        mutate(&mut data, &mut numbers);
        if data.is_empty() {
            continue;
        }
        std::fs::write(&path, &data).unwrap();
        let (by_pipe, start) = (seed % 3 == 2, Instant::now());
        let output = shots(&path, by_pipe);
        longest = longest.max(start.elapsed());
        let status = output.status.code().unwrap_or_else(|| 128 + output.status.signal().unwrap_or(0));
        *statuses.entry(status).or_default() += 1;
        let said = stderr(&output);
        if !matches!(status, 0 | 1) || said.contains("panicked") {
            faults.push(format!("mutation {seed} of {name} (by pipe: {by_pipe}) ends with {status}: {said}"));
            if let Some(folder) = std::env::var_os("DIVITA_MUTATIONS_KEPT") {
                std::fs::copy(&path, Path::new(&folder).join(format!("{seed}-{name}"))).unwrap();
            }
        }
    }
    println!(
        "{name}: {mutations} mutations, exit statuses {statuses:?}, the longest run {:.1} s",
        longest.as_secs_f64()
    );
    faults
}

#[test]
fn mutated_files_end_with_an_answer() {
    let folder = tempfile::tempdir().unwrap();
    let mut faults = Vec::new();
    for name in FILES {
        faults.extend(check(name, &std::fs::read(media(name)).unwrap(), folder.path()));
    }
    for (film, name) in BARE {
        let Some(mut command) = ffmpeg() else { break };
        let path = folder.path().join(name);
        run(command.arg("-i").arg(media(film)).args(["-c", "copy"]).arg(&path));
        faults.extend(check(name, &std::fs::read(&path).unwrap(), folder.path()));
    }
    assert!(faults.is_empty(), "\n{}", faults.join("\n"));
}
