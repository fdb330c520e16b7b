//! Splits a stream of bytes in Annex B form into pictures.

use super::picture::{Picture, Role};
use super::{Coding, Headers, SLICE_HEADER, start_code};
use crate::SourceError;
use crate::error::VideoError;

/// Largest picture, in bytes.
const MAX_PICTURE: usize = 32 << 20;

/// One picture of a stream, with all that precedes its first slice; both fields of a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Unit {
    /// Position in the stream of the byte after its first start code.
    pub start: u64,
    /// Position of the first start code of the next picture, up to its last two zeros.
    pub end: u64,
    /// What its header says.
    pub picture: Picture,
}

/// Splits a stream that comes in pieces of any length. A picture ends where the next one begins.
pub(crate) struct Splitter {
    headers: Headers,
    /// Bytes of the stream from `position` on: the unit so far, and what follows.
    buffer: Vec<u8>,
    position: u64,
    /// Where to look for the next start code.
    scanned: usize,
    /// Where a NAL unit starts that was not read yet, after its start code.
    nal: Option<usize>,
    /// Where the unit so far starts, after its start code.
    unit: Option<usize>,
    /// The picture in it.
    picture: Option<Picture>,
    /// Where it may end: what follows is of the next picture, unless that is the other field.
    end: Option<usize>,
}

impl Splitter {
    /// Splits a stream of `coding`.
    pub fn new(coding: Coding) -> Self {
        Splitter {
            headers: Headers::new(coding),
            buffer: Vec::new(),
            position: 0,
            scanned: 0,
            nal: None,
            unit: None,
            picture: None,
            end: None,
        }
    }

    /// Returns the number of bytes that were pushed.
    pub fn pushed(&self) -> u64 {
        self.position + self.buffer.len() as u64
    }

    /// Takes the next piece of the stream.
    ///
    /// # Errors
    /// When there was no end of a picture for 32 MiB.
    pub fn push(&mut self, piece: &[u8]) -> Result<(), SourceError> {
        if self.buffer.len() + piece.len() > MAX_PICTURE {
            return Err(VideoError::Malformed { part: "the size of a picture" }.into());
        }
        self.buffer.extend_from_slice(piece);
        Ok(())
    }

    /// Moves the next whole picture into `data`, which loses its contents; `None` until more is
    /// pushed. With `finished`, no more comes, and what is left is a picture.
    pub fn next(&mut self, finished: bool, data: &mut Vec<u8>) -> Option<Unit> {
        loop {
            let Some(nal) = self.nal else {
                let Some(at) = start_code(&self.buffer, self.scanned) else {
                    self.scanned = self.scanned.max(self.buffer.len().saturating_sub(2));
                    if self.unit.is_none() {
                        self.drop_first(self.scanned);
                    }
                    return if finished { self.cut(self.buffer.len(), None, data) } else { None };
                };
                (self.nal, self.scanned) = (Some(at + 3), at + 3);
                self.unit = self.unit.or(Some(at + 3));
                continue;
            };
            // The zero byte of a long start code counts with the unit before.
            let next = start_code(&self.buffer, self.scanned);
            let end = next.or(finished.then_some(self.buffer.len()));
            let rest = &self.buffer[nal..];
            let nal_bytes = match end {
                Some(end) => &self.buffer[nal..end],
                None if rest.len() >= SLICE_HEADER && self.headers.is_slice(rest) => rest,
                None => {
                    self.scanned = self.scanned.max(self.buffer.len().saturating_sub(2));
                    return None;
                }
            };
            self.scanned = next.unwrap_or(self.scanned.max(self.buffer.len().saturating_sub(2)));
            self.nal = None;
            let awaits_field = self.headers.awaits_field();
            match self.headers.read(nal_bytes) {
                Role::Follows => self.end = self.end.filter(|_| !self.headers.is_slice(nal_bytes)),
                Role::Precedes if self.picture.is_none() => {}
                Role::Precedes if awaits_field => self.end = self.end.or(Some(nal)),
                Role::Precedes => return self.cut(nal, None, data),
                Role::Begins(picture) if self.picture.is_none() => self.picture = Some(picture),
                Role::Begins(picture) => return self.cut(self.end.unwrap_or(nal), Some(picture), data),
            }
        }
    }

    /// Ends the unit before the NAL unit at `end`; `picture` is what was read of the next one.
    fn cut(&mut self, end: usize, picture: Option<Picture>, data: &mut Vec<u8>) -> Option<Unit> {
        let start = self.unit.take()?;
        let picture_before = self.picture.take()?;
        let is_last = end == self.buffer.len() && picture.is_none();
        let next = if is_last { end } else { end - 3 };
        let position = |at: usize| self.position + at as u64;
        let cut = Unit { start: position(start), end: position(next), picture: picture_before };
        data.clear();
        data.extend_from_slice(&self.buffer[start - 3..next.max(start - 3)]);
        self.drop_first(next);
        (self.unit, self.picture, self.end) = ((!is_last).then_some(3), picture, None);
        Some(cut)
    }

    /// Drops the first `count` bytes of the buffer.
    fn drop_first(&mut self, count: usize) {
        self.buffer.drain(..count);
        self.position += count as u64;
        self.scanned = self.scanned.saturating_sub(count);
    }
}

#[cfg(test)]
mod tests {
    use super::super::test_stream::{Slice, sets};
    use super::*;

    /// Splits `stream`, which comes in pieces of `piece` bytes.
    fn split(stream: &[u8], piece: usize) -> Vec<(Unit, Vec<u8>)> {
        let (mut splitter, mut units, mut data) = (Splitter::new(Coding::H264), Vec::new(), Vec::new());
        for piece in stream.chunks(piece) {
            splitter.push(piece).unwrap();
            while let Some(unit) = splitter.next(false, &mut data) {
                units.push((unit, data.clone()));
            }
        }
        while let Some(unit) = splitter.next(true, &mut data) {
            units.push((unit, data.clone()));
        }
        units
    }

    /// Checks that `pictures`, joined, are split again, and returns what their headers say.
    fn check(pictures: &[Vec<u8>]) -> Vec<Picture> {
        let stream = [&[9, 9, 0], &pictures.concat()[..]].concat();
        for piece in [1, 3, 7, 100, 10_000] {
            let units = split(&stream, piece);
            let data: Vec<_> = units.iter().map(|(_, data)| data).collect();
            assert_eq!(data, pictures.iter().collect::<Vec<_>>(), "{piece}");
            let mut position = 3;
            for ((unit, _), picture) in units.iter().zip(pictures) {
                assert_eq!((unit.start, unit.end), (position + 3, position + picture.len() as u64));
                position = unit.end;
            }
        }
        split(&stream, 100).iter().map(|(unit, _)| unit.picture).collect()
    }

    const DELIMITER: [u8; 5] = [0, 0, 1, 9, 0xf0];
    const MESSAGE: [u8; 8] = [0, 0, 1, 6, 5, 1, 7, 0x80];

    #[test]
    fn pictures_begin_at_delimiters_sets_and_messages_or_at_another_slice() {
        let key = Slice { is_key: true, bytes: 90, ..Slice::default() };
        let slice = |number, order| Slice { number, order, bytes: 3, ..Slice::default() };
        let second = |slice: Slice| Slice { first_block: 8, ..slice }.unit();
        let pictures = [
            [&DELIMITER[..], &sets(true), &MESSAGE, &key.unit(), &second(key)].concat(),
            [slice(1, 8).unit(), second(slice(1, 8))].concat(),
            [&MESSAGE[..], &slice(2, 4).unit()].concat(),
            [&DELIMITER[..], &slice(3, 250).unit(), &[0, 0, 1, 12, 0xff, 0x80]].concat(),
            [sets(true), key.unit()].concat(),
        ];
        let read = check(&pictures);
        assert!(read.iter().all(|picture| picture.has_sets));
        let read: Vec<_> = read.iter().map(|picture| (picture.is_key, picture.sequence, picture.order)).collect();
        assert_eq!(read, [(true, 1, 0), (false, 1, 8), (false, 1, 4), (false, 1, -6), (true, 2, 0)]);
    }

    #[test]
    fn both_fields_of_a_frame_are_one_picture() {
        let frame = |number, order| Slice { number, order, field: Some(None), bytes: 70, ..Slice::default() };
        let field = |number, order, bottom| Slice { field: Some(Some(bottom)), ..frame(number, order) };
        let key = Slice { is_key: true, ..field(0, 0, false) };
        let pictures = [
            // Each field with what precedes it, the second in two slices.
            [
                &DELIMITER[..],
                &sets(false),
                &key.unit(),
                &DELIMITER,
                &MESSAGE,
                &field(0, 1, true).unit(),
                &Slice { first_block: 4, ..field(0, 1, true) }.unit(),
            ]
            .concat(),
            [field(1, 4, true).unit(), field(1, 5, false).unit()].concat(),
            [&MESSAGE[..], &frame(2, 8).unit()].concat(),
            // A field without the other, and the one after it.
            [&DELIMITER[..], &field(3, 10, false).unit()].concat(),
            [&DELIMITER[..], &field(4, 12, false).unit(), &DELIMITER, &field(4, 13, true).unit()].concat(),
            field(4, 14, false).unit(),
        ];
        let orders: Vec<i64> = check(&pictures).iter().map(|picture| picture.order).collect();
        assert_eq!(orders, [0, 4, 8, 10, 12, 14]);
    }

    #[test]
    fn slices_without_parameter_sets_are_told_apart() {
        let slice = |number| Slice { number, bytes: 9, ..Slice::default() }.unit();
        let pictures = [slice(1), slice(2), [sets(true), slice(3)].concat()];
        let known: Vec<bool> = check(&pictures).iter().map(|picture| picture.has_sets).collect();
        assert_eq!(known, [false, false, true]);
    }

    #[test]
    fn a_picture_without_an_end_is_refused() {
        let mut splitter = Splitter::new(Coding::H264);
        let start = [sets(true), Slice { is_key: true, ..Slice::default() }.unit()].concat();
        splitter.push(&start).unwrap();
        let mut pushed = (0..40).map(|_| splitter.push(&[1; 1 << 20]).is_ok());
        assert!(!pushed.all(|is_ok| is_ok));
        // Bytes before the first start code are not kept.
        let (mut splitter, mut data) = (Splitter::new(Coding::Hevc), Vec::new());
        for _ in 0..40 {
            splitter.push(&[1; 1 << 20]).unwrap();
            assert!(splitter.next(false, &mut data).is_none());
        }
        assert!(splitter.buffer.len() < 10);
    }
}
