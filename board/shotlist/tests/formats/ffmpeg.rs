//! ffmpeg splits films by the formats `split`, `ffconcat` and `chapters`: each frame of a gap-free
//! list is in exactly one part.

use std::fs;
use std::ops::Range;
use std::path::Path;
use std::process::Command;

use divita_shotlist::{Film, ShotListOptions};

use crate::films::{film_with_times, frames, written};
use crate::programs::{is_installed, output};

const GAP_FREE: ShotListOptions = ShotListOptions { gap_free: true, min_length_s: 0.0, drop_frame: None };

/// Makes a film of `frames` different pictures with sound.
pub fn make_film(folder: &Path, name: &str, rate: &str, frames: u64, options: &[&str]) {
    let video = format!("testsrc2=size=128x96:rate={rate}");
    let count = frames.to_string();
    let input = ["-nostdin", "-v", "error", "-y", "-f", "lavfi", "-i", &video, "-f", "lavfi", "-i", "sine"];
    let end = ["-frames:v", &count, "-shortest", "-pix_fmt", "yuv420p", &format!("file:{name}")];
    output("ffmpeg", &[&input[..], options, &end[..]].concat(), folder);
}

/// Returns the checksum of each picture of a film, or of what else ffmpeg opens.
fn pictures(folder: &Path, input: &[&str]) -> Vec<String> {
    let start = ["-nostdin", "-v", "error"];
    let end = ["-map", "0:v:0", "-fps_mode", "passthrough", "-pix_fmt", "yuv420p", "-f", "framemd5", "-"];
    let text = output("ffmpeg", &[&start[..], input, &end[..]].concat(), folder);
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    lines.map(|line| line.rsplit(',').next().unwrap().trim().to_owned()).collect()
}

/// Returns the presentation time of each picture, from the first stream's start in MPEG-TS.
fn times(folder: &Path, name: &str) -> Vec<f64> {
    let input = format!("file:{name}");
    let entries = "frame=pts:stream=time_base";
    let arguments = ["-v", "error", "-select_streams", "v:0", "-show_entries", entries, "-of", "json", &input];
    let json: serde_json::Value = serde_json::from_str(&output("ffprobe", &arguments, folder)).unwrap();
    let time_base = json["streams"][0]["time_base"].as_str().unwrap();
    let (numerator, denominator) = time_base.split_once('/').unwrap();
    let (numerator, denominator) = (numerator.parse::<f64>().unwrap(), denominator.parse::<f64>().unwrap());
    let ticks: Vec<i64> =
        json["frames"].as_array().unwrap().iter().map(|frame| frame["pts"].as_i64().unwrap()).collect();
    let zero = if name.ends_with(".ts") { ticks[0] } else { 0 };
    ticks.iter().map(|ticks| (ticks - zero) as f64 * numerator / denominator).collect()
}

/// Returns a film file as divita would describe it, with the given shots.
fn described(folder: &Path, name: &str, fps: f64, shots: &[Range<u64>]) -> Film {
    let times = times(folder, name);
    let end_s = times[times.len() - 1] + 1.0 / fps;
    let time_s = |frame: u64| times.get(frame as usize).copied().unwrap_or(end_s);
    let film = film_with_times(Some(fps), shots, time_s);
    Film { name: name.into(), frames: Some(times.len() as u64), duration_s: Some(end_s), ..film }
}

/// Runs a film's script and returns the checksums of the pictures in each part.
fn split(folder: &Path, film: &Film, options: &ShotListOptions) -> Vec<Vec<String>> {
    let (list, text) = written(film, "split", options);
    fs::write(folder.join("split.sh"), text).unwrap();
    let parts = folder.join("parts");
    fs::create_dir(&parts).unwrap();
    let script = Command::new("sh")
        .args(["split.sh", "parts"])
        .env("ENCODE", "-c:v ffv1 -c:a pcm_s16le")
        .env("EXTENSION", "mkv")
        .current_dir(folder)
        .output()
        .unwrap();
    assert!(script.status.success(), "{}: {}", film.name, String::from_utf8_lossy(&script.stderr));
    let mut names: Vec<_> = fs::read_dir(&parts).unwrap().map(|entry| entry.unwrap().path()).collect();
    names.sort();
    assert_eq!(names.len(), list.shots().len(), "{names:?}");
    let found = names.iter().map(|name| pictures(folder, &["-i", name.to_str().unwrap()])).collect();
    fs::remove_dir_all(&parts).unwrap();
    found
}

/// Returns the checksums of `all` at the frames of each shot.
fn expected(all: &[String], ranges: &[Range<u64>]) -> Vec<Vec<String>> {
    ranges.iter().map(|frames| all[frames.start as usize..frames.end as usize].to_vec()).collect()
}

const SHOTS: [Range<u64>; 6] = [2..40, 40..41, 41..42, 47..80, 80..130, 133..148];

#[test]
fn a_split_film_has_each_frame_once() {
    if !is_installed("ffmpeg", "-version") {
        return;
    }
    let x264: &[&str] = &["-c:v", "libx264", "-preset", "veryfast", "-g", "30", "-bf", "3"];
    let films = [
        ("film.mp4", "24000/1001", x264),
        ("film.mkv", "30000/1001", x264),
        ("film.ts", "25", x264),
        ("silent.mp4", "24", &[x264, &["-an"]].concat()),
        ("fast.mp4", "60000/1001", x264),
        ("late.mkv", "25", &[x264, &["-output_ts_offset", "0.5"]].concat()),
    ];
    for (name, rate, options) in films {
        let folder = tempfile::tempdir().unwrap();
        make_film(folder.path(), name, rate, 150, options);
        let (numerator, denominator) = rate.split_once('/').unwrap_or((rate, "1"));
        let fps = numerator.parse::<f64>().unwrap() / denominator.parse::<f64>().unwrap();
        let all = pictures(folder.path(), &["-i", name]);
        assert_eq!(all.len(), 150);
        let film = described(folder.path(), name, fps, &SHOTS);
        // Each split takes seconds, so only one film is split with its gaps too.
        let with_gaps = (name == "film.mp4").then(ShotListOptions::default);
        for options in [GAP_FREE].into_iter().chain(with_gaps) {
            let (list, _) = written(&film, "split", &options);
            let parts = split(folder.path(), &film, &options);
            assert_eq!(parts, expected(&all, &frames(&list)), "{name} {options:?}");
        }
    }
}

#[test]
fn a_split_film_of_variable_rate_has_each_frame_once() {
    if !is_installed("ffmpeg", "-version") {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    for name in ["film.mkv", "film.mp4"] {
        // The film skips every third picture of its first half, and nine of ten after frame 200.
        let select = "select='if(lt(n,200),mod(n,3),not(mod(n,10)))'";
        let options = ["-vf", select, "-fps_mode", "vfr", "-c:v", "libx264", "-preset", "veryfast", "-bf", "3"];
        make_film(folder.path(), name, "60", 150, &options);
        let all = pictures(folder.path(), &["-i", name]);
        let film = described(folder.path(), name, 29.97, &SHOTS);
        let parts = split(folder.path(), &film, &GAP_FREE);
        assert_eq!(parts.concat(), all, "{name}");
        let parts = split(folder.path(), &film, &ShotListOptions::default());
        assert_eq!(parts, expected(&all, &SHOTS), "{name}");
    }
}

#[test]
fn a_concatenated_film_has_each_frame_once() {
    if !is_installed("ffmpeg", "-version") {
        return;
    }
    for (name, rate, codec) in
        [("a film.mkv", "25", "ffv1"), ("it's.mov", "24000/1001", "mjpeg"), ("c.avi", "30", "mjpeg")]
    {
        let folder = tempfile::tempdir().unwrap();
        make_film(folder.path(), name, rate, 150, &["-c:v", codec, "-g", "1", "-an"]);
        let (numerator, denominator) = rate.split_once('/').unwrap_or((rate, "1"));
        let fps = numerator.parse::<f64>().unwrap() / denominator.parse::<f64>().unwrap();
        let all = pictures(folder.path(), &["-i", name]);
        let film = described(folder.path(), name, fps, &SHOTS);
        for options in [GAP_FREE, ShotListOptions::default()] {
            let (list, text) = written(&film, "ffconcat", &options);
            fs::write(folder.path().join("list.ffconcat"), text).unwrap();
            let played = pictures(folder.path(), &["-safe", "0", "-i", "list.ffconcat"]);
            assert_eq!(played, expected(&all, &frames(&list)).concat(), "{name} {options:?}");
        }
    }
}

#[test]
fn chapters_have_each_frame_once() {
    if !is_installed("ffmpeg", "-version") {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    for (name, rate, fps) in [("film.mp4", "24000/1001", 23.976), ("film.mkv", "50", 50.0)] {
        make_film(folder.path(), name, rate, 150, &["-c:v", "libx264", "-preset", "veryfast"]);
        let mut film = described(folder.path(), name, fps, &SHOTS);
        film.shots[1].genres = vec![("sci-fi; #1 = \\'best\\'\n[CHAPTER]".into(), 0.5)];
        let (list, text) = written(&film, "chapters", &GAP_FREE);
        fs::write(folder.path().join("list.ffmetadata"), text).unwrap();
        let with_chapters = format!("with-{name}");
        let inputs = ["-nostdin", "-v", "error", "-i", name, "-i", "list.ffmetadata", "-map_metadata", "0"];
        let end = ["-map_chapters", "1", "-c", "copy", &with_chapters];
        output("ffmpeg", &[&inputs[..], &end[..]].concat(), folder.path());
        let json = output("ffprobe", &["-v", "error", "-show_chapters", "-of", "json", &with_chapters], folder.path());
        let json: serde_json::Value = serde_json::from_str(&json).unwrap();
        let chapters = json["chapters"].as_array().unwrap();
        let seconds = |chapter: &serde_json::Value, key: &str| chapter[key].as_str().unwrap().parse::<f64>().unwrap();
        // MP4 rounds chapters to milliseconds.
        let times = times(folder.path(), name);
        let found = chapters.iter().map(|chapter| {
            let (start, end) = (seconds(chapter, "start_time") - 0.001, seconds(chapter, "end_time") - 0.001);
            let frame_at = |time_s: f64| times.iter().filter(|time| **time < time_s).count() as u64;
            frame_at(start)..frame_at(end)
        });
        assert_eq!(found.collect::<Vec<_>>(), frames(&list), "{name}");
        assert_eq!(chapters[0]["tags"]["title"], "Shot 1");
        assert_eq!(chapters[1]["tags"]["title"], "Shot 2 · sci-fi; #1 = \\'best\\' [CHAPTER] 0.50");
    }
}

#[test]
fn the_script_passes_shellcheck() {
    if !is_installed("shellcheck", "--version") {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    for fps in [25.0, 24.5] {
        // At the second rate, the frames are not evenly spaced.
        let film = film_with_times(Some(fps), &SHOTS, |frame| frame as f64 / 25.0);
        let film = Film { name: "it's $HOME `id`.mp4".into(), ..film };
        fs::write(folder.path().join("split.sh"), written(&film, "split", &GAP_FREE).1).unwrap();
        output("shellcheck", &["--shell=sh", "split.sh"], folder.path());
    }
}
