//! Pictures and times of many kinds of streams of every codec, against ffmpeg.
#![allow(clippy::unwrap_used)]

use std::path::{Path, PathBuf};

use divita_runtime::frame::Pixels;
use divita_tests::ffmpeg;
use divita_tests::streams::{has_encoder, pixel_format, psnr, reference, run, samples, times};
use divita_video::{self as source, FrameSource, SourceError};

/// What is expected of a stream.
#[derive(Clone, Copy)]
enum Expected {
    /// Every sample is ffmpeg's.
    Equal,
    /// Every picture is at least at 50 dB.
    Near,
    /// Pixels are made of the planes by each decoder for itself: at least 32 dB.
    Alike,
    /// An error with these words.
    Refused(&'static [&'static str]),
}
use Expected::{Alike, Equal, Near, Refused};

/// A kind of stream.
struct Kind {
    /// File, whose extension chooses the container.
    file: &'static str,
    /// What is encoded, a filter of ffmpeg.
    input: &'static str,
    /// Arguments of the encoder, separated by spaces.
    arguments: &'static str,
    expected: Expected,
}

const fn kind(file: &'static str, input: &'static str, arguments: &'static str, expected: Expected) -> Kind {
    Kind { file, input, arguments, expected }
}

/// A second of moving pictures that are hard to predict. In smaller ones OpenH264's fault with
/// direct prediction may cost more (`docs/limits.md`).
const FILM: &str = "testsrc2=size=320x180:rate=24:duration=1,noise=alls=14:allf=t:all_seed=5";
const SMALL: &str = "testsrc2=size=208x120:rate=24:duration=1,noise=alls=14:allf=t:all_seed=5";
const FADE: &str = "testsrc2=size=320x180:rate=24:duration=1,noise=alls=8:allf=t:all_seed=5,fade=in:0:18";
const ODD: &str = "testsrc2=size=322x182:rate=24:duration=1,noise=alls=14:allf=t:all_seed=5";
const ODDER: &str = "testsrc2=size=321x181:rate=24:duration=0.5,noise=alls=14:allf=t:all_seed=5";
/// Colours that no conversion clips.
const MUTED: &str = "testsrc2=size=320x180:rate=24:duration=0.5,eq=saturation=0.5:contrast=0.6";
/// Two fields of different moments in every picture.
const TOP_FIRST: &str = "testsrc2=size=320x192:rate=48:duration=1,tinterlace=interleave_top,setfield=tff";
const BOTTOM_FIRST: &str = "testsrc2=size=320x192:rate=48:duration=1,tinterlace=interleave_bottom,setfield=bff";

/// Returns the pictures of the input `name` with their times in seconds.
fn decode(name: &str) -> Result<Vec<(f64, Vec<u8>)>, SourceError> {
    let mut source: Box<dyn FrameSource> = source::open(name)?;
    let mut pictures = Vec::new();
    while let Some(frame) = source.next_frame()? {
        pictures.push((frame.time().as_secs_f64(), samples(&frame)));
    }
    assert_eq!(source.take_loss(), None, "{name}");
    Ok(pictures)
}

/// Encodes `kind` in `folder`.
fn encode(folder: &Path, kind: &Kind) -> PathBuf {
    let path = folder.join(kind.file);
    let mut command = ffmpeg().unwrap();
    command.args(["-f", "lavfi", "-i", kind.input, "-threads", "1"]).args(kind.arguments.split_whitespace());
    run(command.arg(&path));
    path
}

/// Compares the pictures of `path` with `expected`, to be at `least` dB. Returns what was found, or
/// what is wrong.
fn compare(path: &Path, expected: &[u8], least: f64) -> Result<String, String> {
    compare_named(path.to_str().unwrap(), path, expected, least)
}

/// As [`compare`], with `name` for what is decoded.
fn compare_named(name: &str, path: &Path, expected: &[u8], least: f64) -> Result<String, String> {
    let pictures = decode(name).map_err(|error| format!("error: {error}"))?;
    // A stream without a container has no times, only the rate of the film.
    let is_bare = path.extension().is_some_and(|extension| extension == "h264" || extension == "hevc");
    let probed = if is_bare { (0..pictures.len()).map(|at| at as f64 / 24.0).collect() } else { times(path) };
    if pictures.is_empty() || pictures.len() != probed.len() {
        return Err(format!("{} pictures, not {}", pictures.len(), probed.len()));
    }
    let step = (probed[probed.len() - 1] - probed[0]) / (probed.len() - 1).max(1) as f64;
    let (mut rest, mut worst, mut differ) = (expected, f64::INFINITY, 0);
    for (at, ((time, picture), probed_time)) in pictures.iter().zip(&probed).enumerate() {
        let off = (time - pictures[0].0) - (probed_time - probed[0]);
        if off.abs() > step {
            return Err(format!("picture {at} at {time:.3} s, not {probed_time:.3} s"));
        }
        let Some((reference, after)) = rest.split_at_checked(picture.len()) else {
            return Err(format!("picture {at} has more samples than ffmpeg's"));
        };
        rest = after;
        worst = worst.min(psnr(picture, reference));
        differ += usize::from(picture != reference);
    }
    if !rest.is_empty() {
        return Err(format!("ffmpeg has {} samples more", rest.len()));
    }
    let found = format!("{} pictures, {differ} differ, the worst at {worst:.1} dB", pictures.len());
    if worst >= least { Ok(found) } else { Err(found) }
}

/// Returns ffmpeg's samples of `path` in the layout of ours: one plane of grey, or pixels in place
/// of planes of red, green and blue.
fn expected(path: &Path) -> Vec<u8> {
    let layout = source::open(path.to_str().unwrap()).ok().and_then(|mut source| {
        let frame = source.next_frame().ok().flatten()?;
        Some(match frame.pixels() {
            Pixels::Grey(_) => "grey",
            Pixels::Rgb8(_) => "rgb",
            _ => "planes",
        })
    });
    let arguments: &[&str] = match layout {
        Some("grey") if pixel_format(path).starts_with("yuv") => &["-vf", "extractplanes=y"],
        Some("rgb") => &["-pix_fmt", "rgb24"],
        _ => &[],
    };
    reference(path, arguments)
}

/// Checks each of `kinds`, made with `encoder`.
fn check(encoder: &str, kinds: &[Kind]) {
    if !has_encoder(encoder, "its streams") {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let mut faults = Vec::new();
    for kind in kinds {
        let path = encode(folder.path(), kind);
        let outcome = match kind.expected {
            Near if encoder == "libx264" => {
                let reference = expected(&path);
                compare(&path, &reference, 50.0).and_then(|found| {
                    // The other decoder is as slow as it is exact.
                    let name = format!("{}?exact=1", path.display());
                    compare_named(&name, &path, &reference, f64::INFINITY).map(|exact| format!("{found}; {exact}"))
                })
            }
            Equal => compare(&path, &expected(&path), f64::INFINITY),
            Near => compare(&path, &expected(&path), 50.0),
            Alike => compare(&path, &expected(&path), 32.0),
            Refused(words) => match decode(path.to_str().unwrap()) {
                Ok(pictures) => Err(format!("{} pictures of a kind that is refused", pictures.len())),
                Err(error) => {
                    let said = error.to_string();
                    let missing: Vec<_> = words.iter().filter(|&&word| !said.contains(word)).collect();
                    if missing.is_empty() { Ok(said) } else { Err(format!("{said:?} does not say {missing:?}")) }
                }
            },
        };
        match outcome {
            Ok(found) => println!("{}: {found}", kind.file),
            Err(fault) => faults.push(format!("{}: {fault}", kind.file)),
        }
    }
    assert!(faults.is_empty(), "\n{}", faults.join("\n"));
}

#[test]
fn kinds_of_h264() {
    check(
        "libx264",
        &[
            kind("baseline.mp4", FILM, "-c:v libx264 -pix_fmt yuv420p -profile:v baseline", Near),
            kind("main.mp4", FILM, "-c:v libx264 -pix_fmt yuv420p -profile:v main -bf 3 -coder 1 -refs 4", Near),
            kind("cavlc.mp4", FILM, "-c:v libx264 -pix_fmt yuv420p -profile:v main -bf 3 -coder 0", Near),
            kind("weighted.mp4", FADE, "-c:v libx264 -pix_fmt yuv420p -bf 3 -x264-params weightp=2:weightb=1", Near),
            kind("transform.mp4", FILM, "-c:v libx264 -pix_fmt yuv420p -x264-params 8x8dct=1:cqm=jvt", Near),
            kind("slices.mp4", FILM, "-c:v libx264 -pix_fmt yuv420p -x264-params slices=5:slice-max-size=700", Near),
            kind("open.mp4", FILM, "-c:v libx264 -pix_fmt yuv420p -bf 3 -g 8 -x264-params open-gop=1", Near),
            kind("refreshed.mp4", FILM, "-c:v libx264 -pix_fmt yuv420p -g 12 -x264-params intra-refresh=1", Near),
            kind("constrained.mp4", FILM, "-c:v libx264 -pix_fmt yuv420p -x264-params constrained-intra=1", Near),
            kind(
                "spatial.mp4",
                FILM,
                "-c:v libx264 -pix_fmt yuv420p -bf 3 -x264-params direct=spatial:b-pyramid=2",
                Near,
            ),
            kind("temporal.mp4", FILM, "-c:v libx264 -pix_fmt yuv420p -bf 3 -x264-params direct=temporal", Near),
            kind("cropped.mp4", ODD, "-c:v libx264 -pix_fmt yuv420p -bf 2", Near),
            kind("full-range.mp4", FILM, "-vf scale=out_range=full -c:v libx264 -pix_fmt yuvj420p -bf 2", Near),
            kind("bare.h264", FILM, "-c:v libx264 -pix_fmt yuv420p -bf 3 -g 10", Near),
            kind("top.mp4", TOP_FIRST, "-c:v libx264 -pix_fmt yuv420p -bf 2 -x264-params interlaced=1:tff=1", Equal),
            kind("bottom.ts", BOTTOM_FIRST, "-c:v libx264 -pix_fmt yuv420p -bf 2 -x264-params bff=1", Equal),
            kind("fake.mkv", FILM, "-c:v libx264 -pix_fmt yuv420p -x264-params fake-interlaced=1", Equal),
            kind("grey.mp4", FILM, "-c:v libx264 -pix_fmt gray -bf 2", Equal),
            kind("grey-10.mkv", FILM, "-c:v libx264 -pix_fmt gray10le -bf 2", Equal),
            kind("ten.mp4", FILM, "-c:v libx264 -pix_fmt yuv420p10le -bf 2", Equal),
            kind("422.mp4", FILM, "-c:v libx264 -pix_fmt yuv422p -bf 2", Equal),
            kind("422-10.mkv", ODD, "-c:v libx264 -pix_fmt yuv422p10le -bf 2", Equal),
            kind("422-interlaced.ts", TOP_FIRST, "-c:v libx264 -pix_fmt yuv422p10le -x264-params interlaced=1", Equal),
            kind("444.mp4", FILM, "-c:v libx264 -pix_fmt yuv444p", Refused(&["4:4:4", "ffmpeg -i"])),
            kind(
                "lossless.mp4",
                FILM,
                "-c:v libx264 -pix_fmt yuv420p -qp 0",
                Refused(&["4:4:4 Predictive", "ffmpeg -i"]),
            ),
        ],
    );
}

#[test]
fn kinds_of_hevc() {
    check(
        "libx265",
        &[
            kind("plain.mp4", SMALL, "-c:v libx265 -pix_fmt yuv420p -x265-params log-level=0:pools=1", Equal),
            kind(
                "pyramid.mkv",
                SMALL,
                "-c:v libx265 -pix_fmt yuv420p -x265-params log-level=0:bframes=7:b-pyramid=1:ref=5:rect=1:amp=1",
                Equal,
            ),
            kind(
                "open.mp4",
                SMALL,
                "-c:v libx265 -pix_fmt yuv420p -x265-params log-level=0:keyint=8:open-gop=1",
                Equal,
            ),
            kind("slices.ts", SMALL, "-c:v libx265 -pix_fmt yuv420p -x265-params log-level=0:slices=3", Equal),
            kind("no-wpp.mp4", SMALL, "-c:v libx265 -pix_fmt yuv420p -x265-params log-level=0:wpp=0", Equal),
            kind(
                "weighted.mp4",
                FADE,
                "-c:v libx265 -pix_fmt yuv420p -x265-params log-level=0:weightp=1:weightb=1",
                Equal,
            ),
            kind("lossless.mp4", MUTED, "-c:v libx265 -pix_fmt yuv420p -x265-params log-level=0:lossless=1", Equal),
            kind(
                "skips.mp4",
                MUTED,
                "-c:v libx265 -pix_fmt yuv420p -x265-params log-level=0:tskip=1:cu-lossless=1",
                Equal,
            ),
            kind(
                "lists.mp4",
                SMALL,
                "-c:v libx265 -pix_fmt yuv420p -x265-params log-level=0:scaling-list=default",
                Equal,
            ),
            kind("cropped.mp4", ODD, "-c:v libx265 -pix_fmt yuv420p -x265-params log-level=0", Equal),
            kind("full-range.mp4", SMALL, "-c:v libx265 -pix_fmt yuvj420p -x265-params log-level=0", Equal),
            kind(
                "refreshed.mp4",
                SMALL,
                "-c:v libx265 -pix_fmt yuv420p -x265-params log-level=0:intra-refresh=1",
                Equal,
            ),
            kind("bare.hevc", SMALL, "-c:v libx265 -pix_fmt yuv420p -x265-params log-level=0:keyint=10", Equal),
            kind("ten.mp4", ODD, "-c:v libx265 -pix_fmt yuv420p10le -x265-params log-level=0", Equal),
            kind("twelve.mkv", SMALL, "-c:v libx265 -pix_fmt yuv420p12le -x265-params log-level=0", Equal),
            kind("444.mp4", SMALL, "-c:v libx265 -pix_fmt yuv444p -x265-params log-level=0", Equal),
            kind("444-10.mkv", ODD, "-c:v libx265 -pix_fmt yuv444p10le -x265-params log-level=0", Equal),
            kind("gbr.mkv", MUTED, "-c:v libx265 -pix_fmt gbrp -x265-params log-level=0", Equal),
            kind(
                "422.mp4",
                SMALL,
                "-c:v libx265 -pix_fmt yuv422p -x265-params log-level=0",
                Refused(&["4:2:2", "ffmpeg -i"]),
            ),
            kind(
                "grey.mp4",
                SMALL,
                "-c:v libx265 -pix_fmt gray -x265-params log-level=0",
                Refused(&["grey", "ffmpeg -i"]),
            ),
        ],
    );
}

#[test]
fn kinds_of_vp9() {
    const HIDDEN: &str =
        "-c:v libvpx-vp9 -pix_fmt yuv420p -deadline good -cpu-used 4 -auto-alt-ref 1 -lag-in-frames 16 -b:v 200k";
    check(
        "libvpx-vp9",
        &[
            kind("plain.webm", FILM, "-c:v libvpx-vp9 -pix_fmt yuv420p -deadline realtime -cpu-used 8", Equal),
            kind("hidden.webm", FILM, HIDDEN, Equal),
            kind("hidden.mp4", FILM, HIDDEN, Equal),
            kind("hidden.ivf", FILM, HIDDEN, Equal),
            kind(
                "tiles.webm",
                FILM,
                "-c:v libvpx-vp9 -pix_fmt yuv420p -cpu-used 8 -deadline realtime -tile-rows 2",
                Equal,
            ),
            kind(
                "lossless.webm",
                MUTED,
                "-c:v libvpx-vp9 -pix_fmt yuv420p -cpu-used 8 -deadline realtime -lossless 1",
                Equal,
            ),
            kind(
                "resilient.webm",
                FILM,
                "-c:v libvpx-vp9 -pix_fmt yuv420p -cpu-used 8 -deadline realtime -error-resilient 1",
                Equal,
            ),
            kind("odd.webm", ODDER, "-c:v libvpx-vp9 -pix_fmt yuv420p -cpu-used 8 -deadline realtime", Equal),
            kind("444.webm", FILM, "-c:v libvpx-vp9 -pix_fmt yuv444p -cpu-used 8 -deadline realtime", Equal),
            kind("422.mkv", FILM, "-c:v libvpx-vp9 -pix_fmt yuv422p -cpu-used 8 -deadline realtime", Equal),
            kind("gbr.webm", MUTED, "-c:v libvpx-vp9 -pix_fmt gbrp -cpu-used 8 -deadline realtime", Equal),
            kind("ten.webm", ODDER, "-c:v libvpx-vp9 -pix_fmt yuv420p10le -cpu-used 8 -deadline realtime", Equal),
            kind("twelve.webm", FILM, "-c:v libvpx-vp9 -pix_fmt yuv420p12le -cpu-used 8 -deadline realtime", Equal),
            kind("444-10.webm", FILM, "-c:v libvpx-vp9 -pix_fmt yuv444p10le -cpu-used 8 -deadline realtime", Equal),
        ],
    );
}

#[test]
fn kinds_of_av1() {
    check(
        "libaom-av1",
        &[
            kind("plain.mp4", FILM, "-c:v libaom-av1 -pix_fmt yuv420p -cpu-used 8 -usage realtime", Equal),
            kind(
                "hidden.webm",
                FILM,
                "-c:v libaom-av1 -pix_fmt yuv420p -cpu-used 8 -lag-in-frames 12 -b:v 200k",
                Equal,
            ),
            kind("tiles.ivf", FILM, "-c:v libaom-av1 -pix_fmt yuv420p -cpu-used 8 -usage realtime -tiles 2x2", Equal),
            kind("odd.mkv", ODDER, "-c:v libaom-av1 -pix_fmt yuv420p -cpu-used 8 -usage realtime", Equal),
            kind("444.mp4", MUTED, "-c:v libaom-av1 -pix_fmt yuv444p -cpu-used 8 -usage realtime", Equal),
            kind("422.mkv", MUTED, "-c:v libaom-av1 -pix_fmt yuv422p -cpu-used 8 -usage realtime", Equal),
            kind("gbr.mp4", MUTED, "-c:v libaom-av1 -pix_fmt gbrp -cpu-used 8 -usage realtime", Equal),
            kind("grey.mp4", MUTED, "-c:v libaom-av1 -pix_fmt gray -cpu-used 8 -usage realtime", Equal),
            kind("ten.webm", ODDER, "-c:v libaom-av1 -pix_fmt yuv420p10le -cpu-used 8", Equal),
            kind(
                "grain.mp4",
                MUTED,
                "-c:v libaom-av1 -pix_fmt yuv420p -cpu-used 8 -usage realtime -aom-params film-grain-test=4",
                Equal,
            ),
            kind("still.mp4", MUTED, "-c:v libaom-av1 -pix_fmt yuv420p -cpu-used 8 -usage realtime -frames:v 1", Equal),
        ],
    );
}

#[test]
fn kinds_of_motion_jpeg() {
    check(
        "mjpeg",
        &[
            kind("420.avi", MUTED, "-c:v mjpeg -pix_fmt yuvj420p -q:v 2", Alike),
            kind("420.mkv", MUTED, "-c:v mjpeg -pix_fmt yuvj420p -q:v 2 -huffman default", Alike),
            kind("422.mov", MUTED, "-c:v mjpeg -pix_fmt yuvj422p -q:v 2", Alike),
            kind("422.avi", ODD, "-vf eq=saturation=0.4 -c:v mjpeg -pix_fmt yuvj422p -q:v 2", Alike),
            kind("444.mkv", MUTED, "-c:v mjpeg -pix_fmt yuvj444p -q:v 2", Alike),
        ],
    );
}

/// Checks a stream of two parts, of another size each, that `encoder` makes with `arguments`.
fn check_two_sizes(encoder: &str, arguments: &str, file: &str, least: f64) {
    if !has_encoder(encoder, "a change of size") {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let extension = Path::new(file).extension().unwrap().to_str().unwrap();
    let (mut samples, mut bytes, mut list) = (Vec::new(), Vec::new(), String::new());
    for size in ["320x180", "160x96"] {
        let part = folder.path().join(format!("{size}.{extension}"));
        let input = format!("testsrc2=size={size}:rate=24:duration=0.5");
        let mut command = ffmpeg().unwrap();
        command.args(["-f", "lavfi", "-i", &input, "-threads", "1", "-c:v", encoder, "-pix_fmt", "yuv420p"]);
        run(command.args(arguments.split_whitespace()).arg(&part));
        samples.extend(reference(&part, &[]));
        bytes.extend(std::fs::read(&part).unwrap());
        list += &format!("file {size}.{extension}\n");
    }
    let path = folder.path().join(file);
    if matches!(extension, "h264" | "hevc") {
        std::fs::write(&path, bytes).unwrap();
    } else {
        let parts = folder.path().join("list.txt");
        std::fs::write(&parts, list).unwrap();
        run(ffmpeg().unwrap().args(["-f", "concat", "-i"]).arg(&parts).args(["-c", "copy"]).arg(&path));
    }
    match compare(&path, &samples, least) {
        Ok(found) => println!("{file}: {found}"),
        Err(fault) => panic!("{file}: {fault}"),
    }
}

#[test]
fn a_change_of_size_is_followed() {
    check_two_sizes("libx264", "-bf 3", "sizes.h264", 50.0);
    check_two_sizes("libx265", "-x265-params log-level=0", "sizes.hevc", f64::INFINITY);
    check_two_sizes("libx265", "-x265-params log-level=0", "sizes.ts", f64::INFINITY);
    check_two_sizes("libvpx-vp9", "-cpu-used 8 -deadline realtime", "sizes.webm", f64::INFINITY);
    check_two_sizes("libaom-av1", "-cpu-used 8 -usage realtime", "sizes.ivf", f64::INFINITY);
}

/// Grey and muted colours as HDR codes: bright ones and dark ones.
const HDR_FILM: &str = "testsrc2=size=208x120:rate=24:duration=0.25,eq=saturation=0.15:contrast=0.8";

/// Returns the mean difference of `ours` and `theirs` in codes.
fn mean_difference(ours: &[u8], theirs: &[u8]) -> f64 {
    let sum: u64 = ours.iter().zip(theirs).map(|(a, b)| u64::from(a.abs_diff(*b))).sum();
    sum as f64 / ours.len().max(1) as f64
}

/// Returns the luma that the rule of `divita-video` makes of this 8-bit luma of HDR: light of a
/// screen of 1000 cd/m2, bent by a Moebius curve from half the reference white of 203 cd/m2 on, in
/// the gamma of ITU-R BT.1886.
fn sdr_luma(transfer: &str, luma: u8) -> u8 {
    let signal = ((f64::from(luma) - 16.0) / 219.0).clamp(0.0, 1.0);
    let light = if transfer == "smpte2084" {
        let (m1, m2) = (2610.0 / 16384.0, 2523.0 / 32.0);
        let (c1, c2, c3) = (3424.0 / 4096.0, 2413.0 / 128.0, 2392.0 / 128.0);
        let power = signal.powf(1.0 / m2);
        10_000.0 * ((power - c1).max(0.0) / (c2 - c3 * power)).powf(1.0 / m1)
    } else {
        let (a, b, c) = (0.178_832_77, 0.284_668_92, 0.559_910_73);
        let scene = if signal <= 0.5 { signal * signal / 3.0 } else { (((signal - c) / a).exp() + b) / 12.0 };
        1000.0 * scene.powf(1.2)
    };
    let (light, knee, peak) = (light / 203.0, 0.5, 1000.0 / 203.0);
    let a = -knee * knee * (peak - 1.0) / (knee * knee - 2.0 * knee + peak);
    let b = (knee * knee - 2.0 * knee * peak + peak) / (peak - 1.0);
    let bent = (b * b + 2.0 * b * knee + knee * knee) / (b - a) * (light + a) / (light + b);
    let shown: f64 = if light <= knee { light } else { bent.min(1.0) };
    (16.0 + 219.0 * shown.powf(1.0 / 2.4)).round() as u8
}

#[test]
fn hdr_becomes_sdr_in_every_codec_and_container() {
    const LUMA: usize = 208 * 120;
    let folder = tempfile::tempdir().unwrap();
    let mut faults = Vec::new();
    for (encoder, arguments, files) in [
        ("libx265", "-x265-params log-level=0", &["hevc.mp4", "hevc.mkv", "hevc.ts"][..]),
        ("libvpx-vp9", "-cpu-used 8 -deadline realtime", &["vp9.webm", "vp9.mp4"]),
        ("libaom-av1", "-cpu-used 8 -usage realtime", &["av1.mp4", "av1.webm"]),
        ("libx264", "", &["h264.mp4"]),
    ] {
        if !has_encoder(encoder, "HDR") {
            continue;
        }
        for transfer in ["smpte2084", "arib-std-b67"] {
            let tags = format!("-color_trc {transfer} -color_primaries bt2020 -colorspace bt2020nc -color_range tv");
            let encoded = folder.path().join("encoded.mp4");
            let mut command = ffmpeg().unwrap();
            command.args(["-y", "-f", "lavfi", "-i", HDR_FILM, "-pix_fmt", "yuv420p10le", "-c:v", encoder]);
            command.args(["-threads", "1"]).args(arguments.split_whitespace()).args(tags.split(' '));
            run(command.arg(&encoded));
            let codes = reference(&encoded, &[]);
            let luma: Vec<u8> = codes.chunks(LUMA * 3 / 2).flat_map(|picture| &picture[..LUMA]).copied().collect();
            let expected: Vec<u8> = luma.iter().map(|&luma| sdr_luma(transfer, luma)).collect();
            assert!(mean_difference(&luma, &expected) > 8.0, "the film must tell a wrong transfer from a right one");
            for file in files {
                let path = folder.path().join(format!("{transfer}-{file}"));
                run(ffmpeg().unwrap().arg("-i").arg(&encoded).args(["-c", "copy"]).args(tags.split(' ')).arg(&path));
                let pictures = decode(path.to_str().unwrap()).unwrap();
                let ours: Vec<u8> = pictures.iter().flat_map(|(_, picture)| &picture[..LUMA]).copied().collect();
                assert_eq!(ours.len(), expected.len(), "{file}");
                let off = mean_difference(&ours, &expected);
                println!("{transfer} in {file}: off by {off:.2} codes");
                if off > 1.5 {
                    faults.push(format!("{transfer} in {file}: off by {off:.2} codes"));
                }
            }
        }
    }
    assert!(faults.is_empty(), "\n{}", faults.join("\n"));
}
