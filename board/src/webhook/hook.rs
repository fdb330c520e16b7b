//! The observer that writes deliveries, and the thread that posts them.

use std::collections::BTreeMap;
use std::hash::{BuildHasher, RandomState};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use divita_console::say;
use divita_runtime::event::Event;
use divita_video::SourceInfo;
use jiff::Timestamp;
use serde::Serialize;

use super::delivery::{Address, Delivery, Sender};
use super::retries::{Outcome, Retries};
use crate::bounded_queue::BoundedQueue;
use crate::event::SessionEvent;
use crate::observers::{Leader, Observer, Source};
use crate::output::Records;
use crate::secret::Secret;

/// Maximum time that the end of the program waits for the receiver. The program itself has 1.7
/// seconds, with all outputs.
const FLUSH: Duration = Duration::from_millis(500);

/// Writes deliveries, which wait for the thread.
pub struct Webhook {
    queue: Arc<Queue>,
    records: Records,
    leaders: BTreeMap<String, Leader>,
    /// Begins the identities of this run.
    run: u64,
    written: u64,
}

/// What is posted: an event, and what a receiver knows a repeated delivery by.
#[derive(Serialize)]
struct Body<'a, E> {
    delivery: &'a str,
    /// Time of the clock, for receivers that refuse what is old.
    written: String,
    #[serde(flatten)]
    event: &'a E,
}

/// A change of the leading genre.
#[derive(Serialize)]
#[serde(tag = "event", rename = "genre")]
struct GenreChange<'a> {
    genre: &'a str,
    probability: f32,
    from: Option<&'a str>,
}

/// The deliveries that wait.
#[derive(Default)]
struct Queue {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    waiting: BoundedQueue<Delivery>,
    /// Whether no delivery follows.
    is_closed: bool,
    /// Whether the thread posts or waits for deliveries, and does not pause after a failure.
    is_good: bool,
    has_ended: bool,
    /// Begin of the attempt that the thread makes.
    attempt: Option<Instant>,
}

impl Webhook {
    /// Starts to post to `address`, signed with `secret` if there is one.
    ///
    /// # Errors
    /// When no thread can be started.
    pub fn start(address: Address, secret: Option<Secret>) -> Result<Box<dyn Observer>> {
        let queue = Arc::new(Queue::default());
        queue.lock().is_good = true;
        let (shared, sender) = (queue.clone(), Sender::new(address, secret));
        let run = move || {
            shared.post_all(&sender);
            shared.lock().has_ended = true;
            shared.changed.notify_all();
        };
        thread::Builder::new().name("webhook".into()).spawn(run).context("cannot start a thread for the webhook")?;
        let (leaders, run) = (BTreeMap::new(), RandomState::new().hash_one(std::process::id()));
        Ok(Box::new(Webhook { queue, records: Records::default(), leaders, run, written: 0 }))
    }

    /// Writes a delivery of `event` of `source`.
    fn write(&mut self, source: &str, event: &impl Serialize) -> Result<()> {
        let id = format!("{:016x}-{}", self.run, self.written);
        self.written += 1;
        let body = Body { delivery: &id, written: format!("{:.3}", Timestamp::now()), event };
        let body = self.records.json(source, &body)?;
        self.queue.push(Delivery { id, body });
        Ok(())
    }
}

impl Observer for Webhook {
    fn opened(&mut self, source: Source<'_>, info: &SourceInfo) -> Result<()> {
        self.records.opened(source.name, info);
        Ok(())
    }

    fn event(&mut self, source: Source<'_>, event: &SessionEvent) -> Result<()> {
        match event {
            SessionEvent::Method(Event::Result { .. }) => self.write(source.name, event),
            SessionEvent::Method(Event::Genres { probabilities, .. }) => {
                let leader = self.leaders.entry(source.name.to_owned()).or_default();
                let Some(from) = leader.update(probabilities.iter()) else { return Ok(()) };
                let Some(leading) = leader.leading().cloned() else { return Ok(()) };
                let from = from.as_ref().map(|from| &*from.genre);
                self.write(source.name, &GenreChange { genre: &leading.genre, probability: leading.probability, from })
            }
            _ => Ok(()),
        }
    }

    fn removed(&mut self, name: &str) {
        self.records.removed(name);
        self.leaders.remove(name);
    }

    fn finish(self: Box<Self>) -> Result<()> {
        let mut state = self.queue.lock();
        state.is_closed = true;
        self.queue.changed.notify_all();
        let hangs = state.attempt.is_some_and(|begun| begun.elapsed() > FLUSH);
        let wait = |state: &mut State| !state.has_ended && state.is_good && !hangs;
        let waited = self.queue.changed.wait_timeout_while(state, FLUSH, wait);
        let (state, _) = waited.unwrap_or_else(PoisonError::into_inner);
        let lost = state.waiting.len() + usize::from(!state.has_ended);
        if lost > 0 {
            say(format_args!("webhook: {lost} deliveries may be lost, because the program ends"));
        }
        Ok(())
    }
}

impl Queue {
    /// Locks the state. No code panics while it holds the lock.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds a delivery. Drops the oldest one if too many wait.
    fn push(&self, delivery: Delivery) {
        let mut state = self.lock();
        let before = state.waiting.dropped();
        let bytes = delivery.body.len();
        state.waiting.push(delivery, bytes);
        let dropped = state.waiting.dropped();
        self.changed.notify_all();
        drop(state);
        // One line for each power of ten.
        if dropped.checked_ilog10() > before.checked_ilog10() {
            log::warn!("webhook: {dropped} deliveries were dropped so far, because the receiver is too slow");
        }
    }

    /// Waits for a delivery; `None` after the last one.
    fn next(&self) -> Option<Delivery> {
        let state = self.lock();
        let wait = |state: &mut State| state.waiting.is_empty() && !state.is_closed;
        let mut state = self.changed.wait_while(state, wait).unwrap_or_else(PoisonError::into_inner);
        state.waiting.pop()
    }

    /// Posts deliveries until the last one.
    fn post_all(&self, sender: &Sender) {
        // The failure that was reported, so that a receiver that keeps failing is reported once.
        let mut reported = None;
        while let Some(delivery) = self.next() {
            let outcome = self.post(sender, &delivery, &mut reported);
            // At the end, a receiver that fails gets nothing more.
            let is_over = matches!(outcome, Outcome::Failed(..)) && self.lock().is_closed;
            let failure = match outcome {
                Outcome::Delivered => None,
                Outcome::Refused(reason) => Some(format!("{reason}; the delivery is not tried again")),
                Outcome::Failed(reason, _) => Some(format!("{reason}; the delivery is given up")),
            };
            match &failure {
                Some(failure) if reported.as_ref() != Some(failure) => {
                    say(format_args!("webhook: no delivery to {}: {failure}", sender.address()));
                }
                None if reported.is_some() => say(format_args!("webhook: delivering to {} again", sender.address())),
                _ => {}
            }
            reported = failure;
            if is_over {
                return;
            }
        }
    }

    /// Posts `delivery` until it succeeds, is refused, or five minutes have passed.
    fn post(&self, sender: &Sender, delivery: &Delivery, reported: &mut Option<String>) -> Outcome {
        let (begun, mut retries) = (Instant::now(), Retries::default());
        loop {
            self.lock().attempt = Some(Instant::now());
            let outcome = sender.post(delivery);
            self.lock().attempt = None;
            let Outcome::Failed(reason, after) = &outcome else { return outcome };
            let Some(pause) = retries.next(begun.elapsed(), *after) else { return outcome };
            if reported.is_none() {
                say(format_args!("webhook: no delivery to {}: {reason}; trying again", sender.address()));
                *reported = Some(reason.clone());
            }
            if !self.pause(pause) {
                return outcome;
            }
        }
    }

    /// Waits for `pause`. Returns whether the program goes on.
    fn pause(&self, pause: Duration) -> bool {
        let mut state = self.lock();
        state.is_good = false;
        self.changed.notify_all();
        let waited = self.changed.wait_timeout_while(state, pause, |state| !state.is_closed);
        let (mut state, _) = waited.unwrap_or_else(PoisonError::into_inner);
        state.is_good = true;
        !state.is_closed
    }
}
