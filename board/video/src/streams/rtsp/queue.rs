//! The queue from the thread of a session to the source: bounded, and never waited for.
//!
//! When the source is too slow, the queue is full. Pictures are then left out up to a key frame for
//! which there is room, so that the delay is bounded and decoding goes on without damage.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TrySendError, sync_channel};
use std::time::{Duration, Instant};

use crate::SourceError;

/// Pictures that may wait: four seconds at 25 a second.
const PICTURES: usize = 100;

/// Bytes of pictures that may wait.
const BYTES: usize = 64 << 20;

/// What a session gives.
pub(super) enum Item {
    /// The stream was found. It comes first.
    Found(Description),
    /// A picture.
    Picture(Picture),
    /// The server has ended the stream.
    End,
    /// The session failed.
    Failed(SourceError),
}

/// What is known of a stream before its pictures.
pub(super) struct Description {
    /// Name of the codec, as `CODECS` knows it.
    pub codec: String,
    /// Ticks of its times in a second.
    pub ticks_per_second: u32,
    /// Frames per second, if the server states them.
    pub frame_rate: Option<f64>,
}

/// The data of one picture.
pub(super) struct Picture {
    /// In Annex B form, with parameter sets where they are needed.
    pub data: Vec<u8>,
    /// Time of RTP, without wrap-around.
    pub rtp: i64,
    pub arrived: Instant,
    pub is_key: bool,
}

/// The end of the session.
pub(super) struct Sender {
    items: SyncSender<Item>,
    bytes: Arc<AtomicUsize>,
    /// Whether pictures are left out up to the next key frame.
    behind: bool,
}

/// The end of the source.
pub(super) struct Queue {
    items: Receiver<Item>,
    bytes: Arc<AtomicUsize>,
}

/// Returns both ends of a queue.
pub(super) fn new() -> (Sender, Queue) {
    let (sender, items) = sync_channel(PICTURES);
    let bytes = Arc::new(AtomicUsize::new(0));
    (Sender { items: sender, bytes: bytes.clone(), behind: false }, Queue { items, bytes })
}

impl Sender {
    /// Adds a picture, or leaves it out. Returns whether the other end still exists.
    pub fn picture(&mut self, picture: Picture) -> bool {
        if self.behind && !picture.is_key {
            return true;
        }
        let size = picture.data.len();
        // Added first, because a picture that is sent may be taken at once.
        let fits = self.bytes.fetch_add(size, Ordering::Relaxed) + size <= BYTES;
        let sent = if fits { self.items.try_send(Item::Picture(picture)) } else { Err(TrySendError::Full(Item::End)) };
        let Err(error) = sent else {
            self.behind = false;
            return true;
        };
        self.bytes.fetch_sub(size, Ordering::Relaxed);
        if matches!(error, TrySendError::Disconnected(_)) {
            return false;
        }
        if !std::mem::replace(&mut self.behind, true) {
            log::warn!("decoding is too slow for this stream: pictures up to a key frame are left out");
        }
        true
    }

    /// Adds anything else, when there is room for it.
    pub fn other(&self, item: Item) {
        // Nobody listens where it fails.
        drop(self.items.send(item));
    }
}

impl Queue {
    /// Waits up to `patience` for the next item; `None` when none came. After the last one comes
    /// [`Item::End`].
    pub fn next(&self, patience: Duration) -> Option<Item> {
        let item = match self.items.recv_timeout(patience) {
            Ok(item) => item,
            Err(RecvTimeoutError::Timeout) => return None,
            Err(RecvTimeoutError::Disconnected) => Item::End,
        };
        if let Item::Picture(picture) = &item {
            self.bytes.fetch_sub(picture.data.len(), Ordering::Relaxed);
        }
        Some(item)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn picture(number: i64, bytes: usize, is_key: bool) -> Picture {
        Picture { data: vec![0; bytes], rtp: number, arrived: Instant::now(), is_key }
    }

    fn numbers(queue: &Queue) -> Vec<i64> {
        let next = || match queue.next(Duration::ZERO) {
            Some(Item::Picture(picture)) => Some(picture.rtp),
            _ => None,
        };
        std::iter::from_fn(next).collect()
    }

    #[test]
    fn a_slow_source_misses_pictures_up_to_a_key_frame() {
        let (mut sender, queue) = new();
        for number in 0..150 {
            assert!(sender.picture(picture(number, 1, number % 30 == 0)));
        }
        assert_eq!(numbers(&queue), (0..100).collect::<Vec<_>>());
        for number in 150..185 {
            sender.picture(picture(number, 1, number % 30 == 0));
        }
        assert_eq!(numbers(&queue), (150..185).collect::<Vec<_>>());
    }

    #[test]
    fn large_pictures_are_bounded_by_their_bytes() {
        let (mut sender, queue) = new();
        for number in 0..10 {
            sender.picture(picture(number, BYTES / 4, true));
        }
        assert_eq!(numbers(&queue), [0, 1, 2, 3]);
        sender.picture(picture(10, BYTES / 4, true));
        assert_eq!(numbers(&queue), [10]);
    }

    #[test]
    fn each_end_notices_that_the_other_is_gone() {
        let (sender, queue) = new();
        drop(sender);
        assert!(matches!(queue.next(Duration::from_secs(9)), Some(Item::End)));
        let (mut sender, queue) = new();
        drop(queue);
        assert!(!sender.picture(picture(0, 1, true)));
    }
}
