//! The evidence on a frame: numbers from the frames around it that show whether it begins a shot or
//! belongs to a gradual transition.
//!
//! At a cut, the frames on either side are similar among themselves and different across it. In a
//! dissolve, distances grow evenly. After a flash, frames are similar again. All of this is in the
//! distances between every two of some frames before and after the frame.
//!
//! All frames of the window are compared in one area of the picture: the whole picture, or the part
//! that the active areas of all frames share if borders are wide. When this area changes, the
//! frames are compared again by their thumbnails. For a frame at which narrow borders change, there
//! is also evidence of the picture inside the borders, so that a change of borders alone is no cut.

use heapless::Deque;

use super::evidence_numbers::{AHEAD_S, AROUND, OWN, fill};
use super::signature::{DISTANCES, Signature};
use super::still_cut;
use crate::active_area::ActiveArea;
use crate::area::Area;
use crate::frame::{Frame, Timestamp};
use crate::thumbnail::Thumbnail;

pub use super::evidence_numbers::{AHEAD, Evidence, NUMBERS};

/// Smallest distance between two compared frames in seconds. Frames in between are skipped, so that
/// the window spans about the same time at any frame rate.
const CLOSEST_S: f64 = 1.0 / 36.0;
/// Largest number of consecutive skipped frames.
pub(super) const PASSED_OVER: usize = 15;

/// Number of earlier frames in memory.
const BEHIND: usize = 24;
/// Largest distance between two compared frames.
const LAGS: usize = BEHIND + AHEAD;
const WINDOW: usize = BEHIND + AHEAD + 2;

/// Share of the picture from which borders are included in comparisons. A third of the training
/// videos have borders of up to a quarter of the picture, and the network is most accurate with
/// them. Larger borders are left out.
const LEARNED: f64 = 0.7;

/// A frame of the window.
struct Seen {
    time: Timestamp,
    signature: Signature,
    /// Its active area, or `None` if it has no borders.
    area: Option<Area>,
    /// Index of its thumbnail, if it has one.
    thumbnail: Option<usize>,
    /// Distances to the previous frame, the one before that, and so on.
    distances: [[f32; DISTANCES]; LAGS],
}

/// What the window did with a frame.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Pushed {
    /// Whether the frame is compared with others, so that there will be evidence on it.
    pub compared: bool,
    /// How different the frame is from the previous one. 0 if no frame was skipped, because then
    /// the number is not needed.
    pub change: f32,
}

/// The result for one frame.
#[derive(Clone, Copy)]
pub struct FrameEvidence<'a> {
    /// Its signature.
    pub signature: &'a Signature,
    /// Its active area, or `None` if it has no borders.
    pub area: Option<Area>,
    /// The evidence on it.
    pub evidence: &'a Evidence,
    /// The evidence on the picture inside the borders of the neighbouring frames, if these borders
    /// differ.
    pub inside: Option<&'a Evidence>,
    /// Whether a still picture begins with it, after a cut from another still picture.
    pub still_cut: bool,
}

/// The newest frames of a stream, which give the evidence on the frame in their middle. Allocates
/// nothing after its construction.
pub struct EvidenceWindow {
    /// Oldest first. The results of the first `emitted` have been passed on.
    seen: Box<Deque<Seen, WINDOW>>,
    emitted: usize,
    /// The signature of the newest frame if it was skipped, and the number of consecutive skipped
    /// frames.
    passed: Option<Signature>,
    passed_over: usize,
    /// Buffer in which evidence is computed.
    evidence: Box<Evidence>,
    inside: Box<Evidence>,
    active: ActiveArea,
    /// Size of the frames.
    size: (usize, usize),
    /// The area in which frames are compared. `None` is the whole picture.
    compared_in: Option<Area>,
    /// Number of frames that showed more than this area.
    wider: usize,
    /// Thumbnails of the frames in the window and of the next frame.
    thumbnails: Vec<Thumbnail>,
    next_thumbnail: usize,
}

impl Default for EvidenceWindow {
    fn default() -> Self {
        EvidenceWindow {
            seen: Box::new(Deque::new()),
            emitted: 0,
            passed: None,
            passed_over: 0,
            evidence: Box::new([0.0; NUMBERS]),
            inside: Box::new([0.0; NUMBERS]),
            active: ActiveArea::default(),
            size: (0, 0),
            compared_in: None,
            wider: 0,
            thumbnails: vec![Thumbnail::EMPTY; WINDOW + 1],
            next_thumbnail: 0,
        }
    }
}

impl EvidenceWindow {
    /// Adds the next frame and passes the results that are ready to `emit`, oldest first.
    pub fn push(&mut self, frame: &Frame<'_>, emit: impl FnMut(FrameEvidence<'_>)) -> Pushed {
        let time = frame.time();
        let number = self.next_thumbnail;
        let whole = Signature::with_thumbnail(frame, &mut self.thumbnails[number]);
        let size = (frame.width(), frame.height());
        if self.compares(time) {
            self.next_thumbnail = (number + 1) % self.thumbnails.len();
            if let Some(frames) = self.active.observe(frame, &self.thumbnails[number].luma) {
                let area = self.active.area();
                self.seen.iter_mut().rev().take(frames - 1).for_each(|seen| seen.area = area);
            }
            self.settle_area(size);
        }
        let part = self.compared_in.and_then(|area| self.thumbnails[number].frame(Some(area), self.size));
        let signature = part.map_or(whole, |part| Signature::from_frame(&part));
        self.take(time, signature, Some(number), emit)
    }

    /// Adds the next frame by its time and signature, without looking for borders.
    pub fn push_signature(
        &mut self,
        time: Timestamp,
        signature: Signature,
        emit: impl FnMut(FrameEvidence<'_>),
    ) -> Pushed {
        self.take(time, signature, None, emit)
    }

    /// Returns whether a frame at `time` is compared with others.
    fn compares(&self, time: Timestamp) -> bool {
        let soon = self.seen.back().is_some_and(|last| time.since(last.time).as_secs_f64() < CLOSEST_S);
        !soon || self.passed_over == PASSED_OVER
    }

    fn take(
        &mut self,
        time: Timestamp,
        signature: Signature,
        thumbnail: Option<usize>,
        mut emit: impl FnMut(FrameEvidence<'_>),
    ) -> Pushed {
        let compared = self.compares(time);
        let last = self.seen.back().filter(|_| !compared).map(|last| &last.signature);
        let before = self.passed.as_ref().or(last);
        let change = before.map_or(0.0, |before| {
            let [luma, _, histogram, ..] = signature.distances(before);
            luma + histogram
        });
        if compared {
            (self.passed, self.passed_over) = (None, 0);
            self.compare(time, signature, thumbnail, &mut emit);
        } else {
            (self.passed, self.passed_over) = (Some(signature), self.passed_over + 1);
        }
        Pushed { compared, change }
    }

    /// Chooses the area in which frames of `size` pixels are compared. If the picture has grown,
    /// the frames in the window show only the old area, so the old area stays until all of them
    /// have left.
    fn settle_area(&mut self, size: (usize, usize)) {
        let pixels = |(width, height): (usize, usize)| (width * height) as f64;
        let wanted = self.active.area().filter(|area| pixels((area.width, area.height)) < LEARNED * pixels(size));
        let common = match (self.compared_in, wanted) {
            (Some(one), Some(other)) => one.common(other),
            (one, other) => one.or(other),
        };
        let (width, height) = wanted.map_or(size, |area| (area.width, area.height));
        let enough = common.is_none_or(|common| 4 * common.width >= width && 4 * common.height >= height);
        let keep = size == self.size && enough && self.wider < WINDOW && !self.seen.is_empty();
        let next = if keep { common } else { wanted };
        self.wider = if next == wanted { 0 } else { self.wider + 1 };
        self.size = size;
        if next != self.compared_in {
            self.compared_in = next;
            self.compare_again();
        }
    }

    /// Compares the frames of the window again in the current area.
    fn compare_again(&mut self) {
        let EvidenceWindow { seen, thumbnails, compared_in, size, .. } = self;
        for one in seen.iter_mut() {
            let thumbnail = one.thumbnail.and_then(|number| thumbnails[number].frame(*compared_in, *size));
            if let Some(thumbnail) = thumbnail {
                one.signature = Signature::from_frame(&thumbnail);
            }
        }
        for newer in 0..seen.len() {
            let mut distances = [[0.0; DISTANCES]; LAGS];
            let mut back = seen.iter().take(newer + 1).rev().map(|one| &one.signature);
            if let Some(signature) = back.next() {
                distances.iter_mut().zip(back).for_each(|(to, before)| *to = signature.distances(before));
            }
            if let Some(one) = seen.iter_mut().nth(newer) {
                one.distances = distances;
            }
        }
        self.passed = None;
    }

    fn compare(
        &mut self,
        time: Timestamp,
        signature: Signature,
        thumbnail: Option<usize>,
        emit: &mut impl FnMut(FrameEvidence<'_>),
    ) {
        let mut distances = [[0.0; DISTANCES]; LAGS];
        for (to, before) in distances.iter_mut().zip(self.seen.iter().rev()) {
            *to = signature.distances(&before.signature);
        }
        if self.seen.is_full() {
            self.seen.pop_front();
            self.emitted -= 1;
        }
        // Never full: a place was made free.
        let area = self.active.area();
        let _ = self.seen.push_back(Seen { time, signature, area, thumbnail, distances });
        while self.emitted < self.seen.len() {
            let newest = self.seen.len() - 1;
            let Some(oldest) = self.seen.iter().nth(self.emitted) else { break };
            let waited = time.since(oldest.time).as_secs_f64();
            if waited < AHEAD_S && newest - self.emitted < AHEAD {
                break;
            }
            self.emit(newest, emit);
        }
    }

    /// Passes on the remaining results and forgets all frames. The stream ends, or the next frame
    /// must not be compared with them.
    pub fn finish(&mut self, mut emit: impl FnMut(FrameEvidence<'_>)) {
        while self.emitted < self.seen.len() {
            self.emit(self.seen.len() - 1, &mut emit);
        }
        self.seen.clear();
        (self.emitted, self.passed, self.passed_over) = (0, None, 0);
    }

    /// Passes on the next result, from the frames up to `newest`.
    fn emit(&mut self, newest: usize, emit: &mut impl FnMut(FrameEvidence<'_>)) {
        let middle = self.emitted;
        // The first and the last frame stand for missing ones.
        let places = AROUND.map(|offset| middle.saturating_add_signed(offset).min(newest));
        let inside = self.look_inside(middle, &places);
        let (front, back) = self.seen.as_slices();
        let at = |index: usize| if index < front.len() { &front[index] } else { &back[index - front.len()] };
        // The frame rate, and the number of later frames.
        let steps = newest.max(1) as f64;
        let interval = (at(newest).time.since(at(0).time).as_secs_f64() / steps).clamp(1.0 / 240.0, 1.0);
        let pace = [(interval * 24.0).log2() as f32, (newest - middle) as f32 / AHEAD as f32];
        let signatures = places.map(|place| &at(place).signature);
        let distances = |one: usize, other: usize| match places[other] - places[one] {
            0 => [0.0; DISTANCES],
            apart => at(places[other]).distances[apart - 1],
        };
        fill(&mut self.evidence, signatures, distances, pace);
        let still_cut = still_cut::begins(&self.evidence) && {
            let frame = |place: usize| self.thumbnails[at(places[place]).thumbnail?].frame(self.compared_in, self.size);
            match (frame(OWN - 1), frame(OWN)) {
                (Some(before), Some(own)) => still_cut::shows_another(&self.evidence, &before, &own),
                _ => false,
            }
        };
        let inside = inside.map(|signatures| {
            let signatures = signatures.each_ref();
            let distances = |one: usize, other: usize| match places[other] - places[one] {
                0 => [0.0; DISTANCES],
                _ => signatures[other].distances(signatures[one]),
            };
            fill(&mut self.inside, signatures, distances, pace);
            &*self.inside
        });
        let Seen { signature, area, .. } = at(middle);
        emit(FrameEvidence { signature, area: *area, evidence: &self.evidence, inside, still_cut });
        self.emitted += 1;
    }

    /// Returns the frames at `places` inside the borders of the neighbours of `middle`, or `None`
    /// if these borders are equal or already left out.
    fn look_inside(&self, middle: usize, places: &[usize; AROUND.len()]) -> Option<[Signature; AROUND.len()]> {
        let neighbours = self.seen.iter().take(middle + 2).skip(middle.saturating_sub(2));
        let mut areas = neighbours.map(|seen| seen.area);
        let first = areas.next()?;
        let (mut common, mut differ) = (first, false);
        for area in areas {
            differ |= area != first;
            common = match (common, area) {
                (Some(one), Some(other)) => Some(one.common(other)?),
                (one, other) => one.or(other),
            };
        }
        if !differ || self.compared_in.is_some() {
            return None;
        }
        let seen = |place: usize| self.seen.iter().nth(place);
        let middle = seen(middle)?;
        Some(places.map(|place| {
            let number = seen(place).and_then(|seen| seen.thumbnail);
            let frame = number.and_then(|number| self.thumbnails[number].frame(common, self.size));
            frame.map_or_else(|| middle.signature.clone(), |frame| Signature::from_frame(&frame))
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::frame::{Frame, Pixels, Plane};

    /// Returns which of `frames` grey frames at `fps` are compared, and on how many there is
    /// evidence at the end.
    fn compared(frames: usize, fps: u64) -> (Vec<usize>, usize) {
        let (mut window, mut compared, mut emitted) = (EvidenceWindow::default(), Vec::new(), 0);
        for at in 0..frames {
            let data = [60 + 100 * (at % 2) as u8; 64];
            let pixels = Pixels::Grey(Plane { data: &data, stride: 8 });
            let frame = Frame::new(pixels, 8, 8, Timestamp::from_ticks(at as i64, fps)).expect("a good frame");
            let pushed = window.push(&frame, |one| {
                emitted += 1;
                assert!(one.evidence.iter().all(|number| number.is_finite()));
            });
            assert_eq!(pushed.change > 0.0, at > 0 && fps > 36, "{at}");
            if pushed.compared {
                compared.push(at);
            }
        }
        window.finish(|_| emitted += 1);
        (compared, emitted)
    }

    #[test]
    fn frames_in_quick_succession_are_skipped_and_the_rest_has_evidence() {
        for (fps, every) in [(1, 1), (24, 1), (30, 1), (50, 2), (60, 2), (120, 4), (240, 7), (10_000, 16)] {
            let (compared, emitted) = compared(200, fps);
            assert_eq!(compared, (0..200).step_by(every).collect::<Vec<_>>(), "at {fps} fps");
            assert_eq!(emitted, compared.len(), "at {fps} fps");
        }
    }
}
