//! The tracker: verdicts on frames to shots with a beginning and an end.

use super::{Label, Shot, Verdict};
use crate::frame::Timestamp;

/// How long a picture is taken to be shown where no step from one frame to the next is known: a twenty-fifth of a second.
const USUAL_STEP: Timestamp = Timestamp::from_millis(40);

/// Follows the verdicts of one stream and says when a shot closes.
#[derive(Debug, Default)]
pub struct ShotTracker {
    open: Option<Shot>,
    shots: usize,
    frames: u64,
    last: Timestamp,
    /// The last step from one frame to the next that was no pause: how long the last frame is taken to be shown.
    step: Option<Timestamp>,
    /// How long the last frame is shown, where its source says so.
    stated: Option<Timestamp>,
}

impl ShotTracker {
    /// Takes the next verdict; the shot that it closes, if it does. Afterwards [`ShotTracker::open`] says which shot the
    /// frame belongs to.
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
        // Nobody knows what was shown in a pause, so it says nothing of how long a picture lasts.
        if self.frames > 0 && !verdict.after_gap {
            self.step = Some(verdict.time.since(self.last));
        }
        (self.last, self.frames) = (verdict.time, self.frames + 1);
        closed
    }

    /// The shot that is open, its `end` not yet known.
    pub fn open(&self) -> Option<&Shot> {
        self.open.as_ref()
    }

    /// States how long the last frame of the stream is shown, before [`ShotTracker::finish`].
    pub fn state_last_duration(&mut self, duration: Timestamp) {
        self.stated = Some(duration);
    }

    /// Ends the stream; the shot that this closes, if one was open.
    pub fn finish(&mut self) -> Option<Shot> {
        self.close(self.end())
    }

    /// When the last frame is over. It is shown as long as its source states, or for one step: the last one that was no pause.
    /// The end of one shot is so never after the beginning of the next.
    pub fn end(&self) -> Timestamp {
        match self.frames {
            0 => self.last,
            _ => self.last.plus(self.stated.or(self.step).unwrap_or(USUAL_STEP)),
        }
    }

    /// Frames seen.
    pub fn frames(&self) -> u64 {
        self.frames
    }

    fn close(&mut self, end: Timestamp) -> Option<Shot> {
        self.open.take().map(|shot| Shot { end, ..shot })
    }
}
