//! The ONNX files in tract against PyTorch's outputs, batch norm unfolded there and folded here.

use divita_models::onnx::Precision;
use safetensors::SafeTensors;

use crate::{assert_close, input::cases};

#[test]
fn tract_agrees_with_torch() {
    let file = std::fs::read(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/vectors/torch.safetensors")).unwrap();
    let vectors = SafeTensors::deserialize(&file).unwrap();
    for case in cases() {
        let vector = vectors.tensor(&case.name).unwrap();
        let expected: Vec<f32> =
            vector.data().chunks_exact(4).map(|bytes| f32::from_le_bytes(bytes.try_into().unwrap())).collect();
        assert_close(&format!("{}: tract and torch", case.name), &case.run(Precision::F32), &expected);
    }
}
