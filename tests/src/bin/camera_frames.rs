//! `camera_frames URI COUNT [PNG]`: reads frames from a source and prints their properties, for the
//! test in a virtual machine.
#![allow(clippy::unwrap_used)]

use std::process::ExitCode;

use divita_runtime::frame::Pixels;
use divita_runtime::preprocess::{Picture, Preprocessor};
use divita_video::{self as source, FrameSource, SourceError};

/// Size of the examined pictures.
const SIZE: (usize, usize) = (320, 180);

/// Bars of the test pattern.
const BARS: usize = 8;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let (uri, count) = (&arguments[0], arguments[1].parse().unwrap());
    match source::open(uri).and_then(|mut source| show(source.as_mut(), count, arguments.get(2))) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Prints size, rate, layout and time of each frame, and the colours of the bars of the last one,
/// left to right. Writes the last frame as `png`.
fn show(source: &mut dyn FrameSource, count: usize, png: Option<&String>) -> Result<(), SourceError> {
    let info = source.info();
    println!("source {}x{} live={} rate={:?}", info.width, info.height, info.live, info.frame_rate);
    let mut picture = Picture::black(SIZE.0, SIZE.1);
    for _ in 0..count {
        let Some(frame) = source.next_frame()? else { break };
        let layout = match frame.pixels() {
            Pixels::Planar { .. } => "planar",
            Pixels::Nv12 { .. } => "nv12",
            Pixels::Yuyv(_) => "yuyv",
            Pixels::Rgb8(_) => "rgb8",
            Pixels::Grey(_) => "grey",
        };
        println!("frame {layout} {}", frame.time().as_nanos());
        Preprocessor::whole(SIZE.0, SIZE.1).make(&frame, &mut picture);
    }
    for bar in 0..BARS {
        let [red, green, blue] = [0, 1, 2].map(|channel| bar_mean(picture.channel(channel), bar));
        println!("bar {red} {green} {blue}");
    }
    if let Some(path) = png {
        let plane = SIZE.0 * SIZE.1;
        let samples = (0..3 * plane).map(|at| picture.data()[at % 3 * plane + at / 3]).collect();
        image::RgbImage::from_raw(SIZE.0 as u32, SIZE.1 as u32, samples).unwrap().save(path).unwrap();
    }
    Ok(())
}

/// Returns the mean colour in the middle of a bar, in the lower part of the picture, which has no
/// text.
fn bar_mean(channel: &[u8], bar: usize) -> u32 {
    let middle = (2 * bar + 1) * SIZE.0 / (2 * BARS);
    let rows = SIZE.1 * 3 / 4..SIZE.1 * 7 / 8;
    let samples: Vec<u32> =
        rows.flat_map(|y| (middle - 8..middle + 8).map(move |x| u32::from(channel[y * SIZE.0 + x]))).collect();
    samples.iter().sum::<u32>() / samples.len() as u32
}
