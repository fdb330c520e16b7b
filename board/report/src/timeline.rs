//! Places shots, keyframes and times along a film.

use std::fmt::Write as _;

use crate::{FilmReport, keyframes::Chosen, number};

/// Width of the drawing of shots, in its own units.
const UNITS: f64 = 100_000.0;
/// Steps between times of the axis, in seconds.
const STEPS: [f64; 16] =
    [1.0, 2.0, 5.0, 10.0, 15.0, 30.0, 60.0, 120.0, 300.0, 600.0, 900.0, 1800.0, 3600.0, 7200.0, 21_600.0, 86_400.0];
/// Maximum number of times of the axis.
const TICKS: f64 = 8.0;

/// The time axis of a film.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Axis {
    /// Length in seconds, above 0.
    pub(crate) length_s: f64,
}

impl Axis {
    /// Returns the axis that holds the film and everything in it.
    pub(crate) fn new(report: &FilmReport) -> Axis {
        let ends = report.shots.iter().map(|shot| shot.end_s).chain(report.clips.iter().map(|clip| clip.end_s));
        let ends = ends.chain([report.duration_s]).filter(|end| end.is_finite() && *end < 1e9);
        let length_s = ends.fold(0.0, f64::max);
        Axis { length_s: if length_s > 1e-3 { length_s } else { 1.0 } }
    }

    /// Returns where a time is, from 0 to 1.
    pub(crate) fn share(&self, seconds: f64) -> f64 {
        if seconds.is_finite() { (seconds / self.length_s).clamp(0.0, 1.0) } else { 0.0 }
    }

    /// Returns rectangles of these spans of time as the data of one path.
    pub(crate) fn spans(&self, spans: impl Iterator<Item = (f64, f64)>) -> String {
        let mut path = String::new();
        for (start, end) in spans.filter(|(start, end)| start.is_finite() && end.is_finite()) {
            let [left, right] = [start, end].map(|time| (UNITS * self.share(time)).round() as i64);
            let width = (right - left).max(1);
            // Writing to a string cannot fail.
            let _ = write!(path, "M{left} 0h{width}v1h-{width}z");
        }
        path
    }

    /// Returns the times of the axis: their places in per cent, and their texts.
    pub(crate) fn ticks(&self) -> Vec<(String, String)> {
        let step = STEPS.into_iter().find(|step| self.length_s / step <= TICKS).unwrap_or(self.length_s / TICKS);
        // The last one would not have room for its text.
        let ticks = (0..=TICKS as usize).map(|at| at as f64 * step);
        let ticks = ticks.take_while(|time| self.share(*time) < 0.97);
        ticks.map(|time| (place(self.share(time)), number::clock(time))).collect()
    }

    /// Returns keyframes for a line that has room for `most` of them, each where its shot begins
    /// and none over another: their places in per cent, and the positions of their shots.
    pub(crate) fn keyframes(&self, report: &FilmReport, chosen: &Chosen, most: f64) -> Vec<(String, usize)> {
        let (mut line, mut free) = (Vec::new(), 0.0);
        for &at in chosen.pictures.keys() {
            let start = report.shots[at].start_s;
            let share = self.share(start);
            if start.is_finite() && share >= free && share <= 1.0 - 1.0 / most {
                line.push((place(share), at));
                free = share + 1.0 / most;
            }
        }
        line
    }
}

/// Returns a share as per cent of a width.
fn place(share: f64) -> String {
    format!("{}%", number::rate(100.0 * share))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn axis(duration_s: f64) -> Axis {
        Axis::new(&FilmReport { duration_s, ..FilmReport::default() })
    }

    #[test]
    fn an_axis_has_few_round_times() {
        let times = |length| axis(length).ticks().into_iter().map(|(_, text)| text).collect::<Vec<_>>();
        assert_eq!(times(52.0), ["0:00:00", "0:00:10", "0:00:20", "0:00:30", "0:00:40", "0:00:50"]);
        assert_eq!(times(7200.0).len(), 8);
        assert_eq!(times(f64::NAN), ["0:00:00"]);
        assert!(times(9e8).len() <= 9);
    }

    #[test]
    fn spans_stand_at_their_places() {
        assert_eq!(
            axis(10.0).spans([(0.0, 1.0), (5.0, 99.0)].into_iter()),
            "M0 0h10000v1h-10000zM50000 0h50000v1h-50000z"
        );
        assert_eq!(axis(10.0).spans([(f64::NAN, 1.0)].into_iter()), "");
    }
}
