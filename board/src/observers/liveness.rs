//! Whether the sessions of a run are alive: for the watchdog of systemd and for health checks.
//!
//! A session is alive when it processes frames. While its live source is known to be away, it need
//! not: a restart would not plug in a camera. A source that was due back and reports nothing does
//! not count as away.

use std::collections::BTreeMap;
use std::time::Duration;

/// Maximum time in which a source is opened and gives its first picture or fails. Longer than the
/// time limit of any source.
const OPENING: Duration = Duration::from_secs(60);

/// The open sessions. Times count from any fixed moment.
#[derive(Debug, Default)]
pub struct Liveness(BTreeMap<usize, Session>);

/// What is known of a session.
#[derive(Debug, Default)]
struct Session {
    /// Time until which the source may give nothing; `None` while it gives pictures.
    quiet: Option<Duration>,
    /// Time of the last frame.
    processed: Option<Duration>,
}

impl Liveness {
    /// The source is opened after `pause`.
    pub fn opening(&mut self, session: usize, now: Duration, pause: Duration) {
        self.0.entry(session).or_default().quiet = Some(now + pause + OPENING);
    }

    /// The source connected, which is as good as a frame: its first one is on the way.
    pub fn connected(&mut self, session: usize, now: Duration) {
        self.0.insert(session, Session { quiet: None, processed: Some(now) });
    }

    /// A frame was processed.
    pub fn processed(&mut self, session: usize, now: Duration) {
        self.0.entry(session).or_default().processed = Some(now);
    }

    /// The source gave nothing, and said nothing.
    pub fn idle(&mut self, session: usize) {
        self.0.entry(session).or_default();
    }

    /// The session has ended.
    pub fn closed(&mut self, session: usize) {
        self.0.remove(&session);
    }

    /// Returns the sessions that neither processed a frame in the time `within` before `now`, nor
    /// wait for a source that is away.
    pub fn hanging(&self, now: Duration, within: Duration) -> impl Iterator<Item = usize> {
        let is_alive = move |session: &Session| {
            session.processed.is_some_and(|last| now < last + within) || session.quiet.is_some_and(|until| now < until)
        };
        self.0.iter().filter(move |(_, session)| !is_alive(session)).map(|(number, _)| *number)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn a_source_has_time_for_its_first_frame_from_the_moment_it_connects() {
        let mut sessions = Liveness::default();
        let hangs = |sessions: &Liveness, now: u32| sessions.hanging(now * SECOND, 10 * SECOND).next().is_some();
        sessions.opening(0, Duration::ZERO, Duration::ZERO);
        assert!(!hangs(&sessions, 0) && !hangs(&sessions, 59) && hangs(&sessions, 60));
        sessions.connected(0, 100 * SECOND);
        assert!(!hangs(&sessions, 100) && !hangs(&sessions, 109) && hangs(&sessions, 110));
        sessions.processed(0, 120 * SECOND);
        assert!(!hangs(&sessions, 129) && hangs(&sessions, 130));
        sessions.closed(0);
        assert!(!hangs(&sessions, 1000));
    }
}
