//! The inputs of the demo bundle's backbones for the clips of the sample, made as in the runtime.

use std::{path::PathBuf, sync::OnceLock};

use divita_models::{
    dataset::video_clips::each_clip, engines::reference_input::Input, extraction::extractor::ExtractError,
};
use divita_runtime::{
    Bundle,
    clips::Clip,
    input::{fill_clip, fill_picture},
    network::StreamName,
    sampler::WorkingRate,
    segmenter::{Segmentation, Segmenter, SegmenterOptions},
};

/// Frames of a clip of [`sample_inputs`].
pub const FRAMES: usize = 4;

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// The demo bundle.
pub fn demo() -> &'static Bundle {
    static DEMO: OnceLock<Bundle> = OnceLock::new();
    DEMO.get_or_init(|| Bundle::open(root().join("models/bundles/demo")).unwrap())
}

/// The input of the backbone of `stream` for each clip of the sample.
pub fn sample_inputs(stream: StreamName) -> &'static [Input] {
    static INPUTS: OnceLock<[Vec<Input>; 2]> = OnceLock::new();
    let [image, video] = INPUTS.get_or_init(cut);
    match stream {
        StreamName::Image => image,
        StreamName::Video => video,
    }
}

fn cut() -> [Vec<Input>; 2] {
    let manifest = demo().manifest();
    let rate = WorkingRate::new(FRAMES as u32).unwrap();
    let options = SegmenterOptions::from_manifest(manifest, rate, Segmentation::default());
    let [image, video] =
        [&manifest.streams.image, &manifest.streams.video].map(|stream| stream.as_ref().unwrap().input);
    let (mut images, mut videos) = (Vec::new(), Vec::new());
    let take = |clip: &Clip| -> Result<(), ExtractError> {
        let mut data = vec![0.0; 3 * image.size * image.size];
        fill_picture(clip.keyframe().image.as_ref().unwrap(), &image, &mut data);
        images.push((vec![1, 3, image.size, image.size], data));
        let mut data = vec![0.0; 3 * FRAMES * video.size * video.size];
        fill_clip(clip.pictures(), FRAMES, &video, &mut data);
        videos.push((vec![1, 3, FRAMES, video.size, video.size], data));
        Ok(())
    };
    let sample = root().join("samples/sintel-trailer.mp4").to_str().unwrap().to_owned();
    each_clip(sample, Segmenter::new(options, demo().transitions().clone()), take, |_| ()).unwrap();
    assert!(images.len() >= 30, "the sample has {} clips", images.len());
    [images, videos]
}
