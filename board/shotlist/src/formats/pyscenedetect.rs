//! The CSV that PySceneDetect's command `list-scenes` writes.
//!
//! The first line lists the timecodes of the cuts. Frames count from 1. Timecodes and seconds are
//! those of the frames at the constant rate, because PySceneDetect computes them so.

use crate::error::ShotListError;
use crate::film::Film;
use crate::frame_rate::FrameRate;
use crate::shot_list::ShotList;

/// Names of the columns.
const COLUMNS: [&str; 10] = [
    "Scene Number",
    "Start Frame",
    "Start Timecode",
    "Start Time (seconds)",
    "End Frame",
    "End Timecode",
    "End Time (seconds)",
    "Length (frames)",
    "Length (timecode)",
    "Length (seconds)",
];

pub(super) fn write(_: &Film, list: &ShotList) -> Result<String, ShotListError> {
    let rate = list.rate();
    // Rows have different lengths. Writing to memory cannot fail.
    let mut csv = csv::WriterBuilder::new().flexible(true).from_writer(Vec::new());
    let cuts = list.shots().iter().skip(1).map(|shot| timecode(shot.frames.start, rate));
    let _ = csv.write_record(std::iter::once("Timecode List:".to_owned()).chain(cuts));
    let _ = csv.write_record(COLUMNS);
    for shot in list.shots() {
        let frames = &shot.frames;
        let length = frames.end - frames.start;
        let [start_s, end_s, length_s] = [frames.start, frames.end, length].map(|frame| rate.seconds(frame));
        let _ = csv.write_record([
            shot.number.to_string(),
            (frames.start + 1).to_string(),
            timecode(frames.start, rate),
            format!("{start_s:.3}"),
            frames.end.to_string(),
            timecode(frames.end, rate),
            format!("{end_s:.3}"),
            length.to_string(),
            timecode(length, rate),
            format!("{length_s:.3}"),
        ]);
    }
    let bytes = csv.into_inner().unwrap_or_default();
    Ok(String::from_utf8(bytes).unwrap_or_default())
}

/// Returns the time of a frame as `HH:MM:SS.mmm`.
///
/// Divides, subtracts and rounds in PySceneDetect's order, so that times in the middle between two
/// milliseconds become the same one.
fn timecode(frame: u64, rate: FrameRate) -> String {
    let time_s = frame as f64 / rate.as_f64();
    let mut hours = (time_s / 3600.0) as u64;
    let rest_s = time_s - hours as f64 * 3600.0;
    let mut minutes = (rest_s / 60.0) as u64;
    let mut seconds = format!("{:06.3}", (rest_s - minutes as f64 * 60.0).max(0.0));
    if seconds.starts_with("60") {
        seconds = "00.000".to_owned();
        minutes += 1;
        if minutes >= 60 {
            (hours, minutes) = (hours + 1, 0);
        }
    }
    format!("{hours:02}:{minutes:02}:{seconds}")
}
