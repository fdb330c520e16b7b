//! Running an ONNX file in tract, as the runtime does.

use divita_models::onnx::Precision;
use tract_onnx::prelude::*;

use crate::input::{Case, bundle_cases};

/// The optimised network for the inputs of a case.
fn load(onnx: &[u8], case: &Case) -> TypedModel {
    let mut model = tract_onnx::onnx().model_for_read(&mut &*onnx).unwrap();
    for (at, (shape, _)) in case.inputs().iter().enumerate() {
        model.set_input_fact(at, f32::fact(shape).into()).unwrap();
    }
    model.into_optimized().unwrap()
}

/// The output for the inputs of a case.
pub fn run(case: &Case, precision: Precision) -> Vec<f32> {
    let model = load(&case.onnx(precision), case);
    let inputs = case.inputs().into_iter().map(|(shape, data)| Tensor::from_shape(&shape, &data).unwrap().into());
    let outputs = model.into_runnable().unwrap().run(inputs.collect()).unwrap();
    outputs[0].to_plain_array_view::<f32>().unwrap().iter().copied().collect()
}

/// What tract prepares of a bundle computes in single precision from constants: no cast is left for every run to repeat. (It
/// leaves those of kernels of more than two million weights, as the last stage of ResNet has.)
#[test]
fn casts_of_half_weights_are_done_once() {
    for case in bundle_cases() {
        let model = load(&case.onnx(Precision::F16), &case);
        let casts = model.nodes().iter().filter(|node| node.op().name().contains("Cast")).count();
        println!("{}: {} nodes in tract, {casts} casts", case.name, model.nodes().len());
        assert_eq!(casts, 0, "{}", case.name);
    }
}
