//! The evidence on a frame: numbers from the frames around it that say whether it begins a shot or is part of a gradual transition.
//!
//! A cut shows in how alike the frames on either side are among themselves, and how unlike across; a dissolve in distances that grow evenly; a flash in
//! frames that are alike again after it. All of this is in the distances between every two of some frames before and after the frame.

use heapless::Deque;

use super::signature::{DISTANCES, Signature};
use crate::frame::Timestamp;

/// Frames that are compared, counted from the frame in question.
const AROUND: [isize; 16] = [-24, -16, -11, -7, -5, -4, -3, -2, -1, 0, 1, 2, 3, 4, 6, 8];

/// Seconds from one frame that is compared to the next, at least: what comes sooner is passed over, so that the frames around one
/// span about as much time at any rate.
const CLOSEST_S: f64 = 1.0 / 36.0;
/// Frames that are passed over in a row, at most.
pub(super) const PASSED_OVER: usize = 15;

/// Most frames seen after a frame before there is evidence on it.
pub const AHEAD: usize = 8;
/// Most seconds of it; where frames are further apart, the first that comes later is the last that is seen.
pub(super) const AHEAD_S: f64 = 1.0 / 3.0;
/// Frames before it that are kept.
const BEHIND: usize = 24;
/// Furthest apart of two frames that are compared.
const LAGS: usize = BEHIND + AHEAD;
const WINDOW: usize = BEHIND + AHEAD + 2;

const PAIRS: usize = AROUND.len() * (AROUND.len() - 1) / 2;

/// Numbers that make the evidence on one frame.
pub const NUMBERS: usize = DISTANCES * PAIRS + 3 * AROUND.len() + 2;

/// The evidence on one frame.
pub type Evidence = [f32; NUMBERS];

/// What the window keeps of a frame.
struct Seen {
    time: Timestamp,
    signature: Signature,
    /// To the frame before, the one before that, and so on.
    distances: [[f32; DISTANCES]; LAGS],
}

/// What became of a frame.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Pushed {
    /// Whether it is compared with others, so that there will be evidence on it.
    pub compared: bool,
    /// How unlike the frame before it is; 0 where neither was passed over, so that nobody asks between which two something began.
    pub change: f32,
}

/// The newest frames of a stream and what they say of the frame in their midst. Allocates nothing once it is made.
pub struct EvidenceWindow {
    /// Oldest first; the first `told` have been told of.
    seen: Box<Deque<Seen, WINDOW>>,
    told: usize,
    /// Of the newest frame if it was passed over, and how many were up to it.
    passed: Option<Signature>,
    passed_over: usize,
    /// Where an evidence is put together.
    evidence: Box<Evidence>,
}

impl Default for EvidenceWindow {
    fn default() -> Self {
        EvidenceWindow {
            seen: Box::new(Deque::new()),
            told: 0,
            passed: None,
            passed_over: 0,
            evidence: Box::new([0.0; NUMBERS]),
        }
    }
}

impl EvidenceWindow {
    /// Takes the next frame's time and signature; `tell` gets the signature of and the evidence on each frame on which there is some now, oldest first.
    pub fn push_signature(
        &mut self,
        time: Timestamp,
        signature: Signature,
        mut tell: impl FnMut(&Signature, &Evidence),
    ) -> Pushed {
        let last = self.seen.back();
        let soon = last.is_some_and(|last| time.since(last.time).as_secs_f64() < CLOSEST_S);
        let compared = !soon || self.passed_over == PASSED_OVER;
        let before = self.passed.as_ref().or(last.filter(|_| !compared).map(|last| &last.signature));
        let change = before.map_or(0.0, |before| {
            let [luma, _, histogram, ..] = signature.distances(before);
            luma + histogram
        });
        if compared {
            (self.passed, self.passed_over) = (None, 0);
            self.compare(time, signature, &mut tell);
        } else {
            (self.passed, self.passed_over) = (Some(signature), self.passed_over + 1);
        }
        Pushed { compared, change }
    }

    fn compare(&mut self, time: Timestamp, signature: Signature, tell: &mut impl FnMut(&Signature, &Evidence)) {
        let mut distances = [[0.0; DISTANCES]; LAGS];
        for (to, before) in distances.iter_mut().zip(self.seen.iter().rev()) {
            *to = signature.distances(&before.signature);
        }
        if self.seen.is_full() {
            self.seen.pop_front();
            self.told -= 1;
        }
        // Cannot be full: room was made.
        let _ = self.seen.push_back(Seen { time, signature, distances });
        while self.told < self.seen.len() {
            let newest = self.seen.len() - 1;
            let Some(oldest) = self.seen.iter().nth(self.told) else { break };
            let waited = time.since(oldest.time).as_secs_f64();
            if waited < AHEAD_S && newest - self.told < AHEAD {
                break;
            }
            self.tell(newest, tell);
        }
    }

    /// Tells of the frames that are left and forgets all: the stream ends, or what comes next is not to be compared with it.
    pub fn finish(&mut self, mut tell: impl FnMut(&Signature, &Evidence)) {
        while self.told < self.seen.len() {
            self.tell(self.seen.len() - 1, &mut tell);
        }
        self.seen.clear();
        (self.told, self.passed, self.passed_over) = (0, None, 0);
    }

    /// Tells of the next frame, from the frames up to `newest`.
    fn tell(&mut self, newest: usize, tell: &mut impl FnMut(&Signature, &Evidence)) {
        let middle = self.told;
        // Where there are none before or after, the first and the last stand for them.
        let places = AROUND.map(|offset| middle.saturating_add_signed(offset).min(newest));
        let (front, back) = self.seen.as_slices();
        let at = |index: usize| if index < front.len() { &front[index] } else { &back[index - front.len()] };
        let mut numbers = self.evidence.iter_mut();
        let mut put = |number: f32| {
            if let Some(to) = numbers.next() {
                *to = number;
            }
        };
        for (k, &earlier) in places.iter().enumerate() {
            for &later in &places[k + 1..] {
                let distances =
                    if later > earlier { at(later).distances[later - earlier - 1] } else { [0.0; DISTANCES] };
                distances.into_iter().for_each(&mut put);
            }
        }
        let middle = at(middle);
        for &place in &places {
            let signature = &at(place).signature;
            put((signature.mean() - middle.signature.mean()) / 64.0);
            put((signature.spread() + 4.0).ln() / 2.0);
            put(signature.mean() / 255.0);
        }
        // How fast the frames follow each other, and how many were seen after this one.
        let first = at(0);
        let steps = newest.max(1) as f64;
        let interval = (at(newest).time.since(first.time).as_secs_f64() / steps).clamp(1.0 / 240.0, 1.0);
        put((interval * 24.0).log2() as f32);
        put((newest - self.told) as f32 / AHEAD as f32);
        tell(&middle.signature, &self.evidence);
        self.told += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::frame::{Frame, Pixels, Plane};

    /// Of `frames` grey frames at `fps` which are compared, and on how many there is evidence at the end.
    fn compared(frames: usize, fps: u64) -> (Vec<usize>, usize) {
        let (mut window, mut compared, mut told) = (EvidenceWindow::default(), Vec::new(), 0);
        for at in 0..frames {
            let data = [60 + 100 * (at % 2) as u8; 64];
            let pixels = Pixels::Grey(Plane { data: &data, stride: 8 });
            let frame = Frame::new(pixels, 8, 8, Timestamp::from_ticks(at as i64, fps)).expect("a good frame");
            let pushed = window.push_signature(frame.time(), Signature::of(&frame), |_, evidence| {
                told += 1;
                assert!(evidence.iter().all(|number| number.is_finite()));
            });
            assert_eq!(pushed.change > 0.0, at > 0 && fps > 36, "{at}");
            if pushed.compared {
                compared.push(at);
            }
        }
        window.finish(|_, _| told += 1);
        (compared, told)
    }

    #[test]
    fn what_comes_sooner_is_passed_over_and_there_is_evidence_on_the_rest() {
        for (fps, every) in [(1, 1), (24, 1), (30, 1), (50, 2), (60, 2), (120, 4), (240, 7), (10_000, 16)] {
            let (compared, told) = compared(200, fps);
            assert_eq!(compared, (0..200).step_by(every).collect::<Vec<_>>(), "at {fps} fps");
            assert_eq!(told, compared.len(), "at {fps} fps");
        }
    }
}
