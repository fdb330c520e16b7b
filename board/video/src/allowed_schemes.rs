//! Limits the schemes of inputs, for programs that pass on inputs of other people.

use crate::input::AddressError;
use crate::registry;
use crate::{FrameSource, Input, SourceError};

/// Schemes that inputs may have; without any, all of them.
#[derive(Clone, Debug, Default)]
pub struct AllowedSchemes {
    schemes: Vec<String>,
}

impl From<Vec<String>> for AllowedSchemes {
    /// Allows the schemes that [`registry::parse_scheme`] returned.
    fn from(schemes: Vec<String>) -> Self {
        AllowedSchemes { schemes }
    }
}

impl AllowedSchemes {
    /// Returns whether inputs such as `input` may be opened.
    #[must_use]
    pub fn permit(&self, input: &Input) -> bool {
        self.schemes.is_empty() || self.schemes.contains(&input.scheme())
    }

    /// Opens `input`.
    ///
    /// # Errors
    /// [`AddressError::SchemeNotAllowed`], and those of [`registry::open`].
    pub fn open(&self, input: &Input) -> Result<Box<dyn FrameSource>, SourceError> {
        match self.permit(input) {
            true => registry::open(input),
            false => Err(self.refusal(input)),
        }
    }

    /// Checks that `input` may be opened.
    ///
    /// # Errors
    /// [`AddressError::SchemeNotAllowed`].
    pub fn check(&self, input: &Input) -> Result<(), SourceError> {
        if self.permit(input) { Ok(()) } else { Err(self.refusal(input)) }
    }

    fn refusal(&self, input: &Input) -> SourceError {
        AddressError::SchemeNotAllowed { scheme: input.scheme(), allowed: self.schemes.join(", ") }.into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::registry::parse_scheme;

    #[test]
    fn only_listed_schemes_are_permitted_and_a_path_is_a_file() {
        let allowed = |schemes: &[&str]| {
            AllowedSchemes::from(schemes.iter().map(|scheme| parse_scheme(scheme).unwrap()).collect::<Vec<_>>())
        };
        for (schemes, input, permitted) in [
            (&[][..], "rtsp://cam/1", true),
            (&["https"], "HTTPS://host/a.mp4", true),
            (&["https"], "http://host/a.mp4", false),
            (&["https"], "film.mp4", false),
            (&["https"], "-", false),
            (&["File", "https"], "film.mp4", true),
            (&["file"], "file:///film.mp4", true),
            (&["file"], "gst:///film.mp4", false),
            (&["file"], "unknown://x", false),
        ] {
            assert_eq!(allowed(schemes).permit(&input.into()), permitted, "{schemes:?} {input}");
        }
        assert!(parse_scheme("htps").unwrap_err().contains("https"));
        assert_eq!(parse_scheme("rtsp://").unwrap(), "rtsp");
    }
}
