//! What a service knows of its sources at any moment, for its outputs: HTTP and MQTT.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use anyhow::Result;
use divita_runtime::event::Event;
use divita_runtime::sampler::WorkingRate;
use divita_video::SourceInfo;
use serde::Serialize;

use super::leader::{Leader, Leading};
use super::liveness::Liveness;
use super::observer::{Observer, Source, Status};
use crate::event::{InputEvent, LiveState, SessionEvent};

/// Time without a frame after which a source whose pictures do not stop is called hanging.
const HANGING: Duration = Duration::from_secs(60);

/// What is known of the sources. Clones share it.
#[derive(Clone)]
pub struct Telemetry(Arc<Mutex<State>>);

struct State {
    started: Instant,
    sources: BTreeMap<String, SourceState>,
    leaders: BTreeMap<String, Leader>,
    sessions: BTreeMap<usize, Session>,
    liveness: Liveness,
}

/// An open session.
struct Session {
    source: String,
    /// Counters of the source when the session began, and of the session.
    before: Counters,
    counters: Counters,
}

/// Counters of a source since the service began.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Counters {
    /// Frames processed.
    pub frames: u64,
    /// Frames that a live source gave and the board was too slow for.
    pub dropped_frames: u64,
    /// Frames that damage cost.
    pub lost_frames: u64,
    /// Shots.
    pub shots: u64,
    /// Clips that the networks have seen.
    pub clips: u64,
    /// Clips of a live source that the board was too slow for.
    pub dropped_clips: u64,
    /// Reconnections.
    pub reconnects: u64,
}

/// State of a source's connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Connection {
    /// It is opened, and gave no picture yet.
    Opening,
    /// It gives pictures.
    Connected,
    /// It failed, and is opened again after a pause.
    Waiting,
    /// It has ended.
    Ended,
    /// It failed, and is not opened again.
    Failed,
}

/// What is known of a source.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct SourceState {
    /// Its address, without credentials.
    pub address: String,
    /// State of its connection.
    pub state: Connection,
    /// What it said when it failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// Working rate in frames a second, once a frame was processed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fps: Option<u32>,
    /// Counters since the service began.
    #[serde(flatten)]
    pub counters: Counters,
    /// Latest probabilities, the highest first.
    pub genres: Vec<(String, f32)>,
    /// Leader of the smoothed probabilities.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub leader: Option<Leading>,
}

impl Counters {
    fn plus(self, other: Counters) -> Counters {
        Counters {
            frames: self.frames + other.frames,
            dropped_frames: self.dropped_frames + other.dropped_frames,
            lost_frames: self.lost_frames + other.lost_frames,
            shots: self.shots + other.shots,
            clips: self.clips + other.clips,
            dropped_clips: self.dropped_clips + other.dropped_clips,
            reconnects: self.reconnects + other.reconnects,
        }
    }
}

impl Default for Telemetry {
    fn default() -> Self {
        let state = State {
            started: Instant::now(),
            sources: BTreeMap::new(),
            leaders: BTreeMap::new(),
            sessions: BTreeMap::new(),
            liveness: Liveness::default(),
        };
        Telemetry(Arc::new(Mutex::new(state)))
    }
}

impl Telemetry {
    /// Returns the observer that keeps it up to date.
    #[must_use]
    pub fn observer(&self) -> Box<dyn Observer> {
        Box::new(self.clone())
    }

    /// Returns every source by its name.
    #[must_use]
    pub fn sources(&self) -> BTreeMap<String, SourceState> {
        self.lock().sources.clone()
    }

    /// Returns the names of the sources that hang.
    #[must_use]
    pub fn hanging(&self) -> Vec<String> {
        let state = self.lock();
        let hanging = state.liveness.hanging(state.started.elapsed(), HANGING);
        hanging.filter_map(|number| state.sessions.get(&number)).map(|session| session.source.clone()).collect()
    }

    /// Locks the state. No code panics while it holds the lock.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Returns the state of `source`, which is new if no session of its name was open.
    fn source(&mut self, source: Source<'_>) -> &mut SourceState {
        self.sources.entry(source.name.to_owned()).or_insert_with(|| SourceState {
            address: String::new(),
            state: Connection::Opening,
            message: None,
            fps: None,
            counters: Counters::default(),
            genres: Vec::new(),
            leader: None,
        })
    }

    /// Sets what is known of the connection of `source`.
    fn set(&mut self, source: Source<'_>, connection: Connection, message: Option<String>) {
        let known = self.source(source);
        known.address = source.input.shown().to_owned();
        (known.state, known.message) = (connection, message);
    }

    /// Changes the counters of the session of `source`.
    fn count(&mut self, source: Source<'_>, change: impl FnOnce(&mut Counters)) {
        let Some(session) = self.sessions.get_mut(&source.number) else { return };
        change(&mut session.counters);
        let counters = session.before.plus(session.counters);
        self.source(source).counters = counters;
    }
}

impl Observer for Telemetry {
    fn opened(&mut self, source: Source<'_>, info: &SourceInfo) -> Result<()> {
        let mut state = self.lock();
        let now = state.started.elapsed();
        state.liveness.opening(source.number, now, Duration::ZERO);
        // A file is open when it is opened.
        state.set(source, if info.live { Connection::Opening } else { Connection::Connected }, None);
        let before = state.source(source).counters;
        let session = Session { source: source.name.to_owned(), before, counters: Counters::default() };
        state.sessions.insert(source.number, session);
        Ok(())
    }

    fn event(&mut self, source: Source<'_>, event: &SessionEvent) -> Result<()> {
        let mut state = self.lock();
        match event {
            SessionEvent::Method(Event::Shot { .. }) => state.count(source, |counters| counters.shots += 1),
            SessionEvent::Method(Event::Dropped { .. }) => state.count(source, |counters| counters.dropped_clips += 1),
            SessionEvent::Method(Event::Lost { frames, .. }) => {
                state.count(source, |counters| counters.lost_frames += frames);
            }
            SessionEvent::Method(Event::Clip { .. }) => state.count(source, |counters| counters.clips += 1),
            SessionEvent::Method(Event::Genres { probabilities, .. }) => {
                let ranked = probabilities.ranked();
                let leader = state.leaders.entry(source.name.to_owned()).or_default();
                leader.update(probabilities.iter());
                let leading = leader.leading().cloned();
                let known = state.source(source);
                known.genres = ranked.iter().map(|(label, value)| ((*label).to_owned(), *value)).collect();
                known.leader = leading;
            }
            SessionEvent::Method(Event::Result { frames, .. }) => {
                state.count(source, |counters| counters.frames = *frames);
            }
            SessionEvent::Method(Event::Snippet { .. })
            | SessionEvent::Input(InputEvent::Opened { .. } | InputEvent::Rate { .. } | InputEvent::Decode { .. }) => {}
            SessionEvent::Input(InputEvent::Live { state: live, message, retry_s, reconnects, dropped, .. }) => {
                state.count(source, |counters| {
                    (counters.reconnects, counters.dropped_frames) = (*reconnects, *dropped);
                });
                let now = state.started.elapsed();
                if *live == LiveState::Waiting {
                    let pause = Duration::from_secs_f64(retry_s.unwrap_or(0.0));
                    state.liveness.opening(source.number, now, pause);
                    state.set(source, Connection::Waiting, message.clone());
                } else {
                    state.liveness.connected(source.number, now);
                    state.set(source, Connection::Connected, None);
                }
            }
            SessionEvent::Input(InputEvent::Error { message }) => {
                state.set(source, Connection::Failed, Some(message.clone()));
            }
        }
        Ok(())
    }

    fn status(&mut self, source: Source<'_>, status: Status) {
        let mut state = self.lock();
        match status {
            Status::Processed { frames, dropped, rate, .. } => {
                let now = state.started.elapsed();
                state.liveness.processed(source.number, now);
                state.count(source, |counters| (counters.frames, counters.dropped_frames) = (frames, dropped));
                state.source(source).fps = rate.map(WorkingRate::fps);
            }
            Status::Idle => state.liveness.idle(source.number),
            Status::Stopping => {}
        }
    }

    fn closed(&mut self, source: Source<'_>, succeeded: bool) -> Result<()> {
        let mut state = self.lock();
        state.liveness.closed(source.number);
        state.sessions.remove(&source.number);
        if succeeded {
            state.source(source).state = Connection::Ended;
        }
        Ok(())
    }

    fn removed(&mut self, name: &str) {
        let mut state = self.lock();
        state.sources.remove(name);
        state.leaders.remove(name);
    }
}
