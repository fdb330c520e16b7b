//! Extracts the vectors of a video's clips, with the runtime's own decoding, shots, clips and
//! preprocessing.

use std::convert::Infallible;

use divita_runtime::{
    clips::Clip,
    frame::Timestamp,
    input::{fill_clip, fill_picture},
    network::{Backbones, Executor, NetworkError, StreamName},
    sampler::WorkingRate,
    segmenter::{Segmentation, Segmenter},
    shots::transition_network::TransitionNetwork,
};
use divita_video::{Input, SourceError};

use super::transnet_detector::TransnetDetector;
use crate::{
    Error,
    dataset::video_clips::{each_clip, segmenter_options},
    engines::{
        frozen_backbone::FrozenBackbone,
        onnx::Precision,
        session::{Device, Session},
    },
};

/// The shot detector.
pub enum Detector {
    /// The runtime's own detector.
    Evidence,
    /// TransNet V2, from [`TransnetDetector::network`].
    Transnet(Session),
}

/// Extracts the vectors of videos with one backbone.
pub struct Extractor {
    backbone: FrozenBackbone,
    engine: Engine,
    detector: Detector,
    rate: WorkingRate,
    segmentation: Segmentation,
}

/// The engine that runs the backbone.
enum Engine {
    /// The runtime, as on a board.
    Runtime(Box<Backbones>),
    /// Another device.
    Session(Session),
}

/// Why a video has no vectors.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ExtractError {
    /// The video cannot be read to its end. The vectors of a part would be taken for all of it.
    #[error(transparent)]
    Source(#[from] SourceError),
    /// The backbone failed in the runtime.
    #[error(transparent)]
    Network(#[from] NetworkError),
    /// A network failed in another engine.
    #[error(transparent)]
    Session(#[from] Error),
    /// Every frame is black or part of a transition.
    #[error("the video has no clips")]
    NoClip,
}

impl From<Infallible> for ExtractError {
    fn from(never: Infallible) -> Self {
        match never {}
    }
}

/// The vectors of a video's clips in their order.
#[derive(Clone, Debug, PartialEq)]
pub struct Representations {
    /// Number of clips.
    pub clips: usize,
    /// Their vectors, (clips, b) row-major.
    pub data: Vec<f32>,
}

impl Extractor {
    /// Creates an extractor with `backbone`, run on `device`. The detector is used only for clips
    /// within shots.
    ///
    /// # Errors
    /// Where the weights do not fit the network, or the device is missing.
    pub fn new(
        backbone: FrozenBackbone,
        device: Device,
        rate: WorkingRate,
        segmentation: Segmentation,
        detector: Detector,
    ) -> Result<Self, ExtractError> {
        let (input, frames) = (backbone.input, rate.clip_frames());
        let onnx = backbone.onnx(frames, Precision::F32)?;
        let (stream, features) = (backbone.stream(), backbone.features());
        let engine = match device {
            Device::Cpu => {
                let backbones = Backbones::alone(stream, &onnx, input, features, rate, Executor::default())?;
                Engine::Runtime(Box::new(backbones))
            }
            Device::Cuda => Engine::Session(Session::on(device, &onnx, [&*backbone.input_shape(frames)])?),
        };
        Ok(Extractor { backbone, engine, detector, rate, segmentation })
    }

    /// Extracts the vectors of the video `input`. `reached` receives the time that was read so far.
    ///
    /// # Errors
    /// [`ExtractError`].
    pub fn extract(&mut self, input: &Input, reached: impl FnMut(Timestamp)) -> Result<Representations, ExtractError> {
        let (backbone, engine) = (&self.backbone, &mut self.engine);
        let options = segmenter_options(backbone.stream(), backbone.input, self.rate, self.segmentation);
        let mut found = Representations { clips: 0, data: Vec::new() };
        let run = |clip: &Clip| -> Result<(), ExtractError> {
            found.data.extend(engine.run(backbone, clip)?);
            found.clips += 1;
            Ok(())
        };
        match &mut self.detector {
            Detector::Evidence => each_clip(input, Segmenter::new(options, TransitionNetwork::default()), run, reached),
            Detector::Transnet(session) => {
                let detector = TransnetDetector::new(session, options.shots.gap_s);
                each_clip(input, Segmenter::with_detector(options, detector), run, reached)
            }
        }?;
        if found.clips == 0 { Err(ExtractError::NoClip) } else { Ok(found) }
    }
}

impl Engine {
    /// Returns the vector of `clip`.
    fn run(&mut self, backbone: &FrozenBackbone, clip: &Clip) -> Result<Vec<f32>, ExtractError> {
        match self {
            Engine::Runtime(backbones) => {
                let features = backbones.run(clip)?;
                Ok(match backbone.stream() {
                    StreamName::Image => features.image,
                    StreamName::Video => features.video,
                })
            }
            Engine::Session(session) => {
                let (input, shape) = (backbone.input, backbone.input_shape(clip.frames));
                let mut data = vec![0.0; shape.iter().product()];
                match (backbone.stream(), &clip.keyframe().image) {
                    (StreamName::Image, Some(picture)) => fill_picture(picture, &input, &mut data),
                    _ => fill_clip(clip.pictures(), clip.frames, &input, &mut data),
                }
                Ok(session.run(vec![(shape, data)])?)
            }
        }
    }
}
