//! A shot detector that was trained: it reads the evidence on every frame with a small network, and makes cuts and gradual transitions of it.
//!
//! A frame has its verdict half a second after it was seen. Of frames that follow each other faster than 36 a second only some are compared; what
//! a verdict changes among those between begins where the picture changed most. Black frames belong to no shot, as with every detector (paper, section 5).

use std::cmp::Ordering;
use std::convert::Infallible;

use heapless::Deque;

use super::evidence::{self, Evidence, EvidenceWindow, Pushed};
use super::signature::Signature;
use super::transition_network::{Reading, TransitionNetwork};
use super::{Label, ShotDetector, ShotKind, ShotSettings, Verdict};
use crate::frame::{Frame, Timestamp};

/// Frames that were read and are kept: those without a verdict, and those before them that a verdict looks back to.
const WINDOW: usize = 24;
/// Frames that a verdict looks back to.
const BEHIND: usize = 8;
/// Frames after one that its verdict looks to.
const AHEAD: usize = 4;
/// Seconds of them: where frames are further apart than this, none.
const AHEAD_S: f64 = 1.0 / 6.0;
/// Frames that are missing in a gradual transition and are taken for part of it, at most.
const HOLE: usize = 2;
/// Frames of a gradual transition, at least; less where frames are far apart.
const SHORTEST: usize = 3;
/// Seconds of it.
const SHORTEST_S: f64 = 0.12;
/// Frames of a shot, at least.
const SHORTEST_SHOT: usize = 3;

/// From which probabilities on there is a transition.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Thresholds {
    /// A cut.
    pub cut: f32,
    /// A frame of a gradual transition.
    pub gradual: f32,
}

impl Default for Thresholds {
    /// Those that did best on the validation part of the corpus.
    fn default() -> Self {
        Thresholds { cut: 0.5, gradual: 0.9 }
    }
}

/// Frames without a verdict, at most: of those that are compared as many as a verdict looks to, with all that are passed over.
const WAITING: usize = (evidence::AHEAD + AHEAD + 2) * (evidence::PASSED_OVER + 1);

/// A frame without a verdict.
#[derive(Clone, Copy)]
struct Waiting {
    time: Timestamp,
    /// Whether a pause was before it.
    after_gap: bool,
    pushed: Pushed,
}

/// What is kept of a frame that was read.
#[derive(Clone, Copy)]
struct Read {
    reading: Reading,
    black: bool,
    mean: f32,
}

/// The detector.
pub struct EvidenceDetector {
    network: TransitionNetwork,
    settings: ShotSettings,
    thresholds: Thresholds,
    evidence: EvidenceWindow,
    /// Frames without a verdict.
    waiting: Box<Deque<Waiting, WAITING>>,
    /// Oldest first; the first `decided` have their verdict.
    read: Deque<Read, WINDOW>,
    decided: usize,
    last: Option<Label>,
    /// Frames since the open shot began.
    open_for: usize,
    newest: Option<Timestamp>,
}

impl EvidenceDetector {
    /// A detector at the start of a stream. Of `settings` it takes what is black, and how long a pause ends a shot.
    pub fn new(network: TransitionNetwork, settings: ShotSettings, thresholds: Thresholds) -> Self {
        EvidenceDetector {
            network,
            settings,
            thresholds,
            evidence: EvidenceWindow::default(),
            waiting: Box::new(Deque::new()),
            read: Deque::new(),
            decided: 0,
            last: None,
            open_for: 0,
            newest: None,
        }
    }

    /// Decides all that have been seen, and forgets them.
    fn flush(&mut self, verdict: &mut impl FnMut(Verdict)) {
        let EvidenceDetector { evidence, read, network, settings, .. } = self;
        // Cannot be full: what is kept, what waits and what the window still holds are fewer.
        evidence.finish(|signature, evidence| {
            let _ = read.push_back(reading(network, settings, signature, evidence));
        });
        while self.decided < self.read.len() {
            self.decide(verdict);
        }
        // What was passed over after the last frame that was compared is as that one.
        let same = continued(self.last);
        while let Some(Waiting { time, after_gap, .. }) = self.waiting.pop_front() {
            verdict(Verdict { time, label: same, after_gap });
        }
        self.read.clear();
        self.decided = 0;
    }

    /// The verdict on the oldest frame that was compared and has none, and on those that were passed over before it.
    fn decide(&mut self, verdict: &mut impl FnMut(Verdict)) {
        let Some(own) = self.waiting.iter().position(|frame| frame.pushed.compared) else {
            // Cannot be: every reading is of a frame that waits. Were it so, nobody must wait for it for ever.
            self.decided += 1;
            return;
        };
        let after_gap = self.waiting.front().is_some_and(|frame| frame.after_gap);
        let label = self.label(self.decided, after_gap);
        let changes = self.waiting.iter().take(own + 1).map(|frame| frame.pushed.change).enumerate();
        // Of equal changes the last, which is that of the frame that was compared.
        let begins = changes.max_by(|one, other| one.1.total_cmp(&other.1)).map_or(own, |(at, _)| at);
        for at in 0..=own {
            let Some(Waiting { time, after_gap, .. }) = self.waiting.pop_front() else { break };
            let label = match at.cmp(&begins) {
                Ordering::Less => continued(self.last),
                Ordering::Equal => label,
                Ordering::Greater => continued(Some(label)),
            };
            verdict(Verdict { time, label, after_gap });
        }
        self.open_for = match label {
            Label::Opens(_) => 1,
            Label::Content => self.open_for + 1,
            Label::Transition => 0,
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
        // What is too short to be seen between two transitions is part of them.
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

    /// How a shot begins at `index` after frames that belonged to none.
    fn ending(&self, index: usize) -> ShotKind {
        if index > 0 && self.black(index - 1) {
            return ShotKind::Black;
        }
        // Brightness rises from black, or near it.
        let mut means = (0..=index).rev().map_while(|at| self.at(at)).map(|read| read.mean);
        let now = means.next().unwrap_or_default();
        let dark = (0..index).any(|at| self.black(at)) || means.last().is_some_and(|mean| mean < 0.25 * now);
        if dark { ShotKind::Fade } else { ShotKind::Gradual }
    }

    /// Whether the frame's own reading is that of a gradual transition.
    fn raw(&self, index: usize) -> bool {
        self.at(index).is_some_and(|read| read.reading.gradual > self.thresholds.gradual)
    }

    /// The same with holes filled.
    fn filled(&self, index: usize) -> bool {
        self.raw(index)
            || (1..=HOLE).any(|back| {
                index >= back && self.raw(index - back) && (1..=HOLE + 1 - back).any(|on| self.raw(index + on))
            })
    }

    /// Whether the frame is part of a gradual transition that is long enough.
    fn gradual(&self, index: usize) -> bool {
        if !self.filled(index) {
            return false;
        }
        let before = (1..SHORTEST).take_while(|&back| index >= back && self.filled(index - back)).count();
        let after = (1..SHORTEST).take_while(|&on| self.filled(index + on)).count();
        before + 1 + after >= self.shortest()
    }

    /// Frames of a gradual transition, at least.
    fn shortest(&self) -> usize {
        let mut compared = self.waiting.iter().filter(|frame| frame.pushed.compared).map(|frame| frame.time);
        let interval = match (compared.next(), compared.next()) {
            (Some(one), Some(next)) => next.since(one).as_secs_f64(),
            _ => 0.0,
        };
        if interval > 0.0 { ((SHORTEST_S / interval).round() as usize).clamp(1, SHORTEST) } else { SHORTEST }
    }

    /// Whether a shot ends before the frame and one begins with it.
    fn cuts(&self, index: usize) -> bool {
        let cut = |at: usize| self.at(at).map_or(0.0, |read| read.reading.cut);
        let here = cut(index);
        here > self.thresholds.cut
            && self.open_for >= SHORTEST_SHOT
            && (1..=2).all(|on| cut(index + on) <= here)
            && (1..=2).all(|back| index < back || cut(index - back) < here)
            // A gradual transition that begins here is one transition.
            && !(1..=2).any(|on| self.gradual(index + on))
    }
}

/// The label of a frame that is as one with the label `before` was.
fn continued(before: Option<Label>) -> Label {
    match before {
        None | Some(Label::Transition) => Label::Transition,
        Some(Label::Opens(_) | Label::Content) => Label::Content,
    }
}

/// What the network says of a frame.
fn reading(network: &TransitionNetwork, settings: &ShotSettings, signature: &Signature, evidence: &Evidence) -> Read {
    let histogram = signature.histogram();
    Read {
        reading: network.run(evidence),
        black: histogram.mean_luma() <= settings.black_luma && histogram.bright_share() <= settings.black_bright_share,
        mean: signature.mean(),
    }
}

impl ShotDetector for EvidenceDetector {
    type Error = Infallible;

    fn push(&mut self, frame: &Frame<'_>, mut verdict: impl FnMut(Verdict)) -> Result<(), Infallible> {
        let time = frame.time();
        let gap = self.newest.is_some_and(|newest| time.since(newest).as_secs_f64() > self.settings.gap_s);
        if gap {
            // What was shown in a pause is not known, so nothing is compared across it.
            self.flush(&mut verdict);
        }
        self.newest = Some(time);
        let EvidenceDetector { evidence, read, network, settings, .. } = self;
        let pushed = evidence.push(frame, |signature, evidence| {
            let _ = read.push_back(reading(network, settings, signature, evidence));
        });
        // Cannot be full: a frame has its verdict at the latest when this many have been seen after it.
        let _ = self.waiting.push_back(Waiting { time, after_gap: gap, pushed });
        while self.decided < self.read.len() {
            let ahead = self.read.len() - 1 - self.decided;
            let waited = self.waiting.front().map_or(0.0, |front| time.since(front.time).as_secs_f64());
            if ahead < AHEAD && waited < evidence::AHEAD_S + AHEAD_S {
                break;
            }
            self.decide(&mut verdict);
        }
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

    /// A network that was not trained: it sees a cut where the picture is far brighter or darker than the one before, and nothing gradual.
    fn network() -> TransitionNetwork {
        let mut weights = vec![0.0; WEIGHTS];
        // Of the frame and the one before it, the eighth and ninth of sixteen, the difference of luma: a root, so 0.4 is 10 of 255.
        let luma = 5 * (0..8).map(|earlier| 15 - earlier).sum::<usize>();
        weights[luma * FIRST] = 1.0;
        let second = NUMBERS * FIRST + FIRST;
        weights[second] = 1.0;
        let output = second + FIRST * SECOND + SECOND;
        weights[output] = 50.0;
        weights[output + SECOND * OUTPUTS] = -20.0;
        weights[output + SECOND * OUTPUTS + 1] = -20.0;
        TransitionNetwork::read(&TransitionNetwork::encode(&[weights]).expect("as many as there are")).expect("good ones")
    }

    /// What is said of grey frames at these times.
    fn verdicts(frames: impl IntoIterator<Item = (u8, Timestamp)>) -> Vec<Label> {
        let mut detector = EvidenceDetector::new(network(), ShotSettings::default(), Thresholds::default());
        let (mut labels, mut times, mut told) = (Vec::new(), Vec::new(), Vec::new());
        let mut keep = |verdict: Verdict| {
            labels.push(verdict.label);
            told.push(verdict.time);
        };
        for (grey, time) in frames {
            let data = [grey; 64];
            let frame = Frame::new(Pixels::Grey(Plane { data: &data, stride: 8 }), 8, 8, time).expect("a good frame");
            let Ok(()) = detector.push(&frame, &mut keep);
            times.push(time);
        }
        let Ok(()) = detector.finish(keep);
        assert_eq!(told, times, "one verdict a frame, in order");
        labels
    }

    fn at(fps: u64, greys: impl IntoIterator<Item = u8>) -> Vec<Label> {
        verdicts(greys.into_iter().enumerate().map(|(k, grey)| (grey, Timestamp::from_ticks(k as i64, fps))))
    }

    fn openings(labels: &[Label]) -> Vec<(usize, ShotKind)> {
        let opening =
            |(at, label): (usize, &Label)| if let Label::Opens(kind) = label { Some((at, *kind)) } else { None };
        labels.iter().enumerate().filter_map(opening).collect()
    }

    fn run(grey: u8, length: usize) -> impl Iterator<Item = u8> {
        std::iter::repeat_n(grey, length)
    }

    #[test]
    fn a_cut_is_exact_at_any_rate_and_wherever_it_falls_among_frames_that_are_passed_over() {
        for fps in [2, 24, 30, 50, 60, 120, 240, 1000] {
            for cut in 40..56 {
                let labels = at(fps, run(100, cut).chain(run(180, 50)));
                assert_eq!(openings(&labels), [(0, ShotKind::Start), (cut, ShotKind::Cut)], "at {fps} fps");
            }
        }
    }

    #[test]
    fn black_is_of_no_shot_and_what_comes_after_it_is_one() {
        for fps in [24, 60] {
            let labels = at(fps, run(150, 20).chain(run(16, 20)).chain(run(90, 21)));
            assert_eq!(openings(&labels), [(0, ShotKind::Start), (40, ShotKind::Black)], "at {fps} fps");
            assert!((20..40).all(|at| labels[at] == Label::Transition) && labels[19] == Label::Content, "{labels:?}");
            assert!(labels[41..].iter().all(|&label| label == Label::Content));
        }
    }

    #[test]
    fn two_frames_between_black_are_no_shot() {
        let labels = at(24, run(16, 20).chain(run(90, 2)).chain(run(16, 10)).chain(run(90, 5)).chain(run(16, 9)));
        assert_eq!(openings(&labels), [(32, ShotKind::Black)]);
        assert_eq!(labels.iter().filter(|&&label| label != Label::Transition).count(), 5);
    }

    #[test]
    fn a_pause_of_the_stream_ends_the_shot() {
        let labels = verdicts([0, 1, 2, 13, 14].map(|seconds| (90, Timestamp::from_millis(1000 * seconds))));
        assert_eq!(openings(&labels), [(0, ShotKind::Start), (3, ShotKind::Gap)]);
    }
}
