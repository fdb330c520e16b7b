//! A queue for a receiver that may be away: it drops the oldest items, and counts them.

use std::collections::VecDeque;

/// Maximum number of items that wait.
pub const MAX_ITEMS: usize = 1000;

/// Maximum number of bytes that wait.
pub const MAX_BYTES: usize = 8 << 20;

/// Items that wait, each with its size in bytes.
#[derive(Debug)]
pub struct BoundedQueue<T> {
    items: VecDeque<(T, usize)>,
    bytes: usize,
    dropped: u64,
}

impl<T> Default for BoundedQueue<T> {
    fn default() -> Self {
        BoundedQueue { items: VecDeque::new(), bytes: 0, dropped: 0 }
    }
}

impl<T> BoundedQueue<T> {
    /// Adds an item of `bytes` bytes. Drops the oldest items while more than 1,000 or more than
    /// 8 MiB wait.
    pub fn push(&mut self, item: T, bytes: usize) {
        self.items.push_back((item, bytes));
        self.bytes += bytes;
        while (self.items.len() > MAX_ITEMS || self.bytes > MAX_BYTES) && self.pop().is_some() {
            self.dropped += 1;
        }
    }

    /// Removes the oldest item.
    pub fn pop(&mut self) -> Option<T> {
        let (item, bytes) = self.items.pop_front()?;
        self.bytes -= bytes;
        Some(item)
    }

    /// Returns the number of items that wait.
    pub fn len(&self) -> usize {
        self.items.len()
    }

    /// Returns whether no item waits.
    pub fn is_empty(&self) -> bool {
        self.items.is_empty()
    }

    /// Counts `items` more as dropped.
    pub fn count_dropped(&mut self, items: u64) {
        self.dropped += items;
    }

    /// Returns the number of items dropped so far.
    pub fn dropped(&self) -> u64 {
        self.dropped
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn the_newest_items_that_have_room_are_kept_in_order(
            sizes in proptest::collection::vec(prop_oneof![0..100_usize, 0..2 * MAX_BYTES], 0..1500),
        ) {
            let mut queue = BoundedQueue::default();
            for (number, size) in sizes.iter().enumerate() {
                queue.push(number, *size);
                prop_assert!(queue.len() <= MAX_ITEMS && queue.bytes <= MAX_BYTES);
            }
            let kept: Vec<usize> = std::iter::from_fn(|| queue.pop()).collect();
            prop_assert_eq!(queue.dropped() as usize + kept.len(), sizes.len());
            prop_assert_eq!(&kept, &(sizes.len() - kept.len()..sizes.len()).collect::<Vec<_>>());
            prop_assert!(queue.is_empty() && queue.bytes == 0);
        }
    }
}
