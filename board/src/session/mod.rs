//! Sessions: the inputs of a command, one after the other, each read by one loop and watched by
//! observers.
//!
//! ```text
//! inputs ──► Session ──frames──► Method ──events──► Observers
//! ```

mod classification;
pub mod ladder;
mod method;
mod pace;
mod shot_detection;

use anyhow::{Error, Result, anyhow};
use divita_console::{in_one_line, say};
use divita_runtime::frame::Frame;
use divita_runtime::pipeline::PipelineError;
use divita_video::session::{Consumer, Ending, Progress, Session, SessionOptions, SourceChange};
use divita_video::{Input, Loss, SourceInfo};

pub use classification::Classification;
pub use method::Method;
pub use pace::Pace;
pub use shot_detection::ShotDetection;

use crate::event::{InputEvent, SessionEvent};
use crate::observers::{Observers, Status};

/// How a run of sessions or a command ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub enum Outcome {
    /// Everything succeeded.
    Done,
    /// Some input failed.
    SomeFailed,
}

/// Runs a session for each of `inputs` and ends the observers.
///
/// `method` makes the method of an input that was opened. An input that fails does not stop the
/// others. The request to stop ends the run.
///
/// # Errors
/// Those of the observers, such as an output that cannot be written.
pub fn run(
    inputs: &[Input],
    options: &SessionOptions,
    mut observers: Observers,
    mut method: impl FnMut(&SourceInfo) -> Result<Box<dyn Method>>,
) -> Result<Outcome> {
    let mut outcome = Outcome::Done;
    let mut has_seen_live = false;
    for (at, input) in inputs.iter().enumerate() {
        let read = read(input, options, &mut observers, &mut method, &mut has_seen_live);
        observers.closed(read.is_ok());
        match read {
            Ok(()) => {}
            Err(Failure::Output(error)) => return Err(error),
            Err(Failure::Stopped) => {
                say(format_args!("error: {input}: stopped before its end"));
                outcome = Outcome::SomeFailed;
            }
            Err(Failure::Input(error)) => {
                let message = in_one_line(&error);
                say(format_args!("error: {input}: {message}"));
                observers.event(input, &InputEvent::Error { message }.into())?;
                outcome = Outcome::SomeFailed;
            }
        }
        if options.stop.is_asked() {
            let left = inputs.len() - at - 1;
            if left > 0 {
                say(format_args!("error: stopped: {left} of {} inputs were not begun", inputs.len()));
                outcome = Outcome::SomeFailed;
            }
            break;
        }
    }
    observers.finish()?;
    Ok(outcome)
}

/// Why the session of an input did not succeed.
enum Failure {
    /// The input failed: the others can still be read.
    Input(Error),
    /// A request to stop came in the middle of a file.
    Stopped,
    /// An observer failed: nothing more can be written.
    Output(Error),
}

/// Reads `input` as far as the user asked.
fn read(
    input: &Input,
    options: &SessionOptions,
    observers: &mut Observers,
    method: &mut impl FnMut(&SourceInfo) -> Result<Box<dyn Method>>,
    has_seen_live: &mut bool,
) -> Result<(), Failure> {
    let mut session = match Session::open(input, options.clone()) {
        Ok(session) => session,
        // The source that was waited for has not come.
        Err(_) if options.stop.is_asked() => return Err(Failure::Stopped),
        Err(error) => return Err(Failure::Input(error.into())),
    };
    let is_live = session.info().live;
    if is_live && std::mem::replace(has_seen_live, true) {
        let problem = "only one live input at a time is supported, and one came before; run another divita for it";
        return Err(Failure::Input(anyhow!(problem)));
    }
    observers.opened(session.info()).map_err(Failure::Output)?;
    let method = method(session.info()).map_err(Failure::Input)?;
    let mut observed = Observed { input, method, observers, finished: Ok(()) };
    let ending = session.run(&mut observed)?;
    let finished = observed.finished;
    let is_complete = ending.is_complete(is_live);
    if let Ending::Failed(error) = ending {
        return Err(Failure::Input(error.into()));
    }
    match finished {
        // A stream that was stopped early may have no clip.
        Err(error) if !(options.stop.is_asked() && error.downcast_ref().is_some_and(is_without_clip)) => {
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

fn is_without_clip(error: &PipelineError) -> bool {
    matches!(error, PipelineError::NoClip { .. })
}

/// A method whose events go to the observers.
struct Observed<'a> {
    input: &'a Input,
    method: Box<dyn Method>,
    observers: &'a mut Observers,
    /// Whether the method could finish.
    finished: Result<()>,
}

impl Observed<'_> {
    /// Calls the method, and passes on its events up to the first that an observer fails on.
    fn observe<T>(
        &mut self,
        call: impl FnOnce(&mut dyn Method, &mut dyn FnMut(SessionEvent)) -> T,
    ) -> Result<T, Failure> {
        let Observed { input, method, observers, .. } = self;
        let mut observed = Ok(());
        let result = call(&mut **method, &mut |event| {
            if observed.is_ok() {
                observed = observers.event(input, &event);
            }
        });
        observed.map_err(Failure::Output)?;
        Ok(result)
    }
}

impl Consumer for Observed<'_> {
    type Error = Failure;

    fn frame(&mut self, frame: &Frame<'_>) -> Result<(), Failure> {
        self.observers.status(Status::Read(frame.time()));
        self.observe(|method, emit| method.frame(frame, emit))?.map_err(Failure::Input)
    }

    fn progress(&mut self, progress: Progress) -> Result<(), Failure> {
        self.observe(|method, emit| method.progress(progress, emit))?;
        self.observers.status(Status::Processed);
        Ok(())
    }

    fn loss(&mut self, loss: Loss) -> Result<(), Failure> {
        self.observe(|method, emit| method.loss(loss, emit))
    }

    fn change(&mut self, change: SourceChange) -> Result<(), Failure> {
        self.observers.event(self.input, &InputEvent::from(change).into()).map_err(Failure::Output)
    }

    fn idle(&mut self) {
        self.observers.status(Status::Idle);
    }

    fn finish(&mut self, ending: &Ending) -> Result<(), Failure> {
        if matches!(ending, Ending::Stopped) {
            self.observers.status(Status::Stopping);
        }
        self.finished = self.observe(|method, emit| method.finish(ending, emit))?;
        Ok(())
    }
}
