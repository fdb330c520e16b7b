//! Decoding fewer pictures: which they are, against ffmpeg, that they are the same, and that times
//! and shots stay true.
#![allow(clippy::unwrap_used)]

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use divita_runtime::frame::Timestamp;
use divita_tests::streams::{has_encoder, key_packets, run, samples, times_skipping};
use divita_tests::{divita, ffmpeg, media, sample, stdout};
use divita_video::live::{Change, LiveSource, Next, Patience};
use divita_video::{self as source, DecodedPictures, FrameSource, Input, Playback};
use serde_json::Value;

/// A picture: its time, its samples, when the first picture before it that was not decoded is
/// shown, and how many there are.
#[derive(Clone, Debug, PartialEq)]
struct Picture {
    time: Timestamp,
    samples: Vec<u8>,
    undecoded: Option<(Timestamp, u64)>,
}

/// Opens `path` with the decoders that are exact, so that it does not matter which of them decodes.
fn open(path: &Path, decode: DecodedPictures) -> Box<dyn FrameSource> {
    let playback = Playback { decode, exact: true, ..Playback::default() };
    source::open(Input::new(path.to_str().unwrap()).with_playback(playback)).unwrap()
}

/// Returns the pictures of `source`; before each, `select` is given the source and the number of
/// pictures so far.
fn pictures(mut source: Box<dyn FrameSource>, mut select: impl FnMut(&mut dyn FrameSource, usize)) -> Vec<Picture> {
    let mut pictures = Vec::new();
    loop {
        select(&mut *source, pictures.len());
        let Some(frame) = source.next_frame().unwrap() else { break };
        let undecoded = frame.undecoded().map(|undecoded| (undecoded.from, undecoded.pictures));
        pictures.push(Picture { time: frame.time(), samples: samples(&frame), undecoded });
    }
    assert_eq!(source.take_loss(), None);
    let last = pictures.last().map(|picture: &Picture| picture.time);
    assert!(source.take_undecoded().is_none_or(|undecoded| last.is_some_and(|last| undecoded.from > last)));
    pictures
}

fn decode(path: &Path, decode: DecodedPictures) -> Vec<Picture> {
    pictures(open(path, decode), |_, _| {})
}

/// Returns the times in milliseconds of the pictures that ffmpeg decodes with `-skip_frame skip`.
fn ffmpeg_times(path: &Path, skip: &str) -> Vec<i64> {
    let seconds = times_skipping(path, skip).into_iter();
    seconds.map(|seconds| (1000.0 * seconds).round() as i64).collect()
}

/// Returns the times in milliseconds of the packets that the container marks as key pictures.
fn key_times(path: &Path) -> Vec<i64> {
    key_packets(path).into_iter().map(|seconds| (1000.0 * seconds).round() as i64).collect()
}

/// Checks that the times `found` are `expected`, which may count from another moment.
fn assert_near(found: &[i64], expected: &[i64], what: &str) {
    let shift = expected[0] - found[0];
    let are_near = expected.iter().zip(found).all(|(a, b)| (a - b - shift).abs() <= 1);
    assert!(expected.len() == found.len() && are_near, "{what}: {found:?}, not {expected:?}");
}

fn milliseconds(pictures: &[Picture]) -> Vec<i64> {
    pictures.iter().map(|picture| (picture.time.as_nanos() + 500_000) / 1_000_000).collect()
}

/// Checks that `some` are pictures of `all`, sample by sample, and say what was left out between
/// them. Returns how many are missing.
fn assert_part_of(some: &[Picture], all: &[Picture], what: &str) -> usize {
    let (mut rest, mut missing) = (all.iter().peekable(), 0);
    for picture in some {
        let mut left_out = None;
        let found = loop {
            let next = rest.next().unwrap_or_else(|| panic!("{what}: no picture at {}", picture.time));
            if next.time == picture.time {
                break next;
            }
            left_out.get_or_insert((next.time, 0)).1 += 1;
            missing += 1;
        };
        assert!(found.samples == picture.samples, "{what}: the picture at {} differs", picture.time);
        assert_eq!(picture.undecoded, left_out, "{what}: at {}", picture.time);
    }
    missing + rest.count()
}

const FILM: &str = "testsrc2=size=320x180:rate=24:duration=3,noise=alls=14:allf=t:all_seed=5";

/// Encodes three seconds as `file` in `folder`.
fn encode(folder: &Path, file: &str, arguments: &str) -> PathBuf {
    let path = folder.join(file);
    let mut command = ffmpeg().unwrap();
    command.args(["-f", "lavfi", "-i", FILM, "-threads", "1"]).args(arguments.split_whitespace());
    run(command.arg(&path));
    path
}

/// Kinds of streams: file, encoder, arguments, the pictures at least that no other needs.
const KINDS: &[(&str, &str, &str, usize)] = &[
    ("default.mp4", "libx264", "-g 24", 15),
    ("no-pyramid.mkv", "libx264", "-g 24 -x264-params b-pyramid=none:bframes=3", 25),
    ("open-group.ts", "libx264", "-g 24 -x264-params open-gop=1:bframes=3", 15),
    ("no-b.mp4", "libx264", "-g 24 -bf 0", 0),
    ("refresh.mp4", "libx264", "-x264-params intra-refresh=1:keyint=24:bframes=2", 10),
    ("interlaced.mp4", "libx264", "-g 24 -flags +ildct+ilme", 10),
    ("ten-bits.mp4", "libx264", "-g 24 -pix_fmt yuv420p10le", 15),
    ("default-hevc.mp4", "libx265", "-g 24 -x265-params log-level=error", 15),
    ("layers-hevc.mp4", "libx265", "-g 24 -x265-params log-level=error:temporal-layers=2:bframes=3", 15),
    ("open-group-hevc.ts", "libx265", "-g 24 -x265-params log-level=error:open-gop=1", 15),
    ("ten-bits-hevc.mkv", "libx265", "-g 24 -pix_fmt yuv420p10le -x265-params log-level=error", 15),
];

/// Encodes `kinds` whose encoders are there.
fn encoded(folder: &Path) -> Vec<(PathBuf, usize)> {
    let has = |encoder: &str| has_encoder(encoder, "its streams");
    let kinds = KINDS.iter().filter(|(_, encoder, ..)| has(encoder));
    let encode = |&(file, encoder, arguments, least): &(&str, &str, &str, usize)| {
        (encode(folder, file, &format!("-c:v {encoder} {arguments}")), least)
    };
    kinds.map(encode).collect()
}

#[test]
fn reference_pictures_are_those_of_ffmpeg_and_unchanged() {
    let folder = tempfile::tempdir().unwrap();
    for (path, least) in encoded(folder.path()) {
        let what = path.display().to_string();
        let all = decode(&path, DecodedPictures::All);
        let some = decode(&path, DecodedPictures::Reference);
        let missing = assert_part_of(&some, &all, &what);
        assert!(missing >= least, "{what}: {missing} of {} are left out", all.len());
        assert_near(&milliseconds(&some), &ffmpeg_times(&path, "noref"), &what);
    }
}

#[test]
fn key_pictures_are_those_of_the_container_and_unchanged() {
    let folder = tempfile::tempdir().unwrap();
    for (path, _) in encoded(folder.path()) {
        let what = path.display().to_string();
        let all = decode(&path, DecodedPictures::All);
        let some = decode(&path, DecodedPictures::Key);
        assert_part_of(&some, &all, &what);
        let keys = key_times(&path);
        // A container marks recovery points, too, at which pictures need others.
        if what.contains("refresh") {
            assert_eq!(some.len(), 1, "{what}");
            continue;
        }
        assert_near(&milliseconds(&some), &keys, &what);
    }
}

/// Frames of AV1 and VP9 that are stored nowhere. ffmpeg leaves none of them out, so that there is
/// nothing to compare with but the whole.
#[test]
fn frames_of_av1_and_vp9_that_are_stored_nowhere_are_left_out() {
    let folder = tempfile::tempdir().unwrap();
    let layers = "-deadline realtime -cpu-used 8 -lag-in-frames 0 -error-resilient 1 -b:v 400k \
                  -ts-parameters ts_number_layers=2:ts_target_bitrate=240,400:ts_rate_decimator=2,1:ts_periodicity=2:ts_layer_id=0,1:ts_layering_mode=2";
    for (file, encoder, arguments, least) in [
        ("svt.mp4", "libsvtav1", "-preset 10 -g 48", 15),
        ("svt.ivf", "libsvtav1", "-preset 10 -svtav1-params pred-struct=1:lookahead=0 -g 48", 0),
        ("aom.mkv", "libaom-av1", "-cpu-used 8 -g 48", 1),
        ("vpx.webm", "libvpx-vp9", "-deadline realtime -cpu-used 8 -g 48", 0),
        ("layers.webm", "libvpx-vp9", layers, 20),
    ] {
        if !has_encoder(encoder, "its streams") {
            continue;
        }
        let path = encode(folder.path(), file, &format!("-c:v {encoder} {arguments}"));
        let all = decode(&path, DecodedPictures::All);
        let some = decode(&path, DecodedPictures::Reference);
        let missing = assert_part_of(&some, &all, file);
        assert!(missing >= least, "{file}: {missing} of {} are left out", all.len());
        let keys = decode(&path, DecodedPictures::Key);
        assert_part_of(&keys, &all, file);
        assert!((1..=3).contains(&keys.len()), "{file}: {} key pictures", keys.len());
    }
}

#[test]
fn the_selection_may_change_at_any_picture() {
    let folder = tempfile::tempdir().unwrap();
    for (path, _) in encoded(folder.path()) {
        let all = decode(&path, DecodedPictures::All);
        for (first, second) in [
            (DecodedPictures::All, DecodedPictures::Key),
            (DecodedPictures::Key, DecodedPictures::All),
            (DecodedPictures::Reference, DecodedPictures::All),
            (DecodedPictures::Key, DecodedPictures::Reference),
        ] {
            for at in [1, 2, 5, 19] {
                let some = pictures(open(&path, first), |source, so_far| {
                    if so_far == at {
                        source.select(second);
                    }
                });
                let what = format!("{}, {first} to {second} at {at}", path.display());
                assert_part_of(&some, &all, &what);
            }
        }
    }
}

#[test]
fn motion_jpeg_has_key_pictures_only() {
    let folder = tempfile::tempdir().unwrap();
    if !has_encoder("mjpeg", "its streams") {
        return;
    }
    let path = encode(folder.path(), "film.avi", "-c:v mjpeg");
    let all = decode(&path, DecodedPictures::All);
    assert_eq!(decode(&path, DecodedPictures::Key), all);
    assert_eq!(decode(&path, DecodedPictures::Reference), all);
}

#[test]
fn times_stay_in_order_whatever_is_damaged() {
    let whole = std::fs::read(media("b-frames.mp4")).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("damaged.mp4");
    let mut numbers = divita_tests::numbers::Numbers(7);
    for _ in 0..40 {
        let mut damaged = whole.clone();
        for _ in 0..20 {
            let at = numbers.below(damaged.len());
            damaged[at] ^= 1 << numbers.below(8);
        }
        std::fs::write(&path, &damaged).unwrap();
        for decode in DecodedPictures::ALL {
            let input = Input::new(path.to_str().unwrap()).with_playback(Playback { decode, ..Playback::default() });
            let Ok(mut source) = source::open(input) else { continue };
            let mut last = None;
            while let Ok(Some(frame)) = source.next_frame() {
                assert!(last.is_none_or(|last| frame.time() > last));
                let before = frame.undecoded().map(|undecoded| undecoded.from);
                assert!(before.is_none_or(|before| before < frame.time() && last.is_none_or(|last| before > last)));
                last = Some(frame.time());
            }
        }
    }
}

/// A live input is told on its own thread, also after it was opened again.
#[test]
fn a_live_input_takes_the_selection_over() {
    let path = sample();
    let opened = path.clone();
    let open = Box::new(move || source::open(opened.to_str().unwrap()));
    let mut live =
        LiveSource::start(open, Patience { first: Duration::from_millis(1), ..Patience::default() }).unwrap();
    live.select(DecodedPictures::Key);
    let (mut connections, mut undecoded) = (0, [0; 2]);
    let begun = Instant::now();
    while connections < 3 && begun.elapsed() < Duration::from_secs(60) {
        match live.next(Duration::from_millis(100)).unwrap() {
            Next::Change { change: Change::Connected { .. }, .. } => connections += 1,
            Next::Frame(frame) if (1..3).contains(&connections) => {
                undecoded[connections - 1] += frame.undecoded().map_or(0, |undecoded| undecoded.pictures);
            }
            _ => {}
        }
    }
    // Frames that came too fast are dropped, so not every picture is counted.
    assert!(undecoded.iter().all(|pictures| *pictures > 100), "{undecoded:?}");
}

fn shots(arguments: &[&str]) -> Vec<Value> {
    let output = stdout(&divita(&[&["shots", "--format", "jsonl"], arguments].concat()));
    let events = output.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let schema = divita_tests::event_schema();
    events
        .inspect(|event| assert!(schema.is_valid(event), "{event}"))
        .filter(|event| event["event"] == "shot")
        .collect()
}

/// A cut lies between two decoded pictures; the event says between which.
#[test]
fn shots_say_where_a_cut_may_lie() {
    let film = sample();
    let film = film.to_str().unwrap();
    let (all, some) = (shots(&[film]), shots(&[film, "--decode", "reference"]));
    assert!(all.iter().all(|shot| shot.get("earliest_start_s").is_none()));
    assert!(some.iter().any(|shot| shot.get("earliest_start_s").is_some()));
    let number = |shot: &Value, name: &str| shot[name].as_f64().unwrap();
    let mut exact = 0;
    for shot in all.iter().filter(|shot| shot["kind"] == "cut") {
        let start = number(shot, "start_s");
        let found = some.iter().find(|other| {
            let earliest =
                other.get("earliest_start_s").map_or(number(other, "start_s"), |time| time.as_f64().unwrap());
            (earliest..=number(other, "start_s")).contains(&start)
        });
        let found = found.unwrap_or_else(|| panic!("no shot begins about {start}: {some:?}"));
        exact += usize::from(number(found, "start_s") == start);
        // Frames are counted as in the whole film.
        let frames_late = ((number(found, "start_s") - start) * 24.0).round();
        assert_eq!(number(found, "first_frame") - number(shot, "first_frame"), frames_late);
    }
    assert!(exact > 0);
    let result = stdout(&divita(&["classify", "--format", "jsonl", "--decode", "reference", film]));
    let result: Value = serde_json::from_str(result.lines().last().unwrap()).unwrap();
    assert_eq!(result["frames"], 1253, "{result}");
    assert!((number(&result, "duration_s") - 1253.0 / 24.0).abs() < 1e-6, "{result}");
}

#[test]
fn a_wrong_word_is_answered_with_the_right_ones() {
    let output = divita(&["shots", sample().to_str().unwrap(), "--decode", "keys"]);
    divita_tests::assert_fails(&output, 2, &["all", "reference", "key"]);
    let film = format!("{}?decode=none", sample().to_str().unwrap());
    divita_tests::assert_fails(&divita(&["shots", &film]), 1, &["decode=all, reference or key"]);
}
