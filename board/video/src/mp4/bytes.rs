//! Big-endian numbers off the front of a slice, and the boxes that MP4 nests in one another.

/// A slice being read from its front. Every read answers `None` past the end, and none panics.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bytes<'a>(pub &'a [u8]);

impl<'a> Bytes<'a> {
    pub fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(count)?;
        self.0 = rest;
        Some(taken)
    }

    pub fn skip(&mut self, count: usize) -> Option<()> {
        self.take(count).map(|_| ())
    }

    fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
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

    /// The version of a full box, past its flags.
    pub fn version(&mut self) -> Option<u8> {
        let version = self.u8()?;
        self.skip(3)?;
        Some(version)
    }

    /// The entries of a table, `width` bytes each, as many as its count says and its box holds.
    pub fn table(&mut self, width: usize) -> Option<impl Iterator<Item = Bytes<'a>> + use<'a>> {
        let count = self.u32()?;
        Some(self.0.chunks_exact(width).take(count as usize).map(Bytes))
    }
}

/// A box's four-character name.
pub(super) type Name = [u8; 4];

/// The boxes in the contents of another, each a name and its own contents. A box that claims more than there is ends the walk.
pub(super) struct Boxes<'a>(pub &'a [u8]);

impl<'a> Iterator for Boxes<'a> {
    type Item = (Name, &'a [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        let mut bytes = Bytes(self.0);
        let size = bytes.u32()?;
        let name = bytes.array()?;
        let size = match size {
            0 => self.0.len(),
            1 => usize::try_from(bytes.u64()?).ok()?,
            size => size as usize,
        };
        let header = self.0.len() - bytes.0.len();
        let contents = self.0.get(header..size)?;
        self.0 = &self.0[size..];
        Some((name, contents))
    }
}

/// The contents of the first box called `name` in `contents`.
pub(super) fn find<'a>(contents: &'a [u8], name: &Name) -> Option<&'a [u8]> {
    Boxes(contents).find(|(found, _)| found == name).map(|(_, contents)| contents)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn boxes_of_every_size_field_are_walked() {
        let mut data = b"\0\0\0\x09free!".to_vec();
        data.extend(b"\0\0\0\x01wide\0\0\0\0\0\0\0\x12ab");
        data.extend(b"\0\0\0\0lastrest");
        let seen: Vec<_> = Boxes(&data).collect();
        assert_eq!(seen, [(*b"free", &b"!"[..]), (*b"wide", b"ab"), (*b"last", b"rest")]);
        assert_eq!(find(&data, b"wide"), Some(&b"ab"[..]));
        assert_eq!(find(&data, b"none"), None);
    }

    #[test]
    fn senseless_sizes_end_the_walk() {
        for bad in [
            &b"\0\0\0\x04freexxxx"[..],
            b"\0\0\0\xfffree",
            b"\0\0\0\x01free\xff\xff\xff\xff\xff\xff\xff\xff",
            b"\0\0\0",
        ] {
            assert_eq!(Boxes(bad).count(), 0, "{bad:?}");
        }
    }
}
