//! The evidence on a frame: numbers from the frames around it that say whether it begins a shot or is part of a gradual transition.
//!
//! A cut shows in how alike the frames on either side are among themselves, and how unlike across; a dissolve in distances that grow evenly; a flash in
//! frames that are alike again after it. All of this is in the distances between every two of some frames before and after the frame.
//!
//! All frames of the window are compared in one area of the picture: the whole of it, or where its borders are wide, what the active areas of all
//! frames share. When that area changes, the frames are looked at again in their thumbnails. On a frame at which narrow borders change there is
//! evidence of the picture inside of them too, so that their change alone is not taken for a cut.

use heapless::Deque;

use super::signature::{DISTANCES, Signature};
use super::still_cut;
use crate::active_area::{ActiveArea, Area};
use crate::frame::{Frame, Timestamp};
use crate::thumbnail::Thumbnail;

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

/// Where in [`AROUND`] the frame in question stands.
pub(super) const OWN: usize = 9;

/// Share of the picture from which borders are compared with it: a third of the videos that the network has learned from
/// have borders of up to a quarter, and it judges them best with these. Where they take more, they are left out.
const LEARNED: f64 = 0.7;

/// Numbers that make the evidence on one frame.
pub const NUMBERS: usize = DISTANCES * PAIRS + 3 * AROUND.len() + 2;

/// The evidence on one frame.
pub type Evidence = [f32; NUMBERS];

/// The distances of the frames at the places `one` and `other` of [`AROUND`], the earlier first.
pub(super) fn change(evidence: &Evidence, one: usize, other: usize) -> [f32; DISTANCES] {
    let before: usize = (0..one).map(|place| AROUND.len() - 1 - place).sum();
    let at = DISTANCES * (before + other - one - 1);
    std::array::from_fn(|kind| evidence[at + kind])
}

/// Standard deviation of luma of the frame at the place `place` of [`AROUND`], 0 to 127.
pub(super) fn spread(evidence: &Evidence, place: usize) -> f32 {
    (2.0 * evidence[DISTANCES * PAIRS + 3 * place + 1]).exp() - 4.0
}

/// Seconds from one frame that is compared to the next.
pub(super) fn interval(evidence: &Evidence) -> f32 {
    evidence[NUMBERS - 2].exp2() / 24.0
}

/// Whether as much was seen after the frame in question as there is evidence of: nearly [`AHEAD_S`], or [`AHEAD`] frames.
pub(super) fn is_seen_ahead(evidence: &Evidence) -> bool {
    let frames = evidence[NUMBERS - 1] * AHEAD as f32;
    f64::from(frames * interval(evidence)) >= 0.9 * AHEAD_S || frames >= AHEAD as f32
}

/// What the window keeps of a frame.
struct Seen {
    time: Timestamp,
    signature: Signature,
    /// Its active area; None where it has no borders.
    area: Option<Area>,
    /// Number of its thumbnail, where there is one.
    thumbnail: Option<usize>,
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

/// What is told of a frame.
#[derive(Clone, Copy)]
pub struct Told<'a> {
    /// Its signature.
    pub signature: &'a Signature,
    /// Its active area; None where it has no borders.
    pub area: Option<Area>,
    /// The evidence on it.
    pub evidence: &'a Evidence,
    /// The same of what is inside the borders of the frames beside it, where these borders differ.
    pub inside: Option<&'a Evidence>,
    /// Whether a still picture begins with it, by a cut from another one.
    pub still_cut: bool,
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
    inside: Box<Evidence>,
    active: ActiveArea,
    /// Size of the frames.
    size: (usize, usize),
    /// The area in which frames are compared; None is the whole picture.
    compared_in: Option<Area>,
    /// Frames that have shown more than that.
    wider: usize,
    /// Of the frames seen, and of one more, which is about to be.
    thumbnails: Vec<Thumbnail>,
    next_thumbnail: usize,
}

impl Default for EvidenceWindow {
    fn default() -> Self {
        EvidenceWindow {
            seen: Box::new(Deque::new()),
            told: 0,
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
    /// Takes the next frame; `tell` gets what there is to tell now of each frame, oldest first.
    pub fn push(&mut self, frame: &Frame<'_>, tell: impl FnMut(Told<'_>)) -> Pushed {
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
        let signature = part.map_or(whole, |part| Signature::of(&part));
        self.take(time, signature, Some(number), tell)
    }

    /// Takes the next frame as its time and signature, without looking for borders.
    pub fn push_signature(&mut self, time: Timestamp, signature: Signature, tell: impl FnMut(Told<'_>)) -> Pushed {
        self.take(time, signature, None, tell)
    }

    /// Whether a frame at `time` is compared with others.
    fn compares(&self, time: Timestamp) -> bool {
        let soon = self.seen.back().is_some_and(|last| time.since(last.time).as_secs_f64() < CLOSEST_S);
        !soon || self.passed_over == PASSED_OVER
    }

    fn take(
        &mut self,
        time: Timestamp,
        signature: Signature,
        thumbnail: Option<usize>,
        mut tell: impl FnMut(Told<'_>),
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
            self.compare(time, signature, thumbnail, &mut tell);
        } else {
            (self.passed, self.passed_over) = (Some(signature), self.passed_over + 1);
        }
        Pushed { compared, change }
    }

    /// Chooses the area in which frames of `size` pixels are compared. Where the picture has grown, the frames seen show it in their
    /// old area alone, so that is kept until all of them have left.
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

    /// Compares the frames seen in the area that holds now.
    fn compare_again(&mut self) {
        let EvidenceWindow { seen, thumbnails, compared_in, size, .. } = self;
        for one in seen.iter_mut() {
            let thumbnail = one.thumbnail.and_then(|number| thumbnails[number].frame(*compared_in, *size));
            if let Some(thumbnail) = thumbnail {
                one.signature = Signature::of(&thumbnail);
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
        tell: &mut impl FnMut(Told<'_>),
    ) {
        let mut distances = [[0.0; DISTANCES]; LAGS];
        for (to, before) in distances.iter_mut().zip(self.seen.iter().rev()) {
            *to = signature.distances(&before.signature);
        }
        if self.seen.is_full() {
            self.seen.pop_front();
            self.told -= 1;
        }
        // Cannot be full: room was made.
        let area = self.active.area();
        let _ = self.seen.push_back(Seen { time, signature, area, thumbnail, distances });
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
    pub fn finish(&mut self, mut tell: impl FnMut(Told<'_>)) {
        while self.told < self.seen.len() {
            self.tell(self.seen.len() - 1, &mut tell);
        }
        self.seen.clear();
        (self.told, self.passed, self.passed_over) = (0, None, 0);
    }

    /// Tells of the next frame, from the frames up to `newest`.
    fn tell(&mut self, newest: usize, tell: &mut impl FnMut(Told<'_>)) {
        let middle = self.told;
        // Where there are none before or after, the first and the last stand for them.
        let places = AROUND.map(|offset| middle.saturating_add_signed(offset).min(newest));
        let inside = self.look_inside(middle, &places);
        let (front, back) = self.seen.as_slices();
        let at = |index: usize| if index < front.len() { &front[index] } else { &back[index - front.len()] };
        // How fast the frames follow each other, and how many were seen after this one.
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
        tell(Told { signature, area: *area, evidence: &self.evidence, inside, still_cut });
        self.told += 1;
    }

    /// The frames at `places` as they are inside the borders of the frames beside `middle`; None where these borders are the same, or
    /// left out already.
    fn look_inside(&self, middle: usize, places: &[usize; AROUND.len()]) -> Option<[Signature; AROUND.len()]> {
        let beside = self.seen.iter().take(middle + 2).skip(middle.saturating_sub(2));
        let mut areas = beside.map(|seen| seen.area);
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
            frame.map_or_else(|| middle.signature.clone(), |frame| Signature::of(&frame))
        }))
    }
}

/// Writes the evidence of frames with these signatures, in the order of [`AROUND`]. `distances` gives those between two of them.
fn fill(
    evidence: &mut Evidence,
    signatures: [&Signature; AROUND.len()],
    distances: impl Fn(usize, usize) -> [f32; DISTANCES],
    pace: [f32; 2],
) {
    let mut numbers = evidence.iter_mut();
    let mut put = |number: f32| {
        if let Some(to) = numbers.next() {
            *to = number;
        }
    };
    for one in 0..signatures.len() {
        for other in one + 1..signatures.len() {
            distances(one, other).into_iter().for_each(&mut put);
        }
    }
    for signature in signatures {
        put((signature.mean() - signatures[OWN].mean()) / 64.0);
        put((signature.spread() + 4.0).ln() / 2.0);
        put(signature.mean() / 255.0);
    }
    pace.into_iter().for_each(put);
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
            let pushed = window.push(&frame, |one| {
                told += 1;
                assert!(one.evidence.iter().all(|number| number.is_finite()));
            });
            assert_eq!(pushed.change > 0.0, at > 0 && fps > 36, "{at}");
            if pushed.compared {
                compared.push(at);
            }
        }
        window.finish(|_| told += 1);
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
