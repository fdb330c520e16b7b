//! Events of a session: those of the method, and what happens to the input.

use divita_console::printable;
use divita_runtime::event::{Event, Probabilities};
use divita_runtime::sampler::WorkingRate;
use divita_video::live::Change;
use divita_video::session::SourceChange;
use divita_video::{DecodedPictures, SourceInfo};
use serde::Serialize;

/// An event of a session, in the form that other programs read (`runtime/schema/events.json`).
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(untagged)]
pub enum SessionEvent {
    /// What the method found: shots, clips, genres, the result.
    Method(Event),
    /// What happened to the input.
    Input(InputEvent),
}

/// What happens to an input. Seconds are times of the stream.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "event", rename_all = "lowercase")]
pub enum InputEvent {
    /// The input was opened.
    Opened {
        /// Width of its pictures in pixels, as stored. None of a live input, whose `live` events
        /// have it.
        #[serde(skip_serializing_if = "Option::is_none")]
        width: Option<usize>,
        /// Height of its pictures in pixels, as stored.
        #[serde(skip_serializing_if = "Option::is_none")]
        height: Option<usize>,
        /// Nominal frame rate, or the mean if frames are not evenly spaced.
        #[serde(skip_serializing_if = "Option::is_none")]
        frame_rate: Option<f64>,
        /// Number of frames to expect.
        #[serde(skip_serializing_if = "Option::is_none")]
        frames: Option<u64>,
        /// Expected end of the last frame.
        #[serde(skip_serializing_if = "Option::is_none")]
        duration_s: Option<f64>,
        /// Whether it is a camera or a stream, which does not wait.
        live: bool,
    },
    /// A live source connected, failed or changed its size.
    Live {
        /// Time of the stream.
        at_s: f64,
        /// State from now on.
        state: LiveState,
        /// Kind of failure: absent, gone, stalled, ended or garbage.
        #[serde(skip_serializing_if = "Option::is_none")]
        fault: Option<String>,
        /// Message of the source, with what to do.
        #[serde(skip_serializing_if = "Option::is_none")]
        message: Option<String>,
        /// Seconds until the source is opened again.
        #[serde(skip_serializing_if = "Option::is_none")]
        retry_s: Option<f64>,
        /// Width of its pictures in pixels.
        #[serde(skip_serializing_if = "Option::is_none")]
        width: Option<usize>,
        /// Height of its pictures in pixels.
        #[serde(skip_serializing_if = "Option::is_none")]
        height: Option<usize>,
        /// Number of reconnections so far.
        reconnects: u64,
        /// Number of failures so far.
        failures: u64,
        /// Number of dropped frames so far.
        dropped: u64,
    },
    /// The working rate changes from the end of the current clip on.
    Rate {
        /// Time of the stream.
        at_s: f64,
        /// New rate in frames a second.
        fps: WorkingRate,
        /// Old rate in frames a second.
        from_fps: WorkingRate,
        /// Reason: behind, hot or room.
        reason: String,
        /// Reason and cost, for people.
        message: String,
    },
    /// Which pictures are decoded changes.
    Decode {
        /// Time of the stream.
        at_s: f64,
        /// From now on.
        decode: DecodedPictures,
        /// Until now.
        from_decode: DecodedPictures,
        /// Reason: behind, hot or room.
        reason: String,
        /// Reason and cost, for people.
        message: String,
    },
    /// The input failed.
    Error {
        /// What was wrong and what to do.
        message: String,
    },
}

/// State of a live source.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum LiveState {
    /// Pictures come.
    Connected,
    /// Pictures come in another size.
    Resized,
    /// The source failed, and is opened again after a pause.
    Waiting,
}

/// Returns the `most` most probable labels with their probabilities, in words for people.
#[must_use]
pub fn leading(probabilities: &Probabilities, most: usize) -> String {
    let ranked = probabilities.ranked();
    let words = ranked.iter().take(most).map(|(label, value)| format!("{} {value:.2}", printable(label)));
    words.collect::<Vec<_>>().join(", ")
}

impl From<Event> for SessionEvent {
    fn from(event: Event) -> Self {
        SessionEvent::Method(event)
    }
}

impl From<InputEvent> for SessionEvent {
    fn from(event: InputEvent) -> Self {
        SessionEvent::Input(event)
    }
}

impl From<&SourceInfo> for InputEvent {
    fn from(info: &SourceInfo) -> Self {
        InputEvent::Opened {
            width: Some(info.width).filter(|width| *width > 0),
            height: Some(info.height).filter(|height| *height > 0),
            frame_rate: info.frame_rate,
            frames: info.frames,
            duration_s: info.duration.map(|duration| duration.as_secs_f64()),
            live: info.live,
        }
    }
}

impl From<SourceChange> for InputEvent {
    fn from(change: SourceChange) -> Self {
        let SourceChange { at, change, message, counters, dropped } = change;
        let (state, fault, pause, size) = match change {
            Change::Connected { size } => (LiveState::Connected, None, None, Some(size)),
            Change::Resized { size } => (LiveState::Resized, None, None, Some(size)),
            Change::Waiting { fault, pause } => (LiveState::Waiting, Some(fault), Some(pause), None),
        };
        InputEvent::Live {
            at_s: at.as_secs_f64(),
            state,
            fault: fault.map(|fault| fault.to_string()),
            message,
            retry_s: pause.map(|pause| pause.as_secs_f64()),
            width: size.map(|size| size.0),
            height: size.map(|size| size.1),
            reconnects: counters.reconnects(),
            failures: counters.failures,
            dropped,
        }
    }
}

impl SessionEvent {
    /// Returns the event as version 1 of the schema has it. `None` if version 1 has no such event.
    #[must_use]
    pub fn in_schema_1(self) -> Option<SessionEvent> {
        match self {
            SessionEvent::Method(event) => event.in_schema_1().map(SessionEvent::Method),
            SessionEvent::Input(InputEvent::Opened { .. } | InputEvent::Decode { .. }) => None,
            SessionEvent::Input(event) => Some(SessionEvent::Input(event)),
        }
    }
}

impl InputEvent {
    /// Returns what happened, in words; nothing for an error, and nothing for an input that was
    /// opened.
    pub fn line(&self) -> Option<String> {
        match self {
            InputEvent::Live { state: LiveState::Waiting, message, fault, retry_s, .. } => {
                let what = message.as_deref().or(fault.as_deref()).unwrap_or("it failed");
                Some(format!("{what}; trying again in {:.1} s", retry_s.unwrap_or(0.0)))
            }
            InputEvent::Live { width, height, .. } => {
                Some(format!("pictures of {}x{}", width.unwrap_or(0), height.unwrap_or(0)))
            }
            InputEvent::Rate { message, .. } | InputEvent::Decode { message, .. } => Some(message.clone()),
            InputEvent::Opened { .. } | InputEvent::Error { .. } => None,
        }
    }
}
