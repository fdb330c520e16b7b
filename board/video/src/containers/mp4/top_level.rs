//! The top level of an MP4 file: finds its index and its fragments by stepping from box to box,
//! without reading what is in them.

use std::io::SeekFrom;
use std::ops::Range;

use super::boxes::Name;
use super::error::Mp4Error;
use crate::SourceError;
use crate::bytes::Bytes;
use crate::containers::container::SeekableReader;
use crate::error::VideoError;

/// Largest index that is read into memory, in bytes; that of a day at 60 frames a second takes 60
/// MB.
const MAX_INDEX: u64 = 64 << 20;

/// Boxes after which the search is given up. A day in fragments of a second has 200,000.
const MAX_BOXES: usize = 1 << 20;

/// What the search found.
pub(super) struct TopLevel {
    /// The contents of `moov`, the index.
    pub index: Vec<u8>,
    /// The fragments (`moof`), whose pictures the index does not list.
    pub fragments: Vec<FragmentPlace>,
    /// Whether a fragment is cut short.
    pub is_cut: bool,
}

/// Where a fragment lies in the file.
#[derive(Clone, Debug)]
pub(super) struct FragmentPlace {
    /// Where its box starts, from which it counts the places of its data.
    pub start: u64,
    /// Its contents.
    pub contents: Range<u64>,
}

/// Finds and reads the index of `file`, of `length` bytes.
///
/// # Errors
/// When there is none, or it is cut short, or the file cannot be read.
pub(super) fn read(file: &mut dyn SeekableReader, length: u64) -> Result<TopLevel, SourceError> {
    let mut index = None;
    let mut fragments = Vec::new();
    let mut is_cut = false;
    let mut position = 0;
    for _ in 0..MAX_BOXES {
        let Some(Header { name, contents }) = header(file, position, length)? else { break };
        let end = contents.end;
        match &name {
            // Segments that were joined repeat it.
            b"moov" if index.is_none() => {
                if end > length {
                    return Err(Mp4Error::NoIndex.into());
                }
                index = Some(contents);
            }
            b"moof" if end > length => is_cut = true,
            b"moof" => fragments.push(FragmentPlace { start: position, contents }),
            _ => {}
        }
        position = end;
    }
    let place = index.ok_or(Mp4Error::NoIndex)?;
    let mut index = vec![0; index_bytes(place.clone())?];
    file.seek(SeekFrom::Start(place.start)).map_err(SourceError::io("read its index"))?;
    file.read_exact(&mut index).map_err(SourceError::io("read its index"))?;
    Ok(TopLevel { index, fragments, is_cut })
}

/// Returns the length of an index at `place`.
///
/// # Errors
/// When it is too large to be read.
pub(super) fn index_bytes(place: Range<u64>) -> Result<usize, SourceError> {
    match place.end - place.start {
        bytes @ 0..=MAX_INDEX => Ok(bytes as usize),
        _ => Err(VideoError::Malformed { part: "the size of its index" }.into()),
    }
}

/// The header of a box: its name, and where its contents lie.
pub(super) struct Header {
    pub name: Name,
    pub contents: Range<u64>,
}

/// Returns the header of the box at `position`; `None` where no box starts.
fn header(file: &mut dyn SeekableReader, position: u64, length: u64) -> Result<Option<Header>, SourceError> {
    let mut buffer = [0; 16];
    let here = usize::try_from(length.saturating_sub(position)).map_or(16, |left| left.min(16));
    let buffer = &mut buffer[..here];
    file.seek(SeekFrom::Start(position)).map_err(SourceError::io("read it"))?;
    file.read_exact(buffer).map_err(SourceError::io("read it"))?;
    Ok(parse_header(buffer, position, length))
}

/// Reads a header from `buffer`, which holds the bytes at `position` of a file of `length` bytes;
/// `None` where there is none, or where it is longer than the buffer.
pub(super) fn parse_header(buffer: &[u8], position: u64, length: u64) -> Option<Header> {
    let mut bytes = Bytes(buffer);
    let size = bytes.u32()?;
    let name = bytes.take(4)?.try_into().ok()?;
    let (size, header) = match size {
        0 => (length - position, 8),
        1 => (bytes.u64()?, 16),
        size => (size.into(), 8),
    };
    if size < header {
        return None;
    }
    Some(Header { name, contents: position + header..position.checked_add(size)? })
}
