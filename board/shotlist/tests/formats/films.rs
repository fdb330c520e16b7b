//! Films whose shots are known.

use std::ops::Range;

use divita_shotlist::{Film, FrameRate, Shot, ShotList, ShotListFormat, ShotListOptions};

/// Frame rates that editors know, and whether timecode drops labels.
pub const RATES: [(f64, Option<bool>); 10] = [
    (23.976, None),
    (23.976023976, None),
    (24.0, None),
    (25.0, None),
    (29.97, None),
    (29.97, Some(false)),
    (30.0, None),
    (50.0, None),
    (59.94, None),
    (59.94, Some(false)),
];

const KINDS: [&str; 6] = ["start", "cut", "black", "fade", "gradual", "gap"];

/// Returns a film with the given frames in its shots, at presentation times that `time_s` gives.
pub fn film_with_times(fps: Option<f64>, frames: &[Range<u64>], time_s: impl Fn(u64) -> f64) -> Film {
    let shots = frames.iter().enumerate().map(|(index, frames)| Shot {
        index,
        // As in the events: nanoseconds.
        start_s: (time_s(frames.start) * 1e9).round() / 1e9,
        end_s: (time_s(frames.end) * 1e9).round() / 1e9,
        first_frame: frames.start,
        frames: frames.end - frames.start,
        kind: KINDS[index % KINDS.len()].into(),
        genres: match index % 3 {
            0 => vec![],
            _ => vec![("drama".into(), 0.25), ("fantasy".into(), 0.81)],
        },
    });
    let shots: Vec<Shot> = shots.collect();
    Film {
        name: "films/a film.mp4".into(),
        frame_rate: fps,
        width: Some(1280),
        height: Some(720),
        frames: frames.last().map(|frames| frames.end),
        duration_s: shots.last().map(|shot| shot.end_s),
        notice: Some("trained on drawings".into()),
        shots,
    }
}

/// Returns a film of a constant rate with the given frames in its shots.
pub fn film(fps: f64, frames: &[Range<u64>]) -> Film {
    let rate = FrameRate::from_f64(fps).unwrap();
    film_with_times(Some(fps), frames, |frame| rate.seconds(frame))
}

/// Returns the frames of shots that fill `length` frames. Lengths vary, every ninth shot has one
/// frame, and every fourth shot follows a transition.
pub fn many_shots(length: u64) -> Vec<Range<u64>> {
    let (mut shots, mut start) = (Vec::new(), 0);
    for k in 0_u64.. {
        let gap = if k % 4 == 3 { 1 + k % 23 } else { 0 };
        let frames = if k % 9 == 8 { 1 } else { 20 + k * 7919 % 500 };
        let end = start + gap + frames;
        if end > length {
            break;
        }
        shots.push(start + gap..end);
        start = end;
    }
    shots
}

/// Returns the list of a film and the text of it in a format.
pub fn written(film: &Film, format: &str, options: &ShotListOptions) -> (ShotList, String) {
    let list = ShotList::new(film, options).unwrap();
    let text = (ShotListFormat::from_name(format).unwrap().write)(film, &list).unwrap();
    (list, text)
}

/// Returns the frames of the shots of a list.
pub fn frames(list: &ShotList) -> Vec<Range<u64>> {
    list.shots().iter().map(|shot| shot.frames.clone()).collect()
}
