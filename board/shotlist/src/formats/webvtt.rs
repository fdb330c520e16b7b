//! WebVTT, with a cue for each shot. Web players show such files as chapters or metadata.

use std::fmt::Write as _;

use crate::clock_time::{from_milliseconds, milliseconds};
use crate::error::ShotListError;
use crate::film::Film;
use crate::shot_list::ShotList;
use crate::title::{one_line, shot_title};

pub(super) fn write(film: &Film, list: &ShotList) -> Result<String, ShotListError> {
    let mut text = "WEBVTT\n".to_owned();
    if let Some(notice) = &film.notice {
        // Writing to a string cannot fail.
        let _ = write!(text, "\nNOTE {}\n", escaped(&one_line(notice)));
    }
    for shot in list.shots() {
        // A cue must end after it begins.
        let start = milliseconds(shot.start_s);
        let end = milliseconds(shot.end_s).max(start + 1);
        let (start, end) = (from_milliseconds(start), from_milliseconds(end));
        let title = escaped(&shot_title(shot));
        let _ = write!(text, "\n{}\n{start} --> {end}\n{title}\n", shot.number);
    }
    Ok(text)
}

/// Returns a text without tags, references and arrows of WebVTT.
fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}
