//! EBML (RFC 8794): the elements of which a Matroska file is made.

use crate::SourceError;
use crate::bytes::Bytes;
use crate::containers::forward_reader::ForwardReader;
use crate::error::VideoError;

/// The identifier of an element, with its length marker.
pub(super) type Id = u32;

/// The head of an element.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Head {
    /// What it is.
    pub id: Id,
    /// Bytes of its contents; `None` where they end with the parent or the next element of the same
    /// level.
    pub size: Option<u64>,
}

impl Head {
    /// Reads the head of the next element of a file.
    ///
    /// # Errors
    /// When there is none, or the file cannot be read.
    pub fn read(reader: &mut ForwardReader) -> Result<Self, SourceError> {
        let malformed = || SourceError::from(VideoError::Malformed { part: "the structure of its Matroska" });
        let [first] = reader.array()?;
        let id = match first.leading_zeros() {
            0 => u32::from(first),
            1 => number(&[first], &reader.array::<1>()?),
            2 => number(&[first], &reader.array::<2>()?),
            3 => number(&[first], &reader.array::<3>()?),
            _ => return Err(malformed()),
        };
        let [first] = reader.array()?;
        let mut bytes = [first, 0, 0, 0, 0, 0, 0, 0];
        let width = width(first).ok_or_else(malformed)?;
        for byte in &mut bytes[1..width] {
            [*byte] = reader.array()?;
        }
        Ok(Head { id, size: size(&bytes[..width]) })
    }

    /// Returns the bytes of the contents.
    ///
    /// # Errors
    /// When they are not stated.
    pub fn known_size(self) -> Result<u64, SourceError> {
        self.size.ok_or_else(|| VideoError::Malformed { part: "the size of an element of its Matroska" }.into())
    }
}

fn number(first: &[u8], rest: &[u8]) -> u32 {
    first.iter().chain(rest).fold(0, |number, &byte| number << 8 | u32::from(byte))
}

/// Returns the bytes of a number of variable length that starts with `first`.
fn width(first: u8) -> Option<usize> {
    (first != 0).then(|| first.leading_zeros() as usize + 1)
}

/// Returns the value of a number of variable length; `None` for the one that says "unknown", whose
/// bits are all set.
fn size(bytes: &[u8]) -> Option<u64> {
    let mask = (1u64 << (7 * bytes.len())) - 1;
    let value = bytes.iter().fold(0, |value, &byte| value << 8 | u64::from(byte)) & mask;
    (value != mask).then_some(value)
}

/// Reads a number of variable length.
pub(super) fn variable(bytes: &mut Bytes<'_>) -> Option<u64> {
    let width = width(*bytes.0.first()?)?;
    size(bytes.take(width)?)
}

/// Reads a signed number of variable length (RFC 9559, 10.3.3).
pub(super) fn signed_variable(bytes: &mut Bytes<'_>) -> Option<i64> {
    let width = width(*bytes.0.first()?)?;
    let value = i64::try_from(size(bytes.take(width)?)?).ok()?;
    Some(value - ((1i64 << (7 * width - 1)) - 1))
}

/// The elements in `0`, as far as their sizes add up.
#[derive(Clone, Copy, Debug)]
pub(super) struct Elements<'a>(pub &'a [u8]);

impl<'a> Iterator for Elements<'a> {
    type Item = (Id, &'a [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        let mut bytes = Bytes(self.0);
        let id_width = width(*bytes.0.first()?).filter(|&width| width <= 4)?;
        let id = number(&[], bytes.take(id_width)?);
        let size = usize::try_from(variable(&mut bytes)?).ok()?;
        let contents = bytes.take(size)?;
        self.0 = bytes.0;
        Some((id, contents))
    }
}

/// Returns the contents of the first element `id`.
pub(super) fn find(contents: &[u8], id: Id) -> Option<&[u8]> {
    Elements(contents).find(|(found, _)| *found == id).map(|(_, contents)| contents)
}

/// Returns the unsigned number that element `id` of `contents` holds.
pub(super) fn find_unsigned(contents: &[u8], id: Id) -> Option<u64> {
    find(contents, id).and_then(unsigned)
}

/// Returns the floating-point number that element `id` of `contents` holds.
pub(super) fn find_float(contents: &[u8], id: Id) -> Option<f64> {
    match *find(contents, id)? {
        [] => Some(0.0),
        [a, b, c, d] => Some(f32::from_be_bytes([a, b, c, d]).into()),
        [a, b, c, d, e, f, g, h] => Some(f64::from_be_bytes([a, b, c, d, e, f, g, h])),
        _ => None,
    }
}

/// Returns the unsigned number in `contents`.
pub(super) fn unsigned(contents: &[u8]) -> Option<u64> {
    (contents.len() <= 8).then(|| contents.iter().fold(0, |value, &byte| value << 8 | u64::from(byte)))
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use super::*;

    #[test]
    fn numbers_of_all_widths_are_read() {
        let read = |bytes: &[u8]| variable(&mut Bytes(bytes));
        assert_eq!(read(&[0x81]), Some(1));
        assert_eq!(read(&[0x40, 0x02]), Some(2));
        assert_eq!(read(&[0x01, 0, 0, 0, 0, 0, 0, 3]), Some(3));
        assert_eq!(read(&[0xff]), None);
        assert_eq!(read(&[0x01, 255, 255, 255, 255, 255, 255, 255]), None);
        assert_eq!((read(&[0x40]), read(&[0]), read(&[])), (None, None, None));
        let signed = |bytes: &[u8]| signed_variable(&mut Bytes(bytes));
        assert_eq!((signed(&[0x80]), signed(&[0xbf]), signed(&[0xfe])), (Some(-63), Some(0), Some(63)));
        assert_eq!((signed(&[0x40, 0]), signed(&[0x5f, 0xff])), (Some(-8191), Some(0)));
    }

    #[test]
    fn heads_of_elements_are_read() {
        let read = |bytes: &[u8]| {
            let mut reader = ForwardReader::from_stream(Box::new(Cursor::new(bytes.to_vec())));
            Head::read(&mut reader).ok().map(|head| (head.id, head.size, reader.position()))
        };
        assert_eq!(read(&[0xa3, 0x85]), Some((0xa3, Some(5), 2)));
        assert_eq!(read(&[0x1f, 0x43, 0xb6, 0x75, 0x40, 0x07]), Some((0x1f43_b675, Some(7), 6)));
        assert_eq!(read(&[0x42, 0x86, 0x01, 255, 255, 255, 255, 255, 255, 255]), Some((0x4286, None, 10)));
        for wrong in [&[0x08, 0x85][..], &[0xa3, 0], &[0xa3], &[0x1f, 0x43], &[]] {
            assert_eq!(read(wrong), None, "{wrong:?}");
        }
    }

    #[test]
    fn elements_end_where_sizes_do_not_add_up() {
        let bytes = [0xae, 0x82, 1, 2, 0x53, 0xac, 0x81, 9, 0xd7, 0x84, 1];
        assert_eq!(Elements(&bytes).collect::<Vec<_>>(), [(0xae, &[1, 2][..]), (0x53ac, &[9])]);
        assert_eq!(find_unsigned(&bytes, 0xae), Some(0x102));
        assert_eq!(find_float(&bytes, 0xae), None);
        assert_eq!(unsigned(&[1; 9]), None);
    }
}
