//! An input, parsed once from what the user wrote. Everything that prints an [`Input`] leaves its
//! credentials out.

mod error;
mod redaction;
mod syntax;
mod uri;

use std::ffi::{OsStr, OsString};
use std::fmt;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::{Serialize, Serializer};

pub use self::error::AddressError;
use self::redaction::Redaction;
#[cfg(any(feature = "gstreamer", feature = "rtsp"))]
pub(crate) use self::uri::Login;
#[cfg(any(feature = "gstreamer", feature = "v4l"))]
pub(crate) use self::uri::percent_decode;
pub(crate) use self::uri::{InputOption, Uri, parse_rate, parse_size};
use crate::{Playback, SourceError};

/// A path, an address or `-`, as the user gave it, parsed into its parts.
///
/// `Display`, `Debug` and `Serialize` write `***` in place of credentials: user names and
/// passwords, the values of options that are not known to be harmless, and properties of a pipeline
/// such as `user-pw`. Bytes that are not UTF-8 are written as `\xE9`. Only backends see the parts.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Input(Arc<Parts>);

/// Shared by the copies of an input.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
struct Parts {
    given: OsString,
    redaction: Redaction,
    target: Target,
    playback: Playback,
}

/// What the input names.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum Target {
    StandardInput,
    /// A path, and the same text read as a path with options after its first `?`.
    Path(Option<(PathBuf, Vec<InputOption>)>),
    Uri(Uri),
}

impl Input {
    /// Parses an input. Opens nothing and accepts every text: what cannot be an address is a path.
    pub fn new(given: impl Into<OsString>) -> Self {
        let given = given.into();
        let redaction = Redaction::new(&printable(&given));
        let uri = given.to_str().and_then(Uri::parse);
        let target = match uri {
            Some(uri) => Target::Uri(uri),
            None if given == "-" => Target::StandardInput,
            None => Target::Path(split_options(&given)),
        };
        Input(Arc::new(Parts { given, redaction, target, playback: Playback::default() }))
    }

    /// Returns the input, played as `playback` says where its options say nothing else.
    #[must_use]
    pub fn with_playback(mut self, playback: Playback) -> Self {
        Arc::make_mut(&mut self.0).playback = playback;
        self
    }

    /// Returns how it is to be played where its options say nothing else.
    #[must_use]
    pub fn playback(&self) -> Playback {
        self.0.playback
    }

    /// Returns the input without credentials, for people and for results.
    #[must_use]
    pub fn shown(&self) -> &str {
        &self.0.redaction.shown
    }

    /// Returns whether the input is `-`, standard input.
    #[must_use]
    pub fn is_standard_input(&self) -> bool {
        self.0.target == Target::StandardInput
    }

    /// Returns the file or folder on this machine that the input names, if it names one.
    #[must_use]
    pub fn local_path(&self) -> Option<PathBuf> {
        match &self.0.target {
            Target::StandardInput => None,
            Target::Path(_) => Some(PathBuf::from(&self.0.given)),
            Target::Uri(uri) if uri.is_file() => uri.local_path().ok(),
            Target::Uri(_) => None,
        }
    }

    /// Returns the scheme in lower case; that of a path and of standard input is `file`.
    #[must_use]
    pub fn scheme(&self) -> String {
        self.uri().map_or("file".to_owned(), |uri| uri.scheme.to_ascii_lowercase())
    }

    /// Returns whether something in the input is hidden.
    pub(crate) fn has_credentials(&self) -> bool {
        self.0.redaction.has_secrets()
    }

    /// Returns `text` with `***` in place of every credential of this input that stands in it, as
    /// in the error messages of other libraries.
    #[must_use]
    pub fn redact(&self, text: &str) -> String {
        self.0.redaction.apply(text)
    }

    /// Returns `error` with [`Input::redact`] applied to its message.
    #[must_use]
    pub fn redact_error(&self, error: SourceError) -> SourceError {
        error.map_message(|text| self.redact(text))
    }

    /// Returns the parts of the address, if the input is one.
    pub(crate) fn uri(&self) -> Option<&Uri> {
        match &self.0.target {
            Target::Uri(uri) => Some(uri),
            _ => None,
        }
    }

    /// Returns the input as a path.
    pub(crate) fn as_path(&self) -> &Path {
        Path::new(&self.0.given)
    }

    /// Returns the path before the first `?` of a path, and the options after it. Options that are
    /// not UTF-8 are none, and belong to the path.
    pub(crate) fn path_with_options(&self) -> Option<(&Path, &[InputOption])> {
        match &self.0.target {
            Target::Path(Some((path, options))) => Some((path, options)),
            _ => None,
        }
    }
}

/// Splits a path at its first `?`.
fn split_options(given: &OsStr) -> Option<(PathBuf, Vec<InputOption>)> {
    let bytes = given.as_bytes();
    let at = bytes.iter().position(|&byte| byte == b'?')?;
    let query = std::str::from_utf8(&bytes[at + 1..]).ok()?;
    Some((PathBuf::from(OsStr::from_bytes(&bytes[..at])), InputOption::parse_all(query)))
}

/// Returns `text` as UTF-8, with other bytes as `\xE9`.
fn printable(text: &OsStr) -> String {
    let chunk = |chunk: std::str::Utf8Chunk<'_>| {
        let escaped: String = chunk.invalid().iter().map(|byte| format!("\\x{byte:02X}")).collect();
        chunk.valid().to_owned() + &escaped
    };
    text.as_bytes().utf8_chunks().map(chunk).collect()
}

/// Replaces by `***`, in a text of another library, the credentials of every word of the command
/// line: an address may stand where the command line expects something else.
#[must_use]
pub fn redact_arguments(text: &str) -> String {
    std::env::args_os().skip(1).fold(text.to_owned(), |text, argument| {
        // `--option=rtsp://...` holds an address too.
        let value = argument
            .as_bytes()
            .iter()
            .position(|&byte| byte == b'=')
            .map(|at| OsString::from_vec(argument.as_bytes()[at + 1..].to_vec()));
        let text = Input::new(argument).redact(&text);
        value.map_or(text.clone(), |value| Input::new(value).redact(&text))
    })
}

impl fmt::Display for Input {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.shown())
    }
}

impl fmt::Debug for Input {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Input({:?})", self.shown())
    }
}

impl Serialize for Input {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.shown())
    }
}

impl From<&str> for Input {
    fn from(given: &str) -> Self {
        Input::new(given)
    }
}

impl From<String> for Input {
    fn from(given: String) -> Self {
        Input::new(given)
    }
}

impl From<&String> for Input {
    fn from(given: &String) -> Self {
        Input::new(given)
    }
}

impl From<OsString> for Input {
    fn from(given: OsString) -> Self {
        Input::new(given)
    }
}

impl From<&Path> for Input {
    fn from(given: &Path) -> Self {
        Input::new(given)
    }
}

impl From<PathBuf> for Input {
    fn from(given: PathBuf) -> Self {
        Input::new(given)
    }
}

impl From<&Input> for Input {
    fn from(address: &Input) -> Self {
        address.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_are_not_utf_8_are_paths_that_can_be_printed() {
        let address = Input::new(OsString::from_vec(b"films/caf\xe9.mp4".to_vec()));
        assert_eq!(address.to_string(), "films/caf\\xE9.mp4");
        assert_eq!(address.local_path().unwrap().as_os_str().as_bytes(), b"films/caf\xe9.mp4");
        let address = Input::new(OsString::from_vec(b"pictures\xe9?fps=12".to_vec()));
        let (path, options) = address.path_with_options().unwrap();
        assert_eq!(path.as_os_str().as_bytes(), b"pictures\xe9");
        assert_eq!(options, InputOption::parse_all("fps=12"));
    }

    #[test]
    fn local_files_are_paths_and_two_kinds_of_uris() {
        let path = |text: &str| Input::from(text).local_path().map(|path| path.to_str().unwrap().to_owned());
        assert_eq!(path("a b.mp4").as_deref(), Some("a b.mp4"));
        assert_eq!(path("file:///a%20b.mp4").as_deref(), Some("/a b.mp4"));
        assert_eq!(path("GST:///a.mkv").as_deref(), Some("/a.mkv"));
        for none in ["-", "rtsp://cam/1", "test://"] {
            assert_eq!(path(none), None, "{none}");
        }
    }

    #[test]
    fn every_way_to_print_an_address_hides_its_credentials() {
        let address = Input::from("rtsp://me:secret@cam/1?token=secret");
        for printed in [format!("{address}"), format!("{address:?}"), serde_json::to_string(&address).unwrap()] {
            assert!(printed.contains("rtsp://***@cam/1?token=***"), "{printed}");
            assert!(!printed.contains("secret"), "{printed}");
        }
        assert_eq!(address.redact("cannot log in as me:secret"), "cannot log in as ***");
    }
}
