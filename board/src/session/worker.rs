//! A thread that reads inputs, one after the other, and reports what happens.

use std::collections::VecDeque;
use std::io;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::SyncSender;
use std::sync::{Mutex, PoisonError};
use std::thread::{self, Scope};
use std::time::{Duration, Instant};

use anyhow::{Error, Result, anyhow};
use divita_console::say;
use divita_runtime::frame::{Frame, Timestamp, Undecoded};
use divita_runtime::panics;
use divita_runtime::pipeline::PipelineError;
use divita_video::session::{Consumer, Ending, Progress, Session, SessionOptions, SourceChange};
use divita_video::{DecodedPictures, Input, Loss, SourceInfo, is_live_by_address};

use super::method::Method;
use crate::event::{InputEvent, SessionEvent};
use crate::observers::Status;

/// Bytes that the observers may hold back before no further input is begun.
const MAX_HELD_BYTES: usize = 32 << 20;

/// Minimum time between two reports of the same session's status.
const STATUS_INTERVAL: Duration = Duration::from_millis(50);

/// Time after which a worker that waits looks again.
const PAUSE: Duration = Duration::from_millis(20);

/// What a worker reports of an input.
pub(super) enum Report {
    /// The session has opened it.
    Opened(SourceInfo),
    /// Something happened.
    Event(SessionEvent),
    /// The session goes on.
    Status(Status),
    /// The session has ended.
    Closed(Result<(), Failure>),
}

/// Why the session of an input did not succeed.
pub(super) enum Failure {
    /// The input failed: the others can still be read.
    Input(Error),
    /// A request to stop came in the middle of a file.
    Stopped,
    /// Nobody receives the reports any more.
    Unobserved,
}

/// What the workers of a run share.
pub(super) struct Work<'a, M> {
    inputs: &'a [Input],
    options: &'a SessionOptions,
    /// Makes the method of an input that was opened.
    method: M,
    /// Inputs that no worker has begun.
    waiting: Mutex<VecDeque<usize>>,
    /// Bytes that the observers hold back.
    held_bytes: AtomicUsize,
}

/// Where a worker sends its reports, with the number of the input.
pub(super) type Reports = SyncSender<(usize, Report)>;

impl<'a, M: Fn(&SourceInfo) -> Result<Box<dyn Method>> + Sync> Work<'a, M> {
    /// Lists the work on `inputs` without those that `is_finished`. An endless input, which needs
    /// a worker of its own, comes before the files.
    pub(super) fn new(
        inputs: &'a [Input],
        options: &'a SessionOptions,
        is_finished: impl Fn(usize) -> bool,
        method: M,
    ) -> Self {
        let mut waiting: Vec<usize> = (0..inputs.len()).filter(|number| !is_finished(*number)).collect();
        waiting.sort_by_key(|number| !is_live_by_address(&inputs[*number]));
        Work { inputs, options, method, waiting: Mutex::new(waiting.into()), held_bytes: AtomicUsize::new(0) }
    }

    /// Returns the number of inputs that no worker has begun.
    pub(super) fn left(&self) -> usize {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner).len()
    }

    /// Sets the number of bytes that the observers hold back.
    pub(super) fn set_held_bytes(&self, bytes: usize) {
        self.held_bytes.store(bytes, Ordering::Relaxed);
    }

    /// Starts a worker.
    ///
    /// # Errors
    /// When the system starts no thread.
    pub(super) fn start<'scope>(&'scope self, scope: &'scope Scope<'scope, '_>, reports: Reports) -> io::Result<()> {
        let run = move || self.run(scope, &reports);
        thread::Builder::new().name("session".into()).spawn_scoped(scope, run).map(drop)
    }

    /// Reads inputs until none is left, or until a request to stop.
    fn run<'scope>(&'scope self, scope: &'scope Scope<'scope, '_>, reports: &Reports) {
        while let Some(number) = self.next() {
            let read = self.read(number, scope, reports);
            if reports.send((number, Report::Closed(read))).is_err() {
                return;
            }
        }
    }

    /// Returns the next input. Waits while the observers hold back too much: the input that they
    /// wait for is then read by another worker.
    fn next(&self) -> Option<usize> {
        while !self.options.stop.is_asked() {
            if self.held_bytes.load(Ordering::Relaxed) < MAX_HELD_BYTES {
                return self.waiting.lock().unwrap_or_else(PoisonError::into_inner).pop_front();
            }
            thread::sleep(PAUSE);
        }
        None
    }

    /// Reads an input. One that is live gets another worker for the inputs after it.
    fn read<'scope>(
        &'scope self,
        number: usize,
        scope: &'scope Scope<'scope, '_>,
        reports: &Reports,
    ) -> Result<(), Failure> {
        let input = &self.inputs[number];
        Reading { number, input, options: self.options, reports }.run(|info| {
            if info.live
                && let Err(error) = self.start(scope, reports.clone())
            {
                log::warn!("no thread for the other inputs ({error}): they wait for the end of {input}");
            }
            (self.method)(info)
        })
    }
}

/// The reading of one input in the session `number`.
#[derive(Clone, Copy)]
pub(super) struct Reading<'a> {
    pub number: usize,
    pub input: &'a Input,
    pub options: &'a SessionOptions,
    pub reports: &'a Reports,
}

impl Reading<'_> {
    /// Reads the input as far as the user asked, with the method that `method` makes, and reports
    /// what happens.
    ///
    /// # Errors
    /// Why it did not succeed. A panic is a failure of the input.
    pub(super) fn run(self, method: impl FnOnce(&SourceInfo) -> Result<Box<dyn Method>>) -> Result<(), Failure> {
        panics::catch(|| self.run_to_end(method)).unwrap_or_else(|panic| {
            Err(Failure::Input(anyhow!("a fault of this program, please report it: it panicked: {panic}")))
        })
    }

    fn run_to_end(self, method: impl FnOnce(&SourceInfo) -> Result<Box<dyn Method>>) -> Result<(), Failure> {
        let Reading { number, input, options, reports } = self;
        let stop = &options.stop;
        let mut session = match Session::open(input, options.clone()) {
            Ok(session) => session,
            // The source that was waited for has not come.
            Err(_) if stop.is_asked() => return Err(Failure::Stopped),
            Err(error) => return Err(Failure::Input(error.into())),
        };
        let info = session.info().clone();
        reports.send((number, Report::Opened(info.clone()))).map_err(|_| Failure::Unobserved)?;
        let method = method(&info).map_err(Failure::Input)?;
        let mut observed =
            Observed { number, method, reports, time: Timestamp::ZERO, frames: 0, reported: None, finished: Ok(()) };
        let ending = session.run(&mut observed)?;
        let finished = observed.finished;
        let is_complete = ending.is_complete(info.live);
        if let Ending::Failed(error) = ending {
            return Err(Failure::Input(error.into()));
        }
        match finished {
            // A stream that was stopped early may have no clip.
            Err(error) if !(stop.is_asked() && error.downcast_ref().is_some_and(is_without_clip)) => {
                Err(Failure::Input(error))
            }
            _ if !is_complete => Err(Failure::Stopped),
            Err(_) => {
                say(format_args!("{input}: stopped before its first clip"));
                Ok(())
            }
            Ok(()) => Ok(()),
        }
    }
}

fn is_without_clip(error: &PipelineError) -> bool {
    matches!(error, PipelineError::NoClip { .. })
}

/// A method whose events are reported.
struct Observed<'a> {
    number: usize,
    method: Box<dyn Method>,
    reports: &'a Reports,
    /// Time of the last frame, and the number of frames.
    time: Timestamp,
    frames: u64,
    /// When the status was last reported.
    reported: Option<Instant>,
    /// Whether the method could finish.
    finished: Result<()>,
}

impl Observed<'_> {
    fn report(&self, report: Report) -> Result<(), Failure> {
        self.reports.send((self.number, report)).map_err(|_| Failure::Unobserved)
    }

    /// Calls the method and reports its events.
    fn observe<T>(
        &mut self,
        call: impl FnOnce(&mut dyn Method, &mut dyn FnMut(SessionEvent)) -> T,
    ) -> Result<T, Failure> {
        let Observed { number, method, reports, .. } = self;
        let mut sent = Ok(());
        let result = call(&mut **method, &mut |event| {
            if sent.is_ok() {
                sent = reports.send((*number, Report::Event(event))).map_err(|_| Failure::Unobserved);
            }
        });
        sent.map(|()| result)
    }
}

impl Consumer for Observed<'_> {
    type Error = Failure;

    fn frame(&mut self, frame: &Frame<'_>) -> Result<(), Failure> {
        self.time = frame.time();
        self.frames += 1;
        self.observe(|method, emit| method.frame(frame, emit))?.map_err(Failure::Input)
    }

    fn progress(&mut self, progress: Progress) -> Result<(), Failure> {
        self.observe(|method, emit| method.progress(progress, emit))?;
        let now = Instant::now();
        if self.reported.is_none_or(|last| now - last >= STATUS_INTERVAL) {
            self.reported = Some(now);
            let (time, frames, dropped, rate) = (self.time, self.frames, progress.dropped, self.method.rate());
            self.report(Report::Status(Status::Processed { time, frames, dropped, rate }))?;
        }
        Ok(())
    }

    fn pictures(&self) -> Option<DecodedPictures> {
        self.method.pictures()
    }

    fn loss(&mut self, loss: Loss) -> Result<(), Failure> {
        self.observe(|method, emit| method.loss(loss, emit))
    }

    fn undecoded(&mut self, undecoded: Undecoded) {
        self.method.undecoded(undecoded);
    }

    fn change(&mut self, change: SourceChange) -> Result<(), Failure> {
        self.report(Report::Event(InputEvent::from(change).into()))
    }

    fn idle(&mut self) -> Result<(), Failure> {
        self.report(Report::Status(Status::Idle))
    }

    fn finish(&mut self, ending: &Ending) -> Result<(), Failure> {
        if matches!(ending, Ending::Stopped) {
            self.report(Report::Status(Status::Stopping))?;
        }
        self.finished = self.observe(|method, emit| method.finish(ending, emit))?;
        Ok(())
    }
}
