//! The bundle: the folder (or the same in one tar) that holds the networks, their manifest and their golden outputs.
//!
//! [`Bundle::open`] checks everything before anything is used: schema, names, sizes, SHA-256 sums and what the manifest
//! says of itself. That the networks have the shapes that the manifest promises is checked when they are prepared
//! ([`crate::network::Networks::prepare`]).

mod check;
mod manifest;
mod store;

use std::fmt::Write as _;
use std::io;
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};
use thiserror::Error;

use crate::shots::transition_network::{TransitionNetwork, TransitionNetworkError};

pub use check::{is_unprintable, notice_fault};
pub use manifest::*;

/// Why a bundle cannot be used.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum BundleError {
    /// A file could not be read.
    #[error("{path}: {error}", path = path.display())]
    Read {
        /// Which one.
        path: PathBuf,
        /// What the operating system said.
        #[source]
        error: io::Error,
    },
    /// There is no manifest.
    #[error("no {MANIFEST_FILE} in it, so it is no bundle; give the folder or tar that `divita-models build` wrote")]
    NoManifest,
    /// The manifest cannot be understood.
    #[error("{MANIFEST_FILE}: {0}")]
    Manifest(String),
    /// The manifest's schema is of a later version.
    #[error(
        "it has schema {found} and this program reads up to {BUNDLE_SCHEMA}; update divita, or build the bundle anew with this version"
    )]
    NewerSchema {
        /// The schema found.
        found: u64,
    },
    /// A file name that could leave the bundle.
    #[error(
        "the file name {name:?} is not a plain name inside the bundle; do not use bundles from a source that you do not trust"
    )]
    UnsafeName {
        /// The name.
        name: String,
    },
    /// A file is not there.
    #[error("its file {name} is missing; copy the whole bundle again")]
    Missing {
        /// Its name.
        name: String,
    },
    /// A file has another length than the manifest says.
    #[error("its file {name} has {found} bytes instead of {expected}; copy the bundle again")]
    Size {
        /// Its name.
        name: String,
        /// Bytes found.
        found: u64,
        /// Bytes promised.
        expected: u64,
    },
    /// A file is larger than a file of its kind may be.
    #[error(
        "its file {name} has {found} bytes, and at most {most} are read; `divita-models build` writes no such file"
    )]
    TooLarge {
        /// Its name.
        name: String,
        /// Bytes found.
        found: u64,
        /// Most bytes of a file of its kind.
        most: u64,
    },
    /// All files together are larger than a bundle may be.
    #[error("its files have more than {most} bytes together, the most that are read")]
    TooLargeTogether {
        /// Most bytes of a bundle.
        most: u64,
    },
    /// A file is not the one that was packed.
    #[error("its file {name} was changed or damaged (its SHA-256 is not the manifest's); copy the bundle again")]
    Sum {
        /// Its name.
        name: String,
    },
    /// The shot detector's weights are not as they should be.
    #[error("{SHOTS_FILE}: {0}; build the bundle anew")]
    Shots(#[from] TransitionNetworkError),
}

/// A bundle whose files are all there and are the ones that were packed.
#[derive(Debug)]
pub struct Bundle {
    path: PathBuf,
    manifest: Manifest,
    files: store::Files,
    transitions: TransitionNetwork,
}

impl Bundle {
    /// Reads and checks the bundle at `path`, a folder or a tar.
    ///
    /// # Errors
    /// Whatever makes the bundle unfit to be used; the message does not repeat `path`.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, BundleError> {
        let path = path.as_ref();
        let store = store::Store::open(path)?;
        let manifest = check::manifest(&store.read(MANIFEST_FILE)?.ok_or(BundleError::NoManifest)?)?;
        let mut files = store::Files::new();
        let sizes = manifest.files.values().map(|entry| entry.size);
        if sizes.fold(0_u64, u64::saturating_add) > store::LARGEST_BUNDLE {
            return Err(BundleError::TooLargeTogether { most: store::LARGEST_BUNDLE });
        }
        for (name, entry) in &manifest.files {
            check::name(name)?;
            let size = store.size(name)?.ok_or_else(|| BundleError::Missing { name: name.clone() })?;
            if size != entry.size {
                return Err(BundleError::Size { name: name.clone(), found: size, expected: entry.size });
            }
            let data = store.read(name)?.ok_or_else(|| BundleError::Missing { name: name.clone() })?;
            if FileEntry::of(&data) != *entry {
                return Err(BundleError::Sum { name: name.clone() });
            }
            files.insert(name.clone(), data);
        }
        let transitions = match files.get(SHOTS_FILE) {
            Some(data) => TransitionNetwork::read(data)?,
            None => TransitionNetwork::default(),
        };
        Ok(Bundle { path: path.to_owned(), manifest, files, transitions })
    }

    /// Where it was read from.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// What it says of itself.
    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// Makes all streams see frames with their borders or without, whatever the bundle says. The files stay as they are.
    pub fn set_borders(&mut self, borders: Borders) {
        let Streams { image, video } = &mut self.manifest.streams;
        [image, video].into_iter().flatten().for_each(|stream| stream.input.borders = borders);
    }

    /// The network of its shot detector.
    pub fn transitions(&self) -> &TransitionNetwork {
        &self.transitions
    }

    /// The bytes of one of its files.
    pub fn file(&self, name: &str) -> Option<&[u8]> {
        self.files.get(name).map(Vec::as_slice)
    }
}

impl FileEntry {
    /// Sum and size of `data`.
    pub fn of(data: &[u8]) -> Self {
        let mut sha256 = String::with_capacity(64);
        for byte in Sha256::digest(data) {
            // Writing to a string cannot fail.
            let _ = write!(sha256, "{byte:02x}");
        }
        FileEntry { sha256, size: data.len() as u64 }
    }
}
