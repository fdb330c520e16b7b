//! Numbers that start at a cache line, so that no vector crosses a line boundary.

use std::ops::{Deref, DerefMut};

/// Size of a cache line in bytes.
const LINE: usize = 64;

/// Numbers of which the first starts a cache line.
#[derive(Debug)]
pub(crate) struct Aligned<T = f32> {
    data: Vec<T>,
    /// Count of numbers before the first one.
    skipped: usize,
}

impl<T: Copy + Default> Aligned<T> {
    /// Numbers that take a whole cache line.
    const SPARE: usize = LINE / size_of::<T>();

    /// Returns `len` zeros.
    pub fn zeros(len: usize) -> Self {
        let data = vec![T::default(); len + Self::SPARE];
        let skipped = data.as_ptr().align_offset(LINE).min(Self::SPARE);
        Aligned { data, skipped }
    }
}

impl<T: Copy + Default> Deref for Aligned<T> {
    type Target = [T];
    fn deref(&self) -> &[T] {
        &self.data[self.skipped..self.data.len() + self.skipped - Self::SPARE]
    }
}

impl<T: Copy + Default> DerefMut for Aligned<T> {
    fn deref_mut(&mut self) -> &mut [T] {
        let end = self.data.len() + self.skipped - Self::SPARE;
        &mut self.data[self.skipped..end]
    }
}

impl<T: Copy + Default> From<&[T]> for Aligned<T> {
    fn from(data: &[T]) -> Self {
        let mut aligned = Aligned::zeros(data.len());
        aligned.copy_from_slice(data);
        aligned
    }
}

impl<T: Copy + Default> FromIterator<T> for Aligned<T> {
    fn from_iter<I: IntoIterator<Item = T>>(numbers: I) -> Self {
        numbers.into_iter().collect::<Vec<T>>().as_slice().into()
    }
}

impl<T: Copy + Default> Clone for Aligned<T> {
    fn clone(&self) -> Self {
        Aligned::from(&**self)
    }
}

impl<T: Copy + Default + PartialEq> PartialEq for Aligned<T> {
    fn eq(&self, other: &Self) -> bool {
        **self == **other
    }
}
