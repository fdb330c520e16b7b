//! From a video to the vectors of its clips, by the runtime's own decoding, shots, clips and preprocessing.

use divita_board::source::{self, SourceError};
use divita_runtime::{
    frame::Timestamp,
    network::{Backbones, NetworkError, StreamName},
    sampler::WorkingRate,
    segmenter::{Segment, Segmentation, Segmenter, SegmenterOptions},
    shots::ShotSettings,
};

use crate::zoo::Backbone;

/// Makes the vectors of videos with one backbone.
pub struct Extractor {
    network: Backbone,
    backbones: Backbones,
    rate: WorkingRate,
    segmentation: Segmentation,
}

/// Why a video has no vectors.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ExtractError {
    /// It cannot be read, or not to its end: vectors of a part of it would be taken for all of it.
    #[error(transparent)]
    Source(#[from] SourceError),
    /// The network failed.
    #[error(transparent)]
    Network(#[from] NetworkError),
    /// Every frame is black or part of a transition.
    #[error("it has no clip")]
    NoClip,
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
    /// An extractor with the ONNX file of `network`.
    ///
    /// # Errors
    /// When the file is not that of the network.
    pub fn new(
        network: Backbone,
        onnx: &[u8],
        rate: WorkingRate,
        segmentation: Segmentation,
    ) -> Result<Self, NetworkError> {
        let backbones = Backbones::alone(network.stream(), onnx, network.input(), network.features(), rate)?;
        Ok(Extractor { network, backbones, rate, segmentation })
    }

    /// The vectors of the video `input`; `reached` gets the time that it has been read up to.
    ///
    /// # Errors
    /// [`ExtractError`].
    pub fn extract(
        &mut self,
        input: &str,
        mut reached: impl FnMut(Timestamp),
    ) -> Result<Representations, ExtractError> {
        let mut source = source::open(input)?;
        let stream_input = |stream| (self.network.stream() == stream).then(|| self.network.input());
        let mut segmenter = Segmenter::new(SegmenterOptions {
            rate: self.rate,
            segmentation: self.segmentation,
            shots: ShotSettings::default(),
            image: stream_input(StreamName::Image),
            video: stream_input(StreamName::Video),
        });
        let mut found = Representations { clips: 0, data: Vec::new() };
        let mut clips = Vec::new();
        let mut run = |clips: &mut Vec<_>, segmenter: &mut Segmenter| -> Result<(), NetworkError> {
            for clip in clips.drain(..) {
                let features = self.backbones.run(&clip)?;
                found.data.extend_from_slice(features.of(self.network.stream()));
                found.clips += 1;
                segmenter.recycle(clip);
            }
            Ok(())
        };
        let keep = |clips: &mut Vec<_>, segment| {
            if let Segment::Clip(clip) = segment {
                clips.push(clip);
            }
        };
        while let Some(frame) = source.next_frame()? {
            reached(frame.time());
            segmenter.push(&frame, |segment| keep(&mut clips, segment));
            run(&mut clips, &mut segmenter)?;
        }
        segmenter.finish(|segment| keep(&mut clips, segment));
        run(&mut clips, &mut segmenter)?;
        if found.clips == 0 { Err(ExtractError::NoClip) } else { Ok(found) }
    }
}
