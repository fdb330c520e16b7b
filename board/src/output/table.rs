//! Tables for people.

use std::fmt::Write as _;

use divita_runtime::bundle::Task;
use divita_runtime::event::Event;

use divita_console::printable;

/// Width of a probability's bar in characters.
const BAR: usize = 40;

/// The result of one input; empty for other events.
pub fn result(source: &str, event: &Event) -> String {
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

/// The heading above shots.
pub fn shot_heading(source: &str) -> String {
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

/// One shot; empty for other events.
pub fn shot(event: &Event) -> String {
    let Event::Shot { index, start_s, end_s, kind, first_frame, frames, .. } = event else { return String::new() };
    let kind = format!("{kind:?}").to_lowercase();
    let seconds = end_s - start_s;
    format!("  {index:>5}  {start_s:>10.3}  {end_s:>10.3}  {seconds:>9.3}  {first_frame:>11}  {frames:>7}  {kind}\n")
}
