//! A page with a table of the shots, for a browser. It needs no other files and no scripts.

use std::fmt::Write as _;

use crate::clock_time::clock_time;
use crate::error::ShotListError;
use crate::film::Film;
use crate::markup::escaped;
use crate::shot_list::{ListedShot, ShotList};
use crate::title::{beginning, file_name, one_line};

/// Number of genres of a shot that the page shows.
const GENRES: usize = 3;

/// Minimum probability of a genre after the first that the page shows.
const MIN_PROBABILITY: f32 = 0.5;

/// The style of the page.
const STYLE: &str = "\
:root { color-scheme: light dark; font: 1rem/1.4 system-ui, sans-serif; }
body { margin: 2rem auto; max-width: 70rem; padding: 0 1rem; }
table { border-collapse: collapse; width: 100%; }
caption { padding: 0.5rem 0; text-align: start; }
th, td { border-bottom: 1px solid color-mix(in srgb, currentColor 25%, transparent); padding: 0.3rem 0.6rem; }
th { text-align: start; }
td { font-variant-numeric: tabular-nums; vertical-align: top; }
td.number { text-align: end; }
h1 { overflow-wrap: anywhere; }";

pub(super) fn write(film: &Film, list: &ShotList) -> Result<String, ShotListError> {
    let name = escaped(&file_name(&film.name));
    let notice = film.notice.as_ref().map(|notice| format!("<p>{}</p>\n", escaped(&one_line(notice))));
    let mut text = format!(
        "<!DOCTYPE html>
<html lang=\"en\">
<head>
<meta charset=\"utf-8\">
<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">
<title>Shots of {name}</title>
<style>
{STYLE}
</style>
</head>
<body>
<h1>Shots of {name}</h1>
{notice}<table>
<caption>{shots} shots, {rate} frames per second. A shot ends before the frame at its end.</caption>
<thead>
<tr><th scope=\"col\">Shot</th><th scope=\"col\">Start</th><th scope=\"col\">End</th><th scope=\"col\">Length</th>\
<th scope=\"col\">Time of start</th><th scope=\"col\">Begins with</th><th scope=\"col\">Genres</th></tr>
</thead>
<tbody>
",
        notice = notice.unwrap_or_default(),
        shots = list.shots().len(),
        rate = list.rate(),
    );
    for shot in list.shots() {
        // Writing to a string cannot fail.
        let _ = writeln!(
            text,
            "<tr><td class=\"number\">{}</td><td>{}</td><td>{}</td><td class=\"number\">{} frames</td><td>{}</td>\
            <td>{}</td><td>{}</td></tr>",
            shot.number,
            list.timecode(shot.frames.start),
            list.timecode(shot.frames.end),
            shot.frames.end - shot.frames.start,
            clock_time(shot.start_s),
            escaped(&beginning(shot)),
            genres(shot),
        );
    }
    text.push_str("</tbody>\n</table>\n</body>\n</html>\n");
    Ok(text)
}

/// Returns the most probable genres of a shot and their probabilities.
fn genres(shot: &ListedShot) -> String {
    let shown = shot.genres.iter().take(GENRES).enumerate();
    let shown = shown.filter(|(rank, (_, probability))| *rank == 0 || *probability >= MIN_PROBABILITY);
    let shown: Vec<String> =
        shown.map(|(_, (label, probability))| format!("{} {probability:.2}", escaped(&one_line(label)))).collect();
    shown.join(", ")
}
