//! Which clips form a snippet: adjacent clips from a random place in training, consecutive snippets
//! in inference (paper, sections 5 and 7.2).

use std::sync::{Mutex, PoisonError};

use rand_chacha::{ChaCha8Rng, rand_core::Rng};

use super::clip_vectors::ClipVectors;
use crate::{parallel::for_each, representations::Error};

/// Adjacent clips of a video.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Snippet {
    /// The video's row.
    pub row: usize,
    /// Its first clip.
    pub first: usize,
}

/// Returns the videos at `rows` in a random order, of each one snippet of `length` of its `clips`
/// clips from a uniformly random place.
pub fn drawn(rows: &[usize], clips: &[usize], length: usize, random: &mut ChaCha8Rng) -> Vec<Snippet> {
    let mut below = |limit: usize| (random.next_u64() % limit as u64) as usize;
    let of_row = |(&row, clips): (&usize, &usize)| Snippet { row, first: below(clips.saturating_sub(length) + 1) };
    let mut snippets: Vec<Snippet> = rows.iter().zip(clips).map(of_row).collect();
    // Fisher and Yates.
    for at in (1..snippets.len()).rev() {
        snippets.swap(at, below(at + 1));
    }
    snippets
}

/// Returns all `clips` clips of a video, in consecutive snippets of `length`.
pub fn consecutive(row: usize, clips: usize, length: usize) -> impl Iterator<Item = Snippet> {
    (0..clips).step_by(length).map(move |first| Snippet { row, first })
}

/// Returns the vectors of one stream of `snippets` of `length` clips, one after the other; zeros
/// where a video has no more clips.
///
/// # Errors
/// Where a video's vectors cannot be read.
pub fn gather(
    vectors: &ClipVectors,
    stream: usize,
    snippets: &[Snippet],
    length: usize,
    features: usize,
) -> Result<Vec<f32>, Error> {
    let mut all = vec![0.0; snippets.len() * length * features];
    let places = snippets.iter().zip(all.chunks_exact_mut(length * features).map(Mutex::new)).collect::<Vec<_>>();
    let read = for_each(&places, |(snippet, to)| {
        let mut to = to.lock().unwrap_or_else(PoisonError::into_inner);
        vectors.fill(stream, snippet.row, snippet.first, &mut to)
    });
    read.into_iter().collect::<Result<(), _>>()?;
    Ok(all)
}
