//! Decompresses a stream up to a limit, and says what is wrong with the bytes of a chunk.

use std::io::Read;

/// What is wrong with the bytes of a chunk.
#[derive(Debug, PartialEq)]
pub(super) enum Fault {
    /// They were damaged.
    Damaged(String),
    /// They were made in a way that is not read here.
    Unsupported(String),
}

/// Returns all that `decoder` gives, but at most one byte more than `wanted`: what is read grows
/// with what is there, and the end is looked for, with the checksum behind it.
pub(super) fn inflate(decoder: impl Read, wanted: usize) -> Result<Vec<u8>, Fault> {
    let mut bytes = Vec::new();
    match decoder.take(wanted as u64 + 1).read_to_end(&mut bytes) {
        Ok(_) => Ok(bytes),
        Err(source) => Err(Fault::Damaged(format!("it does not decompress: {source}"))),
    }
}
