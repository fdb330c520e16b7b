//! A bundle whose weights expect values from 0 to 255 minus a mean gives torch's features, on every
//! executor.

use divita_models::{
    bundle::{self, BuildOptions, Contents},
    engines::onnx::Precision,
};
use divita_runtime::{
    bundle::{Bundle, StreamInput},
    network::{Executor, Networks, StreamName},
    preprocess::Picture,
    sampler::WorkingRate,
    shots::transition_network,
};
use safetensors::SafeTensors;

use crate::{SEED, assert_close};

const MEAN: [f32; 3] = [114.7748, 107.7354, 99.475];

/// The picture of `reference/make_preprocessing_vectors.py`.
fn picture(size: usize, time: usize) -> Picture {
    let length = 3 * size * size;
    let code = |i: usize| (((time * length + i) as u32).wrapping_mul(2_654_435_761).wrapping_add(12_345) >> 24) as u8;
    Picture::from_planar(size, size, (0..length).map(code).collect()).unwrap()
}

fn expected(name: &str) -> Vec<f32> {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/vectors/preprocessing.safetensors");
    let file = std::fs::read(path).unwrap();
    let vectors = SafeTensors::deserialize(&file).unwrap();
    let bytes = vectors.tensor(name).unwrap().data().to_vec();
    bytes.chunks_exact(4).map(|bytes| f32::from_le_bytes(bytes.try_into().unwrap())).collect()
}

#[test]
fn weights_for_values_up_to_255_give_torchs_features_in_a_bundle() {
    let place = tempfile::tempdir().unwrap();
    for (stride, video) in [(1, "video"), (2, "video.stride2")] {
        let output = place.path().join(video);
        let mut contents = Contents::seeded(SEED);
        for stream in &mut contents.streams {
            let input = &mut stream.backbone.input;
            *input = StreamInput { mean: MEAN.map(|mean| mean / 255.0), std: [1.0 / 255.0; 3], ..*input };
            if stream.backbone.stream() == StreamName::Video {
                stream.backbone.input.stride = stride;
            }
        }
        let shots = transition_network::BUILT_IN.to_vec();
        let name = "codes".to_owned();
        let precision = Precision::F32;
        let options =
            BuildOptions { name, precision, output: output.clone(), force: false, shots, notice: None, int8: vec![] };
        bundle::build(&options, &contents).unwrap();
        let bundle = Bundle::open(&output).unwrap();
        let rate = WorkingRate::new(8).unwrap();
        for executor in [Executor::default(), Executor::Tract] {
            let networks = Networks::prepare(&bundle, &[rate], executor).unwrap();
            let mut backbones = networks.backbones().unwrap();
            let frames: Vec<Picture> = (0..8).map(|time| picture(112, time)).collect();
            let found = backbones.video(frames.iter(), 8).unwrap();
            assert_close(&format!("{video}: {executor} and torch"), &found, &expected(video));
            let found = backbones.image(&picture(224, 0)).unwrap();
            assert_close(&format!("image: {executor} and torch"), &found, &expected("image"));
        }
    }
}
