//! The ONNX files in tract against ONNX Runtime, where one is installed.

use divita_models::onnx::Precision;
use ort::{session::Session, value::Tensor};

use crate::{
    TOLERANCE, difference,
    input::{cases, input},
    tract,
};

#[test]
fn tract_agrees_with_onnxruntime() {
    if std::env::var_os("ORT_DYLIB_PATH").is_none() {
        eprintln!(
            "SKIPPED: ORT_DYLIB_PATH does not name a libonnxruntime.so to compare with (PyPI's onnxruntime has one)"
        );
        return;
    }
    let environment = ort::init().build().unwrap();
    for precision in [Precision::F32, Precision::F16] {
        for case in cases(precision) {
            let pixels = input(&case.shape);
            let mut session = Session::builder(&environment).unwrap().commit_from_memory(&case.onnx).unwrap();
            let tensor = Tensor::from_array((case.shape.clone(), pixels.clone())).unwrap();
            let outputs = session.run(ort::inputs![tensor]).unwrap();
            let (_, expected) = outputs[0].try_extract_tensor::<f32>().unwrap();
            let found = tract::run(&case.onnx, &case.shape, &pixels);
            let difference = difference(&found, expected);
            println!("{} {precision:?}: {difference:e} from ONNX Runtime", case.name);
            assert!(difference <= TOLERANCE, "{}: {difference:e}", case.name);
        }
    }
}
