//! Chapters in ffmpeg's metadata format, ffmetadata.
//!
//! Add them without a new encoding: `ffmpeg -i film.mp4 -i film.ffmetadata -map_metadata 0
//! -map_chapters 1 -c copy film.mkv`.

use std::fmt::Write as _;

use crate::error::ShotListError;
use crate::film::Film;
use crate::shot_list::ShotList;
use crate::title::{one_line, shot_title};

pub(super) fn write(film: &Film, list: &ShotList) -> Result<String, ShotListError> {
    let mut text = ";FFMETADATA1\n".to_owned();
    if let Some(notice) = &film.notice {
        // Writing to a string cannot fail.
        let _ = writeln!(text, "; {}", one_line(notice));
    }
    for shot in list.shots() {
        let [start, end] = [shot.start_s, shot.end_s].map(|time_s| (time_s * 1e9).round().max(0.0) as u64);
        let title = escaped(&shot_title(shot));
        let _ = write!(text, "\n[CHAPTER]\nTIMEBASE=1/1000000000\nSTART={start}\nEND={end}\ntitle={title}\n");
    }
    Ok(text)
}

/// Returns a value with the special characters of ffmetadata escaped.
fn escaped(value: &str) -> String {
    let mut escaped = String::with_capacity(value.len());
    for c in value.chars() {
        if matches!(c, '=' | ';' | '#' | '\\' | '\n') {
            escaped.push('\\');
        }
        escaped.push(c);
    }
    escaped
}
