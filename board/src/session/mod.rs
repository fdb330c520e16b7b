//! Sessions: the inputs of a run, several at once, each read by one loop and watched by observers.
//!
//! ```text
//! inputs ──► workers: Session ──frames──► Method ──events──► Observers
//! ```
//!
//! Workers are threads. The observers are called on the thread that started the run.

mod classification;
mod engine;
pub mod ladder;
mod method;
mod pace;
mod serve;
mod shot_detection;
mod worker;

use std::num::NonZeroUsize;
use std::sync::mpsc::sync_channel;
use std::thread;

use anyhow::{Context, Result};
use divita_console::{in_one_line, say};
use divita_video::session::SessionOptions;
use divita_video::{Input, SourceInfo};

pub use classification::Classification;
pub use engine::Engine;
pub use method::Method;
pub use pace::Pace;
pub use serve::{Served, serve};
pub use shot_detection::ShotDetection;

use crate::event::InputEvent;
use crate::observers::{Observers, Source};
use worker::{Failure, Report, Work};

/// Reports of workers that wait for the observers. A slow output slows the workers down.
const MAX_REPORTS: usize = 1024;

/// How a run of sessions or a command ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub enum Outcome {
    /// Everything succeeded.
    Done,
    /// Some input failed.
    SomeFailed,
}

impl Outcome {
    /// Returns the outcome of both.
    fn and(self, other: Outcome) -> Outcome {
        if self == Outcome::Done { other } else { self }
    }
}

/// Runs a session for each of `inputs`, at most `jobs` files and any number of live inputs at once,
/// and ends the observers.
///
/// `method` makes the method of an input that was opened. An input that fails does not stop the
/// others. The request to stop ends the run.
///
/// # Errors
/// Those of the observers, such as an output that cannot be written, and that no thread can be
/// started.
pub fn run(
    inputs: &[Input],
    options: &SessionOptions,
    jobs: NonZeroUsize,
    mut observers: Observers,
    method: impl Fn(&SourceInfo) -> Result<Box<dyn Method>> + Sync,
) -> Result<Outcome> {
    let finished = observers.finished();
    let work = Work::new(inputs, options, |number| finished.contains(&number), method);
    let source = |number: usize| Source::new(number, &inputs[number]);
    finished.iter().try_for_each(|number| observers.closed(source(*number), true))?;
    let outcome = thread::scope(|scope| {
        let (send, reports) = sync_channel(MAX_REPORTS);
        for started in 0..jobs.get().min(work.left()) {
            match work.start(scope, send.clone()) {
                Err(error) if started == 0 => return Err(error).context("cannot start a thread for an input"),
                // The others do its work.
                _ => {}
            }
        }
        drop(send);
        let mut outcome = Outcome::Done;
        for (number, report) in reports {
            match pass_on(&mut observers, source(number), report) {
                Ok(read) => outcome = outcome.and(read),
                Err(error) => {
                    // Workers that wait for a pipe end too.
                    options.stop.ask();
                    return Err(error);
                }
            }
            work.set_held_bytes(observers.held_bytes());
        }
        Ok(outcome)
    });
    let mut outcome = outcome?;
    if work.left() > 0 {
        say(format_args!("error: stopped: {} of {} inputs were not begun", work.left(), inputs.len()));
        outcome = Outcome::SomeFailed;
    }
    observers.finish()?;
    Ok(outcome)
}

/// Passes a report on to the observers. Returns the outcome of a session that has ended.
fn pass_on(observers: &mut Observers, source: Source<'_>, report: Report) -> Result<Outcome> {
    let read = match report {
        Report::Opened(info) => {
            observers.opened(source, &info)?;
            Ok(observers.event(source, &InputEvent::from(&info).into())?)
        }
        Report::Event(event) => Ok(observers.event(source, &event)?),
        Report::Status(status) => {
            observers.status(source, status);
            Ok(())
        }
        Report::Closed(read) => {
            let name = source.name;
            match &read {
                Ok(()) | Err(Failure::Unobserved) => {}
                Err(Failure::Stopped) => say(format_args!("error: {name}: stopped before its end")),
                Err(Failure::Input(error)) => {
                    let message = in_one_line(error);
                    let address = source.input.shown();
                    match name == address {
                        true => say(format_args!("error: {name}: {message}")),
                        false => say(format_args!("error: {name} ({address}): {message}")),
                    }
                    observers.event(source, &InputEvent::Error { message }.into())?;
                }
            }
            observers.closed(source, read.is_ok())?;
            read
        }
    };
    Ok(if read.is_ok() { Outcome::Done } else { Outcome::SomeFailed })
}
