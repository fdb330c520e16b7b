//! The segmenter: decoded frames in, shots and clips out. It contains every stage before the
//! networks.

use std::collections::VecDeque;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::active_area::ActiveArea;
use crate::bundle::{Borders, Manifest, StreamInput};
use crate::clips::{Clip, ClipAssembler, Sample};
use crate::frame::{Frame, Timestamp, Undecoded};
use crate::preprocess::{Picture, Preprocessor};
use crate::sampler::{Sampler, WorkingRate};
use crate::shots::transition_network::TransitionNetwork;
use crate::shots::{EvidenceDetector, Label, Shot, ShotDetector, ShotKind, ShotSettings, ShotTracker, Verdict};

/// Whether clips respect shots.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Segmentation {
    /// Each clip is from one shot (Shot-f).
    #[default]
    Shot,
    /// Clips are consecutive runs of f frames across cuts (Seq-f, the ablation of Table 6). The
    /// whole stream is one shot.
    Seq,
}

impl Segmentation {
    /// Returns the name in options, events and files: `shot` or `seq`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Segmentation::Shot => "shot",
            Segmentation::Seq => "seq",
        }
    }
}

/// An unknown segmentation.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[error("choose shot or seq")]
pub struct UnknownSegmentation;

impl FromStr for Segmentation {
    type Err = UnknownSegmentation;
    fn from_str(text: &str) -> Result<Self, UnknownSegmentation> {
        match text {
            "shot" => Ok(Segmentation::Shot),
            "seq" => Ok(Segmentation::Seq),
            _ => Err(UnknownSegmentation),
        }
    }
}

/// Options of a segmenter.
#[derive(Clone, Copy, Debug)]
pub struct SegmenterOptions {
    /// Working rate at the start.
    pub rate: WorkingRate,
    /// Whether clips respect shots.
    pub segmentation: Segmentation,
    /// Settings of the built-in detector. The length of a pause that ends a shot applies to every
    /// detector.
    pub shots: ShotSettings,
    /// Input of the image stream, if there is one.
    pub image: Option<StreamInput>,
    /// Input of the video stream, if there is one.
    pub video: Option<StreamInput>,
}

impl SegmenterOptions {
    /// Returns the options in a bundle's manifest.
    pub fn from_manifest(manifest: &Manifest, rate: WorkingRate, segmentation: Segmentation) -> Self {
        let input = |stream: &Option<crate::bundle::Stream>| stream.as_ref().map(|stream| stream.input);
        SegmenterOptions {
            rate,
            segmentation,
            shots: manifest.shots,
            image: input(&manifest.streams.image),
            video: input(&manifest.streams.video),
        }
    }
}

/// Output of the segmenter.
#[derive(Debug)]
pub enum Segment {
    /// A complete clip. Return it with [`Segmenter::recycle`] to reuse its buffers.
    Clip(Clip),
    /// A shot that ended. All its clips came before.
    Shot(Shot),
}

/// Splits one stream into shots and clips. In steady state it allocates nothing if its clips are
/// recycled and the detector allocates nothing.
pub struct Segmenter<D = EvidenceDetector> {
    options: SegmenterOptions,
    detector: D,
    sampler: Sampler,
    image: Option<Preprocessor>,
    video: Option<Preprocessor>,
    /// Finds borders, if a stream crops them.
    active: Option<ActiveArea>,
    cutter: Cutter,
    /// Requested working rate, which starts at the end of a clip.
    requested: Option<WorkingRate>,
    last: Option<Timestamp>,
    /// How long the last frame is shown, if its source states it.
    stated: Option<Timestamp>,
    /// Pictures after the last frame that were not decoded.
    undecoded: Option<Undecoded>,
    skipped: u64,
}

impl Segmenter {
    /// Returns a segmenter with the built-in detector, at the start of a stream.
    pub fn new(options: SegmenterOptions, transitions: TransitionNetwork) -> Self {
        Segmenter::with_detector(options, EvidenceDetector::new(transitions, options.shots))
    }
}

impl<D: ShotDetector> Segmenter<D> {
    /// Returns a segmenter with `detector`, at the start of a stream.
    pub fn with_detector(options: SegmenterOptions, detector: D) -> Self {
        let mut inputs = options.image.iter().chain(&options.video);
        Segmenter {
            options,
            detector,
            sampler: Sampler::new(options.rate, Timestamp::from_secs_f64(options.shots.gap_s)),
            image: options.image.as_ref().map(Preprocessor::new),
            video: options.video.as_ref().map(Preprocessor::new),
            active: inputs.any(|input| input.borders == Borders::Crop).then(ActiveArea::default),
            cutter: Cutter {
                tracker: ShotTracker::default(),
                undecided: VecDeque::new(),
                newest: None,
                assembler: ClipAssembler::new(options.rate),
            },
            requested: None,
            last: None,
            stated: None,
            undecoded: None,
            skipped: 0,
        }
    }

    /// Processes the next decoded frame. Ignores and counts ([`Segmenter::skipped`]) a frame that
    /// is not later than the previous one, because such a frame is never shown.
    ///
    /// # Errors
    /// Returns an error if the detector fails.
    pub fn push(&mut self, frame: &Frame<'_>, mut segment: impl FnMut(Segment)) -> Result<(), D::Error> {
        let time = frame.time();
        if self.last.is_some_and(|last| time <= last) {
            self.skipped += 1;
            return Ok(());
        }
        let gap = self.last.is_some_and(|last| time.since(last).as_secs_f64() > self.options.shots.gap_s);
        let first = self.last.is_none();
        (self.last, self.stated) = (Some(time), frame.duration());
        if let Some(undecoded) = frame.undecoded() {
            self.cutter.tracker.state_undecoded(time, undecoded);
        }
        if let Some(rate) = self.requested.take_if(|_| self.cutter.is_between_clips(self.sampler.rate())) {
            self.sampler.set_rate(rate);
        }
        if let Some(taken) = self.sampler.offer(time) {
            self.cutter.hold(taken.held);
            let sample = self.sample(frame);
            self.cutter.undecided.push_back(sample);
        }
        let cutter = &mut self.cutter;
        match self.options.segmentation {
            Segmentation::Shot => self.detector.push(frame, |verdict| cutter.settle(verdict, &mut segment)),
            Segmentation::Seq => {
                let label = match (first, gap) {
                    (true, _) => Label::Opens(ShotKind::Start),
                    (_, true) => Label::Opens(ShotKind::Gap),
                    _ => Label::Content,
                };
                cutter.settle(Verdict { time, label, after_gap: gap, area: None }, &mut segment);
                Ok(())
            }
        }
    }

    /// States the pictures after the last frame that were not decoded, before
    /// [`Segmenter::finish`].
    pub fn state_undecoded(&mut self, undecoded: Undecoded) {
        self.undecoded = Some(undecoded);
    }

    /// Ends the stream: passes the remaining clips and the last shot to `segment`.
    ///
    /// # Errors
    /// Returns an error if the detector fails.
    pub fn finish(&mut self, mut segment: impl FnMut(Segment)) -> Result<(), D::Error> {
        let cutter = &mut self.cutter;
        self.detector.finish(|verdict| cutter.settle(verdict, &mut segment))?;
        if let (Some(undecoded), Some(last)) = (self.undecoded, self.last) {
            cutter.tracker.state_undecoded(undecoded.until, undecoded);
            self.stated = Some(undecoded.until.since(last).plus(cutter.tracker.step()));
        }
        // No picture is held for longer than a pause that ends a shot.
        if let Some(stated) = self.stated {
            cutter.tracker.state_last_duration(stated.min(Timestamp::from_secs_f64(self.options.shots.gap_s)));
        }
        if let Some(shot) = cutter.tracker.finish() {
            cutter.close(shot, &mut segment);
        }
        Ok(())
    }

    /// Requests another working rate from the end of the current clip on. If a cut is found among
    /// the frames of that clip, black pads the clip before the change, like the last clip of a
    /// shot.
    pub fn set_rate(&mut self, rate: WorkingRate) {
        self.requested = (rate != self.sampler.rate()).then_some(rate);
    }

    /// Returns the current working rate.
    pub fn rate(&self) -> WorkingRate {
        self.sampler.rate()
    }

    /// Takes back a clip that was processed.
    pub fn recycle(&mut self, clip: Clip) {
        self.cutter.assembler.recycle(clip);
    }

    /// Returns the number of frames. Pictures that were not decoded count.
    pub fn frames(&self) -> u64 {
        self.cutter.tracker.frames() + self.skipped
    }

    /// Returns the number of frames that were not later than the previous one.
    pub fn skipped(&self) -> u64 {
        self.skipped
    }

    /// Returns the number of complete clips.
    pub fn clips(&self) -> usize {
        self.cutter.assembler.clips()
    }

    /// Returns the time at which the last frame with a verdict ends.
    pub fn end(&self) -> Timestamp {
        self.cutter.tracker.end()
    }

    /// Preprocesses a frame for the networks, in reused buffers.
    fn sample(&mut self, frame: &Frame<'_>) -> Sample {
        let mut sample = self.cutter.assembler.spare_sample();
        (sample.time, sample.times, sample.rate) = (frame.time(), 1, self.sampler.rate());
        let active = self.active.as_mut().and_then(|active| {
            active.push(frame);
            active.likely()
        });
        let cropped = active.map_or(*frame, |area| frame.crop(area));
        let streams = [
            (&mut self.image, self.options.image, &mut sample.image),
            (&mut self.video, self.options.video, &mut sample.video),
        ];
        for (preprocessor, input, picture) in streams {
            if let (Some(preprocessor), Some(input)) = (preprocessor, input) {
                let frame = if input.borders == Borders::Crop { &cropped } else { frame };
                preprocessor.make(frame, picture.get_or_insert_with(|| Picture::black(input.size, input.size)));
            }
        }
        if let Some(picture) = sample.image.as_ref().or(sample.video.as_ref()) {
            sample.histogram.count(picture);
        }
        sample
    }
}

/// Combines samples and verdicts into shots and clips.
struct Cutter {
    tracker: ShotTracker,
    /// Samples of frames without a verdict, oldest first.
    undecided: VecDeque<Sample>,
    /// The newest sample of the open shot. It waits for the next sample, because the picture may be
    /// held.
    newest: Option<Sample>,
    assembler: ClipAssembler,
}

impl Cutter {
    /// Returns whether the samples fill their clips, if there is no cut among frames without a
    /// verdict.
    fn is_between_clips(&self, rate: WorkingRate) -> bool {
        let waiting = self.newest.iter().chain(&self.undecided).map(|sample| sample.times as usize).sum::<usize>();
        (self.assembler.content() + waiting).is_multiple_of(rate.clip_frames())
    }

    /// Extends the newest sample by `intervals` intervals.
    fn hold(&mut self, intervals: u32) {
        if let Some(sample) = self.undecided.back_mut().or(self.newest.as_mut()) {
            sample.times += intervals;
        }
    }

    /// Applies the verdict on the next frame.
    fn settle(&mut self, verdict: Verdict, segment: &mut impl FnMut(Segment)) {
        if let Some(shot) = self.tracker.push(verdict) {
            self.close(shot, segment);
        }
        // Most frames are not sampled.
        if self.undecided.front().is_none_or(|sample| sample.time != verdict.time) {
            return;
        }
        let Some(sample) = self.undecided.pop_front() else { return };
        match self.tracker.open() {
            None => self.assembler.recycle_sample(sample),
            Some(open) => {
                let until = sample.time;
                if let Some(before) = self.newest.replace(sample) {
                    self.assembler.push(before, until, open.index, &mut |clip| segment(Segment::Clip(clip)));
                }
            }
        }
    }

    /// Passes the remaining clips of `shot` and then the shot to `segment`.
    fn close(&mut self, shot: Shot, segment: &mut impl FnMut(Segment)) {
        let mut clip = |clip| segment(Segment::Clip(clip));
        if let Some(mut sample) = self.newest.take() {
            // No sample follows that would show how long the last one was held.
            sample.times = sample.times.max(sample.rate.intervals(sample.time, shot.end));
            self.assembler.push(sample, shot.end, shot.index, &mut clip);
        }
        self.assembler.close(&mut clip);
        segment(Segment::Shot(shot));
    }
}
