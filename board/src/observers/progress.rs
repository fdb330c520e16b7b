//! The progress of a run and of its sessions: bars on a terminal, and log messages about inputs.

use std::collections::BTreeMap;

use anyhow::Result;
use divita_console::printable;
use divita_console::progress::Bar;
use divita_runtime::event::Event;
use divita_runtime::frame::Timestamp;
use divita_video::SourceInfo;

use super::observer::{Observer, RunInfo, Source, Status};
use crate::event::{InputEvent, LiveState, SessionEvent, leading};

/// Number of genres beside a bar.
const GENRES: usize = 2;

/// Steps of a run's bar for each input.
const STEPS: u64 = 1000;

/// Draws a bar on standard error for each session, and one for the run above them.
struct Progress {
    /// The bar of the run, unless it has a single input.
    run: Option<Bar>,
    /// Number of inputs, and of those that are done.
    inputs: usize,
    done: usize,
    /// The bars of the open sessions.
    sessions: BTreeMap<usize, Bar>,
    /// The shot of the latest clip of each open session.
    shots: BTreeMap<usize, usize>,
}

/// Starts without a session.
#[expect(clippy::unnecessary_wraps, reason = "the signature of the table of observers")]
pub(super) fn start(run: &RunInfo<'_>) -> Result<Option<Box<dyn Observer>>> {
    let inputs = run.inputs.len();
    let bar = || Bar::new(Some(inputs as u64 * STEPS), "{prefix} [{wide_bar}] {eta} left");
    let run = (inputs > 1).then(bar);
    Ok(Some(Box::new(Progress { run, inputs, done: 0, sessions: BTreeMap::new(), shots: BTreeMap::new() })))
}

impl Progress {
    /// Shows how far the run is: the inputs that are done, and its share of each that is not.
    fn update_run(&self) {
        let Some(run) = &self.run else { return };
        let share = |bar: &Bar| bar.length().map_or(0, |length| bar.position().min(length) * STEPS / length.max(1));
        run.set_position(self.done as u64 * STEPS + self.sessions.values().map(share).sum::<u64>());
        run.set_prefix(format!("{} of {}", self.done, self.inputs));
    }
}

impl Observer for Progress {
    fn opened(&mut self, source: Source<'_>, info: &SourceInfo) -> Result<()> {
        self.sessions.insert(source.number, bar(info));
        self.update_run();
        Ok(())
    }

    fn event(&mut self, source: Source<'_>, event: &SessionEvent) -> Result<()> {
        match event {
            SessionEvent::Method(Event::Clip { shot, .. }) => {
                self.shots.insert(source.number, *shot);
            }
            SessionEvent::Method(Event::Genres { probabilities, .. }) => {
                if let Some(bar) = self.sessions.get(&source.number) {
                    let shot = self.shots.get(&source.number).copied().unwrap_or_default();
                    bar.set_message(format!("shot {shot}: {}", leading(probabilities, GENRES)));
                }
            }
            // Without networks, the latest shot is all there is to show.
            SessionEvent::Method(Event::Shot { index, probabilities: None, .. }) => {
                if let Some(bar) = self.sessions.get(&source.number) {
                    bar.set_message(format!("shot {index}"));
                }
            }
            SessionEvent::Input(event) => {
                if let Some(line) = event.line() {
                    log::log!(level(event), "{}: {line}", source.name);
                }
            }
            SessionEvent::Method(_) => {}
        }
        Ok(())
    }

    fn status(&mut self, source: Source<'_>, status: Status) {
        if let (Status::Processed { time, .. }, Some(bar)) = (status, self.sessions.get(&source.number)) {
            bar.set_position(milliseconds(time));
            self.update_run();
        }
    }

    fn closed(&mut self, source: Source<'_>, _: bool) -> Result<()> {
        let had_session = self.sessions.remove(&source.number).is_some();
        self.shots.remove(&source.number);
        self.done += 1;
        self.update_run();
        // Inputs of an earlier run say nothing of the time that the others take.
        if let Some(run) = self.run.as_ref().filter(|_| !had_session) {
            run.reset_eta();
        }
        Ok(())
    }
}

/// Returns the level at which an event is logged: a warning where the results suffer.
fn level(event: &InputEvent) -> log::Level {
    match event {
        InputEvent::Live { state: LiveState::Waiting, .. } => log::Level::Warn,
        InputEvent::Rate { fps, from_fps, .. } if fps < from_fps => log::Level::Warn,
        InputEvent::Decode { decode, from_decode, .. } if decode < from_decode => log::Level::Warn,
        _ => log::Level::Info,
    }
}

/// Draws a bar over the presentation time of an input.
fn bar(info: &SourceInfo) -> Bar {
    let template = match info.duration {
        Some(_) => "{prefix} [{wide_bar}] {percent:>3} %  {msg}  {eta} left",
        None => "{prefix} {spinner} {elapsed}  {msg}",
    };
    let bar = Bar::new(info.duration.map(milliseconds), template);
    let name = info.name.rsplit('/').next().unwrap_or(&info.name);
    bar.set_prefix(printable(name).into_owned());
    bar
}

fn milliseconds(time: Timestamp) -> u64 {
    (time.as_nanos() / 1_000_000).max(0) as u64
}
