//! CMX 3600 edit decision lists.
//!
//! Each shot is an event with a cut on the video track. It has the same place in the source and in
//! the record, so that gaps stay where they are. Events after the 999th have four digits.

use std::fmt::Write as _;

use crate::error::ShotListError;
use crate::film::Film;
use crate::shot_list::ShotList;
use crate::title::{beginning, file_name, leading_genre, one_line};

/// Maximum length of the title, in characters.
const TITLE_LENGTH: usize = 70;

/// Hours of timecode.
const HOURS: u64 = 24;

pub(super) fn write(film: &Film, list: &ShotList) -> Result<String, ShotListError> {
    let day = HOURS * 3600 * u64::from(list.rate().nominal());
    // Drop-frame labels of a day are fewer.
    let is_too_long = |frame: u64| frame >= day || list.timecode(frame).hours() >= HOURS;
    if list.shots().last().is_some_and(|shot| is_too_long(shot.frames.end)) {
        return Err(ShotListError::TooLong);
    }
    let name = file_name(&film.name);
    let title: String = name.chars().take(TITLE_LENGTH).collect();
    let mode = if list.drop_frame() { "DROP FRAME" } else { "NON-DROP FRAME" };
    let mut text = format!("TITLE: {title}\nFCM: {mode}\n\n");
    for shot in list.shots() {
        let (start, end) = (list.timecode(shot.frames.start), list.timecode(shot.frames.end));
        // Writing to a string cannot fail.
        let _ = writeln!(text, "{:03}  AX       V     C        {start} {end} {start} {end}", shot.number);
        let _ = writeln!(text, "* FROM CLIP NAME: {name}");
        let genre = leading_genre(shot).map(|genre| format!(", {genre}")).unwrap_or_default();
        let _ = writeln!(text, "* SHOT {}: {}{genre}", shot.number, beginning(shot));
    }
    if let (Some(notice), false) = (&film.notice, list.shots().is_empty()) {
        let _ = writeln!(text, "* NOTICE: {}", one_line(notice));
    }
    Ok(text)
}
