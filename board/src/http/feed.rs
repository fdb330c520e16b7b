//! The latest events of all sources, for any number of readers that follow them.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::watch;

/// Records kept for readers that are slow or come back.
const KEPT: usize = 1000;

/// Maximum number of records that a reader gets at once.
const BATCH: usize = 64;

/// The latest records. Clones share them.
///
/// Adding a record never waits for a reader: a reader that is too slow misses records and is told
/// how many.
#[derive(Clone)]
pub(super) struct Feed {
    ring: Arc<Mutex<Ring>>,
    newest: watch::Sender<u64>,
}

#[derive(Default)]
struct Ring {
    records: VecDeque<Arc<str>>,
    /// Number of the newest record. The first has number 1.
    newest: u64,
}

/// The records that follow one.
pub(super) struct Batch {
    /// Number of the last record of the batch, or of the one before it if the batch is empty.
    pub last: u64,
    /// Records that are not kept any more.
    pub missed: u64,
    /// At most 64 records, the oldest first.
    pub records: Vec<Arc<str>>,
}

impl Default for Feed {
    fn default() -> Self {
        Feed { ring: Arc::default(), newest: watch::Sender::new(0) }
    }
}

impl Feed {
    /// Adds a record.
    pub fn push(&self, record: &str) {
        let mut ring = self.lock();
        if ring.records.len() == KEPT {
            ring.records.pop_front();
        }
        ring.records.push_back(record.into());
        ring.newest += 1;
        self.newest.send_replace(ring.newest);
    }

    /// Returns the number of the newest record; 0 without one.
    pub fn newest(&self) -> u64 {
        self.lock().newest
    }

    /// Returns what tells that a record was added.
    pub fn watch(&self) -> watch::Receiver<u64> {
        self.newest.subscribe()
    }

    /// Returns the records after number `last`. A number that no record has had, such as one of an
    /// earlier run, means the newest.
    pub fn after(&self, last: u64) -> Batch {
        let ring = self.lock();
        let kept = ring.records.len() as u64;
        let oldest = ring.newest - kept + 1;
        let first = if last > ring.newest { ring.newest + 1 } else { (last + 1).max(oldest) };
        let skip = usize::try_from(first - oldest).unwrap_or(usize::MAX);
        let records: Vec<_> = ring.records.iter().skip(skip).take(BATCH).cloned().collect();
        Batch { last: first - 1 + records.len() as u64, missed: first.saturating_sub(last + 1), records }
    }

    /// Locks the records. No code panics while it holds the lock.
    fn lock(&self) -> MutexGuard<'_, Ring> {
        self.ring.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Reads everything after `last`, and returns the records and the number of missed ones.
    fn read(feed: &Feed, mut last: u64) -> (Vec<u64>, u64) {
        let (mut records, mut missed) = (Vec::new(), 0);
        loop {
            let batch = feed.after(last);
            assert!(batch.records.len() <= BATCH);
            missed += batch.missed;
            last = batch.last;
            if batch.records.is_empty() {
                assert_eq!(last, feed.newest());
                return (records, missed);
            }
            records.extend(batch.records.iter().map(|record| record.parse::<u64>().unwrap()));
        }
    }

    #[test]
    fn each_reader_gets_each_record_once_or_is_told_how_many_it_missed() {
        let feed = Feed::default();
        assert_eq!(read(&feed, 0), (vec![], 0));
        (1..=300).for_each(|number| feed.push(&number.to_string()));
        assert_eq!(read(&feed, 0), ((1..=300).collect(), 0));
        assert_eq!(read(&feed, 299), (vec![300], 0));
        assert_eq!(read(&feed, 300), (vec![], 0));
        (301..=2500).for_each(|number| feed.push(&number.to_string()));
        assert_eq!(read(&feed, 300), ((1501..=2500).collect(), 1200));
        assert_eq!(read(&feed, 2000), ((2001..=2500).collect(), 0));
        // A number of an earlier run.
        assert_eq!(read(&feed, 9000), (vec![], 0));
        assert_eq!(read(&feed, u64::MAX - 1), (vec![], 0));
    }

    #[test]
    fn a_reader_that_waits_is_told_of_a_record() {
        let feed = Feed::default();
        let mut watch = feed.watch();
        assert!(!watch.has_changed().unwrap());
        feed.push("1");
        assert!(watch.has_changed().unwrap());
        assert_eq!(*watch.borrow_and_update(), 1);
    }
}
