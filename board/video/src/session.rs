//! The session: the one loop that opens an input, reads it and gives its frames to a consumer.
//!
//! ```text
//! Input ──open──► Session ──frames, losses, changes──► Consumer
//! ```
//!
//! A file is read when the consumer is ready for the next frame. A live input is captured on a
//! thread of its own ([`LiveSource`]), opened again when it fails, and never waited for.

use std::time::{Duration, Instant};

use divita_runtime::frame::{Frame, Timestamp, Undecoded};

use crate::live::{Change, Counters, LiveSource, Next, Patience};
use crate::stop::Stop;
use crate::{AllowedSchemes, DecodedPictures, FrameSource, Input, Loss, SourceError, SourceInfo};

/// Maximum time that a live source is waited for before the request to stop is checked again.
const PATIENCE: Duration = Duration::from_millis(100);

/// How an input is read.
#[derive(Clone, Debug, Default)]
pub struct SessionOptions {
    /// Schemes that the input may have.
    pub allowed: AllowedSchemes,
    /// Presentation time at which reading ends: of a file on its own clock, of a live input since
    /// it was opened.
    pub until: Option<Timestamp>,
    /// Request to stop.
    pub stop: Stop,
}

/// An open input.
pub struct Session {
    source: Source,
    info: SourceInfo,
    options: SessionOptions,
    opened: Instant,
    waited: Duration,
}

enum Source {
    File(Box<dyn FrameSource>),
    Live(LiveSource),
}

/// Counters of a session.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// Time spent waiting for a live source. A file is never waited for.
    pub waited: Duration,
    /// Frames of a live source that were dropped.
    pub dropped: u64,
}

/// A change of a live source.
#[derive(Clone, Debug)]
pub struct SourceChange {
    /// Time since the session was opened.
    pub at: Timestamp,
    /// What changed.
    pub change: Change,
    /// What the source said, where it failed.
    pub message: Option<String>,
    /// Counters of connections and failures.
    pub counters: Counters,
    /// Frames dropped before the change.
    pub dropped: u64,
}

/// Why a session ended.
#[derive(Debug)]
#[non_exhaustive]
pub enum Ending {
    /// The end of the input.
    End,
    /// [`SessionOptions::until`] was reached.
    TimeIsUp,
    /// A request to stop came.
    Stopped,
    /// The input cannot be read any further. All frames before were given to the consumer.
    Failed(SourceError),
}

impl Ending {
    /// Returns whether the input was read as far as the user asked. Only a live input, which has no
    /// end of its own, is complete when the program is asked to stop.
    #[must_use]
    pub fn is_complete(&self, is_live: bool) -> bool {
        match self {
            Ending::End | Ending::TimeIsUp => true,
            Ending::Stopped => is_live,
            Ending::Failed(_) => false,
        }
    }
}

/// What receives the frames of a session.
pub trait Consumer {
    /// Why the consumer cannot go on.
    type Error;

    /// Takes the next frame.
    ///
    /// # Errors
    /// When the session is to end at once, without [`Consumer::finish`].
    fn frame(&mut self, frame: &Frame<'_>) -> Result<(), Self::Error>;

    /// Takes the counters after each frame.
    ///
    /// # Errors
    /// As [`Consumer::frame`].
    fn progress(&mut self, progress: Progress) -> Result<(), Self::Error> {
        let _ = progress;
        Ok(())
    }

    /// Takes a loss: pictures before the next frame that damage cost.
    ///
    /// # Errors
    /// As [`Consumer::frame`].
    fn loss(&mut self, loss: Loss) -> Result<(), Self::Error> {
        let _ = loss;
        Ok(())
    }

    /// Takes a change of a live source.
    ///
    /// # Errors
    /// As [`Consumer::frame`].
    fn change(&mut self, change: SourceChange) -> Result<(), Self::Error> {
        let _ = change;
        Ok(())
    }

    /// Is asked after each frame which pictures are to be decoded from now on; nothing changes
    /// without an answer.
    fn pictures(&self) -> Option<DecodedPictures> {
        None
    }

    /// Is called about ten times a second while a live source gives nothing.
    ///
    /// # Errors
    /// As [`Consumer::frame`].
    fn idle(&mut self) -> Result<(), Self::Error> {
        Ok(())
    }

    /// Takes the pictures after the last frame that were not decoded, before [`Consumer::finish`].
    fn undecoded(&mut self, undecoded: Undecoded) {
        let _ = undecoded;
    }

    /// Is called once, after the last frame.
    ///
    /// # Errors
    /// When what is left cannot be processed.
    fn finish(&mut self, ending: &Ending) -> Result<(), Self::Error>;
}

/// What comes next of the source.
enum Item<'a> {
    Frame(Frame<'a>),
    Change(SourceChange),
    Nothing,
    End(Ending),
}

impl Session {
    /// Opens `input`.
    ///
    /// An input that is live by its address (a camera) need not be there yet: it is opened until it
    /// comes. Any other input is live if its source says so.
    ///
    /// # Errors
    /// When `input` is not allowed or cannot be opened.
    pub fn open(input: &Input, options: SessionOptions) -> Result<Self, SourceError> {
        options.allowed.check(input)?;
        let address = input.clone();
        let open = Box::new(move || crate::open(&address));
        let (source, info) = if crate::is_live_by_address(input) {
            let live = LiveSource::start(open, Patience::default())?;
            let info = SourceInfo {
                name: input.to_string(),
                width: 0,
                height: 0,
                frame_rate: None,
                frames: None,
                duration: options.until,
                live: true,
            };
            (Source::Live(live), info)
        } else {
            let source = crate::open(input)?;
            let info = source.info().clone();
            let source = match info.live {
                true => Source::Live(LiveSource::start_open(source, open, Patience::default())?),
                false => Source::File(source),
            };
            (source, info)
        };
        Ok(Session { source, info, options, opened: Instant::now(), waited: Duration::ZERO })
    }

    /// Returns what is known of the input before its first frame.
    #[must_use]
    pub fn info(&self) -> &SourceInfo {
        &self.info
    }

    /// Reads the input and gives everything to `consumer`, up to the end, the time limit, an error
    /// or the request to stop.
    ///
    /// # Errors
    /// Those of `consumer`. That the input failed is no error here but [`Ending::Failed`].
    pub fn run<C: Consumer>(&mut self, consumer: &mut C) -> Result<Ending, C::Error> {
        let ending = loop {
            self.losses(consumer)?;
            match self.next() {
                Item::Frame(frame) => {
                    consumer.frame(&frame)?;
                    consumer.progress(self.progress())?;
                    if let Some(pictures) = consumer.pictures() {
                        self.select(pictures);
                    }
                }
                Item::Change(change) => consumer.change(change)?,
                Item::Nothing => consumer.idle()?,
                Item::End(ending) => break ending,
            }
        };
        self.losses(consumer)?;
        if let (Source::File(source), Ending::End) = (&mut self.source, &ending)
            && let Some(undecoded) = source.take_undecoded()
        {
            consumer.undecoded(undecoded);
        }
        consumer.finish(&ending)?;
        Ok(ending)
    }

    /// Chooses which pictures are decoded.
    fn select(&mut self, pictures: DecodedPictures) {
        match &mut self.source {
            Source::File(source) => source.select(pictures),
            Source::Live(live) => live.select(pictures),
        }
    }

    /// Returns the counters.
    fn progress(&self) -> Progress {
        let dropped = match &self.source {
            Source::File(_) => 0,
            Source::Live(live) => live.dropped(),
        };
        Progress { waited: self.waited, dropped }
    }

    /// Gives `consumer` the losses that it was not given yet.
    fn losses<C: Consumer>(&mut self, consumer: &mut C) -> Result<(), C::Error> {
        match &mut self.source {
            Source::File(source) => std::iter::from_fn(|| source.take_loss()).try_for_each(|loss| consumer.loss(loss)),
            Source::Live(_) => Ok(()),
        }
    }

    /// Returns what comes next.
    fn next(&mut self) -> Item<'_> {
        let stop = &self.options.stop;
        if stop.is_asked() {
            return Item::End(Ending::Stopped);
        }
        let is_over = |time: Timestamp| self.options.until.is_some_and(|until| time >= until);
        match &mut self.source {
            Source::File(source) => match source.next_frame() {
                Ok(Some(frame)) if is_over(frame.time()) => Item::End(Ending::TimeIsUp),
                Ok(Some(frame)) => Item::Frame(frame),
                // A pipe ends on a request to stop.
                _ if stop.is_asked() => Item::End(Ending::Stopped),
                Ok(None) => Item::End(Ending::End),
                Err(error) => Item::End(Ending::Failed(error)),
            },
            Source::Live(live) => {
                if is_over(Timestamp::from_nanos(self.opened.elapsed().as_nanos() as i64)) {
                    return Item::End(Ending::TimeIsUp);
                }
                let (before, dropped) = (Instant::now(), live.dropped());
                let next = live.next(PATIENCE);
                self.waited += before.elapsed();
                match next {
                    Ok(Next::Frame(frame)) => Item::Frame(frame),
                    Ok(Next::Change { at, change, message, counters }) => {
                        Item::Change(SourceChange { at, change, message, counters, dropped })
                    }
                    Ok(Next::Nothing) => Item::Nothing,
                    Ok(Next::End) => Item::End(Ending::End),
                    Err(error) => Item::End(Ending::Failed(error)),
                }
            }
        }
    }
}
