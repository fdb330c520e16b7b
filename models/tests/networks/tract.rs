//! Running an ONNX file in tract, as the runtime does.

use tract_onnx::prelude::*;

/// The optimised network for inputs of `shape`.
pub fn load(onnx: &[u8], shape: &[usize]) -> TypedModel {
    let mut model = tract_onnx::onnx().model_for_read(&mut &*onnx).unwrap();
    model.set_input_fact(0, f32::fact(shape).into()).unwrap();
    model.into_optimized().unwrap()
}

/// The output for one input.
pub fn run(onnx: &[u8], shape: &[usize], input: &[f32]) -> Vec<f32> {
    let input = Tensor::from_shape(shape, input).unwrap();
    let outputs = load(onnx, shape).into_runnable().unwrap().run(tvec!(input.into())).unwrap();
    outputs[0].to_plain_array_view::<f32>().unwrap().iter().copied().collect()
}

/// What tract prepares computes in single precision from constants: no cast is left for every run to repeat.
#[test]
fn casts_of_half_weights_are_done_once() {
    for case in crate::input::cases(divita_models::onnx::Precision::F16) {
        let model = load(&case.onnx, &case.shape);
        let casts = model.nodes().iter().filter(|node| node.op().name().contains("Cast")).count();
        println!("{}: {} nodes in tract, {casts} casts", case.name, model.nodes().len());
        assert_eq!(casts, 0, "{}", case.name);
    }
}
