//! The histogram detector: cuts, fades and black, found on every decoded frame from its histogram alone.
//!
//! A frame is decided once the half second after it has been seen, so every verdict comes in order, a bounded time late,
//! and from a window of fixed capacity. The verdicts of one stream are the same however it is read.
//!
//! - **Cut**: the distance to the previous frame is above a floor and stands out from the distances around it, so that fast
//!   motion, which raises all of them, is not cut up (the adaptive threshold of Yusoff, Christmas and Kittler, 2000).
//! - **Flash**: a picture that soon looks again as it did before is one shot, whatever happened in between.
//! - **Black and fades**: dark frames without bright spots, and the even rise or fall of brightness next to them, belong
//!   to no shot (paper, section 5).

use heapless::Deque;

use std::convert::Infallible;

use super::{Label, ShotDetector, ShotKind, ShotSettings, Verdict};
use crate::frame::{Frame, Timestamp};
use crate::histogram::Histogram;

/// Frames kept: the undecided ones and those before them that a decision looks back to. Enough for the delay and the length
/// of a flash as they are by default at 240 frames a second, in 130 kB.
const WINDOW: usize = 192;

/// Frames before the one being decided that stay in the window: a flash at 240 frames a second.
const LOOK_BACK: usize = 48;

/// Distances on either side that a cut must stand out from.
const NEIGHBOURS: usize = 4;

/// Steps in brightness that make a fade; fewer could be chance.
const FADE_STEPS: usize = 3;

/// Share of a flash's distance below which two pictures are the same again.
const FLASH_RETURN: f32 = 0.4;

/// What the window keeps of a frame.
struct Seen {
    time: Timestamp,
    histogram: Histogram,
    /// To the frame before; 0 for the first of the stream.
    distance: f32,
    mean_luma: f32,
    black: bool,
    after_gap: bool,
}

/// The detector of the edge.
pub struct HistogramDetector {
    settings: ShotSettings,
    /// Oldest first; the first `decided` have their verdict.
    window: Box<Deque<Seen, WINDOW>>,
    decided: usize,
    /// Label of the newest decided frame; none at the start.
    last: Option<Label>,
    /// Whether the newest decided frames are a rise out of black.
    fading_in: bool,
    /// Time of the newest boundary.
    opened: Timestamp,
}

impl ShotDetector for HistogramDetector {
    type Error = Infallible;

    fn push(&mut self, frame: &Frame<'_>, verdict: impl FnMut(Verdict)) -> Result<(), Infallible> {
        self.push_histogram(Histogram::of(frame), frame.time(), verdict);
        Ok(())
    }

    fn finish(&mut self, mut verdict: impl FnMut(Verdict)) -> Result<(), Infallible> {
        while self.decided < self.window.len() {
            verdict(self.decide());
        }
        Ok(())
    }
}

impl HistogramDetector {
    /// A detector at the start of a stream.
    pub fn new(settings: ShotSettings) -> Self {
        HistogramDetector {
            settings,
            window: Box::new(Deque::new()),
            decided: 0,
            last: None,
            fading_in: false,
            opened: Timestamp::ZERO,
        }
    }

    fn push_histogram(&mut self, histogram: Histogram, time: Timestamp, mut verdict: impl FnMut(Verdict)) {
        if self.window.is_full() {
            // More frames a second than the window was made for: decide sooner rather than look back less.
            while self.decided <= LOOK_BACK {
                verdict(self.decide());
            }
            self.forget(1);
        }
        let before = self.window.back();
        let seen = Seen {
            time,
            distance: before.map_or(0.0, |before| before.histogram.distance(&histogram)),
            mean_luma: histogram.mean_luma(),
            black: histogram.mean_luma() <= self.settings.black_luma
                && histogram.bright_share() <= self.settings.black_bright_share,
            after_gap: before.is_some_and(|before| time.since(before.time).as_secs_f64() > self.settings.gap_s),
            histogram,
        };
        // Cannot be full: room was made above.
        let _ = self.window.push_back(seen);
        while self.decided < self.window.len()
            && time.since(self.at(self.decided).time).as_secs_f64() >= self.settings.delay_s
        {
            verdict(self.decide());
            self.forget(self.decided.saturating_sub(LOOK_BACK));
        }
    }

    fn forget(&mut self, count: usize) {
        for _ in 0..count {
            self.window.pop_front();
            self.decided = self.decided.saturating_sub(1);
        }
    }

    /// The frame at `index` of the window, which the caller knows to be there.
    fn at(&self, index: usize) -> &Seen {
        let (front, back) = self.window.as_slices();
        if index < front.len() { &front[index] } else { &back[index - front.len()] }
    }

    /// The verdict on the oldest undecided frame, from what the window holds around it.
    fn decide(&mut self) -> Verdict {
        let index = self.decided;
        let Seen { time, after_gap, .. } = *self.at(index);
        let label = self.label(index);
        if matches!(label, Label::Opens(_)) {
            self.opened = time;
        }
        self.last = Some(label);
        self.decided += 1;
        Verdict { time, label, after_gap }
    }

    fn label(&mut self, index: usize) -> Label {
        if self.at(index).black {
            self.fading_in = false;
            return Label::Transition;
        }
        let out_of_black = index > 0 && self.at(index - 1).black;
        self.fading_in = match (out_of_black, self.fading_in) {
            (true, _) => self.fades(index - 1, true),
            (false, true) => self.still_rising(index),
            (false, false) => false,
        };
        if self.fading_in || self.fades_out(index) {
            return Label::Transition;
        }
        let opens = matches!(self.last, None | Some(Label::Transition));
        if opens && self.black_follows(index) {
            // A flicker in the dark is no shot.
            return Label::Transition;
        }
        match self.last {
            None => Label::Opens(ShotKind::Start),
            Some(_) if self.at(index).after_gap => Label::Opens(ShotKind::Gap),
            Some(Label::Transition) if out_of_black => Label::Opens(ShotKind::Black),
            Some(Label::Transition) => Label::Opens(ShotKind::Fade),
            Some(_) if self.is_cut(index) => Label::Opens(ShotKind::Cut),
            Some(_) => Label::Content,
        }
    }

    /// Change of mean luma from `index` to the frame after it, 0 at the end of the window.
    fn step(&self, index: usize) -> f32 {
        if index + 1 < self.window.len() { self.at(index + 1).mean_luma - self.at(index).mean_luma } else { 0.0 }
    }

    /// Whether brightness moves evenly over [`FADE_STEPS`] steps: up from `index`, or down to it. A cut to or from black
    /// moves once and by far more than the frames beside it.
    fn fades(&self, index: usize, up: bool) -> bool {
        let steps: heapless::Vec<f32, FADE_STEPS> = (0..FADE_STEPS)
            .filter_map(
                |k| if up { Some(self.step(index + k)) } else { index.checked_sub(k + 1).map(|i| -self.step(i)) },
            )
            .collect();
        let mean = steps.iter().sum::<f32>() / FADE_STEPS as f32;
        steps.len() == FADE_STEPS && steps.iter().all(|&step| step > 0.15 && step < 2.0 * mean)
    }

    /// Whether a rise out of black goes on past `index`.
    fn still_rising(&self, index: usize) -> bool {
        let (before, after) = (self.step(index - 1), self.step(index));
        after > 0.15 && after > 0.25 * before
    }

    /// Whether the frame is part of an even fall to a black frame inside the window.
    fn fades_out(&self, index: usize) -> bool {
        let Some(black) = (index + 1..self.window.len()).find(|&at| self.at(at).black) else { return false };
        let falling = |at: usize| self.step(at) < -0.15;
        self.fades(black, false) && (index..black).all(falling)
    }

    /// Whether a cut lies between the frame and the one before it, both of them content.
    fn is_cut(&self, index: usize) -> bool {
        let (frame, settings) = (self.at(index), &self.settings);
        let distance = frame.distance;
        if index == 0 || distance < settings.floor {
            return false;
        }
        if frame.time.since(self.opened).as_secs_f64() < settings.shortest_s {
            return false;
        }
        let around = (index.saturating_sub(NEIGHBOURS)..=index + NEIGHBOURS)
            .filter(|&at| at != index && at < self.window.len())
            .map(|at| self.at(at).distance);
        let (sum, count) = around.fold((0.0, 0), |(sum, count), distance| (sum + distance, count + 1));
        if distance < settings.margin + settings.ratio * sum / count.max(1) as f32 {
            return false;
        }
        !self.black_follows(index) && !self.is_flash(index, distance)
    }

    /// Whether a black frame comes too soon after the frame for a shot to begin with it.
    fn black_follows(&self, index: usize) -> bool {
        let soon = |at: &usize| self.at(*at).time.since(self.at(index).time).as_secs_f64() < self.settings.shortest_s;
        (index + 1..self.window.len()).take_while(soon).any(|at| self.at(at).black)
    }

    /// Whether the frame begins or ends a flash: a picture of shortly before it is seen again, at it or shortly after.
    fn is_flash(&self, index: usize, distance: f32) -> bool {
        let near = |a: usize, b: usize| self.at(b).time.since(self.at(a).time).as_secs_f64() <= self.settings.flash_s;
        (0..index).rev().take_while(|&before| near(before, index)).any(|before| {
            (index..self.window.len()).take_while(|&after| near(before, after)).any(|after| {
                after - before > 1
                    && self.at(before).histogram.distance(&self.at(after).histogram) < FLASH_RETURN * distance
            })
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::frame::{Pixels, Plane};

    /// One grey frame a sample at `fps`: its value is the picture.
    fn verdicts(values: impl IntoIterator<Item = u8>, fps: u64) -> Vec<Label> {
        let mut detector = HistogramDetector::new(ShotSettings::default());
        let mut labels = Vec::new();
        for (k, value) in values.into_iter().enumerate() {
            let data = [value; 64 * 36];
            let time = Timestamp::from_ticks(k as i64, fps);
            let frame = Frame::new(Pixels::Grey(Plane { data: &data, stride: 64 }), 64, 36, time);
            let Ok(()) = detector.push(&frame.expect("a good frame"), |verdict| labels.push(verdict.label));
        }
        let Ok(()) = detector.finish(|verdict| labels.push(verdict.label));
        labels
    }

    fn openings(labels: &[Label]) -> Vec<(usize, ShotKind)> {
        let opening =
            |(at, label): (usize, &Label)| if let Label::Opens(kind) = label { Some((at, *kind)) } else { None };
        labels.iter().enumerate().filter_map(opening).collect()
    }

    fn run(value: u8, length: usize) -> impl Iterator<Item = u8> {
        std::iter::repeat_n(value, length)
    }

    #[test]
    fn a_cut_opens_a_shot_at_any_rate() {
        for fps in [5, 24, 60, 120, 240] {
            let labels = verdicts(run(100, 300).chain(run(180, 300)), fps);
            assert_eq!(openings(&labels), [(0, ShotKind::Start), (300, ShotKind::Cut)], "at {fps} fps");
            assert_eq!(labels.len(), 600);
        }
    }

    #[test]
    fn a_flash_is_no_cut_at_any_rate() {
        for fps in [24, 60, 120, 240] {
            let labels = verdicts(run(100, 300).chain(run(250, fps as usize / 8)).chain(run(100, 300)), fps);
            assert_eq!(openings(&labels), [(0, ShotKind::Start)], "at {fps} fps");
        }
    }

    #[test]
    fn a_picture_that_stays_is_a_cut() {
        let labels = verdicts(run(100, 40).chain(run(250, 12)).chain(run(100, 40)), 24);
        assert_eq!(openings(&labels), [(0, ShotKind::Start), (40, ShotKind::Cut), (52, ShotKind::Cut)]);
    }

    #[test]
    fn shots_are_never_shorter_than_the_least() {
        let labels = verdicts((0..200).map(|k| if k / 2 % 2 == 0 { 60 } else { 200 }), 24);
        let opened: Vec<usize> = openings(&labels).iter().map(|&(at, _)| at).collect();
        assert!(opened.windows(2).all(|pair| pair[1] - pair[0] >= 5), "{opened:?}");
    }

    #[test]
    fn black_and_the_fades_beside_it_belong_to_no_shot() {
        let fade_out = (1..=10).map(|k| 170 - 15 * k);
        let fade_in = (1..=10).map(|k| 20 + 15 * k);
        let values: Vec<u8> =
            run(170, 30).chain(fade_out).chain(run(16, 10)).chain(fade_in).chain(run(170, 30)).collect();
        let labels = verdicts(values, 24);
        assert_eq!(openings(&labels), [(0, ShotKind::Start), (59, ShotKind::Fade)]);
        let transition: Vec<usize> = (0..labels.len()).filter(|&at| labels[at] == Label::Transition).collect();
        // The frame that starts to fall is still a whole picture or not: one frame either way is as good.
        assert!((29..=30).contains(&transition[0]) && transition.last() == Some(&58), "{transition:?}");
        assert_eq!(transition.len(), 59 - transition[0], "{transition:?}");
    }

    #[test]
    fn a_flicker_between_black_is_no_shot() {
        let labels = verdicts(run(16, 20).chain(run(90, 4)).chain(run(16, 10)).chain(run(90, 5)).chain(run(16, 9)), 24);
        assert_eq!(openings(&labels), [(34, ShotKind::Black)]);
        assert_eq!(labels.iter().filter(|&&label| label != Label::Transition).count(), 5);
    }

    #[test]
    fn a_cut_to_black_ends_the_shot_and_a_cut_from_it_opens_one() {
        let labels = verdicts(run(150, 20).chain(run(16, 20)).chain(run(90, 20)), 24);
        assert_eq!(openings(&labels), [(0, ShotKind::Start), (40, ShotKind::Black)]);
        assert!((20..40).all(|at| labels[at] == Label::Transition) && labels[19] == Label::Content);
    }

    #[test]
    fn a_pause_of_the_stream_ends_the_shot() {
        let mut detector = HistogramDetector::new(ShotSettings::default());
        let mut labels = Vec::new();
        for seconds in [0, 1, 2, 13, 14] {
            let data = [90; 64];
            let frame = Frame::new(
                Pixels::Grey(Plane { data: &data, stride: 8 }),
                8,
                8,
                Timestamp::from_millis(1000 * seconds),
            );
            let Ok(()) = detector.push(&frame.expect("a good frame"), |verdict| labels.push(verdict.label));
        }
        let Ok(()) = detector.finish(|verdict| labels.push(verdict.label));
        assert_eq!(openings(&labels), [(0, ShotKind::Start), (3, ShotKind::Gap)]);
    }
}
