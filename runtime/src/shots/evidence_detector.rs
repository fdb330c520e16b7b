//! A shot detector that was trained: it reads the evidence on every frame with a small network, and makes cuts and gradual transitions of it.
//!
//! A frame has its verdict half a second after it was seen. Black frames belong to no shot, as with every detector (paper, section 5).

use std::convert::Infallible;

use heapless::Deque;

use super::evidence::{self, Evidence, EvidenceWindow};
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
    /// Those that did best on the training and validation parts of the corpus.
    fn default() -> Self {
        Thresholds { cut: 0.3, gradual: 0.5 }
    }
}

/// What is kept of a frame that was read.
#[derive(Clone, Copy)]
struct Read {
    reading: Reading,
    black: bool,
    mean: f32,
}

/// The detector.
pub struct EvidenceDetector<'a> {
    network: &'a TransitionNetwork,
    settings: ShotSettings,
    thresholds: Thresholds,
    evidence: EvidenceWindow,
    /// Times of the frames without a verdict, and whether a pause was before them.
    times: Deque<(Timestamp, bool), 64>,
    /// Oldest first; the first `decided` have their verdict.
    read: Deque<Read, WINDOW>,
    decided: usize,
    last: Option<Label>,
    /// Frames since the open shot began.
    open_for: usize,
    newest: Option<Timestamp>,
}

impl<'a> EvidenceDetector<'a> {
    /// A detector at the start of a stream. Of `settings` it takes what is black, and how long a pause ends a shot.
    pub fn new(network: &'a TransitionNetwork, settings: ShotSettings, thresholds: Thresholds) -> Self {
        EvidenceDetector {
            network,
            settings,
            thresholds,
            evidence: EvidenceWindow::default(),
            times: Deque::new(),
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
        self.read.clear();
        self.decided = 0;
    }

    /// The verdict on the oldest frame that has none.
    fn decide(&mut self, verdict: &mut impl FnMut(Verdict)) {
        let Some((time, after_gap)) = self.times.pop_front() else { return };
        let label = self.label(self.decided, after_gap);
        self.open_for = match label {
            Label::Opens(_) => 1,
            Label::Content => self.open_for + 1,
            Label::Transition => 0,
        };
        self.last = Some(label);
        self.decided += 1;
        verdict(Verdict { time, label, after_gap });
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
        let interval = match (self.times.front(), self.times.iter().nth(1)) {
            (Some(one), Some(next)) => next.0.since(one.0).as_secs_f64(),
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

/// What the network says of a frame.
fn reading(network: &TransitionNetwork, settings: &ShotSettings, signature: &Signature, evidence: &Evidence) -> Read {
    let histogram = signature.histogram();
    Read {
        reading: network.run(evidence),
        black: histogram.mean_luma() <= settings.black_luma && histogram.bright_share() <= settings.black_bright_share,
        mean: signature.mean(),
    }
}

impl ShotDetector for EvidenceDetector<'_> {
    type Error = Infallible;

    fn push(&mut self, frame: &Frame<'_>, mut verdict: impl FnMut(Verdict)) -> Result<(), Infallible> {
        let time = frame.time();
        let gap = self.newest.is_some_and(|newest| time.since(newest).as_secs_f64() > self.settings.gap_s);
        if gap {
            // What was shown in a pause is not known, so nothing is compared across it.
            self.flush(&mut verdict);
        }
        self.newest = Some(time);
        // Cannot be full: a frame has its verdict at the latest when this many have been seen after it.
        let _ = self.times.push_back((time, gap));
        let EvidenceDetector { evidence, read, network, settings, .. } = self;
        evidence.push(frame, |signature, evidence| {
            let _ = read.push_back(reading(network, settings, signature, evidence));
        });
        while self.decided < self.read.len() {
            let ahead = self.read.len() - 1 - self.decided;
            let waited = self.times.front().map_or(0.0, |front| time.since(front.0).as_secs_f64());
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
