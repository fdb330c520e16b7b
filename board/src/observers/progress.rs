//! The progress of a session: a bar on a terminal, and log messages about the input.

use std::time::Duration;

use anyhow::Result;
use divita_console::printable;
use divita_runtime::event::Event;
use divita_runtime::frame::Timestamp;
use divita_video::{Input, SourceInfo};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::observer::{Observer, RunInfo, Status};
use crate::event::{InputEvent, LiveState, SessionEvent};

/// Draws a bar on standard error for each session.
#[derive(Default)]
struct Progress {
    /// The bar of the open session.
    bar: Option<Bar>,
}

/// A bar over the presentation time of an input. It is removed from the terminal when dropped.
struct Bar(ProgressBar);

/// Starts without a bar.
#[expect(clippy::unnecessary_wraps, reason = "the signature of the table of observers")]
pub(super) fn start(_: &RunInfo<'_>) -> Result<Option<Box<dyn Observer>>> {
    Ok(Some(Box::<Progress>::default()))
}

impl Observer for Progress {
    fn opened(&mut self, source: &SourceInfo) -> Result<()> {
        self.bar = Some(Bar::new(source));
        Ok(())
    }

    fn event(&mut self, source: &Input, event: &SessionEvent) -> Result<()> {
        let Some(Bar(bar)) = &self.bar else { return Ok(()) };
        match event {
            SessionEvent::Method(Event::Genres { probabilities, .. }) => {
                if let Some((label, value)) = probabilities.ranked().first() {
                    bar.set_message(printable(&format!("{label} {value:.2}")).into_owned());
                }
            }
            SessionEvent::Input(event) => {
                if let Some(line) = event.line() {
                    bar.suspend(|| log::log!(level(event), "{source}: {line}"));
                }
            }
            SessionEvent::Method(_) => {}
        }
        Ok(())
    }

    fn status(&mut self, status: Status) {
        if let (Status::Read(time), Some(Bar(bar))) = (status, &self.bar) {
            bar.set_position(milliseconds(time));
        }
    }

    fn closed(&mut self, _: bool) {
        self.bar = None;
    }
}

/// Returns the level at which an event is logged: a warning where the results suffer.
fn level(event: &InputEvent) -> log::Level {
    match event {
        InputEvent::Live { state: LiveState::Waiting, .. } => log::Level::Warn,
        InputEvent::Rate { fps, from_fps, .. } if fps < from_fps => log::Level::Warn,
        _ => log::Level::Info,
    }
}

impl Bar {
    fn new(source: &SourceInfo) -> Self {
        let bar = match source.duration {
            Some(duration) => ProgressBar::new(milliseconds(duration)),
            None => ProgressBar::no_length(),
        };
        // Hidden where standard error is no terminal.
        bar.set_draw_target(ProgressDrawTarget::stderr_with_hz(10));
        let template = match source.duration {
            Some(_) => "{prefix} [{wide_bar}] {percent:>3} %  {msg}  {eta} left",
            None => "{prefix} {spinner} {elapsed}  {msg}",
        };
        // The templates are constants: they parse.
        bar.set_style(
            ProgressStyle::with_template(template).unwrap_or(ProgressStyle::default_bar()).progress_chars("=> "),
        );
        let name = source.name.rsplit('/').next().unwrap_or(&source.name);
        bar.set_prefix(printable(name).into_owned());
        // It takes a thread, which a bar that nobody sees does not need.
        if !bar.is_hidden() {
            bar.enable_steady_tick(Duration::from_millis(200));
        }
        Bar(bar)
    }
}

impl Drop for Bar {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}

fn milliseconds(time: Timestamp) -> u64 {
    (time.as_nanos() / 1_000_000).max(0) as u64
}
