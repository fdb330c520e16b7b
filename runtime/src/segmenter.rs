//! The segmenter: decoded frames in; shots and clips out. Everything of the way of a frame that comes before the networks.

use std::collections::VecDeque;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::active_area::ActiveArea;
use crate::bundle::{Borders, Manifest, StreamInput};
use crate::clips::{Clip, ClipAssembler, Sample};
use crate::frame::{Frame, Timestamp};
use crate::preprocess::{Picture, Preprocessor};
use crate::sampler::{Sampler, WorkingRate};
use crate::shots::transition_network::TransitionNetwork;
use crate::shots::{EvidenceDetector, Label, Shot, ShotDetector, ShotKind, ShotSettings, ShotTracker, Verdict};

/// Whether clips respect shots.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Segmentation {
    /// Clips of one shot each (Shot-f).
    #[default]
    Shot,
    /// Contiguous runs of f frames across cuts (Seq-f, the ablation of Table 6): the whole stream is one shot.
    Seq,
}

/// A segmentation that there is not.
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

/// What the segmenter needs to know.
#[derive(Clone, Copy, Debug)]
pub struct SegmenterOptions {
    /// Working rate to begin with.
    pub rate: WorkingRate,
    /// Whether clips respect shots.
    pub segmentation: Segmentation,
    /// Settings of the detector of the edge; the length of a pause that ends a shot is every detector's.
    pub shots: ShotSettings,
    /// Input of the image stream, where there is one.
    pub image: Option<StreamInput>,
    /// Input of the video stream, where there is one.
    pub video: Option<StreamInput>,
}

impl SegmenterOptions {
    /// The options that a bundle asks for.
    pub fn of(manifest: &Manifest, rate: WorkingRate, segmentation: Segmentation) -> Self {
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

/// What comes out.
#[derive(Debug)]
pub enum Segment {
    /// A clip is complete. Give it back with [`Segmenter::recycle`] so that its buffers are used again.
    Clip(Clip),
    /// A shot is closed; all its clips came before.
    Shot(Shot),
}

/// Cuts one stream into shots and clips. In steady state it allocates nothing as long as its clips are given back and the
/// detector allocates nothing.
pub struct Segmenter<D = EvidenceDetector> {
    options: SegmenterOptions,
    detector: D,
    sampler: Sampler,
    image: Option<Preprocessor>,
    video: Option<Preprocessor>,
    /// Where a stream sees frames without their borders.
    active: Option<ActiveArea>,
    cutter: Cutter,
    /// Working rate that was asked for and waits for the end of a clip.
    asked: Option<WorkingRate>,
    last: Option<Timestamp>,
    /// How long the last frame is shown, where its source says so.
    stated: Option<Timestamp>,
    skipped: u64,
}

impl Segmenter {
    /// A segmenter at the start of a stream, with the detector of the edge.
    pub fn new(options: SegmenterOptions, transitions: TransitionNetwork) -> Self {
        Segmenter::with_detector(options, EvidenceDetector::new(transitions, options.shots))
    }
}

impl<D: ShotDetector> Segmenter<D> {
    /// A segmenter at the start of a stream.
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
            asked: None,
            last: None,
            stated: None,
            skipped: 0,
        }
    }

    /// Takes the next decoded frame. A frame that is not later than the one before was never shown: it is counted by
    /// [`Segmenter::skipped`] and otherwise ignored.
    ///
    /// # Errors
    /// When the detector fails.
    pub fn push(&mut self, frame: &Frame<'_>, mut segment: impl FnMut(Segment)) -> Result<(), D::Error> {
        let time = frame.time();
        if self.last.is_some_and(|last| time <= last) {
            self.skipped += 1;
            return Ok(());
        }
        let gap = self.last.is_some_and(|last| time.since(last).as_secs_f64() > self.options.shots.gap_s);
        let first = self.last.is_none();
        (self.last, self.stated) = (Some(time), frame.duration());
        if let Some(rate) = self.asked.take_if(|_| self.cutter.is_between_clips(self.sampler.rate())) {
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

    /// Ends the stream: decides what is left and closes the last shot.
    ///
    /// # Errors
    /// When the detector fails.
    pub fn finish(&mut self, mut segment: impl FnMut(Segment)) -> Result<(), D::Error> {
        let cutter = &mut self.cutter;
        self.detector.finish(|verdict| cutter.settle(verdict, &mut segment))?;
        // No picture is held for longer than a pause that ends a shot.
        if let Some(stated) = self.stated {
            cutter.tracker.state_last_duration(stated.min(Timestamp::from_secs_f64(self.options.shots.gap_s)));
        }
        if let Some(shot) = cutter.tracker.finish() {
            cutter.close(shot, &mut segment);
        }
        Ok(())
    }

    /// Asks for another working rate, from the end of the clip on that is being filled. Where a cut is found in what has been
    /// seen of it, the clip before the change ends in black like the last one of a shot.
    pub fn set_rate(&mut self, rate: WorkingRate) {
        self.asked = (rate != self.sampler.rate()).then_some(rate);
    }

    /// The working rate at which frames are taken now.
    pub fn rate(&self) -> WorkingRate {
        self.sampler.rate()
    }

    /// Takes back a clip whose networks have run.
    pub fn recycle(&mut self, clip: Clip) {
        self.cutter.assembler.recycle(clip);
    }

    /// Decoded frames seen.
    pub fn frames(&self) -> u64 {
        self.cutter.tracker.frames() + self.skipped
    }

    /// Frames that were not later than the one before.
    pub fn skipped(&self) -> u64 {
        self.skipped
    }

    /// Clips completed.
    pub fn clips(&self) -> usize {
        self.cutter.assembler.clips()
    }

    /// When the last frame decided is over.
    pub fn end(&self) -> Timestamp {
        self.cutter.tracker.end()
    }

    /// The frame as the networks will see it, in reused buffers.
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

/// Brings samples and verdicts together: shots, and the clips of each.
struct Cutter {
    tracker: ShotTracker,
    /// Samples whose frame has no verdict yet, oldest first.
    undecided: VecDeque<Sample>,
    /// The newest sample of the open shot; kept back until the next, because it may turn out to stand still.
    newest: Option<Sample>,
    assembler: ClipAssembler,
}

impl Cutter {
    /// Whether the samples taken so far fill their clips, unless a cut is found among those that have no verdict yet.
    fn is_between_clips(&self, rate: WorkingRate) -> bool {
        let waiting = self.newest.iter().chain(&self.undecided).map(|sample| sample.times as usize).sum::<usize>();
        (self.assembler.content() + waiting).is_multiple_of(rate.clip_frames())
    }

    /// The newest sample stood still for `intervals` more.
    fn hold(&mut self, intervals: u32) {
        if let Some(sample) = self.undecided.back_mut().or(self.newest.as_mut()) {
            sample.times += intervals;
        }
    }

    /// Acts on the verdict on the next frame.
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

    /// Hands out what is left of `shot`, then the shot.
    fn close(&mut self, shot: Shot, segment: &mut impl FnMut(Segment)) {
        let mut clip = |clip| segment(Segment::Clip(clip));
        if let Some(mut sample) = self.newest.take() {
            // No sample follows, from which to learn how long the last one was seen.
            sample.times = sample.times.max(sample.rate.intervals(sample.time, shot.end));
            self.assembler.push(sample, shot.end, shot.index, &mut clip);
        }
        self.assembler.close(&mut clip);
        segment(Segment::Shot(shot));
    }
}
