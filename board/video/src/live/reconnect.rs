//! Decides when to open a live source, read it, and wait: a state machine without a clock, a device
//! or a thread.
//!
//! The caller reports events with their time; the machine answers with the next action. A source
//! that is absent, is unplugged, stalls, ends or sends garbage is opened again after a pause. The
//! pause doubles up to a limit while attempts fail, and is short again after steady pictures.

use std::time::Duration;

use crate::error::Fault;

/// Pauses between attempts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Patience {
    /// The first pause.
    pub first: Duration,
    /// The longest pause.
    pub longest: Duration,
    /// How long pictures must have come for the next pause to be the first again.
    pub steady: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Patience { first: Duration::from_millis(500), longest: Duration::from_secs(30), steady: Duration::from_secs(5) }
    }
}

/// A change of a live source.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// The first picture has come since the source was opened, of this width and height.
    Connected {
        /// Width and height in pixels.
        size: (usize, usize),
    },
    /// The pictures have another width and height from now on.
    Resized {
        /// Width and height in pixels.
        size: (usize, usize),
    },
    /// The source failed, and is opened again after a pause.
    Waiting {
        /// What is wrong.
        fault: Fault,
        /// The pause.
        pause: Duration,
    },
}

/// Counters of connections and failures.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Number of times that pictures came after the source was opened.
    pub connections: u64,
    /// Number of times that the size of the pictures changed.
    pub resizes: u64,
    /// Number of failures of any kind.
    pub failures: u64,
}

impl Counters {
    /// Returns how many times the source came back.
    pub fn reconnects(&self) -> u64 {
        self.connections.saturating_sub(1)
    }
}

/// What to do next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// Open the source.
    Open,
    /// Read its next frame.
    Read,
    /// Wait this long, and ask again.
    Wait(Duration),
}

#[derive(Clone, Copy, Debug)]
enum State {
    Closed,
    /// Open; no picture has come.
    Open,
    /// Pictures come since then, in this size.
    Streaming {
        since: Duration,
        size: (usize, usize),
    },
    Waiting {
        until: Duration,
    },
}

/// The state of one source. Times are since any fixed moment.
#[derive(Clone, Debug)]
pub struct Reconnect {
    patience: Patience,
    state: State,
    /// The next pause.
    pause: Duration,
    counters: Counters,
}

impl Reconnect {
    /// Returns a source that has not been opened.
    pub fn new(patience: Patience) -> Self {
        Reconnect { patience, state: State::Closed, pause: patience.first, counters: Counters::default() }
    }

    /// Returns what to do at `now`.
    pub fn step(&mut self, now: Duration) -> Step {
        match self.state {
            State::Waiting { until } if now < until => Step::Wait(until - now),
            State::Waiting { .. } | State::Closed => {
                self.state = State::Closed;
                Step::Open
            }
            State::Open | State::Streaming { .. } => Step::Read,
        }
    }

    /// Records that the source was opened.
    pub fn opened(&mut self) {
        self.state = State::Open;
    }

    /// Records a frame of this width and height at `now`; returns what changed.
    pub fn frame(&mut self, now: Duration, size: (usize, usize)) -> Option<Change> {
        match self.state {
            State::Streaming { since, size: before } => {
                if now.saturating_sub(since) >= self.patience.steady {
                    self.pause = self.patience.first;
                }
                self.state = State::Streaming { since, size };
                (size != before).then(|| {
                    self.counters.resizes += 1;
                    Change::Resized { size }
                })
            }
            _ => {
                self.state = State::Streaming { since: now, size };
                self.counters.connections += 1;
                Some(Change::Connected { size })
            }
        }
    }

    /// Records that the source failed at `now`: it could not be opened, or not be read any further.
    /// The caller has closed it.
    pub fn failed(&mut self, now: Duration, fault: Fault) -> Change {
        let pause = self.pause;
        self.pause = (2 * pause).min(self.patience.longest);
        self.counters.failures += 1;
        self.state = State::Waiting { until: now + pause };
        Change::Waiting { fault, pause }
    }

    /// Returns the counters.
    pub fn counters(&self) -> Counters {
        self.counters
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const SIZE: (usize, usize) = (640, 360);

    fn seconds(seconds: f64) -> Duration {
        Duration::from_secs_f64(seconds)
    }

    /// Runs the machine against a source that is `Some` for the seconds that it works after it is
    /// opened, once for each attempt; the times of the attempts.
    fn attempts(machine: &mut Reconnect, works: impl IntoIterator<Item = Option<f64>>) -> Vec<f64> {
        let (mut now, mut opened) = (Duration::ZERO, Vec::new());
        for works in works {
            while let Step::Wait(pause) = machine.step(now) {
                assert!(pause > Duration::ZERO);
                now += pause;
            }
            assert_eq!(machine.step(now), Step::Open);
            opened.push(now.as_secs_f64());
            let Some(works) = works else {
                machine.failed(now, Fault::Absent);
                continue;
            };
            machine.opened();
            let end = now + seconds(works);
            while now <= end {
                assert_eq!(machine.step(now), Step::Read);
                machine.frame(now, SIZE);
                now += seconds(0.5);
            }
            machine.failed(now, Fault::Gone);
        }
        opened
    }

    #[test]
    fn pauses_double_up_to_the_cap() {
        let mut machine = Reconnect::new(Patience::default());
        let opened = attempts(&mut machine, [None; 10]);
        let pauses: Vec<f64> = opened.windows(2).map(|pair| pair[1] - pair[0]).collect();
        assert_eq!(pauses, [0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 30.0, 30.0, 30.0]);
        assert_eq!(machine.counters(), Counters { connections: 0, resizes: 0, failures: 10 });
    }

    #[test]
    fn steady_pictures_make_the_next_pause_short() {
        let mut machine = Reconnect::new(Patience::default());
        let opened = attempts(&mut machine, [None, None, None, Some(60.0), None]);
        assert!((opened[4] - opened[3] - 60.5 - 0.5).abs() < 1e-6, "{opened:?}");
        // A source that gives a picture and dies at once is not steady.
        let mut machine = Reconnect::new(Patience::default());
        let opened = attempts(&mut machine, [Some(0.0); 12]);
        assert!((opened[11] - opened[10] - 30.5).abs() < 1e-6, "{opened:?}");
        assert_eq!(machine.counters().reconnects(), 11);
    }

    #[test]
    fn every_change_is_told_once() {
        let mut machine = Reconnect::new(Patience::default());
        assert_eq!(machine.step(Duration::ZERO), Step::Open);
        let waiting = machine.failed(Duration::ZERO, Fault::Absent);
        assert_eq!(waiting, Change::Waiting { fault: Fault::Absent, pause: seconds(0.5) });
        assert_eq!(machine.step(seconds(0.2)), Step::Wait(seconds(0.3)));
        assert_eq!(machine.step(seconds(0.5)), Step::Open);
        machine.opened();
        assert_eq!(machine.frame(seconds(0.6), SIZE), Some(Change::Connected { size: SIZE }));
        assert_eq!(machine.frame(seconds(0.7), SIZE), None);
        assert_eq!(machine.frame(seconds(0.8), (320, 180)), Some(Change::Resized { size: (320, 180) }));
        assert_eq!(machine.frame(seconds(0.9), (320, 180)), None);
        assert_eq!(machine.counters(), Counters { connections: 1, resizes: 1, failures: 1 });
    }

    proptest! {
        /// Whatever a source does: it is never opened more often than the pauses allow, and never
        /// given up.
        #[test]
        fn a_source_is_neither_hammered_nor_forgotten(works in prop::collection::vec(prop::option::of(0.0f64..20.0), 1..300)) {
            let mut machine = Reconnect::new(Patience::default());
            let opened = attempts(&mut machine, works.iter().copied());
            prop_assert_eq!(opened.len(), works.len());
            for (pair, works) in opened.windows(2).zip(&works) {
                let pause = pair[1] - pair[0] - works.unwrap_or(0.0);
                prop_assert!((0.499..=31.1).contains(&pause), "{pause}");
            }
            let counters = machine.counters();
            prop_assert_eq!(counters.failures as usize, works.len());
            prop_assert_eq!(counters.connections as usize, works.iter().flatten().count());
        }
    }
}
