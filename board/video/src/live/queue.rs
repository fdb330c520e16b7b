//! Between the thread that captures and the one that looks: a few frames and all changes, in order. When it is full the oldest frame
//! goes.

use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use divita_runtime::frame::{Frame, Timestamp};

use super::held_frame::HeldFrame;
use super::reconnect::{Change, Counters};

/// Frames that wait at most: a third of a second at 24 a second, so that a slow moment loses nothing.
const FRAMES: usize = 8;

/// Changes that wait at most; when nobody takes them, the oldest go.
const CHANGES: usize = 64;

/// What waits.
pub enum Item {
    /// A frame.
    Frame(HeldFrame),
    /// A change of the source, when, with the words of its fault, and the counts after it.
    Change {
        /// Time since the source was first opened.
        at: Timestamp,
        /// What changed.
        change: Change,
        /// What the source said, where it failed.
        message: Option<String>,
        /// How often what has happened.
        counters: Counters,
    },
    /// The source came to its end, and is not opened again.
    End,
    /// Nothing can be had of the source, ever.
    Failed(crate::SourceError),
}

#[derive(Default)]
struct Inside {
    items: VecDeque<Item>,
    spare: Vec<HeldFrame>,
    dropped: u64,
    closed: bool,
}

/// The queue.
#[derive(Default)]
pub struct Queue {
    inside: Mutex<Inside>,
    changed: Condvar,
}

impl Queue {
    fn inside(&self) -> MutexGuard<'_, Inside> {
        // Nothing in here panics half-way through a change.
        self.inside.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds a copy of `frame`, shown at `time`.
    pub fn push_frame(&self, frame: &Frame<'_>, time: Timestamp) {
        let mut inside = self.inside();
        let frames = |item: &Item| matches!(item, Item::Frame(_));
        let mut room = inside.spare.pop().unwrap_or_default();
        if inside.items.iter().filter(|item| frames(item)).count() >= FRAMES
            && let Some(oldest) = inside.items.iter().position(frames)
            && let Some(Item::Frame(oldest)) = inside.items.remove(oldest)
        {
            inside.dropped += 1;
            inside.spare.push(oldest);
        }
        // Copied without the lock: the other thread need not wait for it.
        drop(inside);
        room.copy(frame, time);
        self.inside().items.push_back(Item::Frame(room));
        self.changed.notify_all();
    }

    /// Adds what is no frame.
    pub fn push(&self, item: Item) {
        let mut inside = self.inside();
        let changes = |item: &Item| matches!(item, Item::Change { .. });
        if inside.items.iter().filter(|item| changes(item)).count() >= CHANGES
            && let Some(oldest) = inside.items.iter().position(changes)
        {
            inside.items.remove(oldest);
        }
        inside.items.push_back(item);
        self.changed.notify_all();
    }

    /// The oldest item, waited for up to `patience`.
    pub fn pop(&self, patience: Duration) -> Option<Item> {
        let inside = self.inside();
        let empty = |inside: &mut Inside| inside.items.is_empty() && !inside.closed;
        let waited = self.changed.wait_timeout_while(inside, patience, empty);
        let (mut inside, _) = waited.unwrap_or_else(PoisonError::into_inner);
        inside.items.pop_front()
    }

    /// Takes back a frame's buffers.
    pub fn recycle(&self, frame: HeldFrame) {
        self.inside().spare.push(frame);
    }

    /// Frames that went unseen.
    pub fn dropped(&self) -> u64 {
        self.inside().dropped
    }

    /// Tells the capturing thread to stop.
    pub fn close(&self) {
        self.inside().closed = true;
        self.changed.notify_all();
    }

    /// Whether nobody takes anything any more.
    pub fn is_closed(&self) -> bool {
        self.inside().closed
    }

    /// Waits for `pause`, or until nobody takes anything any more.
    pub fn wait(&self, pause: Duration) {
        let _ = self.changed.wait_timeout_while(self.inside(), pause, |inside| !inside.closed);
    }
}
