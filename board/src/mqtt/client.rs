//! The client: connects, publishes what waits, and connects again.

use std::hash::{BuildHasher, RandomState};
use std::os::fd::AsFd;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use divita_console::{in_one_line, say};
use rustix::event::{PollFd, PollFlags, Timespec, poll};

use super::link::{Broker, STEP};
use super::packet::{self, Connect, Decoder, Message, Packet};
use super::session::{Connected, KEEP_ALIVE};
use super::shared::Shared;
use super::states::{self, OFFLINE, ONLINE};
use super::topics::Topics;
use crate::observers::Telemetry;
use crate::secret::Secret;

/// Interval of the retained topics that change all the time.
const INTERVAL: Duration = Duration::from_secs(1);

/// Pauses between attempts to connect, which double.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LAST_PAUSE: Duration = Duration::from_secs(60);

/// Time after which a connection counts as stable, so that the next pause is the first again.
const STABLE: Duration = Duration::from_secs(10);

/// Broker, topics and login of a service.
pub struct Publication {
    /// The broker.
    pub broker: Broker,
    /// The topics.
    pub topics: Topics,
    /// Name of the user, if the broker asks for one.
    pub user: Option<String>,
    /// Its password.
    pub password: Option<Secret>,
}

/// Connects, and publishes what waits.
pub(super) struct Client {
    publication: Publication,
    name: String,
    telemetry: Telemetry,
    shared: Arc<Shared>,
}

impl Client {
    /// Returns a client that has not connected yet.
    pub fn new(publication: Publication, telemetry: Telemetry, shared: Arc<Shared>) -> Self {
        // Several services at one broker need different names.
        let name = format!("divita-{:016x}", RandomState::new().hash_one(std::process::id()));
        Client { publication, name, telemetry, shared }
    }

    /// Publishes until the outbox is closed.
    pub fn run(&self) {
        let mut pause = FIRST_PAUSE;
        // Whether the loss of the connection was reported.
        let mut is_reported = false;
        while !self.shared.lock().outbox.is_closed() {
            let connected = self.connect();
            let begun = Instant::now();
            let published = connected.and_then(|connected| {
                let dropped = self.shared.lock().outbox.dropped();
                let lost =
                    if dropped > 0 { format!("; {dropped} messages were dropped so far") } else { String::new() };
                say(format_args!("connected to {}{lost}", self.publication.broker));
                is_reported = false;
                self.publish(connected)
            });
            self.shared.lock().is_connected = false;
            let Err(error) = published else { return };
            if begun.elapsed() >= STABLE {
                pause = FIRST_PAUSE;
            }
            if !is_reported {
                let error = in_one_line(&error);
                say(format_args!(
                    "no connection to {}: {error}; trying again until there is one",
                    self.publication.broker
                ));
            }
            is_reported = true;
            self.wait(None, Instant::now() + pause);
            pause = (pause * 2).min(LAST_PAUSE);
        }
    }

    /// Connects to the broker, which then knows the will.
    fn connect(&self) -> Result<Connected> {
        let Publication { broker, topics, user, password } = &self.publication;
        let mut link = broker.connect()?;
        let status = topics.status();
        let options = Connect {
            client: &self.name,
            keep_alive_s: KEEP_ALIVE.as_secs() as u16,
            will: Message { topic: &status, payload: OFFLINE, is_retained: true },
            user: user.as_deref(),
            password: password.as_ref().map(Secret::reveal),
        };
        let mut bytes = Vec::new();
        packet::connect(&mut bytes, &options);
        let deadline = Instant::now() + STEP;
        link.send(&bytes, deadline)?;
        let mut decoder = Decoder::default();
        loop {
            match decoder.next()? {
                Some(Packet::Connected(0)) => return Ok(Connected::new(link, decoder)),
                Some(Packet::Connected(code)) => bail!("the broker refuses: {}", refusal(code)),
                Some(_) => bail!("the broker answers with another packet than CONNACK"),
                None => link.receive(deadline, |bytes| decoder.add(bytes)).context("no answer to CONNECT")?,
            }
        }
    }

    /// Publishes until the outbox is closed and empty.
    fn publish(&self, mut connected: Connected) -> Result<()> {
        let topics = &self.publication.topics;
        let (births, status) = (topics.births(), topics.status());
        connected.subscribe(births.iter().map(String::as_str).chain([&*status]))?;
        let mut state = self.shared.lock();
        state.outbox.resend("");
        state.is_connected = true;
        drop(state);
        let mut refresh = Instant::now();
        loop {
            let now = Instant::now();
            let is_closed = self.shared.lock().outbox.is_closed();
            if now >= refresh || is_closed {
                // The lock is held, so that no source is removed between reading and writing.
                let outbox = &mut self.shared.lock().outbox;
                states::refresh(outbox, topics, &self.telemetry);
                if is_closed {
                    outbox.end_with(&status, OFFLINE);
                }
                refresh = now + INTERVAL;
            }
            let is_empty = connected.send_waiting(&self.shared)?;
            if is_empty && is_closed && connected.is_confirmed() {
                return connected.end();
            }
            connected.keep_alive()?;
            if self.wait(Some(&connected), refresh) {
                let (mut has_started, mut is_denied) = (false, false);
                connected.receive(&self.shared, |topic, payload| {
                    has_started |= births.iter().any(|birth| birth == topic) && payload == ONLINE;
                    is_denied |= topic == status && payload != ONLINE;
                })?;
                // Home Assistant has started, and perhaps forgotten what it knew.
                if let Some(discovery) = topics.discovery().filter(|_| has_started) {
                    self.shared.lock().outbox.resend(&format!("{discovery}/"));
                }
                // The will of a connection that the broker has only now found to be lost.
                if is_denied && !self.shared.lock().outbox.is_closed() {
                    self.shared.lock().outbox.resend(&status);
                }
            }
        }
    }

    /// Waits for bytes of the broker until `until`, or until the observer wakes it. Returns whether
    /// there are bytes. Without a connection it waits for the time, or until the outbox is closed.
    fn wait(&self, connected: Option<&Connected>, until: Instant) -> bool {
        loop {
            let left = until.saturating_duration_since(Instant::now());
            let mut all = vec![PollFd::from_borrowed_fd(self.shared.as_fd(), PollFlags::IN)];
            all.extend(connected.map(|connected| PollFd::new(connected, PollFlags::IN)));
            let timeout = Timespec { tv_sec: left.as_secs() as i64, tv_nsec: left.subsec_nanos().into() };
            // An interruption is a turn without news.
            let _ = poll(&mut all, Some(&timeout));
            let has_news = |index: usize| all.get(index).is_some_and(|one| !one.revents().is_empty());
            let has_bytes = has_news(1);
            self.shared.clear_wakeups();
            if connected.is_some() || left.is_zero() || self.shared.lock().outbox.is_closed() {
                return has_bytes;
            }
        }
    }
}

/// Returns why a broker refuses a connection.
fn refusal(code: u8) -> &'static str {
    match code {
        1 => "it does not know MQTT 3.1.1",
        2 => "it does not accept the client's name",
        3 => "it is not available",
        4 => "wrong user name or password; check --mqtt-user and --mqtt-password",
        5 => "this user may not connect; check --mqtt-user and --mqtt-password",
        _ => "it gives no reason",
    }
}
