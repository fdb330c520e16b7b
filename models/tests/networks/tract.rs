//! What tract makes of the ONNX files.

use divita_models::{onnx::Precision, session};

use crate::input::{bundle_cases, shapes};

/// What tract prepares of a bundle computes in single precision from constants: no cast is left for every run to repeat. (It
/// leaves those of kernels of more than two million weights, as the last stage of ResNet has.)
#[test]
fn casts_of_half_weights_are_done_once() {
    for case in bundle_cases() {
        let model = session::prepare(&case.onnx(Precision::F16), shapes(&case.inputs())).unwrap();
        let casts = model.nodes().iter().filter(|node| node.op().name().contains("Cast")).count();
        println!("{}: {} nodes in tract, {casts} casts", case.name, model.nodes().len());
        assert_eq!(casts, 0, "{}", case.name);
    }
}
