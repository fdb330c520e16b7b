//! The cases: each network of a bundle, the shape of its input, and an input made by a formula.

use divita_models::{
    bundle::seeded_networks,
    onnx::{Precision, encode},
};

use crate::{FRAMES, SEED};

/// One network on one input.
pub struct Case {
    /// Name of its output in `tests/vectors`.
    pub name: String,
    /// The ONNX file.
    pub onnx: Vec<u8>,
    /// Shape of the input.
    pub shape: Vec<usize>,
}

/// Every network of the bundle, the video backbone once for each clip length.
pub fn cases(precision: Precision) -> Vec<Case> {
    let of = |network: divita_models::bundle::SeededNetwork| {
        let onnx = encode(&network.graph, &network.weights, precision).unwrap();
        let shape = network.graph.input_shape().to_vec();
        if network.name != "video" {
            return vec![Case { name: network.name.to_owned(), onnx, shape }];
        }
        let clip =
            |frames| Case { name: format!("video.f{frames}"), onnx: onnx.clone(), shape: vec![1, 3, frames, 112, 112] };
        FRAMES.map(clip).into()
    };
    seeded_networks(SEED).into_iter().flat_map(of).collect()
}

/// Element i is (h >> 8) / 2^22 - 2 with h = (i * 2654435761 + 12345) mod 2^32, as in `reference/make_vectors.py`.
pub fn input(shape: &[usize]) -> Vec<f32> {
    let count: usize = shape.iter().product();
    let hash = |i: usize| (i as u32).wrapping_mul(2_654_435_761).wrapping_add(12_345);
    (0..count).map(|i| (hash(i) >> 8) as f32 / (1 << 22) as f32 - 2.0).collect()
}
