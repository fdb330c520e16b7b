//! Half-precision weights against single: what halving the files costs.

use divita_models::onnx::Precision;

use crate::{
    difference,
    input::{cases, input},
    tract,
};

/// Half precision keeps 11 bits; after fifty layers the features, whose size is about one, may be off by a few thousandths.
const BOUND: f32 = 0.02;

#[test]
fn half_weights_change_little() {
    for (single, half) in cases(Precision::F32).into_iter().zip(cases(Precision::F16)) {
        let pixels = input(&single.shape);
        let expected = tract::run(&single.onnx, &single.shape, &pixels);
        let difference = difference(&tract::run(&half.onnx, &half.shape, &pixels), &expected);
        println!("{}: half-precision weights change the output by {difference:e}", single.name);
        assert!(difference > 0.0 && difference < BOUND, "{}: {difference:e}", single.name);
    }
}
