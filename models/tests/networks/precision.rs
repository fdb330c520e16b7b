//! Half-precision weights against single: what halving the files costs.

use divita_models::engines::{difference::Difference, onnx::Precision};

use crate::input::cases;

/// Half precision keeps 11 bits; after fifty layers the outputs may be off by a few thousandths of
/// the largest.
const BOUND: f32 = 0.02;

#[test]
fn half_weights_change_little() {
    for case in cases() {
        let expected = case.run(Precision::F32);
        let difference = Difference::between(&case.run(Precision::F16), &expected).relative();
        println!("{}: half-precision weights change the output by {difference:e} of its largest value", case.name);
        assert!(difference > 0.0 && difference < BOUND, "{}: {difference:e}", case.name);
    }
}
