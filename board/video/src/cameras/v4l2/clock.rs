//! Makes presentation times of the kernel's times: they start at zero and only grow.

use std::time::Instant;

use divita_runtime::frame::Timestamp;

/// The clock of one stream.
#[derive(Default)]
pub(super) struct Clock {
    /// When the first picture came, by the kernel's clock or, where it tells no time, by ours.
    first: Option<Start>,
    last: Option<Timestamp>,
}

enum Start {
    Kernel(i64),
    Ours(Instant),
}

impl Clock {
    /// Returns the time of a picture that the kernel took at `nanos` of its clock, or just now
    /// where it does not know; `None` for one that is not later than the picture before.
    pub fn time(&mut self, nanos: Option<i64>) -> Option<Timestamp> {
        let first = self.first.get_or_insert_with(|| nanos.map_or_else(|| Start::Ours(Instant::now()), Start::Kernel));
        let since = match (&*first, nanos) {
            (Start::Kernel(first), Some(nanos)) => nanos.saturating_sub(*first),
            // One picture without a time among others that have one cannot be placed.
            (Start::Kernel(_), None) => return None,
            (Start::Ours(first), _) => i64::try_from(first.elapsed().as_nanos()).unwrap_or(i64::MAX),
        };
        let time = Timestamp::from_nanos(since);
        if self.last.is_some_and(|last| time <= last) || time < Timestamp::ZERO {
            return None;
        }
        self.last = Some(time);
        Some(time)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_start_at_zero_keep_their_distances_and_only_grow() {
        let mut clock = Clock::default();
        let mut at = |nanos| clock.time(Some(nanos)).map(Timestamp::as_nanos);
        assert_eq!(at(5_000_000_000), Some(0));
        assert_eq!(at(5_040_000_000), Some(40_000_000));
        assert_eq!(at(5_040_000_000), None);
        assert_eq!(at(1), None);
        assert_eq!(at(6_000_000_000), Some(1_000_000_000), "a gap stays a gap");
    }

    #[test]
    fn a_driver_that_tells_no_time_is_timed_here() {
        let mut clock = Clock::default();
        assert!(clock.time(None).is_some());
        std::thread::sleep(std::time::Duration::from_millis(2));
        assert!(clock.time(None).is_some_and(|time| time >= Timestamp::from_millis(2)));
    }
}
