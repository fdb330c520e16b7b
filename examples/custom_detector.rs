//! Uses a custom shot detector: a cut wherever the mean brightness jumps.
//!
//! ```text
//! cargo run --release --example custom_detector -- [FILE]
//! ```

use std::convert::Infallible;
use std::error::Error;

use divita_runtime::frame::Pixels;
use divita_runtime::shots::{Label, ShotKind, ShotTracker, Verdict};
use divita_runtime::{Frame, ShotDetector};

/// A change of the mean luma, of 255, that is a cut.
const JUMP: f64 = 12.0;

/// Compares the mean luma of each frame with that of the frame before.
#[derive(Default)]
struct BrightnessDetector {
    before: Option<f64>,
}

impl ShotDetector for BrightnessDetector {
    type Error = Infallible;

    fn push(&mut self, frame: &Frame<'_>, mut verdict: impl FnMut(Verdict)) -> Result<(), Infallible> {
        let mean = mean_luma(frame);
        let label = match self.before.replace(mean) {
            None => Label::Opens(ShotKind::Start),
            Some(before) if (mean - before).abs() > JUMP => Label::Opens(ShotKind::Cut),
            Some(_) => Label::Content,
        };
        verdict(Verdict { time: frame.time(), label, after_gap: false, area: None });
        Ok(())
    }

    fn finish(&mut self, _: impl FnMut(Verdict)) -> Result<(), Infallible> {
        Ok(())
    }
}

/// Returns the mean luma of every sixteenth row.
fn mean_luma(frame: &Frame<'_>) -> f64 {
    let (Pixels::Planar { y, .. } | Pixels::Nv12 { y, .. } | Pixels::Grey(y)) = frame.pixels() else { return 0.0 };
    let rows = y.data.chunks(y.stride).take(frame.height()).step_by(16);
    let (sum, count) = rows
        .flat_map(|row| &row[..frame.width()])
        .fold((0u64, 0u64), |(sum, count), &luma| (sum + u64::from(luma), count + 1));
    sum as f64 / count as f64
}

fn main() -> Result<(), Box<dyn Error>> {
    let file = std::env::args().nth(1).unwrap_or("samples/sintel-trailer.mp4".into());
    let mut source = divita_video::open(&file)?;
    let (mut detector, mut tracker) = (BrightnessDetector::default(), ShotTracker::default());
    let mut shots = Vec::new();
    while let Some(frame) = source.next_frame()? {
        detector.push(&frame, |verdict| shots.extend(tracker.push(verdict)))?;
    }
    detector.finish(|verdict| shots.extend(tracker.push(verdict)))?;
    shots.extend(tracker.finish());
    for shot in &shots {
        println!("{:>3}: {:>7.3} to {:>7.3} s", shot.index, shot.start.as_secs_f64(), shot.end.as_secs_f64());
    }
    println!("{} shots", shots.len());
    Ok(())
}
