//! Scores found transitions: matches them one to one with the true ones, within a tolerance.

use serde::{Deserialize, Serialize};

/// From one shot to the next. Frames are counted from 0 as they are decoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Transition {
    /// The last frame that is wholly of the shot before.
    pub last: u64,
    /// The first frame that is wholly of the shot after.
    pub first: u64,
}

/// The two kinds that are counted apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum TransitionKind {
    /// From one frame to the next.
    Cut,
    /// Over frames that belong to neither shot.
    Gradual,
}

impl Transition {
    /// Returns whether frames lie between the shots.
    pub fn kind(self) -> TransitionKind {
        if self.first <= self.last + 1 { TransitionKind::Cut } else { TransitionKind::Gradual }
    }

    /// Returns whether they overlap, `self` widened by `tolerance` frames at either end.
    fn meets(self, other: Transition, tolerance: u64) -> bool {
        // The earliest frame that may be called the first of the new shot is `last + 1`.
        other.last < self.first + tolerance && self.last < other.first + tolerance
    }

    /// Returns the frames between their middles, doubled.
    fn distance(self, other: Transition) -> u64 {
        (self.last + self.first).abs_diff(other.last + other.first)
    }
}

/// Tolerance of a found transition, in frames.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tolerance {
    /// Frames, where the true one is a cut.
    pub cut: u64,
    /// Frames at either end, where it is gradual.
    pub gradual: u64,
}

impl Default for Tolerance {
    /// Returns one frame for a cut, two at either end of a gradual transition.
    fn default() -> Self {
        Tolerance { cut: 1, gradual: 2 }
    }
}

/// Found and true transitions, matched.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Matching {
    /// (true, found), by position in the two lists.
    pub pairs: Vec<(usize, usize)>,
    /// True ones that nothing was found for.
    pub missed: Vec<usize>,
    /// Found ones that are none.
    pub false_alarms: Vec<usize>,
}

/// Matches the transitions that were `found` with the true ones.
pub fn match_transitions(truth: &[Transition], found: &[Transition], tolerance: Tolerance) -> Matching {
    let candidates: Vec<Vec<usize>> = truth
        .iter()
        .map(|&one| {
            let frames = if one.kind() == TransitionKind::Cut { tolerance.cut } else { tolerance.gradual };
            let mut near: Vec<usize> = (0..found.len()).filter(|&at| one.meets(found[at], frames)).collect();
            near.sort_by_key(|&at| one.distance(found[at]));
            near
        })
        .collect();
    let mut owner = vec![None; found.len()];
    for one in 0..truth.len() {
        settle(one, &candidates, &mut owner, &mut vec![false; found.len()]);
    }
    let mut pairs: Vec<(usize, usize)> =
        owner.iter().enumerate().filter_map(|(at, owner)| owner.map(|one| (one, at))).collect();
    pairs.sort_unstable();
    let missed = (0..truth.len()).filter(|one| pairs.iter().all(|pair| pair.0 != *one)).collect();
    let false_alarms = (0..found.len()).filter(|&at| owner[at].is_none()).collect();
    Matching { pairs, missed, false_alarms }
}

/// Finds a partner for `one`, moving others to partners that are as good for them.
fn settle(one: usize, candidates: &[Vec<usize>], owner: &mut [Option<usize>], tried: &mut [bool]) -> bool {
    for &at in &candidates[one] {
        if std::mem::replace(&mut tried[at], true) {
            continue;
        }
        if owner[at].is_none_or(|other| settle(other, candidates, owner, tried)) {
            owner[at] = Some(one);
            return true;
        }
    }
    false
}

/// Counts of one kind of transition: true, found, and false.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    /// True ones.
    pub truth: usize,
    /// True transitions that were found.
    pub found: usize,
    /// False alarms.
    pub false_alarms: usize,
}

impl Counts {
    /// Returns the share of what was found that is true, in [0, 1]; 1 where nothing was found.
    pub fn precision(self) -> f64 {
        share(self.found, self.found + self.false_alarms)
    }

    /// Returns the share of the true ones that were found, in [0, 1]; 1 where there are none.
    pub fn recall(self) -> f64 {
        share(self.found, self.truth)
    }

    /// Returns the harmonic mean of both, in [0, 1].
    pub fn f1(self) -> f64 {
        share(2 * self.found, self.found + self.false_alarms + self.truth)
    }
}

fn share(part: usize, whole: usize) -> f64 {
    if whole == 0 { 1.0 } else { part as f64 / whole as f64 }
}

/// The counts of one or several videos, cuts and gradual transitions apart. A false alarm is of the
/// kind that the detector took it for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Score {
    /// Cuts.
    pub cuts: Counts,
    /// Gradual transitions.
    pub graduals: Counts,
}

impl Score {
    /// Returns the score of one video.
    pub fn of(truth: &[Transition], found: &[Transition], matching: &Matching) -> Self {
        let mut score = Score::default();
        truth.iter().for_each(|one| score.counts(one.kind()).truth += 1);
        matching.pairs.iter().for_each(|&(one, _)| score.counts(truth[one].kind()).found += 1);
        matching.false_alarms.iter().for_each(|&at| score.counts(found[at].kind()).false_alarms += 1);
        score
    }

    /// Returns the counts of both kinds.
    pub fn all(self) -> Counts {
        let (a, b) = (self.cuts, self.graduals);
        Counts { truth: a.truth + b.truth, found: a.found + b.found, false_alarms: a.false_alarms + b.false_alarms }
    }

    /// Adds those of another video.
    pub fn add(&mut self, other: Score) {
        for (to, from) in [(&mut self.cuts, other.cuts), (&mut self.graduals, other.graduals)] {
            to.truth += from.truth;
            to.found += from.found;
            to.false_alarms += from.false_alarms;
        }
    }

    fn counts(&mut self, kind: TransitionKind) -> &mut Counts {
        match kind {
            TransitionKind::Cut => &mut self.cuts,
            TransitionKind::Gradual => &mut self.graduals,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cut(first: u64) -> Transition {
        Transition { last: first - 1, first }
    }

    fn gradual(last: u64, first: u64) -> Transition {
        Transition { last, first }
    }

    fn matched(truth: &[Transition], found: &[Transition], cut: u64, gradual: u64) -> Matching {
        match_transitions(truth, found, Tolerance { cut, gradual })
    }

    #[test]
    fn a_cut_is_found_within_the_tolerance_only() {
        for (tolerance, found) in [(0, [100].as_slice()), (1, &[99, 100, 101]), (2, &[98, 99, 100, 101, 102])] {
            for at in 90..110 {
                let matching = matched(&[cut(100)], &[cut(at)], tolerance, 0);
                assert_eq!(matching.pairs.len() == 1, found.contains(&at), "at {at}, tolerance {tolerance}");
                assert_eq!(matching.missed.len() + matching.pairs.len(), 1);
                assert_eq!(matching.false_alarms.len() + matching.pairs.len(), 1);
            }
        }
    }

    #[test]
    fn a_dissolve_is_found_by_what_falls_into_it() {
        // Frames 50 to 59 are of neither shot, so the new shot may be said to begin from 50 to 60.
        let dissolve = [gradual(49, 60)];
        for (at, hit) in [(47, false), (48, true), (50, true), (55, true), (60, true), (62, true), (63, false)] {
            assert_eq!(matched(&dissolve, &[cut(at)], 0, 2).pairs.len() == 1, hit, "a cut at {at}");
        }
        assert_eq!(matched(&dissolve, &[gradual(40, 52)], 0, 0).pairs, [(0, 0)]);
        assert_eq!(matched(&dissolve, &[gradual(30, 45)], 0, 2).pairs, []);
    }

    #[test]
    fn one_found_transition_answers_for_one_true_one() {
        let matching = matched(&[cut(10), cut(12)], &[cut(11)], 1, 0);
        assert_eq!((matching.pairs.len(), matching.missed.len(), matching.false_alarms.len()), (1, 1, 0));
        let matching = matched(&[gradual(9, 30)], &[cut(12), cut(20), cut(28)], 1, 2);
        assert_eq!((matching.pairs.len(), matching.missed.len(), matching.false_alarms.len()), (1, 0, 2));
    }

    #[test]
    fn as_many_as_can_be_are_paired() {
        // Each would take 11 first; 10 can only have it, 12 can have 13 too.
        let matching = matched(&[cut(12), cut(10)], &[cut(11), cut(13)], 1, 0);
        assert_eq!(matching.pairs, [(0, 1), (1, 0)]);
    }

    #[test]
    fn scores_are_those_of_a_hand_worked_case() {
        let truth = [cut(10), cut(50), cut(90), gradual(120, 140), gradual(200, 230)];
        let found = [cut(11), cut(52), cut(90), cut(130), gradual(300, 310), cut(400)];
        let score = Score::of(&truth, &found, &matched(&truth, &found, 1, 2));
        // 10 by 11 and 90 by 90; 52 is two frames from 50, so it and 400 are false; the cut at 130
        // is in the first dissolve.
        assert_eq!(score.cuts, Counts { truth: 3, found: 2, false_alarms: 2 });
        assert_eq!(score.graduals, Counts { truth: 2, found: 1, false_alarms: 1 });
        assert!((score.cuts.precision() - 0.5).abs() < 1e-12 && (score.cuts.recall() - 2.0 / 3.0).abs() < 1e-12);
        assert!((score.cuts.f1() - 4.0 / 7.0).abs() < 1e-12);
        assert!((score.all().f1() - 6.0 / 11.0).abs() < 1e-12);
    }
}
