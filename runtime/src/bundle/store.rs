//! Where the files of a bundle come from: a folder, the members of a tar, or memory.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Component, Path, PathBuf};

use super::error::BundleError;
use super::manifest::MANIFEST_FILE;

/// File contents by name. Contents that are part of the program are not copied.
pub(super) type Files = BTreeMap<String, Cow<'static, [u8]>>;

/// Largest bundle in bytes. A bundle for boards has a few megabytes, one for hosts some hundreds.
pub(super) const LARGEST_BUNDLE: u64 = 1 << 30;

/// Returns the limit of the file `name` in bytes. Only networks are large.
pub(super) fn largest(name: &str) -> u64 {
    match name {
        MANIFEST_FILE => 1 << 20,
        name if name.ends_with(".onnx") => LARGEST_BUNDLE,
        _ => 64 << 20,
    }
}

/// An opened bundle, unchecked.
pub(super) enum Store {
    Folder(PathBuf),
    Memory(Files),
}

impl Store {
    pub fn open(path: &Path) -> Result<Self, BundleError> {
        let fail = |error| BundleError::Read { path: path.to_owned(), error };
        let metadata = fs::metadata(path).map_err(fail)?;
        if metadata.is_dir() {
            return Ok(Store::Folder(path.to_owned()));
        }
        if metadata.len() > LARGEST_BUNDLE {
            return Err(fail(io::Error::new(io::ErrorKind::InvalidData, "it is too large for a bundle")));
        }
        members(File::open(path).map_err(fail)?).map(Store::Memory).map_err(|error| match error {
            Unpack::Io(error) => fail(error),
            Unpack::UnsafeName(name) => BundleError::UnsafeName { name },
            Unpack::TooLarge(name, found) => BundleError::TooLarge { most: largest(&name), name, found },
        })
    }

    /// Returns the size of the file `name` in bytes, or `None` if it is missing.
    pub fn size(&self, name: &str) -> Result<Option<u64>, BundleError> {
        match self {
            Store::Memory(files) => Ok(files.get(name).map(|data| data.len() as u64)),
            Store::Folder(folder) => {
                let path = folder.join(name);
                match fs::symlink_metadata(&path) {
                    Ok(metadata) if metadata.is_file() => Ok(Some(metadata.len())),
                    // A link could lead out of the bundle.
                    Ok(_) => Err(BundleError::UnsafeName { name: name.to_owned() }),
                    Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
                    Err(error) => Err(BundleError::Read { path, error }),
                }
            }
        }
    }

    /// Returns the contents of the file `name`, or `None` if it is missing.
    pub fn read(&self, name: &str) -> Result<Option<Cow<'static, [u8]>>, BundleError> {
        match self {
            Store::Memory(files) => Ok(files.get(name).cloned()),
            Store::Folder(folder) => match self.size(name)? {
                None => Ok(None),
                Some(size) if size > largest(name) => {
                    Err(BundleError::TooLarge { name: name.to_owned(), found: size, most: largest(name) })
                }
                Some(size) => {
                    let path = folder.join(name);
                    let mut data = Vec::new();
                    // Reads one byte more than the size, to notice a file that grew meanwhile.
                    let read = File::open(&path).and_then(|file| file.take(size + 1).read_to_end(&mut data));
                    read.map(|_| Some(data.into())).map_err(|error| BundleError::Read { path, error })
                }
            },
        }
    }
}

enum Unpack {
    Io(io::Error),
    UnsafeName(String),
    /// Name and size in bytes of a file that is larger than the limit for its kind.
    TooLarge(String, u64),
}

/// Returns the files of a tar by name. The manifest is at the top or in one folder, and names are
/// relative to it.
fn members(tar: File) -> Result<Files, Unpack> {
    let mut all: BTreeMap<PathBuf, Cow<'static, [u8]>> = BTreeMap::new();
    let mut archive = tar::Archive::new(tar);
    for member in archive.entries().map_err(Unpack::Io)? {
        let mut member = member.map_err(Unpack::Io)?;
        if !member.header().entry_type().is_file() {
            continue;
        }
        let path: PathBuf = member.path().map_err(Unpack::Io)?.into_owned();
        let path: PathBuf = path.components().filter(|part| *part != Component::CurDir).collect();
        if path.components().any(|part| !matches!(part, Component::Normal(_))) {
            return Err(Unpack::UnsafeName(path.display().to_string()));
        }
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if member.size() > largest(&name) {
            return Err(Unpack::TooLarge(name, member.size()));
        }
        let mut data = Vec::new();
        member.read_to_end(&mut data).map_err(Unpack::Io)?;
        all.insert(path, data.into());
    }
    let top = all.keys().find(|path| path.ends_with(MANIFEST_FILE) && path.components().count() <= 2);
    let top = top.and_then(|path| path.parent()).map(Path::to_owned).unwrap_or_default();
    let relative = |path: PathBuf| path.strip_prefix(&top).ok().and_then(Path::to_str).map(str::to_owned);
    Ok(all.into_iter().filter_map(|(path, data)| Some((relative(path)?, data))).collect())
}
