//! A chunk of an array: from its file to values, no more of them at any time than the file or the
//! metadata can account for.

use std::{
    fs::File,
    io::{self, Read, Seek, SeekFrom},
    ops::Range,
    path::Path,
};

use flate2::read::{MultiGzDecoder, ZlibDecoder};

use super::{
    Error, blosc,
    inflate::{Fault, inflate},
    zarray::{Codec, Order, Zarray},
};

/// Reads the clips `clips` of the chunk in the file `path`, each into one of `to`, which may be
/// shorter than the chunk is wide. Reads nothing and returns false where there is no such file.
///
/// # Errors
/// [`Error::Read`], [`Error::Chunk`] and [`Error::Unsupported`].
pub(super) fn read<'a>(
    path: &Path,
    array: &Zarray,
    clips: Range<usize>,
    to: impl Iterator<Item = &'a mut [f32]>,
) -> Result<bool, Error> {
    let Some(length) = length(path)? else { return Ok(false) };
    let wanted = array.chunk_bytes();
    let damaged = |reason: String| Error::Chunk { path: path.to_owned(), reason };
    let longest = match array.codec {
        Codec::Raw => wanted as u64,
        // What does not compress grows a little.
        _ => 2 * wanted as u64 + (1 << 16),
    };
    if array.codec == Codec::Raw && length != wanted as u64 || length > longest {
        return Err(damaged(format!(
            "it has {length} bytes, and its {wanted} bytes of values do not come from as many"
        )));
    }
    let mut file = File::open(path).map_err(Error::read(path))?;
    if (array.codec, array.order) == (Codec::Raw, Order::Features) {
        let clip = 4 * array.chunk_features;
        let mut bytes = vec![0; clip * clips.len()];
        file.seek(SeekFrom::Start((clip * clips.start) as u64)).map_err(Error::read(path))?;
        file.read_exact(&mut bytes).map_err(Error::read(path))?;
        row_major(&bytes, array, to);
        return Ok(true);
    }
    // As long as the file is, which is at most `longest`.
    let mut stored = Vec::with_capacity(usize::try_from(length).unwrap_or_default() + 1);
    file.take(longest + 1).read_to_end(&mut stored).map_err(Error::read(path))?;
    let bytes = decode(array.codec, stored, wanted).map_err(|fault| match fault {
        Fault::Damaged(reason) => damaged(reason),
        Fault::Unsupported(what) => Error::Unsupported { path: path.to_owned(), what },
    })?;
    if bytes.len() != wanted {
        return Err(damaged(format!("it holds {} bytes of values, not {wanted}", bytes.len())));
    }
    match array.order {
        Order::Features => row_major(&bytes[4 * array.chunk_features * clips.start..], array, to),
        Order::Clips => {
            let (fours, _) = bytes.as_chunks::<4>();
            for (clip, to) in clips.zip(to) {
                let from = fours[clip..].iter().step_by(array.chunk_clips);
                to.iter_mut().zip(from).for_each(|(to, four)| *to = f32::from_le_bytes(*four));
            }
        }
    }
    Ok(true)
}

/// Converts row-major `bytes`, a clip each into one of `to`.
fn row_major<'a>(bytes: &[u8], array: &Zarray, to: impl Iterator<Item = &'a mut [f32]>) {
    for (to, from) in to.zip(bytes.chunks_exact(4 * array.chunk_features)) {
        let (fours, _) = from.as_chunks::<4>();
        to.iter_mut().zip(fours).for_each(|(to, four)| *to = f32::from_le_bytes(*four));
    }
}

/// Returns the bytes of the file `path`; `None` where there is none.
///
/// # Errors
/// [`Error::Read`] where that cannot be seen, [`Error::Chunk`] where it is no file.
pub(super) fn length(path: &Path) -> Result<Option<u64>, Error> {
    match path.metadata() {
        Ok(there) if there.is_file() => Ok(Some(there.len())),
        Ok(_) => Err(Error::Chunk { path: path.to_owned(), reason: "it is not a file".into() }),
        Err(source) if matches!(source.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => Ok(None),
        Err(source) => Err(Error::read(path)(source)),
    }
}

/// Returns the bytes that `stored` stands for; where they are more than `wanted` (or fewer), it is
/// for the caller to see.
fn decode(codec: Codec, stored: Vec<u8>, wanted: usize) -> Result<Vec<u8>, Fault> {
    match codec {
        Codec::Raw => Ok(stored),
        Codec::Zlib => inflate(ZlibDecoder::new(&stored[..]), wanted),
        Codec::Gzip => inflate(MultiGzDecoder::new(&stored[..]), wanted),
        Codec::Blosc => blosc::decode(&stored, wanted),
    }
}
