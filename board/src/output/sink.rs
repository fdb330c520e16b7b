//! Where results go: standard output, line by line, or a file that is there whole or not at all.

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use tempfile::{Builder, NamedTempFile};

use crate::source;

/// An open output.
pub enum Sink {
    /// Standard output, flushed after each result.
    Standard(io::Stdout),
    /// A device or a pipe, which cannot take a file's place.
    Stream(File),
    /// A file beside the one that was asked for, which takes its name in the end.
    File {
        /// What is written so far.
        partial: BufWriter<NamedTempFile>,
        /// Its name in the end.
        path: PathBuf,
    },
}

impl Sink {
    /// Standard output, or `path`. A file that is there already stays as it is until the new one is complete; a link stays
    /// a link, and what is no ordinary file is written to as it is. One of `inputs` is never written to.
    pub fn open(path: Option<&Path>, inputs: &[String]) -> Result<Self> {
        let Some(named) = path else { return Ok(Sink::Standard(io::stdout())) };
        let path = &fs::canonicalize(named).unwrap_or_else(|_| named.to_owned());
        let is_output = |input: &String| source::local_file(input).and_then(|file| fs::canonicalize(file).ok());
        if path.is_file() && inputs.iter().filter_map(is_output).any(|input| input == *path) {
            bail!("{} is an input: the results would take its place; name another file", named.display());
        }
        if fs::metadata(path).is_ok_and(|there| !there.is_file()) {
            let stream = OpenOptions::new().write(true).open(path);
            return stream.map(Sink::Stream).with_context(|| format!("cannot write {}", named.display()));
        }
        let folder = match path.parent() {
            Some(folder) if !folder.as_os_str().is_empty() => folder,
            _ => Path::new("."),
        };
        // An ordinary file's permissions, not those of a secret.
        let partial = Builder::new().prefix(".divita-").permissions(permissions()).tempfile_in(folder);
        let partial = partial.with_context(|| format!("cannot write {}", path.display()))?;
        Ok(Sink::File { partial: BufWriter::new(partial), path: path.to_owned() })
    }

    /// Writes one result, `text` with its line ends.
    pub fn write(&mut self, text: &str) -> Result<()> {
        match self {
            Sink::Standard(out) => {
                let mut out = out.lock();
                out.write_all(text.as_bytes()).and_then(|()| out.flush()).context("cannot write the results")
            }
            Sink::Stream(stream) => stream.write_all(text.as_bytes()).context("cannot write the results"),
            Sink::File { partial, path } => {
                partial.write_all(text.as_bytes()).with_context(|| format!("cannot write {}", path.display()))
            }
        }
    }

    /// Completes the output: a file takes its name now. Without this call nothing of it is left, but of a program that is
    /// killed its part, whose name begins with `.divita-`.
    pub fn finish(self) -> Result<()> {
        if let Sink::File { partial, path } = self {
            let complete = || -> Result<()> {
                let file = partial.into_inner().map_err(io::IntoInnerError::into_error)?;
                file.as_file().sync_all()?;
                file.persist(&path)?;
                Ok(())
            };
            complete().with_context(|| format!("cannot write {}", path.display()))?;
        }
        Ok(())
    }
}

#[cfg(unix)]
fn permissions() -> std::fs::Permissions {
    // The process's mask still applies.
    std::os::unix::fs::PermissionsExt::from_mode(0o666)
}
