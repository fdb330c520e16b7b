//! The clips of a video, one after the other, by the runtime's own decoding, shots, clips and preprocessing.

use divita_runtime::{
    bundle::StreamInput,
    clips::Clip,
    frame::Timestamp,
    network::StreamName,
    sampler::WorkingRate,
    segmenter::{Segment, Segmentation, Segmenter, SegmenterOptions},
    shots::{ShotDetector, ShotSettings},
};
use divita_video::{self as source, Address, SourceError};

/// Working rate of the clips that backbones and heads learn from where the user names none: the lowest, since clips cost least
/// there, every board keeps up with it, and `divita classify` takes the lowest rate that heads were trained at.
pub const DEFAULT_RATE: WorkingRate = WorkingRate::ALL[0];

/// How a video is cut for a backbone of `stream` that reads `input`, by the settings that a board has.
#[must_use]
pub fn segmenter_options(
    stream: StreamName,
    input: StreamInput,
    rate: WorkingRate,
    segmentation: Segmentation,
) -> SegmenterOptions {
    let of = |name| (stream == name).then_some(input);
    let (image, video) = (of(StreamName::Image), of(StreamName::Video));
    SegmenterOptions { rate, segmentation, shots: ShotSettings::default(), image, video }
}

/// Cuts the video `input` with `segmenter`, and gives each clip to `take`; `reached` gets the time that the video has been read up to.
///
/// # Errors
/// Where the video cannot be read, or not to its end, and those of the detector and of `take`.
pub fn each_clip<D: ShotDetector, E: From<SourceError> + From<D::Error>>(
    input: impl Into<Address>,
    segmenter: Segmenter<D>,
    mut take: impl FnMut(&Clip) -> Result<(), E>,
    reached: impl FnMut(Timestamp),
) -> Result<(), E> {
    let take_clip = |segment: &Segment| match segment {
        Segment::Clip(clip) => take(clip),
        Segment::Shot(_) => Ok(()),
    };
    each_segment(input, segmenter, take_clip, reached)
}

/// Cuts the video `input` with `segmenter`, and gives each clip and shot to `take`; `reached` gets the time that the
/// video has been read up to.
///
/// # Errors
/// Those of [`each_clip`].
pub fn each_segment<D: ShotDetector, E: From<SourceError> + From<D::Error>>(
    input: impl Into<Address>,
    mut segmenter: Segmenter<D>,
    mut take: impl FnMut(&Segment) -> Result<(), E>,
    mut reached: impl FnMut(Timestamp),
) -> Result<(), E> {
    let mut source = source::open(input)?;
    let mut segments = Vec::new();
    loop {
        let keep = |segment| segments.push(segment);
        let frame = source.next_frame()?;
        match &frame {
            Some(frame) => {
                reached(frame.time());
                segmenter.push(frame, keep)?;
            }
            None => segmenter.finish(keep)?,
        }
        for segment in segments.drain(..) {
            take(&segment)?;
            if let Segment::Clip(clip) = segment {
                segmenter.recycle(clip);
            }
        }
        if frame.is_none() {
            return Ok(());
        }
    }
}
