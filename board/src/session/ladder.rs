//! The ladder: chooses the pictures to decode and the working rate that a board can keep up with,
//! after each clip, from the board's load and temperature.
//!
//! To leave out pictures that no other needs costs least: a cut may be found a picture late. A
//! lower rate costs little accuracy (paper, Table 7), but a dropped frame may hide a cut. So the
//! first step down leaves out pictures, the others lower the rate, as soon as the board falls
//! behind. Steps up come in the opposite order, only after a period of low load. A step up that
//! does not hold doubles the next wait, so that nothing oscillates. Key pictures alone are no step:
//! with one picture in several seconds, cuts and clips are guesses.

use std::fmt;
use std::time::Duration;

use divita_runtime::sampler::WorkingRate;
use divita_video::DecodedPictures;

/// Number of overloaded or hot clips in a row for a step down. One slow clip is no reason.
const TROUBLE: u32 = 3;

/// Load from which a board falls behind.
const FULL: f64 = 0.95;

/// Maximum expected load at the next higher rate.
const ROOM: f64 = 0.8;

/// Minimum and maximum wait before a step up.
const WAITS: (Duration, Duration) = (Duration::from_secs(20), Duration::from_secs(1200));

/// Number of waits after which a step up is tried even if the expected load is too high: not all
/// work grows with the rate.
const TRY: u32 = 5;

/// Work with the pictures that others need, as a share of that with all: decoding one in three
/// fewer saves a third (H.264 as x264 codes it by default).
const REFERENCE_SHARE: f64 = 0.65;

/// Degrees below the limit: the board is hot from the first, and cool again from the second.
const NEAR: (f64, f64) = (5.0, 12.0);

/// Load during the last clip.
#[derive(Clone, Copy, Debug, Default)]
pub struct Load {
    /// Share of the time since the clip before that was spent working, in [0, 1]: by the thread of
    /// the source or by those that run networks, whichever is more.
    pub busy: f64,
    /// Number of frames and clips dropped since then.
    pub dropped: u64,
    /// Degrees Celsius left to the temperature limit, if known.
    pub degrees_left: Option<f64>,
}

/// Reason for a change of the rate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// Frames were dropped, or nearly so.
    Behind,
    /// The temperature limit is near.
    Hot,
    /// The load was low for a while.
    Room,
}

/// The word in events.
impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Reason::Behind => "behind",
            Reason::Hot => "hot",
            Reason::Room => "room",
        })
    }
}

/// What a live input is processed with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rung {
    /// Working rate.
    pub rate: WorkingRate,
    /// Pictures that are decoded.
    pub decode: DecodedPictures,
}

/// A step up or down. Either the rate changes or the pictures.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Move {
    /// Before it.
    pub from: Rung,
    /// After it: the rate from the next clip on.
    pub to: Rung,
    /// Reason.
    pub reason: Reason,
}

/// Returns the muAP of Swin-3D at a working rate (paper, Table 7), in points.
#[must_use]
pub fn paper_muap(rate: WorkingRate) -> f64 {
    match rate.fps() {
        24 => 75.57,
        12 => 73.34,
        8 => 73.04,
        6 => 72.93,
        _ => 72.55,
    }
}

/// A ladder, and the current rung of a stream. Times count from any fixed moment.
#[derive(Clone, Debug)]
pub struct Ladder {
    /// In ascending order.
    rates: Vec<WorkingRate>,
    at: usize,
    decode: DecodedPictures,
    /// Whether the pictures may change.
    chooses_pictures: bool,
    behind: u32,
    hot: u32,
    /// Start of the period with room for the next higher rate, and of the period without trouble.
    room: Option<Duration>,
    calm: Option<Duration>,
    wait: Duration,
    /// Time of the last step up.
    rose: Option<Duration>,
}

impl Ladder {
    /// Creates a ladder of `rates` at the highest rate not above that of `first`, or else the
    /// lowest. With `chooses_pictures` it decides which pictures are decoded, too. Returns `None`
    /// without rates.
    #[must_use]
    pub fn new(mut rates: Vec<WorkingRate>, first: Rung, chooses_pictures: bool) -> Option<Self> {
        rates.sort();
        rates.dedup();
        rates.first()?;
        let at = rates.iter().rposition(|&rate| rate <= first.rate).unwrap_or(0);
        Some(Ladder {
            rates,
            at,
            decode: first.decode,
            chooses_pictures,
            behind: 0,
            hot: 0,
            room: None,
            calm: None,
            wait: WAITS.0,
            rose: None,
        })
    }

    /// Returns the current rate.
    #[must_use]
    pub fn rate(&self) -> WorkingRate {
        self.rates[self.at]
    }

    /// Returns the current rung.
    #[must_use]
    pub fn rung(&self) -> Rung {
        Rung { rate: self.rate(), decode: self.decode }
    }

    /// Returns whether the ladder decides which pictures are decoded.
    #[must_use]
    pub fn chooses_pictures(&self) -> bool {
        self.chooses_pictures
    }

    /// Takes the load of a clip that was completed at `now`. Returns the step that follows.
    pub fn clip(&mut self, now: Duration, load: Load) -> Option<Move> {
        let behind = load.dropped > 0 || load.busy > FULL;
        let hot = load.degrees_left.is_some_and(|left| left < NEAR.0);
        self.behind = if behind { self.behind + 1 } else { 0 };
        self.hot = if hot { self.hot + 1 } else { 0 };
        if self.behind >= TROUBLE || self.hot >= TROUBLE {
            let reason = if self.behind >= TROUBLE { Reason::Behind } else { Reason::Hot };
            if self.rose.is_some_and(|rose| now.saturating_sub(rose) < 2 * self.wait) {
                // The step up was too early.
                self.wait = (2 * self.wait).min(WAITS.1);
            }
            return self.go(self.below()?, reason);
        }
        let calm = !behind && load.degrees_left.is_none_or(|left| left >= NEAR.1);
        let next = self.above()?;
        // An upper bound: the work of the networks grows with the rate and not with the pictures,
        // that of decoding the other way round.
        let expected = match next.rate == self.rate() {
            true => load.busy / REFERENCE_SHARE,
            false => load.busy * f64::from(next.rate.fps()) / f64::from(self.rate().fps()),
        };
        let since = |mark: &mut Option<Duration>, holds: bool| match holds {
            true => now.saturating_sub(*mark.get_or_insert(now)),
            false => {
                *mark = None;
                Duration::ZERO
            }
        };
        let calm_for = since(&mut self.calm, calm && load.busy < ROOM);
        let room_for = since(&mut self.room, calm && expected < ROOM);
        if room_for >= self.wait || calm_for >= TRY * self.wait {
            self.rose = Some(now);
            return self.go(next, Reason::Room);
        }
        None
    }

    /// Returns the next rung below.
    fn below(&self) -> Option<Rung> {
        if self.chooses_pictures && self.decode == DecodedPictures::All {
            return Some(Rung { decode: DecodedPictures::Reference, ..self.rung() });
        }
        let rate = *self.rates.get(self.at.checked_sub(1)?)?;
        Some(Rung { rate, ..self.rung() })
    }

    /// Returns the next rung above.
    fn above(&self) -> Option<Rung> {
        match self.rates.get(self.at + 1) {
            Some(&rate) => Some(Rung { rate, ..self.rung() }),
            None if self.chooses_pictures && self.decode != DecodedPictures::All => {
                Some(Rung { decode: DecodedPictures::All, ..self.rung() })
            }
            None => None,
        }
    }

    fn go(&mut self, to: Rung, reason: Reason) -> Option<Move> {
        let from = self.rung();
        self.at = self.rates.iter().position(|&rate| rate == to.rate)?;
        self.decode = to.decode;
        (self.behind, self.hot, self.room, self.calm) = (0, 0, None, None);
        Some(Move { from, to, reason })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// A board: the load of a second of video, fixed and per sampled frame.
    #[derive(Clone, Copy)]
    struct Board {
        fixed: f64,
        per_frame: f64,
    }

    const ALL: DecodedPictures = DecodedPictures::All;
    const REFERENCE: DecodedPictures = DecodedPictures::Reference;

    impl Board {
        fn load(&self, rate: WorkingRate) -> Load {
            let work = self.fixed + self.per_frame * f64::from(rate.fps());
            // Of 24 frames a second, those that do not fit are dropped.
            Load { busy: work.min(1.0), dropped: ((work - 1.0).max(0.0) * 24.0).ceil() as u64, degrees_left: None }
        }

        /// Returns the highest rate that the board keeps up with.
        fn best(&self) -> u32 {
            let fits = |rate: &&WorkingRate| self.load(**rate).busy <= FULL;
            WorkingRate::ALL.iter().rev().find(fits).map_or(4, |rate| rate.fps())
        }
    }

    /// Runs one clip a second. Returns the moves with their times in seconds.
    fn run(
        ladder: &mut Ladder,
        seconds: std::ops::Range<u64>,
        load: impl Fn(u64, WorkingRate) -> Load,
    ) -> Vec<(u64, Move)> {
        let at = |second| Some((second, ladder.clip(Duration::from_secs(second), load(second, ladder.rate()))?));
        seconds.filter_map(at).collect()
    }

    fn ladder() -> Ladder {
        Ladder::new(WorkingRate::ALL.to_vec(), Rung { rate: WorkingRate::ALL[4], decode: ALL }, false).expect("rates")
    }

    /// A ladder that leaves out pictures, too.
    fn long_ladder() -> Ladder {
        Ladder { chooses_pictures: true, ..ladder() }
    }

    #[test]
    fn a_slow_board_reaches_its_best_rate_in_seconds() {
        let board = Board { fixed: 0.3, per_frame: 0.07 };
        let mut ladder = ladder();
        let moves = run(&mut ladder, 0..60, |_, rate| board.load(rate));
        assert_eq!(ladder.rate().fps(), board.best());
        assert!(moves.iter().all(|(_, step)| step.reason == Reason::Behind));
        assert!(moves.last().expect("moves").0 < 15, "{moves:?}");
    }

    #[test]
    fn the_first_rate_is_the_highest_not_above_the_profiles() {
        let rate = |fps| WorkingRate::new(fps).expect("a rate");
        let first = |rates: &[u32], fps| {
            let rates = rates.iter().map(|&fps| rate(fps)).collect();
            Ladder::new(rates, Rung { rate: rate(fps), decode: ALL }, true).map(|ladder| ladder.rate().fps())
        };
        assert_eq!(first(&[24, 4, 8], 12), Some(8));
        assert_eq!(first(&[24, 8], 4), Some(8));
        assert_eq!(first(&[4], 24), Some(4));
        assert_eq!(first(&[], 24), None);
    }

    #[test]
    fn pictures_are_left_out_before_the_rate_goes_down() {
        let rungs = |moves: &[(u64, Move)]| -> Vec<(u32, DecodedPictures)> {
            moves.iter().map(|(_, step)| (step.to.rate.fps(), step.to.decode)).collect()
        };
        let mut ladder = long_ladder();
        // A board with which decoding is most of the work: without a third of the pictures it keeps
        // up.
        let decoding =
            |share: f64| Load { busy: (1.2 * share).min(1.0), dropped: u64::from(share > 0.9), degrees_left: None };
        for second in 0..20 {
            let share = if ladder.rung().decode == ALL { 1.0 } else { 0.7 };
            ladder.clip(Duration::from_secs(second), decoding(share));
        }
        assert_eq!(ladder.rung(), Rung { rate: WorkingRate::ALL[4], decode: REFERENCE });
        // One that is slow anyway goes on to lower rates, and back in the opposite order.
        let mut ladder = long_ladder();
        let slow = run(&mut ladder, 0..100, |_, _| Load { busy: 1.0, dropped: 9, degrees_left: None });
        assert_eq!(rungs(&slow), [24, 12, 8, 6, 4].map(|fps| (fps, REFERENCE)));
        let free = run(&mut ladder, 100..1000, |_, _| Load { busy: 0.1, dropped: 0, degrees_left: None });
        assert_eq!(rungs(&free), [(6, REFERENCE), (8, REFERENCE), (12, REFERENCE), (24, REFERENCE), (24, ALL)]);
        // Pictures that the user chose stay.
        let mut chosen = Ladder { decode: REFERENCE, ..self::ladder() };
        let free = run(&mut chosen, 0..1000, |_, _| Load { busy: 0.1, dropped: 0, degrees_left: None });
        assert_eq!(free, []);
    }

    #[test]
    fn one_slow_clip_changes_nothing() {
        let slow =
            |second: u64, _| Load { dropped: if second % 10 < 2 { 5 } else { 0 }, busy: 0.5, degrees_left: None };
        assert_eq!(run(&mut ladder(), 0..600, slow), []);
    }

    #[test]
    fn a_board_with_room_steps_up_again() {
        let (busy, free) = (Board { fixed: 0.5, per_frame: 0.1 }, Board { fixed: 0.1, per_frame: 0.02 });
        let mut ladder = ladder();
        run(&mut ladder, 0..100, |_, rate| busy.load(rate));
        assert_eq!(ladder.rate().fps(), 4);
        let moves = run(&mut ladder, 100..1000, |_, rate| free.load(rate));
        assert_eq!(ladder.rate().fps(), 24);
        assert!(moves.iter().all(|(_, step)| step.reason == Reason::Room) && moves.len() == 4, "{moves:?}");
        assert!(moves.windows(2).all(|pair| pair[1].0 - pair[0].0 >= 20), "{moves:?}");
    }

    #[test]
    fn heat_steps_down_and_only_a_cool_board_steps_up() {
        // Each step down cools the board by four degrees.
        let left = |limit: f64| {
            move |_: u64, rate: WorkingRate| {
                let step = WorkingRate::ALL.iter().position(|one| *one == rate).unwrap_or(0) as f64;
                Load { busy: 0.2, dropped: 0, degrees_left: Some(limit - 4.0 * step) }
            }
        };
        let mut ladder = ladder();
        let moves = run(&mut ladder, 0..100, left(14.0));
        assert_eq!(moves.iter().map(|(_, step)| step.reason).collect::<Vec<_>>(), [Reason::Hot; 2]);
        assert_eq!(ladder.rate().fps(), 8, "six degrees are left, which is neither near nor cool");
        run(&mut ladder, 100..1000, left(40.0));
        assert_eq!(ladder.rate().fps(), 24);
    }

    proptest! {
        /// Any board settles at its best rate, and tries the next one only rarely.
        #[test]
        fn every_board_settles(fixed in 0.0f64..0.7, per_frame in 0.001f64..0.2) {
            let board = Board { fixed, per_frame };
            let mut ladder = ladder();
            run(&mut ladder, 0..36_000, |_, rate| board.load(rate));
            let day = run(&mut ladder, 36_000..72_000, |_, rate| board.load(rate));
            prop_assert!(day.len() <= 60, "{} moves in ten hours", day.len());
            let mut seconds = [0; 25];
            run(&mut ladder, 72_000..76_000, |_, rate| board.load(rate));
            for second in 76_000..80_000 {
                seconds[ladder.rate().fps() as usize] += 1;
                ladder.clip(Duration::from_secs(second), board.load(ladder.rate()));
            }
            let settled = (0..25).max_by_key(|&fps| seconds[fps]).unwrap_or(0) as u32;
            prop_assert!(settled <= board.best(), "{settled} is more than {}", board.best());
            // Where the next rate fills the board to the brim, one below is as good.
            let rates: Vec<u32> = WorkingRate::ALL.iter().map(|rate| rate.fps()).collect();
            let below = rates.iter().position(|&fps| fps == board.best()).unwrap_or(0).saturating_sub(1);
            prop_assert!(settled >= rates[below], "{settled} where {} is possible", board.best());
        }
    }
}
