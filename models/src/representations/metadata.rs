//! Zarr's small JSON files: read within a bound, written as Python writes them.

use std::{
    fs::File,
    io::{self, Read},
    path::Path,
};

use serde::{Serialize, de::DeserializeOwned};
use serde_json::{Serializer, ser::PrettyFormatter};

use super::Error;

/// Most bytes of a metadata file; Zarr's have some hundred.
const MAX_BYTES: u64 = 1 << 20;

/// Reads the file `path`; `None` where there is none.
///
/// # Errors
/// [`Error::Read`] where it cannot be read, [`Error::Metadata`] where it is too large or not such a
/// JSON value.
pub(super) fn read<T: DeserializeOwned>(path: &Path) -> Result<Option<T>, Error> {
    let file = match File::open(path) {
        Err(source) if matches!(source.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
            return Ok(None);
        }
        file => file.map_err(Error::read(path))?,
    };
    let mut text = Vec::new();
    file.take(MAX_BYTES + 1).read_to_end(&mut text).map_err(Error::read(path))?;
    if text.len() as u64 > MAX_BYTES {
        return Err(Error::Metadata { path: path.to_owned(), reason: format!("it has more than {MAX_BYTES} bytes") });
    }
    let value = serde_json::from_slice(&text);
    value.map(Some).map_err(|source| Error::Metadata { path: path.to_owned(), reason: format!("not valid: {source}") })
}

/// `value` as JSON text, indented by four spaces.
///
/// # Errors
/// [`Error::Metadata`], with `path` as its file, where it cannot be JSON.
pub(super) fn text(value: &impl Serialize, path: &Path) -> Result<Vec<u8>, Error> {
    let mut text = Vec::new();
    let written = value.serialize(&mut Serializer::with_formatter(&mut text, PrettyFormatter::with_indent(b"    ")));
    written.map_err(|source| Error::Metadata { path: path.to_owned(), reason: format!("not JSON: {source}") })?;
    Ok(text)
}
