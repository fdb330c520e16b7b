//! The ONNX files in tract against PyTorch's outputs, batch norm unfolded there and folded here.

use divita_models::engines::onnx::Precision;
use safetensors::SafeTensors;

use crate::{assert_close, input::cases};

/// What torch made of a case.
pub fn expected(name: &str) -> Vec<f32> {
    let file = std::fs::read(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/vectors/torch.safetensors")).unwrap();
    let vectors = SafeTensors::deserialize(&file).unwrap();
    let vector = vectors.tensor(name).unwrap();
    vector.data().chunks_exact(4).map(|bytes| f32::from_le_bytes(bytes.try_into().unwrap())).collect()
}

#[test]
fn tract_agrees_with_torch() {
    for case in cases() {
        assert_close(&format!("{}: tract and torch", case.name), &case.run(Precision::F32), &expected(&case.name));
    }
}
