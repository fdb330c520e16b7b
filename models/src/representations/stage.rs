//! A hidden folder inside a store in which an array is made before it takes its name, and the
//! removal of what killed writers left of theirs.
//!
//! What is made lies one level down, `.divita-OWNER/new/.zarray`, so that no reader of Zarr takes
//! the hidden folder for an array or a group.
//!
//! A leftover is removed in two cases. Its owner is gone for certain: its name says that it was
//! made by a process of this very boot of this very machine, in this process's own namespace of
//! process ids, and no process has that id now. Or it has not changed for [`STALE`], far longer
//! than a write takes; of a writer on another machine nothing else can be known. Clocks of machines
//! must agree to within that, no better. Should a writer be alive all the same (suspended for days,
//! or one of two virtual machines that were resumed from one image), its write starts anew or
//! fails, and nothing of it is seen: a leftover is first renamed as a whole, which either comes
//! after the rename that publishes it, and then there is nothing left to remove, or before, and
//! then there is nothing left to publish.

use std::{
    fs::{self, File},
    io::{self, ErrorKind, Write},
    path::{Path, PathBuf},
    time::{Duration, SystemTime},
};

use divita_console::{owner::Owner, whole_file::sync_folder};
use tempfile::{Builder, TempDir};

use super::Error;

/// Name of a folder that is being made.
const NEW: &str = "new";
/// Name of a folder that is being removed.
const GONE: &str = "gone";
/// Age after which a leftover is removed whoever made it.
const STALE: Duration = Duration::from_secs(24 * 60 * 60);
/// How often a write is tried whose folder disappears.
const ATTEMPTS: usize = 3;

/// A folder in the making; removed when dropped.
pub(super) struct Stage {
    outer: TempDir,
}

/// Whether a folder got its name.
#[derive(Debug, PartialEq)]
pub(super) enum Published {
    /// It has it.
    Yes,
    /// Something else has it, and was left as it is.
    Taken,
}

impl Stage {
    /// Returns an empty folder.
    ///
    /// # Errors
    /// [`Error::Write`], [`Error::DiskFull`], [`Error::Vanished`].
    pub(super) fn new(store: &Path) -> Result<Self, Error> {
        let outer = Builder::new().prefix(&Owner::current().prefix()).tempdir_in(store).map_err(Error::write(store))?;
        let stage = Self { outer };
        let inner = stage.inner();
        fs::create_dir(&inner).map_err(|source| failed(stage.outer.path(), &inner, source))?;
        Ok(stage)
    }

    /// Writes a file, and waits until it is on the disk.
    ///
    /// # Errors
    /// As [`Stage::new`].
    pub(super) fn write(&self, name: &str, bytes: &[u8]) -> Result<(), Error> {
        let inner = self.inner();
        let path = inner.join(name);
        let written = File::create_new(&path).and_then(|mut file| {
            file.write_all(bytes)?;
            file.sync_all()
        });
        written.map_err(|source| failed(&inner, &path, source))
    }

    /// Gives one of the files the path `to`, instead of what may be there.
    ///
    /// # Errors
    /// As [`Stage::new`].
    pub(super) fn publish_file(&self, name: &str, to: &Path) -> Result<(), Error> {
        let inner = self.inner();
        fs::rename(inner.join(name), to).map_err(|source| failed(&inner, to, source))?;
        sync_parent(to)
    }

    /// Gives the folder the path `to`, unless something other than an empty folder is there.
    ///
    /// # Errors
    /// As [`Stage::new`].
    pub(super) fn publish(self, to: &Path) -> Result<Published, Error> {
        let inner = self.inner();
        self.publish_from(&inner, to)
    }

    /// Gives the folder `from`, which is the one that is made or lies in it, the path `to`; as
    /// [`Stage::publish`].
    ///
    /// # Errors
    /// As [`Stage::new`].
    pub(super) fn publish_from(self, from: &Path, to: &Path) -> Result<Published, Error> {
        let inner = self.inner();
        sync_folder(from).map_err(|source| failed(&inner, to, source))?;
        match fs::rename(from, to) {
            Ok(()) => sync_parent(to).map(|()| Published::Yes),
            Err(source) => match source.kind() {
                ErrorKind::DirectoryNotEmpty | ErrorKind::AlreadyExists | ErrorKind::NotADirectory => {
                    Ok(Published::Taken)
                }
                _ => Err(failed(&inner, to, source)),
            },
        }
    }

    /// Returns the folder that is made.
    pub(super) fn inner(&self) -> PathBuf {
        self.outer.path().join(NEW)
    }
}

/// Tries what stages something, a few times if its folder disappears.
///
/// # Errors
/// Those of `write`.
pub(super) fn retry<T>(mut write: impl FnMut() -> Result<T, Error>) -> Result<T, Error> {
    for _ in 1..ATTEMPTS {
        match write() {
            Err(Error::Vanished(_)) => {}
            done => return done,
        }
    }
    write()
}

/// Removes the folder `from` of a store, at once as far as readers can see. That it cannot be
/// removed is no reason to stop: it is of no use, and harms nobody.
pub(super) fn discard(store: &Path, from: &Path) {
    if let Ok(true) = from.try_exists()
        && let Ok(stage) = Stage::new(store)
        && let Err(error) = fs::rename(from, stage.outer.path().join(GONE))
    {
        log::debug!("{} stays: {error}", from.display());
    }
}

/// Returns whether a name in a store is one of this module's.
pub(super) fn is_stage(name: &str) -> bool {
    Owner::parse(name).is_some()
}

/// Removes what writers left that are gone. What cannot be removed stays: that is no reason not to
/// use the store.
pub(super) fn sweep(store: &Path) {
    let here = Owner::current();
    for entry in fs::read_dir(store).into_iter().flatten().flatten() {
        let Some(owner) = entry.file_name().to_str().and_then(Owner::parse) else { continue };
        let changed = entry.metadata().and_then(|there| there.modified());
        let age = changed.ok().and_then(|changed| SystemTime::now().duration_since(changed).ok());
        if owner.is_gone(&here) || age.is_some_and(|age| age > STALE) {
            remove(&entry.path());
        }
    }
}

/// Removes a stage that its owner does not use any more, or fails to.
fn remove(outer: &Path) {
    let gone = outer.join(GONE);
    // Left by a removal that was killed. No folder can be renamed to one that is not empty.
    let _ = fs::remove_dir_all(&gone);
    // From here on it cannot be published; only then is it safe to remove a part of it.
    let _ = fs::rename(outer.join(NEW), &gone);
    let _ = fs::remove_dir_all(&gone);
    let _ = fs::remove_dir(outer);
}

/// Returns the error of something that failed for `path`, where the folder `stage` should be there.
fn failed(stage: &Path, path: &Path, source: io::Error) -> Error {
    match source.kind() {
        ErrorKind::NotFound if !stage.exists() => Error::Vanished(stage.to_owned()),
        _ => Error::write(path)(source),
    }
}

/// Waits until the name `path` is on the disk.
fn sync_parent(path: &Path) -> Result<(), Error> {
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty());
    sync_folder(parent.unwrap_or(Path::new("."))).map_err(Error::write(path))
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    /// Ids of this machine's processes that are gone.
    fn dead() -> u32 {
        let mut child = Command::new("true").spawn().unwrap();
        child.wait().unwrap();
        child.id()
    }

    /// Returns a leftover of `owner`, killed before it published what it had made.
    fn leave(store: &Path, owner: &Owner) -> PathBuf {
        let outer = Builder::new().prefix(&owner.prefix()).tempdir_in(store).unwrap().keep();
        fs::create_dir(outer.join(NEW)).unwrap();
        fs::write(outer.join(NEW).join(".zarray"), "{").unwrap();
        outer
    }

    #[test]
    fn a_name_says_who_made_it() {
        let here = Owner::current();
        assert_eq!(Owner::parse(&(here.prefix() + "x1Y2z3")), Some(here));
        let unknown = Owner { boot: None, namespace: None, process: 7 };
        assert_eq!(Owner::parse(&(unknown.prefix() + "x1Y2z3")), Some(unknown));
        for name in [".divita-store", ".divita-", "tt0111161", ".divita-1-2-3-4", ".zattrs"] {
            assert_eq!(Owner::parse(name), None, "{name}");
        }
    }

    #[test]
    fn only_what_nobody_can_be_writing_is_swept() {
        let store = tempfile::tempdir().unwrap();
        let here = Owner::current();
        let kept = [
            leave(store.path(), &here),
            leave(store.path(), &Owner { boot: Some(1), process: dead(), ..Owner::current() }),
            leave(store.path(), &Owner { namespace: Some(1), process: dead(), ..Owner::current() }),
            leave(store.path(), &Owner { boot: None, namespace: None, process: dead() }),
        ];
        let other = store.path().join(".divita-other");
        fs::create_dir(&other).unwrap();
        let mut swept = Vec::new();
        if here.boot.is_some() && here.namespace.is_some() {
            swept.push(leave(store.path(), &Owner { process: dead(), ..here }));
            // Killed before it made the inner folder, and after it published it.
            let empty = store.path().join(Owner { process: dead(), ..Owner::current() }.prefix() + "empty");
            fs::create_dir(&empty).unwrap();
            swept.push(empty);
            // Killed in `discard`: beside the folder to remove lies the one that it never used.
            let discarding = leave(store.path(), &Owner { process: dead(), ..Owner::current() });
            fs::rename(discarding.join(NEW), discarding.join(GONE)).unwrap();
            fs::create_dir(discarding.join(NEW)).unwrap();
            swept.push(discarding);
        }
        sweep(store.path());
        for path in kept.iter().chain([&other]) {
            assert!(path.exists(), "{}", path.display());
        }
        for path in &swept {
            assert!(!path.exists(), "{}", path.display());
        }

        let old = SystemTime::now() - STALE - Duration::from_secs(60);
        for path in &kept {
            File::open(path).unwrap().set_modified(old).unwrap();
        }
        sweep(store.path());
        for path in &kept {
            assert!(!path.exists(), "{}", path.display());
        }
        assert!(other.exists());
    }

    #[test]
    fn what_was_removed_by_mistake_cannot_be_published() {
        let store = tempfile::tempdir().unwrap();
        let stage = Stage::new(store.path()).unwrap();
        stage.write(".zarray", b"{}").unwrap();
        remove(stage.outer.path());
        assert!(matches!(stage.write("0.0", b"values"), Err(Error::Vanished(_))));
        assert!(matches!(stage.publish(&store.path().join("id")), Err(Error::Vanished(_))));
        assert_eq!(fs::read_dir(store.path()).unwrap().count(), 0);

        // As far as a removal got that was interrupted.
        let stage = Stage::new(store.path()).unwrap();
        fs::rename(stage.outer.path().join(NEW), stage.outer.path().join(GONE)).unwrap();
        assert!(matches!(stage.publish(&store.path().join("id")), Err(Error::Vanished(_))));
        assert_eq!(fs::read_dir(store.path()).unwrap().count(), 0);
    }

    #[test]
    fn a_write_is_tried_again_when_its_folder_disappears() {
        let mut tries = 0;
        let mut write = |ends: usize| {
            retry(|| {
                tries += 1;
                if tries == ends { Ok(tries) } else { Err(Error::Vanished(PathBuf::new())) }
            })
        };
        assert_eq!(write(2).unwrap(), 2);
        assert!(matches!(write(100), Err(Error::Vanished(_))));
        assert_eq!(tries, 2 + ATTEMPTS);
    }

    #[test]
    fn a_name_that_is_taken_stays_as_it_is() {
        let store = tempfile::tempdir().unwrap();
        let publish = |to: &str| {
            let stage = Stage::new(store.path()).unwrap();
            stage.write("0.0", b"new").unwrap();
            stage.publish(&store.path().join(to)).unwrap()
        };
        fs::create_dir(store.path().join("empty")).unwrap();
        fs::write(store.path().join("file"), "old").unwrap();
        assert_eq!(publish("id"), Published::Yes);
        assert_eq!(publish("id"), Published::Taken);
        assert_eq!(publish("empty"), Published::Yes);
        assert_eq!(publish("file"), Published::Taken);
        assert_eq!(fs::read(store.path().join("file")).unwrap(), b"old");
        // Nothing hidden is left.
        assert_eq!(fs::read_dir(store.path()).unwrap().count(), 3);
    }
}
