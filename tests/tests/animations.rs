//! Animated GIF, WebP and PNG, against the pictures that they were made of.
#![allow(clippy::unwrap_used)]

use std::fs::File;
use std::path::Path;

use divita_runtime::frame::Timestamp;
use divita_tests::{assert_fails, ffmpeg, program, raw_planes, stderr};
use divita_video as source;

/// Sides of the pictures.
const SIZE: (usize, usize) = (160, 90);

/// Number of pictures, eight a second.
const PICTURES: usize = 16;

/// Times and pictures of `input`.
fn pictures(input: &Path) -> Vec<(Timestamp, Vec<u8>)> {
    let mut source = source::open(input).unwrap();
    let mut pictures = Vec::new();
    while let Some(frame) = source.next_frame().unwrap() {
        pictures.push((frame.time(), raw_planes(&frame).concat()));
    }
    pictures
}

/// Runs ffmpeg on `input` with `arguments`; `None` where it cannot.
fn convert(input: &[&str], arguments: &[&str], output: &str) -> Option<Vec<u8>> {
    let done = ffmpeg()?.args(input).args(arguments).arg(output).output().unwrap();
    if !done.status.success() {
        eprintln!("SKIPPED: ffmpeg cannot make {output}: {}", stderr(&done));
        return None;
    }
    Some(done.stdout)
}

#[test]
fn pictures_are_those_that_the_animation_was_made_of() {
    let folder = tempfile::tempdir().unwrap();
    let pattern = format!("testsrc2=size={}x{}:rate=8:duration=2", SIZE.0, SIZE.1);
    let pattern = ["-f", "lavfi", "-i", &pattern];
    let raw = ["-f", "rawvideo", "-pix_fmt", "rgb24"];
    // The decoder of WebP rounds down where a part of a picture is laid over the one before.
    for (name, tolerance, arguments) in [
        ("film.png", 0, &["-f", "apng", "-pix_fmt", "rgb24"][..]),
        ("film.webp", 1, &["-c:v", "libwebp_anim", "-lossless", "1", "-pix_fmt", "bgra"]),
        ("film.gif", 0, &[]),
    ] {
        let path = folder.path().join(name);
        if convert(&pattern, arguments, path.to_str().unwrap()).is_none() {
            continue;
        }
        // A GIF has few colours: ffmpeg's own reading of it is the reference.
        let reference = match name {
            "film.gif" => convert(&["-i", path.to_str().unwrap()], &raw, "-"),
            _ => convert(&pattern, &raw, "-"),
        };
        let found = pictures(&path);
        assert_eq!(found.len(), PICTURES, "{name}");
        let expected = reference.unwrap();
        for (k, ((time, picture), expected)) in found.iter().zip(expected.chunks(3 * SIZE.0 * SIZE.1)).enumerate() {
            // GIF counts hundredths.
            assert!((time.as_secs_f64() - k as f64 / 8.0).abs() < 0.011, "{name}: picture {k} at {time}");
            let worst = picture.iter().zip(expected).map(|(a, b)| a.abs_diff(*b)).max();
            assert!(worst <= Some(tolerance), "{name}: picture {k} differs by up to {worst:?}");
            assert_eq!(picture.len(), expected.len());
        }
        // Its reader seeks, so a pipe is refused by name.
        let mut piped = program("divita");
        let output = piped.args(["shots", "-"]).stdin(File::open(&path).unwrap()).output().unwrap();
        assert_fails(&output, 1, &["which cannot be read from a pipe", "give the file"]);
    }
}
