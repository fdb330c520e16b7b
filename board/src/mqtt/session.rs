//! A connection that the broker has accepted: what was sent, confirmed and received.

use std::collections::BTreeMap;
use std::io::{self, ErrorKind};
use std::os::fd::{AsFd, BorrowedFd};
use std::time::{Duration, Instant};

use anyhow::{Result, bail};

use super::link::{Link, STEP};
use super::packet::{self, Decoder, Packet};
use super::shared::Shared;

/// Time without a word of the client after which the broker publishes the will.
pub(super) const KEEP_ALIVE: Duration = Duration::from_secs(30);

/// Time without a word or a confirmation of the broker after which the connection is lost.
const SILENCE: Duration = Duration::from_secs(30);

/// Messages sent and not yet confirmed, at most.
const MAX_UNCONFIRMED: usize = 100;

/// Bytes that are sent at once, about.
const BATCH: usize = 64 << 10;

/// A connection that the broker has accepted.
pub(super) struct Connected {
    link: Link,
    decoder: Decoder,
    /// Topics of the messages that the broker has not confirmed, by their numbers.
    unconfirmed: BTreeMap<u16, String>,
    /// Number of the last message.
    number: u16,
    /// When the broker last sent something, and last confirmed a message or had none to confirm.
    received: Instant,
    confirmed: Instant,
    /// When the last ping was sent.
    pinged: Instant,
}

impl Connected {
    /// Returns a connection that `decoder` has read the first packet of.
    pub fn new(link: Link, decoder: Decoder) -> Self {
        let now = Instant::now();
        let unconfirmed = BTreeMap::new();
        Connected { link, decoder, unconfirmed, number: 0, received: now, confirmed: now, pinged: now }
    }

    fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.link.send(bytes, Instant::now() + STEP)
    }

    /// Subscribes to `topics`.
    ///
    /// # Errors
    /// When the broker does not take it in time.
    pub fn subscribe<'a>(&mut self, topics: impl IntoIterator<Item = &'a str>) -> io::Result<()> {
        let mut bytes = Vec::new();
        packet::subscribe(&mut bytes, 1, topics);
        self.number = 1;
        self.send(&bytes)
    }

    /// Sends what waits in the outbox, as far as the broker confirms it. Returns whether nothing is
    /// left.
    ///
    /// # Errors
    /// When the broker does not take it in time.
    pub fn send_waiting(&mut self, shared: &Shared) -> io::Result<bool> {
        loop {
            let mut bytes = Vec::new();
            let (mut is_empty, mut events) = (false, 0);
            let mut state = shared.lock();
            while bytes.len() < BATCH && self.unconfirmed.len() < MAX_UNCONFIRMED {
                let Some(next) = state.outbox.next() else {
                    is_empty = true;
                    break;
                };
                let message = next.as_message();
                // A retained message arrives for sure. One clip is not worth the confirmation.
                let number = next.is_retained.then(|| self.next_number());
                events += u64::from(number.is_none());
                packet::publish(&mut bytes, &message, number);
                if let Some(number) = number {
                    if self.unconfirmed.is_empty() {
                        self.confirmed = Instant::now();
                    }
                    self.unconfirmed.insert(number, next.topic);
                }
            }
            drop(state);
            if bytes.is_empty() {
                return Ok(is_empty);
            }
            if let Err(error) = self.send(&bytes) {
                shared.lock().outbox.count_lost(events);
                return Err(error);
            }
            if is_empty {
                return Ok(true);
            }
        }
    }

    /// Returns a number that no unconfirmed message has. There are many more numbers than such
    /// messages.
    fn next_number(&mut self) -> u16 {
        loop {
            self.number = self.number.checked_add(1).unwrap_or(1);
            if !self.unconfirmed.contains_key(&self.number) {
                return self.number;
            }
        }
    }

    /// Shows the broker that the client is there.
    ///
    /// # Errors
    /// When the broker has not shown the same for too long.
    pub fn keep_alive(&mut self) -> Result<()> {
        if self.received.elapsed() > SILENCE {
            bail!("the broker has said nothing for {} s", SILENCE.as_secs());
        }
        if !self.unconfirmed.is_empty() && self.confirmed.elapsed() > SILENCE {
            bail!("the broker has confirmed nothing for {} s", SILENCE.as_secs());
        }
        if self.pinged.elapsed() > KEEP_ALIVE / 3 {
            self.pinged = Instant::now();
            let mut bytes = Vec::new();
            packet::ping(&mut bytes);
            self.send(&bytes)?;
        }
        Ok(())
    }

    /// Receives what is there, and passes each message, its topic and payload, to `take`.
    ///
    /// # Errors
    /// When the broker has closed the connection, or breaks the protocol.
    pub fn receive(&mut self, shared: &Shared, mut take: impl FnMut(&str, &[u8])) -> Result<()> {
        let decoder = &mut self.decoder;
        match self.link.receive(Instant::now() + STEP, |bytes| decoder.add(bytes)) {
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            received => received?,
        }
        self.received = Instant::now();
        while let Some(packet) = self.decoder.next()? {
            match packet {
                Packet::Confirmed(number) => {
                    self.confirmed = Instant::now();
                    if let Some(topic) = self.unconfirmed.remove(&number)
                        && !self.unconfirmed.values().any(|other| *other == topic)
                    {
                        shared.lock().outbox.confirmed(&topic);
                    }
                }
                Packet::Published { topic, payload } => take(&topic, &payload),
                Packet::Subscribed { is_refused: true } => {
                    log::warn!(
                        "MQTT: the broker does not let this user read the topics of states; see the rights in docs/service.md"
                    );
                }
                Packet::Subscribed { is_refused: false } | Packet::Pong => {}
                Packet::Connected(_) => bail!("the broker sends a second CONNACK"),
            }
        }
        Ok(())
    }

    /// Returns whether the broker has confirmed everything.
    pub fn is_confirmed(&self) -> bool {
        self.unconfirmed.is_empty()
    }

    /// Ends the connection in good order, so that the broker does not publish the will.
    ///
    /// # Errors
    /// When the broker does not take it in time.
    pub fn end(mut self) -> Result<()> {
        let mut bytes = Vec::new();
        packet::disconnect(&mut bytes);
        Ok(self.send(&bytes)?)
    }
}

/// For waiting until there are bytes to receive.
impl AsFd for Connected {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.link.as_fd()
    }
}
