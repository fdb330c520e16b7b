//! Tables for people.

use std::fmt::Write as _;
use std::mem;

use anyhow::Result;
use divita_console::printable;
use divita_runtime::bundle::Task;
use divita_runtime::event::Event;
use divita_video::SourceInfo;

use super::format::{Content, Format, ResultWriter};
use crate::event::{InputEvent, LiveState, SessionEvent};

/// The table's line of this form.
pub(super) const FORMAT: Format = Format {
    name: "table",
    help: "For people",
    writer: |content| match content {
        Content::Genres(_) => Box::new(Results { is_live: false }),
        Content::Shots => Box::new(Shots),
    },
};

/// Writes results, and the shots of a live input as they end.
struct Results {
    /// Whether the events are those of a live input.
    is_live: bool,
}

/// Writes shots.
struct Shots;

impl ResultWriter for Results {
    fn event(&mut self, source: &str, event: &SessionEvent) -> Result<String> {
        let connected = |state: &LiveState| *state == LiveState::Connected;
        Ok(match event {
            SessionEvent::Input(InputEvent::Live { state, .. })
                if connected(state) && !mem::replace(&mut self.is_live, true) =>
            {
                shot_heading(source)
            }
            SessionEvent::Method(event @ Event::Shot { .. }) if self.is_live => shot(event),
            SessionEvent::Method(event @ Event::Result { .. }) => {
                self.is_live = false;
                result(source, event)
            }
            _ => String::new(),
        })
    }
}

impl ResultWriter for Shots {
    fn opened(&mut self, source: &SourceInfo) -> String {
        shot_heading(&source.name)
    }

    fn event(&mut self, _: &str, event: &SessionEvent) -> Result<String> {
        match event {
            SessionEvent::Method(event) => Ok(shot(event)),
            SessionEvent::Input(_) => Ok(String::new()),
        }
    }
}

/// Width of a probability's bar in characters.
const BAR: usize = 40;

/// Returns the result of one input; an empty text for other events.
fn result(source: &str, event: &Event) -> String {
    let Event::Result {
        probabilities,
        frames,
        shots,
        clips,
        snippets,
        duration_s,
        fps,
        bundle,
        task,
        trained,
        notice,
        lost_frames,
        complete,
        ..
    } = event
    else {
        return String::new();
    };
    let source = printable(source);
    let plural = |count: usize, one: &str| format!("{count} {one}{}", if count == 1 { "" } else { "s" });
    let mut text = format!(
        "{source}\n  {duration_s:.1} s, {frames} frames, {}, {} at {} frames a second, {}\n",
        plural(*shots, "shot"),
        plural(*clips, "clip"),
        fps.fps(),
        plural(*snippets, "snippet"),
    );
    if !trained {
        let _ = writeln!(text, "  UNTRAINED bundle {bundle:?}: these numbers show that it runs, not what the video is");
    }
    if let Some(notice) = notice {
        let _ = writeln!(text, "  bundle {bundle:?}: {}", printable(notice));
    }
    if *task == Task::SingleLabel {
        text.push_str("  one label: the probabilities sum to 1\n");
    }
    if *lost_frames > 0 {
        let _ = writeln!(text, "  INCOMPLETE: {lost_frames} of its pictures are damaged");
    } else if !complete {
        text.push_str("  INCOMPLETE: the input could not be read to its end\n");
    }
    let ranked = probabilities.ranked();
    let ranked: Vec<_> = ranked.iter().map(|(label, value)| (printable(label), *value)).collect();
    let width = ranked.iter().map(|(label, _)| label.len()).max().unwrap_or(0);
    for (label, value) in ranked {
        let filled = (value * BAR as f32).round() as usize;
        let bar = format!("{}{}", "█".repeat(filled), "·".repeat(BAR.saturating_sub(filled)));
        let _ = writeln!(text, "  {label:<width$}  {value:.3}  {bar}");
    }
    text
}

/// Returns the heading above shots.
fn shot_heading(source: &str) -> String {
    format!(
        "{}\n  {:>5}  {:>10}  {:>10}  {:>9}  {:>11}  {:>7}  begins with\n",
        printable(source),
        "shot",
        "start s",
        "end s",
        "seconds",
        "first frame",
        "frames"
    )
}

/// Returns the line of a shot; an empty text for other events.
fn shot(event: &Event) -> String {
    let Event::Shot { index, start_s, end_s, kind, first_frame, frames, .. } = event else { return String::new() };
    let kind = format!("{kind:?}").to_lowercase();
    let seconds = end_s - start_s;
    format!("  {index:>5}  {start_s:>10.3}  {end_s:>10.3}  {seconds:>9.3}  {first_frame:>11}  {frames:>7}  {kind}\n")
}
