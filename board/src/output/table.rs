//! Tables for people.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use anyhow::Result;
use divita_console::printable;
use divita_runtime::bundle::Task;
use divita_runtime::event::Event;
use divita_video::SourceInfo;

use super::format::{Content, Format, ResultWriter, Writer};
use super::shot_timeline::ShotTimeline;
use crate::event::{InputEvent, LiveState, SessionEvent, leading};

/// The table's line of this form.
pub(super) const FORMAT: Format = Format {
    name: "table",
    help: "For people",
    writer: Writer::Events(|presentation| match presentation.content {
        Content::Genres(_) => Box::new(Results {
            live: LiveShots { have_genres: true, ..LiveShots::default() },
            timelines: presentation.colours.then(BTreeMap::new),
        }),
        Content::Shots => Box::new(Shots(LiveShots::default())),
    }),
    is_printable: true,
};

/// Writes results, and the shots of a live input as they end.
struct Results {
    live: LiveShots,
    /// The shots of files so far, if the reader sees colours.
    timelines: Option<BTreeMap<String, ShotTimeline>>,
}

/// Writes shots.
struct Shots(LiveShots);

/// The shots of live inputs, whose lines stand among each other.
#[derive(Default)]
struct LiveShots {
    /// The live inputs.
    sources: BTreeSet<String>,
    /// The one that the last heading is of.
    last: Option<String>,
    /// Whether shots have genres.
    have_genres: bool,
}

impl LiveShots {
    fn opened(&mut self, source: &str, info: &SourceInfo) {
        if info.live {
            self.sources.insert(source.to_owned());
        }
    }

    /// Returns the line of a shot of a live input, or that it is connected, under a heading that
    /// names it. An empty text for other events.
    fn event(&mut self, source: &str, event: &SessionEvent) -> String {
        let line = match event {
            SessionEvent::Input(InputEvent::Live { state: LiveState::Connected, .. }) => String::new(),
            SessionEvent::Method(event @ Event::Shot { .. }) => shot(event, self.have_genres),
            _ => return String::new(),
        };
        if !self.sources.contains(source) {
            return String::new();
        }
        let is_same = self.last.replace(source.to_owned()).is_some_and(|last| last == source);
        if is_same { line } else { shot_heading(source, self.have_genres) + &line }
    }
}

impl ResultWriter for Results {
    fn opened(&mut self, source: &str, info: &SourceInfo) -> String {
        self.live.opened(source, info);
        if let Some(timelines) = self.timelines.as_mut().filter(|_| !info.live) {
            timelines.insert(source.to_owned(), ShotTimeline::default());
        }
        String::new()
    }

    fn event(&mut self, source: &str, event: &SessionEvent) -> Result<String> {
        let timeline = self.timelines.as_mut().and_then(|timelines| timelines.get_mut(source));
        Ok(match event {
            SessionEvent::Method(event @ Event::Result { duration_s, task, .. }) => {
                if self.live.sources.contains(source) {
                    self.live.last = None;
                }
                let timeline =
                    timeline.map_or(String::new(), |timeline| std::mem::take(timeline).draw(*duration_s, *task));
                result(source, event) + &timeline
            }
            event => {
                if let (Some(timeline), SessionEvent::Method(event)) = (timeline, event) {
                    timeline.add(event);
                }
                self.live.event(source, event)
            }
        })
    }
}

impl ResultWriter for Shots {
    fn opened(&mut self, source: &str, info: &SourceInfo) -> String {
        self.0.opened(source, info);
        if info.live { String::new() } else { shot_heading(&info.name, false) }
    }

    fn event(&mut self, source: &str, event: &SessionEvent) -> Result<String> {
        Ok(match event {
            event if self.0.sources.contains(source) => self.0.event(source, event),
            SessionEvent::Method(event) => shot(event, false),
            SessionEvent::Input(_) => String::new(),
        })
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
        dropped_clips,
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
    if *dropped_clips > 0 {
        let _ = writeln!(text, "  {dropped_clips} of its clips were dropped: the board was too slow for them");
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
fn shot_heading(source: &str, with_genres: bool) -> String {
    let genres = if with_genres { "  genres" } else { "" };
    format!(
        "{}\n  {:>5}  {:>10}  {:>10}  {:>9}  {:>11}  {:>7}  begins with{genres}\n",
        printable(source),
        "shot",
        "start s",
        "end s",
        "seconds",
        "first frame",
        "frames"
    )
}

/// Number of genres in the line of a shot.
const SHOT_GENRES: usize = 2;

/// Returns the line of a shot; an empty text for other events.
fn shot(event: &Event, with_genres: bool) -> String {
    let Event::Shot { index, start_s, end_s, kind, first_frame, frames, probabilities, .. } = event else {
        return String::new();
    };
    let kind = kind.name();
    let seconds = end_s - start_s;
    let genres = match probabilities.as_ref().filter(|_| with_genres) {
        Some(probabilities) => format!("{kind:<11}  {}", leading(probabilities, SHOT_GENRES)),
        None => kind.to_owned(),
    };
    format!("  {index:>5}  {start_s:>10.3}  {end_s:>10.3}  {seconds:>9.3}  {first_frame:>11}  {frames:>7}  {genres}\n")
}
