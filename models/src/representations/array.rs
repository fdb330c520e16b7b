//! An array of a store: the vectors of the clips of one video, read in whole or clip by clip.

use std::{
    fs,
    ops::Range,
    path::{Path, PathBuf},
};

use super::{
    Error, chunk,
    zarray::{self, Codec, Zarray},
};

/// An array that is complete, as far as that can be seen without decoding it.
///
/// Holds what its metadata says, so that reading some of its clips costs no more than their bytes:
/// of an uncompressed row-major array only these are read, of any other the chunks that they lie
/// in.
#[derive(Clone, Debug)]
pub struct Array {
    folder: PathBuf,
    layout: Zarray,
}

impl Array {
    /// Opens the array in `folder`, which must have vectors of `num_features` numbers and at most
    /// `max_bytes`. Its only chunk must be there; of several, one.
    ///
    /// # Errors
    /// Those of [`super::Store::array`].
    pub(super) fn open(folder: PathBuf, num_features: usize, max_bytes: u64) -> Result<Array, Error> {
        let layout = Zarray::read(&folder, max_bytes)?;
        if layout.features != num_features {
            return Err(Error::Metadata {
                path: folder.join(zarray::FILE),
                reason: format!("it has {} features, the store {num_features}", layout.features),
            });
        }
        let complete = if layout.grid() == (1, 1) {
            let length = chunk::length(&folder.join(layout.chunk_name(0, 0)))?;
            length.is_some_and(|length| layout.codec != Codec::Raw || length == layout.chunk_bytes() as u64)
        } else {
            holds_chunks(&folder)?
        };
        if complete { Ok(Array { folder, layout }) } else { Err(Error::Incomplete(folder)) }
    }

    /// Returns the number of clips, at least one.
    #[must_use]
    pub fn clips(&self) -> usize {
        self.layout.clips
    }

    /// Returns the bytes of all its vectors in memory.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        4 * self.layout.clips as u64 * self.layout.features as u64
    }

    /// Returns all vectors, clip by clip.
    ///
    /// # Errors
    /// Those of [`Array::read_into`].
    pub fn read(&self) -> Result<Vec<f32>, Error> {
        let mut values = vec![0.0; self.layout.clips * self.layout.features];
        self.read_into(0..self.layout.clips, &mut values)?;
        Ok(values)
    }

    /// Reads the vectors of the clips `clips` into `values`, clip by clip. A chunk that is missing
    /// of several has the array's fill value.
    ///
    /// # Errors
    /// [`Error::Incomplete`] where values are not there, [`Error::Chunk`] where they are damaged,
    /// [`Error::Unsupported`] where they are stored in a way that is not read here;
    /// [`Error::Read`].
    ///
    /// # Panics
    /// Where the array does not have all of `clips`, or `values` has another length than their
    /// vectors.
    pub fn read_into(&self, clips: Range<usize>, values: &mut [f32]) -> Result<(), Error> {
        let Zarray { features, chunk_clips, chunk_features, .. } = self.layout;
        assert!(clips.end <= self.layout.clips, "the array has {} clips, not {}", self.layout.clips, clips.end);
        assert_eq!(values.len(), clips.len() * features, "another number of values");
        let (_, columns) = self.layout.grid();
        let mut next = clips.start;
        while next < clips.end {
            let row = next / chunk_clips;
            let end = clips.end.min((row + 1) * chunk_clips);
            let band = (next - clips.start) * features..(end - clips.start) * features;
            let of_chunk = next - row * chunk_clips..end - row * chunk_clips;
            for column in 0..columns {
                let first = column * chunk_features;
                let width = chunk_features.min(features - first);
                let mut to =
                    values[band.clone()].chunks_exact_mut(features).map(|clip| &mut clip[first..first + width]);
                let path = self.folder.join(self.layout.chunk_name(row, column));
                if !chunk::read(&path, &self.layout, of_chunk.clone(), &mut to)? {
                    let fill = self.fill()?;
                    to.for_each(|clip| clip.fill(fill));
                }
            }
            next = end;
        }
        Ok(())
    }

    /// Returns the value of what a missing chunk would hold.
    fn fill(&self) -> Result<f32, Error> {
        let fill = self.layout.fill.filter(|_| self.layout.grid() != (1, 1));
        fill.ok_or_else(|| Error::Incomplete(self.folder.clone()))
    }
}

/// Returns whether an array's folder holds anything that may be a chunk.
fn holds_chunks(folder: &Path) -> Result<bool, Error> {
    let mut names = fs::read_dir(folder).map_err(Error::read(folder))?.flatten().map(|entry| entry.file_name());
    Ok(names.any(|name| name.to_str().is_some_and(|name| !name.starts_with('.'))))
}
