//! A file that a service appends its results to, and that makes room for a new one when it is full.

use std::ffi::OsString;
use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use rustix::fs::FlockOperation;
use rustix::io::Errno;

/// When a file is full, and how many full ones are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rotation {
    /// Maximum bytes of a file. A longer text gets a file of its own.
    pub max_bytes: u64,
    /// Number of full files that are kept: FILE.1, the newest, to FILE.N.
    pub keep: usize,
}

/// An open file.
pub struct RotatingFile {
    file: File,
    path: PathBuf,
    bytes: u64,
    rotation: Rotation,
    /// Text at the start of each file.
    heading: String,
}

impl RotatingFile {
    /// Opens the file at `path`, or starts one with `heading`. A last line that was cut off is
    /// removed.
    ///
    /// # Errors
    /// When it cannot be written, or another process writes it.
    pub fn open(path: &Path, rotation: Rotation, heading: &str) -> Result<Self> {
        let (path, heading) = (path.to_owned(), heading.to_owned());
        let file = open(&path)?;
        let mut opened = RotatingFile { file, path, bytes: 0, rotation, heading };
        opened.bytes = opened.whole_lines().with_context(|| opened.unwritable())?;
        opened.file.set_len(opened.bytes).with_context(|| opened.unwritable())?;
        opened.begin()?;
        Ok(opened)
    }

    /// Appends `text`, whole lines, after making room if the file is full.
    ///
    /// # Errors
    /// On an I/O error.
    pub fn write(&mut self, text: &str) -> Result<()> {
        let is_empty = self.bytes <= self.heading.len() as u64;
        if !is_empty && self.bytes + text.len() as u64 > self.rotation.max_bytes {
            self.rotate()?;
        }
        self.append(text)
    }

    fn append(&mut self, text: &str) -> Result<()> {
        self.file.write_all(text.as_bytes()).with_context(|| self.unwritable())?;
        self.bytes += text.len() as u64;
        Ok(())
    }

    /// Writes the heading of an empty file.
    fn begin(&mut self) -> Result<()> {
        if self.bytes > 0 {
            return Ok(());
        }
        let heading = self.heading.clone();
        self.append(&heading)
    }

    /// Renames the full files, from the oldest on, so that a kill in between loses nothing but the
    /// oldest, and starts a new one.
    fn rotate(&mut self) -> Result<()> {
        let keep = self.rotation.keep;
        if keep == 0 {
            fs::remove_file(&self.path).with_context(|| self.unwritable())?;
        }
        for number in (1..=keep).rev() {
            match fs::rename(self.full(number - 1), self.full(number)) {
                Err(error) if error.kind() != ErrorKind::NotFound => {
                    return Err(error).with_context(|| self.unwritable());
                }
                _ => {}
            }
        }
        self.file = open(&self.path)?;
        self.bytes = 0;
        self.begin()
    }

    /// Returns the path of the full file `number`, that of the open one for 0.
    fn full(&self, number: usize) -> PathBuf {
        if number == 0 {
            return self.path.clone();
        }
        let mut path: OsString = self.path.as_os_str().to_owned();
        path.push(format!(".{number}"));
        path.into()
    }

    /// Returns the number of bytes up to the end of the last whole line.
    fn whole_lines(&mut self) -> io::Result<u64> {
        let mut end = self.file.metadata()?.len();
        let mut piece = [0; 4096];
        while end > 0 {
            let start = end.saturating_sub(piece.len() as u64);
            let piece = &mut piece[..(end - start) as usize];
            self.file.seek(SeekFrom::Start(start))?;
            self.file.read_exact(piece)?;
            if let Some(at) = piece.iter().rposition(|byte| *byte == b'\n') {
                return Ok(start + at as u64 + 1);
            }
            end = start;
        }
        Ok(0)
    }

    fn unwritable(&self) -> String {
        format!("cannot write {}", self.path.display())
    }
}

/// Opens a file that no other process writes.
fn open(path: &Path) -> Result<File> {
    let file = OpenOptions::new().read(true).append(true).create(true).open(path);
    let file = file.with_context(|| format!("cannot write {}", path.display()))?;
    // Some network file systems have no locks.
    if rustix::fs::flock(&file, FlockOperation::NonBlockingLockExclusive) == Err(Errno::WOULDBLOCK) {
        bail!("{}: another divita is writing it", path.display());
    }
    Ok(file)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROTATION: Rotation = Rotation { max_bytes: 40, keep: 2 };

    fn read(folder: &Path) -> Vec<String> {
        ["out", "out.1", "out.2", "out.3"]
            .map(|name| fs::read_to_string(folder.join(name)).unwrap_or_default())
            .into_iter()
            .filter(|text| !text.is_empty())
            .collect()
    }

    #[test]
    fn full_files_make_room_and_each_has_the_heading() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("out");
        let mut file = RotatingFile::open(&path, ROTATION, "head\n").unwrap();
        (0..11).for_each(|number| file.write(&format!("line {number:04}\n")).unwrap());
        // Three lines of ten bytes fit under the heading.
        let text = |lines: std::ops::Range<u32>| {
            "head\n".to_owned() + &lines.map(|number| format!("line {number:04}\n")).collect::<String>()
        };
        assert_eq!(read(folder.path()), [text(9..11), text(6..9), text(3..6)]);
        // A text that is too long has a file of its own.
        file.write(&format!("{}\n", "x".repeat(99))).unwrap();
        file.write("after\n").unwrap();
        let found = read(folder.path());
        assert_eq!(found[0], "head\nafter\n");
        assert!(found[1].len() > 99 && found[2] == text(9..11), "{found:?}");
        let mut file =
            RotatingFile::open(&folder.path().join("alone"), Rotation { max_bytes: 5, keep: 0 }, "").unwrap();
        ["one\n", "two\n", "three\n"].iter().for_each(|text| file.write(text).unwrap());
        assert_eq!(fs::read_to_string(folder.path().join("alone")).unwrap(), "three\n");
    }

    #[test]
    fn a_service_that_starts_again_goes_on_after_the_last_whole_line() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("out");
        for (before, after) in [
            ("", "head\nnew\n"),
            ("head\nold\n", "head\nold\nnew\n"),
            ("head\nold\ncut", "head\nold\nnew\n"),
            ("cut", "head\nnew\n"),
        ] {
            fs::write(&path, before).unwrap();
            RotatingFile::open(&path, ROTATION, "head\n").unwrap().write("new\n").unwrap();
            assert_eq!(fs::read_to_string(&path).unwrap(), after, "{before:?}");
        }
        let long = "y".repeat(10_000);
        fs::write(&path, format!("head\n{long}")).unwrap();
        let first = RotatingFile::open(&path, ROTATION, "head\n").unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "head\n");
        assert!(
            RotatingFile::open(&path, ROTATION, "head\n").is_err_and(|error| error.to_string().contains("another"))
        );
        drop(first);
    }
}
