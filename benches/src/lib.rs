//! Inputs of the benches: the sample, the demo bundle, and a moving picture in memory.
//!
//! The demo bundle was trained on synthetic trailers. This does not change how long its networks
//! take.
#![allow(clippy::unwrap_used)]

use std::path::{Path, PathBuf};
use std::time::Duration;

use criterion::Criterion;
use divita_runtime::bundle::Bundle;
use divita_runtime::frame::{Frame, Pixels, Plane, Subsampling, Timestamp};
use divita_runtime::sampler::WorkingRate;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap()
}

/// Returns the path of the sample: 1253 frames of 640x360.
pub fn sample() -> PathBuf {
    root().join("samples/sintel-trailer.mp4")
}

/// Opens the demo bundle.
pub fn bundle() -> Bundle {
    Bundle::open(root().join("models/bundles/demo")).unwrap()
}

/// Returns the working rate of `fps` frames a second.
pub fn rate(fps: u32) -> WorkingRate {
    WorkingRate::new(fps).unwrap()
}

/// Returns Criterion with less time per bench than its default of 8 s, so that all benches take
/// less than five minutes.
pub fn criterion() -> Criterion {
    Criterion::default().warm_up_time(Duration::from_secs(1)).measurement_time(Duration::from_secs(3)).sample_size(20)
}

/// An endless film in I420 at 24 frames a second that moves sideways and has a cut every second.
pub struct Film {
    /// Width of a picture in pixels.
    width: usize,
    /// Height of a picture in pixels.
    height: usize,
    /// Luma, twice as wide as a picture: a frame is a window into it.
    y: Vec<u8>,
    u: Vec<u8>,
    v: Vec<u8>,
}

impl Film {
    /// Frames a second.
    pub const RATE: u64 = 24;

    /// Creates a film of 1280x720 pixels.
    pub fn new() -> Self {
        Film::with_size(1280, 720)
    }

    /// Creates a film of `width` x `height` pixels, both even.
    pub fn with_size(width: usize, height: usize) -> Self {
        let plane = |width: usize, height: usize, grain: u32| {
            let sample = move |x: usize, y: usize| {
                let noise = (x as u32).wrapping_mul(2_654_435_761) ^ (y as u32).wrapping_mul(2_246_822_519);
                ((x / 3 + y / 2) as u32 + (noise >> 16) % grain) as u8
            };
            (0..height).flat_map(|y| (0..width).map(move |x| sample(x, y))).collect()
        };
        let y = plane(2 * width, height, 16);
        let (u, v) = (plane(width, height / 2, 4), plane(width, height / 2, 7));
        Film { width, height, y, u, v }
    }

    /// Returns frame `index`.
    pub fn frame(&self, index: u64) -> Frame<'_> {
        let second = index / Self::RATE;
        // Each second starts at its own place. From there the window stays inside the planes.
        let start = second * 211 % (self.width as u64 / 2 - Self::RATE);
        let x = 2 * (start + index % Self::RATE) as usize;
        let (y, u, v) = match second % 2 {
            0 => (&self.y, &self.u, &self.v),
            _ => (&self.y, &self.v, &self.u),
        };
        let pixels = Pixels::Planar {
            y: Plane { data: &y[x..], stride: 2 * self.width },
            u: Plane { data: &u[x / 2..], stride: self.width },
            v: Plane { data: &v[x / 2..], stride: self.width },
            subsampling: Subsampling::Both,
        };
        let time = Timestamp::from_ticks(index as i64, Self::RATE);
        Frame::new(pixels, self.width, self.height, time).unwrap()
    }
}

impl Default for Film {
    fn default() -> Self {
        Self::new()
    }
}
