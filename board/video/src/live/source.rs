//! A source that is captured on a thread of its own and opened again whenever it fails.

use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use divita_runtime::frame::{Frame, Timestamp};
use divita_runtime::panics;
use thiserror::Error;

use super::queue::{Item, Queue};
use super::reconnect::{Change, Counters, Patience, Reconnect, Step};
use crate::error::Fault;
use crate::held_frame::HeldFrame;
use crate::{DecodedPictures, FrameSource, SourceError};

/// Opens a source, as often as need be.
pub type Opener = Box<dyn FnMut() -> Result<Box<dyn FrameSource>, SourceError> + Send>;

/// How long the end of the capturing thread is waited for. A device that does not answer must not
/// keep the program.
const JOIN_TIMEOUT: Duration = Duration::from_millis(500);

/// A live source. Times of its frames are since it was made, whatever happens to it on the way, so
/// that a pause of the source is a pause of the stream.
pub struct LiveSource {
    queue: Arc<Queue>,
    thread: Option<JoinHandle<()>>,
    current: Option<HeldFrame>,
}

/// What comes of a live source.
pub enum Next<'a> {
    /// A frame.
    Frame(Frame<'a>),
    /// The source changed.
    Change {
        /// Since the source was made.
        at: Timestamp,
        /// How.
        change: Change,
        /// What the source said of it, where it failed.
        message: Option<String>,
        /// Counters of connections and failures.
        counters: Counters,
    },
    /// Nothing yet.
    Nothing,
    /// The end, of a source whose end is final.
    End,
}

impl LiveSource {
    /// Begins to capture what `open` opens.
    ///
    /// # Errors
    /// When no thread can be had.
    pub fn start(open: Opener, patience: Patience) -> Result<Self, SourceError> {
        Self::capture(None, open, patience)
    }

    /// Begins to capture `source`, which is open. `open` opens it again when it fails, but not when
    /// it ends.
    ///
    /// # Errors
    /// When no thread can be had.
    pub fn start_open(source: Box<dyn FrameSource>, open: Opener, patience: Patience) -> Result<Self, SourceError> {
        Self::capture(Some(source), open, patience)
    }

    fn capture(first: Option<Box<dyn FrameSource>>, open: Opener, patience: Patience) -> Result<Self, SourceError> {
        let queue = Arc::new(Queue::default());
        let machine = Reconnect::new(patience);
        let capture = Capture { queue: queue.clone(), first, open, machine, start: Instant::now() };
        let capture = move || {
            let queue = capture.queue.clone();
            // Without this nobody would notice that no picture comes any more.
            if let Err(reason) = panics::catch(|| capture.run()) {
                queue.push(Item::Failed(SourceError::Internal(Box::new(CaptureError { reason }))));
            }
        };
        let thread = thread::Builder::new().name("capture".into()).spawn(capture);
        let thread = thread.map_err(SourceError::io("start a thread to capture with"))?;
        Ok(LiveSource { queue, thread: Some(thread), current: None })
    }

    /// Waits up to `patience` for what comes next.
    ///
    /// # Errors
    /// When nothing can be had of the source, ever: an address that is none.
    pub fn next(&mut self, patience: Duration) -> Result<Next<'_>, SourceError> {
        if let Some(frame) = self.current.take() {
            self.queue.recycle(frame);
        }
        match self.queue.pop(patience) {
            None => Ok(Next::Nothing),
            Some(Item::End) => Ok(Next::End),
            Some(Item::Failed(error)) => Err(error),
            Some(Item::Change { at, change, message, counters }) => Ok(Next::Change { at, change, message, counters }),
            Some(Item::Frame(frame)) => {
                let frame = self.current.insert(frame).frame();
                // What was copied from a frame is one.
                Ok(frame.map_or(Next::Nothing, Next::Frame))
            }
        }
    }

    /// Chooses which pictures are decoded from now on, whatever source is open.
    pub fn select(&self, pictures: DecodedPictures) {
        self.queue.select(pictures);
    }

    /// Returns the number of frames that were dropped because no one took them in time.
    pub fn dropped(&self) -> u64 {
        self.queue.dropped()
    }
}

impl Drop for LiveSource {
    fn drop(&mut self) {
        self.queue.close();
        let Some(thread) = self.thread.take() else { return };
        let begun = Instant::now();
        while !thread.is_finished() && begun.elapsed() < JOIN_TIMEOUT {
            thread::sleep(Duration::from_millis(5));
        }
        if thread.is_finished() {
            let _ = thread.join();
        }
    }
}

/// The capturing thread.
struct Capture {
    queue: Arc<Queue>,
    /// The source, where it is open already.
    first: Option<Box<dyn FrameSource>>,
    open: Opener,
    machine: Reconnect,
    start: Instant,
}

impl Capture {
    fn run(mut self) {
        let mut source = self.first.take();
        let end_is_final = source.is_some();
        if end_is_final {
            self.machine.opened();
        }
        // From the source's times to ours, since it was opened.
        let mut offset = None;
        let mut last = Timestamp::from_nanos(-1);
        // What the open source was told to decode.
        let mut selected = None;
        while !self.queue.is_closed() {
            let now = self.start.elapsed();
            match (self.machine.step(now), &mut source) {
                (Step::Wait(pause), _) => self.queue.wait(pause),
                (Step::Read, Some(open)) => {
                    let pictures = self.queue.selected();
                    if let Some(pictures) = pictures.filter(|_| pictures != selected) {
                        open.select(pictures);
                        selected = Some(pictures);
                    }
                    match open.next_frame() {
                        Ok(Some(frame)) => {
                            let now = Timestamp::from_nanos(self.start.elapsed().as_nanos() as i64);
                            let offset = *offset.get_or_insert_with(|| now.since(frame.time()));
                            // The same moment twice, as after a clock that jumped back, is a moment
                            // later.
                            let time = frame.time().plus(offset).max(last.plus(Timestamp::from_nanos(1)));
                            last = time;
                            let size = (frame.width(), frame.height());
                            if let Some(change) = self.machine.frame(self.start.elapsed(), size) {
                                self.report(change, None);
                            }
                            self.queue.push_frame(&frame, time);
                        }
                        Ok(None) if end_is_final => {
                            self.queue.push(Item::End);
                            return;
                        }
                        Ok(None) => {
                            source = None;
                            self.fail(Fault::Ended, None);
                        }
                        Err(error) => {
                            source = None;
                            self.fail(error.fault(), Some(error));
                        }
                    }
                }
                (Step::Open | Step::Read, _) => {
                    (offset, selected) = (None, None);
                    match (self.open)() {
                        Ok(opened) => {
                            source = Some(opened);
                            self.machine.opened();
                        }
                        Err(error) if !error.is_worth_retrying() => {
                            self.queue.push(Item::Failed(error));
                            return;
                        }
                        Err(error) => self.fail(Fault::Absent, Some(error)),
                    }
                }
            }
        }
    }

    fn fail(&mut self, fault: Fault, error: Option<SourceError>) {
        let change = self.machine.failed(self.start.elapsed(), fault);
        self.report(change, error.map(|error| error.to_string()));
    }

    fn report(&self, change: Change, message: Option<String>) {
        let at = Timestamp::from_nanos(self.start.elapsed().as_nanos() as i64);
        self.queue.push(Item::Change { at, change, message, counters: self.machine.counters() });
    }
}

/// A panic of the thread that captures.
#[derive(Debug, Error)]
#[error("the program's capture of it failed ({reason}); start it again and report this")]
struct CaptureError {
    /// The panic's message and place.
    reason: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_of_the_capturing_thread_is_an_error() {
        let open: Opener = Box::new(|| panic!("the driver's answer makes no sense"));
        let mut source = LiveSource::start(open, Patience::default()).unwrap();
        let failed = (0..100).find_map(|_| source.next(Duration::from_millis(100)).err());
        let message = failed.unwrap().to_string();
        assert!(message.contains("the driver's answer makes no sense at source.rs"), "{message}");
    }
}
