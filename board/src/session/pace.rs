//! The pace of a live input: its working rate and the pictures that are decoded follow the load of
//! the board.

use std::time::{Duration, Instant};

use divita_runtime::BackbonePool;
use divita_runtime::pipeline::Pipeline;
use divita_video::DecodedPictures;
use divita_video::session::Progress;

use super::ladder::{Ladder, Load, Move, Reason, paper_muap};
use crate::event::InputEvent;
use crate::thermal;

/// The rung of a live input, decided anew after each clip.
pub struct Pace {
    ladder: Ladder,
    ignored_zones: &'static [String],
    started: Instant,
    clips: usize,
    /// Threads that run the networks.
    pool: Option<BackbonePool>,
    before: Before,
}

/// The counters at the clip before.
#[derive(Default)]
struct Before {
    /// Time since the start.
    at: Duration,
    progress: Progress,
    /// Time that the threads of the pool had spent on clips.
    busy: Duration,
    dropped_clips: u64,
}

impl Pace {
    /// Starts at the first rate of `ladder`. The temperature of `ignored_zones` does not count.
    /// `pool` has the threads that run the networks.
    pub fn new(ladder: Ladder, ignored_zones: &'static [String], pool: Option<BackbonePool>) -> Self {
        let before = Before { busy: pool.as_ref().map(BackbonePool::busy).unwrap_or_default(), ..Before::default() };
        Pace { ladder, ignored_zones, started: Instant::now(), clips: 0, pool, before }
    }

    /// Returns the current step of the ladder.
    pub fn ladder(&self) -> &Ladder {
        &self.ladder
    }

    /// Returns the step that follows from the load since the clip before, once a clip is complete.
    pub fn step(&mut self, pipeline: &Pipeline, progress: Progress) -> Option<Move> {
        let clips = pipeline.clips();
        if clips == self.clips {
            return None;
        }
        let now = self.started.elapsed();
        let Before { at, progress: counters, busy: pool_busy, dropped_clips } = self.before;
        let since = (now - at).as_secs_f64().max(1e-9);
        let waited = (progress.waited - counters.waited).as_secs_f64();
        let (busy, threads) = self.pool.as_ref().map_or((Duration::ZERO, 1), |pool| (pool.busy(), pool.threads()));
        let networks = (busy - pool_busy).as_secs_f64() / threads as f64;
        let load = Load {
            // A clip counts as a whole when it ends, which may be in a short interval.
            busy: (1.0 - waited / since).max(networks / since).min(1.0),
            dropped: progress.dropped - counters.dropped + pipeline.dropped_clips() - dropped_clips,
            degrees_left: thermal::degrees_left(self.ignored_zones),
        };
        self.clips = clips;
        self.before = Before { at: now, progress, busy, dropped_clips: pipeline.dropped_clips() };
        // A step waits for the end of a clip: the load until then says nothing about the new rate.
        (pipeline.rate() == self.ladder.rate()).then(|| self.ladder.clip(now, load)).flatten()
    }
}

/// Returns the event of a step at the time `at_s`.
pub(super) fn step_event(at_s: f64, step: Move) -> InputEvent {
    let Move { from, to, reason } = step;
    let why = match reason {
        Reason::Behind => "the board falls behind",
        Reason::Hot => "the board is near its temperature limit",
        Reason::Room => "the board has had room for a while",
    };
    let reason = reason.to_string();
    if from.decode != to.decode {
        let decode = match to.decode {
            DecodedPictures::All => "all pictures are decoded again",
            _ => "pictures that no other needs are not decoded, and a cut may be found a picture late",
        };
        let message = format!("{why}: {decode}");
        return InputEvent::Decode { at_s, decode: to.decode, from_decode: from.decode, reason, message };
    }
    let (from, to) = (from.rate, to.rate);
    let message = format!(
        "{why}: {} frames a second instead of {}, of which the paper says {:.1} muAP instead of {:.1} (Swin-3D, Table 7)",
        to.fps(),
        from.fps(),
        paper_muap(to),
        paper_muap(from)
    );
    InputEvent::Rate { at_s, fps: to, from_fps: from, reason, message }
}
