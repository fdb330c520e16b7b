//! Representations of video clips (feature vectors) and the store that keeps them: a Zarr 2 group
//! with one array a trailer.
//!
//! The layout is the published one of the dataset Trailers12k. A store is a folder:
//!
//! ```text
//! store/.zgroup          {"zarr_format": 2}
//! store/.zattrs          {"num_features": b, and where the representations come from}
//! store/tt0111161/.zarray   shape (clips, b), little-endian 32-bit floats, row-major
//! store/tt0111161/0.0       the values, uncompressed, in one chunk
//! ```
//!
//! [`Store`] writes this and reads what Python's `zarr` 2 writes as well: several chunks, padded at
//! the edges or left out, uncompressed or compressed by zlib, gzip or Blosc (lz4, lz4hc, zstd,
//! zlib; byte shuffle), in either order of the axes. Python reads what it writes.
//!
//! A store is also read from the archive in which it is published (`NAME.zarr.tar.gz`):
//! [`Store::open`] unpacks it once, beside the archive, and goes on with the folder. A store of a
//! published name says what `crate::representations::published_stores` knows of it.
//!
//! Any number of processes, on any number of machines that share the file system, may write into
//! one store at the same time; an array is there whole or not at all. See [`Store::create_or_open`]
//! for how that is done.

mod archive;
mod array;
pub mod attributes;
mod blosc;
mod chunk;
mod error;
mod inflate;
mod metadata;
mod opening;
pub mod published_stores;
mod source_mark;
mod stage;
mod store;
mod zarray;

pub use archive::{locate, md5_of_file, unpack, unpacked_path};
pub use array::Array;
pub use error::Error;
pub use source_mark::SourceMark;
pub use store::{MAX_ARRAY_BYTES, Store, is_id};
