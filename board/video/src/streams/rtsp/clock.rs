//! Turns the times of RTP into times that go on, whatever the clock of the camera does.
//!
//! Times count from the first packet. A camera that sets its clock (by NTP after its start, or at a
//! restart of its encoder) makes its RTP times jump. A step of more than [`JUMP`] back is such a
//! jump, and so is a step on that is [`JUMP`] longer than the time that has passed here, both since
//! the last packet and since the anchor. The clock is then anchored anew: the packet's time is that
//! of the latest packet, plus the time that has passed here since. Other steps are no jumps:
//! reordered pictures, packets that came late, and the end of a pause of the network.

use std::time::{Duration, Instant};

/// The largest step that is no jump. Reordered pictures and bursts after a pause of the network
/// stay below it.
const JUMP: Duration = Duration::from_secs(3);

/// A clock in ticks of RTP.
pub(super) struct Clock {
    ticks_per_second: u32,
    last: Option<Last>,
}

/// The moment from which times are counted, and its time.
#[derive(Clone, Copy)]
struct Anchor {
    arrived: Instant,
    time: i64,
    /// From RTP times to ours.
    offset: i64,
}

/// What is known of the last packet.
struct Last {
    rtp: i64,
    arrived: Instant,
    anchor: Anchor,
    /// The latest time of all packets so far.
    latest: i64,
}

impl Clock {
    /// Starts a clock; `ticks_per_second` is that of RTP.
    pub fn new(ticks_per_second: u32) -> Self {
        Clock { ticks_per_second, last: None }
    }

    /// Returns the time of a packet in ticks since the first one. `rtp` is its RTP time without
    /// wrap-around, `arrived` when it came.
    pub fn time(&mut self, rtp: i64, arrived: Instant) -> i64 {
        let jump = self.ticks(JUMP);
        let anchor_at = |time: i64| Anchor { arrived, time, offset: time.saturating_sub(rtp) };
        let (anchor, latest) = match &self.last {
            None => (anchor_at(0), 0),
            Some(last) => {
                let (anchor, latest) = (last.anchor, last.latest);
                let since = |moment| self.ticks(arrived.saturating_duration_since(moment));
                let (passed, step) = (since(last.arrived), rtp.saturating_sub(last.rtp));
                let most = anchor.time.saturating_add(since(anchor.arrived)).saturating_add(jump);
                let is_early = step > passed.saturating_add(jump) && rtp.saturating_add(anchor.offset) > most;
                if step < -jump || is_early {
                    log::debug!("the camera's clock jumped by {step} ticks");
                    (anchor_at(latest.saturating_add(passed.max(1))), latest)
                } else {
                    (anchor, latest)
                }
            }
        };
        let time = rtp.saturating_add(anchor.offset);
        self.last = Some(Last { rtp, arrived, anchor, latest: latest.max(time) });
        time
    }

    fn ticks(&self, time: Duration) -> i64 {
        let ticks = time.as_nanos() * u128::from(self.ticks_per_second) / 1_000_000_000;
        i64::try_from(ticks).unwrap_or(i64::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns the times of packets in milliseconds; each is given as its RTP time and its arrival,
    /// in milliseconds.
    fn times(packets: &[(i64, u64)]) -> Vec<i64> {
        let (mut clock, start) = (Clock::new(90_000), Instant::now());
        let time = |&(rtp, arrived): &(i64, u64)| clock.time(rtp * 90, start + Duration::from_millis(arrived)) / 90;
        packets.iter().map(time).collect()
    }

    #[test]
    fn a_steady_clock_counts_from_the_first_packet() {
        assert_eq!(times(&[(7000, 0), (7040, 40), (7080, 85), (7120, 115)]), [0, 40, 80, 120]);
        // Faster and slower than here, in another order, in a burst after a pause.
        assert_eq!(times(&[(0, 0), (1000, 10), (2000, 20), (3000, 30), (4000, 40)]), [0, 1000, 2000, 3000, 4000]);
        assert_eq!(times(&[(0, 0), (120, 40), (40, 80), (80, 120)]), [0, 120, 40, 80]);
        assert_eq!(times(&[(0, 0), (40, 9000), (80, 9001), (9040, 9040)]), [0, 40, 80, 9040]);
    }

    #[test]
    fn after_a_jump_times_go_on() {
        for jumped in [-500_000, 500_000, i64::MIN / 100, i64::MAX / 100] {
            let packets = [(0, 0), (40, 40), (jumped, 80), (jumped.saturating_add(40), 120)];
            assert_eq!(times(&packets), [0, 40, 80, 120], "{jumped}");
        }
        // A camera that was silent for a minute, and whose clock went on or did not.
        assert_eq!(times(&[(0, 0), (60_000, 60_000), (60_040, 60_040)]), [0, 60_000, 60_040]);
        assert_eq!(times(&[(9000, 0), (0, 60_000), (40, 60_040)]), [0, 60_000, 60_040]);
    }

    #[test]
    fn no_times_overflow() {
        let times = times(&[(i64::MAX / 90, 0), (i64::MIN / 90, 1), (i64::MAX / 90, 2)]);
        assert!(times.windows(2).all(|pair| pair[0] <= pair[1]), "{times:?}");
    }
}
