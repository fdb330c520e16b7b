//! H.264 from recorders and cutters, against ffmpeg: streams without a key frame at their start,
//! damage, changes of size, start codes in MP4, unsupported profiles.
#![allow(clippy::unwrap_used)]

use std::path::{Path, PathBuf};
use std::process::Command;

use divita_runtime::frame::Timestamp;
use divita_tests::{assert_fails, divita, event_schema, ffmpeg, program, raw_planes, sample, stderr, stdout};
use divita_video::{self as source, Loss, SourceError};
use serde_json::Value;
use tempfile::TempDir;

/// Number of frames of [`film`]: ten seconds at 24 frames a second.
const FRAMES: usize = 240;

/// Writes ten seconds of the sample, small, to `name` in `folder`, encoded with `arguments`.
/// Returns `None` without ffmpeg.
fn film(folder: &Path, name: &str, arguments: &[&str]) -> Option<PathBuf> {
    let path = folder.join(name);
    let mut command = ffmpeg()?;
    command.args(["-ss", "27", "-i"]).arg(sample()).args([
        "-frames:v",
        &FRAMES.to_string(),
        "-an",
        "-vf",
        "scale=160:90",
    ]);
    run(command.args(["-threads", "1", "-c:v", "libx264", "-preset", "veryfast"]).args(arguments).arg(&path));
    Some(path)
}

fn run(command: &mut Command) {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{}", stderr(&output));
}

/// Films with closed GOPs, with open GOPs, and with intra refresh by columns.
fn films(folder: &Path) -> Option<[PathBuf; 3]> {
    let coded = |name: &str, parameters: &str| film(folder, name, &["-x264-params", parameters]);
    Some([
        coded("closed.mp4", "keyint=48:min-keyint=24")?,
        coded("open.mp4", "keyint=24:min-keyint=24:open-gop=1:bframes=3:scenecut=0")?,
        coded("refreshed.mp4", "keyint=24:intra-refresh=1:bframes=0")?,
    ])
}

/// Output of a source.
struct Played {
    /// Time and planes of each picture.
    pictures: Vec<(Timestamp, Vec<Vec<u8>>)>,
    losses: Vec<Loss>,
    error: Option<SourceError>,
}

impl Played {
    fn lost(&self) -> u64 {
        self.losses.iter().map(|loss| loss.frames).sum()
    }
}

fn play(path: &Path) -> Played {
    let mut source = source::open(path.to_str().unwrap()).unwrap();
    let mut played = Played { pictures: Vec::new(), losses: Vec::new(), error: None };
    loop {
        match source.next_frame() {
            Ok(Some(frame)) => played.pictures.push((frame.time(), raw_planes(&frame))),
            Ok(None) => break,
            Err(error) => played.error = Some(error),
        }
    }
    played.losses.extend(std::iter::from_fn(|| source.take_loss()));
    played
}

/// Returns the pictures of `path` as ffmpeg decodes them, 160x90.
fn reference(path: &Path) -> Vec<Vec<u8>> {
    let mut command = ffmpeg().unwrap();
    command.arg("-i").arg(path).args(["-fps_mode", "passthrough", "-pix_fmt", "yuv420p", "-f", "rawvideo", "-"]);
    let output = command.output().unwrap();
    assert!(output.status.success(), "{}", stderr(&output));
    output.stdout.chunks_exact(160 * 90 * 3 / 2).map(<[u8]>::to_vec).collect()
}

/// Returns the mean difference of two pictures' samples.
fn difference(ours: &[Vec<u8>], theirs: &[u8]) -> f64 {
    let ours = ours.iter().flatten();
    let sum: u64 = ours.zip(theirs).map(|(a, b)| u64::from(a.abs_diff(*b))).sum();
    sum as f64 / theirs.len() as f64
}

/// Returns ffmpeg's errors for `path`, except about reference marking, which it reports for good
/// files too.
fn complaints(path: &Path) -> Vec<String> {
    let output = ffmpeg().unwrap().arg("-i").arg(path).args(["-f", "null", "-"]).output().unwrap();
    stderr(&output).lines().filter(|line| !line.contains("mmco")).map(str::to_owned).collect()
}

/// Returns the positions of the samples in an MP4 from ffmpeg.
fn samples(path: &Path) -> Vec<(usize, usize)> {
    let mut command = Command::new("ffprobe");
    command.args(["-v", "error", "-select_streams", "v", "-show_entries", "packet=pos,size", "-of", "csv=p=0"]);
    let output = command.arg(path).output().unwrap();
    let lines = stdout(&output);
    let numbers = |line: &str| -> Vec<usize> {
        line.split(',').filter(|field| !field.is_empty()).map(|field| field.parse().unwrap()).collect()
    };
    lines.lines().map(numbers).map(|fields| (fields[1], fields[0])).collect()
}

/// Returns the cuts that `divita shots` finds.
fn cuts(path: &Path) -> Vec<usize> {
    let output = divita(&["shots", "--format", "csv", path.to_str().unwrap()]);
    let lines = stdout(&output);
    lines.lines().skip(2).map(|line| line.split(',').nth(5).unwrap().parse().unwrap()).collect()
}

#[test]
fn a_stream_that_starts_between_key_frames_plays_from_its_first_whole_picture() {
    let folder = tempfile::tempdir().unwrap();
    let Some([_, open, _]) = films(folder.path()) else { return };
    let cut = folder.path().join("cut.mp4");
    let mut command = ffmpeg().unwrap();
    run(command.args(["-ss", "3", "-i"]).arg(&open).args(["-c", "copy", "-avoid_negative_ts", "1"]).arg(&cut));
    let (ours, theirs) = (play(&cut), reference(&cut));
    assert!(ours.error.is_none(), "{:?}", ours.error);
    assert_eq!(ours.lost(), 0);
    assert_eq!(ours.pictures.len(), theirs.len());
    for ((time, ours), theirs) in ours.pictures.iter().zip(&theirs) {
        assert!(difference(ours, theirs) < 0.5, "{time}");
    }
}

#[test]
fn damage_costs_what_it_must_and_is_told() {
    const COPIES: usize = 200;
    let folder = tempfile::tempdir().unwrap();
    let Some(films) = films(folder.path()) else { return };
    let mut state = 5u64;
    let mut below = |limit: usize| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as usize % limit
    };
    let (mut decoded, mut silent, mut told) = (0, 0, 0);
    let whole: Vec<Played> = films.iter().map(|film| play(film)).collect();
    for copy in 0..COPIES {
        let film = &films[copy % films.len()];
        let whole = &whole[copy % films.len()];
        let mut data = std::fs::read(film).unwrap();
        let places = samples(film);
        for _ in 0..1 + copy % 3 {
            let (position, size) = places[1 + below(places.len() - 1)];
            // After the length and the first bytes of the slice.
            let first = position + 10.min(size - 1);
            data[first..(first + 20).min(position + size)].fill_with(|| below(256) as u8);
        }
        let path = folder.path().join("damaged.mp4");
        std::fs::write(&path, data).unwrap();
        let played = play(&path);
        decoded += played.pictures.len();
        match played.lost() {
            0 => {
                // Some damage changes pictures without breaking a rule. Damage that ffmpeg notices
                // must be reported.
                let same = played.pictures.len() == FRAMES && played.pictures == whole.pictures;
                silent += usize::from(!same);
                assert!(same || complaints(&path).is_empty(), "{:?}", complaints(&path));
            }
            _ => told += 1,
        }
        for loss in &played.losses {
            assert!(loss.frames > 0 && loss.at <= loss.until, "{loss:?}");
        }
    }
    println!("{COPIES} copies: {decoded} pictures decoded, {told} losses told, {silent} not told");
    assert!(decoded as f64 >= 0.95 * (COPIES * FRAMES) as f64, "{decoded}");
    assert!(told > COPIES / 2, "{told}");
}

#[test]
fn pictures_after_the_damage_are_those_of_the_whole_film() {
    let folder = tempfile::tempdir().unwrap();
    let Some(films) = films(folder.path()) else { return };
    for film in films {
        let mut data = std::fs::read(&film).unwrap();
        let (position, size) = samples(&film)[60];
        data[position + 10..position + size].fill(0xff);
        let path = folder.path().join("damaged.mp4");
        std::fs::write(&path, data).unwrap();
        let (played, whole) = (play(&path), reference(&film));
        assert!(played.error.is_none());
        assert_eq!(played.pictures.len(), FRAMES);
        let [loss] = &played.losses[..] else { panic!("{:?}", played.losses) };
        assert!((1..=80).contains(&loss.frames), "{loss:?}");
        for ((time, ours), theirs) in played.pictures.iter().zip(&whole) {
            if *time < loss.at || *time >= loss.until {
                assert!(difference(ours, theirs) < 0.5, "{}: {time}, {loss:?}", film.display());
            }
        }
        let (found, expected) = (cuts(&path), cuts(&film));
        assert!(expected.len() > 3 && expected.iter().all(|cut| found.contains(cut)), "{found:?} {expected:?}");
        let output = divita(&["classify", "--format", "jsonl", path.to_str().unwrap()]);
        let events: Vec<Value> = stdout(&output).lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        let schema = event_schema();
        assert!(events.iter().all(|event| schema.is_valid(event)));
        let told = events.iter().find(|event| event["event"] == "lost").unwrap();
        assert_eq!(told["frames"], loss.frames);
        assert_eq!(told["at_s"], loss.at.as_secs_f64());
        let result = events.iter().find(|event| event["event"] == "result").unwrap();
        assert_eq!((&result["complete"], &result["lost_frames"]), (&Value::Bool(false), &Value::from(loss.frames)));
        let warned = format!("{} pictures are damaged", loss.frames);
        assert!(stderr(&output).contains(&warned), "{}", stderr(&output));
    }
}

/// Writes a film in `folder`, followed by one of half the size, in one stream with changing
/// parameter sets.
fn resized(folder: &Path) -> Option<PathBuf> {
    let first = film(folder, "first.ts", &["-x264-params", "keyint=50:bframes=3"])?;
    let second = folder.join("second.ts");
    let mut command = ffmpeg().unwrap();
    command.arg("-i").arg(&first).args(["-fps_mode", "passthrough", "-vf", "scale=80:48", "-threads", "1"]);
    run(command.args(["-c:v", "libx264"]).arg(&second));
    let list = folder.join("list.txt");
    std::fs::write(&list, "file first.ts\nfile second.ts\n").unwrap();
    let path = folder.join("resized.mp4");
    run(ffmpeg().unwrap().args(["-f", "concat", "-i"]).arg(&list).args(["-c", "copy"]).arg(&path));
    Some(path)
}

#[test]
fn a_change_of_size_loses_no_picture_and_moves_no_time() {
    let folder = tempfile::tempdir().unwrap();
    let Some(path) = resized(folder.path()) else { return };
    let played = play(&path);
    assert!(played.error.is_none());
    assert_eq!((played.pictures.len(), played.lost()), (2 * FRAMES, 0));
    for (k, (time, planes)) in played.pictures.iter().enumerate() {
        let pixels = if k < FRAMES { 160 * 90 } else { 80 * 48 };
        assert_eq!(planes[0].len(), pixels, "{k}");
        let step = time.as_secs_f64() - played.pictures[0].0.as_secs_f64() - k as f64 / 24.0;
        assert!(step.abs() < 0.02, "picture {k} at {time}");
    }
}

#[test]
fn start_codes_where_lengths_belong_are_read() {
    let folder = tempfile::tempdir().unwrap();
    let Some([film, ..]) = films(folder.path()) else { return };
    let mut data = std::fs::read(&film).unwrap();
    for (position, size) in samples(&film) {
        let mut at = position;
        while at < position + size {
            let length = u32::from_be_bytes(data[at..at + 4].try_into().unwrap()) as usize;
            data[at..at + 4].copy_from_slice(&[0, 0, 0, 1]);
            at += 4 + length;
        }
    }
    let path = folder.path().join("annexb.mp4");
    std::fs::write(&path, data).unwrap();
    let (ours, whole) = (play(&path), play(&film));
    assert!(ours.error.is_none());
    assert_eq!((ours.pictures.len(), ours.lost()), (FRAMES, 0));
    assert!(ours.pictures == whole.pictures);
}

#[test]
fn a_profile_that_cannot_be_decoded_is_named_with_the_command_that_converts() {
    let folder = tempfile::tempdir().unwrap();
    let Some(path) = film(folder.path(), "lossless.mp4", &["-qp", "0"]) else { return };
    let output = divita(&["shots", path.to_str().unwrap()]);
    assert_fails(&output, 1, &["High 4:4:4 Predictive", "ffmpeg -i"]);
}

/// Parameter sets of two sizes in one stream, where OpenH264 reads out of bounds, give pictures or
/// an error.
#[test]
fn parameter_sets_of_two_sizes_never_meet_in_one_decoder() {
    let folder: TempDir = tempfile::tempdir().unwrap();
    let Some(path) = resized(folder.path()) else { return };
    let data = std::fs::read(&path).unwrap();
    let places = samples(&path);
    // The second sequence's first picture replaces one in the middle of the first sequence.
    let (from, size) = places[FRAMES];
    let mut forged = data.clone();
    let target = places.iter().take(FRAMES).position(|&(_, room)| room > size).unwrap_or(0);
    let (to, room) = places[target];
    forged[to..to + size.min(room)].copy_from_slice(&data[from..from + size.min(room)]);
    std::fs::write(&path, forged).unwrap();
    let played = play(&path);
    assert!(played.lost() > 0 || played.error.is_some());
    let output = program("divita").args(["shots", path.to_str().unwrap()]).output().unwrap();
    assert!(output.status.code().is_some(), "{}", stderr(&output));
}
