//! Which schemes inputs may have: a limit for programs that pass on what others typed.

use clap::Args;

use crate::source::{self, Address, FrameSource, SourceError};

/// The option that limits schemes.
#[derive(Args, Clone, Debug, Default)]
pub struct AllowedSchemes {
    /// Only open inputs with these schemes, such as `https` or `file,rtsp`; `file` stands for paths and `-` too. For programs that
    /// pass on inputs of other people [default: all]
    #[arg(long, value_name = "SCHEME,...", value_delimiter = ',', value_parser = known)]
    schemes: Vec<String>,
}

/// Reads the name of a scheme.
fn known(name: &str) -> Result<String, String> {
    let lower = name.trim_end_matches("://").to_ascii_lowercase();
    match source::all_schemes().find(|scheme| *scheme == lower) {
        Some(scheme) => Ok(scheme.to_owned()),
        None => Err(format!("choose from {}", source::all_schemes().collect::<Vec<_>>().join(", "))),
    }
}

impl AllowedSchemes {
    /// Returns whether inputs such as `input` may be opened.
    #[must_use]
    pub fn permit(&self, input: &Address) -> bool {
        self.schemes.is_empty() || self.schemes.contains(&source::scheme_of(input))
    }

    /// Opens `input`.
    ///
    /// # Errors
    /// [`SourceError::SchemeNotAllowed`], and those of [`source::open`].
    pub fn open(&self, input: &Address) -> Result<Box<dyn FrameSource>, SourceError> {
        match self.permit(input) {
            true => source::open(input),
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
        SourceError::SchemeNotAllowed { scheme: source::scheme_of(input), allowed: self.schemes.join(", ") }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_listed_schemes_are_permitted_and_a_path_is_a_file() {
        let allowed = |schemes: &[&str]| AllowedSchemes {
            schemes: schemes.iter().map(|scheme| known(scheme).unwrap()).collect(),
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
        assert!(known("htps").unwrap_err().contains("https"));
        assert_eq!(known("rtsp://").unwrap(), "rtsp");
    }
}
