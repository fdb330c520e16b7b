//! The progress of one input: a bar on a terminal, nothing elsewhere.

use std::time::Duration;

use divita_runtime::event::{Event, LiveState};
use divita_runtime::frame::Timestamp;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use divita_console::printable;
use divita_video::SourceInfo;

/// A bar over the presentation time of an input, drawn on standard error.
pub struct Progress {
    bar: ProgressBar,
    name: String,
}

impl Progress {
    /// The bar of the input that `info` describes.
    pub fn of(info: &SourceInfo) -> Self {
        let bar = match info.duration {
            Some(duration) => ProgressBar::new(milliseconds(duration)),
            None => ProgressBar::no_length(),
        };
        // Hidden by itself where standard error is no terminal.
        bar.set_draw_target(ProgressDrawTarget::stderr_with_hz(10));
        let template = match info.duration {
            Some(_) => "{prefix} [{wide_bar}] {percent:>3} %  {msg}  {eta} left",
            None => "{prefix} {spinner} {elapsed}  {msg}",
        };
        // The templates are constants: they parse.
        bar.set_style(
            ProgressStyle::with_template(template).unwrap_or(ProgressStyle::default_bar()).progress_chars("=> "),
        );
        let name = info.name.rsplit('/').next().unwrap_or(&info.name).to_owned();
        bar.set_prefix(printable(&name).into_owned());
        bar.enable_steady_tick(Duration::from_millis(200));
        Progress { bar, name: info.name.clone() }
    }

    /// The source has been read up to `time`.
    pub fn reached(&self, time: Timestamp) {
        self.bar.set_position(milliseconds(time));
    }

    /// Logs what happened to a live input: as a warning what is bad for the results, as information the rest.
    pub fn tell(&self, event: &Event) {
        let level = match event {
            Event::Live { state: LiveState::Waiting, .. } => log::Level::Warn,
            Event::Rate { fps, from_fps, .. } if fps < from_fps => log::Level::Warn,
            _ => log::Level::Info,
        };
        if let Some(line) = line(event) {
            self.bar.suspend(|| log::log!(level, "{}: {line}", self.name));
        }
    }

    /// What there is to say right now, in a few words.
    pub fn say(&self, message: String) {
        self.bar.set_message(printable(&message).into_owned());
    }
}

/// What befalls a live input, for people.
pub fn line(event: &Event) -> Option<String> {
    match event {
        Event::Live { state: LiveState::Waiting, message, fault, retry_s, .. } => {
            let what = message.as_deref().or(fault.as_deref()).unwrap_or("it failed");
            Some(format!("{what}; trying again in {:.1} s", retry_s.unwrap_or(0.0)))
        }
        Event::Live { width, height, .. } => {
            Some(format!("pictures of {}x{}", width.unwrap_or(0), height.unwrap_or(0)))
        }
        Event::Rate { message, .. } => Some(message.clone()),
        _ => None,
    }
}

/// Leaves nothing on the terminal.
impl Drop for Progress {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}

fn milliseconds(time: Timestamp) -> u64 {
    (time.as_nanos() / 1_000_000).max(0) as u64
}
