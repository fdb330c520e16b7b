//! The ONNX files in tract against ONNX Runtime, where one is installed.

use divita_models::engines::{
    onnx::Precision,
    session::{Device, ORT_LIBRARY, Session},
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
        for precision in [Precision::F32, Precision::F16] {
            let mut onnxruntime = Session::onnxruntime(&case.onnx(precision), Device::Cpu).unwrap().unwrap();
            let expected = onnxruntime.run(case.inputs()).unwrap();
            let what = format!("{} {precision:?}: tract and ONNX Runtime", case.name);
            assert_close(&what, &case.run(precision), &expected);
        }
    }
}
