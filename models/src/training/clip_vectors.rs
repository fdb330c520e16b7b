//! The vectors of a data set's clips, of one stream or two, at one working rate or several: read from their stores when they are first asked for, and kept while there is room.

use std::{
    path::Path,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicU64, Ordering},
    },
};

use crate::representations::{Error, Store};

/// What is kept at most unless something else is said, bytes.
pub const DEFAULT_ROOM: u64 = 8 << 30;

/// The vectors of a video's clips: one after the other.
#[derive(Debug)]
pub struct Vectors {
    /// Clips.
    pub clips: usize,
    /// Their vectors.
    pub data: Vec<f32>,
}

/// Where the vectors of videos are.
///
/// Rows are those of the data set's table at the first rate, then those at the second, and so on.
pub struct ClipVectors {
    /// Of each rate, of each stream.
    stores: Vec<Vec<Store>>,
    videos: Vec<String>,
    /// Of each stream, of each row.
    kept: Vec<Vec<OnceLock<Arc<Vectors>>>>,
    /// Bytes that may still be kept.
    room: AtomicU64,
}

impl ClipVectors {
    /// The vectors of `videos`, an array each in every one of `stores`, called as the video is without folder and ending. `stores` has for each rate the stores of the streams, at least one.
    #[must_use]
    pub fn new(stores: Vec<Vec<Store>>, videos: &[String], room: u64) -> ClipVectors {
        let name = |video: &String| Path::new(video).file_stem().unwrap_or_default().to_string_lossy().into_owned();
        let rows = stores.len() * videos.len();
        let kept = stores[0].iter().map(|_| (0..rows).map(|_| OnceLock::new()).collect()).collect();
        ClipVectors { stores, videos: videos.iter().map(name).collect(), kept, room: AtomicU64::new(room) }
    }

    /// Numbers of a vector of each stream.
    pub fn num_features(&self) -> impl Iterator<Item = usize> {
        self.stores[0].iter().map(Store::num_features)
    }

    /// The same videos at every rate: of the rows of the table those of all rates.
    #[must_use]
    pub fn at_all_rates(&self, rows: &[usize]) -> Vec<usize> {
        let at = |rate: usize| rows.iter().map(move |row| rate * self.videos.len() + row);
        (0..self.stores.len()).flat_map(at).collect()
    }

    /// The row of the table that `row` is of.
    #[must_use]
    pub fn table_row(&self, row: usize) -> usize {
        row % self.videos.len()
    }

    /// Which of the videos at `rows` of the table a store lacks.
    #[must_use]
    pub fn missing(&self, rows: &[usize]) -> Vec<&str> {
        let lacks = |name: &&str| self.stores.iter().flatten().any(|store| !store.contains(name));
        rows.iter().map(|&row| self.videos[row].as_str()).filter(lacks).collect()
    }

    /// The vectors of the video at `row` in stream `stream`. Beyond the last rate that there is, they are those of the last.
    ///
    /// # Errors
    /// Those of [`Store::read`].
    pub fn of(&self, stream: usize, row: usize) -> Result<Arc<Vectors>, Error> {
        let (rate, video) = ((row / self.videos.len()).min(self.stores.len() - 1), self.table_row(row));
        let place = &self.kept[stream][rate * self.videos.len() + video];
        if let Some(kept) = place.get() {
            return Ok(Arc::clone(kept));
        }
        let (clips, data) = self.stores[rate][stream].read(&self.videos[video])?;
        let bytes = 4 * data.len() as u64;
        let vectors = Arc::new(Vectors { clips, data });
        let take = |room: u64| room.checked_sub(bytes);
        if self.room.fetch_update(Ordering::Relaxed, Ordering::Relaxed, take).is_ok() {
            // Whoever else has read it at the same time has the same.
            let _ = place.set(Arc::clone(&vectors));
        }
        Ok(vectors)
    }

    /// Clips that a video has in every stream.
    ///
    /// # Errors
    /// Those of [`ClipVectors::of`].
    pub fn clips(&self, row: usize) -> Result<usize, Error> {
        (0..self.stores[0].len()).try_fold(usize::MAX, |least, stream| Ok(least.min(self.of(stream, row)?.clips)))
    }
}
