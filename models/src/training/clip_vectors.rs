//! The vectors of a data set's clips, for one or two streams and one or several working rates.
//! Reads clips from their stores on request, and keeps whole videos up to a memory limit.

use std::sync::{
    Arc, OnceLock,
    atomic::{AtomicU64, Ordering},
};

use crate::{
    dataset::video_files::video_id,
    parallel::for_each,
    representations::{Array, Error, Store},
};

/// Default maximum of the bytes that are kept.
pub const DEFAULT_ROOM: u64 = 1 << 30;

/// Bytes that may still be kept in memory. Clones share them, so that all data of a command stays
/// within one maximum.
#[derive(Clone, Debug)]
pub struct Room(Arc<AtomicU64>);

impl Room {
    /// Room for `bytes`.
    #[must_use]
    pub fn new(bytes: u64) -> Room {
        Room(Arc::new(AtomicU64::new(bytes)))
    }

    /// Takes `bytes`, or nothing where fewer are left.
    fn take(&self, bytes: u64) -> bool {
        let take = |left: u64| left.checked_sub(bytes);
        self.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, take).is_ok()
    }

    /// Gives back `bytes` that were taken.
    fn give_back(&self, bytes: u64) {
        self.0.fetch_add(bytes, Ordering::Relaxed);
    }
}

/// The vectors of one video in one store.
#[derive(Default)]
struct Video {
    array: OnceLock<Array>,
    /// All its vectors, clip by clip.
    kept: OnceLock<Vec<f32>>,
}

/// Where the vectors of videos are.
///
/// Rows are those of the data set's table at the first rate, then those at the second, and so on.
pub struct ClipVectors {
    /// Of each rate, of each stream.
    stores: Vec<Vec<Store>>,
    names: Vec<String>,
    /// Of each stream, of each row.
    videos: Vec<Vec<Video>>,
    room: Room,
}

impl ClipVectors {
    /// Returns the vectors of `videos`, an array each in every one of `stores`, called as the video
    /// is without folder and ending. `stores` has for each rate the stores of the streams, at least
    /// one.
    #[must_use]
    pub fn new(stores: Vec<Vec<Store>>, videos: &[String], room: Room) -> ClipVectors {
        let rows = stores.len() * videos.len();
        let of_stream = |_| (0..rows).map(|_| Video::default()).collect();
        let of_streams = stores[0].iter().map(of_stream).collect();
        ClipVectors { stores, names: videos.iter().map(|video| video_id(video)).collect(), videos: of_streams, room }
    }

    /// Numbers of a vector of each stream.
    pub fn num_features(&self) -> impl Iterator<Item = usize> {
        self.stores[0].iter().map(Store::num_features)
    }

    /// Returns the same videos at every rate: of the rows of the table those of all rates.
    #[must_use]
    pub fn at_all_rates(&self, rows: &[usize]) -> Vec<usize> {
        let at = |rate: usize| rows.iter().map(move |row| rate * self.names.len() + row);
        (0..self.stores.len()).flat_map(at).collect()
    }

    /// Returns the row of the table that `row` is of.
    #[must_use]
    pub fn table_row(&self, row: usize) -> usize {
        row % self.names.len()
    }

    /// Opens the arrays of the videos at `rows` of the table, at every rate; the videos that a
    /// store lacks.
    #[must_use]
    pub fn missing(&self, rows: &[usize]) -> Vec<&str> {
        let lacks = |row: &usize| {
            let all = self.at_all_rates(&[*row]);
            all.iter().any(|&row| self.clips(row).is_err())
        };
        let lacking = for_each(rows, lacks);
        let lacking = rows.iter().zip(lacking).filter(|(_, lacks)| *lacks);
        lacking.map(|(&row, _)| self.names[row].as_str()).collect()
    }

    /// Returns the number of clips that a video has in every stream. Reads no vectors.
    ///
    /// # Errors
    /// Those of [`Store::array`].
    pub fn clips(&self, row: usize) -> Result<usize, Error> {
        let of_stream = |stream| Ok(self.video(stream, row)?.1.clips());
        (0..self.videos.len()).try_fold(usize::MAX, |least, stream| Ok(least.min(of_stream(stream)?)))
    }

    /// Fills `to` with the vectors of stream `stream` of the video at `row` from clip `first` on,
    /// and with zeros where the video has no more clips. Beyond the last rate that there is, the
    /// vectors are those of the last.
    ///
    /// # Errors
    /// Those of [`Store::array`] and [`Array::read_into`].
    ///
    /// # Panics
    /// Where `to` does not hold whole vectors.
    pub fn fill(&self, stream: usize, row: usize, first: usize, to: &mut [f32]) -> Result<(), Error> {
        let (video, array) = self.video(stream, row)?;
        let features = self.stores[0][stream].num_features();
        let first = first.min(array.clips());
        let clips = first..array.clips().min(first + to.len() / features);
        let (there, beyond) = to.split_at_mut(clips.len() * features);
        beyond.fill(0.0);
        if video.kept.get().is_none() && self.room.take(array.bytes()) {
            let read = array.read().inspect_err(|_| self.room.give_back(array.bytes()))?;
            if video.kept.set(read).is_err() {
                // Another thread has read it at the same time.
                self.room.give_back(array.bytes());
            }
        }
        match video.kept.get() {
            Some(kept) => there.copy_from_slice(&kept[clips.start * features..clips.end * features]),
            None => array.read_into(clips, there)?,
        }
        Ok(())
    }

    /// Returns the bytes of the vectors that are kept.
    #[must_use]
    pub fn bytes_kept(&self) -> u64 {
        let kept = self.videos.iter().flatten().filter_map(|video| video.kept.get());
        kept.map(|kept| 4 * kept.len() as u64).sum()
    }

    /// Returns a video and its array, opened when it is first asked for.
    fn video(&self, stream: usize, row: usize) -> Result<(&Video, &Array), Error> {
        let (rate, at) = ((row / self.names.len()).min(self.stores.len() - 1), self.table_row(row));
        let video = &self.videos[stream][rate * self.names.len() + at];
        let array = match video.array.get() {
            Some(array) => array,
            None => {
                let array = self.stores[rate][stream].array(&self.names[at])?;
                video.array.get_or_init(|| array)
            }
        };
        Ok((video, array))
    }
}

impl Drop for ClipVectors {
    fn drop(&mut self) {
        self.room.give_back(self.bytes_kept());
    }
}
