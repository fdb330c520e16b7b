//! Messages that wait for the broker: the latest of each retained topic, and a bounded queue.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::ops::Bound;

use super::packet::{MAX_PAYLOAD, MAX_TEXT, Message};

/// Maximum number of messages that wait and are not retained.
pub(super) const MAX_QUEUE: usize = 1000;

/// A message to send.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct OwnedMessage {
    pub topic: String,
    pub payload: Vec<u8>,
    pub is_retained: bool,
}

impl OwnedMessage {
    /// Returns it as a part of a packet.
    pub fn as_message(&self) -> Message<'_> {
        Message { topic: &self.topic, payload: &self.payload, is_retained: self.is_retained }
    }
}

/// A retained topic.
struct Retained {
    /// Latest payload; empty when the broker has to forget the topic.
    payload: Vec<u8>,
    /// Whether the broker may have a message of the topic.
    was_sent: bool,
}

/// The messages that wait. An outbox never grows with the time that a broker is away: a retained
/// message replaces the one before it, and the oldest of the others are dropped.
#[derive(Default)]
pub(super) struct Outbox {
    retained: BTreeMap<String, Retained>,
    /// Retained topics that are to be sent.
    unsent: BTreeSet<String>,
    queue: VecDeque<OwnedMessage>,
    dropped: u64,
    /// Message that is sent after all others.
    last: Option<OwnedMessage>,
    has_end: bool,
    is_closed: bool,
}

impl Outbox {
    /// Sets the message of a retained topic, unless the broker has it already.
    pub fn retain(&mut self, topic: &str, payload: Vec<u8>) {
        if topic.len() > MAX_TEXT || payload.len() > MAX_PAYLOAD {
            log::warn!("MQTT: a message of {} bytes and its topic of {} are too long", payload.len(), topic.len());
            return;
        }
        match self.retained.get_mut(topic) {
            Some(known) if known.payload == payload => return,
            Some(known) => known.payload = payload,
            None => {
                self.retained.insert(topic.to_owned(), Retained { payload, was_sent: false });
            }
        }
        self.unsent.insert(topic.to_owned());
    }

    /// Returns whether a retained topic has a message.
    pub fn has(&self, topic: &str) -> bool {
        self.retained.get(topic).is_some_and(|known| !known.payload.is_empty())
    }

    /// Deletes the retained topics that begin with `prefix`, also from the broker.
    pub fn delete(&mut self, prefix: &str) {
        let topics = self.topics(prefix);
        for topic in topics {
            match self.retained.get_mut(&topic) {
                Some(known) if known.was_sent => {
                    known.payload.clear();
                    self.unsent.insert(topic);
                }
                _ => {
                    self.retained.remove(&topic);
                    self.unsent.remove(&topic);
                }
            }
        }
    }

    /// Adds a message that is not retained. Drops the oldest one if too many wait.
    pub fn push(&mut self, topic: String, payload: Vec<u8>) {
        if topic.len() > MAX_TEXT || payload.len() > MAX_PAYLOAD {
            self.dropped += 1;
            return;
        }
        if self.queue.len() == MAX_QUEUE {
            self.queue.pop_front();
            self.dropped += 1;
        }
        self.queue.push_back(OwnedMessage { topic, payload, is_retained: false });
    }

    /// Returns the number of messages dropped so far.
    pub fn dropped(&self) -> u64 {
        self.dropped
    }

    /// Has the retained topics that begin with `prefix` sent again.
    pub fn resend(&mut self, prefix: &str) {
        let topics = self.topics(prefix);
        self.unsent.extend(topics);
    }

    /// No further message comes, except those about the end itself.
    pub fn close(&mut self) {
        self.is_closed = true;
    }

    /// Makes `payload` of the retained `topic` the last message, once.
    pub fn end_with(&mut self, topic: &str, payload: &[u8]) {
        if !self.has_end {
            self.last = Some(OwnedMessage { topic: topic.to_owned(), payload: payload.to_vec(), is_retained: true });
        }
        self.has_end = true;
    }

    /// Returns whether [`Outbox::close`] was called.
    pub fn is_closed(&self) -> bool {
        self.is_closed
    }

    /// Returns the next message to send: retained ones first.
    pub fn next(&mut self) -> Option<OwnedMessage> {
        while let Some(topic) = self.unsent.pop_first() {
            if let Some(known) = self.retained.get_mut(&topic) {
                known.was_sent = true;
                return Some(OwnedMessage { payload: known.payload.clone(), topic, is_retained: true });
            }
        }
        self.queue.pop_front().or_else(|| self.last.take())
    }

    /// The broker has the latest message of `topic` that [`Outbox::next`] returned.
    pub fn confirmed(&mut self, topic: &str) {
        let is_deleted = self.retained.get(topic).is_some_and(|known| known.payload.is_empty());
        if is_deleted && !self.unsent.contains(topic) {
            self.retained.remove(topic);
        }
    }

    /// Returns the retained topics that begin with `prefix`.
    fn topics(&self, prefix: &str) -> Vec<String> {
        let from = self.retained.range::<str, _>((Bound::Included(prefix), Bound::Unbounded));
        from.map(|(topic, _)| topic.clone()).take_while(|topic| topic.starts_with(prefix)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn all(outbox: &mut Outbox) -> Vec<(String, String)> {
        let text = |message: OwnedMessage| (message.topic, String::from_utf8(message.payload).unwrap());
        std::iter::from_fn(|| outbox.next()).map(text).collect()
    }

    fn pairs(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
        pairs.iter().map(|(topic, payload)| ((*topic).into(), (*payload).into())).collect()
    }

    #[test]
    fn only_the_latest_retained_message_is_sent_and_once() {
        let mut outbox = Outbox::default();
        outbox.retain("a/state", b"1".to_vec());
        outbox.push("a/clip".into(), b"x".to_vec());
        outbox.retain("a/state", b"2".to_vec());
        assert_eq!(all(&mut outbox), pairs(&[("a/state", "2"), ("a/clip", "x")]));
        outbox.retain("a/state", b"2".to_vec());
        assert_eq!(all(&mut outbox), []);
        outbox.retain("b/state", b"3".to_vec());
        outbox.resend("");
        assert_eq!(all(&mut outbox), pairs(&[("a/state", "2"), ("b/state", "3")]));
        outbox.resend("b");
        outbox.end_with("status", b"offline");
        outbox.end_with("status", b"once");
        outbox.push("a/clip".into(), b"y".to_vec());
        assert_eq!(all(&mut outbox), pairs(&[("b/state", "3"), ("a/clip", "y"), ("status", "offline")]));
    }

    #[test]
    fn what_is_deleted_is_deleted_from_a_broker_that_has_it() {
        let mut outbox = Outbox::default();
        outbox.retain("a/state", b"1".to_vec());
        all(&mut outbox);
        outbox.retain("a/genre", b"2".to_vec());
        outbox.retain("ab/state", b"3".to_vec());
        outbox.push("a/clip".into(), b"x".to_vec());
        outbox.delete("a/");
        assert!(!outbox.has("a/state") && outbox.has("ab/state"));
        assert_eq!(all(&mut outbox), pairs(&[("a/state", ""), ("ab/state", "3"), ("a/clip", "x")]));
        // The connection was lost before the broker confirmed it.
        outbox.resend("");
        assert_eq!(all(&mut outbox), pairs(&[("a/state", ""), ("ab/state", "3")]));
        outbox.confirmed("a/state");
        outbox.confirmed("ab/state");
        outbox.resend("");
        assert_eq!(all(&mut outbox), pairs(&[("ab/state", "3")]));
    }

    proptest! {
        #[test]
        fn an_outbox_stays_bounded_and_counts_what_it_drops(topics in proptest::collection::vec(0..20_u8, 0..3000)) {
            let mut outbox = Outbox::default();
            for (number, topic) in topics.iter().enumerate() {
                outbox.push(format!("{topic}/clip"), vec![0; 8]);
                outbox.retain(&format!("{topic}/state"), number.to_string().into_bytes());
                if number % 7 == 0 {
                    outbox.delete(&format!("{topic}/"));
                }
            }
            prop_assert!(outbox.queue.len() <= MAX_QUEUE && outbox.retained.len() <= 20);
            prop_assert!(outbox.dropped() <= topics.len().saturating_sub(MAX_QUEUE) as u64);
        }

        #[test]
        fn the_newest_messages_are_kept_in_order(count in 0..2500_usize) {
            let mut outbox = Outbox::default();
            (0..count).for_each(|number| outbox.push("t".into(), number.to_string().into_bytes()));
            prop_assert_eq!(outbox.dropped(), count.saturating_sub(MAX_QUEUE) as u64);
            let expected: Vec<_> = (count.saturating_sub(MAX_QUEUE)..count).map(|n| ("t".to_owned(), n.to_string())).collect();
            prop_assert_eq!(all(&mut outbox), expected);
        }
    }
}
