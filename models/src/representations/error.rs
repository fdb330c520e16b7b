//! What can go wrong with a store of representations.

use std::{
    io,
    path::{Path, PathBuf},
};

/// An error of the store: one line that names the file, what was wrong with it and what to do.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// An id that could leave the store, or that not every file system can hold.
    #[error(
        "{0:?} cannot be the id of a representation: give 1 to 200 bytes without / \\ < > : \" | ? *, no '.' or space at either end"
    )]
    Id(String),
    /// A store was to be created for vectors without features, or of more than an array may hold.
    #[error("{} cannot hold vectors of {num_features} features: give from 1 to {most}", path.display())]
    Features {
        /// The store.
        path: PathBuf,
        /// Features asked for.
        num_features: usize,
        /// Most features that a vector may have.
        most: u64,
    },
    /// The caller's attributes have the key that the store sets itself.
    #[error("{} sets the attribute 'num_features' itself: leave it out of the other attributes", .0.display())]
    ReservedAttribute(PathBuf),
    /// The folder is not a store.
    #[error("{} is not a store of representations: {reason}", path.display())]
    NotAStore {
        /// The folder.
        path: PathBuf,
        /// The fault, and what to do.
        reason: &'static str,
    },
    /// The store was made with another value of an attribute.
    #[error(
        "{} was made with {found} of attribute '{key}', this run has {wanted}: choose another folder, or the same settings",
        path.display()
    )]
    Attribute {
        /// The store.
        path: PathBuf,
        /// The attribute.
        key: String,
        /// Its value in the store as JSON, shortened, or `no value`.
        found: String,
        /// Its value in this run as JSON, shortened, or `no value`.
        wanted: String,
    },
    /// An array without clips.
    #[error("{} has no clips: a representation has at least one", .0.display())]
    NoClips(PathBuf),
    /// The values are not as many as clips times features.
    #[error("{} was given {found} values, but {clips} clips of {num_features} features each have another number: this is a \
             defect of the caller", path.display())]
    Length {
        /// The array.
        path: PathBuf,
        /// Clips.
        clips: usize,
        /// Features of a clip.
        num_features: usize,
        /// Values that were given.
        found: usize,
    },
    /// The array, or one of its chunks, is larger than the store's limit.
    #[error("{} has more than {limit} bytes: cut it into smaller arrays, or raise the limit if it can be trusted", path.display())]
    TooLarge {
        /// The array or its metadata.
        path: PathBuf,
        /// Most bytes that an array may have.
        limit: u64,
    },
    /// The store has no array of that id.
    #[error("{} does not exist: the store has no representation of that id, write it first", .0.display())]
    Missing(PathBuf),
    /// The array was created but not filled, or copied in part.
    #[error("{} lacks values: it was never written, or copied in part; remove its folder and write or copy it again", .0.display())]
    Incomplete(PathBuf),
    /// A metadata file is not what it should be.
    #[error("{}: {reason}; write or fetch it again", path.display())]
    Metadata {
        /// The file.
        path: PathBuf,
        /// The fault.
        reason: String,
    },
    /// The array is sound, as far as can be seen, but stored in a way that is not read here.
    #[error(
        "{} has {what}, which is not read here: store it as '<f4' with no filters and no compressor, zlib, gzip, or Blosc \
         with lz4, lz4hc, zstd or zlib and byte shuffle",
        path.display()
    )]
    Unsupported {
        /// The metadata file or the chunk.
        path: PathBuf,
        /// What it has.
        what: String,
    },
    /// A chunk cannot be decoded.
    #[error("{} is damaged: {reason}; write or fetch it again", path.display())]
    Chunk {
        /// The chunk's file.
        path: PathBuf,
        /// The fault.
        reason: String,
    },
    /// An archive of a store cannot be unpacked.
    #[error("{} cannot be unpacked: {reason}", path.display())]
    Archive {
        /// The archive.
        path: PathBuf,
        /// The fault, and what to do.
        reason: String,
    },
    /// An archive is not the one that it should be.
    #[error(
        "{}: its MD5 is {found}, not {wanted}: it is damaged or another file; fetch it again",
        path.display()
    )]
    ArchiveSum {
        /// The archive.
        path: PathBuf,
        /// Its MD5.
        found: String,
        /// The MD5 that it should have.
        wanted: String,
    },
    /// An array of that id is there and holds other values.
    #[error("{} is there with other values: remove it, or write into another store", .0.display())]
    Differs(PathBuf),
    /// Something that is not a complete array has the name.
    #[error("{} is there and is not a complete array: remove it and write again", .0.display())]
    Occupied(PathBuf),
    /// The disk or the quota is full, or the process may not write so large a file.
    #[error("no space left to write {}: free some, or raise the quota or file size limit, and run again", path.display())]
    DiskFull {
        /// The file or folder.
        path: PathBuf,
        /// Error of the operating system.
        #[source]
        source: io::Error,
    },
    /// The temporary folder of a write is gone.
    #[error("{} was removed while it was written to: was this process suspended for a day? run again", .0.display())]
    Vanished(PathBuf),
    /// A file could not be read.
    #[error("cannot read {}", path.display())]
    Read {
        /// The file or folder.
        path: PathBuf,
        /// Error of the operating system.
        #[source]
        source: io::Error,
    },
    /// A file could not be written or moved.
    #[error("cannot write {}", path.display())]
    Write {
        /// The file or folder.
        path: PathBuf,
        /// Error of the operating system.
        #[source]
        source: io::Error,
    },
}

impl Error {
    /// Names the file that could not be read, for `map_err`.
    pub(super) fn read(path: &Path) -> impl FnOnce(io::Error) -> Error {
        let path = path.to_owned();
        move |source| Error::Read { path, source }
    }

    /// Names the file that could not be written, for `map_err`.
    pub(super) fn write(path: &Path) -> impl FnOnce(io::Error) -> Error {
        let path = path.to_owned();
        move |source| match source.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded | io::ErrorKind::FileTooLarge => {
                Error::DiskFull { path, source }
            }
            _ => Error::Write { path, source },
        }
    }
}
