//! The latest events of all sources, for any number of readers that follow them.

use std::collections::VecDeque;
use std::hash::{BuildHasher, RandomState};
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
    /// Begins the ids of this run, so that one of an earlier run is recognised.
    run: u32,
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
        let run = RandomState::new().hash_one(std::process::id()) as u32;
        Feed { run, ring: Arc::default(), newest: watch::Sender::new(0) }
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

    /// Returns the id of the record `number`.
    pub fn id(&self, number: u64) -> String {
        format!("{:08x}-{number}", self.run)
    }

    /// Returns the number of the record with this id; `None` if no record of this run has had it.
    pub fn number(&self, id: &str) -> Option<u64> {
        let (run, number) = id.split_once('-')?;
        let number = number.parse().ok()?;
        (u32::from_str_radix(run, 16) == Ok(self.run) && number <= self.newest()).then_some(number)
    }

    /// Returns the number of the newest record; 0 without one.
    pub fn newest(&self) -> u64 {
        self.lock().newest
    }

    /// Returns what tells that a record was added.
    pub fn watch(&self) -> watch::Receiver<u64> {
        self.newest.subscribe()
    }

    /// Returns the records after number `last`, which is at most that of the newest.
    pub fn after(&self, last: u64) -> Batch {
        let ring = self.lock();
        let kept = ring.records.len() as u64;
        let oldest = ring.newest - kept + 1;
        let first = (last.min(ring.newest) + 1).max(oldest);
        let skip = usize::try_from(first - oldest).unwrap_or(usize::MAX);
        let records: Vec<_> = ring.records.iter().skip(skip).take(BATCH).cloned().collect();
        Batch { last: first - 1 + records.len() as u64, missed: (first - 1).saturating_sub(last), records }
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
        assert_eq!(read(&feed, 2500), (vec![], 0));
        assert_eq!(read(&feed, u64::MAX), (vec![], 0));
    }

    #[test]
    fn ids_of_other_runs_and_other_texts_are_no_numbers() {
        let feed = Feed::default();
        (1..=30).for_each(|number| feed.push(&number.to_string()));
        assert_eq!((feed.number(&feed.id(0)), feed.number(&feed.id(30))), (Some(0), Some(30)));
        let other = Feed { run: feed.run ^ 1, ..Feed::default() };
        for id in ["", "-", "7", "0-7", "x-7", &other.id(7), &feed.id(31), &feed.id(u64::MAX), &(feed.id(1) + "x")] {
            assert_eq!(feed.number(id), None, "{id}");
        }
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
