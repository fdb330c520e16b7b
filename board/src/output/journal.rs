//! The journal beside an output: the texts of the inputs that are finished, so that a run that was
//! stopped or killed can be resumed.
//!
//! It is a file of JSON lines. The first says what the results depend on, each other one contains
//! an input's text. A line that was cut off by a kill or by a power failure is removed.

use std::collections::{BTreeMap, HashMap};
use std::fs::{self, File, Metadata, OpenOptions};
use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use divita_video::Input;
use rustix::fs::{FlockOperation, OFlags};
use rustix::io::Errno;
use serde::{Deserialize, Serialize};

/// Version of the lines.
const VERSION: u32 = 1;

/// What a journal's results depend on besides the inputs: names and values, such as of options.
pub type Dependencies = BTreeMap<String, String>;

/// The first line.
#[derive(Serialize, Deserialize)]
struct Heading {
    divita_journal: u32,
    depends_on: Dependencies,
}

/// Every other line.
#[derive(Serialize, Deserialize)]
struct Line {
    input: String,
    stamp: Stamp,
    results: usize,
    text: String,
}

/// What tells a file, or a folder of pictures, from a changed one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stamp {
    files: u64,
    bytes: u64,
    modified_ns: i64,
}

/// Where the text of a finished input is in the journal.
#[derive(Clone, Copy, Debug)]
pub struct Finished {
    stamp: Stamp,
    /// Number of results in the text.
    pub results: usize,
    at: u64,
    bytes: usize,
}

/// An open journal.
pub struct Journal {
    file: File,
    path: PathBuf,
    /// Where the next line begins.
    end: u64,
    inputs: HashMap<String, Finished>,
}

impl Stamp {
    /// Returns the stamp of `input`, if it is a file, or a folder, that can be recognised again.
    #[must_use]
    pub fn of(input: &Input) -> Option<Stamp> {
        let path = input.local_path()?;
        let metadata = fs::metadata(&path).ok()?;
        let mut stamp = Stamp::default();
        stamp.add(&metadata);
        if metadata.is_dir() {
            for entry in fs::read_dir(&path).ok()? {
                stamp.add(&entry.ok()?.metadata().ok()?);
            }
        }
        (metadata.is_dir() || metadata.is_file()).then_some(stamp)
    }

    fn add(&mut self, file: &Metadata) {
        self.files += 1;
        self.bytes = self.bytes.wrapping_add(file.size());
        let modified = file.mtime().saturating_mul(1_000_000_000).saturating_add(file.mtime_nsec());
        self.modified_ns = self.modified_ns.max(modified);
    }
}

impl Journal {
    /// Opens the journal of the output `output`, or starts one.
    ///
    /// # Errors
    /// When it cannot be read or written, another process has it open, or it belongs to results
    /// that depend on something else.
    pub fn open(output: &Path, depends_on: &Dependencies) -> Result<Self> {
        let mut path = output.as_os_str().to_owned();
        path.push(".resume");
        let path = PathBuf::from(path);
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false).custom_flags(OFlags::NOFOLLOW.bits() as i32);
        let opened = options.open(&path);
        let file = opened.with_context(|| format!("cannot write {}", path.display()))?;
        // Some network file systems have no locks.
        if rustix::fs::flock(&file, FlockOperation::NonBlockingLockExclusive) == Err(Errno::WOULDBLOCK) {
            bail!("{}: another divita is writing it", path.display());
        }
        let mut journal = Journal { file, path, end: 0, inputs: HashMap::new() };
        match journal.read_all().with_context(|| format!("cannot read {}", journal.path.display()))? {
            Some(found) => journal.compare(&found, depends_on)?,
            None => {
                if !journal.is_cut_heading()? {
                    bail!("{} is not a file of this program; remove or rename it", journal.path.display());
                }
                journal.file.set_len(0)?;
                let heading = Heading { divita_journal: VERSION, depends_on: depends_on.clone() };
                journal.append(&serde_json::to_string(&heading)?)?;
            }
        }
        Ok(journal)
    }

    /// Returns where the text of `input` is, if it was finished and has not changed since.
    #[must_use]
    pub fn find(&self, input: &Input) -> Option<Finished> {
        let finished = self.inputs.get(input.shown())?;
        (Stamp::of(input)? == finished.stamp).then_some(*finished)
    }

    /// Returns the text of a finished input.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn text(&mut self, finished: Finished) -> Result<String> {
        let mut line = vec![0; finished.bytes];
        self.file
            .seek(SeekFrom::Start(finished.at))
            .and_then(|_| self.file.read_exact(&mut line))
            .map_err(anyhow::Error::from)
            .and_then(|()| Ok(serde_json::from_slice::<Line>(&line)?.text))
            .with_context(|| format!("cannot read {}", self.path.display()))
    }

    /// Adds the finished `input`, whose stamp was `stamp` when it was opened. It is not added if it
    /// has changed since.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn add(&mut self, input: &Input, stamp: Stamp, results: usize, text: &str) -> Result<()> {
        if Stamp::of(input) != Some(stamp) {
            return Ok(());
        }
        let line = Line { input: input.shown().to_owned(), stamp, results, text: text.to_owned() };
        self.append(&serde_json::to_string(&line)?)
    }

    /// Appends a line and waits until it is on the disk.
    fn append(&mut self, line: &str) -> Result<()> {
        let bytes = format!("{line}\n").into_bytes();
        self.file
            .seek(SeekFrom::Start(self.end))
            .and_then(|_| self.file.write_all(&bytes))
            .and_then(|()| self.file.sync_data())
            .with_context(|| format!("cannot write {}", self.path.display()))?;
        self.end += bytes.len() as u64;
        Ok(())
    }

    /// Reads the whole lines, removes what follows, and returns what the results depend on.
    fn read_all(&mut self) -> Result<Option<Dependencies>> {
        let mut lines = BufReader::new(&self.file);
        let mut depends_on = None;
        let mut line = Vec::new();
        loop {
            line.clear();
            let bytes = lines.read_until(b'\n', &mut line)?;
            if line.last() != Some(&b'\n') {
                break;
            }
            if depends_on.is_none() {
                match serde_json::from_slice::<Heading>(&line) {
                    Ok(heading) if heading.divita_journal == VERSION => depends_on = Some(heading.depends_on),
                    _ => return Ok(None),
                }
            } else {
                let Ok(Line { input, stamp, results, .. }) = serde_json::from_slice(&line) else { break };
                self.inputs.insert(input, Finished { stamp, results, at: self.end, bytes });
            }
            self.end += bytes as u64;
        }
        if depends_on.is_some() {
            self.file.set_len(self.end)?;
        }
        Ok(depends_on)
    }

    /// Returns whether the file is the start of a heading, or empty.
    fn is_cut_heading(&mut self) -> io::Result<bool> {
        const START: &[u8] = br#"{"divita_journal":"#;
        let mut text = Vec::new();
        self.file.seek(SeekFrom::Start(0))?;
        (&self.file).take(1 << 16).read_to_end(&mut text)?;
        Ok(!text.contains(&b'\n') && (text.starts_with(START) || START.starts_with(&text)))
    }

    /// Refuses results that depend on something else than those of this run.
    fn compare(&self, found: &Dependencies, own: &Dependencies) -> Result<()> {
        let names = found.keys().chain(own.keys());
        let Some(name) = names.into_iter().find(|name| found.get(*name) != own.get(*name)) else { return Ok(()) };
        let value = |of: &Dependencies| of.get(name).map_or_else(|| "nothing".to_owned(), |value| format!("{value:?}"));
        bail!(
            "{} is of a run with another {name}: {} instead of {}; finish that run, name another output, or remove the file \
             to start anew",
            self.path.display(),
            value(found),
            value(own)
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn depends_on(bundle: &str) -> Dependencies {
        BTreeMap::from([("bundle".to_owned(), bundle.to_owned())])
    }

    /// A folder with two inputs and an output.
    fn folder() -> (tempfile::TempDir, [Input; 2], PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let input = |name: &str| {
            let path = folder.path().join(name);
            fs::write(&path, name).unwrap();
            Input::new(path)
        };
        let inputs = [input("a.mp4"), input("b.mp4")];
        let output = folder.path().join("out.csv");
        (folder, inputs, output)
    }

    fn add(journal: &mut Journal, input: &Input, text: &str) {
        journal.add(input, Stamp::of(input).unwrap(), 1, text).unwrap();
    }

    #[test]
    fn texts_outlive_a_cut_at_any_byte() {
        let (_folder, [a, b], output) = folder();
        let mut journal = Journal::open(&output, &depends_on("demo")).unwrap();
        add(&mut journal, &a, "one\n\u{e9}");
        let first = journal.end;
        add(&mut journal, &b, "two\n");
        drop(journal);
        let path = output.with_extension("csv.resume");
        let whole = fs::read(&path).unwrap();
        for length in 0..=whole.len() {
            fs::write(&path, &whole[..length]).unwrap();
            let mut journal = Journal::open(&output, &depends_on("demo")).unwrap();
            let texts = [&a, &b].map(|input| journal.find(input).map(|finished| journal.text(finished).unwrap()));
            let has = |bytes: u64, text: &str| (length as u64 >= bytes).then(|| text.to_owned());
            assert_eq!(texts, [has(first, "one\n\u{e9}"), has(whole.len() as u64, "two\n")], "{length} bytes");
            // It goes on where it was cut.
            add(&mut journal, &b, "again");
            drop(journal);
            let mut journal = Journal::open(&output, &depends_on("demo")).unwrap();
            let finished = journal.find(&b).unwrap();
            assert_eq!(journal.text(finished).unwrap(), "again");
        }
    }

    #[test]
    fn changed_inputs_and_other_results_are_not_taken() {
        let (folder, [a, b], output) = folder();
        let mut journal = Journal::open(&output, &depends_on("demo")).unwrap();
        add(&mut journal, &a, "one");
        assert_eq!(journal.find(&a).map(|finished| finished.results), None, "only an earlier run's count");
        let stamp = Stamp::of(&b).unwrap();
        fs::write(folder.path().join("b.mp4"), "longer while it was read").unwrap();
        journal.add(&b, stamp, 1, "two").unwrap();
        assert!(Journal::open(&output, &depends_on("demo")).is_err_and(|error| error.to_string().contains("another")));
        drop(journal);
        let journal = Journal::open(&output, &depends_on("demo")).unwrap();
        assert_eq!((journal.find(&a).map(|finished| finished.results), journal.inputs.len()), (Some(1), 1));
        fs::write(folder.path().join("a.mp4"), "changed").unwrap();
        assert!(journal.find(&a).is_none());
        drop(journal);
        let other = Journal::open(&output, &depends_on("own")).err().unwrap().to_string();
        assert!(other.contains("another bundle: \"demo\" instead of \"own\""), "{other}");
        for foreign in ["title,genre\n", "title", "{\"divita_journal\":2,\"depends_on\":{}}\n"] {
            fs::write(output.with_extension("csv.resume"), foreign).unwrap();
            assert!(Journal::open(&output, &depends_on("demo")).is_err(), "{foreign}");
            assert_eq!(fs::read_to_string(output.with_extension("csv.resume")).unwrap(), foreign);
        }
    }

    #[test]
    fn pictures_that_were_added_to_a_folder_change_it() {
        let (folder, ..) = folder();
        let input = Input::new(folder.path());
        let before = Stamp::of(&input).unwrap();
        assert_eq!(Stamp::of(&input), Some(before));
        fs::write(folder.path().join("c.png"), "").unwrap();
        assert_ne!(Stamp::of(&input), Some(before));
        assert_eq!(Stamp::of(&Input::new("-")), None);
        assert_eq!(Stamp::of(&Input::new("http://127.0.0.1/film.mp4")), None);
    }
}
