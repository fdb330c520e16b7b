//! Files other than MP4 and Y4M: one line names the type and what to do.
#![allow(clippy::unwrap_used)]

use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::process::Output;

use divita_tests::{assert_fails, divita, program, sample, stderr, stdout};
use divita_video::registry;

/// Runs `divita shots` on a file with these bytes.
fn shots(name: &str, bytes: &[u8]) -> Output {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(name);
    fs::write(&path, bytes).unwrap();
    divita(&["shots", path.to_str().unwrap()])
}

fn ftyp(brands: &[u8]) -> Vec<u8> {
    [&(8 + brands.len() as u32).to_be_bytes(), b"ftyp".as_slice(), brands].concat()
}

#[test]
fn what_is_no_video_is_named_with_what_to_do() {
    let riff = |kind: &[u8; 4]| [b"RIFF\x24\0\0\0".as_slice(), kind, b"fmt "].concat();
    let segment = [b"\0\0\0\x18styp".as_slice(), b"msdh\0\0\0\0msdhmsix", b"\0\0\0\x08moof"].concat();
    let cases: [(&str, Vec<u8>, &[&str]); 25] = [
        ("empty.mp4", vec![], &["empty file", "download it again"]),
        ("photo.heic", ftyp(b"heic\0\0\0\0mif1heic"), &["HEIC picture", "JPEG"]),
        ("photo.avif", ftyp(b"avif\0\0\0\0avifmif1miaf"), &["AVIF picture", "JPEG"]),
        (
            "chunk-1.m4s",
            segment.clone(),
            &["segment of a DASH or HLS stream", "initialisation segment", "cat INIT.mp4"],
        ),
        ("chunk-2.mp4", segment[24..].to_vec(), &["segment of a DASH or HLS stream"]),
        ("film.mp4", b"#EXTM3U\n#EXTINF:10,\nhttp://127.0.0.1:9/a.ts\n".to_vec(), &["HLS or M3U playlist", "ffmpeg"]),
        ("film.mpd", b"<?xml version='1.0'?>\n<MPD type='static'></MPD>".to_vec(), &["DASH manifest", "ffmpeg"]),
        ("film.sdp", b"v=0\r\no=- 0 0 IN IP4 10.0.0.1\r\ns=x\r\n".to_vec(), &["SDP session description"]),
        (
            "login.mp4",
            b"<!DOCTYPE html>\n<html><body>Log in</body></html>".to_vec(),
            &["web page (HTML)", "download the"],
        ),
        ("page.mp4", b"  <html lang='en'>".to_vec(), &["web page (HTML)"]),
        (
            "lfs.mp4",
            b"version https://git-lfs.github.com/spec/v1\noid sha256:00\n".to_vec(),
            &["Git LFS", "git lfs pull"],
        ),
        ("sound.wav", riff(b"WAVE"), &["WAV sound file", "no pictures"]),
        ("photo.webp", riff(b"WEBP"), &["WebP picture", "JPEG"]),
        ("sound.mp3", b"ID3\x04\0\0\0\0\0\0".to_vec(), &["MP3 sound file"]),
        ("sound2.mp3", b"\xff\xfb\x90\x64\0\0".to_vec(), &["MP3 sound file"]),
        ("films.zip", b"PK\x03\x04\x14\0\0\0".to_vec(), &["ZIP archive", "unpack"]),
        ("paper.pdf", b"%PDF-1.7\n".to_vec(), &["PDF document"]),
        ("photo.png", b"\x89PNG\r\n\x1a\n\0\0".to_vec(), &["single PNG picture", "folder"]),
        ("photo.jpg", b"\xff\xd8\xff\xe0\0\x10JFIF".to_vec(), &["single JPEG picture", "folder"]),
        ("photo.bmp", b"BM\x36\0\0\0\0\0\0\0\x36\0\0\0".to_vec(), &["BMP picture"]),
        ("notes.mp4", b"Call the cinema about the second reel.\n".to_vec(), &["a text file"]),
        ("notes16.txt", b"\xff\xfeC\0a\0".to_vec(), &["a text file"]),
        ("part.mp4", vec![0; 5000], &["starts with zeros", "download it again"]),
        ("tar.mp4", [vec![b'x'; 257], b"ustar\0".to_vec()].concat(), &["tar archive"]),
        ("noise.mp4", vec![0xa7, 0x80, 3, 9, 0xfe], &["unknown kind", "ffmpeg"]),
    ];
    for (name, bytes, words) in cases {
        let output = shots(name, &bytes);
        assert_fails(&output, 1, &[&[name], words].concat());
        assert!(!stderr(&output).contains("cut short or still being written"), "{name}");
    }
}

#[test]
fn videos_that_only_gstreamer_reads_are_named_with_the_command_that_converts_them() {
    if registry::is_built_in("gstreamer") {
        return; // It reads them, or says why not.
    }
    let cases: [(&str, Vec<u8>, &str); 6] = [
        ("a.ogv", b"OggS\0\x02\0\0".to_vec(), "an Ogg file"),
        ("a.wmv", b"\x30\x26\xb2\x75\x8e\x66\xcf\x11\xa6\xd9".to_vec(), "a Windows Media file (WMV or ASF)"),
        ("a.mxf", b"\x06\x0e\x2b\x34\x02\x05\x01\x01\x0d\x01\x02".to_vec(), "an MXF file"),
        ("a.mpg", b"\0\0\x01\xba\x44\0".to_vec(), "an MPEG program stream"),
        ("a.m2v", b"\0\0\x01\xb3\x14\0\xf0".to_vec(), "an MPEG-1 or MPEG-2 stream without a container"),
        ("a.mp4", b"OggS\0\x02\0\0".to_vec(), "an Ogg file"),
    ];
    for (name, bytes, what) in cases {
        assert_fails(&shots(name, &bytes), 1, &[name, what, "ffmpeg -i IN"]);
    }
}

#[test]
fn only_allowed_schemes_are_opened() {
    let film = sample().to_str().unwrap().to_owned();
    for command in ["shots", "classify", "bench"] {
        for input in [film.as_str(), "test://?seconds=2", "gst-launch://videotestsrc", "samples"] {
            let output = divita(&[command, "--schemes", "https,rtsp", input]);
            assert_fails(&output, 1, &["not allowed", "https, rtsp", "--schemes"]);
            assert!(!stderr(&output).contains("sintel") || input == film, "a folder is not even listed");
        }
    }
    stdout(&divita(&["shots", "--schemes", "file", &film]));
    stdout(&divita(&["shots", "--schemes", "file,test", "test://?seconds=2"]));
    let wrong = divita(&["shots", "--schemes", "htps", &film]);
    assert_eq!(wrong.status.code(), Some(2), "{}", stderr(&wrong));
    // It is also an option of the configuration file.
    let folder = tempfile::tempdir().unwrap();
    let config = folder.path().join("divita.toml");
    fs::write(&config, "[shots]\nschemes = ['https', 'rtsp']\n").unwrap();
    assert_fails(&divita(&["--config", config.to_str().unwrap(), "shots", &film]), 1, &["not allowed", "https, rtsp"]);
}

#[test]
fn names_that_are_not_utf_8_are_read_and_shown() {
    let folder = tempfile::tempdir().unwrap();
    let name = folder.path().join(std::ffi::OsStr::from_bytes(b"caf\xe9.mp4"));
    fs::copy(sample(), &name).unwrap();
    for argument in [name.as_path(), folder.path()] {
        let output = program("divita").args(["classify", "--duration", "3", "--format", "csv"]).arg(argument).output();
        let text = stdout(&output.unwrap());
        assert!(text.contains("caf\\xE9.mp4,"), "{text}");
    }
    let missing = folder.path().join(std::ffi::OsStr::from_bytes(b"th\xe9.mp4"));
    let output = program("divita").arg("shots").arg(&missing).output().unwrap();
    assert_fails(&output, 1, &["th\\xE9.mp4", "No such file"]);
}

#[test]
fn a_cause_is_said_once() {
    for output in [divita(&["classify", "no/such/film.mp4"]), divita(&["shots", "no/such/film.mp4"])] {
        assert_eq!(stderr(&output).matches("No such file").count(), 1, "{}", stderr(&output));
    }
}

#[test]
fn a_good_file_stays_when_every_input_failed() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("results");
    let run = |command: &str, inputs: &[&str]| {
        divita(&[&[command, "--format", "jsonl", "-o", path.to_str().unwrap()], inputs].concat())
    };
    for command in ["classify", "shots"] {
        fs::write(&path, "good").unwrap();
        let output = run(command, &["no/such/film.mp4"]);
        assert_eq!(output.status.code(), Some(1));
        assert!(stderr(&output).contains("is left as it was"), "{}", stderr(&output));
        assert_eq!(fs::read_to_string(&path).unwrap(), "good", "{command}");
        let left: Vec<_> = fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        assert_eq!(left, ["results"]);
        stdout(&run(command, &["test://?seconds=3&size=64x36"]));
        assert!(fs::read_to_string(&path).unwrap().contains("\"event\":\"shot\""), "{command}");
    }
    // One success is enough, and without an old file there is nothing to keep.
    fs::write(&path, "good").unwrap();
    run("classify", &["no/such/film.mp4", "test://?seconds=3&size=64x36"]);
    assert!(fs::read_to_string(&path).unwrap().contains("\"event\":\"result\""));
    fs::remove_file(&path).unwrap();
    run("classify", &["no/such/film.mp4"]);
    assert!(fs::read_to_string(&path).unwrap().contains("\"event\":\"error\""));
}
