//! The frames at which shots begin and end, which all formats share.

use std::ops::Range;

use crate::film::Shot;
use crate::frame_rate::FrameRate;

/// Relation between the presentation times of a film and the frames of a constant frame rate.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct FrameIndex {
    rate: FrameRate,
    /// Time of frame 0 in seconds, if the frames of the film are evenly spaced.
    offset_s: Option<f64>,
}

impl FrameIndex {
    /// Returns the relation for the shots of one film.
    ///
    /// The film has a constant rate if `time - frame / rate` is the same at all starts and ends of
    /// its shots, to within half a frame.
    #[must_use]
    pub fn new(shots: &[Shot], rate: FrameRate) -> Self {
        let boundaries = shots.iter().flat_map(|shot| {
            let end = shot.first_frame.saturating_add(shot.frames);
            [(shot.start_s, shot.first_frame), (shot.end_s, end)]
        });
        let (mut low, mut high) = (f64::INFINITY, f64::NEG_INFINITY);
        for (time, frame) in boundaries {
            let offset = time - rate.seconds(frame);
            (low, high) = (low.min(offset), high.max(offset));
        }
        let offset_s = match shots.is_empty() {
            true => Some(0.0),
            false => (high - low <= rate.seconds(1) / 2.0).then_some((low + high) / 2.0),
        };
        FrameIndex { rate, offset_s }
    }

    /// Returns the time of frame 0 in seconds. `None` at a variable frame rate.
    #[must_use]
    pub fn offset_s(&self) -> Option<f64> {
        self.offset_s
    }

    /// Returns the frames of each shot at the constant rate. Every format writes these frames.
    ///
    /// - At a constant rate, they are the decoded frames of the shot.
    /// - At a variable rate, a shot begins and ends at the frames nearest to its times. An editor
    ///   that conforms the film to the rate shows the shot at these frames. A shot that is shorter
    ///   than a frame gets the next free frame, so that no shot is empty and no two overlap.
    #[must_use]
    pub fn frames(&self, shots: &[Shot]) -> Vec<Range<u64>> {
        let mut free = 0;
        let ranges = shots.iter().map(|shot| {
            let (start, end) = match self.offset_s {
                Some(_) => (shot.first_frame, shot.first_frame.saturating_add(shot.frames)),
                None => (self.rate.nearest_frame(shot.start_s), self.rate.nearest_frame(shot.end_s)),
            };
            let start = start.max(free);
            free = end.max(start.saturating_add(1));
            start..free
        });
        ranges.collect()
    }

    /// Returns the number of frames of a film that ends at `end_s`, or has `frames` decoded frames.
    #[must_use]
    pub fn length(&self, frames: Option<u64>, end_s: Option<f64>) -> Option<u64> {
        let by_time = end_s.map(|end_s| self.rate.nearest_frame(end_s - self.offset_s.unwrap_or(0.0)));
        match self.offset_s {
            Some(_) => frames.or(by_time),
            None => by_time,
        }
    }

    /// Returns the frame and the time at which the gap between two shots is split. Each is in the
    /// middle of the gap.
    #[must_use]
    pub fn middle(&self, frames: Range<u64>, times: Range<f64>) -> (u64, f64) {
        let middle_s = (times.start + times.end) / 2.0;
        match self.offset_s {
            Some(offset_s) => {
                let frame = frames.start + frames.end.saturating_sub(frames.start) / 2;
                (frame, (offset_s + self.rate.seconds(frame)).clamp(times.start, times.end))
            }
            None => (self.rate.nearest_frame(middle_s).clamp(frames.start, frames.end), middle_s),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::FrameIndex;
    use crate::film::Shot;
    use crate::frame_rate::FrameRate;

    fn shot(start_s: f64, end_s: f64, first_frame: u64, frames: u64) -> Shot {
        Shot { start_s, end_s, first_frame, frames, ..Shot::default() }
    }

    #[test]
    fn a_constant_rate_keeps_the_decoded_frames() {
        let rate = FrameRate::from_f64(25.0).unwrap();
        // All times are 1.4 s late, and rounded to milliseconds.
        let shots = [shot(1.4, 5.4, 0, 100), shot(5.481, 9.4, 102, 98)];
        let index = FrameIndex::new(&shots, rate);
        assert!((index.offset_s().unwrap() - 1.4).abs() < 0.001);
        assert_eq!(index.frames(&shots), [0..100, 102..200]);
        assert_eq!(index.length(None, Some(9.4)), Some(200));
    }

    #[test]
    fn lost_frames_are_a_variable_rate() {
        let rate = FrameRate::from_f64(25.0).unwrap();
        // One frame was lost, so decoded frame 99 is at the time of frame 100.
        let shots = [shot(0.0, 4.0, 0, 99), shot(4.0, 8.0, 99, 100)];
        let index = FrameIndex::new(&shots, rate);
        assert_eq!(index.offset_s(), None);
        assert_eq!(index.frames(&shots), [0..100, 100..200]);
    }

    #[test]
    fn no_shot_of_a_variable_rate_is_empty() {
        let rate = FrameRate::from_f64(10.0).unwrap();
        let shots = [shot(0.0, 1.0, 0, 30), shot(1.0, 1.01, 30, 1), shot(1.01, 1.02, 31, 1), shot(1.02, 3.0, 32, 7)];
        let index = FrameIndex::new(&shots, rate);
        assert_eq!(index.frames(&shots), [0..10, 10..11, 11..12, 12..30]);
    }

    #[test]
    fn half_a_frame_of_difference_is_the_limit() {
        let rate = FrameRate::from_f64(10.0).unwrap();
        let is_constant = |late: f64| {
            let shots = [shot(0.0, 1.0, 0, 10), shot(1.0 + late, 2.0 + late, 10, 10)];
            FrameIndex::new(&shots, rate).offset_s().is_some()
        };
        assert!(is_constant(0.049) && is_constant(-0.0));
        assert!(!is_constant(0.051));
    }
}
