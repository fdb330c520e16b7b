//! A shot list: the shots of a film with the frames and times that every format writes.

use std::ops::Range;

use crate::error::ShotListError;
use crate::film::{Film, Shot};
use crate::frame_index::FrameIndex;
use crate::frame_rate::FrameRate;
use crate::timecode::Timecode;

/// Latest time of a shot in seconds, 31 years.
const LATEST_S: f64 = 1e9;

/// Highest frame index. Every product with a denominator of a frame rate fits in 64 bits.
const HIGHEST_FRAME: u64 = 10_000_000_000_000;

/// How a shot list treats transitions, short shots and timecode.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct ShotListOptions {
    /// Whether to split each transition in the middle, so that shots adjoin. The first shot then
    /// begins at the start of the film, and the last one ends at its end.
    pub gap_free: bool,
    /// Minimum length of a shot in seconds. A shorter shot joins the shot before it. The first
    /// shot joins the one after it.
    pub min_length_s: f64,
    /// Whether timecode drops labels. `None`: at 29.97 and 59.94 frames per second.
    pub drop_frame: Option<bool>,
}

/// A shot of a shot list.
#[derive(Clone, Debug, PartialEq)]
pub struct ListedShot {
    /// Number in the list, from 1.
    pub number: usize,
    /// Index of the first detected shot that it consists of, from 0.
    pub index: usize,
    /// Frames at the constant rate of the list.
    pub frames: Range<u64>,
    /// Presentation time of the first frame, in seconds.
    pub start_s: f64,
    /// Presentation time of the first frame after the shot, in seconds.
    pub end_s: f64,
    /// How the shot begins: `start`, `cut`, `black`, `fade`, `gradual` or `gap`.
    pub kind: String,
    /// Labels and their probabilities, the most probable first. Of joined shots, those of the
    /// longest one. May be empty.
    pub genres: Vec<(String, f32)>,
}

impl ListedShot {
    /// Returns the most probable genre and its probability.
    #[must_use]
    pub fn leading_genre(&self) -> Option<(&str, f32)> {
        self.genres.first().map(|(label, probability)| (label.as_str(), *probability))
    }
}

/// The shots of a film, ready to be written in any format.
#[derive(Clone, Debug, PartialEq)]
pub struct ShotList {
    rate: FrameRate,
    drop_frame: bool,
    length: u64,
    first_s: Option<f64>,
    cut_lead_s: f64,
    shots: Vec<ListedShot>,
}

impl ShotList {
    /// Returns the shot list of `film`: joins short shots, then closes gaps.
    ///
    /// # Errors
    /// If the frame rate is unknown, the rate has no drop-frame timecode, or times are no numbers
    /// or out of order.
    pub fn new(film: &Film, options: &ShotListOptions) -> Result<Self, ShotListError> {
        let rate = match film.frame_rate {
            Some(fps) => FrameRate::from_f64(fps).ok_or(ShotListError::InvalidFrameRate { fps })?,
            None => FrameRate::from_shots(&film.shots).ok_or(ShotListError::UnknownFrameRate)?,
        };
        let drop_frame = options.drop_frame.unwrap_or(rate.is_drop_frame_rate());
        if drop_frame && !rate.is_drop_frame_rate() {
            return Err(ShotListError::NoDropFrame { rate });
        }
        check(&film.shots)?;
        let index = FrameIndex::new(&film.shots, rate);
        let ranges = index.frames(&film.shots);
        if let Some((shot, _)) = film.shots.iter().zip(&ranges).find(|(_, range)| range.end > HIGHEST_FRAME) {
            return Err(ShotListError::OutOfRange { index: shot.index });
        }
        let last = film.shots.last();
        let last_end = ranges.last().map_or(0, |range| range.end);
        // A container may state nonsense.
        let duration_s = film.duration_s.filter(|end_s| (0.0..=LATEST_S).contains(end_s));
        let frames = film.frames.filter(|frames| *frames <= HIGHEST_FRAME);
        let length = index.length(frames, duration_s).unwrap_or(0).max(last_end);
        let starts_at = film.shots.first().filter(|shot| shot.first_frame == 0).map(|shot| shot.start_s);
        let first_s = index.offset_s().or(starts_at);
        let mut shots = joined(&film.shots, ranges, options.min_length_s);
        if options.gap_free {
            let end_s = match (index.offset_s(), duration_s) {
                (_, Some(end_s)) => end_s,
                (Some(offset_s), None) => offset_s + rate.seconds(length),
                (None, None) => 0.0,
            };
            let end_s = end_s.max(last.map_or(0.0, |shot| shot.end_s));
            close_gaps(&mut shots, &index, (0, first_s.unwrap_or(0.0).min(0.0)), (length, end_s));
        }
        let cut_lead_s = match index.offset_s() {
            Some(_) => rate.seconds(1) / 2.0,
            None => 0.0005,
        };
        Ok(ShotList { rate, drop_frame, length, first_s, cut_lead_s, shots })
    }

    /// Returns the exact frame rate.
    #[must_use]
    pub fn rate(&self) -> FrameRate {
        self.rate
    }

    /// Returns whether timecode drops labels.
    #[must_use]
    pub fn drop_frame(&self) -> bool {
        self.drop_frame
    }

    /// Returns the number of frames of the film, at least the end of the last shot.
    #[must_use]
    pub fn length(&self) -> u64 {
        self.length
    }

    /// Returns the shots in order.
    #[must_use]
    pub fn shots(&self) -> &[ListedShot] {
        &self.shots
    }

    /// Returns the timecode of a frame.
    #[must_use]
    pub fn timecode(&self, frame: u64) -> Timecode {
        Timecode::from_frame(frame, self.rate, self.drop_frame)
    }

    /// Returns the presentation time of the first frame of the film in seconds. `None` if the frame
    /// rate is variable and the first shot begins later.
    #[must_use]
    pub fn first_s(&self) -> Option<f64> {
        self.first_s
    }

    /// Returns by how many seconds a cut precedes the first frame of a shot, so that rounded times
    /// keep the frame on its side: half a frame at a constant rate, half a millisecond otherwise.
    pub(crate) fn cut_lead_s(&self) -> f64 {
        self.cut_lead_s
    }
}

/// Checks that times and frames are in range and in order.
fn check(shots: &[Shot]) -> Result<(), ShotListError> {
    let (mut end_s, mut end) = (f64::NEG_INFINITY, 0);
    for shot in shots {
        let index = shot.index;
        let is_time = |time_s: f64| (-LATEST_S..=LATEST_S).contains(&time_s);
        let is_count = |count: u64| count <= HIGHEST_FRAME;
        if !is_time(shot.start_s) || !is_time(shot.end_s) || !is_count(shot.first_frame) || !is_count(shot.frames) {
            return Err(ShotListError::OutOfRange { index });
        }
        if shot.start_s < end_s || shot.end_s < shot.start_s || shot.first_frame < end {
            return Err(ShotListError::OutOfOrder { index });
        }
        (end_s, end) = (shot.end_s, shot.first_frame + shot.frames);
    }
    Ok(())
}

/// Returns the shots with their frames. Those shorter than `min_length_s` have joined another.
fn joined(shots: &[Shot], ranges: Vec<Range<u64>>, min_length_s: f64) -> Vec<ListedShot> {
    let mut list: Vec<ListedShot> = Vec::with_capacity(shots.len());
    // Length of the shot whose genres the last one of the list has.
    let mut longest_s = 0.0;
    for (shot, frames) in shots.iter().zip(ranges) {
        let length_s = shot.end_s - shot.start_s;
        let is_short = |start_s: f64, end_s: f64| end_s - start_s < min_length_s;
        let only = list.len() == 1;
        match list.last_mut() {
            Some(last) if is_short(shot.start_s, shot.end_s) || (only && is_short(last.start_s, last.end_s)) => {
                last.end_s = shot.end_s;
                last.frames.end = frames.end;
                if length_s > longest_s {
                    (longest_s, last.genres) = (length_s, ranked(&shot.genres));
                }
            }
            _ => {
                longest_s = length_s;
                list.push(ListedShot {
                    number: list.len() + 1,
                    index: shot.index,
                    frames,
                    start_s: shot.start_s,
                    end_s: shot.end_s,
                    kind: shot.kind.clone(),
                    genres: ranked(&shot.genres),
                });
            }
        }
    }
    list
}

/// Returns the genres, the most probable first. Leaves out those without a probability.
fn ranked(genres: &[(String, f32)]) -> Vec<(String, f32)> {
    let mut genres: Vec<_> = genres.iter().filter(|(_, probability)| probability.is_finite()).cloned().collect();
    genres.sort_by(|a, b| b.1.total_cmp(&a.1));
    genres
}

/// Splits each gap in the middle, and extends the first and the last shot to the ends of the film.
/// Each end is a frame and its time.
fn close_gaps(shots: &mut [ListedShot], index: &FrameIndex, start: (u64, f64), end: (u64, f64)) {
    for k in 1..shots.len() {
        let (before, after) = shots.split_at_mut(k);
        if let (Some(before), Some(after)) = (before.last_mut(), after.first_mut()) {
            let gap = before.frames.end..after.frames.start;
            let (frame, time_s) = index.middle(gap, before.end_s..after.start_s);
            (before.frames.end, after.frames.start) = (frame, frame);
            (before.end_s, after.start_s) = (time_s, time_s);
        }
    }
    if let Some(first) = shots.first_mut() {
        (first.frames.start, first.start_s) = start;
    }
    if let Some(last) = shots.last_mut() {
        (last.frames.end, last.end_s) = end;
    }
}

#[cfg(test)]
mod tests {
    use super::{ShotList, ShotListOptions};
    use crate::error::ShotListError;
    use crate::film::{Film, Shot};

    /// Returns a film at 10 fps with shots of the given frames.
    fn film(ranges: &[(u64, u64)]) -> Film {
        let shots = ranges.iter().enumerate().map(|(index, &(start, end))| Shot {
            index,
            start_s: start as f64 / 10.0,
            end_s: end as f64 / 10.0,
            first_frame: start,
            frames: end - start,
            kind: "cut".into(),
            genres: vec![(format!("shot {index}"), 0.5)],
        });
        Film { frame_rate: Some(10.0), shots: shots.collect(), ..Film::default() }
    }

    fn ranges(film: &Film, options: &ShotListOptions) -> Vec<(u64, u64)> {
        let list = ShotList::new(film, options).unwrap();
        list.shots().iter().map(|shot| (shot.frames.start, shot.frames.end)).collect()
    }

    #[test]
    fn gaps_are_split_in_the_middle() {
        let options = ShotListOptions { gap_free: true, ..Default::default() };
        let film = Film { frames: Some(50), ..film(&[(5, 10), (10, 20), (25, 40)]) };
        assert_eq!(ranges(&film, &options), [(0, 10), (10, 22), (22, 50)]);
        let list = ShotList::new(&film, &options).unwrap();
        let times: Vec<_> = list.shots().iter().map(|shot| (shot.start_s, shot.end_s)).collect();
        assert_eq!(times, [(0.0, 1.0), (1.0, 2.2), (2.2, 5.0)]);
    }

    #[test]
    fn short_shots_join_their_neighbours() {
        let joined = |min_length_s, shots: &[(u64, u64)]| {
            ranges(&film(shots), &ShotListOptions { min_length_s, ..Default::default() })
        };
        assert_eq!(joined(0.5, &[(0, 10), (10, 12), (14, 30)]), [(0, 12), (14, 30)]);
        // The first shot joins the one after it, until it is long enough.
        assert_eq!(joined(0.5, &[(0, 2), (2, 4), (4, 30), (30, 31)]), [(0, 31)]);
        assert_eq!(joined(0.5, &[(0, 5), (5, 10)]), [(0, 5), (5, 10)]);
        assert_eq!(joined(9.0, &[(0, 5), (5, 10)]), [(0, 10)]);
        assert_eq!(joined(f64::NAN, &[(0, 5), (5, 10)]), [(0, 5), (5, 10)]);
        assert_eq!(joined(9.0, &[]), []);
    }

    #[test]
    fn joined_shots_keep_the_genres_of_the_longest() {
        let options = ShotListOptions { min_length_s: 0.5, ..Default::default() };
        let list = ShotList::new(&film(&[(0, 2), (2, 30), (30, 33)]), &options).unwrap();
        assert_eq!(list.shots().len(), 1);
        assert_eq!(list.shots()[0].leading_genre(), Some(("shot 1", 0.5)));
        assert_eq!(list.shots()[0].index, 0);
    }

    #[test]
    fn genres_are_ranked() {
        let mut film = film(&[(0, 5)]);
        film.shots[0].genres = vec![("a".into(), 0.1), ("b".into(), f32::NAN), ("c".into(), 0.9)];
        let list = ShotList::new(&film, &ShotListOptions::default()).unwrap();
        assert_eq!(list.shots()[0].genres, [("c".to_owned(), 0.9), ("a".to_owned(), 0.1)]);
    }

    #[test]
    fn impossible_films_are_refused() {
        let options = ShotListOptions::default();
        let error = |film: &Film| ShotList::new(film, &options).unwrap_err();
        assert_eq!(error(&Film::default()), ShotListError::UnknownFrameRate);
        let frozen = Film { frame_rate: Some(0.0), ..film(&[(0, 5)]) };
        assert_eq!(error(&frozen), ShotListError::InvalidFrameRate { fps: 0.0 });
        assert_eq!(error(&film(&[(0, 5), (4, 9)])), ShotListError::OutOfOrder { index: 1 });
        for change in [
            |shot: &mut Shot| shot.start_s = f64::NAN,
            |shot: &mut Shot| shot.end_s = f64::INFINITY,
            |shot: &mut Shot| shot.first_frame = u64::MAX,
            |shot: &mut Shot| shot.frames = u64::MAX,
        ] {
            let mut film = film(&[(0, 5)]);
            change(&mut film.shots[0]);
            assert_eq!(error(&film), ShotListError::OutOfRange { index: 0 });
        }
        let drop = ShotListOptions { drop_frame: Some(true), ..options };
        assert!(matches!(ShotList::new(&film(&[(0, 5)]), &drop), Err(ShotListError::NoDropFrame { .. })));
    }

    #[test]
    fn the_shots_tell_an_unknown_frame_rate() {
        let film = Film { frame_rate: None, ..film(&[(0, 5), (7, 100)]) };
        let list = ShotList::new(&film, &ShotListOptions::default()).unwrap();
        assert_eq!(list.rate().to_string(), "10");
    }
}
