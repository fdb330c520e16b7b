//! Reports to systemd: ready, alive, current state, stopping.
//!
//! The messages are datagrams to the socket in NOTIFY_SOCKET (sd_notify(3)). The crates for this
//! support no abstract sockets, or are larger than these few lines.
//!
//! The watchdog catches a program that hangs: a network that does not return, a driver that does
//! not answer. So no timer triggers it, but sessions that are all alive ([`Liveness`]).

use std::ffi::OsStr;
use std::io;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::time::{Duration, Instant};

use anyhow::Result;
use divita_console::printable;
use divita_runtime::event::Event;
use divita_video::SourceInfo;

use super::liveness::Liveness;
use super::observer::{Observer, RunInfo, Source, Status};
use crate::event::{InputEvent, LiveState, SessionEvent};

/// Reports to the service manager.
#[derive(Debug)]
struct Service {
    manager: Manager,
    started: Instant,
    watchdog: Watchdog,
    is_ready: bool,
}

/// Starts if the environment names a service manager.
#[expect(clippy::unnecessary_wraps, reason = "the signature of the table of observers")]
pub(super) fn start(_: &RunInfo<'_>) -> Result<Option<Box<dyn Observer>>> {
    let set = |name| std::env::var_os(name).filter(|value| !value.is_empty());
    let Some(name) = set("NOTIFY_SOCKET") else { return Ok(None) };
    let manager = match Manager::new(&name) {
        Ok(manager) => manager,
        Err(error) => {
            log::warn!("NOTIFY_SOCKET={}: {error}; nothing is reported to systemd", name.display());
            return Ok(None);
        }
    };
    let text = |name| set(name).and_then(|value| value.into_string().ok());
    let limit = watchdog_limit(text("WATCHDOG_USEC").as_deref(), text("WATCHDOG_PID").as_deref());
    let watchdog = Watchdog::new(limit);
    Ok(Some(Box::new(Service { manager, started: Instant::now(), watchdog, is_ready: false })))
}

impl Observer for Service {
    /// The service is up once its first input is open.
    fn opened(&mut self, source: Source<'_>, info: &SourceInfo) -> Result<()> {
        let ready = if self.is_ready { "" } else { "READY=1\n" };
        self.is_ready = true;
        self.send(&format!("{ready}STATUS={}\n", one_line(&info.name)));
        self.watchdog.sessions.opening(source.number, self.started.elapsed(), Duration::ZERO);
        Ok(())
    }

    fn event(&mut self, source: Source<'_>, event: &SessionEvent) -> Result<()> {
        match event {
            SessionEvent::Input(InputEvent::Live { state: LiveState::Waiting, retry_s, .. }) => {
                let pause = Duration::from_secs_f64(retry_s.unwrap_or(0.0));
                self.watchdog.sessions.opening(source.number, self.started.elapsed(), pause);
            }
            SessionEvent::Input(InputEvent::Live { .. }) => {
                self.watchdog.sessions.connected(source.number, self.started.elapsed());
            }
            _ => {}
        }
        let line = match event {
            SessionEvent::Method(Event::Clip { index, end_s, .. }) => {
                Some(format!("{} clips, the last at {end_s:.0} s", index + 1))
            }
            SessionEvent::Method(_) => None,
            SessionEvent::Input(event) => event.line(),
        };
        if let Some(line) = line {
            self.send(&format!("STATUS={}\n", one_line(&format!("{}: {line}", source.name))));
        }
        Ok(())
    }

    fn status(&mut self, source: Source<'_>, status: Status) {
        match status {
            Status::Processed { .. } => self.trigger(source, true),
            Status::Idle => self.trigger(source, false),
            Status::Stopping => self.send(STOPPING),
        }
    }

    fn closed(&mut self, source: Source<'_>, _: bool) -> Result<()> {
        self.watchdog.sessions.closed(source.number);
        Ok(())
    }

    fn finish(self: Box<Self>) -> Result<()> {
        self.send(STOPPING);
        Ok(())
    }
}

/// Message that the program ends.
const STOPPING: &str = "STOPPING=1\n";

impl Service {
    fn trigger(&mut self, source: Source<'_>, processed: bool) {
        if self.watchdog.is_due(source.number, self.started.elapsed(), processed) {
            self.send("WATCHDOG=1\n");
        }
    }

    /// Sends a message. A manager that does not listen is no reason to stop.
    fn send(&self, message: &str) {
        if let Err(error) = self.manager.send(message) {
            log::debug!("cannot send {message:?} to systemd: {error}");
        }
    }
}

/// Returns `text` on one line, because each line of a message is a statement of its own.
fn one_line(text: &str) -> String {
    printable(text).into_owned()
}

/// Decides when to trigger the watchdog. Times count from any fixed moment.
#[derive(Debug)]
struct Watchdog {
    /// Interval: a quarter of the limit, so that several messages may be late. `None` without a
    /// watchdog.
    every: Option<Duration>,
    /// Time of the last trigger.
    last: Option<Duration>,
    sessions: Liveness,
}

impl Watchdog {
    fn new(limit: Option<Duration>) -> Self {
        Watchdog { every: limit.map(|limit| limit / 4), last: None, sessions: Liveness::default() }
    }

    /// Returns whether to trigger it at `now`, after `session` processed a frame or got nothing.
    fn is_due(&mut self, session: usize, now: Duration, processed: bool) -> bool {
        let Some(every) = self.every else { return false };
        match processed {
            true => self.sessions.processed(session, now),
            false => self.sessions.idle(session),
        }
        let due =
            self.last.is_none_or(|last| now >= last + every) && self.sessions.hanging(now, every).next().is_none();
        if due {
            self.last = Some(now);
        }
        due
    }
}

/// Returns the limit in WATCHDOG_USEC, unless WATCHDOG_PID names another process.
fn watchdog_limit(microseconds: Option<&str>, process: Option<&str>) -> Option<Duration> {
    let ours = process.is_none_or(|process| process.parse() == Ok(std::process::id()));
    let limit = microseconds?.parse().ok().map(Duration::from_micros);
    limit.filter(|limit| ours && !limit.is_zero())
}

/// The socket of the service manager.
#[derive(Debug)]
struct Manager {
    socket: UnixDatagram,
    address: SocketAddr,
}

impl Manager {
    /// Connects to the socket `name`: a path, or an abstract name after `@`.
    fn new(name: &OsStr) -> io::Result<Self> {
        let address = match name.as_bytes() {
            [b'@', name @ ..] => SocketAddr::from_abstract_name(name)?,
            [b'/', ..] => SocketAddr::from_pathname(name)?,
            _ => return Err(io::Error::new(io::ErrorKind::InvalidInput, "neither a path nor an abstract name")),
        };
        let socket = UnixDatagram::unbound()?;
        // A manager that does not read must not delay frames.
        socket.set_nonblocking(true)?;
        Ok(Manager { socket, address })
    }

    fn send(&self, message: &str) -> io::Result<()> {
        self.socket.send_to_addr(message.as_bytes(), &self.address).map(drop)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    /// The seconds, of the first `until`, at which it is fed when it is looked at every second.
    fn fed(watchdog: &mut Watchdog, seconds: std::ops::Range<u32>, processed: bool) -> Vec<u32> {
        seconds.filter(|&second| watchdog.is_due(0, second * SECOND, processed)).collect()
    }

    #[test]
    fn frames_feed_the_watchdog_four_times_in_its_limit() {
        let mut watchdog = Watchdog::new(Some(20 * SECOND));
        assert_eq!(fed(&mut watchdog, 0..21, true), [0, 5, 10, 15, 20]);
        assert!(fed(&mut Watchdog::new(None), 0..100, true).is_empty());
    }

    #[test]
    fn waiting_feeds_it_only_while_the_source_is_known_to_be_away() {
        let mut watchdog = Watchdog::new(Some(40 * SECOND));
        // Gives pictures, then nothing and no word of it: it hangs.
        assert!(fed(&mut watchdog, 0..100, false).is_empty());
        // Unplugged, and tried again every half minute, for as long as it takes.
        for attempt in 0..20 {
            let start = 100 + 30 * attempt;
            watchdog.sessions.opening(0, start * SECOND, 30 * SECOND);
            assert_eq!(fed(&mut watchdog, start..start + 30, false).len(), 3, "attempt {attempt}");
        }
        // The last attempt never returned.
        assert_eq!(fed(&mut watchdog, 700..2000, false).last(), Some(&750));
        watchdog.sessions.opening(0, 2000 * SECOND, SECOND);
        watchdog.sessions.connected(0, 2000 * SECOND);
        assert_eq!(fed(&mut watchdog, 2000..2100, false), [2000]);
    }

    #[test]
    fn a_source_that_hangs_is_not_hidden_by_one_that_runs() {
        let mut watchdog = Watchdog::new(Some(20 * SECOND));
        watchdog.sessions.opening(1, Duration::ZERO, Duration::ZERO);
        watchdog.sessions.connected(1, Duration::ZERO);
        assert_eq!(fed(&mut watchdog, 0..100, true), [0]);
        // A frame of the other source a second is as good as a hundred.
        let both = (100..121).filter(|&second| {
            let other = watchdog.is_due(1, second * SECOND, true);
            other | watchdog.is_due(0, second * SECOND, true)
        });
        assert_eq!(both.collect::<Vec<_>>(), [100, 105, 110, 115, 120]);
        watchdog.sessions.closed(1);
        assert_eq!(fed(&mut watchdog, 121..131, true), [125, 130]);
    }

    #[test]
    fn a_watchdog_of_another_process_is_not_ours() {
        let own = std::process::id().to_string();
        assert_eq!(watchdog_limit(Some("30000000"), Some(&own)), Some(30 * SECOND));
        assert_eq!(watchdog_limit(Some("30000000"), None), Some(30 * SECOND));
        for (limit, process) in [(Some("30000000"), Some("1")), (None, None), (Some("0"), None), (Some("soon"), None)] {
            assert_eq!(watchdog_limit(limit, process), None);
        }
    }

    #[test]
    fn messages_reach_sockets_of_both_kinds() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("notify");
        let name = format!("divita-test-{}", std::process::id());
        let by_path = SocketAddr::from_pathname(&path).unwrap();
        let by_name = SocketAddr::from_abstract_name(&name).unwrap();
        for (address, text) in [(by_path, path.to_str().unwrap().to_owned()), (by_name, format!("@{name}"))] {
            let listener = UnixDatagram::bind_addr(&address).unwrap();
            Manager::new(OsStr::new(&text)).unwrap().send("READY=1\n").unwrap();
            let mut message = [0; 64];
            let length = listener.recv(&mut message).unwrap();
            assert_eq!(&message[..length], b"READY=1\n");
        }
        assert!(Manager::new(OsStr::new("vsock:2:1234")).is_err());
    }
}
