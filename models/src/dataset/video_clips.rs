//! The clips of a video, one after the other, by the runtime's own decoding, shots, clips and
//! preprocessing.

use divita_runtime::{
    bundle::StreamInput,
    clips::Clip,
    frame::{Frame, Timestamp},
    network::StreamName,
    sampler::WorkingRate,
    segmenter::{Segment, Segmentation, Segmenter, SegmenterOptions},
    shots::{ShotDetector, ShotSettings},
};
use divita_video::session::{Consumer, Ending, Session, SessionOptions};
use divita_video::{AddressError, Input, SourceError};

/// Default working rate of the clips that backbones and heads learn from: the lowest. Clips cost
/// least there, every board keeps up with it, and `divita classify` uses the lowest rate that heads
/// were trained at.
pub const DEFAULT_RATE: WorkingRate = WorkingRate::ALL[0];

/// Returns how to cut a video for a backbone of `stream` with preprocessing `input`, with a board's
/// settings.
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

/// Cuts the video `input` with `segmenter`, and passes each clip to `take`. `reached` receives the
/// time that was read so far.
///
/// # Errors
/// Where the video cannot be read to its end or has none, and those of the detector and of `take`.
pub fn each_clip<D: ShotDetector, E: From<SourceError> + From<D::Error>>(
    input: impl Into<Input>,
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

/// Cuts the video `input` with `segmenter`, and passes each clip and shot to `take`. `reached`
/// receives the time that was read so far.
///
/// # Errors
/// As [`each_clip`].
pub fn each_segment<D: ShotDetector, E: From<SourceError> + From<D::Error>>(
    input: impl Into<Input>,
    segmenter: Segmenter<D>,
    take: impl FnMut(&Segment) -> Result<(), E>,
    reached: impl FnMut(Timestamp),
) -> Result<(), E> {
    let mut session = Session::open(&input.into(), SessionOptions::default())?;
    if session.info().live {
        return Err(SourceError::from(AddressError::Endless).into());
    }
    let mut splitting = Splitting { segmenter, segments: Vec::new(), take, reached };
    match session.run(&mut splitting)? {
        Ending::Failed(error) => Err(error.into()),
        _ => Ok(()),
    }
}

/// Splits the frames of a session.
struct Splitting<D, T, R> {
    segmenter: Segmenter<D>,
    segments: Vec<Segment>,
    take: T,
    reached: R,
}

impl<D, T, R, E> Splitting<D, T, R>
where
    D: ShotDetector,
    T: FnMut(&Segment) -> Result<(), E>,
{
    /// Passes on the segments that are complete.
    fn take(&mut self) -> Result<(), E> {
        for segment in self.segments.drain(..) {
            (self.take)(&segment)?;
            if let Segment::Clip(clip) = segment {
                self.segmenter.recycle(clip);
            }
        }
        Ok(())
    }
}

impl<D, T, R, E> Consumer for Splitting<D, T, R>
where
    D: ShotDetector,
    T: FnMut(&Segment) -> Result<(), E>,
    R: FnMut(Timestamp),
    E: From<D::Error>,
{
    type Error = E;

    fn frame(&mut self, frame: &Frame<'_>) -> Result<(), E> {
        (self.reached)(frame.time());
        self.segmenter.push(frame, |segment| self.segments.push(segment))?;
        self.take()
    }

    fn finish(&mut self, ending: &Ending) -> Result<(), E> {
        // A video that cannot be read to its end gives no segments.
        if !matches!(ending, Ending::Failed(_)) {
            self.segmenter.finish(|segment| self.segments.push(segment))?;
            self.take()?;
        }
        Ok(())
    }
}
