//! The sampler: chooses the decoded frames for the networks, one for each interval of the working
//! rate.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::frame::Timestamp;

/// How early a frame may be and still count as on time, in nanoseconds. Rounding of containers and
/// camera clocks is smaller. Half a frame at 240 fps is larger.
const EARLY: i64 = 2_000_000;

/// Frames per second for the networks, which is also f, the frames of a clip (Table 7): 4, 6, 8, 12
/// or 24.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "u32", into = "u32")]
pub struct WorkingRate(u32);

/// A number of frames per second that is not a working rate.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
#[error("{0} fps is not a working rate; choose 4, 6, 8, 12 or 24")]
pub struct UnknownRate(pub u32);

impl WorkingRate {
    /// Every working rate, lowest first.
    pub const ALL: [WorkingRate; 5] =
        [WorkingRate(4), WorkingRate(6), WorkingRate(8), WorkingRate(12), WorkingRate(24)];

    /// Returns the rate of `fps` frames per second.
    ///
    /// # Errors
    /// Returns an error if `fps` is not a working rate.
    pub fn new(fps: u32) -> Result<Self, UnknownRate> {
        Self::ALL.into_iter().find(|rate| rate.0 == fps).ok_or(UnknownRate(fps))
    }

    /// Returns the frames per second.
    pub const fn fps(self) -> u32 {
        self.0
    }

    /// Returns f, the frames of a clip: one second.
    pub const fn clip_frames(self) -> usize {
        self.0 as usize
    }

    /// Returns the number of whole intervals from `start` to `end`. A nearly whole interval counts.
    pub fn intervals(self, start: Timestamp, end: Timestamp) -> u32 {
        let nanos = i128::from(end.since(start).as_nanos()) + i128::from(EARLY);
        u32::try_from(nanos * i128::from(self.0) / 1_000_000_000).unwrap_or(0)
    }

    /// Returns the time from one sample to the next.
    pub fn interval(self) -> Timestamp {
        Timestamp::from_ticks(1, u64::from(self.0))
    }
}

/// Returns the lowest rate, which every board can process.
impl Default for WorkingRate {
    fn default() -> Self {
        Self::ALL[0]
    }
}

impl TryFrom<u32> for WorkingRate {
    type Error = UnknownRate;
    fn try_from(fps: u32) -> Result<Self, UnknownRate> {
        WorkingRate::new(fps)
    }
}

impl FromStr for WorkingRate {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let fps = text.parse().map_err(|_| "choose 4, 6, 8, 12 or 24".to_owned())?;
        WorkingRate::new(fps).map_err(|error| error.to_string())
    }
}

/// Writes the frames per second as a plain number.
impl fmt::Display for WorkingRate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl From<WorkingRate> for u32 {
    fn from(rate: WorkingRate) -> u32 {
        rate.0
    }
}

/// A frame that the sampler takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Taken {
    /// Number of intervals since the previous sample that had no frame. The picture was held, so
    /// the previous sample also stands for these. A clip thereby lasts one second at any input
    /// rate.
    pub held: u32,
}

/// Chooses frames at equal intervals of presentation time: the first frame of each interval. From
/// 24 to 8 fps it takes the first of every three (paper, section 7.2).
#[derive(Clone, Debug)]
pub struct Sampler {
    rate: WorkingRate,
    gap: Timestamp,
    origin: Timestamp,
    last: Option<Timestamp>,
    /// Interval that waits for its frame, counted from `origin`.
    next: i64,
}

impl Sampler {
    /// Returns a sampler at the start of a stream. After a pause longer than `gap`, the intervals
    /// start again.
    pub fn new(rate: WorkingRate, gap: Timestamp) -> Self {
        Sampler { rate, gap, origin: Timestamp::ZERO, last: None, next: 0 }
    }

    /// Returns the current rate.
    pub fn rate(&self) -> WorkingRate {
        self.rate
    }

    /// Changes the rate from the next interval on.
    pub fn set_rate(&mut self, rate: WorkingRate) {
        let boundary = i128::from(self.next) * 1_000_000_000 / i128::from(self.rate.0);
        self.origin = self.origin.plus(Timestamp::from_nanos(boundary as i64));
        (self.rate, self.next) = (rate, 0);
    }

    /// Returns a [`Taken`] if the frame shown at `time` is taken. Times must increase.
    pub fn offer(&mut self, time: Timestamp) -> Option<Taken> {
        let paused = self.last.is_none_or(|last| time.since(last) > self.gap);
        self.last = Some(time);
        if paused {
            (self.origin, self.next) = (time, 1);
            return Some(Taken { held: 0 });
        }
        let passed = i128::from(time.since(self.origin).as_nanos()) + i128::from(EARLY);
        let interval = (passed * i128::from(self.rate.0)).div_euclid(1_000_000_000) as i64;
        if interval < self.next {
            return None;
        }
        let held = (interval - self.next) as u32;
        self.next = interval + 1;
        Some(Taken { held })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn taken(rate: u32, times: impl IntoIterator<Item = Timestamp>) -> (Vec<usize>, u32) {
        let mut sampler = Sampler::new(WorkingRate::new(rate).expect("a rate"), Timestamp::from_millis(10_000));
        let mut held = 0;
        let mut indices = Vec::new();
        for (k, time) in times.into_iter().enumerate() {
            if let Some(taken) = sampler.offer(time) {
                indices.push(k);
                held += taken.held;
            }
        }
        (indices, held)
    }

    #[test]
    fn whole_ratios_keep_the_first_of_each_group() {
        for (input, rate) in [(24, 24), (24, 12), (24, 8), (24, 6), (24, 4), (48, 8), (60, 4), (120, 24), (240, 24)] {
            // The start is not zero, and times are rounded to milliseconds as in Matroska and RTMP.
            let times = (0..500).map(|k| Timestamp::from_millis(1234 + (k * 1000 + input / 2) / input));
            let group = (input / i64::from(rate)) as usize;
            let (indices, held) = taken(rate, times);
            assert_eq!(indices, (0..500).step_by(group).collect::<Vec<_>>(), "{input} to {rate}");
            assert_eq!(held, 0);
        }
    }

    #[test]
    fn frames_of_a_slower_input_are_held() {
        let (indices, held) = taken(24, (0..=10).map(|k| Timestamp::from_millis(k * 100)));
        assert_eq!(indices.len(), 11);
        assert_eq!(held, 14);
    }

    #[test]
    fn a_new_rate_starts_at_the_next_interval() {
        let mut sampler = Sampler::new(WorkingRate(4), Timestamp::from_millis(10_000));
        let mut taken = Vec::new();
        for frame in 0..96 {
            if frame == 40 {
                sampler.set_rate(WorkingRate(12));
            }
            if sampler.offer(Timestamp::from_ticks(1000 + frame, 24)).is_some() {
                taken.push(frame);
            }
        }
        let expected: Vec<i64> = (0..42).step_by(6).chain((42..96).step_by(2)).collect();
        assert_eq!(taken, expected);
    }

    #[test]
    fn intervals_start_anew_after_a_long_pause() {
        let seconds = [0, 5, 14, 25, 26];
        let (indices, held) = taken(4, seconds.map(|s| Timestamp::from_millis(s * 1000)));
        assert_eq!(indices.len(), 5);
        // 5 s, 9 s and 1 s at 4 fps. The pause of 11 s gives none.
        assert_eq!(held, 19 + 35 + 3);
    }

    proptest! {
        /// The number of samples is the number of intervals, plus or minus one, for any input with
        /// jitter and gaps.
        #[test]
        fn the_rate_is_kept(steps in prop::collection::vec(1i64..400_000_000, 1..200), rate in prop::sample::select(WorkingRate::ALL.to_vec())) {
            let mut time = 7_000_000;
            let mut times = vec![Timestamp::from_nanos(time)];
            for step in &steps {
                time += step;
                times.push(Timestamp::from_nanos(time));
            }
            let seconds = steps.iter().sum::<i64>() as f64 / 1e9;
            let (indices, held) = taken(rate.fps(), times);
            let samples = indices.len() as f64 + f64::from(held);
            prop_assert!((samples - seconds * f64::from(rate.fps())).abs() <= 1.1, "{samples} samples in {seconds} s");
        }
    }
}
