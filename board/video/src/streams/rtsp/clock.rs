//! Turns the times of RTP into times that go on, whatever the clock of the camera does.
//!
//! Times count from the first packet. A camera that sets its clock (by NTP after its start, or at a
//! restart of its encoder) makes its RTP times jump. A step of more than [`JUMP`] back, or of more
//! than [`JUMP`] beyond the time that has passed here, is such a jump. The clock is then anchored
//! anew: the packet's time is that of the latest packet, plus the time that has passed here since.
//! Smaller steps are the camera's own: reordered pictures, and packets that came late.

use std::time::{Duration, Instant};

/// The largest step that is no jump. Reordered pictures and bursts after a pause of the network
/// stay below it.
const JUMP: Duration = Duration::from_secs(3);

/// A clock in ticks of RTP.
pub(super) struct Clock {
    ticks_per_second: u32,
    last: Option<Last>,
}

/// What is known of the last packet.
struct Last {
    rtp: i64,
    arrived: Instant,
    /// From RTP times to ours.
    offset: i64,
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
        let (offset, latest) = match &self.last {
            None => (rtp.saturating_neg(), 0),
            Some(last) => {
                let passed = self.ticks(arrived.saturating_duration_since(last.arrived));
                let step = rtp.saturating_sub(last.rtp);
                if step < -jump || step > passed.saturating_add(jump) {
                    let time = last.latest.saturating_add(passed.max(1));
                    log::debug!("the camera's clock jumped by {step} ticks");
                    (time.saturating_sub(rtp), time)
                } else {
                    (last.offset, last.latest)
                }
            }
        };
        let time = rtp.saturating_add(offset);
        self.last = Some(Last { rtp, arrived, offset, latest: latest.max(time) });
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
