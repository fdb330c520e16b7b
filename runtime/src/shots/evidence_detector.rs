//! The built-in shot detector. A small network reads the evidence on every frame, and rules turn
//! its readings into cuts and gradual transitions.
//!
//! The verdict on a frame comes half a second later. Above 36 fps only some frames are compared. A
//! change of verdict between two compared frames is placed at the frame where the picture changed
//! most. Black frames belong to no shot, as with every detector (paper, section 5).

use std::cmp::Ordering;
use std::convert::Infallible;

use heapless::Deque;

use super::detector_entry::{BoxedDetector, DetectorEntry};
use super::evidence::{self, EvidenceWindow, FrameEvidence, Pushed};
use super::evidence_numbers;
use super::signature::Signature;
use super::transition_network::{Reading, TransitionNetwork};
use super::{Label, ShotDetector, ShotKind, ShotSettings, Verdict};
use crate::area::Area;
use crate::frame::{Frame, Timestamp};

/// The table's line of this detector.
pub(super) const ENTRY: DetectorEntry = DetectorEntry {
    name: "evidence",
    summary: "a small network reads how the picture changes around each frame",
    create: |setup| BoxedDetector::new(EvidenceDetector::new(setup.transitions.clone(), setup.settings)),
};

/// Number of read frames in memory: those without a verdict, and earlier ones that a verdict looks
/// back to.
const WINDOW: usize = 24;
/// Number of earlier frames that a verdict looks at.
const BEHIND: usize = 8;
/// Number of later frames that a verdict looks at.
const AHEAD: usize = 4;
/// The same in seconds: later frames beyond this distance are not looked at.
const AHEAD_S: f64 = 1.0 / 6.0;
/// Largest hole in a gradual transition that is filled, in frames.
const HOLE: usize = 2;
/// Shortest gradual transition in frames. It is shorter if frames are far apart.
const SHORTEST: usize = 3;
/// The same in seconds.
const SHORTEST_S: f64 = 0.12;
/// Shortest shot in frames.
const SHORTEST_SHOT: usize = 3;

/// Probability of a cut below which the picture stays the same.
const SAME: f32 = 0.5;

/// Largest number of frames without a verdict: the compared frames that a verdict looks at, and all
/// skipped frames between them.
const WAITING: usize = (evidence_numbers::AHEAD + AHEAD + 2) * (evidence::PASSED_OVER + 1);

/// A frame without a verdict.
#[derive(Clone, Copy)]
struct Waiting {
    time: Timestamp,
    /// Whether it follows a pause.
    after_gap: bool,
    pushed: Pushed,
}

/// A frame that the network read.
#[derive(Clone, Copy)]
struct Read {
    reading: Reading,
    black: bool,
    mean: f32,
    area: Option<Area>,
}

/// The built-in shot detector.
pub struct EvidenceDetector {
    network: TransitionNetwork,
    settings: ShotSettings,
    evidence: EvidenceWindow,
    /// Frames without a verdict.
    waiting: Box<Deque<Waiting, WAITING>>,
    /// Oldest first. The first `decided` have their verdict.
    read: Deque<Read, WINDOW>,
    decided: usize,
    last: Option<Label>,
    /// Mean luma of the darkest frame since the last shot ended, 0 if one was black.
    darkest: f32,
    /// Number of frames since the open shot began.
    open_for: usize,
    newest: Option<Timestamp>,
}

impl EvidenceDetector {
    /// Returns a detector at the start of a stream.
    pub fn new(network: TransitionNetwork, settings: ShotSettings) -> Self {
        EvidenceDetector {
            network,
            settings,
            evidence: EvidenceWindow::default(),
            waiting: Box::new(Deque::new()),
            read: Deque::new(),
            decided: 0,
            last: None,
            darkest: f32::MAX,
            open_for: 0,
            newest: None,
        }
    }

    /// Processes the next frame of the stream by its signature and passes the verdicts that are
    /// ready to `verdict`. Does not look for borders.
    pub fn push_signature(&mut self, time: Timestamp, signature: Signature, verdict: impl FnMut(Verdict)) {
        self.take(time, |evidence, emit| evidence.push_signature(time, signature, emit), verdict);
    }

    /// Processes the frame at `time`. `push` adds it to the window.
    fn take(
        &mut self,
        time: Timestamp,
        push: impl FnOnce(&mut EvidenceWindow, &mut dyn FnMut(FrameEvidence<'_>)) -> Pushed,
        mut verdict: impl FnMut(Verdict),
    ) {
        let gap = self.newest.is_some_and(|newest| time.since(newest).as_secs_f64() > self.settings.gap_s);
        if gap {
            // The content of a pause is unknown, so no frames are compared across it.
            self.flush(&mut verdict);
        }
        self.newest = Some(time);
        let EvidenceDetector { evidence, read, network, settings, .. } = self;
        let pushed = push(evidence, &mut |found| {
            let _ = read.push_back(reading(network, settings, found));
        });
        // Never full: each frame has its verdict after at most this many later frames.
        let _ = self.waiting.push_back(Waiting { time, after_gap: gap, pushed });
        while self.decided < self.read.len() {
            let ahead = self.read.len() - 1 - self.decided;
            let waited = self.waiting.front().map_or(0.0, |front| time.since(front.time).as_secs_f64());
            if ahead < AHEAD && waited < evidence_numbers::AHEAD_S + AHEAD_S {
                break;
            }
            self.decide(&mut verdict);
        }
    }

    /// Decides all frames in memory and forgets them.
    fn flush(&mut self, verdict: &mut impl FnMut(Verdict)) {
        let EvidenceDetector { evidence, read, network, settings, .. } = self;
        // Never full: the remaining frames of the window fit.
        evidence.finish(|found| {
            let _ = read.push_back(reading(network, settings, found));
        });
        while self.decided < self.read.len() {
            self.decide(verdict);
        }
        // Frames that were skipped after the last compared frame continue its label.
        let same = continued(self.last);
        let area = self.read.back().and_then(|read| read.area);
        while let Some(Waiting { time, after_gap, .. }) = self.waiting.pop_front() {
            verdict(Verdict { time, label: same, after_gap, area });
        }
        self.read.clear();
        self.decided = 0;
    }

    /// Decides the oldest compared frame without a verdict, and the skipped frames before it.
    fn decide(&mut self, verdict: &mut impl FnMut(Verdict)) {
        let Some(own) = self.waiting.iter().position(|frame| frame.pushed.compared) else {
            // Unreachable: every reading belongs to a waiting frame. Counting on avoids an endless
            // loop.
            self.decided += 1;
            return;
        };
        let after_gap = self.waiting.front().is_some_and(|frame| frame.after_gap);
        let label = self.label(self.decided, after_gap);
        let area = self.at(self.decided).and_then(|read| read.area);
        let changes = self.waiting.iter().take(own + 1).map(|frame| frame.pushed.change).enumerate();
        // Among equal changes the last one, which is that of the compared frame.
        let begins = changes.max_by(|one, other| one.1.total_cmp(&other.1)).map_or(own, |(at, _)| at);
        for at in 0..=own {
            let Some(Waiting { time, after_gap, .. }) = self.waiting.pop_front() else { break };
            let label = match at.cmp(&begins) {
                Ordering::Less => continued(self.last),
                Ordering::Equal => label,
                Ordering::Greater => continued(Some(label)),
            };
            verdict(Verdict { time, label, after_gap, area });
        }
        self.open_for = match label {
            Label::Opens(_) => 1,
            Label::Content => self.open_for + 1,
            Label::Transition => 0,
        };
        self.darkest = match (label, self.at(self.decided)) {
            (Label::Transition, Some(read)) if read.black => 0.0,
            (Label::Transition, Some(read)) => self.darkest.min(read.mean),
            _ => f32::MAX,
        };
        self.last = Some(label);
        self.decided += 1;
        while self.decided > BEHIND {
            self.read.pop_front();
            self.decided -= 1;
        }
    }

    fn at(&self, index: usize) -> Option<&Read> {
        self.read.iter().nth(index)
    }

    fn black(&self, index: usize) -> bool {
        self.at(index).is_some_and(|read| read.black)
    }

    fn label(&self, index: usize, after_gap: bool) -> Label {
        if self.black(index) || self.gradual(index) {
            return Label::Transition;
        }
        // A shot that is too short between two transitions is part of them.
        let opens = matches!(self.last, None | Some(Label::Transition));
        if opens && (index + 1..index + SHORTEST_SHOT).any(|at| self.black(at) || self.gradual(at)) {
            return Label::Transition;
        }
        match self.last {
            None => Label::Opens(ShotKind::Start),
            Some(_) if after_gap => Label::Opens(ShotKind::Gap),
            Some(Label::Transition) => Label::Opens(self.ending(index)),
            Some(_) if self.cuts(index) => Label::Opens(ShotKind::Cut),
            Some(_) => Label::Content,
        }
    }

    /// Returns how a shot begins at `index` after frames that belong to none.
    fn ending(&self, index: usize) -> ShotKind {
        if index > 0 && self.black(index - 1) {
            return ShotKind::Black;
        }
        // Brightness rises from black or nearly black.
        let dark = self.at(index).is_some_and(|read| self.darkest < 0.25 * read.mean);
        if dark { ShotKind::Fade } else { ShotKind::Gradual }
    }

    /// Returns whether the frame's own reading is that of a gradual transition.
    fn raw(&self, index: usize) -> bool {
        self.at(index).is_some_and(|read| read.reading.gradual > self.settings.gradual)
    }

    /// Returns the same with holes filled.
    fn filled(&self, index: usize) -> bool {
        self.raw(index)
            || (1..=HOLE).any(|back| {
                index >= back && self.raw(index - back) && (1..=HOLE + 1 - back).any(|on| self.raw(index + on))
            })
    }

    /// Returns whether the frame belongs to a gradual transition that is long enough.
    fn gradual(&self, index: usize) -> bool {
        if !self.filled(index) {
            return false;
        }
        let before = (1..SHORTEST).take_while(|&back| index >= back && self.filled(index - back)).count();
        let after = (1..SHORTEST).take_while(|&on| self.filled(index + on)).count();
        before + 1 + after >= self.shortest()
    }

    /// Returns the shortest gradual transition in frames.
    fn shortest(&self) -> usize {
        let mut compared = self.waiting.iter().filter(|frame| frame.pushed.compared).map(|frame| frame.time);
        let interval = match (compared.next(), compared.next()) {
            (Some(one), Some(next)) => next.since(one).as_secs_f64(),
            _ => 0.0,
        };
        if interval > 0.0 { ((SHORTEST_S / interval).round() as usize).clamp(1, SHORTEST) } else { SHORTEST }
    }

    /// Returns whether a shot ends before the frame and another begins with it.
    fn cuts(&self, index: usize) -> bool {
        let cut = |at: usize| self.at(at).map_or(0.0, |read| read.reading.cut);
        let here = cut(index);
        here > self.settings.cut
            && self.open_for >= SHORTEST_SHOT
            && (1..=2).all(|on| cut(index + on) <= here)
            && (1..=2).all(|back| index < back || cut(index - back) < here)
            // A gradual transition that begins here is one transition.
            && !(1..=2).any(|on| self.gradual(index + on))
    }
}

/// Returns the label of a frame that continues a frame with label `before`.
fn continued(before: Option<Label>) -> Label {
    match before {
        None | Some(Label::Transition) => Label::Transition,
        Some(Label::Opens(_) | Label::Content) => Label::Content,
    }
}

/// Reads a frame with the network. A rule handles still pictures, because the network was trained
/// on films.
fn reading(network: &TransitionNetwork, settings: &ShotSettings, found: FrameEvidence<'_>) -> Read {
    let FrameEvidence { signature, area, evidence, inside, still_cut } = found;
    let histogram = signature.histogram();
    let mut reading = if still_cut { Reading { cut: 1.0, gradual: 0.0 } } else { network.run(evidence) };
    // A change of borders is no cut if the picture inside them stays the same.
    if reading.cut > settings.cut
        && let Some(inside) = inside.map(|inside| network.run(inside))
        && inside.cut < SAME
    {
        reading.cut = inside.cut;
    }
    Read {
        reading,
        black: histogram.mean_luma() <= settings.black_luma && histogram.bright_share() <= settings.black_bright_share,
        mean: signature.mean(),
        area,
    }
}

impl ShotDetector for EvidenceDetector {
    type Error = Infallible;

    fn push(&mut self, frame: &Frame<'_>, verdict: impl FnMut(Verdict)) -> Result<(), Infallible> {
        self.take(frame.time(), |evidence, emit| evidence.push(frame, emit), verdict);
        Ok(())
    }

    fn finish(&mut self, mut verdict: impl FnMut(Verdict)) -> Result<(), Infallible> {
        self.flush(&mut verdict);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::super::evidence::NUMBERS;
    use super::super::transition_network::{FIRST, OUTPUTS, SECOND, WEIGHTS};
    use super::*;
    use crate::frame::{Pixels, Plane};

    /// Returns an untrained network. It reads a cut if the picture is far brighter or darker than
    /// the previous one, and never a gradual transition.
    fn network() -> TransitionNetwork {
        let mut weights = vec![0.0; WEIGHTS];
        // The difference of luma between the frame and the previous one, the ninth and eighth of
        // sixteen. It is a square root, so 0.4 is 10 of 255.
        let luma = 5 * (0..8).map(|earlier| 15 - earlier).sum::<usize>();
        weights[luma * FIRST] = 1.0;
        let second = NUMBERS * FIRST + FIRST;
        weights[second] = 1.0;
        let output = second + FIRST * SECOND + SECOND;
        weights[output] = 50.0;
        weights[output + SECOND * OUTPUTS] = -20.0;
        weights[output + SECOND * OUTPUTS + 1] = -20.0;
        TransitionNetwork::read(&TransitionNetwork::encode(&[weights]).expect("as many as there are"))
            .expect("good ones")
    }

    const SIZE: (usize, usize) = (64, 36);

    /// Returns the labels of pictures at these times.
    fn verdicts(network: TransitionNetwork, pictures: impl IntoIterator<Item = (Vec<u8>, Timestamp)>) -> Vec<Label> {
        let mut detector = EvidenceDetector::new(network, ShotSettings::default());
        let (mut labels, mut times, mut decided) = (Vec::new(), Vec::new(), Vec::new());
        let mut keep = |verdict: Verdict| {
            labels.push(verdict.label);
            decided.push(verdict.time);
        };
        for (data, time) in pictures {
            let plane = Plane { data: &data, stride: SIZE.0 };
            let frame = Frame::new(Pixels::Grey(plane), SIZE.0, SIZE.1, time).expect("a good frame");
            let Ok(()) = detector.push(&frame, &mut keep);
            times.push(time);
        }
        let Ok(()) = detector.finish(keep);
        assert_eq!(decided, times, "one verdict a frame, in order");
        labels
    }

    fn at(fps: u64, network: TransitionNetwork, pictures: impl IntoIterator<Item = Vec<u8>>) -> Vec<Label> {
        let times = (0..).map(|k| Timestamp::from_ticks(k, fps));
        verdicts(network, pictures.into_iter().zip(times))
    }

    fn openings(labels: &[Label]) -> Vec<(usize, ShotKind)> {
        let opening =
            |(at, label): (usize, &Label)| if let Label::Opens(kind) = label { Some((at, *kind)) } else { None };
        labels.iter().enumerate().filter_map(opening).collect()
    }

    fn grey(luma: u8, frames: usize) -> impl Iterator<Item = Vec<u8>> {
        std::iter::repeat_n(vec![luma; SIZE.0 * SIZE.1], frames)
    }

    #[test]
    fn a_cut_is_exact_at_any_rate_and_between_any_skipped_frames() {
        for fps in [2, 24, 30, 50, 60, 120, 240, 1000] {
            for cut in 40..56 {
                let labels = at(fps, network(), grey(100, cut).chain(grey(180, 50)));
                assert_eq!(openings(&labels), [(0, ShotKind::Start), (cut, ShotKind::Cut)], "at {fps} fps");
            }
        }
    }

    #[test]
    fn black_belongs_to_no_shot_and_a_shot_begins_after_it() {
        for fps in [24, 60] {
            let labels = at(fps, network(), grey(150, 20).chain(grey(16, 20)).chain(grey(90, 21)));
            assert_eq!(openings(&labels), [(0, ShotKind::Start), (40, ShotKind::Black)], "at {fps} fps");
            assert!((20..40).all(|at| labels[at] == Label::Transition) && labels[19] == Label::Content, "{labels:?}");
            assert!(labels[41..].iter().all(|&label| label == Label::Content));
        }
    }

    #[test]
    fn two_frames_between_black_frames_are_no_shot() {
        let pictures = grey(16, 20).chain(grey(90, 2)).chain(grey(16, 10)).chain(grey(90, 5)).chain(grey(16, 9));
        let labels = at(24, network(), pictures);
        assert_eq!(openings(&labels), [(32, ShotKind::Black)]);
        assert_eq!(labels.iter().filter(|&&label| label != Label::Transition).count(), 5);
    }

    #[test]
    fn a_pause_of_the_stream_ends_the_shot() {
        let times = [0, 1, 2, 13, 14].map(|seconds| Timestamp::from_millis(1000 * seconds));
        let labels = verdicts(network(), grey(90, 5).zip(times));
        assert_eq!(openings(&labels), [(0, ShotKind::Start), (3, ShotKind::Gap)]);
    }

    #[test]
    fn a_verdict_comes_after_half_a_second_or_with_the_next_frame() {
        for fps in [1, 5, 24, 30, 60, 240] {
            let mut detector = EvidenceDetector::new(network(), ShotSettings::default());
            let (mut latest, mut decided) = (0.0f64, 0);
            for (k, data) in grey(100, 4 * fps).chain(grey(180, 4 * fps)).enumerate() {
                let time = Timestamp::from_ticks(k as i64, fps as u64);
                let plane = Plane { data: &data, stride: SIZE.0 };
                let frame = Frame::new(Pixels::Grey(plane), SIZE.0, SIZE.1, time).expect("a good frame");
                let Ok(()) = detector.push(&frame, |verdict| {
                    latest = latest.max(time.since(verdict.time).as_secs_f64());
                    decided += 1;
                });
            }
            assert!(decided > 6 * fps && latest < 0.5 + 1.0 / fps as f64 + 1e-6, "{latest} s at {fps} fps");
        }
    }

    /// Returns a picture of a scene: patches of light and dark under a camera that moves slightly
    /// from frame to frame. `light` is its brightness, 0 to 1.
    fn picture(scene: u32, frame: usize, light: f32) -> Vec<u8> {
        let patch = |x: usize, y: usize| {
            let mixed =
                (scene * 7919 + (x / 9) as u32 * 104_729 + (y / 7) as u32 * 1_299_709).wrapping_mul(2_654_435_761);
            20.0 + ((mixed >> 16) % 180) as f32
        };
        let pixel = |at: usize| 16 + (light * patch(at % SIZE.0 + frame / 12, at / SIZE.0)) as u8;
        (0..SIZE.0 * SIZE.1).map(pixel).collect()
    }

    fn scene(scene: u32, frames: usize) -> impl Iterator<Item = Vec<u8>> {
        (0..frames).map(move |frame| picture(scene, frame, 1.0))
    }

    /// Returns the labels of the trained detector.
    fn trained(fps: u64, pictures: impl IntoIterator<Item = Vec<u8>>) -> Vec<Label> {
        at(fps, TransitionNetwork::default(), pictures)
    }

    #[test]
    fn the_trained_detector_finds_a_cut_at_any_rate() {
        for fps in [5, 24, 60, 120, 240] {
            let labels = trained(fps, scene(1, 300).chain(scene(2, 300)));
            assert_eq!(openings(&labels), [(0, ShotKind::Start), (300, ShotKind::Cut)], "at {fps} fps");
        }
    }

    #[test]
    fn the_trained_detector_ignores_a_flash_at_any_rate() {
        for fps in [24, 60, 120, 240] {
            let labels = trained(fps, scene(1, 300).chain(grey(230, fps as usize / 12)).chain(scene(1, 300)));
            assert_eq!(openings(&labels), [(0, ShotKind::Start)], "at {fps} fps");
        }
    }

    #[test]
    fn the_trained_detector_finds_cuts_to_and_from_a_short_scene() {
        let labels = trained(24, scene(1, 40).chain(scene(3, 12)).chain(scene(1, 40)));
        assert_eq!(openings(&labels), [(0, ShotKind::Start), (40, ShotKind::Cut), (52, ShotKind::Cut)]);
    }

    #[test]
    fn the_trained_detector_finds_a_dissolve_as_one_transition() {
        for frames in [8, 16] {
            let share = |k: usize| (k + 1) as f32 / (frames + 1) as f32;
            let mixed = |k: usize| {
                let both = picture(1, 40 + k, 1.0 - share(k)).into_iter().zip(picture(2, k, share(k)));
                both.map(|(one, other)| one + other - 16).collect()
            };
            let after = (0..60).map(|k| picture(2, frames + k, 1.0));
            let labels = trained(24, scene(1, 40).chain((0..frames).map(mixed)).chain(after));
            let [(0, ShotKind::Start), (at, ShotKind::Gradual)] = openings(&labels)[..] else {
                panic!("{frames}: {:?}", openings(&labels))
            };
            // One transition is at the dissolve. Its edges may count as shots, because hardly
            // anything of one picture is visible there.
            let first = labels.iter().position(|&label| label == Label::Transition).expect("one at least");
            assert!(first >= 38 && at <= 42 + frames, "{frames}: {first} to {at}");
            assert!(labels[first..at].iter().all(|&label| label == Label::Transition), "{labels:?}");
        }
    }

    #[test]
    fn the_trained_detector_assigns_fades_next_to_black_to_no_shot() {
        let out = (1..=10).map(|k| picture(1, 30 + k, 1.0 - k as f32 / 11.0));
        let into = (1..=10).map(|k| picture(2, k, k as f32 / 11.0));
        let after = (0..30).map(|k| picture(2, 10 + k, 1.0));
        let labels = trained(24, scene(1, 30).chain(out).chain(grey(16, 10)).chain(into).chain(after));
        let [(0, ShotKind::Start), (at, ShotKind::Fade)] = openings(&labels)[..] else {
            panic!("{:?}", openings(&labels))
        };
        let first = labels.iter().position(|&label| label == Label::Transition).expect("black at least");
        assert!(at.abs_diff(60) <= 2 && first.abs_diff(30) <= 2, "{first} to {at}");
        assert!(labels[first..at].iter().all(|&label| label == Label::Transition), "{labels:?}");
    }
}
