//! The same pictures in every container: equal planes at equal times, from a file and from a pipe.
#![allow(clippy::unwrap_used)]

use std::path::Path;
use std::process::Command;

use divita_runtime::frame::Timestamp;
use divita_tests::{media, raw_planes};
use divita_video::{self as source, FrameSource};

/// Copies of one film: its file, whether a pipe gives it too.
const FILMS: [(&str, &[(&str, bool)]); 4] = [
    (
        "b-frames.mp4",
        &[
            ("fragmented.mp4", true),
            ("fragmented-after-index.mp4", true),
            ("fragmented-cmaf.mp4", true),
            ("fragmented-dash.mp4", true),
            ("in-flv.flv", true),
            ("in-live-matroska.mkv", true),
            ("in-m2ts.m2ts", true),
            ("in-matroska.mkv", true),
            ("in-ts.ts", true),
        ],
    ),
    ("hevc.mp4", &[("hevc-in-matroska.mkv", true), ("hevc-in-ts.ts", true)]),
    ("vp9.webm", &[("vp9-in-ivf.ivf", true), ("vp9-in-mp4.mp4", false)]),
    ("av1.mp4", &[("av1-in-ivf.ivf", true), ("av1-in-matroska.mkv", true)]),
];

/// Largest difference of times: half of a frame's. Some containers count milliseconds.
const SAME_TIME_NS: u64 = 20_000_000;

/// A picture: its time after the first, and its planes.
type Shown = (Timestamp, Vec<Vec<u8>>);

fn pictures(path: &Path) -> Vec<Shown> {
    let mut source: Box<dyn FrameSource> = source::open(path.to_str().unwrap()).unwrap();
    let mut pictures: Vec<Shown> = Vec::new();
    let mut first = None;
    while let Some(frame) = source.next_frame().unwrap_or_else(|error| panic!("{}: {error}", path.display())) {
        let first = *first.get_or_insert(frame.time());
        pictures.push((frame.time().since(first), raw_planes(&frame)));
    }
    assert_eq!(source.take_loss(), None, "{}", path.display());
    pictures
}

/// Returns the pictures of a pipe that `file` is written into.
fn piped_pictures(file: &Path) -> Vec<Shown> {
    let folder = tempfile::tempdir().unwrap();
    let pipe = folder.path().join("pipe");
    assert!(Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    let (file, end) = (file.to_owned(), pipe.clone());
    let writer = std::thread::spawn(move || std::fs::copy(file, end));
    let pictures = pictures(&pipe);
    // The reader may stop before the end of the file, which breaks the pipe.
    let _ = writer.join().unwrap();
    pictures
}

fn assert_same(name: &str, found: &[Shown], expected: &[Shown]) {
    assert_eq!(found.len(), expected.len(), "{name}");
    for (k, ((time, planes), (at, whole))) in found.iter().zip(expected).enumerate() {
        assert!(time.as_nanos().abs_diff(at.as_nanos()) < SAME_TIME_NS, "{name}: picture {k} at {time}, not {at}");
        assert!(planes == whole, "{name}: picture {k} differs");
    }
}

#[test]
fn a_film_is_the_same_in_every_container() {
    for (film, copies) in FILMS {
        let expected = pictures(&media(film));
        assert!(expected.len() > 5, "{film}");
        for (copy, _) in copies {
            assert_same(copy, &pictures(&media(copy)), &expected);
        }
    }
}

#[test]
fn a_pipe_gives_what_the_file_gives() {
    for (film, copies) in FILMS {
        let expected = pictures(&media(film));
        for (copy, _) in copies.iter().filter(|(_, from_pipe)| *from_pipe) {
            assert_same(copy, &piped_pictures(&media(copy)), &expected);
        }
    }
}

#[test]
fn a_copy_cut_short_gives_the_pictures_before() {
    let folder = tempfile::tempdir().unwrap();
    for (film, copies) in FILMS {
        let expected = pictures(&media(film));
        for (copy, _) in copies.iter().filter(|(_, from_pipe)| *from_pipe) {
            let whole = std::fs::read(media(copy)).unwrap();
            let cut = folder.path().join(copy);
            std::fs::write(&cut, &whole[..whole.len() * 3 / 4]).unwrap();
            let mut source = source::open(cut.to_str().unwrap()).unwrap();
            let mut frames = 0;
            while let Ok(Some(_)) = source.next_frame() {
                frames += 1;
            }
            assert!(frames > 0 && frames < expected.len(), "{copy}: {frames} of {}", expected.len());
        }
    }
}
