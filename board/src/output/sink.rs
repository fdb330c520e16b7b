//! Where results go: standard output, line by line, or a file that is there whole or not at all.

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufWriter, IsTerminal, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use divita_console::{printable, say};

use super::link;
use divita_console::whole_file::WholeFile;
use divita_video::Address;

/// An open output.
pub enum Sink {
    /// Standard output, flushed after each result.
    Standard(io::Stdout),
    /// A device or a pipe, which cannot take a file's place.
    Stream(File),
    /// A file that takes its name in the end.
    File {
        /// What is written so far.
        partial: BufWriter<WholeFile>,
        /// Its name in the end.
        path: PathBuf,
    },
}

impl Sink {
    /// Standard output, or `path`. A file that is there already stays as it is until the new one is complete; a link stays
    /// a link, and what is no ordinary file is written to as it is. A link that another user laid in a shared folder is refused.
    /// One of `inputs` is never written to.
    pub fn open(path: Option<&Path>, inputs: &[Address]) -> Result<Self> {
        let Some(named) = path else { return Ok(Sink::Standard(io::stdout())) };
        let path = link::follow(named)?;
        let path = &fs::canonicalize(&path).unwrap_or(path);
        let is_output = |input: &Address| input.local_path().and_then(|file| fs::canonicalize(file).ok());
        if path.is_file() && inputs.iter().filter_map(is_output).any(|input| input == *path) {
            bail!("{} is an input: the results would take its place; name another file", named.display());
        }
        if fs::metadata(path).is_ok_and(|there| !there.is_file()) {
            let stream = OpenOptions::new().write(true).open(path);
            return stream.map(Sink::Stream).with_context(|| format!("cannot write {}", named.display()));
        }
        let partial = WholeFile::create(path);
        let partial = partial.with_context(|| format!("cannot write {}", path.display()))?;
        Ok(Sink::File { partial: BufWriter::new(partial), path: path.to_owned() })
    }

    /// Writes one result, `text` with its line ends.
    pub fn write(&mut self, text: &str) -> Result<()> {
        if text.is_empty() {
            return Ok(());
        }
        match self {
            Sink::Standard(out) => {
                // CSV keeps names as they are, for programs.
                let lines = || text.split('\n').map(printable).collect::<Vec<_>>().join("\n");
                let text = if out.is_terminal() { lines() } else { text.to_owned() };
                let mut out = out.lock();
                out.write_all(text.as_bytes()).and_then(|()| out.flush()).context("cannot write the results")
            }
            Sink::Stream(stream) => stream.write_all(text.as_bytes()).context("cannot write the results"),
            Sink::File { partial, path } => {
                partial.write_all(text.as_bytes()).with_context(|| format!("cannot write {}", path.display()))
            }
        }
    }

    /// Returns the file that [`Sink::finish`] would replace, if there is one.
    pub fn replaced(&self) -> Option<&Path> {
        match self {
            Sink::File { path, .. } if path.exists() => Some(path),
            _ => None,
        }
    }

    /// Completes the output unless every input failed and a file of this name is there already: that file stays.
    pub fn finish_unless_all_failed(self, all_failed: bool) -> Result<()> {
        match self.replaced() {
            Some(path) if all_failed => {
                say(format_args!("{} is left as it was: no input gave a result", path.display()));
                Ok(())
            }
            _ => self.finish(),
        }
    }

    /// Completes the output: a file takes its name now. Without this call nothing of it is left.
    pub fn finish(self) -> Result<()> {
        if let Sink::File { partial, path } = self {
            let file = partial.into_inner().map_err(io::IntoInnerError::into_error);
            file.and_then(WholeFile::commit).with_context(|| format!("cannot write {}", path.display()))?;
        }
        Ok(())
    }
}
