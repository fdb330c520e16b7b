//! How files are played: another video track, exact decoding, a file that still grows.
#![allow(clippy::unwrap_used)]

use std::fs::{self, File, OpenOptions};
use std::io::{Read, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread;
use std::time::Duration;

use divita_tests::{assert_fails, divita, ffmpeg, media, program, raw_planes, root, stderr, stdout};
use divita_video as source;

/// A film of which the fast decoder does not make every picture exactly.
const FILM: &str = "samples/sintel-trailer.mp4";

/// Pictures of it that are compared: its third and fourth shots are among them.
const PICTURES: usize = 330;

fn run(command: &mut Command) {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{}", stderr(&output));
}

#[test]
fn exact_pictures_are_those_of_ffmpeg() {
    let Some(mut ffmpeg) = ffmpeg() else { return };
    let film = root().join(FILM);
    ffmpeg.arg("-i").arg(&film).args(["-fps_mode", "passthrough", "-frames:v", &PICTURES.to_string()]);
    ffmpeg.args(["-pix_fmt", "yuv420p", "-f", "rawvideo", "-"]).stdout(Stdio::piped());
    let mut reference = ffmpeg.spawn().unwrap();
    let mut expected = reference.stdout.take().unwrap();
    let mut exact = source::open(format!("{}?exact=1", film.display())).unwrap();
    let mut fast = source::open(film.as_path()).unwrap();
    let mut inexact = 0;
    for at in 0..PICTURES {
        let planes = raw_planes(&exact.next_frame().unwrap().unwrap());
        let mut whole = vec![0; planes.iter().map(Vec::len).sum()];
        expected.read_exact(&mut whole).unwrap();
        assert!(planes.concat() == whole, "picture {at} is not exact");
        inexact += usize::from(raw_planes(&fast.next_frame().unwrap().unwrap()) != planes);
    }
    println!("without ?exact=1, {inexact} of {PICTURES} pictures differ");
    reference.wait().unwrap();
}

#[test]
fn a_track_is_chosen_by_its_number() {
    let Some(mut ffmpeg) = ffmpeg() else { return };
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("two.mkv");
    for film in ["b-frames.mp4", "vp9.webm"] {
        ffmpeg.arg("-i").arg(media(film));
    }
    run(ffmpeg.args(["-map", "0:v", "-map", "1:v", "-c", "copy"]).arg(&path));
    let path = path.to_str().unwrap();
    let pictures = |input: &str| {
        let mut source = source::open(input).unwrap();
        std::iter::from_fn(|| source.next_frame().unwrap().map(|frame| raw_planes(&frame))).collect::<Vec<_>>()
    };
    let of = |film: &str| pictures(media(film).to_str().unwrap());
    assert_eq!(pictures(path), of("b-frames.mp4"));
    assert_eq!(pictures(&format!("{path}?track=1")), of("b-frames.mp4"));
    assert_eq!(pictures(&format!("{path}?track=2")), of("vp9.webm"));
    // The option of the program does the same, for all inputs.
    let shots = |arguments: &[&str]| stdout(&divita(&[&["shots", "--format", "jsonl"], arguments].concat()));
    let second = shots(&[&format!("{path}?track=2")]).replace("?track=2", "");
    assert!(second.contains("\"event\":\"shot\""), "{second}");
    assert_eq!(shots(&["--track", "2", path]), second);
    assert_ne!(shots(&[path]), second);
    let missing = divita(&["shots", "--track", "3", path]);
    assert_fails(&missing, 1, &["no video track 3", "1 (H.264), 2 (VP9)"]);
    // What has no tracks says so.
    assert_fails(&divita(&["shots", "--track", "2", "test://?seconds=1"]), 1, &["--track"]);
    let y4m = folder.path().join("film.y4m");
    fs::write(&y4m, b"YUV4MPEG2 W2 H2 F1:1\nFRAME\n......").unwrap();
    assert_fails(&divita(&["shots", "--track", "2", y4m.to_str().unwrap()]), 1, &["only track 1"]);
}

/// Appends `bytes` to the file at `path`.
fn append(path: &Path, bytes: &[u8]) {
    OpenOptions::new().append(true).create(true).open(path).unwrap().write_all(bytes).unwrap();
}

#[test]
fn a_growing_file_is_read_to_its_end() {
    let folder = tempfile::tempdir().unwrap();
    for film in ["in-live-matroska.mkv", "in-ts.ts", "fragmented.mp4"] {
        let whole = fs::read(media(film)).unwrap();
        let path = folder.path().join(film);
        append(&path, &whole[..whole.len() / 3]);
        let mut follow = program("divita");
        follow.args(["shots", "--format", "jsonl", "--follow=3"]).arg(&path);
        let output = File::create(folder.path().join("events")).unwrap();
        let mut follow = follow.stdout(output).spawn().unwrap();
        for piece in [whole.len() / 3..whole.len() / 2, whole.len() / 2..whole.len()] {
            thread::sleep(Duration::from_millis(700));
            assert!(follow.try_wait().unwrap().is_none(), "{film}: it ended before the file did");
            append(&path, &whole[piece]);
        }
        assert!(follow.wait().unwrap().success(), "{film}");
        let followed = fs::read_to_string(folder.path().join("events")).unwrap();
        // A pipe gives the same: neither states how long it is.
        let mut piped = program("divita");
        piped.args(["shots", "--format", "jsonl", "-"]).stdin(File::open(media(film)).unwrap());
        let piped = stdout(&piped.output().unwrap()).replace("\"-\"", &format!("{:?}", path.to_str().unwrap()));
        assert_eq!(followed, piped, "{film}");
    }
}
