//! The bundle: a folder, or the same in one tar or in memory, with the networks, their manifest and
//! their golden outputs.
//!
//! [`Bundle::open`] checks everything before use: schema, names, sizes, SHA-256 sums and the values
//! in the manifest. [`Networks::prepare`](crate::network::Networks::prepare) checks that the
//! networks have the shapes in the manifest.

mod check;
mod error;
mod manifest;
mod store;

use std::borrow::Cow;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use crate::shots::transition_network::TransitionNetwork;

pub use check::{is_unprintable, notice_fault};
pub use error::BundleError;
pub use manifest::*;

/// A bundle that was checked: its files are complete and unchanged.
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
    /// Returns an error if the bundle is not valid. The message does not repeat `path`.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, BundleError> {
        let path = path.as_ref();
        Bundle::from_store(path.to_owned(), &store::Store::open(path)?)
    }

    /// Checks a bundle in memory and returns it. `files` are pairs of a name and the contents, the
    /// manifest included. `origin` replaces the path in messages. Static contents are not copied.
    ///
    /// ```
    /// use divita_runtime::bundle::{Bundle, BundleError};
    ///
    /// let files = [("manifest.json", b"{\"schema\": 99}".as_slice())];
    /// let result = Bundle::from_files("built in", files);
    /// assert!(matches!(result, Err(BundleError::NewerSchema { found: 99 })));
    /// ```
    ///
    /// # Errors
    /// Returns the same errors as [`Bundle::open`].
    pub fn from_files<N: Into<String>, D: Into<Cow<'static, [u8]>>>(
        origin: impl Into<PathBuf>,
        files: impl IntoIterator<Item = (N, D)>,
    ) -> Result<Self, BundleError> {
        let files: store::Files = files.into_iter().map(|(name, data)| (name.into(), data.into())).collect();
        if let Some((name, data)) = files.iter().find(|(name, data)| data.len() as u64 > store::largest(name)) {
            let (name, found) = (name.clone(), data.len() as u64);
            return Err(BundleError::TooLarge { most: store::largest(&name), name, found });
        }
        Bundle::from_store(origin.into(), &store::Store::Memory(files))
    }

    /// Reads and checks the files in `store`.
    fn from_store(path: PathBuf, store: &store::Store) -> Result<Self, BundleError> {
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
            if FileEntry::from_data(&data) != *entry {
                return Err(BundleError::Sum { name: name.clone() });
            }
            files.insert(name.clone(), data);
        }
        let transitions = match files.get(SHOTS_FILE) {
            Some(data) => TransitionNetwork::read(data)?,
            None => TransitionNetwork::default(),
        };
        Ok(Bundle { path, manifest, files, transitions })
    }

    /// Returns the path of the bundle.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Returns the manifest.
    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// Makes all streams keep or crop borders, whatever the manifest states. The files stay
    /// unchanged.
    pub fn set_borders(&mut self, borders: Borders) {
        let Streams { image, video } = &mut self.manifest.streams;
        [image, video].into_iter().flatten().for_each(|stream| stream.input.borders = borders);
    }

    /// Returns the network of the shot detector.
    pub fn transitions(&self) -> &TransitionNetwork {
        &self.transitions
    }

    /// Returns the contents of a file.
    pub fn file(&self, name: &str) -> Option<&[u8]> {
        self.files.get(name).map(|data| &**data)
    }
}

impl FileEntry {
    /// Returns size and sum of `data`.
    pub fn from_data(data: &[u8]) -> Self {
        let mut sha256 = String::with_capacity(64);
        for byte in Sha256::digest(data) {
            // Writing to a string cannot fail.
            let _ = write!(sha256, "{byte:02x}");
        }
        FileEntry { sha256, size: data.len() as u64 }
    }
}
