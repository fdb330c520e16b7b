//! Scripts for ffmpeg's concat demuxer.
//!
//! ffmpeg reads whole groups of pictures, so a script is exact only where each picture is a key
//! picture, as in ProRes, DNxHD or MJPEG. In other films, a shot begins with the key picture
//! before it. Times count from zero, so the film must do so too, as most files but MPEG-TS do.
//! Paths with other characters than letters, digits, `.`, `_` and `-` need the option `-safe 0`.

use std::fmt::Write as _;

use crate::error::ShotListError;
use crate::film::Film;
use crate::media_address;
use crate::shot_list::ShotList;
use crate::title::one_line;

pub(super) fn write(film: &Film, list: &ShotList) -> Result<String, ShotListError> {
    let is_line_end = |c: char| matches!(c, '\n' | '\r' | '\0');
    if let Some(character) = film.name.chars().find(|&c| is_line_end(c)) {
        return Err(ShotListError::UnwritableName { character });
    }
    let file = quoted(&media_address::concat_file(&film.name));
    let mut text = "ffconcat version 1.0\n".to_owned();
    if let Some(notice) = &film.notice {
        // Writing to a string cannot fail.
        let _ = writeln!(text, "# {}", one_line(notice));
    }
    for shot in list.shots() {
        // Rounded down, so that the next shot's first frame is never before the end of this one.
        let [start, end] = [shot.start_s, shot.end_s].map(microseconds);
        let _ = write!(text, "\nfile {file}\ninpoint {start}\noutpoint {end}\n");
    }
    Ok(text)
}

/// Returns a time with six digits after the point, rounded down. Negative times become zero.
fn microseconds(time_s: f64) -> String {
    // The events have nine digits, so half a nanosecond is less than any time has.
    let microseconds = (time_s * 1e6 + 0.0005).floor().max(0.0) as u64;
    format!("{}.{:06}", microseconds / 1_000_000, microseconds % 1_000_000)
}

/// Returns a text in quotes of ffmpeg.
fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}
