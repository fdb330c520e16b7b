//! A word that the program needs and never shows.

use std::fmt;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result, bail};

/// A password or key.
#[derive(Clone)]
pub struct Secret(Vec<u8>);

impl Secret {
    /// Reads the secret in the file at `path`, without the line end.
    ///
    /// # Errors
    /// When the file cannot be read or is empty.
    pub fn read(path: &Path) -> Result<Self> {
        let mut bytes = fs::read(path).with_context(|| format!("the secret {} cannot be read", path.display()))?;
        while bytes.pop_if(|byte| matches!(byte, b'\r' | b'\n')).is_some() {}
        if bytes.is_empty() {
            bail!("{}: the file is empty; write the secret into it", path.display());
        }
        Ok(Secret(bytes))
    }

    /// Returns the secret itself.
    #[must_use]
    pub fn reveal(&self) -> &[u8] {
        &self.0
    }
}

/// Hides the secret.
impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(***)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_read_without_its_line_end_and_never_shown() {
        let file = tempfile::NamedTempFile::new().unwrap();
        fs::write(file.path(), " CANARY \r\n\n").unwrap();
        let secret = Secret::read(file.path()).unwrap();
        assert_eq!(secret.reveal(), b" CANARY ");
        assert!(!format!("{secret:?}").contains("CANARY"));
        fs::write(file.path(), "\n").unwrap();
        assert!(Secret::read(file.path()).is_err());
        assert!(Secret::read(Path::new("/no/such/file")).unwrap_err().to_string().contains("/no/such/file"));
    }
}
