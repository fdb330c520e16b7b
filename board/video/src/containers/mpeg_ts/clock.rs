//! Times of pictures on one clock that goes on: stated times start again after 26.5 hours, jump
//! where streams were joined, and are missing for some pictures.

use super::pes::StatedTimes;
use crate::containers::nal_stream::Picture;

/// Ticks a second.
pub(super) const PER_SECOND: i64 = 90_000;

/// After so many ticks stated times start again.
pub(super) const WRAP: i64 = 1 << 33;

/// Largest gap before a picture, in ticks, that is believed; ffmpeg's. A larger one is a jump of
/// the clock.
const MAX_GAP: i64 = 10 * PER_SECOND;

/// How far back the time of decoding may go without a jump of the clock: ffmpeg's 0.1 s, or where
/// only times of showing are stated, as far as pictures are reordered.
const MAX_BACK: i64 = PER_SECOND / 10;
const MAX_BACK_SHOWN: i64 = PER_SECOND;

/// Ticks from picture to picture until a stream states its own: 25 a second.
const USUAL_STEP: i64 = PER_SECOND / 25;

/// The clock of a stream.
#[derive(Debug)]
pub(super) struct Clock {
    /// The last stated time of decoding, counted on through new starts.
    stated: Option<i64>,
    /// What is added to stated times since the last jump.
    offset: i64,
    /// When the last picture is decoded, and pictures since that was stated.
    decoded: i64,
    unstated: i64,
    /// Latest time of a picture so far.
    latest: Option<i64>,
    /// Ticks from picture to picture.
    step: i64,
    /// The last picture whose time was stated, and its time.
    anchor: Option<(Picture, i64)>,
    /// Ticks, and numbers of the order that they correspond to.
    per_order: (i64, i64),
    /// Whether times of decoding are stated beside those of showing.
    states_decoding: bool,
}

impl Clock {
    /// Starts a clock for pictures whose orders differ by `order_step` from one to the next.
    pub fn new(order_step: i64) -> Self {
        Clock {
            stated: None,
            offset: 0,
            decoded: 0,
            unstated: 0,
            latest: None,
            step: USUAL_STEP,
            anchor: None,
            per_order: (USUAL_STEP, order_step),
            states_decoding: false,
        }
    }

    /// Returns when the next picture in decoding order is shown, in ticks.
    pub fn time(&mut self, picture: Picture, times: Option<StatedTimes>) -> i64 {
        let shown = match times {
            Some(times) => self.stated_time(picture, times),
            None => self.unstated_time(picture),
        };
        self.latest = self.latest.max(Some(shown));
        shown
    }

    fn stated_time(&mut self, picture: Picture, times: StatedTimes) -> i64 {
        let delay = difference(times.shown, times.decoded);
        // A time of decoding far from that of showing is damaged.
        let (delay, decoded) = if delay.abs() > MAX_GAP { (0, times.shown) } else { (delay, times.decoded) };
        self.states_decoding |= delay != 0;
        let stated = self.stated.map_or(decoded, |last| last + difference(decoded, last));
        let pictures = self.unstated + 1;
        if self.stated.is_some() {
            let expected = self.decoded + self.step * pictures;
            let ahead = stated + self.offset - expected;
            let back = if self.states_decoding { MAX_BACK } else { MAX_BACK_SHOWN };
            if ahead > MAX_GAP || ahead < -back {
                self.offset -= ahead;
                self.anchor = None;
            } else {
                let step = (stated + self.offset - self.decoded) / pictures;
                if (1..PER_SECOND / 2).contains(&step) {
                    self.step = step;
                }
            }
        }
        self.stated = Some(stated);
        (self.decoded, self.unstated) = (stated + self.offset, 0);
        let shown = self.decoded + delay;
        if let Some((last, time)) = self.anchor
            && last.sequence == picture.sequence
        {
            let (ticks, orders) = (shown - time, picture.order.saturating_sub(last.order));
            if orders != 0 && ticks.signum() == orders.signum() && ticks.abs() <= MAX_GAP {
                self.per_order = (ticks.abs(), orders.saturating_abs());
            }
        }
        self.anchor = Some((picture, shown));
        shown
    }

    fn unstated_time(&mut self, picture: Picture) -> i64 {
        self.unstated += 1;
        let (ticks, orders) = self.per_order;
        let (last, time) = match self.anchor {
            Some(anchor) if anchor.0.sequence == picture.sequence => anchor,
            // A new sequence follows all pictures before.
            _ => (picture, self.latest.map_or(0, |latest| latest + self.step)),
        };
        self.anchor = Some((last, time));
        let orders_since = picture.order.saturating_sub(last.order);
        let since = orders_since.saturating_mul(ticks) / orders.max(1);
        time + since.clamp(-MAX_GAP, MAX_GAP)
    }
}

/// Returns how far stated time `later` is after `earlier`, at most half of all times either way.
pub(super) fn difference(later: i64, earlier: i64) -> i64 {
    (later - earlier + WRAP / 2).rem_euclid(WRAP) - WRAP / 2
}

#[cfg(test)]
mod tests {
    use super::*;

    fn picture(sequence: u64, order: i64) -> Picture {
        Picture { sequence, order, ..Picture::default() }
    }

    fn stated(shown: i64, decoded: i64) -> Option<StatedTimes> {
        let wrap = |time: i64| time.rem_euclid(WRAP);
        Some(StatedTimes { shown: wrap(shown), decoded: wrap(decoded) })
    }

    #[test]
    fn times_go_on_where_stated_ones_start_again() {
        let mut clock = Clock::new(2);
        let start = WRAP - 7200;
        let times: Vec<i64> = (0..5)
            .map(|at| start + 3600 * at)
            .map(|time| clock.time(picture(0, 0), stated(time + 7200, time)))
            .collect();
        assert_eq!(times, (0..5).map(|at| start + 7200 + 3600 * at).collect::<Vec<_>>());
    }

    #[test]
    fn jumps_are_taken_out_and_gaps_are_not() {
        let mut clock = Clock::new(2);
        let mut time = |decoded: i64| clock.time(picture(0, 0), stated(decoded + 3600, decoded)) - 3600;
        assert_eq!([time(1000), time(4600), time(8200)], [1000, 4600, 8200]);
        // Lost packets, a jump ahead, one back, and a new start.
        assert_eq!([time(98200), time(101800)], [98200, 101800]);
        assert_eq!([time(9_000_000), time(9_003_600)], [105_400, 109_000]);
        assert_eq!([time(8_000_000), time(8_003_600)], [112_600, 116_200]);
        assert_eq!([time(1000), time(4600)], [119_800, 123_400]);
    }

    #[test]
    fn pictures_without_times_are_placed_by_their_order() {
        let mut clock = Clock::new(2);
        let mut time = |order, times| clock.time(picture(0, order), times);
        assert_eq!(time(0, stated(9000, 5400)), 9000);
        // Before anything is known: 25 a second.
        assert_eq!(time(8, None), 9000 + 4 * 3600);
        assert_eq!(time(4, stated(9000 + 2 * 3000, 5400 + 2 * 3000)), 15000);
        assert_eq!([time(2, None), time(6, None)], [12000, 18000]);
        // Another sequence after all of them.
        assert_eq!(clock.time(picture(1, 0), None), 9000 + 4 * 3600 + 3000);
        assert_eq!(clock.time(picture(1, 2), None), 9000 + 4 * 3600 + 6000);
    }

    #[test]
    fn no_stated_time_can_do_harm() {
        let mut clock = Clock::new(1);
        let mut seed = 1u64;
        for at in 0..100_000u64 {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(at | 1);
            let times = (seed >> 60 != 0).then_some(StatedTimes {
                shown: (seed >> 20) as i64 & (WRAP - 1),
                decoded: (seed >> 27) as i64 & (WRAP - 1),
            });
            clock.time(picture(seed >> 63, seed as i64), times);
        }
    }
}
