//! Y4M against its original pictures: from a file, a named pipe and standard input, in every
//! layout, and truncated.
#![allow(clippy::unwrap_used)]

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use divita_runtime::frame::{Colour, Range, Timestamp};
use divita_tests::{divita, ffmpeg, program, raw_planes, root, stdout};
use divita_video::y4m::Y4mSource;
use divita_video::{self as source, FrameSource, SourceError};
use serde_json::Value;

/// A frame, kept after its source has moved on.
#[derive(Debug, PartialEq)]
struct Kept {
    time: Timestamp,
    size: (usize, usize),
    colour: Colour,
    planes: Vec<Vec<u8>>,
}

/// Returns all frames of `source`, and how it ended.
fn all(source: &mut dyn FrameSource) -> (Vec<Kept>, Result<(), SourceError>) {
    let mut kept = Vec::new();
    loop {
        match source.next_frame() {
            Ok(Some(frame)) => kept.push(Kept {
                time: frame.time(),
                size: (frame.width(), frame.height()),
                colour: frame.colour(),
                planes: raw_planes(&frame),
            }),
            Ok(None) => return (kept, Ok(())),
            Err(error) => return (kept, Err(error)),
        }
    }
}

/// Returns all frames of `input`, which must be complete.
fn frames(input: &Path) -> Vec<Kept> {
    let mut source = source::open(input.to_str().unwrap()).unwrap();
    let (frames, end) = all(source.as_mut());
    end.unwrap();
    frames
}

fn media(name: &str) -> PathBuf {
    root().join("tests/media").join(name)
}

/// Returns the ffmpeg command that writes `video` to standard output as Y4M, in `layout` if given.
fn to_y4m(mut ffmpeg: Command, video: &Path, layout: Option<&str>) -> Command {
    ffmpeg.arg("-i").arg(video);
    if let Some(layout) = layout {
        ffmpeg.args(["-strict", "-1", "-pix_fmt", layout]);
    }
    ffmpeg.args(["-f", "yuv4mpegpipe", "-"]);
    ffmpeg
}

/// Returns the objects that a run printed, without the name of the input.
fn without_source(text: &str) -> Vec<Value> {
    let event = |line: &str| {
        let mut event: Value = serde_json::from_str(line).unwrap();
        event.as_object_mut().unwrap().remove("source").unwrap();
        event
    };
    // A pipe does not tell how long it is.
    text.lines().map(event).filter(|event| event["event"] != "opened").collect()
}

#[test]
fn a_file_and_a_pipe_give_the_frames_of_the_mp4_they_were_made_from() {
    let folder = tempfile::tempdir().unwrap();
    // The second has full range, which Y4M states in an extension, and its size is no multiple of
    // 16.
    for name in ["b-frames.mp4", "full-range-601.mp4"] {
        let expected = frames(&media(name));
        let Some(command) = ffmpeg() else { return };
        let mut child = to_y4m(command, &media(name), None).stdout(Stdio::piped()).spawn().unwrap();
        let mut piped = Y4mSource::from_reader("-", child.stdout.take().unwrap()).unwrap();
        assert_eq!(piped.info().frames, None, "a pipe does not tell how much will come");
        assert_eq!(all(&mut piped).0, expected, "{name} through a pipe");
        assert!(child.wait().unwrap().success());

        let path = folder.path().join("film.y4m");
        let y4m = to_y4m(ffmpeg().unwrap(), &media(name), None).output().unwrap().stdout;
        std::fs::write(&path, y4m).unwrap();
        assert_eq!(frames(&path), expected, "{name} from a file");
        let (from_file, from_mp4) = (source::open(path.to_str().unwrap()).unwrap(), {
            let mp4 = media(name);
            source::open(mp4.to_str().unwrap()).unwrap()
        });
        let (file, mp4) = (from_file.info(), from_mp4.info());
        assert_eq!((file.width, file.height, file.frames), (mp4.width, mp4.height, mp4.frames), "{name}");
        assert!((file.frame_rate.unwrap() - mp4.frame_rate.unwrap()).abs() < 1e-6, "{name}");
        let apart = file.duration.unwrap().since(mp4.duration.unwrap()).as_nanos();
        assert!(apart.abs() < 1000, "{name}: {apart} ns");
    }
}

#[test]
fn standard_input_is_classified_as_the_mp4_is() {
    let mp4 = media("b-frames.mp4");
    let Some(command) = ffmpeg() else { return };
    let mut child = to_y4m(command, &mp4, None).stdout(Stdio::piped()).spawn().unwrap();
    let pipe = Stdio::from(child.stdout.take().unwrap());
    let piped = program("divita").args(["classify", "--format", "jsonl", "-"]).stdin(pipe).output().unwrap();
    assert!(child.wait().unwrap().success());
    let from_file = stdout(&divita(&["classify", "--format", "jsonl", mp4.to_str().unwrap()]));
    let events = without_source(&from_file);
    assert_eq!(without_source(&stdout(&piped)), events);
    let result = events.last().unwrap();
    assert_eq!((&result["event"], &result["frames"]), (&"result".into(), &36.into()));
}

#[test]
#[cfg(unix)]
fn a_named_pipe_is_read_as_a_stream() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("pipe.mp4");
    if !Command::new("mkfifo").arg(&path).status().is_ok_and(|status| status.success()) {
        eprintln!("SKIPPED: mkfifo is not installed");
        return;
    }
    let (y4m, planes) = drawn("W6 H4 F24:1 C420jpeg", &[24, 6, 6], 3);
    let writer = std::thread::spawn({
        let path = path.clone();
        move || std::fs::write(path, y4m).unwrap()
    });
    // Its name suggests an MP4, and it is neither seekable nor of known length.
    let mut source = source::open(path.to_str().unwrap()).unwrap();
    assert_eq!(source.info().frames, None);
    let (read, end) = all(source.as_mut());
    end.unwrap();
    writer.join().unwrap();
    assert_eq!(read.into_iter().map(|frame| frame.planes).collect::<Vec<_>>(), planes);
}

/// Returns a Y4M of `count` frames with planes of `sizes` bytes, and these planes, all different.
fn drawn(header: &str, sizes: &[usize], count: usize) -> (Vec<u8>, Vec<Vec<Vec<u8>>>) {
    let mut data = format!("YUV4MPEG2 {header}\n").into_bytes();
    let mut code = 0u8;
    let mut frames = Vec::new();
    for _ in 0..count {
        data.extend_from_slice(b"FRAME\n");
        let mut planes = Vec::new();
        for &size in sizes {
            let plane: Vec<u8> = std::iter::repeat_with(|| {
                code = code.wrapping_mul(5).wrapping_add(17);
                code
            })
            .take(size)
            .collect();
            data.extend_from_slice(&plane);
            planes.push(plane);
        }
        frames.push(planes);
    }
    (data, frames)
}

#[test]
fn every_layout_gives_its_planes_at_odd_sizes_too() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("film.y4m");
    for (width, height) in [(1usize, 1usize), (7, 5), (6, 4), (2, 9)] {
        let (luma, half, quarter) =
            (width * height, width.div_ceil(2) * height, width.div_ceil(2) * height.div_ceil(2));
        for (layout, sizes) in [
            // The default layout is 4:2:0.
            ("", vec![luma, quarter, quarter]),
            (" C420", vec![luma, quarter, quarter]),
            (" C420jpeg", vec![luma, quarter, quarter]),
            (" C420mpeg2", vec![luma, quarter, quarter]),
            (" C420paldv", vec![luma, quarter, quarter]),
            (" C422", vec![luma, half, half]),
            (" C444", vec![luma, luma, luma]),
            (" Cmono", vec![luma]),
        ] {
            let (data, planes) = drawn(&format!("W{width} H{height} F30000:1001{layout}"), &sizes, 4);
            std::fs::write(&path, data).unwrap();
            let info = source::open(path.to_str().unwrap()).unwrap().info().clone();
            assert_eq!((info.width, info.height, info.frames), (width, height, Some(4)), "{layout}");
            assert_eq!(info.duration, Some(Timestamp::from_ticks(4004, 30_000)), "{layout}");
            let read = frames(&path);
            assert_eq!(read.len(), 4, "{width}x{height}{layout}");
            for (k, (frame, planes)) in read.into_iter().zip(planes).enumerate() {
                assert_eq!(frame.time, Timestamp::from_ticks(1001 * k as i64, 30_000));
                assert_eq!((frame.size, frame.colour.range), ((width, height), Range::Limited));
                assert_eq!(frame.planes, planes, "frame {k} of {width}x{height}{layout}");
            }
        }
    }
}

#[test]
fn layouts_that_ffmpeg_writes_keep_the_luma_of_the_film() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("film.y4m");
    let film = frames(&media("b-frames.mp4"));
    for (layout, chroma) in [("yuv422p", 48 * 64), ("yuv444p", 96 * 64), ("gray", 0)] {
        let Some(command) = ffmpeg() else { return };
        let y4m = to_y4m(command, &media("b-frames.mp4"), Some(layout)).output().unwrap().stdout;
        std::fs::write(&path, &y4m).unwrap();
        let read = frames(&path);
        assert_eq!(read.len(), film.len(), "{layout}");
        for (frame, expected) in read.iter().zip(&film) {
            let sizes: Vec<usize> = frame.planes[1..].iter().map(Vec::len).collect();
            assert_eq!(sizes, if chroma == 0 { vec![] } else { vec![chroma; 2] }, "{layout}");
            // Grey is converted to full range, whether or not its header states that. Its luma then
            // differs.
            if chroma > 0 {
                assert_eq!(frame.planes[0], expected.planes[0], "{layout} at {}", frame.time);
            }
            assert_eq!(frame.time, expected.time, "{layout}");
        }
    }
}

#[test]
fn a_cut_file_gives_its_whole_frames_and_then_says_where_it_ends() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("cut.y4m");
    let (whole, planes) = drawn("W5 H3 F2:1", &[15, 6, 6], 4);
    // Every position in the last frame, from its last sample to the second letter of its header
    // line.
    for missing in 1..b"FRAME\n".len() + 27 {
        std::fs::write(&path, &whole[..whole.len() - missing]).unwrap();
        let mut source = source::open(path.to_str().unwrap()).unwrap();
        let (read, end) = all(source.as_mut());
        let read: Vec<_> = read.into_iter().map(|frame| frame.planes).collect();
        assert_eq!(read, planes[..3], "{missing} bytes missing");
        let error = end.expect_err("the cut is noticed").to_string();
        assert!(error.contains("it is cut short: its pictures end after 1.000 s"), "{error}");
        assert!(source.next_frame().unwrap().is_none(), "nothing follows an error");
    }
    // Without the whole last frame, nothing shows that it existed.
    std::fs::write(&path, &whole[..whole.len() - b"FRAME\n".len() - 27]).unwrap();
    assert_eq!(frames(&path).len(), 3);
}

#[test]
fn a_lost_place_between_frames_is_damage() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("damaged.y4m");
    let (mut data, _) = drawn("W5 H3 F2:1", &[15, 6, 6], 3);
    // An extra byte in the first frame moves the header line of the second.
    let first = data.windows(6).position(|line| line == b"FRAME\n").unwrap() + 6;
    data.insert(first, 0);
    std::fs::write(&path, data).unwrap();
    let mut source = source::open(path.to_str().unwrap()).unwrap();
    let (read, end) = all(source.as_mut());
    assert_eq!(read.len(), 1);
    let error = end.unwrap_err().to_string();
    assert!(error.contains("it is damaged: the line before a picture makes no sense"), "{error}");
}

#[test]
fn the_test_pattern_is_the_same_every_time_and_as_y4m() {
    const INPUT: &str = "test://?seconds=5&fps=30000/1001&size=53x31";
    let first = frames(Path::new(INPUT));
    assert_eq!(first.len(), 150);
    assert_eq!(first, frames(Path::new(INPUT)));
    // All frames differ, so that equality is meaningful.
    assert!(first.windows(2).all(|pair| pair[0].planes != pair[1].planes));
    let mut y4m = b"YUV4MPEG2 W53 H31 F30000:1001 Ip C420jpeg\n".to_vec();
    for frame in &first {
        y4m.extend_from_slice(b"FRAME\n");
        y4m.extend(frame.planes.concat());
    }
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("pattern.y4m");
    std::fs::write(&path, y4m).unwrap();
    assert_eq!(frames(&path), first);
}
