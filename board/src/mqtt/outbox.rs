//! Messages that wait for the broker: the latest of each retained topic, and a bounded queue.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;

use super::packet::{MAX_PAYLOAD, MAX_TEXT, Message};
use crate::bounded_queue::BoundedQueue;

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
    /// Retained topic that was sent last. The next one follows it, so that all have their turn.
    sent: String,
    queue: BoundedQueue<OwnedMessage>,
    /// Whether the next message is one of the queue.
    is_queues_turn: bool,
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
            self.queue.count_dropped(1);
            return;
        }
        let bytes = topic.len() + payload.len();
        self.queue.push(OwnedMessage { topic, payload, is_retained: false }, bytes);
    }

    /// Counts `messages` that were lost with a connection.
    pub fn count_lost(&mut self, messages: u64) {
        self.queue.count_dropped(messages);
    }

    /// Returns the number of messages dropped so far.
    pub fn dropped(&self) -> u64 {
        self.queue.dropped()
    }

    /// Has the retained topics that begin with `prefix` sent again.
    pub fn resend(&mut self, prefix: &str) {
        let topics = self.topics(prefix);
        self.unsent.extend(topics);
    }

    /// Closes the outbox: no further message comes, except those about the end itself.
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

    /// Returns the next message to send: a retained one and one of the queue in turn.
    pub fn next(&mut self) -> Option<OwnedMessage> {
        self.is_queues_turn = !self.is_queues_turn;
        let next = match self.is_queues_turn {
            true => self.next_retained().or_else(|| self.queue.pop()),
            false => self.queue.pop().or_else(|| self.next_retained()),
        };
        next.or_else(|| self.last.take())
    }

    /// Returns the message of the retained topic that follows the last one.
    fn next_retained(&mut self) -> Option<OwnedMessage> {
        let after = (Bound::Excluded(&*self.sent), Bound::Unbounded);
        let topic = self.unsent.range::<str, _>(after).next().or_else(|| self.unsent.first())?.clone();
        self.unsent.remove(&topic);
        self.sent.clone_from(&topic);
        // A topic that is not sent yet is retained.
        let known = self.retained.get_mut(&topic)?;
        known.was_sent = true;
        Some(OwnedMessage { payload: known.payload.clone(), topic, is_retained: true })
    }

    /// Notes that the broker has the latest message of `topic` that [`Outbox::next`] returned.
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
    use crate::bounded_queue::MAX_ITEMS;
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
        assert_eq!(all(&mut outbox), pairs(&[("b/state", "3"), ("a/state", "2")]));
        outbox.resend("b");
        outbox.end_with("status", b"offline");
        outbox.end_with("status", b"once");
        outbox.push("a/clip".into(), b"y".to_vec());
        assert_eq!(all(&mut outbox), pairs(&[("a/clip", "y"), ("b/state", "3"), ("status", "offline")]));
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
        assert_eq!(all(&mut outbox), pairs(&[("ab/state", "3"), ("a/clip", "x"), ("a/state", "")]));
        // The connection was lost before the broker confirmed it.
        outbox.resend("");
        assert_eq!(all(&mut outbox), pairs(&[("ab/state", "3"), ("a/state", "")]));
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
            prop_assert!(outbox.queue.len() <= MAX_ITEMS && outbox.retained.len() <= 20);
            prop_assert!(outbox.dropped() <= topics.len().saturating_sub(MAX_ITEMS) as u64);
        }

        #[test]
        fn no_topic_starves(topics in 2..50_usize, changes in 1..20_usize) {
            // Some topics change before each message.
            let (mut outbox, mut sent) = (Outbox::default(), BTreeSet::new());
            (0..topics).for_each(|topic| outbox.retain(&format!("{topic:02}"), b"0".to_vec()));
            for turn in 1..=2 * (topics + changes) {
                (0..changes).for_each(|topic| outbox.retain(&format!("{topic:02}"), turn.to_string().into_bytes()));
                outbox.push("event".into(), Vec::new());
                sent.extend(outbox.next().map(|message| message.topic));
                sent.extend(outbox.next().map(|message| message.topic));
            }
            prop_assert_eq!(sent.len(), topics.max(changes) + 1);
        }

        #[test]
        fn the_newest_messages_are_kept_in_order(count in 0..2500_usize) {
            let mut outbox = Outbox::default();
            (0..count).for_each(|number| outbox.push("t".into(), number.to_string().into_bytes()));
            prop_assert_eq!(outbox.dropped(), count.saturating_sub(MAX_ITEMS) as u64);
            let expected: Vec<_> = (count.saturating_sub(MAX_ITEMS)..count).map(|n| ("t".to_owned(), n.to_string())).collect();
            prop_assert_eq!(all(&mut outbox), expected);
        }
    }
}
