//! Packs the probabilities of clips: as a path for each genre, and as text for the page's script.

use std::fmt::Write as _;

use crate::{Clip, FilmReport, timeline::Axis};

/// Width of the drawing of a curve, in its own units. It is as high as [`FULL`].
const UNITS: f64 = 10_000.0;
/// Height of a probability of 1: values are rounded to a tenth of a per cent, as the page shows
/// them.
const FULL: u32 = 1_000;
/// Number that stands in place of a value that is not a number.
const NO_VALUE: u32 = 4_095;
/// Maximum number of clips that a path draws each by itself, and number of columns if there are
/// more.
const COLUMNS: usize = 500;
/// Time between two clips from which a curve has a gap, in seconds.
const GAP_S: f64 = 0.25;
/// Digits of packed numbers: those of Base64 for addresses.
const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
/// Digits of a packed time in milliseconds, of an index of a shot, and of a value.
const TIME: u32 = 5;
const SHOT: u32 = 4;
const VALUE: u32 = 2;

/// A clip with times that are numbers.
pub(crate) fn drawn(report: &FilmReport) -> Vec<&Clip> {
    report.clips.iter().filter(|clip| clip.start_s.is_finite() && clip.end_s.is_finite()).collect()
}

/// Returns the path of a genre: a step for each clip, or for many clips a column with the lowest
/// and the highest value of the clips in it.
pub(crate) fn path(clips: &[&Clip], label: usize, axis: Axis) -> String {
    let value = |clip: &Clip| level(clip.probabilities.get(label).copied()).map(|level| FULL - level);
    let x = |time: f64| (UNITS * axis.share(time)).round() as u32;
    let (mut path, mut end): (String, Option<u32>) = (String::new(), None);
    let mut draw = |left: u32, right: u32, lowest: u32, highest: u32, is_broken: bool| {
        // Writing to a string cannot fail.
        let _ = match end {
            Some(_) if !is_broken => write!(path, "V{lowest}"),
            Some(_) => write!(path, "V{FULL}M{left} {FULL}V{lowest}"),
            None => write!(path, "M{left} {FULL}V{lowest}"),
        };
        if highest != lowest {
            let _ = write!(path, "V{highest}");
        }
        let _ = write!(path, "H{right}");
        end = Some(right);
    };
    if clips.len() <= COLUMNS {
        let mut before = f64::NEG_INFINITY;
        for clip in clips {
            let Some(y) = value(clip) else { continue };
            draw(x(clip.start_s), x(clip.end_s), y, y, clip.start_s - before > GAP_S);
            before = clip.end_s;
        }
    } else {
        let width = UNITS as u32 / COLUMNS as u32;
        let mut columns: Vec<Option<(u32, u32)>> = vec![None; COLUMNS + 1];
        for clip in clips {
            let Some(y) = value(clip) else { continue };
            let [first, last] = [clip.start_s, clip.end_s].map(|time| (x(time) / width) as usize);
            for column in columns.iter_mut().take(last + 1).skip(first) {
                let (lowest, highest) = column.get_or_insert((y, y));
                (*lowest, *highest) = ((*lowest).max(y), (*highest).min(y));
            }
        }
        let mut is_broken = false;
        for (at, column) in columns.iter().enumerate() {
            if let Some((lowest, highest)) = *column {
                let left = at as u32 * width;
                draw(left, (left + width).min(UNITS as u32), lowest, highest, is_broken);
            }
            is_broken = column.is_none();
        }
    }
    if end.is_some() {
        let _ = write!(path, "V{FULL}");
    }
    path
}

/// Returns start, end and shot of each clip as text.
pub(crate) fn pack_clips(clips: &[&Clip]) -> String {
    let mut text = String::with_capacity(14 * clips.len());
    for clip in clips {
        pack(&mut text, milliseconds(clip.start_s), TIME);
        pack(&mut text, milliseconds(clip.end_s), TIME);
        pack(&mut text, u32::try_from(clip.shot).unwrap_or(u32::MAX), SHOT);
    }
    text
}

/// Returns the values of a genre as text.
pub(crate) fn pack_values(clips: &[&Clip], label: usize) -> String {
    let mut text = String::with_capacity(2 * clips.len());
    for clip in clips {
        pack(&mut text, level(clip.probabilities.get(label).copied()).unwrap_or(NO_VALUE), VALUE);
    }
    text
}

/// Returns start, end and index of each shot as text.
pub(crate) fn pack_shots(report: &FilmReport) -> String {
    let mut text = String::with_capacity(14 * report.shots.len());
    for shot in &report.shots {
        pack(&mut text, milliseconds(shot.start_s), TIME);
        pack(&mut text, milliseconds(shot.end_s), TIME);
        pack(&mut text, u32::try_from(shot.index).unwrap_or(u32::MAX), SHOT);
    }
    text
}

/// Returns a probability in tenths of a per cent.
fn level(probability: Option<f32>) -> Option<u32> {
    let probability = probability.filter(|value| value.is_finite())?;
    Some((f64::from(probability).clamp(0.0, 1.0) * f64::from(FULL)).round() as u32)
}

fn milliseconds(seconds: f64) -> u32 {
    (1000.0 * seconds).round().max(0.0) as u32
}

/// Appends a number with this many digits; one that is too large becomes the largest.
fn pack(text: &mut String, number: u32, digits: u32) {
    let number = number.min(((1_u64 << (6 * digits)) - 1) as u32);
    for digit in (0..digits).rev() {
        text.push(DIGITS[(number >> (6 * digit) & 63) as usize] as char);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn clip(start_s: f64, end_s: f64, value: f32) -> Clip {
        Clip { start_s, end_s, shot: 0, probabilities: vec![value] }
    }

    fn axis(duration_s: f64) -> Axis {
        Axis::new(&FilmReport { duration_s, ..FilmReport::default() })
    }

    #[test]
    fn a_path_has_a_step_for_each_clip_and_a_gap_between_distant_ones() {
        let clips = [clip(0.0, 1.0, 0.5), clip(1.0, 2.0, 0.25), clip(5.0, 6.0, 1.0), clip(6.0, 7.0, f32::NAN)];
        let clips: Vec<&Clip> = clips.iter().collect();
        assert_eq!(path(&clips, 0, axis(10.0)), "M0 1000V500H1000V750H2000V1000M5000 1000V0H6000V1000");
        assert_eq!(path(&[], 0, axis(10.0)), "");
    }

    #[test]
    fn a_column_of_many_clips_keeps_their_lowest_and_highest_value() {
        let value = |at: usize| match at {
            3 => 0.9,
            15 => 0.1,
            _ => 0.5,
        };
        let clips: Vec<Clip> = (0..6000).map(|at| clip(at as f64, at as f64 + 1.0, value(at))).collect();
        let path = path(&clips.iter().collect::<Vec<_>>(), 0, axis(6000.0));
        assert!(path.starts_with("M0 1000V500V100H20V900V500H40V500"), "{}", &path[..60]);
        assert!(path.len() < 12 * COLUMNS);
    }

    #[test]
    fn numbers_are_packed_with_a_fixed_length() {
        let packed = |number, digits| {
            let mut text = String::new();
            pack(&mut text, number, digits);
            text
        };
        assert_eq!((packed(0, 2), packed(65, 2), packed(9999, 2)), ("AA".into(), "BB".into(), "__".into()));
        assert_eq!((packed(u32::MAX, 5), packed(7_200_000, 5)), ("_____".into(), "Abd0A".into()));
        let clips = [clip(0.0, 1.0, f32::NAN), clip(0.0, 1.0, 2.0)];
        assert_eq!(pack_values(&clips.iter().collect::<Vec<_>>(), 0), "__Po");
    }
}
