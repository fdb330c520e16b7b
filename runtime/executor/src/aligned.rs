//! Floats that start at a cache line, so that no vector crosses a line boundary.

use std::ops::{Deref, DerefMut};

/// Size of a cache line in bytes.
const LINE: usize = 64;

/// Floats of which the first starts a cache line.
#[derive(Debug)]
pub(crate) struct Aligned {
    data: Vec<f32>,
    /// Number of floats before the first one.
    skipped: usize,
}

impl Aligned {
    /// Returns `len` zeros.
    pub fn zeros(len: usize) -> Self {
        let data = vec![0.0; len + LINE / size_of::<f32>()];
        let skipped = data.as_ptr().align_offset(LINE).min(LINE / size_of::<f32>());
        Aligned { data, skipped }
    }
}

impl Deref for Aligned {
    type Target = [f32];
    fn deref(&self) -> &[f32] {
        &self.data[self.skipped..self.data.len() + self.skipped - LINE / size_of::<f32>()]
    }
}

impl DerefMut for Aligned {
    fn deref_mut(&mut self) -> &mut [f32] {
        let end = self.data.len() + self.skipped - LINE / size_of::<f32>();
        &mut self.data[self.skipped..end]
    }
}

impl From<&[f32]> for Aligned {
    fn from(data: &[f32]) -> Self {
        let mut aligned = Aligned::zeros(data.len());
        aligned.copy_from_slice(data);
        aligned
    }
}

impl Clone for Aligned {
    fn clone(&self) -> Self {
        Aligned::from(&**self)
    }
}

impl PartialEq for Aligned {
    fn eq(&self, other: &Self) -> bool {
        **self == **other
    }
}
