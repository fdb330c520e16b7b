//! Compares the clips of videos that different shot detectors produce: how many span two shots, and
//! how far their vectors are from those of the true clips.

use std::collections::VecDeque;
use std::convert::Infallible;

use divita_runtime::{
    clips::Clip,
    frame::{Frame, Timestamp},
    network::{Backbones, Features},
    segmenter::{Segment, Segmentation, Segmenter, SegmenterOptions},
    shots::{Label, ShotDetector, ShotKind, Verdict},
};
use divita_video::{self as source, Input};

use super::score::Transition;
use crate::extraction::extractor::ExtractError;

/// The shots that clips are cut within.
#[derive(Clone, Debug)]
pub enum Shots {
    /// No shots: clips across everything.
    None,
    /// The shots between these transitions.
    Known(Vec<Transition>),
}

/// Counts over the clips of one detector in many videos.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ClipCounts {
    /// Clips.
    pub clips: usize,
    /// Clips that span two shots.
    pub across: usize,
    /// Clips that contain a frame of a gradual transition.
    pub within: usize,
    /// Sums of the cosine distance between a clip's vector and that of the true clip nearest in
    /// time: image stream, video stream.
    pub distances: [f64; 2],
}

/// Clips of one detector in one video.
struct Cut {
    segmenter: Segmenter<KnownShots>,
    clips: Vec<SeenClip>,
}

/// A clip: its times and vectors.
struct SeenClip {
    /// Times of the frames that it holds.
    frames: Vec<Timestamp>,
    features: Features,
}

impl SeenClip {
    fn middle(&self) -> f64 {
        let ends = [self.frames.first(), self.frames.last()];
        ends.iter().flatten().map(|time| time.as_secs_f64()).sum::<f64>() / 2.0
    }
}

/// Cuts the video `input` into clips once for each of `origins`, and adds the comparison with the
/// clips of `truth` to `counts`.
///
/// # Errors
/// Where the video cannot be read to its end, or a network fails.
pub fn compare(
    input: &Input,
    truth: &[Transition],
    origins: &[Shots],
    options: SegmenterOptions,
    backbones: &mut Backbones,
    counts: &mut [ClipCounts],
) -> Result<(), ExtractError> {
    let mut source = source::open(input)?;
    let known = Shots::Known(truth.to_vec());
    let mut cuts: Vec<Cut> = std::iter::once(&known).chain(origins).map(|shots| Cut::new(shots, options)).collect();
    let mut times = Vec::new();
    while let Some(frame) = source.next_frame()? {
        times.push(frame.time());
        for cut in &mut cuts {
            cut.push(Some(&frame), backbones)?;
        }
    }
    for cut in &mut cuts {
        cut.push(None, backbones)?;
    }
    let Some((known, others)) = cuts.split_first() else { return Ok(()) };
    for (cut, counts) in others.iter().zip(counts) {
        for clip in &cut.clips {
            counts.add(clip, &known.clips, truth, &times);
        }
    }
    Ok(())
}

impl Cut {
    fn new(shots: &Shots, options: SegmenterOptions) -> Self {
        let (segmentation, transitions) = match shots {
            Shots::None => (Segmentation::Seq, VecDeque::new()),
            Shots::Known(transitions) => (Segmentation::Shot, transitions.iter().copied().collect()),
        };
        let detector = KnownShots { transitions, frames: 0, gap_s: options.shots.gap_s, last: None };
        let segmenter = Segmenter::with_detector(SegmenterOptions { segmentation, ..options }, detector);
        Cut { segmenter, clips: Vec::new() }
    }

    /// Takes the next frame, or the end.
    fn push(&mut self, frame: Option<&Frame<'_>>, backbones: &mut Backbones) -> Result<(), ExtractError> {
        let mut ready: Vec<Clip> = Vec::new();
        let keep = |segment| {
            if let Segment::Clip(clip) = segment {
                ready.push(clip);
            }
        };
        let Ok(()) = match frame {
            Some(frame) => self.segmenter.push(frame, keep),
            None => self.segmenter.finish(keep),
        };
        for clip in ready {
            let frames = clip.samples().iter().map(|sample| sample.time).collect();
            self.clips.push(SeenClip { frames, features: backbones.run(&clip)? });
            self.segmenter.recycle(clip);
        }
        Ok(())
    }
}

impl ClipCounts {
    fn add(&mut self, clip: &SeenClip, true_clips: &[SeenClip], truth: &[Transition], times: &[Timestamp]) {
        let frames: Vec<u64> =
            clip.frames.iter().map(|time| times.partition_point(|other| other < time) as u64).collect();
        let holds = |wanted: &dyn Fn(u64) -> bool| frames.iter().any(|&frame| wanted(frame));
        self.clips += 1;
        let across = |one: &Transition| holds(&|frame| frame <= one.last) && holds(&|frame| frame >= one.first);
        self.across += usize::from(truth.iter().any(across));
        let within = |one: &Transition| holds(&|frame| one.last < frame && frame < one.first);
        self.within += usize::from(truth.iter().any(within));
        let middle = clip.middle();
        let away = |other: &&SeenClip| (other.middle() - middle).abs();
        if let Some(nearest) = true_clips.iter().min_by(|one, other| away(one).total_cmp(&away(other))) {
            let (own, other) = (&clip.features, &nearest.features);
            let distances = [cosine_distance(&own.image, &other.image), cosine_distance(&own.video, &other.video)];
            self.distances.iter_mut().zip(distances).for_each(|(sum, distance)| *sum += distance);
        }
    }
}

/// Returns one minus the cosine between two vectors; 0 where a stream is absent.
fn cosine_distance(one: &[f32], other: &[f32]) -> f64 {
    let product = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(&a, &b)| f64::from(a) * f64::from(b)).sum::<f64>();
    let lengths = (product(one, one) * product(other, other)).sqrt();
    if lengths > 0.0 { 1.0 - product(one, other) / lengths } else { 0.0 }
}

/// A detector that reports known transitions.
struct KnownShots {
    /// Transitions that are not over.
    transitions: VecDeque<Transition>,
    frames: u64,
    gap_s: f64,
    last: Option<(Timestamp, Label)>,
}

impl ShotDetector for KnownShots {
    type Error = Infallible;

    fn push(&mut self, frame: &Frame<'_>, mut verdict: impl FnMut(Verdict)) -> Result<(), Infallible> {
        let (time, at) = (frame.time(), self.frames);
        let after_gap = self.last.is_some_and(|(last, _)| time.since(last).as_secs_f64() > self.gap_s);
        while self.transitions.front().is_some_and(|next| next.first < at) {
            self.transitions.pop_front();
        }
        let label = match (self.transitions.front(), self.last) {
            (Some(next), _) if next.last < at && at < next.first => Label::Transition,
            (_, None) => Label::Opens(ShotKind::Start),
            _ if after_gap => Label::Opens(ShotKind::Gap),
            (_, Some((_, Label::Transition))) => Label::Opens(ShotKind::Gradual),
            (Some(next), _) if next.first == at => Label::Opens(ShotKind::Cut),
            _ => Label::Content,
        };
        (self.frames, self.last) = (at + 1, Some((time, label)));
        verdict(Verdict { time, label, after_gap, area: None });
        Ok(())
    }

    fn finish(&mut self, _verdict: impl FnMut(Verdict)) -> Result<(), Infallible> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clips_are_counted_as_by_hand() {
        let times: Vec<Timestamp> = (0..100).map(|at| Timestamp::from_ticks(at, 25)).collect();
        let clip = |frames: &[usize], vector: [f32; 2]| SeenClip {
            frames: frames.iter().map(|&at| times[at]).collect(),
            features: Features { image: vector.to_vec(), video: vec![1.0] },
        };
        // A cut at 20, a dissolve from 40 to 49.
        let truth = [Transition { last: 19, first: 20 }, Transition { last: 39, first: 50 }];
        let known = [clip(&[0, 10], [1.0, 0.0]), clip(&[60, 90], [0.0, 1.0])];
        let mut counts = ClipCounts::default();
        for (frames, vector) in [
            (&[0, 10, 19][..], [2.0, 0.0]), // Good, and as the first true one.
            (&[10, 20], [2.0, 0.0]),        // Across the cut.
            (&[30, 45], [2.0, 0.0]), // Into the dissolve; its middle is nearer to the true clip at 5 than to that at 75.
            (&[35, 45, 55], [0.0, 3.0]), // Across and into it; nearer to 75.
            (&[60, 80], [3.0, 0.0]), // At a right angle to the second.
        ] {
            counts.add(&clip(frames, vector), &known, &truth, &times);
        }
        assert_eq!((counts.clips, counts.across, counts.within), (5, 2, 2));
        assert!((counts.distances[0] - 1.0).abs() < 1e-6 && counts.distances[1].abs() < 1e-6, "{counts:?}");
    }

    #[test]
    fn known_shots_are_told_as_they_are() {
        let transitions = [Transition { last: 2, first: 3 }, Transition { last: 4, first: 7 }].into();
        let mut detector = KnownShots { transitions, frames: 0, gap_s: 10.0, last: None };
        let mut labels = Vec::new();
        for at in 0..9 {
            let plane = divita_runtime::frame::Plane { data: &[90; 4], stride: 2 };
            let pixels = divita_runtime::frame::Pixels::Grey(plane);
            let frame = Frame::new(pixels, 2, 2, Timestamp::from_ticks(at, 25)).expect("a good frame");
            let Ok(()) = detector.push(&frame, |verdict| labels.push(verdict.label));
        }
        use Label::{Content, Opens};
        let gradual = Opens(ShotKind::Gradual);
        let expected = [
            Opens(ShotKind::Start),
            Content,
            Content,
            Opens(ShotKind::Cut),
            Content,
            Label::Transition,
            Label::Transition,
            gradual,
            Content,
        ];
        assert_eq!(labels, expected);
    }
}
