//! Decodes Blosc 1 chunks, which Python's `zarr` 2 writes unless told otherwise.
//!
//! The format is c-blosc's README_CHUNK_FORMAT.rst, with two things that only its blosc.c says:
//! block starts count from the first byte of the chunk, and a block that may be split is only where
//! it is whole, its type has at most 16 bytes, and a stream of it would have at least 128. A chunk
//! is a header of 16 bytes, the starts of its blocks, and the blocks. A block is one stream, or one
//! for each byte of the type; a stream is its length and that many bytes, which are stored as they
//! are where they are as many as they stand for. The header's numbers are little-endian.

use flate2::read::ZlibDecoder;
use ruzstd::decoding::StreamingDecoder;

use super::inflate::{Fault, inflate};

const HEADER: usize = 16;
/// Largest window of a zstd stream, which is allocated whatever follows; c-blosc's blocks are far
/// smaller.
const MAX_WINDOW: u64 = 1 << 25;
/// The only version of the format that c-blosc 1 has written since 2010.
const VERSION: u8 = 2;

// Bits of the header's flags.
const BYTE_SHUFFLE: u8 = 0x01;
const STORED: u8 = 0x02;
const BIT_SHUFFLE: u8 = 0x04;
const NOT_SPLIT: u8 = 0x10;

/// Compressor of the streams.
#[derive(Clone, Copy)]
enum Inner {
    Lz4,
    Zlib,
    Zstd,
}

/// Decodes a chunk that must hold `wanted` bytes. What is allocated grows with what the chunk's
/// bytes can stand for, whatever its header says, but for [`MAX_WINDOW`].
///
/// # Errors
/// [`Fault::Unsupported`] for bit shuffle, for other compressors than lz4, lz4hc, zlib and zstd,
/// and for other versions; [`Fault::Damaged`] for all else.
pub(super) fn decode(chunk: &[u8], wanted: usize) -> Result<Vec<u8>, Fault> {
    let Some(&[version, _, flags, type_size, ..]) = chunk.first_chunk::<HEADER>() else {
        return Err(damaged("it is shorter than a Blosc header"));
    };
    if version != VERSION {
        return Err(Fault::Unsupported(format!("Blosc format {version}")));
    }
    let type_size = usize::from(type_size);
    let (length, block_length, stored) = (number(chunk, 4)?, number(chunk, 8)?, number(chunk, 12)?);
    if length != wanted || stored != chunk.len() {
        return Err(Fault::Damaged(format!(
            "its Blosc header says {length} bytes in {stored}, it should hold {wanted} in {}",
            chunk.len()
        )));
    }
    if flags & STORED != 0 {
        return Ok(chunk.get(HEADER..).unwrap_or_default().to_vec());
    }
    if flags & BIT_SHUFFLE != 0 {
        return Err(Fault::Unsupported("compressor 'blosc' with bit shuffle".into()));
    }
    let inner = match flags >> 5 {
        1 => Inner::Lz4,
        3 => Inner::Zlib,
        4 => Inner::Zstd,
        0 => return Err(Fault::Unsupported("compressor 'blosc' with blosclz".into())),
        2 => return Err(Fault::Unsupported("compressor 'blosc' with snappy".into())),
        other => return Err(Fault::Unsupported(format!("compressor 'blosc' with its codec {other}"))),
    };
    if type_size == 0 || block_length == 0 || block_length > length {
        return Err(damaged("its Blosc header has a size that cannot be"));
    }

    let splits = flags & NOT_SPLIT == 0 && type_size <= 16 && block_length / type_size >= 128;
    // What vectors compress to; more only when the chunk has shown that it stands for more.
    let mut bytes = Vec::with_capacity(length.min(2 * chunk.len()));
    let mut block = Vec::with_capacity(block_length.min(2 * chunk.len()));
    for index in 0..length.div_ceil(block_length) {
        let size = block_length.min(length - index * block_length);
        let streams = if splits && size == block_length { type_size } else { 1 };
        let mut at = number(chunk, HEADER + 4 * index)?;
        block.clear();
        for _ in 0..streams {
            let start = at.saturating_add(4);
            at = start.saturating_add(number(chunk, at)?);
            let stream = chunk.get(start..at).ok_or_else(|| damaged("a Blosc stream goes beyond its end"))?;
            decompress(inner, stream, size / streams, &mut block)?;
        }
        if block.len() != size {
            return Err(damaged("a Blosc block has another length than the header says"));
        }
        if flags & BYTE_SHUFFLE != 0 {
            unshuffle(&block, type_size, &mut bytes);
        } else {
            bytes.extend_from_slice(&block);
        }
    }
    Ok(bytes)
}

fn damaged(reason: &str) -> Fault {
    Fault::Damaged(reason.to_owned())
}

/// Returns the 32-bit number at an offset. c-blosc's are signed; a negative one is larger than any
/// chunk here.
fn number(chunk: &[u8], at: usize) -> Result<usize, Fault> {
    let four = chunk.get(at..).and_then(|rest| rest.first_chunk::<4>());
    let four = four.ok_or_else(|| damaged("a Blosc block starts beyond its end"))?;
    usize::try_from(u32::from_le_bytes(*four)).map_err(|_| damaged("a Blosc number is too large"))
}

/// Appends to `block` the `size` bytes that a stream stands for.
fn decompress(inner: Inner, stream: &[u8], size: usize, block: &mut Vec<u8>) -> Result<(), Fault> {
    if stream.len() == size {
        block.extend_from_slice(stream);
        return Ok(());
    }
    let start = block.len();
    match inner {
        // A byte of a stream stands for 255 at most, so that more cannot come and need not be
        // allocated.
        Inner::Lz4 if size / 255 > stream.len() => return Err(damaged("an lz4 stream is too short")),
        Inner::Lz4 => {
            block.resize(start + size, 0);
            let to = block.get_mut(start..).unwrap_or_default();
            match lz4_flex::block::decompress_into(stream, to) {
                Ok(found) if found == size => {}
                Ok(_) => return Err(damaged("an lz4 stream is too short")),
                Err(source) => return Err(Fault::Damaged(format!("it does not decompress: {source}"))),
            }
        }
        Inner::Zlib => block.extend(inflate(ZlibDecoder::new(stream), size)?),
        Inner::Zstd => {
            let decoder = StreamingDecoder::new_with_max_window_size(stream, MAX_WINDOW);
            let decoder = decoder.map_err(|source| Fault::Damaged(format!("it does not decompress: {source}")))?;
            block.extend(inflate(decoder, size)?);
        }
    }
    if block.len() - start != size {
        return Err(damaged("a Blosc stream has another length than the header says"));
    }
    Ok(())
}

/// Appends to `bytes` the elements of a block that holds their first bytes, then their second ones,
/// and so on. What remains at its end, less than an element, was left as it is.
fn unshuffle(block: &[u8], type_size: usize, bytes: &mut Vec<u8>) {
    let elements = block.len() / type_size;
    let (planes, rest) = block.split_at(elements * type_size);
    let start = bytes.len();
    bytes.resize(start + planes.len(), 0);
    let to = bytes.get_mut(start..).unwrap_or_default();
    if type_size == 4 {
        // Floats: side by side, which the compiler turns into vector instructions.
        let (first, others) = planes.split_at(elements);
        let (second, others) = others.split_at(elements);
        let (third, fourth) = others.split_at(elements);
        let (fours, _) = to.as_chunks_mut::<4>();
        for ((((to, first), second), third), fourth) in fours.iter_mut().zip(first).zip(second).zip(third).zip(fourth) {
            *to = [*first, *second, *third, *fourth];
        }
    } else {
        for (byte, plane) in planes.chunks_exact(elements.max(1)).enumerate() {
            to.iter_mut().skip(byte).step_by(type_size).zip(plane).for_each(|(to, from)| *to = *from);
        }
    }
    bytes.extend_from_slice(rest);
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Returns a chunk of 600 zero floats in one block of four lz4 streams, each a match that goes
    /// on to the end.
    fn zeros() -> Vec<u8> {
        let mut chunk = vec![VERSION, 1, BYTE_SHUFFLE | 1 << 5, 4];
        // One literal, a match of 19 + 2 * 255 + 65 at distance 1, and the five literals that lz4
        // ends with.
        let stream = [0x1f, 0, 1, 0, 255, 255, 65, 0x50, 0, 0, 0, 0, 0];
        for number in [2400, 2400, HEADER + 4 + 4 * (4 + stream.len()), HEADER + 4] {
            chunk.extend((number as u32).to_le_bytes());
        }
        for _ in 0..4 {
            chunk.extend((stream.len() as u32).to_le_bytes());
            chunk.extend(stream);
        }
        chunk
    }

    #[test]
    fn a_split_block_is_put_together() {
        assert_eq!(decode(&zeros(), 2400), Ok(vec![0; 2400]));
    }

    #[test]
    fn what_is_not_decoded_is_named() {
        let says = |at: usize, value: u8| {
            let mut chunk = zeros();
            chunk[at] = value;
            match decode(&chunk, 2400) {
                Err(Fault::Unsupported(what)) => what,
                other => panic!("{other:?}"),
            }
        };
        assert_eq!(says(0, 5), "Blosc format 5");
        assert_eq!(says(2, BIT_SHUFFLE | 1 << 5), "compressor 'blosc' with bit shuffle");
        assert_eq!(says(2, BYTE_SHUFFLE), "compressor 'blosc' with blosclz");
        assert_eq!(says(2, 2 << 5), "compressor 'blosc' with snappy");
    }

    #[test]
    fn elements_that_do_not_fill_a_block_stay() {
        let mut bytes = vec![9];
        unshuffle(&[1, 2, 3, 4, 5, 6, 7], 3, &mut bytes);
        assert_eq!(bytes, [9, 1, 3, 5, 2, 4, 6, 7]);
        bytes.clear();
        unshuffle(&[1, 2], 3, &mut bytes);
        assert_eq!(bytes, [1, 2]);
        bytes.clear();
        unshuffle(&[1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11], 4, &mut bytes);
        assert_eq!(bytes, [1, 3, 5, 7, 2, 4, 6, 8, 9, 10, 11]);
    }

    proptest! {
        /// A header that promises gigabytes gets as far as its bytes do.
        #[test]
        fn no_chunk_makes_it_panic(
            flags: u8, type_size in 0u8..20, block in 0u32..5000, changes in proptest::collection::vec((16usize..88, any::<u8>()), 0..6), keep in 0usize..=88,
        ) {
            let mut chunk = zeros();
            chunk[2] = flags & !BIT_SHUFFLE;
            chunk[3] = type_size;
            chunk[8..12].copy_from_slice(&block.to_le_bytes());
            for (at, value) in changes {
                chunk[at] = value;
            }
            chunk.truncate(keep);
            for wanted in [0, 2400, 1 << 31] {
                if let Some(length) = chunk.get_mut(4..8) {
                    length.copy_from_slice(&(wanted as u32).to_le_bytes());
                }
                let stored = chunk.len() as u32;
                if let Some(length) = chunk.get_mut(12..16) {
                    length.copy_from_slice(&stored.to_le_bytes());
                }
                if let Ok(bytes) = decode(&chunk, wanted) {
                    prop_assert!(bytes.len() <= 2400);
                }
            }
        }
    }
}
