//! From a video to the vectors of its clips, by the runtime's own decoding, shots, clips and preprocessing.

use std::convert::Infallible;

use divita_board::source::SourceError;
use divita_runtime::{
    clips::Clip,
    frame::Timestamp,
    input::{fill_clip, fill_picture},
    network::{Backbones, Executor, NetworkError, StreamName},
    sampler::WorkingRate,
    segmenter::{Segmentation, Segmenter},
    shots::transition_network::TransitionNetwork,
};

use crate::{
    Error,
    session::{Device, Session},
    transnet_detector::TransnetDetector,
    video_clips::{each_clip, segmenter_options},
    zoo::Backbone,
};

/// What finds the shots.
pub enum Detector {
    /// The detector of the edge.
    Evidence,
    /// TransNet V2, as [`TransnetDetector::network`] makes it ready.
    Transnet(Session),
}

/// Makes the vectors of videos with one backbone.
pub struct Extractor {
    network: Backbone,
    engine: Engine,
    detector: Detector,
    rate: WorkingRate,
    segmentation: Segmentation,
}

/// What runs the backbone.
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
    /// It cannot be read, or not to its end: vectors of a part of it would be taken for all of it.
    #[error(transparent)]
    Source(#[from] SourceError),
    /// The backbone failed in the runtime.
    #[error(transparent)]
    Network(#[from] NetworkError),
    /// A network failed elsewhere.
    #[error(transparent)]
    Session(#[from] Error),
    /// Every frame is black or part of a transition.
    #[error("it has no clip")]
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
    /// An extractor with the ONNX file of `network`, run on `device`; the detector is asked only for clips within shots.
    ///
    /// # Errors
    /// When the file is not that of the network, or the device is not there.
    pub fn new(
        network: Backbone,
        onnx: &[u8],
        device: Device,
        rate: WorkingRate,
        segmentation: Segmentation,
        detector: Detector,
    ) -> Result<Self, ExtractError> {
        let (input, frames) = (network.input(), rate.clip_frames());
        let engine = match device {
            Device::Cpu => {
                let backbones =
                    Backbones::alone(network.stream(), onnx, input, network.features(), rate, Executor::default())?;
                Engine::Runtime(Box::new(backbones))
            }
            Device::Cuda => Engine::Session(Session::on(device, onnx, [&*shape(network, frames)])?),
        };
        Ok(Extractor { network, engine, detector, rate, segmentation })
    }

    /// The vectors of the video `input`; `reached` gets the time that it has been read up to.
    ///
    /// # Errors
    /// [`ExtractError`].
    pub fn extract(&mut self, input: &str, reached: impl FnMut(Timestamp)) -> Result<Representations, ExtractError> {
        let options = segmenter_options(self.network, self.rate, self.segmentation);
        let (network, engine) = (self.network, &mut self.engine);
        let mut found = Representations { clips: 0, data: Vec::new() };
        let run = |clip: &Clip| -> Result<(), ExtractError> {
            found.data.extend(engine.run(network, clip)?);
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

/// Shape of the input of `network` for clips of `frames` frames.
fn shape(network: Backbone, frames: usize) -> Vec<usize> {
    let graph = network.graph(frames);
    graph.inputs.iter().flat_map(|&(_, value)| graph.shape(value).to_vec()).collect()
}

impl Engine {
    /// The vector of `clip`.
    fn run(&mut self, network: Backbone, clip: &Clip) -> Result<Vec<f32>, ExtractError> {
        match self {
            Engine::Runtime(backbones) => {
                let features = backbones.run(clip)?;
                Ok(match network.stream() {
                    StreamName::Image => features.image,
                    StreamName::Video => features.video,
                })
            }
            Engine::Session(session) => {
                let (input, shape) = (network.input(), shape(network, clip.frames));
                let mut data = vec![0.0; shape.iter().product()];
                match (network.stream(), &clip.keyframe().image) {
                    (StreamName::Image, Some(picture)) => fill_picture(picture, &input, &mut data),
                    _ => fill_clip(clip.pictures(), clip.frames, &input, &mut data),
                }
                Ok(session.run(vec![(shape, data)])?)
            }
        }
    }
}
