//! Which pictures of a stream are decoded: all of them, or fewer for less work.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use thiserror::Error;

/// Which pictures are decoded.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum DecodedPictures {
    /// Those that need no other: the fewest. There is one every few seconds in most streams.
    Key,
    /// Those that others need. They come out exactly as with all pictures.
    Reference,
    /// All.
    #[default]
    All,
}

/// A word that names no such selection.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
#[error("choose all, reference or key")]
pub struct UnknownDecodedPictures;

impl DecodedPictures {
    /// Every selection, that with the most pictures first.
    pub const ALL: [Self; 3] = [DecodedPictures::All, DecodedPictures::Reference, DecodedPictures::Key];

    /// Returns the name in options, addresses and events: `all`, `reference` or `key`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            DecodedPictures::All => "all",
            DecodedPictures::Reference => "reference",
            DecodedPictures::Key => "key",
        }
    }
}

impl fmt::Display for DecodedPictures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for DecodedPictures {
    type Err = UnknownDecodedPictures;
    fn from_str(text: &str) -> Result<Self, UnknownDecodedPictures> {
        Self::ALL.into_iter().find(|pictures| pictures.name() == text).ok_or(UnknownDecodedPictures)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_back() {
        for pictures in DecodedPictures::ALL {
            assert_eq!(pictures.to_string().parse(), Ok(pictures));
            assert_eq!(serde_json::to_string(&pictures).unwrap(), format!("\"{pictures}\""));
        }
        assert_eq!("keys".parse::<DecodedPictures>(), Err(UnknownDecodedPictures));
    }
}
