//! What the benches work on: the sample and the bundle that ship, and a moving picture made in memory.
//!
//! The bundle was trained on synthetic trailers. That decides what the networks say and not how long they take.
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

/// The sample that ships: 1253 frames of 640x360.
pub fn sample() -> PathBuf {
    root().join("samples/sintel-trailer.mp4")
}

/// The bundle that ships.
pub fn bundle() -> Bundle {
    Bundle::open(root().join("models/bundles/demo")).unwrap()
}

/// The working rate of `fps`.
pub fn rate(fps: u32) -> WorkingRate {
    WorkingRate::new(fps).unwrap()
}

/// Criterion with less time a bench than its own 8 s, so that all of them fit into five minutes.
pub fn criterion() -> Criterion {
    Criterion::default().warm_up_time(Duration::from_secs(1)).measurement_time(Duration::from_secs(3)).sample_size(20)
}

/// A film in I420 that moves sideways and has a cut every second, at 24 frames a second, without end.
pub struct Film {
    /// Of a picture, in pixels.
    width: usize,
    height: usize,
    /// Twice as wide as a picture, so that a frame is a window into it.
    y: Vec<u8>,
    u: Vec<u8>,
    v: Vec<u8>,
}

impl Film {
    /// Frames a second.
    pub const RATE: u64 = 24;

    /// A film of 1280x720.
    pub fn new() -> Self {
        Film::of(1280, 720)
    }

    /// A film of `width` x `height` pixels, both even.
    pub fn of(width: usize, height: usize) -> Self {
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

    /// Frame `index`.
    pub fn frame(&self, index: u64) -> Frame<'_> {
        let second = index / Self::RATE;
        // A place of its own for each second, from where the window moves without leaving the planes.
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
