//! What can be wrong with an address.

use thiserror::Error;

use crate::SourceError;

/// Why an address is refused.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum AddressError {
    /// No backend opens the scheme.
    #[error("`{scheme}://` is not a kind of input; use a path, a folder, `-` or one of {supported}")]
    UnknownScheme {
        /// The scheme as written.
        scheme: String,
        /// The schemes of this build, as in "file://, test://".
        supported: String,
    },
    /// The scheme needs a feature that is not in this build.
    #[error("`{scheme}://` is not in this build; {}", crate::installation::how_to_get("divita", feature))]
    NotBuiltIn {
        /// The scheme as written.
        scheme: String,
        /// The feature of divita that brings it.
        feature: &'static str,
    },
    /// The address breaks the rules.
    #[error("the address is not valid: {problem}")]
    BadUri {
        /// What is wrong with it, and what it should look like.
        problem: &'static str,
    },
    /// The source does not know an option (`?name=value`), or its value makes no sense.
    #[error("the option `{option}` is not valid; {expected}")]
    BadOption {
        /// The option as written, without credentials.
        option: String,
        /// What would be valid.
        expected: &'static str,
    },
    /// A track was chosen, or growth is to be followed, of something that is no file.
    #[error("`{scheme}` inputs have no tracks and do not grow; leave out --track and --follow, which are for files")]
    OnlyForFiles {
        /// The scheme.
        scheme: String,
    },
    /// A live input where one with an end is needed.
    #[error("a live input has no end; record it to a file first")]
    Endless,
    /// The caller does not allow the scheme.
    #[error("`{scheme}` inputs are not allowed here, only {allowed} (--schemes)")]
    SchemeNotAllowed {
        /// The scheme, `file` for a path and for standard input.
        scheme: String,
        /// The allowed ones, as in "http, https".
        allowed: String,
    },
}

impl From<AddressError> for SourceError {
    fn from(error: AddressError) -> Self {
        let cause = Box::new(error);
        match *cause {
            AddressError::NotBuiltIn { .. } => SourceError::Missing(cause),
            _ => SourceError::Address(cause),
        }
    }
}
