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

/// Largest difference that may lie between two implementations, as a part of the output's largest value.
const TOLERANCE: f32 = 1e-4;

/// Says how far two outputs lie apart, and fails where that is too far.
fn assert_close(what: &str, found: &[f32], expected: &[f32]) {
    let (difference, largest) = (largest_difference(found, expected), largest(expected));
    println!("{what} differ by {difference:e}, {:e} of the largest value", difference / largest);
    assert!(difference <= TOLERANCE * largest, "{what} differ by {difference:e} where the largest value is {largest}");
}

/// The largest absolute difference; fails where the lengths differ or a value is not a number.
fn largest_difference(a: &[f32], b: &[f32]) -> f32 {
    assert_eq!(a.len(), b.len());
    assert!(a.iter().chain(b).all(|value| value.is_finite()));
    a.iter().zip(b).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max)
}

/// The largest absolute value.
fn largest(values: &[f32]) -> f32 {
    values.iter().map(|value| value.abs()).fold(0.0, f32::max)
}
