//! The networks against PyTorch, ONNX Runtime and themselves: one test program, so that tract is
//! linked once.
#![allow(clippy::unwrap_used)]

mod bundle;
mod clip_logits;
mod cost;
mod executor;
mod inflation;
mod input;
mod onnxruntime;
mod precision;
mod preprocessing;
mod quantisation;
mod sample_clips;
mod seed;
mod structure;
mod torch;
mod tract;

use divita_models::engines::difference::Difference;

/// Seed of the weights behind `tests/vectors`.
const SEED: u64 = 12;

/// Says how far two outputs lie apart, and fails where that is too far.
fn assert_close(what: &str, found: &[f32], expected: &[f32]) {
    let difference = Difference::between(found, expected);
    println!("{what} differ by {:e}, {:e} of the largest value", difference.worst, difference.relative());
    assert!(difference.is_small(), "{what}: {difference:?}");
}
