//! What a command listens to: an input that waits for it, or a live one that does not, until its end, its time or a signal.

use std::time::{Duration, Instant};

use divita_runtime::event::{Event, LiveState};
use divita_runtime::frame::{Frame, Timestamp};

use divita_video::AllowedSchemes;
use divita_video::live::{Change, Counters, LiveSource, Next, Patience};
use divita_video::stop::Stop;
use divita_video::{self as source, Address, FrameSource, Loss, SourceError, SourceInfo};

/// How long a live source is waited for before the signals are looked at again.
const PATIENCE: Duration = Duration::from_millis(100);

/// An open input.
pub struct Feed {
    input: Input,
    info: SourceInfo,
    until: Option<Timestamp>,
    begun: Instant,
    stop: Stop,
    waited: Duration,
}

enum Input {
    File(Box<dyn FrameSource>),
    Live(LiveSource),
}

/// What a feed gives.
pub enum Heard<'a> {
    /// The next frame.
    Frame(Frame<'a>),
    /// A live source came, went or changed.
    Event(Event),
    /// Nothing yet.
    Nothing,
    /// The end of the input.
    End,
    /// Its time is up.
    TimeIsUp,
    /// The program was told to stop.
    Stopped,
}

impl Feed {
    /// Opens `input`, if it is among those `allowed`, to be heard up to the time `until` of it.
    ///
    /// An input is live where its address says so, since it need not be there yet, or else where its source says so.
    ///
    /// # Errors
    /// When it cannot be opened; one that is live by its address may come yet.
    pub fn open(
        input: &Address,
        allowed: &AllowedSchemes,
        until: Option<Timestamp>,
        stop: &Stop,
    ) -> Result<Self, SourceError> {
        allowed.check(input)?;
        let name = input.clone();
        let open = Box::new(move || source::open(&name));
        let (input, info) = if source::is_live_by_address(input) {
            let live = LiveSource::start(open, Patience::default())?;
            let info = SourceInfo {
                name: input.to_string(),
                width: 0,
                height: 0,
                frame_rate: None,
                frames: None,
                duration: until,
                live: true,
            };
            (Input::Live(live), info)
        } else {
            let source = source::open(input)?;
            let info = source.info().clone();
            let input = match info.live {
                true => Input::Live(LiveSource::start_open(source, open, Patience::default())?),
                false => Input::File(source),
            };
            (input, info)
        };
        Ok(Feed { input, info, until, begun: Instant::now(), stop: stop.clone(), waited: Duration::ZERO })
    }

    /// What is known of the input.
    pub fn info(&self) -> &SourceInfo {
        &self.info
    }

    /// What comes next.
    ///
    /// # Errors
    /// When the input cannot be read any further.
    pub fn next(&mut self) -> Result<Heard<'_>, SourceError> {
        if self.stop.is_asked() {
            return Ok(Heard::Stopped);
        }
        let up = |time: Timestamp| self.until.is_some_and(|until| time >= until);
        match &mut self.input {
            Input::File(source) => match source.next_frame() {
                Ok(Some(frame)) if up(frame.time()) => Ok(Heard::TimeIsUp),
                Ok(Some(frame)) => Ok(Heard::Frame(frame)),
                // A pipe ends where the program is told to stop.
                _ if self.stop.is_asked() => Ok(Heard::Stopped),
                Ok(None) => Ok(Heard::End),
                Err(error) => Err(error),
            },
            Input::Live(live) => {
                if up(elapsed(self.begun)) {
                    return Ok(Heard::TimeIsUp);
                }
                let before = Instant::now();
                let dropped = live.dropped();
                let next = live.next(PATIENCE)?;
                self.waited += before.elapsed();
                Ok(match next {
                    Next::Nothing => Heard::Nothing,
                    Next::End => Heard::End,
                    Next::Frame(frame) => Heard::Frame(frame),
                    Next::Change { at, change, message, counters } => {
                        Heard::Event(event(at, change, message, counters, dropped))
                    }
                })
            }
        }
    }

    /// Returns the oldest loss of a file that was not returned yet; to be asked after every frame, and at the end.
    pub fn take_loss(&mut self) -> Option<Loss> {
        match &mut self.input {
            Input::File(source) => source.take_loss(),
            Input::Live(_) => None,
        }
    }

    /// Time spent waiting for a live source so far; a file is never waited for.
    pub fn waited(&self) -> Duration {
        self.waited
    }

    /// Frames of a live source that were dropped so far.
    pub fn dropped(&self) -> u64 {
        match &self.input {
            Input::File(_) => 0,
            Input::Live(live) => live.dropped(),
        }
    }
}

fn elapsed(since: Instant) -> Timestamp {
    Timestamp::from_nanos(since.elapsed().as_nanos() as i64)
}

fn event(at: Timestamp, change: Change, message: Option<String>, counters: Counters, dropped: u64) -> Event {
    let (state, fault, pause, size) = match change {
        Change::Connected { size } => (LiveState::Connected, None, None, Some(size)),
        Change::Resized { size } => (LiveState::Resized, None, None, Some(size)),
        Change::Waiting { fault, pause } => (LiveState::Waiting, Some(fault), Some(pause), None),
    };
    Event::Live {
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
