//! The queue from the capturing thread to the reader: a few frames and all changes, in order. When
//! it is full, the oldest frame is dropped.

use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use divita_runtime::frame::{Frame, Timestamp};

use super::reconnect::{Change, Counters};
use crate::DecodedPictures;
use crate::held_frame::HeldFrame;

/// Frames that wait at most: a third of a second at 24 a second, so that a slow moment loses
/// nothing.
const FRAMES: usize = 8;

/// Changes that wait at most; when nobody takes them, the oldest go.
const CHANGES: usize = 64;

/// An item of the queue.
pub enum Item {
    /// A frame.
    Frame(HeldFrame),
    /// A change of the source, with the message of its fault and the counters after it.
    Change {
        /// Time since the source was first opened.
        at: Timestamp,
        /// What changed.
        change: Change,
        /// What the source said, where it failed.
        message: Option<String>,
        /// Counters of connections and failures.
        counters: Counters,
    },
    /// The source came to its end, and is not opened again.
    End,
    /// The source can never be opened.
    Failed(crate::SourceError),
}

#[derive(Default)]
struct Inside {
    items: VecDeque<Item>,
    spare: Vec<HeldFrame>,
    dropped: u64,
    /// Which pictures the source is to decode, where the reader has chosen.
    pictures: Option<DecodedPictures>,
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
        // Nothing panics while it holds the lock.
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

    /// Adds an item other than a frame.
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

    /// Returns the oldest item, waited for up to `patience`.
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

    /// Returns the number of dropped frames.
    pub fn dropped(&self) -> u64 {
        self.inside().dropped
    }

    /// Chooses which pictures the source decodes.
    pub fn select(&self, pictures: DecodedPictures) {
        self.inside().pictures = Some(pictures);
    }

    /// Returns which pictures the source is to decode, where the reader has chosen.
    pub fn selected(&self) -> Option<DecodedPictures> {
        self.inside().pictures
    }

    /// Closes the queue, so that the capturing thread stops.
    pub fn close(&self) {
        self.inside().closed = true;
        self.changed.notify_all();
    }

    /// Returns whether the queue is closed.
    pub fn is_closed(&self) -> bool {
        self.inside().closed
    }

    /// Waits for `pause`, or until the queue is closed.
    pub fn wait(&self, pause: Duration) {
        let _ = self.changed.wait_timeout_while(self.inside(), pause, |inside| !inside.closed);
    }
}
