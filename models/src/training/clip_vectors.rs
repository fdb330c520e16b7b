//! The vectors of a data set's clips, of one stream or two: read from their stores when they are first asked for, and kept while there is room.

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
pub struct ClipVectors {
    stores: Vec<Store>,
    videos: Vec<String>,
    /// Of each stream, of each video.
    kept: Vec<Vec<OnceLock<Arc<Vectors>>>>,
    /// Bytes that may still be kept.
    room: AtomicU64,
}

impl ClipVectors {
    /// The vectors of `videos`, an array each in every one of `stores`, called as the video is without folder and ending.
    #[must_use]
    pub fn new(stores: Vec<Store>, videos: &[String], room: u64) -> ClipVectors {
        let name = |video: &String| Path::new(video).file_stem().unwrap_or_default().to_string_lossy().into_owned();
        let kept = stores.iter().map(|_| videos.iter().map(|_| OnceLock::new()).collect()).collect();
        ClipVectors { stores, videos: videos.iter().map(name).collect(), kept, room: AtomicU64::new(room) }
    }

    /// Numbers of a vector of each stream.
    pub fn num_features(&self) -> impl Iterator<Item = usize> {
        self.stores.iter().map(Store::num_features)
    }

    /// Which of the videos at `rows` a store lacks.
    #[must_use]
    pub fn missing(&self, rows: &[usize]) -> Vec<&str> {
        let lacks = |name: &&str| self.stores.iter().any(|store| !store.contains(name));
        rows.iter().map(|&row| self.videos[row].as_str()).filter(lacks).collect()
    }

    /// The vectors of the video at `row` in stream `stream`.
    ///
    /// # Errors
    /// Those of [`Store::read`].
    pub fn of(&self, stream: usize, row: usize) -> Result<Arc<Vectors>, Error> {
        let place = &self.kept[stream][row];
        if let Some(kept) = place.get() {
            return Ok(Arc::clone(kept));
        }
        let (clips, data) = self.stores[stream].read(&self.videos[row])?;
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
        (0..self.stores.len()).try_fold(usize::MAX, |least, stream| Ok(least.min(self.of(stream, row)?.clips)))
    }
}
