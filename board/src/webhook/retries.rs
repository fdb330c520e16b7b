//! When a delivery that failed is tried again.

use std::time::Duration;

/// Pauses between attempts, which double.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LAST_PAUSE: Duration = Duration::from_secs(60);

/// Time after the first attempt in which a delivery is tried again.
const PATIENCE: Duration = Duration::from_secs(300);

/// How an attempt ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    /// The receiver has it.
    Delivered,
    /// The receiver does not want it, for this reason.
    Refused(String),
    /// It failed for this reason, and may succeed later: after this time, if the receiver has said
    /// so.
    Failed(String, Option<Duration>),
}

/// The attempts of a delivery. Times count from the first one.
#[derive(Debug)]
pub(super) struct Retries {
    pause: Duration,
}

impl Default for Retries {
    fn default() -> Self {
        Retries { pause: FIRST_PAUSE }
    }
}

impl Retries {
    /// Returns the pause before the next attempt after one that failed at `now`; `None` to give up.
    /// A receiver that asks for a pause gets it, at most the longest.
    pub fn next(&mut self, now: Duration, asked: Option<Duration>) -> Option<Duration> {
        let pause = asked.unwrap_or_default().min(LAST_PAUSE).max(self.pause);
        self.pause = (self.pause * 2).min(LAST_PAUSE);
        (now + pause <= PATIENCE).then_some(pause)
    }
}

/// Returns how an attempt ended that the receiver answered with `status` and the header
/// `Retry-After`.
pub(super) fn outcome(status: u16, retry_after: Option<&str>) -> Outcome {
    let reason = format!("the receiver answers {status}");
    match status {
        200..=299 => Outcome::Delivered,
        // It may also be a date, which is rare; then the own pause has to do.
        429 | 500.. => {
            Outcome::Failed(reason, retry_after.and_then(|text| text.trim().parse().ok()).map(Duration::from_secs))
        }
        300..=399 => Outcome::Refused(format!("{reason}, a redirect; give the final address")),
        _ => Outcome::Refused(reason),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn only_what_may_succeed_later_is_tried_again() {
        for status in [200, 202, 204] {
            assert_eq!(outcome(status, None), Outcome::Delivered);
        }
        for status in [100, 301, 308, 400, 401, 404, 410, 499] {
            assert!(matches!(outcome(status, Some("5")), Outcome::Refused(_)), "{status}");
        }
        for status in [429, 500, 503, 599] {
            assert!(matches!(outcome(status, Some(" 5")), Outcome::Failed(_, Some(after)) if after.as_secs() == 5));
            assert!(matches!(outcome(status, Some("Wed, 21 Oct 2026 07:28:00 GMT")), Outcome::Failed(_, None)));
            assert!(matches!(outcome(status, Some("-1")), Outcome::Failed(_, None)));
        }
    }

    proptest! {
        #[test]
        fn pauses_grow_to_a_bound_and_end_in_time(asked in proptest::collection::vec(any::<Option<u64>>(), 400)) {
            let (mut retries, mut now, mut attempts) = (Retries::default(), Duration::ZERO, 0);
            for asked in asked {
                let Some(pause) = retries.next(now, asked.map(Duration::from_secs)) else { break };
                prop_assert!((FIRST_PAUSE..=LAST_PAUSE).contains(&pause));
                prop_assert!(pause >= Duration::from_secs(asked.unwrap_or(0)).min(LAST_PAUSE));
                now += pause;
                attempts += 1;
            }
            prop_assert!(now <= PATIENCE && (4..=12).contains(&attempts), "{attempts} {now:?}");
        }
    }
}
