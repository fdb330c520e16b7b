//! The ONNX files in tract against ONNX Runtime, where one is installed.

use divita_models::onnx::Precision;
use ort::{session::Session, value::Tensor};

use crate::{assert_close, input::cases, tract};

#[test]
fn tract_agrees_with_onnxruntime() {
    if std::env::var_os("ORT_DYLIB_PATH").is_none() {
        eprintln!(
            "SKIPPED: ORT_DYLIB_PATH does not name a libonnxruntime.so to compare with (PyPI's onnxruntime has one)"
        );
        return;
    }
    let environment = ort::init().build().unwrap();
    for case in cases() {
        for precision in [Precision::F32, Precision::F16] {
            let onnx = case.onnx(precision);
            let mut session = Session::builder(&environment).unwrap().commit_from_memory(&onnx).unwrap();
            let inputs = case.graph.inputs.iter().zip(case.inputs());
            let named = inputs.map(|((name, _), input)| (*name, Tensor::from_array(input).unwrap()));
            let outputs = session.run(named.collect::<Vec<_>>()).unwrap();
            let (_, expected) = outputs[0].try_extract_tensor::<f32>().unwrap();
            let what = format!("{} {precision:?}: tract and ONNX Runtime", case.name);
            assert_close(&what, &tract::run(&case, precision), expected);
        }
    }
}
