//! Video files against ffmpeg: times, every sample of every picture, rotation and colour.
#![allow(clippy::unwrap_used)]

use std::io::Read;
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};

use divita_runtime::bundle::StreamInput;
use divita_runtime::frame::{Colour, Frame, Matrix, Orientation, Pixels, Plane, Range, Timestamp};
use divita_runtime::preprocess::{Picture, Preprocessor};
use divita_tests::streams::psnr;
use divita_tests::{ffmpeg, media, raw_planes, root, sample, shared_video};
use divita_video::{self as source, FrameSource, SourceInfo};
use serde_json::Value;

/// Fixtures of make.sh: file, width, height, frames, frames a second.
const PLAYABLE: [(&str, usize, usize, u64, f64); 22] = [
    ("avc3.mp4", 96, 64, 36, 24.0),
    ("av1.mp4", 96, 64, 12, 24.0),
    ("b-frames.mp4", 96, 64, 36, 24.0),
    ("baseline.mp4", 64, 48, 12, 24.0),
    ("bt2020.mp4", 64, 48, 6, 24.0),
    ("delayed.mp4", 64, 48, 12, 24.0),
    ("four-two-two.mp4", 64, 48, 6, 24.0),
    ("fragmented.mp4", 96, 64, 36, 24.0),
    ("fragmented-after-index.mp4", 96, 64, 36, 24.0),
    ("fragmented-cmaf.mp4", 96, 64, 36, 24.0),
    ("fragmented-dash.mp4", 96, 64, 36, 24.0),
    ("full-range-601.mp4", 50, 38, 9, 30.0),
    ("hevc.mp4", 96, 64, 24, 24.0),
    ("hevc-ten-bit.mp4", 96, 64, 12, 24.0),
    ("interlaced.mp4", 64, 64, 12, 24.0),
    ("monochrome.mp4", 64, 48, 6, 24.0),
    ("rotated-90.mov", 96, 64, 10, 25.0),
    ("rotated-180.mov", 96, 64, 10, 25.0),
    ("rotated-270.mov", 96, 64, 10, 25.0),
    ("ten-bit.mp4", 64, 48, 12, 24.0),
    ("trimmed.mp4", 96, 64, 14, 24.0),
    // Variable rate: the mean of 25 steps from 0.033 s to 1.968267 s.
    ("variable-rate.mp4", 64, 48, 26, 25.0 / (1.968_267 - 0.033)),
];

/// Fixtures in containers that need not state how many frames they have, nor at which rate.
const TACITURN: [(&str, usize, usize, u64, f64); 13] = [
    ("av1-in-ivf.ivf", 96, 64, 12, 24.0),
    ("av1-in-matroska.mkv", 96, 64, 12, 24.0),
    ("hevc-in-matroska.mkv", 96, 64, 24, 24.0),
    ("hevc-in-ts.ts", 96, 64, 24, 24.0),
    ("in-flv.flv", 96, 64, 36, 24.0),
    ("in-live-matroska.mkv", 96, 64, 36, 24.0),
    ("in-m2ts.m2ts", 96, 64, 36, 24.0),
    ("in-matroska.mkv", 96, 64, 36, 24.0),
    ("in-ts.ts", 96, 64, 36, 24.0),
    ("motion-jpeg.avi", 64, 48, 6, 24.0),
    ("vp9-in-ivf.ivf", 98, 66, 24, 24.0),
    ("vp9-in-mp4.mp4", 98, 66, 24, 24.0),
    ("vp9.webm", 98, 66, 24, 24.0),
];

fn playable() -> impl Iterator<Item = (&'static str, usize, usize, u64, f64)> {
    PLAYABLE.into_iter().chain(TACITURN)
}

fn open(path: &Path) -> Box<dyn FrameSource> {
    source::open(path.to_str().unwrap()).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// Returns the properties of `path` and the times of all frames.
fn times(path: &Path) -> (SourceInfo, Vec<Timestamp>) {
    let mut source = open(path);
    let info = source.info().clone();
    let mut times = Vec::new();
    while let Some(frame) = source.next_frame().unwrap() {
        assert_eq!((frame.width(), frame.height()), (info.width, info.height), "{}", path.display());
        times.push(frame.time());
    }
    (info, times)
}

/// Returns whether times count from the start of the file: the clock of some containers starts
/// anywhere, and ffmpeg shifts the times of an MP4 with negative offsets.
fn starts_anywhere(path: &Path) -> bool {
    path.ends_with("fragmented-cmaf.mp4")
        || path.extension().is_some_and(|extension| ["ts", "m2ts", "flv"].iter().any(|one| extension == *one))
}

/// Returns the times from ffprobe when the fixture was made, in microseconds, its precision.
fn probed_micros(path: &Path) -> Vec<i64> {
    let text = std::fs::read_to_string(path.with_extension("json")).unwrap();
    let frames: Value = serde_json::from_str(&text).unwrap();
    let micros = |time: &Value| {
        let (seconds, fraction) = time.as_str().unwrap().split_once('.').unwrap();
        assert_eq!(fraction.len(), 6, "ffprobe prints six decimals");
        format!("{seconds}{fraction}").parse::<i64>().unwrap()
    };
    let start = if starts_anywhere(path) { micros(&frames["format"]["start_time"]) } else { 0 };
    frames["frames"].as_array().unwrap().iter().map(|frame| micros(&frame["pts_time"]) - start).collect()
}

#[test]
fn times_are_those_of_ffprobe() {
    for (name, .., frames, _) in playable() {
        let path = media(name);
        let (_, times) = times(&path);
        let probed = probed_micros(&path);
        assert_eq!((times.len(), probed.len() as u64), (probed.len(), frames), "{name}");
        for (k, (time, probed)) in times.iter().zip(&probed).enumerate() {
            // ffprobe rounds by half a microsecond, divita by a nanosecond; the start is rounded
            // too.
            let off = time.as_nanos().abs_diff(probed * 1000);
            assert!(
                off <= if starts_anywhere(&path) { 1001 } else { 501 },
                "frame {k} of {name}: {} ns, ffprobe says {probed} us",
                time.as_nanos()
            );
        }
        assert!(times.windows(2).all(|pair| pair[0] < pair[1]), "{name}: {times:?}");
    }
}

#[test]
fn every_fixture_with_times_is_in_the_list() {
    let mut listed: Vec<String> = playable().map(|row| row.0.to_owned()).collect();
    listed.sort();
    let mut found: Vec<String> = ["tests/media", "board/video/media"]
        .into_iter()
        .flat_map(|folder| std::fs::read_dir(root().join(folder)).unwrap())
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|is| is != "json") && path.with_extension("json").exists())
        .map(|path| path.file_name().unwrap().to_str().unwrap().to_owned())
        .collect();
    found.sort();
    assert_eq!(listed, found);
}

#[test]
fn what_a_source_says_of_itself_is_true() {
    for (name, width, height, frames, rate) in PLAYABLE {
        let path = media(name);
        let (info, times) = times(&path);
        assert_eq!(info.name, path.to_str().unwrap());
        assert_eq!((info.width, info.height, info.frames, info.live), (width, height, Some(frames), false), "{name}");
        assert!((info.frame_rate.unwrap() - rate).abs() < 1e-4, "{name}: {:?}", info.frame_rate);
        // The last frame ends one step after it starts.
        let end = times.last().unwrap().as_secs_f64() + 1.0 / rate;
        assert!((info.duration.unwrap().as_secs_f64() - end).abs() < 1e-6, "{name}: {:?}, not {end}", info.duration);
    }
}

#[test]
fn what_a_taciturn_source_says_of_itself_is_true() {
    for (name, width, height, frames, rate) in TACITURN {
        let (info, times) = times(&media(name));
        assert_eq!((info.width, info.height, info.live), (width, height, false), "{name}");
        assert!(info.frames.is_none_or(|stated| stated == frames), "{name}: {:?}", info.frames);
        assert!(
            info.frame_rate.is_none_or(|stated| (stated / rate - 1.0).abs() < 0.01),
            "{name}: {:?}",
            info.frame_rate
        );
        let end = times.last().unwrap().as_secs_f64() + 1.0 / rate;
        let off = info.duration.map_or(0.0, |stated| (stated.as_secs_f64() - end).abs());
        assert!(off <= 1.0 / rate, "{name}: {:?}, not {end}", info.duration);
    }
}

#[test]
fn parameter_sets_may_lie_in_the_samples_alone() {
    // avc3 as cameras write it: the description has no parameter sets, so the first sample must
    // hold them.
    let mut data = std::fs::read(media("avc3.mp4")).unwrap();
    let avcc = data.windows(4).position(|name| name == b"avcC").unwrap() + 4;
    assert_eq!(data[avcc + 5], 0xe1, "one sequence parameter set");
    data[avcc + 5] = 0xe0;
    data[avcc + 6] = 0;
    let folder = tempfile::tempdir().unwrap();
    let bare = folder.path().join("bare.mp4");
    std::fs::write(&bare, data).unwrap();
    let (mut bare, mut whole) = (open(&bare), open(&media("b-frames.mp4")));
    assert_eq!((bare.info().width, bare.info().height), (96, 64));
    let mut frames = 0;
    while let Some(frame) = bare.next_frame().unwrap() {
        let expected = whole.next_frame().unwrap().unwrap();
        assert_eq!((frame.time(), raw_planes(&frame)), (expected.time(), raw_planes(&expected)));
        frames += 1;
    }
    assert_eq!(frames, 36);
}

/// Pictures that ffmpeg decodes, one by one.
struct Reference {
    child: Child,
    pictures: ChildStdout,
}

impl Reference {
    /// Starts `command`, which must write raw pictures to its standard output.
    fn start(command: &mut Command) -> Self {
        let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
        let pictures = child.stdout.take().unwrap();
        Reference { child, pictures }
    }

    /// Starts ffmpeg for the decoded planes of `path`, one picture for each shown one, as stored.
    fn planes(mut ffmpeg: Command, path: &Path) -> Self {
        ffmpeg.arg("-noautorotate").arg("-i").arg(path);
        // No pixel format: a conversion, for example of range, would hide the decoded values.
        Self::start(ffmpeg.args(["-map", "0:v:0", "-fps_mode", "passthrough", "-f", "rawvideo", "-"]))
    }

    /// Starts ffmpeg for the shown pictures of `path`, in RGB, converted as exactly as possible.
    fn rgb(mut ffmpeg: Command, path: &Path) -> Self {
        let exact = "scale=flags=bicubic+full_chroma_int+full_chroma_inp+accurate_rnd,format=rgb24";
        ffmpeg.arg("-i").arg(path).args(["-map", "0:v:0", "-fps_mode", "passthrough", "-vf", exact]);
        Self::start(ffmpeg.args(["-f", "rawvideo", "-"]))
    }

    /// Fills `samples` with the next picture.
    fn read(&mut self, samples: &mut [u8]) {
        self.pictures.read_exact(samples).unwrap();
    }

    /// Checks that no picture is left and that ffmpeg printed no error.
    fn finish(mut self) {
        assert_eq!(self.pictures.read(&mut [0]).unwrap(), 0, "ffmpeg decodes more pictures");
        assert!(self.child.wait().unwrap().success());
    }
}

impl Drop for Reference {
    fn drop(&mut self) {
        // A failed test leaves no process. After `finish` there is none to end.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Compares each picture of `path` with ffmpeg's, at least 50 dB for each plane. Returns their
/// times, or `None` without ffmpeg.
fn compare_pictures(path: &Path) -> Option<Vec<Timestamp>> {
    let mut reference = Reference::planes(ffmpeg()?, path);
    let mut source = open(path);
    let mut times = Vec::new();
    let (mut worst, mut equal) = ([f64::INFINITY; 3], 0);
    let mut expected = Vec::new();
    // Samples of ten bits are rounded.
    let is_ten_bit = path.file_name().unwrap().to_str().unwrap().contains("ten-bit");
    while let Some(frame) = source.next_frame().unwrap() {
        let planes = raw_planes(&frame);
        let mut same = true;
        for (k, plane) in planes.iter().enumerate() {
            if is_ten_bit {
                let mut samples = vec![0; 2 * plane.len()];
                reference.read(&mut samples);
                let sample = |pair: &[u8]| u16::from_le_bytes([pair[0], pair[1]]);
                expected = samples.chunks_exact(2).map(|pair| ((sample(pair) + 2) / 4).min(255) as u8).collect();
            } else {
                expected.resize(plane.len(), 0);
                reference.read(&mut expected);
            }
            let found = psnr(plane, &expected);
            let (at, path) = (times.len(), path.display());
            assert!(found >= 50.0, "plane {k} of picture {at} of {path} is at {found:.2} dB");
            worst[k] = worst[k].min(found);
            same &= plane == &expected;
        }
        if let [luma] = &planes[..] {
            // To a monochrome picture ffmpeg adds planes of grey.
            reference.read(&mut vec![0; luma.len() / 2]);
        }
        equal += usize::from(same);
        times.push(frame.time());
    }
    reference.finish();
    let [y, u, v] = worst;
    let name = path.file_name().unwrap().to_str().unwrap();
    println!("{name}: {} pictures, {equal} equal; worst Y {y:.1} dB, U {u:.1} dB, V {v:.1} dB", times.len());
    Some(times)
}

#[test]
fn the_measure_sees_a_difference() {
    // One step in every sample is 48.1 dB; one in a hundred samples 68.1 dB.
    assert!((psnr(&[100; 100], &[101; 100]) - 48.13).abs() < 0.01);
    let mut one = [100; 100];
    one[7] = 101;
    assert!((psnr(&[100; 100], &one) - 68.13).abs() < 0.01);
}

#[test]
fn pictures_of_the_fixtures_are_those_of_ffmpeg() {
    // Motion JPEG comes as RGB.
    for (name, .., frames, _) in playable().filter(|row| row.0 != "motion-jpeg.avi") {
        let Some(times) = compare_pictures(&media(name)) else { return };
        assert_eq!(times.len() as u64, frames, "{name}");
    }
}

/// Compares the pictures of `path`, of `frames` frames at exactly `rate` a second, the first at
/// zero.
fn whole_film(path: &Path, frames: i64, rate: u64) {
    let decoded = compare_pictures(path);
    let times = decoded.unwrap_or_else(|| times(path).1);
    assert_eq!(times, (0..frames).map(|k| Timestamp::from_ticks(k, rate)).collect::<Vec<_>>(), "{}", path.display());
}

#[test]
fn all_frames_of_the_sintel_trailer_are_those_of_ffmpeg() {
    let Some(path) = shared_video("sintel_trailer-720p.mp4") else { return };
    whole_film(&path, 1253, 24);
}

#[test]
fn all_frames_of_bikes_are_those_of_ffmpeg() {
    let Some(path) = shared_video("bikes.mp4") else { return };
    whole_film(&path, 250, 25);
}

#[test]
fn all_frames_of_the_sample_are_those_of_ffmpeg() {
    whole_film(&sample(), 1253, 24);
}

/// Side of the small pictures in pixels.
const SIDE: usize = 16;

/// Returns the middle of a picture like a network's input: upright, 8-bit RGB.
fn small(frame: &Frame<'_>) -> Picture {
    let input = StreamInput::new(SIDE, SIDE, [0.0; 3], [1.0; 3]);
    let mut picture = Picture::black(SIDE, SIDE);
    Preprocessor::new(&input).make(frame, &mut picture);
    picture
}

/// Returns the mean absolute difference of two small pictures in code values.
fn difference(a: &Picture, b: &Picture) -> f64 {
    let sum: u64 = a.data().iter().zip(b.data()).map(|(&a, &b)| u64::from(a.abs_diff(b))).sum();
    sum as f64 / a.data().len() as f64
}

/// Returns the mean distance of the pictures of `path` from ffmpeg's RGB pictures for each of
/// `variants`. Both use the same filter, so only orientation and colour differ. At most `limit`
/// pictures.
fn differences<const N: usize>(
    path: &Path,
    limit: usize,
    variants: impl for<'a> Fn(Frame<'a>) -> [Frame<'a>; N],
) -> Option<[f64; N]> {
    let mut reference = Reference::rgb(ffmpeg()?, path);
    let mut source = open(path);
    let (mut sums, mut frames) = ([0.0; N], 0);
    while frames < limit {
        let Some(frame) = source.next_frame().unwrap() else { break };
        let (mut width, mut height) = (frame.width(), frame.height());
        if frame.orientation().swaps_sides() {
            (width, height) = (height, width);
        }
        let mut rgb = vec![0; 3 * width * height];
        reference.read(&mut rgb);
        let plane = Plane { data: &rgb, stride: 3 * width };
        let expected = small(&Frame::new(Pixels::Rgb8(plane), width, height, frame.time()).unwrap());
        for (sum, variant) in sums.iter_mut().zip(variants(frame)) {
            *sum += difference(&small(&variant), &expected);
        }
        frames += 1;
    }
    assert!(frames > 0);
    Some(sums.map(|sum| sum / frames as f64))
}

#[test]
fn rotated_pictures_stand_as_ffmpeg_shows_them() {
    const TURNS: [Orientation; 4] =
        [Orientation::Upright, Orientation::Rotate90, Orientation::Rotate180, Orientation::Rotate270];
    for (name, turn) in [
        ("b-frames.mp4", Orientation::Upright),
        ("rotated-90.mov", Orientation::Rotate90),
        ("rotated-180.mov", Orientation::Rotate180),
        ("rotated-270.mov", Orientation::Rotate270),
    ] {
        let path = media(name);
        assert_eq!(open(&path).next_frame().unwrap().unwrap().orientation(), turn, "{name}");
        let found = differences(&path, usize::MAX, |frame| TURNS.map(|turn| frame.with_orientation(turn)));
        let Some(found) = found else { return };
        println!("{name}: off by {found:.2?} code values for {TURNS:?}");
        for (candidate, off) in TURNS.iter().zip(found) {
            // Other orientations give other colours in most places.
            assert_eq!(off < 3.0, *candidate == turn, "{name}: {candidate:?} is off by {off:.2}");
            assert!(!(3.0..=15.0).contains(&off), "{name}: {candidate:?} is off by {off:.2}, which tells nothing");
        }
    }
}

/// Returns every colour of the runtime.
fn colours() -> [Colour; 6] {
    let all = |range| [Matrix::Bt601, Matrix::Bt709, Matrix::Bt2020].map(|matrix| Colour { matrix, range });
    let ([a, b, c], [d, e, f]) = (all(Range::Limited), all(Range::Full));
    [a, b, c, d, e, f]
}

/// Checks that `path` has the colour `colour`, by its stream or its size, and matches ffmpeg's RGB
/// only with it.
fn colour_is(path: &Path, matrix: Matrix, range: Range) {
    let truth = Colour { matrix, range };
    let name = path.file_name().unwrap().to_str().unwrap();
    let mut source = open(path);
    while let Some(frame) = source.next_frame().unwrap() {
        assert_eq!(frame.colour(), truth, "{name} at {}", frame.time());
    }
    let found = differences(path, 300, |frame| colours().map(|colour| frame.with_colour(colour)));
    let Some(found) = found else { return };
    for (colour, off) in colours().into_iter().zip(found) {
        println!("{name}: off by {off:.2} code values as {colour:?}");
    }
    for (colour, off) in colours().into_iter().zip(found) {
        assert_eq!(off < 0.7, colour == truth, "{name} as {colour:?} is off by {off:.2}");
    }
}

#[test]
fn colours_are_those_of_ffmpeg() {
    colour_is(&media("full-range-601.mp4"), Matrix::Bt601, Range::Full);
    colour_is(&media("bt2020.mp4"), Matrix::Bt2020, Range::Limited);
}

/// Checks that the first frame of `path` has `matrix` and limited range.
fn is_of(path: &Path, matrix: Matrix) {
    let colour = open(path).next_frame().unwrap().unwrap().colour();
    assert_eq!(colour, Colour { matrix, range: Range::Limited }, "{}", path.display());
}

#[test]
fn an_untagged_film_is_in_the_colours_of_its_size() {
    is_of(&media("b-frames.mp4"), Matrix::Bt601);
    // 360 lines mean BT.601, unless the stream states BT.709.
    is_of(&sample(), Matrix::Bt709);
    let Some(path) = shared_video("sintel_trailer-720p.mp4") else { return };
    is_of(&path, Matrix::Bt709);
}
