//! Files that exist whole or not at all, even if the program is killed while it writes.
//!
//! A file is written without a name (`O_TMPFILE`), so the kernel removes it if the program is
//! killed. On file systems without this feature (NFS, FAT), the file gets a temporary name that
//! contains its process. The next such file in the folder removes those of processes that have
//! ended.

use std::fs::{self, File, Permissions};
use std::io::{self, ErrorKind, Write};
use std::os::fd::AsRawFd;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, CWD, Mode, OFlags};
use tempfile::{Builder, NamedTempFile};

use crate::owner::Owner;

/// Permissions of an ordinary file, before the process's mask.
const MODE: u32 = 0o666;

/// A file that is being written.
pub struct WholeFile {
    partial: Partial,
    path: PathBuf,
}

enum Partial {
    Unnamed(File),
    Named(NamedTempFile),
}

impl WholeFile {
    /// Starts a file for `path`. An existing file there stays until [`WholeFile::commit`].
    ///
    /// # Errors
    /// When no file can be created in the folder.
    pub fn create(path: &Path) -> io::Result<Self> {
        let folder = parent(path);
        let flags = OFlags::TMPFILE | OFlags::WRONLY | OFlags::CLOEXEC;
        // The file gets its name through /proc.
        let unnamed = match Path::new("/proc/self/fd").exists() {
            true => rustix::fs::open(folder, flags, Mode::from_bits_truncate(MODE)).ok(),
            false => None,
        };
        let partial = match unnamed {
            Some(file) => Partial::Unnamed(file.into()),
            None => {
                sweep(folder);
                let permissions = Permissions::from_mode(MODE);
                let mut builder = Builder::new();
                Partial::Named(builder.prefix(&Owner::current().prefix()).permissions(permissions).tempfile_in(folder)?)
            }
        };
        Ok(WholeFile { partial, path: path.to_owned() })
    }

    /// Gives the file its name, replacing an existing file, and waits until both are on the disk.
    ///
    /// # Errors
    /// On an I/O error; the existing file is then still there.
    pub fn commit(self) -> io::Result<()> {
        let WholeFile { partial, path } = self;
        match partial {
            Partial::Unnamed(file) => {
                file.sync_all()?;
                let own = format!("/proc/self/fd/{}", file.as_raw_fd());
                let link = |to: &Path| -> io::Result<()> {
                    Ok(rustix::fs::linkat(CWD, &own, CWD, to, AtFlags::SYMLINK_FOLLOW)?)
                };
                match link(&path) {
                    Err(error) if error.kind() == ErrorKind::AlreadyExists => {
                        // A link cannot replace a file, a rename can.
                        let named = Builder::new().prefix(&Owner::current().prefix()).make_in(parent(&path), link)?;
                        named.persist(&path)?;
                    }
                    linked => linked?,
                }
            }
            Partial::Named(file) => {
                file.as_file().sync_all()?;
                file.persist(&path)?;
            }
        }
        sync_folder(parent(&path))
    }
}

impl Write for WholeFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match &mut self.partial {
            Partial::Unnamed(file) => file.write(bytes),
            Partial::Named(file) => file.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Writes a file that appears whole or not at all.
///
/// # Errors
/// On an I/O error.
pub fn write_whole(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = WholeFile::create(path)?;
    file.write_all(bytes)?;
    file.commit()
}

/// Waits until the names in a folder are on the disk, if the file system supports that.
///
/// # Errors
/// On an I/O error.
pub fn sync_folder(folder: &Path) -> io::Result<()> {
    match File::open(folder)?.sync_all() {
        Err(error) if matches!(error.kind(), ErrorKind::InvalidInput | ErrorKind::Unsupported) => Ok(()),
        done => done,
    }
}

/// Returns the folder of the file `path`.
fn parent(path: &Path) -> &Path {
    path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// Removes temporary files of processes that have ended. Ignores files that cannot be removed.
fn sweep(folder: &Path) {
    let current = Owner::current();
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let is_file = entry.file_type().is_ok_and(|kind| kind.is_file());
        if is_file && entry.file_name().to_str().and_then(Owner::parse).is_some_and(|owner| owner.is_gone(&current)) {
            let _ = fs::remove_file(entry.path());
        }
    }
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    fn names(folder: &Path) -> Vec<String> {
        let mut names: Vec<String> =
            fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    #[test]
    fn a_file_appears_whole_and_replaces_another() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.txt");
        for text in ["one", "two"] {
            let mut file = WholeFile::create(&path).unwrap();
            file.write_all(text.as_bytes()).unwrap();
            assert_ne!(fs::read_to_string(&path).unwrap_or_default(), text);
            file.commit().unwrap();
            assert_eq!(fs::read_to_string(&path).unwrap(), text);
        }
        drop(WholeFile::create(&folder.path().join("b.txt")).unwrap());
        assert_eq!(names(folder.path()), ["a.txt"]);
    }

    #[test]
    fn temporary_files_of_dead_processes_are_removed() {
        let folder = tempfile::tempdir().unwrap();
        let mut child = Command::new("true").spawn().unwrap();
        child.wait().unwrap();
        let dead = Owner { process: child.id(), ..Owner::current() };
        let kept = [Owner::current().prefix() + "abc", ".divita-notes".to_owned()];
        for name in kept.iter().chain([&(dead.prefix() + "abc")]) {
            fs::write(folder.path().join(name), "part").unwrap();
        }
        sweep(folder.path());
        let mut expected = kept;
        expected.sort();
        assert_eq!(names(folder.path()), expected);
    }
}
