//! Converts times and probabilities to the numbers of the tables, and back.

use jiff::Timestamp;

use crate::error::{Error, Result};

/// Steps of a probability of a shot or clip: 0.0001.
pub(crate) const STEPS: u16 = 10_000;

/// Longest time of a video that can be stored, in seconds: 300 years.
const LONGEST: f64 = 1e10;

/// Returns `seconds` in microseconds.
///
/// # Errors
///
/// Returns [`Error::Value`] for a time that is not a number, or beyond 300 years.
pub(crate) fn microseconds(what: &'static str, seconds: f64) -> Result<i64> {
    if seconds.is_finite() && seconds.abs() <= LONGEST {
        return Ok((seconds * 1e6).round() as i64);
    }
    Err(Error::Value { what, value: seconds.to_string(), why: "no time" })
}

/// Returns `microseconds` in seconds.
pub(crate) fn seconds(microseconds: i64) -> f64 {
    microseconds as f64 / 1e6
}

/// Checks that `value` is a finite number.
///
/// # Errors
///
/// Returns [`Error::Value`] for infinity and for what is not a number.
pub(crate) fn finite(what: &'static str, value: f64) -> Result<f64> {
    if value.is_finite() {
        return Ok(value);
    }
    Err(Error::Value { what, value: value.to_string(), why: "not finite" })
}

/// Returns `count` as SQLite's integer.
///
/// # Errors
///
/// Returns [`Error::Value`] for a number of 64 bits.
pub(crate) fn integer(what: &'static str, count: u64) -> Result<i64> {
    i64::try_from(count).map_err(|_| Error::Value { what, value: count.to_string(), why: "too large" })
}

/// Checks that `probability` is from 0 to 1.
fn check(probability: f32) -> Result<()> {
    if (0.0..=1.0).contains(&probability) {
        return Ok(());
    }
    Err(Error::Value { what: "a probability", value: probability.to_string(), why: "not from 0 to 1" })
}

/// Returns the double of the shortest decimal number that rounds to `probability`.
///
/// 0.6 is stored as 0.6 and not as 0.60000002, so that `genre horror > 0.6` compares what people
/// see. The same `f32` can be had back.
///
/// # Errors
///
/// Returns [`Error::Value`] unless `probability` is from 0 to 1.
pub(crate) fn exact(probability: f32) -> Result<f64> {
    check(probability)?;
    Ok(probability.to_string().parse().unwrap_or_else(|_| f64::from(probability)))
}

/// Returns `probability` in steps of 0.0001.
///
/// # Errors
///
/// Returns [`Error::Value`] unless `probability` is from 0 to 1.
pub(crate) fn step(probability: f32) -> Result<u16> {
    check(probability)?;
    Ok((f64::from(probability) * f64::from(STEPS)).round() as u16)
}

/// Returns the probability of a number of steps.
pub(crate) fn probability(step: u16) -> f64 {
    f64::from(step) / f64::from(STEPS)
}

/// Returns the bytes of the column `clip.probabilities`.
pub(crate) fn to_bytes(steps: &[u16]) -> Vec<u8> {
    steps.iter().flat_map(|step| step.to_le_bytes()).collect()
}

/// Returns the steps in the column `clip.probabilities`; `None` if there are not `count` of them.
pub(crate) fn from_bytes(bytes: &[u8], count: usize) -> Option<Vec<u16>> {
    let (pairs, rest) = bytes.as_chunks::<2>();
    let steps: Vec<u16> = pairs.iter().map(|pair| u16::from_le_bytes(*pair)).collect();
    (rest.is_empty() && steps.len() == count && steps.iter().all(|step| *step <= STEPS)).then_some(steps)
}

/// Returns the time of `milliseconds` since 1970 in RFC 3339; `None` beyond the year 9999.
pub(crate) fn rfc3339(milliseconds: i64) -> Option<String> {
    Timestamp::from_millisecond(milliseconds).ok().map(|time| time.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_film_keeps_every_bit_of_a_probability(probability in 0.0f32..=1.0) {
            let stored = exact(probability).unwrap();
            prop_assert_eq!(stored as f32, probability);
            prop_assert_eq!(stored.to_string(), probability.to_string());
        }

        #[test]
        fn a_clip_keeps_a_probability_to_half_a_step(steps in prop::collection::vec(0.0f32..=1.0, 0..30)) {
            let stored: Vec<u16> = steps.iter().map(|one| step(*one).unwrap()).collect();
            let read = from_bytes(&to_bytes(&stored), steps.len()).unwrap();
            for (read, given) in read.iter().zip(&steps) {
                prop_assert!((probability(*read) - f64::from(*given)).abs() <= 0.500_001e-4);
            }
        }

        #[test]
        fn a_time_is_kept_to_a_microsecond(time in -1e6f64..1e9) {
            prop_assert!((seconds(microseconds("start", time).unwrap()) - time).abs() <= 1e-6);
        }
    }

    #[test]
    fn values_that_are_no_times_or_probabilities_are_refused() {
        for time in [f64::NAN, f64::INFINITY, -1e11, f64::MAX] {
            assert!(microseconds("start", time).is_err(), "{time}");
        }
        for probability in [f32::NAN, f32::INFINITY, -0.001, 1.001] {
            assert!(exact(probability).is_err() && step(probability).is_err(), "{probability}");
        }
    }
}
