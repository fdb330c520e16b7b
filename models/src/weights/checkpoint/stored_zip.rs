//! Reads the uncompressed entries of a zip archive in memory.
//!
//! The format is PKWARE's APPNOTE.TXT; torch writes its zip64 form, compresses nothing and fills no
//! comment.

use std::collections::BTreeMap;

use super::{
    bytes::bytes_at,
    error::{Problem, quoted},
};

const LOCAL_HEADER: [u8; 4] = *b"PK\x03\x04";
const CENTRAL_HEADER: [u8; 4] = *b"PK\x01\x02";
const END: [u8; 4] = *b"PK\x05\x06";
const END64: [u8; 4] = *b"PK\x06\x06";
const END64_LOCATOR: [u8; 4] = *b"PK\x06\x07";

const END_BYTES: usize = 22;
const LONGEST_COMMENT: usize = 0xffff;

/// The directory of an archive.
pub(super) struct StoredZip<'a> {
    file: &'a [u8],
    entries: BTreeMap<&'a str, Entry>,
}

/// An entry of the directory.
struct Entry {
    plain: bool,
    checksum: u32,
    bytes: usize,
    header: usize,
}

/// Returns whether `file` begins like an archive with an entry.
pub(super) fn begins(file: &[u8]) -> bool {
    file.starts_with(&LOCAL_HEADER)
}

impl<'a> StoredZip<'a> {
    /// Reads the directory of the archive `file`.
    pub(super) fn open(file: &'a [u8]) -> Result<Self, Problem> {
        let end = end_record(file).ok_or_else(|| Problem::Truncated("its zip directory is missing".to_owned()))?;
        let damaged = || Problem::Damaged("its zip directory is malformed".to_owned());
        let (count, mut at) = directory(file, end).ok_or_else(damaged)?;
        let mut entries = BTreeMap::new();
        for _ in 0..count {
            let (name, entry, next) = entry(file, at).ok_or_else(damaged)?;
            if entries.insert(name, entry).is_some() {
                return Err(Problem::Damaged(format!("it has two zip entries {}", quoted(name))));
            }
            at = next;
        }
        Ok(StoredZip { file, entries })
    }

    /// Returns the names of the entries, in alphabetical order.
    pub(super) fn names(&self) -> impl Iterator<Item = &'a str> {
        self.entries.keys().copied()
    }

    /// Returns the contents of the entry called `name`, compared with its checksum; `None` where
    /// there is none of this name.
    pub(super) fn entry(&self, name: &str) -> Result<Option<&'a [u8]>, Problem> {
        let Some(entry) = self.entries.get(name) else { return Ok(None) };
        if !entry.plain {
            return Err(Problem::Packed(quoted(name)));
        }
        let contents = contents(self.file, entry)
            .ok_or_else(|| Problem::Damaged(format!("its zip entry {} is not where it should be", quoted(name))))?;
        if crc32fast::hash(contents) != entry.checksum {
            return Err(Problem::Damaged(format!("its zip entry {} does not match its checksum", quoted(name))));
        }
        Ok(Some(contents))
    }
}

/// Where the record begins that ends the archive: before at most a comment.
fn end_record(file: &[u8]) -> Option<usize> {
    let latest = file.len().checked_sub(END_BYTES)?;
    (latest.saturating_sub(LONGEST_COMMENT)..=latest).rev().find(|&at| {
        bytes_at(file, at) == Some(END)
            && u16_at(file, at + 20).is_some_and(|comment| at + END_BYTES + comment == file.len())
    })
}

/// How many entries the directory has, and where it begins.
fn directory(file: &[u8], end: usize) -> Option<(u64, usize)> {
    let (count, bytes, start) = (u16_at(file, end + 10)?, u32_at(file, end + 12)?, u32_at(file, end + 16)?);
    if count < 0xffff && bytes < 0xffff_ffff && start < 0xffff_ffff {
        return Some((count as u64, start));
    }
    let locator = end.checked_sub(20)?;
    let end64 = u64_at(file, locator + 8)?;
    if bytes_at(file, locator) != Some(END64_LOCATOR) || bytes_at(file, end64) != Some(END64) {
        return None;
    }
    Some((u64_at(file, end64.checked_add(32)?)? as u64, u64_at(file, end64.checked_add(48)?)?))
}

/// Returns the name and description of the entry whose directory record begins at `at`, and where
/// the next begins.
fn entry(file: &[u8], at: usize) -> Option<(&str, Entry, usize)> {
    let record = file.get(at..)?;
    if bytes_at(record, 0) != Some(CENTRAL_HEADER) {
        return None;
    }
    let (flags, method) = (u16_at(record, 8)?, u16_at(record, 10)?);
    let checksum = bytes_at(record, 16).map(u32::from_le_bytes)?;
    let (mut packed, mut bytes, mut header) = (u32_at(record, 20)?, u32_at(record, 24)?, u32_at(record, 42)?);
    let name_end = 46 + u16_at(record, 28)?;
    let extra_end = name_end + u16_at(record, 30)?;
    let comment_end = extra_end + u16_at(record, 32)?;
    let name = std::str::from_utf8(record.get(46..name_end)?).ok()?;

    // Zip64: whichever of the three numbers is full stands in an extra field, in this order.
    let mut extra = record.get(name_end..extra_end)?;
    while let (Some(kind), Some(length)) = (u16_at(extra, 0), u16_at(extra, 2)) {
        let field = extra.get(4..4 + length)?;
        if kind == 1 {
            let mut numbers = field.as_chunks::<8>().0.iter().map(|&number| u64::from_le_bytes(number));
            for number in [&mut bytes, &mut packed, &mut header].into_iter().filter(|number| **number == 0xffff_ffff) {
                *number = numbers.next()?.try_into().ok()?;
            }
        }
        extra = extra.get(4 + length..)?;
    }
    // Bit 0 of the flags says encrypted, method 0 says stored.
    let plain = flags & 1 == 0 && method == 0 && packed == bytes;
    Some((name, Entry { plain, checksum, bytes, header }, at.checked_add(comment_end)?))
}

/// Returns the contents of an entry, which begin after its own header.
fn contents<'a>(file: &'a [u8], entry: &Entry) -> Option<&'a [u8]> {
    let header = file.get(entry.header..)?;
    if bytes_at(header, 0) != Some(LOCAL_HEADER) {
        return None;
    }
    let start = 30 + u16_at(header, 26)? + u16_at(header, 28)?;
    header.get(start..)?.get(..entry.bytes)
}

fn u16_at(bytes: &[u8], at: usize) -> Option<usize> {
    bytes_at(bytes, at).map(|number| u16::from_le_bytes(number).into())
}

fn u32_at(bytes: &[u8], at: usize) -> Option<usize> {
    bytes_at(bytes, at).and_then(|number| u32::from_le_bytes(number).try_into().ok())
}

fn u64_at(bytes: &[u8], at: usize) -> Option<usize> {
    bytes_at(bytes, at).and_then(|number| u64::from_le_bytes(number).try_into().ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns an archive of one entry `a` with the contents `data`, whose numbers all stand in
    /// zip64 fields.
    fn zip64(locator: u64) -> Vec<u8> {
        let checksum = crc32fast::hash(b"data").to_le_bytes();
        let full = [0xff; 4];
        let local = [&b"PK\x03\x04"[..], &[0; 10], &checksum, &full, &full, &[1, 0, 0, 0], b"adata"].concat();
        // Another extra field stands before that of zip64; torch writes such to align its storages.
        let numbers = [4_u64, 4, 0].map(u64::to_le_bytes).concat();
        let extra = [&b"FB\x02\0ZZ\x01\0\x18\0"[..], &numbers].concat();
        let lengths = [1, 0, u8::try_from(extra.len()).unwrap(), 0];
        let central =
            [&b"PK\x01\x02"[..], &[0; 12], &checksum, &full, &full, &lengths, &[0; 10], &full, b"a", &extra].concat();
        let counts = [1_u64, 1, central.len() as u64, local.len() as u64].map(u64::to_le_bytes).concat();
        let end64 = [&b"PK\x06\x06"[..], &[0; 20], &counts].concat();
        let at = (local.len() + central.len()) as u64 + locator;
        let locator = [&b"PK\x06\x07\0\0\0\0"[..], &at.to_le_bytes(), &[1, 0, 0, 0]].concat();
        let end = [&b"PK\x05\x06\0\0\0\0"[..], &[0xff; 12], &[0; 2]].concat();
        [local, central, end64, locator, end].concat()
    }

    #[test]
    fn numbers_that_are_full_are_taken_from_zip64_fields() {
        let file = zip64(0);
        let zip = StoredZip::open(&file).unwrap();
        assert_eq!(zip.entry("a").unwrap(), Some(&b"data"[..]));
        assert_eq!(zip.entry("b").unwrap(), None);
        for wrong in [1, u64::MAX / 2] {
            assert!(matches!(StoredZip::open(&zip64(wrong)), Err(Problem::Damaged(_))));
        }
    }

    #[test]
    fn a_comment_at_the_end_is_passed_over() {
        let mut file = zip64(0);
        let length = file.len();
        file[length - 2] = 5;
        assert!(matches!(StoredZip::open(&file), Err(Problem::Truncated(_))));
        file.extend(b"PK\x05\x06.");
        assert!(StoredZip::open(&file).is_ok());
    }
}
