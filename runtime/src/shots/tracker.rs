//! The tracker: turns verdicts on frames into shots with start and end.

use super::{Label, Shot, Verdict};
use crate::frame::Timestamp;

/// Duration of a picture if no distance between frames is known: 1/25 s.
const USUAL_STEP: Timestamp = Timestamp::from_millis(40);

/// Follows the verdicts of one stream and returns shots that end.
#[derive(Debug, Default)]
pub struct ShotTracker {
    open: Option<Shot>,
    shots: usize,
    frames: u64,
    last: Timestamp,
    /// Latest distance between two frames without a pause: the duration of the last frame.
    step: Option<Timestamp>,
    /// Duration of the last frame, if its source states it.
    stated: Option<Timestamp>,
}

impl ShotTracker {
    /// Processes the next verdict and returns the shot that it ends, if any. Afterwards
    /// [`ShotTracker::open`] is the shot of the frame.
    pub fn push(&mut self, verdict: Verdict) -> Option<Shot> {
        let closed = match verdict.label {
            Label::Content => None,
            _ if verdict.after_gap => self.close(self.end()),
            Label::Opens(_) | Label::Transition => self.close(verdict.time),
        };
        if let Label::Opens(kind) = verdict.label {
            let (index, start) = (self.shots, verdict.time);
            self.open =
                Some(Shot { index, kind, start, end: start, first_frame: self.frames, frames: 0, active: None });
            self.shots += 1;
        }
        if let Some(open) = &mut self.open {
            open.frames += 1;
            open.active = verdict.area;
        }
        // The content of a pause is unknown, so a pause does not show how long a picture lasts.
        if self.frames > 0 && !verdict.after_gap {
            self.step = Some(verdict.time.since(self.last));
        }
        (self.last, self.frames) = (verdict.time, self.frames + 1);
        closed
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
        self.close(self.end())
    }

    /// Returns the time at which the last frame ends. Its duration is the one that its source
    /// states, or the latest distance without a pause. So a shot never ends after the start of the
    /// next one.
    pub fn end(&self) -> Timestamp {
        match self.frames {
            0 => self.last,
            _ => self.last.plus(self.stated.or(self.step).unwrap_or(USUAL_STEP)),
        }
    }

    /// Returns the number of frames.
    pub fn frames(&self) -> u64 {
        self.frames
    }

    fn close(&mut self, end: Timestamp) -> Option<Shot> {
        self.open.take().map(|shot| Shot { end, ..shot })
    }
}
