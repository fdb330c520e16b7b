//! The sampler: which decoded frames the networks see, one at each interval of the working rate.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::frame::Timestamp;

/// How early a frame may come and still count as being on time: more than containers and camera clocks round, less than
/// half a frame at 240 a second.
const EARLY: i64 = 2_000_000;

/// Frames per second given to the networks, and f, the frames of a clip (Table 7): 4, 6, 8, 12 or 24.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "u32", into = "u32")]
pub struct WorkingRate(u32);

/// A rate that the method does not have.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
#[error("{0} frames a second is not a working rate; choose 4, 6, 8, 12 or 24")]
pub struct UnknownRate(pub u32);

impl WorkingRate {
    /// Every working rate, lowest first.
    pub const ALL: [WorkingRate; 5] =
        [WorkingRate(4), WorkingRate(6), WorkingRate(8), WorkingRate(12), WorkingRate(24)];

    /// The rate of `fps` frames a second.
    ///
    /// # Errors
    /// When the method has no such rate.
    pub fn new(fps: u32) -> Result<Self, UnknownRate> {
        Self::ALL.into_iter().find(|rate| rate.0 == fps).ok_or(UnknownRate(fps))
    }

    /// Frames per second.
    pub const fn fps(self) -> u32 {
        self.0
    }

    /// f, the frames of a clip: one second.
    pub const fn clip_frames(self) -> usize {
        self.0 as usize
    }

    /// Whole intervals from `start` to `end`, one that is nearly whole included.
    pub fn intervals(self, start: Timestamp, end: Timestamp) -> u32 {
        let nanos = i128::from(end.since(start).as_nanos()) + i128::from(EARLY);
        u32::try_from(nanos * i128::from(self.0) / 1_000_000_000).unwrap_or(0)
    }

    /// Time from one sample to the next.
    pub fn interval(self) -> Timestamp {
        Timestamp::from_ticks(1, u64::from(self.0))
    }
}

/// The lowest, which every board can do.
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

/// Frames per second, a plain number.
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

/// What the sampler says of a frame that it takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Taken {
    /// Intervals that passed since the sample before without a frame. The picture then stood still: the sample before
    /// stands for these too, so that a clip stays one second long at any input rate.
    pub held: u32,
}

/// Chooses frames at equal intervals of presentation time: of each interval the first frame, as 24 to 8 keeps the first
/// of each three (paper, section 7.2).
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
    /// A sampler at the start of a stream. A pause of more than `gap` is not filled: the intervals start anew after it.
    pub fn new(rate: WorkingRate, gap: Timestamp) -> Self {
        Sampler { rate, gap, origin: Timestamp::ZERO, last: None, next: 0 }
    }

    /// The rate at which frames are taken.
    pub fn rate(&self) -> WorkingRate {
        self.rate
    }

    /// Takes frames at another rate from the next interval on.
    pub fn set_rate(&mut self, rate: WorkingRate) {
        let boundary = i128::from(self.next) * 1_000_000_000 / i128::from(self.rate.0);
        self.origin = self.origin.plus(Timestamp::from_nanos(boundary as i64));
        (self.rate, self.next) = (rate, 0);
    }

    /// Whether the frame shown at `time` is taken. Times must increase.
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
            // From a time that is not zero, and rounded to milliseconds as Matroska and RTMP do.
            let times = (0..500).map(|k| Timestamp::from_millis(1234 + (k * 1000 + input / 2) / input));
            let group = (input / i64::from(rate)) as usize;
            let (indices, held) = taken(rate, times);
            assert_eq!(indices, (0..500).step_by(group).collect::<Vec<_>>(), "{input} to {rate}");
            assert_eq!(held, 0);
        }
    }

    #[test]
    fn a_slower_input_is_held() {
        let (indices, held) = taken(24, (0..=10).map(|k| Timestamp::from_millis(k * 100)));
        assert_eq!(indices.len(), 11);
        assert_eq!(held, 14);
    }

    #[test]
    fn another_rate_goes_on_from_the_next_interval() {
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
    fn a_long_pause_starts_anew() {
        let seconds = [0, 5, 14, 25, 26];
        let (indices, held) = taken(4, seconds.map(|s| Timestamp::from_millis(s * 1000)));
        assert_eq!(indices.len(), 5);
        // 5 s, 9 s and 1 s at four a second; the 11 s pause gives none.
        assert_eq!(held, 19 + 35 + 3);
    }

    proptest! {
        /// The rate is kept for any input, jitter and gaps included: samples = intervals passed, give or take one.
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
