//! The boxes that MP4 nests in one another.

use crate::bytes::Bytes;

/// Bytes of a visual sample entry before the boxes in it.
pub(super) const ENTRY: usize = 78;

/// A box's four-character name.
pub(super) type Name = [u8; 4];

/// The boxes in the contents of another, each a name and its own contents. A box that claims more
/// than there is ends the walk.
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

/// Returns the contents of the first box called `name` in `contents`.
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
