//! Which schemes inputs may have: a limit for programs that pass on what others typed.

use crate::{Address, FrameSource, SourceError};

/// Schemes that inputs may have; without any, all of them.
#[derive(Clone, Debug, Default)]
pub struct AllowedSchemes {
    schemes: Vec<String>,
}

/// Parses the name of a scheme, such as `https` or `RTSP://`; returns it in lower case.
///
/// # Errors
/// The list of known schemes, when `name` is not one of them.
pub fn parse_scheme(name: &str) -> Result<String, String> {
    let lower = name.trim_end_matches("://").to_ascii_lowercase();
    match crate::all_schemes().find(|scheme| *scheme == lower) {
        Some(scheme) => Ok(scheme.to_owned()),
        None => Err(format!("choose from {}", crate::all_schemes().collect::<Vec<_>>().join(", "))),
    }
}

impl From<Vec<String>> for AllowedSchemes {
    /// Allows the schemes that [`parse_scheme`] returned.
    fn from(schemes: Vec<String>) -> Self {
        AllowedSchemes { schemes }
    }
}

impl AllowedSchemes {
    /// Returns whether inputs such as `input` may be opened.
    #[must_use]
    pub fn permit(&self, input: &Address) -> bool {
        self.schemes.is_empty() || self.schemes.contains(&crate::scheme_of(input))
    }

    /// Opens `input`.
    ///
    /// # Errors
    /// [`SourceError::SchemeNotAllowed`], and those of [`crate::open`].
    pub fn open(&self, input: &Address) -> Result<Box<dyn FrameSource>, SourceError> {
        match self.permit(input) {
            true => crate::open(input),
            false => Err(self.refusal(input)),
        }
    }

    /// Checks that `input` may be opened.
    ///
    /// # Errors
    /// [`SourceError::SchemeNotAllowed`].
    pub fn check(&self, input: &Address) -> Result<(), SourceError> {
        if self.permit(input) { Ok(()) } else { Err(self.refusal(input)) }
    }

    fn refusal(&self, input: &Address) -> SourceError {
        SourceError::SchemeNotAllowed { scheme: crate::scheme_of(input), allowed: self.schemes.join(", ") }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
