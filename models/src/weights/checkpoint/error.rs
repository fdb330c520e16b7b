//! What can be wrong with a checkpoint file.

use std::path::PathBuf;

/// A checkpoint that cannot be read: the file, and what is wrong with it.
#[derive(Debug, thiserror::Error)]
#[error("{}: {problem}", path.display())]
pub struct CheckpointError {
    /// The file.
    pub path: PathBuf,
    /// The fault.
    pub problem: Problem,
}

/// What is wrong with a checkpoint; its message is one line and says, where it can, what to do.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Problem {
    /// The operating system does not let the file be read.
    #[error("cannot be read: {0}")]
    Io(std::io::Error),
    /// A folder, a pipe or a device.
    #[error("is not a regular file")]
    NotAFile,
    /// The file, or what is in it, is longer than can be held.
    #[error("is too large to be read ({bytes} bytes): re-save only the state_dict with torch")]
    TooLarge {
        /// Length of the file, or of the tensor for which there was no memory.
        bytes: u64,
    },
    /// The first bytes are of no kind of checkpoint.
    #[error(
        "is no checkpoint: it begins like neither a torch file nor a safetensors file; \
         is it a web page or a Git LFS pointer, downloaded in its place?"
    )]
    NotACheckpoint,
    /// A zip archive or a pickle that torch did not write.
    #[error("is {0}, but not a checkpoint that torch wrote")]
    NotTorch(&'static str),
    /// The end of the file is missing.
    #[error("is cut short ({0}): fetch it again")]
    Truncated(String),
    /// Something in the file contradicts something else.
    #[error("is damaged ({0}): fetch it again")]
    Damaged(String),
    /// An entry of the archive is compressed or encrypted, which torch does not do.
    #[error("its entry {0} is compressed or encrypted: save the file again with torch, which does neither")]
    Packed(String),
    /// Numbers were written with their most significant byte first.
    #[error("was written on a big-endian machine: load it with torch there or here and save it on a little-endian one")]
    BigEndian,
    /// The pickle names a function or class that is not among the few that are known to be
    /// harmless.
    #[error(
        "wants to use {0}, which is not allowed; nothing was executed. \
         Re-saving only the state_dict with torch (if you trust the file) would make it readable"
    )]
    ForbiddenGlobal(String),
    /// The pickle has an instruction that the pickles of torch checkpoints do not use.
    #[error("has the unsupported pickle instruction {opcode:#04x} at byte {position} of its pickle")]
    UnsupportedOpcode {
        /// The instruction.
        opcode: u8,
        /// Where it stands, counted from the beginning of `data.pkl` (zip) or of the file (legacy).
        position: usize,
    },
    /// An instruction of the pickle finds something else than it works on.
    #[error("has a malformed pickle: {what} at byte {position}")]
    MalformedPickle {
        /// The fault.
        what: &'static str,
        /// Where the instruction stands, counted as in [`Problem::UnsupportedOpcode`].
        position: usize,
    },
    /// The pickle, or the names of the tensors, are longer or deeper than those of any network.
    #[error("is not read: {0}; re-save only the state_dict with torch")]
    TooComplex(String),
    /// A type of number that is not read, such as a complex or quantized one.
    #[error(
        "tensor {tensor} holds {dtype}, which is not supported: convert it to float32 with torch and save it again"
    )]
    UnsupportedDtype {
        /// Name of the tensor.
        tensor: String,
        /// Name of the type in the file.
        dtype: String,
    },
    /// A tensor names a storage that the file does not have.
    #[error("has no storage {key}, in which tensor {tensor} lies: the file is damaged, fetch it again")]
    MissingStorage {
        /// Name of the tensor.
        tensor: String,
        /// Key of the storage.
        key: String,
    },
    /// A tensor has elements outside its storage.
    #[error("tensor {0} reaches outside its storage: the file is damaged, fetch it again")]
    OutsideStorage(String),
    /// The tensors overlap or repeat their elements so often that they would need far more memory
    /// than the file.
    #[error(
        "with tensor {0} its tensors need more than 16 times the file's size, through overlapping or expanded views: \
         save them again after .clone() with torch"
    )]
    TooManyElements(String),
    /// Two tensors have the same path.
    #[error("has two tensors called {0}: rename one with torch and save it again")]
    SameName(String),
}

/// Returns a name from a file as it is put into a message: quoted, on one line, and not too long.
pub(super) fn quoted(name: &str) -> String {
    const LONGEST: usize = 200;
    let end = name.char_indices().nth(LONGEST).map(|(at, _)| at);
    match end.and_then(|end| name.get(..end)) {
        Some(head) => format!("'{}...'", head.escape_debug()),
        None => format!("'{}'", name.escape_debug()),
    }
}

#[cfg(test)]
mod tests {
    use super::quoted;

    #[test]
    fn a_name_in_a_message_stays_on_one_short_line() {
        assert_eq!(quoted("conv1.0.weight"), "'conv1.0.weight'");
        assert_eq!(quoted("a\nb\u{1b}[2J"), "'a\\nb\\u{1b}[2J'");
        let long = quoted(&"ü".repeat(100_000));
        assert_eq!(long.chars().count(), 205);
    }
}
