//! What tract makes of the ONNX files.

use divita_models::engines::{onnx::Precision, session};
use divita_runtime::network;

use crate::input::{bundle_cases, cases, shapes};

/// What tract prepares of a bundle computes in single precision from constants: no cast is left for
/// every run to repeat. (It leaves those of kernels of more than two million weights, as the last
/// stage of ResNet has.)
#[test]
fn casts_of_half_weights_are_done_once() {
    for case in bundle_cases() {
        let model = session::prepare(&case.onnx(Precision::F16), shapes(&case.inputs())).unwrap();
        let casts = model.nodes().iter().filter(|node| node.op().name().contains("Cast")).count();
        println!("{}: {} nodes in tract, {casts} casts", case.name, model.nodes().len());
        assert_eq!(casts, 0, "{}", case.name);
    }
}

/// The limits on what a bundle's networks may need leave room for every network of this tool, at
/// the highest rate.
#[test]
fn bundles_may_hold_every_network() {
    for case in cases() {
        let inputs = case.inputs();
        let [(shape, _)] = inputs.as_slice() else { continue };
        let mut shape = shape.clone();
        if case.graph.any_frames {
            shape[2] = 24;
        }
        network::check(&case.name, &case.onnx(Precision::F16), &shape).unwrap();
    }
}
