//! What a store that was unpacked from an archive states about the archive.

use std::path::Path;

use serde::{Deserialize, Serialize};

use super::metadata;

/// The file in a store that says which archive it was unpacked from. Its name is hidden, so readers
/// of Zarr pass over it.
pub(super) const MARK: &str = ".divita-source.json";

/// What a store that was unpacked here states about its archive.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SourceMark {
    /// Name of the archive, without its folder.
    pub archive: String,
    /// MD5 of the archive, 32 lower-case hexadecimal digits.
    pub md5: String,
}

impl SourceMark {
    /// Reads the mark of the store in `folder`; `None` where the store was not unpacked here.
    #[must_use]
    pub fn read(folder: &Path) -> Option<SourceMark> {
        metadata::read(&folder.join(MARK)).ok().flatten()
    }
}
