//! The networks against PyTorch, ONNX Runtime and themselves: one test program, so that tract is linked once.
#![allow(clippy::unwrap_used)]

mod bundle;
mod cost;
mod input;
mod onnxruntime;
mod precision;
mod seed;
mod structure;
mod torch;
mod tract;

/// Seed of the weights behind `tests/vectors`.
const SEED: u64 = 12;

/// Largest difference that may lie between two implementations, absolute.
const TOLERANCE: f32 = 1e-4;

/// Working rates that the video backbone is tried with; 1 is the shortest clip there is.
const FRAMES: [usize; 4] = [1, 4, 8, 24];

/// The largest absolute difference; fails where the lengths differ or a value is not a number.
fn difference(a: &[f32], b: &[f32]) -> f32 {
    assert_eq!(a.len(), b.len());
    assert!(a.iter().chain(b).all(|value| value.is_finite()));
    a.iter().zip(b).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max)
}
