//! An input as it was given. Everything that prints an [`Address`] leaves its credentials out.

mod redaction;

use std::ffi::{OsStr, OsString};
use std::fmt;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::{Serialize, Serializer};

use self::redaction::Redaction;
use super::SourceError;
use super::uri::Uri;

/// A path, a URI or `-`, as the user gave it.
///
/// `Display`, `Debug` and `Serialize` write `***` in place of credentials: user names and passwords, the values of options
/// that are not known to be harmless, and properties of a pipeline such as `user-pw`. Bytes that are not UTF-8 are written
/// as `\xE9`. Only the sources see the address itself.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Address(Arc<Parts>);

/// Shared by the copies of an address.
#[derive(PartialEq, Eq, PartialOrd, Ord, Hash)]
struct Parts {
    given: OsString,
    redaction: Redaction,
}

impl Address {
    /// Reads an address. Nothing is opened, and every text is one: what cannot be a URI is a path.
    pub fn new(given: impl Into<OsString>) -> Self {
        let given = given.into();
        let redaction = Redaction::new(&printable(&given));
        Address(Arc::new(Parts { given, redaction }))
    }

    /// Returns the address without credentials, for people and for results.
    #[must_use]
    pub fn shown(&self) -> &str {
        &self.0.redaction.shown
    }

    /// Returns whether the address is `-`, standard input.
    #[must_use]
    pub fn is_standard_input(&self) -> bool {
        self.0.given == "-"
    }

    /// Returns the file or folder on this machine that the address means, if it means one.
    #[must_use]
    pub fn local_path(&self) -> Option<PathBuf> {
        match self.uri() {
            None if self.is_standard_input() => None,
            None => Some(PathBuf::from(&self.0.given)),
            Some(uri) if ["file", "gst"].iter().any(|scheme| uri.is(scheme)) => uri.local_path().ok(),
            Some(_) => None,
        }
    }

    /// Returns whether something in the address is hidden.
    pub(super) fn has_credentials(&self) -> bool {
        self.0.redaction.hides()
    }

    /// Returns `text` with `***` in place of every credential of this address that stands in it, as in the error messages
    /// of other libraries.
    #[must_use]
    pub fn redact(&self, text: &str) -> String {
        self.0.redaction.apply(text)
    }

    /// Returns `error` with [`Address::redact`] applied to every text in it.
    #[must_use]
    pub fn redact_error(&self, error: SourceError) -> SourceError {
        error.map_texts(|text| self.redact(&text), |option| self.redact(&redaction::option(&option)))
    }

    /// Splits the address, if it is a URI.
    pub(super) fn uri(&self) -> Option<Uri<'_>> {
        let uri = Uri::parse(self.0.given.to_str()?)?;
        Some(Uri { name: self.shown(), ..uri })
    }

    /// Returns the address as a path.
    pub(crate) fn as_path(&self) -> &Path {
        Path::new(&self.0.given)
    }

    /// Splits a path at its first `?`. Options that are not UTF-8 are none, and belong to the path.
    pub(super) fn path_and_query(&self) -> (&Path, Option<&str>) {
        let bytes = self.0.given.as_bytes();
        let split = bytes.iter().position(|&byte| byte == b'?').and_then(|at| {
            let query = std::str::from_utf8(&bytes[at + 1..]).ok()?;
            Some((Path::new(OsStr::from_bytes(&bytes[..at])), Some(query)))
        });
        split.unwrap_or((self.as_path(), None))
    }
}

/// Returns `text` as UTF-8, with other bytes as `\xE9`.
fn printable(text: &OsStr) -> String {
    let chunk = |chunk: std::str::Utf8Chunk<'_>| {
        let escaped: String = chunk.invalid().iter().map(|byte| format!("\\x{byte:02X}")).collect();
        chunk.valid().to_owned() + &escaped
    };
    text.as_bytes().utf8_chunks().map(chunk).collect()
}

/// Replaces by `***`, in a text that the program did not make, the credentials of every word of the command line: an address
/// may stand where the command line expects something else.
#[must_use]
pub fn redact_arguments(text: &str) -> String {
    std::env::args_os().skip(1).fold(text.to_owned(), |text, argument| {
        // `--option=rtsp://...` holds an address too.
        let value = argument
            .as_bytes()
            .iter()
            .position(|&byte| byte == b'=')
            .map(|at| OsString::from_vec(argument.as_bytes()[at + 1..].to_vec()));
        let text = Address::new(argument).redact(&text);
        value.map_or(text.clone(), |value| Address::new(value).redact(&text))
    })
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.shown())
    }
}

impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Address({:?})", self.shown())
    }
}

impl Serialize for Address {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.shown())
    }
}

impl From<&str> for Address {
    fn from(given: &str) -> Self {
        Address::new(given)
    }
}

impl From<String> for Address {
    fn from(given: String) -> Self {
        Address::new(given)
    }
}

impl From<&String> for Address {
    fn from(given: &String) -> Self {
        Address::new(given)
    }
}

impl From<OsString> for Address {
    fn from(given: OsString) -> Self {
        Address::new(given)
    }
}

impl From<&Path> for Address {
    fn from(given: &Path) -> Self {
        Address::new(given)
    }
}

impl From<PathBuf> for Address {
    fn from(given: PathBuf) -> Self {
        Address::new(given)
    }
}

impl From<&Address> for Address {
    fn from(address: &Address) -> Self {
        address.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_are_not_utf_8_are_paths_that_can_be_printed() {
        let address = Address::new(OsString::from_vec(b"films/caf\xe9.mp4".to_vec()));
        assert_eq!(address.to_string(), "films/caf\\xE9.mp4");
        assert_eq!(address.local_path().unwrap().as_os_str().as_bytes(), b"films/caf\xe9.mp4");
        let address = Address::new(OsString::from_vec(b"pictures\xe9?fps=12".to_vec()));
        let (path, query) = address.path_and_query();
        assert_eq!((path.as_os_str().as_bytes(), query), (&b"pictures\xe9"[..], Some("fps=12")));
    }

    #[test]
    fn local_files_are_paths_and_two_kinds_of_uris() {
        let path = |text: &str| Address::from(text).local_path().map(|path| path.to_str().unwrap().to_owned());
        assert_eq!(path("a b.mp4").as_deref(), Some("a b.mp4"));
        assert_eq!(path("file:///a%20b.mp4").as_deref(), Some("/a b.mp4"));
        assert_eq!(path("GST:///a.mkv").as_deref(), Some("/a.mkv"));
        for none in ["-", "rtsp://cam/1", "test://"] {
            assert_eq!(path(none), None, "{none}");
        }
    }

    #[test]
    fn every_way_to_print_an_address_hides_its_credentials() {
        let address = Address::from("rtsp://me:secret@cam/1?token=secret");
        for printed in [format!("{address}"), format!("{address:?}"), serde_json::to_string(&address).unwrap()] {
            assert!(printed.contains("rtsp://***@cam/1?token=***"), "{printed}");
            assert!(!printed.contains("secret"), "{printed}");
        }
        assert_eq!(address.redact("cannot log in as me:secret"), "cannot log in as ***");
    }
}
