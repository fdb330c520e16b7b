//! Why a bundle cannot be used.

use std::io;
use std::path::PathBuf;

use thiserror::Error;

use super::manifest::{BUNDLE_SCHEMA, MANIFEST_FILE, SHOTS_FILE};
use crate::shots::transition_network::TransitionNetworkError;

/// Why a bundle cannot be used.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum BundleError {
    /// A file could not be read.
    #[error("{path}: {error}", path = path.display())]
    Read {
        /// Path of the file.
        path: PathBuf,
        /// The operating system's error.
        #[source]
        error: io::Error,
    },
    /// There is no manifest.
    #[error("it contains no {MANIFEST_FILE}; choose a folder or tar that `divita-models build` wrote")]
    NoManifest,
    /// The manifest is not valid.
    #[error("{MANIFEST_FILE}: {0}")]
    Manifest(String),
    /// The manifest's schema is newer than this code.
    #[error(
        "it has schema {found}, but this version reads at most schema {BUNDLE_SCHEMA}; update divita, or rebuild the bundle with this version"
    )]
    NewerSchema {
        /// The schema in the manifest.
        found: u64,
    },
    /// A file name could lead out of the bundle.
    #[error(
        "the file name {name:?} is not a plain name inside the bundle; only use bundles from a source that you trust"
    )]
    UnsafeName {
        /// The file name.
        name: String,
    },
    /// A file is missing.
    #[error("the file {name} is missing; copy the whole bundle again")]
    Missing {
        /// Name of the file.
        name: String,
    },
    /// The size of a file differs from the manifest.
    #[error("the file {name} has {found} bytes instead of {expected}; copy the bundle again")]
    Size {
        /// Name of the file.
        name: String,
        /// Actual size in bytes.
        found: u64,
        /// Size in the manifest in bytes.
        expected: u64,
    },
    /// A file is larger than the limit for its kind.
    #[error("the file {name} has {found} bytes, and at most {most} are allowed; rebuild the bundle")]
    TooLarge {
        /// Name of the file.
        name: String,
        /// Actual size in bytes.
        found: u64,
        /// Limit in bytes.
        most: u64,
    },
    /// The files together are larger than the limit.
    #[error("its files have more than {most} bytes together, the limit of a bundle")]
    TooLargeTogether {
        /// Limit in bytes.
        most: u64,
    },
    /// The SHA-256 sum of a file differs from the manifest.
    #[error("the file {name} is damaged or changed: its SHA-256 sum differs from the manifest; copy the bundle again")]
    Sum {
        /// Name of the file.
        name: String,
    },
    /// The shot detector's weights are not valid.
    #[error("{SHOTS_FILE}: {0}; rebuild the bundle")]
    Shots(#[from] TransitionNetworkError),
}
