//! The tracker: turns verdicts on frames into shots with start and end.

use std::collections::VecDeque;

use super::{Label, Shot, Verdict};
use crate::frame::{Timestamp, Undecoded};

/// Duration of a picture if no distance between frames is known: 1/25 s.
const USUAL_STEP: Timestamp = Timestamp::from_millis(40);

/// Follows the verdicts of one stream and returns shots that end.
#[derive(Debug, Default)]
pub struct ShotTracker {
    open: Option<Shot>,
    shots: usize,
    /// Frames so far, and those that were decoded.
    frames: u64,
    decoded: u64,
    /// Times of the frames without a verdict before which pictures were not decoded, and those
    /// pictures; the oldest first.
    undecoded: VecDeque<(Timestamp, Undecoded)>,
    last: Timestamp,
    /// Latest distance between two pictures without a pause: the duration of the last frame.
    step: Option<Timestamp>,
    /// Duration of the last frame, if its source states it.
    stated: Option<Timestamp>,
}

impl ShotTracker {
    /// Processes the next verdict and returns the shot that it ends, if any. Afterwards
    /// [`ShotTracker::open`] is the shot of the frame.
    pub fn push(&mut self, verdict: Verdict) -> Option<Shot> {
        let undecoded =
            self.undecoded.pop_front_if(|(before, _)| *before <= verdict.time).map(|(_, pictures)| pictures);
        let pictures = undecoded.map_or(0, |undecoded| undecoded.pictures);
        // Pictures of a pause belong to no shot.
        self.count(pictures, !verdict.after_gap);
        let closed = match verdict.label {
            Label::Content => None,
            _ if verdict.after_gap => self.close(self.end()),
            Label::Opens(_) | Label::Transition => self.close(verdict.time),
        };
        if let Label::Opens(kind) = verdict.label {
            let (index, start) = (self.shots, verdict.time);
            self.open = Some(Shot {
                index,
                kind,
                start,
                earliest_start: undecoded.map(|undecoded| undecoded.from),
                end: start,
                first_frame: self.frames,
                frames: 0,
                active: None,
            });
            self.shots += 1;
        }
        if let Some(open) = &mut self.open {
            open.frames += 1;
            open.active = verdict.area;
        }
        // The content of a pause is unknown, so a pause does not show how long a picture lasts.
        if self.decoded > 0 && !verdict.after_gap {
            let steps = i64::try_from(pictures).unwrap_or(i64::MAX).saturating_add(1);
            self.step = Some(Timestamp::from_nanos(verdict.time.since(self.last).as_nanos() / steps));
        }
        self.last = verdict.time;
        (self.frames, self.decoded) = (self.frames + 1, self.decoded + 1);
        closed
    }

    /// States the pictures that were not decoded before the frame at `before`, whose verdict has
    /// not come, or at the end of the stream.
    pub fn state_undecoded(&mut self, before: Timestamp, undecoded: Undecoded) {
        self.undecoded.push_back((before, undecoded));
    }

    /// Returns the open shot. Its `end` is not known yet.
    pub fn open(&self) -> Option<&Shot> {
        self.open.as_ref()
    }

    /// Sets the duration of the stream's last frame, before [`ShotTracker::finish`].
    pub fn state_last_duration(&mut self, duration: Timestamp) {
        self.stated = Some(duration);
    }

    /// Ends the stream and returns the last shot, if one was open.
    pub fn finish(&mut self) -> Option<Shot> {
        while let Some((_, undecoded)) = self.undecoded.pop_front() {
            self.count(undecoded.pictures, true);
        }
        self.close(self.end())
    }

    /// Returns the time at which the last frame ends. Its duration is the one that its source
    /// states, or the latest distance without a pause. So a shot never ends after the start of the
    /// next one.
    pub fn end(&self) -> Timestamp {
        match self.decoded {
            0 => self.last,
            _ => self.last.plus(self.stated.unwrap_or(self.step())),
        }
    }

    /// Returns the number of frames. Pictures that were not decoded count.
    pub fn frames(&self) -> u64 {
        self.frames
    }

    /// Returns the duration of a picture.
    pub(crate) fn step(&self) -> Timestamp {
        self.step.unwrap_or(USUAL_STEP)
    }

    /// Counts pictures that were not decoded, also for the open shot if they belong to it.
    fn count(&mut self, pictures: u64, are_of_shot: bool) {
        self.frames += pictures;
        if let Some(open) = self.open.as_mut().filter(|_| are_of_shot) {
            open.frames += pictures;
        }
    }

    fn close(&mut self, end: Timestamp) -> Option<Shot> {
        self.open.take().map(|shot| Shot { end, ..shot })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::shots::ShotKind;

    fn at(frame: i64) -> Timestamp {
        Timestamp::from_millis(40 * frame)
    }

    fn verdict(frame: i64, label: Label) -> Verdict {
        Verdict { time: at(frame), label, after_gap: false, area: None }
    }

    /// Pictures `from` to `until` that were not decoded.
    fn undecoded(from: i64, until: i64) -> Undecoded {
        Undecoded { from: at(from), until: at(until), pictures: (until - from + 1) as u64 }
    }

    #[test]
    fn frame_numbers_are_those_of_the_stream_whatever_was_decoded() {
        let mut tracker = ShotTracker::default();
        // Of pictures 0 to 11, only 0, 3, 4 and 8 are decoded; a cut is found at 3 and at 8.
        tracker.state_undecoded(at(3), undecoded(1, 2));
        tracker.state_undecoded(at(8), undecoded(5, 7));
        assert_eq!(tracker.push(verdict(0, Label::Opens(ShotKind::Start))), None);
        let first = tracker.push(verdict(3, Label::Opens(ShotKind::Cut))).unwrap();
        assert_eq!((first.first_frame, first.frames, first.earliest_start), (0, 3, None));
        assert_eq!(tracker.push(verdict(4, Label::Content)), None);
        let second = tracker.push(verdict(8, Label::Opens(ShotKind::Cut))).unwrap();
        assert_eq!((second.first_frame, second.frames, second.earliest_start), (3, 5, Some(at(1))));
        assert_eq!(second.end, at(8));
        tracker.state_undecoded(at(11), undecoded(9, 11));
        let third = tracker.finish().unwrap();
        assert_eq!((third.first_frame, third.frames, third.earliest_start), (8, 4, Some(at(5))));
        assert_eq!(tracker.frames(), 12);
        let mut tracker = ShotTracker::default();
        tracker.push(verdict(0, Label::Opens(ShotKind::Start)));
        tracker.state_undecoded(at(100), undecoded(1, 99));
        let before = tracker.push(Verdict { after_gap: true, ..verdict(100, Label::Opens(ShotKind::Gap)) }).unwrap();
        assert_eq!((before.first_frame, before.frames, before.end), (0, 1, at(1)));
        assert_eq!(tracker.finish().map(|shot| (shot.first_frame, shot.frames)), Some((100, 1)));
        // A picture lasts as long as the distance between pictures, not between decoded ones.
        assert_eq!(third.end, at(9));
    }
}
