//! The ONNX files in tract against ONNX Runtime, where one is installed.

use divita_models::{
    onnx::Precision,
    peers::{self, ORT_LIBRARY},
};

use crate::{assert_close, input::cases};

#[test]
fn tract_agrees_with_onnxruntime() {
    if std::env::var_os(ORT_LIBRARY).is_none() {
        eprintln!(
            "SKIPPED: {ORT_LIBRARY} does not name a libonnxruntime.so to compare with (PyPI's onnxruntime has one)"
        );
        return;
    }
    for case in cases() {
        let names: Vec<&str> = case.graph.inputs.iter().map(|(name, _)| *name).collect();
        for precision in [Precision::F32, Precision::F16] {
            let expected = peers::onnxruntime(&case.onnx(precision), &names, &case.inputs()).unwrap().unwrap();
            let what = format!("{} {precision:?}: tract and ONNX Runtime", case.name);
            assert_close(&what, &case.run(precision), &expected);
        }
    }
}
