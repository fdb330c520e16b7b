//! Unpacks a store from a `.tar.gz` archive: computes its MD5 on the way, and the store appears
//! complete or not at all.

use std::{
    cell::Cell,
    fs::{self, File},
    io::{self, BufReader, ErrorKind, Read, Write},
    path::{Component, Path, PathBuf},
    rc::Rc,
    time::{Duration, Instant},
};

use flate2::bufread::MultiGzDecoder;
use md5::{Digest, Md5};
use tar::{Entry, EntryType};

use super::{
    error::Error,
    metadata, published_stores,
    source_mark::{MARK, SourceMark},
    stage::{self, Published, Stage},
    store::{MAX_ARRAY_BYTES, Store},
};

/// Ending of the name of an archive.
const ENDING: &str = ".tar.gz";
/// Most bytes of headers and padding between two files of an archive.
const MAX_HEADER_BYTES: u64 = 1 << 20;
/// Most bytes that an archive may unpack to.
const MAX_UNPACKED_BYTES: u64 = 1 << 40;
/// Time between two reports of progress.
const REPORT_INTERVAL: Duration = Duration::from_secs(10);

/// Returns the folder that the archive at `path` unpacks to, beside the archive; `None` where
/// `path` does not name an archive.
#[must_use]
pub fn unpacked_path(path: &Path) -> Option<PathBuf> {
    let name = path.file_name()?.to_str()?.strip_suffix(ENDING).filter(|name| !name.is_empty())?;
    Some(path.with_file_name(name))
}

/// Finds the store `name` in `folder`: unpacked, or as its archive.
#[must_use]
pub fn locate(folder: &Path, name: &str) -> Option<PathBuf> {
    let (unpacked, archive) = (folder.join(name), folder.join(format!("{name}{ENDING}")));
    if unpacked.is_dir() { Some(unpacked) } else { archive.is_file().then_some(archive) }
}

/// Unpacks the store in `archive` to the folder `to`, whose parent must exist. Where `md5` is
/// given, or the archive has the name of a published one, its MD5 must be that. Progress goes to
/// the log. Returns the mark that the store keeps.
///
/// The store is unpacked into a hidden folder beside `to` and renamed when it is whole and on the
/// disk. Where this process is killed, the next one that unpacks into the same folder removes what
/// it left. Where two unpack the same at once, both succeed.
///
/// # Errors
/// [`Error::Archive`] where the archive is damaged, truncated, hostile (entries that leave the
/// folder, links, huge sizes) or holds no store; [`Error::ArchiveSum`] where its MD5 is another;
/// [`Error::Occupied`] where something other than a store is at `to`; [`Error::DiskFull`],
/// [`Error::Write`], [`Error::Read`]. Nothing is left behind.
pub fn unpack(archive: &Path, to: &Path, md5: Option<&str>) -> Result<SourceMark, Error> {
    let file = File::open(archive).map_err(Error::read(archive))?;
    let bytes = file.metadata().map_err(Error::read(archive))?.len();
    let parent = to.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    log::info!("unpacking {} ({:.2} GB)", archive.display(), bytes as f64 / 1e9);
    stage::sweep(parent);
    let stage = Stage::new(parent)?;
    let mut report = progress(archive, bytes);
    let found = extract(archive, file, &stage.inner(), to, &mut report)?;
    let wanted = md5.map(str::to_lowercase).or_else(|| Some(published_stores::at_path(archive)?.md5.to_owned()));
    if let Some(wanted) = wanted.filter(|wanted| *wanted != found) {
        return Err(Error::ArchiveSum { path: archive.to_owned(), found, wanted });
    }
    let root = root(archive, &stage.inner())?;
    let name = archive.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let mark = SourceMark { archive: name, md5: found };
    let path = root.join(MARK);
    let text = metadata::text(&mark, &path)?;
    fs::write(&path, text).map_err(Error::write(to))?;
    Store::open_folder(&root).map_err(|error| unusable(archive, format!("it holds no usable store: {error}")))?;
    sync_file_system(&root).map_err(Error::write(to))?;
    match stage.publish_from(&root, to)? {
        Published::Yes => log::info!("unpacked into {}, MD5 of the archive {}", to.display(), mark.md5),
        Published::Taken if Store::open_folder(to).is_ok() => {}
        Published::Taken => return Err(Error::Occupied(to.to_owned())),
    }
    Ok(mark)
}

/// Reports the share that has been read, at most every [`REPORT_INTERVAL`].
fn progress(archive: &Path, bytes: u64) -> impl FnMut(u64) {
    let name = archive.display().to_string();
    let mut reported = Instant::now();
    move |read| {
        if reported.elapsed() >= REPORT_INTERVAL {
            reported = Instant::now();
            log::info!("unpacking {name}: {} %", 100 * read / bytes.max(1));
        }
    }
}

/// Extracts the files of `archive` into `folder` and returns the archive's MD5. Errors of writing
/// name the store `to`.
fn extract(
    archive: &Path,
    file: File,
    folder: &Path,
    to: &Path,
    progress: &mut dyn FnMut(u64),
) -> Result<String, Error> {
    let failed = |source: io::Error| read_error(archive, source);
    let summed = Summed { file, sum: Md5::new(), read: 0, progress };
    let allowance = Rc::new(Cell::new(MAX_HEADER_BYTES));
    let decoder = MultiGzDecoder::new(BufReader::with_capacity(1 << 18, summed));
    let mut archived = tar::Archive::new(Bounded { inner: decoder, allowance: Rc::clone(&allowance) });
    let mut total = 0_u64;
    for entry in archived.entries().map_err(failed)? {
        let mut entry = entry.map_err(failed)?;
        let Some(path) = destination(archive, &entry, folder)? else { continue };
        if entry.header().entry_type() == EntryType::Directory {
            fs::create_dir_all(&path).map_err(Error::write(to))?;
        } else {
            let size = entry.size();
            total = total.saturating_add(size);
            if size > 2 * MAX_ARRAY_BYTES || total > MAX_UNPACKED_BYTES {
                let limit = if size > 2 * MAX_ARRAY_BYTES { 2 * MAX_ARRAY_BYTES } else { MAX_UNPACKED_BYTES };
                return Err(hostile(archive, &entry, &format!("takes it over {limit} bytes")));
            }
            allowance.set(size.saturating_add(MAX_HEADER_BYTES));
            copy(archive, &mut entry, &path, to)?;
        }
        allowance.set(MAX_HEADER_BYTES);
    }
    // What follows the last file belongs to the sum, and to the check that gzip makes at its end.
    let mut rest = archived.into_inner();
    allowance.set(MAX_HEADER_BYTES);
    io::copy(&mut rest, &mut io::sink()).map_err(failed)?;
    let mut rest = rest.inner.into_inner();
    io::copy(&mut rest, &mut io::sink()).map_err(failed)?;
    Ok(rest.into_inner().digits())
}

/// Where an entry goes in `folder`; `None` where the entry holds nothing to write.
fn destination<R: Read>(archive: &Path, entry: &Entry<'_, R>, folder: &Path) -> Result<Option<PathBuf>, Error> {
    match entry.header().entry_type() {
        EntryType::Regular | EntryType::Continuous | EntryType::Directory => {}
        EntryType::XGlobalHeader => return Ok(None),
        _ => return Err(hostile(archive, entry, "is a link or a device")),
    }
    let name = entry.path().map_err(|source| read_error(archive, source))?;
    let mut path = folder.to_owned();
    for part in name.components() {
        match part {
            Component::Normal(part) => path.push(part),
            Component::CurDir => {}
            _ => return Err(hostile(archive, entry, "leaves the folder")),
        }
    }
    Ok(Some(path).filter(|path| path != folder))
}

/// Writes the file of an entry to `path`.
fn copy<R: Read>(archive: &Path, entry: &mut Entry<'_, R>, path: &Path, to: &Path) -> Result<(), Error> {
    fs::create_dir_all(path.parent().unwrap_or(path)).map_err(Error::write(to))?;
    let mut file = match File::create_new(path) {
        Err(source) if source.kind() == ErrorKind::AlreadyExists => {
            return Err(hostile(archive, entry, "is there twice"));
        }
        file => file.map_err(Error::write(to))?,
    };
    let (size, mut copied) = (entry.size(), 0);
    let mut buffer = [0; 1 << 16];
    loop {
        match entry.read(&mut buffer).map_err(|source| read_error(archive, source))? {
            0 if copied == size => return Ok(()),
            0 => return Err(read_error(archive, ErrorKind::UnexpectedEof.into())),
            length => {
                file.write_all(&buffer[..length]).map_err(Error::write(to))?;
                copied += length as u64;
            }
        }
    }
}

/// Returns the folder below `folder` that is the store: `folder` itself, or the only folder in it.
fn root(archive: &Path, folder: &Path) -> Result<PathBuf, Error> {
    let is_store = |path: &Path| path.join(".zgroup").is_file();
    if is_store(folder) {
        return Ok(folder.to_owned());
    }
    let entries = fs::read_dir(folder).map_err(Error::read(folder))?.flatten().map(|entry| entry.path());
    match &entries.collect::<Vec<_>>()[..] {
        [one] if is_store(one) => Ok(one.clone()),
        _ => Err(unusable(archive, "it holds no Zarr 2 group (a folder with a file .zgroup)".to_owned())),
    }
}

/// Waits until everything written to the file system of `folder` is on the disk. A store has tens
/// of thousands of files; one call for all of them takes a fraction of the time of one call each.
fn sync_file_system(folder: &Path) -> io::Result<()> {
    Ok(rustix::fs::syncfs(File::open(folder)?)?)
}

fn unusable(archive: &Path, reason: String) -> Error {
    Error::Archive { path: archive.to_owned(), reason }
}

/// Returns the error of an entry that no honest archive has.
fn hostile<R: Read>(archive: &Path, entry: &Entry<'_, R>, reason: &str) -> Error {
    let name = entry.path_bytes();
    let name: String = String::from_utf8_lossy(&name).chars().take(80).collect();
    unusable(archive, format!("its entry {name:?} {reason}; do not use archives from a source that you do not trust"))
}

/// Returns the error of reading the archive.
fn read_error(archive: &Path, source: io::Error) -> Error {
    match source.kind() {
        ErrorKind::UnexpectedEof => unusable(archive, "it is truncated; fetch it again".to_owned()),
        ErrorKind::InvalidData | ErrorKind::InvalidInput | ErrorKind::Other => {
            let reason = source.to_string().lines().collect::<Vec<_>>().join(" ");
            unusable(archive, format!("it is damaged ({reason}); fetch it again"))
        }
        _ => Error::read(archive)(source),
    }
}

/// A file whose bytes are summed and counted as they are read.
struct Summed<'a> {
    file: File,
    sum: Md5,
    read: u64,
    progress: &'a mut dyn FnMut(u64),
}

impl Summed<'_> {
    /// Returns the sum of what was read, in hexadecimal digits.
    fn digits(self) -> String {
        self.sum.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
    }
}

impl Read for Summed<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let length = self.file.read(buffer)?;
        self.sum.update(&buffer[..length]);
        self.read += length as u64;
        (self.progress)(self.read);
        Ok(length)
    }
}

/// A reader that fails after as many bytes as it is allowed: headers of a hostile archive may claim
/// any length, and are read into memory.
struct Bounded<R> {
    inner: R,
    allowance: Rc<Cell<u64>>,
}

impl<R: Read> Read for Bounded<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let length = self.inner.read(buffer)?;
        let left = self.allowance.get().checked_sub(length as u64);
        self.allowance.set(left.ok_or_else(|| io::Error::new(ErrorKind::InvalidData, "a header is too long"))?);
        Ok(length)
    }
}

/// MD5 of the file at `path`, as 32 lower-case hexadecimal digits.
///
/// # Errors
/// [`Error::Read`].
pub fn md5_of_file(path: &Path) -> Result<String, Error> {
    let file = File::open(path).map_err(Error::read(path))?;
    let mut summed = Summed { file, sum: Md5::new(), read: 0, progress: &mut |_| {} };
    io::copy(&mut BufReader::with_capacity(1 << 18, &mut summed), &mut io::sink()).map_err(Error::read(path))?;
    Ok(summed.digits())
}
