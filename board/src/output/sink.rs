//! Destinations of results: standard output, line by line, a file that appears whole, or one that a
//! service appends to.

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufWriter, IsTerminal, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use divita_console::{printable, progress, say};

use super::link;
use super::rotating_file::{RotatingFile, Rotation};
use divita_console::whole_file::WholeFile;
use divita_video::Input;

/// Where results go.
#[derive(Clone, Copy, Debug)]
pub enum Destination<'a> {
    /// Standard output.
    Standard,
    /// A file that appears whole at the end. An existing one stays until then.
    File(&'a Path),
    /// A file that is appended to, and rotated.
    Log(&'a Path, Rotation),
    /// A folder with a file for each film.
    Folder(&'a Path),
    /// Nowhere: the run has other outputs.
    Nowhere,
}

/// An open output.
pub enum Sink {
    /// Standard output, flushed after each result. A terminal gets the text as it is if its names
    /// are printable.
    Standard {
        /// Standard output.
        out: io::Stdout,
        /// Whether the names in the text are printable.
        is_printable: bool,
    },
    /// A device or a pipe, which cannot be replaced by a file.
    Stream(File),
    /// A file that gets its name at the end.
    File {
        /// Content so far.
        partial: BufWriter<WholeFile>,
        /// Name at the end.
        path: PathBuf,
    },
    /// A file that is appended to.
    Log(RotatingFile),
}

impl Sink {
    /// Opens `destination` and writes `heading`. `is_printable` states whether the names in all
    /// texts are printable. Links are followed. A device or a pipe is written to directly.
    ///
    /// # Errors When the file cannot be written, is one of `inputs`, or goes through a link that
    /// another user made in a shared folder.
    pub fn open(destination: Destination<'_>, inputs: &[Input], is_printable: bool, heading: &str) -> Result<Self> {
        let mut sink = match destination {
            Destination::Standard => Sink::Standard { out: io::stdout(), is_printable },
            Destination::File(path) => Self::open_file(path, inputs)?,
            Destination::Folder(path) => bail!("{} is a folder; name a file", path.display()),
            Destination::Nowhere => bail!("there are no results to write"),
            Destination::Log(path, rotation) => match Self::open_stream(&link::follow(path)?)? {
                Some(stream) => stream,
                None => return RotatingFile::open(&link::follow(path)?, rotation, heading).map(Sink::Log),
            },
        };
        sink.write(heading)?;
        Ok(sink)
    }

    /// Opens `path` if it is a device or a pipe.
    fn open_stream(path: &Path) -> Result<Option<Self>> {
        if !fs::metadata(path).is_ok_and(|there| !there.is_file()) {
            return Ok(None);
        }
        let stream = OpenOptions::new().write(true).open(path);
        stream.map(Sink::Stream).map(Some).with_context(|| format!("cannot write {}", path.display()))
    }

    fn open_file(named: &Path, inputs: &[Input]) -> Result<Self> {
        let path = link::follow(named)?;
        let path = &fs::canonicalize(&path).unwrap_or(path);
        let is_output = |input: &Input| input.local_path().and_then(|file| fs::canonicalize(file).ok());
        if path.is_file() && inputs.iter().filter_map(is_output).any(|input| input == *path) {
            bail!("{} is an input: the results would take its place; name another file", named.display());
        }
        if let Some(stream) = Self::open_stream(path)? {
            return Ok(stream);
        }
        let partial = WholeFile::create(path);
        let partial = partial.with_context(|| format!("cannot write {}", path.display()))?;
        Ok(Sink::File { partial: BufWriter::new(partial), path: path.to_owned() })
    }

    /// Returns the path of the file.
    ///
    /// # Errors
    /// When the output is no file.
    pub fn file(&self) -> Result<&Path> {
        match self {
            Sink::File { path, .. } => Ok(path),
            _ => bail!("--resume needs an ordinary file as --output"),
        }
    }

    /// Writes one result: `text` with its line ends.
    ///
    /// # Errors
    /// On an I/O error.
    pub fn write(&mut self, text: &str) -> Result<()> {
        if text.is_empty() {
            return Ok(());
        }
        match self {
            Sink::Standard { out, is_printable } => {
                let is_terminal = out.is_terminal();
                if is_terminal {
                    progress::clear();
                }
                // Only on a terminal: programs want the names of CSV unchanged.
                let text = match is_terminal && !*is_printable {
                    true => text.split('\n').map(printable).collect::<Vec<_>>().join("\n"),
                    false => text.to_owned(),
                };
                let mut out = out.lock();
                out.write_all(text.as_bytes()).and_then(|()| out.flush()).context("cannot write the results")
            }
            Sink::Log(file) => file.write(text),
            Sink::Stream(stream) => stream.write_all(text.as_bytes()).context("cannot write the results"),
            Sink::File { partial, path } => {
                partial.write_all(text.as_bytes()).with_context(|| format!("cannot write {}", path.display()))
            }
        }
    }

    /// Returns the existing file that [`Sink::finish`] would replace.
    #[must_use]
    pub fn replaced(&self) -> Option<&Path> {
        match self {
            Sink::File { path, .. } if path.exists() => Some(path),
            _ => None,
        }
    }

    /// Completes the output. If every input failed, an existing file stays.
    ///
    /// # Errors
    /// On an I/O error.
    pub fn finish_unless_all_failed(self, all_failed: bool) -> Result<()> {
        match self.replaced() {
            Some(path) if all_failed => {
                say(format_args!("{} is left as it was: no input gave a result", path.display()));
                Ok(())
            }
            _ => self.finish(),
        }
    }

    /// Completes the output: a file gets its name now. Without this call, nothing is left of it.
    ///
    /// # Errors
    /// On an I/O error.
    pub fn finish(self) -> Result<()> {
        if let Sink::File { partial, path } = self {
            let file = partial.into_inner().map_err(io::IntoInnerError::into_error);
            file.and_then(WholeFile::commit).with_context(|| format!("cannot write {}", path.display()))?;
        }
        Ok(())
    }
}
