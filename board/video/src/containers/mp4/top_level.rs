//! The top level of an MP4 file: finds its index by stepping from box to box, without reading what
//! is in them.

use std::io::SeekFrom;

use super::boxes::Name;
use super::error::Mp4Error;
use crate::SourceError;
use crate::bytes::Bytes;
use crate::containers::container::SeekableReader;
use crate::error::VideoError;

/// Largest index that is read into memory, in bytes; that of a day at 60 frames a second takes 60
/// MB.
const MAX_INDEX: u64 = 64 << 20;

/// Boxes after which the search is given up; only a fragmented file has more than a dozen.
const MAX_BOXES: usize = 10_000;

/// What the search found.
pub(super) struct TopLevel {
    /// The contents of `moov`, the index.
    pub index: Vec<u8>,
    /// Whether there are fragments (`moof`), whose pictures the index does not list.
    pub fragmented: bool,
}

/// Finds and reads the index of `file`, of `length` bytes.
///
/// # Errors
/// When there is none, or it is cut short, or the file cannot be read.
pub(super) fn read(file: &mut dyn SeekableReader, length: u64) -> Result<TopLevel, SourceError> {
    let mut index = None;
    let mut fragmented = false;
    let mut position = 0;
    for _ in 0..MAX_BOXES {
        let Some((name, start, end)) = header(file, position, length)? else { break };
        match &name {
            b"moov" if index.is_none() => {
                if end > length {
                    return Err(Mp4Error::NoIndex.into());
                }
                index = Some((start, end - start));
            }
            b"moof" => fragmented = true,
            _ => {}
        }
        if fragmented && index.is_some() {
            break;
        }
        position = end;
    }
    let (start, bytes) = index.ok_or(Mp4Error::NoIndex)?;
    if bytes > MAX_INDEX {
        return Err(VideoError::Malformed { part: "the size of its index" }.into());
    }
    let mut index = vec![0; bytes as usize];
    file.seek(SeekFrom::Start(start)).map_err(SourceError::io("read its index"))?;
    file.read_exact(&mut index).map_err(SourceError::io("read its index"))?;
    Ok(TopLevel { index, fragmented })
}

/// Returns the name of the box at `position` and where its contents start and end; `None` where no
/// box starts.
fn header(file: &mut dyn SeekableReader, position: u64, length: u64) -> Result<Option<(Name, u64, u64)>, SourceError> {
    let mut buffer = [0; 16];
    let here = usize::try_from(length.saturating_sub(position)).map_or(16, |left| left.min(16));
    let buffer = &mut buffer[..here];
    file.seek(SeekFrom::Start(position)).map_err(SourceError::io("read it"))?;
    file.read_exact(buffer).map_err(SourceError::io("read it"))?;
    Ok(parse_header(buffer, position, length))
}

fn parse_header(buffer: &[u8], position: u64, length: u64) -> Option<(Name, u64, u64)> {
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
    Some((name, position + header, position.checked_add(size)?))
}
