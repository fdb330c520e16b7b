//! Big-endian numbers off the front of a slice.

/// A slice being read from its front. Every read answers `None` past the end, and none panics.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bytes<'a>(pub &'a [u8]);

impl<'a> Bytes<'a> {
    pub fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(count)?;
        self.0 = rest;
        Some(taken)
    }

    pub fn skip(&mut self, count: usize) -> Option<()> {
        self.take(count).map(|_| ())
    }

    pub fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (taken, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(*taken)
    }

    pub fn u8(&mut self) -> Option<u8> {
        self.array().map(u8::from_be_bytes)
    }

    pub fn u16(&mut self) -> Option<u16> {
        self.array().map(u16::from_be_bytes)
    }

    pub fn u32(&mut self) -> Option<u32> {
        self.array().map(u32::from_be_bytes)
    }

    pub fn i32(&mut self) -> Option<i32> {
        self.array().map(i32::from_be_bytes)
    }

    pub fn u64(&mut self) -> Option<u64> {
        self.array().map(u64::from_be_bytes)
    }

    pub fn i64(&mut self) -> Option<i64> {
        self.array().map(i64::from_be_bytes)
    }

    /// Returns the version of a full box, past its flags.
    pub fn version(&mut self) -> Option<u8> {
        let version = self.u8()?;
        self.skip(3)?;
        Some(version)
    }

    /// Returns the entries of a table, `width` bytes each, as many as its count says and its box
    /// holds.
    pub fn table(&mut self, width: usize) -> Option<impl Iterator<Item = Bytes<'a>> + use<'a>> {
        let count = self.u32()?;
        Some(self.0.chunks_exact(width).take(count as usize).map(Bytes))
    }
}
