//! Groups of pictures that are decoded at once give what one decoder gives, one after the other.
#![allow(clippy::unwrap_used)]

use std::fs;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};

use divita_runtime::frame::Timestamp;
use divita_tests::numbers::Numbers;
use divita_tests::streams::{has_encoder, run, samples};
use divita_tests::{assert_fails, divita, ffmpeg, root, sample, stdout};
use divita_video::{self as source, DecodedPictures, Input, Loss, Playback};

/// What a file gives: time, shape and samples of each picture, what was lost, and the error at the
/// end.
#[derive(Debug, PartialEq)]
struct Given {
    pictures: Vec<(Timestamp, String, Vec<u8>)>,
    losses: Vec<Loss>,
    error: Option<String>,
}

fn decode(path: &Path, threads: usize, decode: DecodedPictures) -> Given {
    let playback = Playback { threads: NonZeroUsize::new(threads), decode, ..Playback::default() };
    let mut given = Given { pictures: Vec::new(), losses: Vec::new(), error: None };
    let mut source = match source::open(Input::new(path.to_str().unwrap()).with_playback(playback)) {
        Ok(source) => source,
        Err(error) => return Given { error: Some(error.to_string()), ..given },
    };
    loop {
        match source.next_frame() {
            Ok(Some(frame)) => {
                let (size, colour) = ((frame.width(), frame.height()), frame.colour());
                let shape =
                    (size, colour, frame.orientation(), frame.sample_aspect(), frame.duration(), frame.undecoded());
                given.pictures.push((frame.time(), format!("{shape:?}"), samples(&frame)));
            }
            Ok(None) => break,
            Err(error) => {
                given.error = Some(error.to_string());
                break;
            }
        }
        given.losses.extend(std::iter::from_fn(|| source.take_loss()));
    }
    given.losses.extend(std::iter::from_fn(|| source.take_loss()));
    given
}

/// Checks that `path` gives the same with several threads as with one.
fn assert_same(path: &Path) -> usize {
    let mut pictures = 0;
    for selection in [DecodedPictures::All, DecodedPictures::Reference] {
        let one = decode(path, 1, selection);
        for threads in [2, 3] {
            let several = decode(path, threads, selection);
            let what = format!("{}, {selection}, {threads} threads", path.display());
            let times = |given: &Given| given.pictures.iter().map(|(time, ..)| *time).collect::<Vec<_>>();
            assert_eq!(times(&several), times(&one), "{what}");
            assert_eq!((&several.losses, &several.error), (&one.losses, &one.error), "{what}");
            assert!(several == one, "{what}");
        }
        pictures = pictures.max(one.pictures.len());
    }
    pictures
}

#[test]
fn every_kind_of_stream_is_the_same() {
    let folder = tempfile::tempdir().unwrap();
    let film = "testsrc2=size=208x120:rate=24:duration=7,noise=alls=14:allf=t:all_seed=5";
    for (file, encoder, arguments) in [
        ("closed.mp4", "libx264", "-g 30"),
        ("open.mkv", "libx264", "-g 30 -x264-params open-gop=1:bframes=3"),
        ("sets-in-packets.ts", "libx264", "-g 30"),
        ("bare.h264", "libx264", "-g 30"),
        ("one-group.mp4", "libx264", "-g 999 -x264-params scenecut=0"),
        ("key-only.mp4", "libx264", "-g 1"),
        ("hevc.mp4", "libx265", "-x265-params log-level=error:keyint=30:open-gop=0"),
        ("hevc-open.ts", "libx265", "-x265-params log-level=error:keyint=30"),
        ("vp9.webm", "libvpx-vp9", "-deadline realtime -cpu-used 8 -g 30"),
        ("av1.mp4", "libsvtav1", "-preset 12 -g 30"),
        ("motion.avi", "mjpeg", ""),
    ] {
        if !has_encoder(encoder, file) {
            continue;
        }
        let path = folder.path().join(file);
        let mut command = ffmpeg().unwrap();
        command.args(["-f", "lavfi", "-i", film, "-threads", "1", "-c:v", encoder]).args(arguments.split_whitespace());
        run(command.arg(&path));
        assert_eq!(assert_same(&path), 7 * 24, "{file}");
    }
}

/// Edit lists, changes of size, starts in the middle, and files that are refused.
#[test]
fn every_film_of_the_tests_is_the_same() {
    let mut compared = 0;
    for folder in ["tests/media", "board/video/media"] {
        let mut files: Vec<PathBuf> =
            fs::read_dir(root().join(folder)).unwrap().map(|entry| entry.unwrap().path()).collect();
        files.sort();
        for path in files {
            let extension = path.extension().and_then(|extension| extension.to_str()).unwrap_or_default();
            if !["json", "md"].contains(&extension) && path.is_file() {
                compared += usize::from(assert_same(&path) > 0);
            }
        }
    }
    assert!(compared > 20, "{compared}");
    assert_same(&sample());
}

#[test]
fn damage_ends_in_order_with_any_number_of_threads() {
    let whole = fs::read(sample()).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("damaged.mp4");
    let mut numbers = Numbers(11);
    for _ in 0..6 {
        let mut damaged = whole.clone();
        for _ in 0..10 {
            let at = numbers.below(damaged.len());
            damaged[at] ^= 1 << numbers.below(8);
        }
        fs::write(&path, &damaged).unwrap();
        let (one, several) = (decode(&path, 1, DecodedPictures::All), decode(&path, 2, DecodedPictures::All));
        assert!(several.pictures.is_sorted_by(|a, b| a.0 < b.0));
        let times = |given: &Given| given.pictures.iter().map(|(time, ..)| *time).collect::<Vec<_>>();
        assert_eq!(times(&one), times(&several));
        assert_eq!(one.error, several.error);
    }
}

#[test]
fn a_reader_that_stops_early_leaves_no_thread_that_waits() {
    let threads = || fs::read_dir("/proc/self/task").map_or(0, Iterator::count);
    let before = threads();
    for pictures in [0, 1, 40, 400] {
        let playback = Playback { threads: NonZeroUsize::new(3), ..Playback::default() };
        let mut source = source::open(Input::new(sample().to_str().unwrap()).with_playback(playback)).unwrap();
        for _ in 0..pictures {
            source.next_frame().unwrap();
        }
    }
    let begun = std::time::Instant::now();
    while threads() > before && begun.elapsed() < std::time::Duration::from_secs(20) {
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    assert!(threads() <= before, "{} threads, {before} before", threads());
}

#[test]
fn results_of_the_program_are_the_same() {
    let film = sample();
    let film = film.to_str().unwrap();
    let classify =
        |arguments: &[&str]| stdout(&divita(&[&["classify", "--format", "jsonl", film], arguments].concat()));
    assert_eq!(classify(&["--decode-threads", "2"]), classify(&[]));
    assert_fails(&divita(&["shots", film, "--decode-threads", "0"]), 2, &["--decode-threads"]);
}
