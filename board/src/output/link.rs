//! Follows the links in an output's path, except those of other users in shared folders.

use std::fs::{self, Metadata};
use std::os::unix::fs::MetadataExt;
use std::path::{Component, Path, PathBuf};

use anyhow::{Context, Result, bail};

/// Maximum number of links that are followed, as in the kernel.
const MAX_LINKS: usize = 40;

/// Returns `named` with every existing link followed.
///
/// A link in a sticky folder that everybody may write to, such as /tmp, is followed only if it
/// belongs to the process's user or to the folder's owner, like the kernel does with
/// `fs.protected_symlinks`. Otherwise a user could make root overwrite any file.
///
/// # Errors
/// When a link belongs to another user, or links form a circle.
pub(super) fn follow(named: &Path) -> Result<PathBuf> {
    let mut left: Vec<PathBuf> = parts(named);
    let mut path = if named.is_absolute() { PathBuf::from("/") } else { PathBuf::new() };
    let mut links = 0;
    while let Some(part) = left.pop() {
        let next = path.join(&part);
        match fs::symlink_metadata(&next) {
            Ok(there) if there.is_symlink() => {
                links += 1;
                if links > MAX_LINKS {
                    bail!("{}: too many links; name the file itself", named.display());
                }
                let folder = if path.as_os_str().is_empty() { Path::new(".") } else { &path };
                if !may_follow(&there, &fs::metadata(folder).with_context(|| unreadable(named))?) {
                    bail!(
                        "{}: {} is a link that another user made in a shared folder; name the file itself",
                        named.display(),
                        next.display()
                    );
                }
                let target = fs::read_link(&next).with_context(|| unreadable(named))?;
                if target.is_absolute() {
                    path = PathBuf::from("/");
                }
                left.extend(parts(&target));
            }
            _ => path = next,
        }
    }
    Ok(path)
}

fn unreadable(named: &Path) -> String {
    format!("cannot write {}", named.display())
}

/// Returns the parts of a path in reverse order. The kernel resolves `..`.
fn parts(path: &Path) -> Vec<PathBuf> {
    let plain = path.components().filter(|part| !matches!(part, Component::RootDir | Component::CurDir));
    plain.rev().map(|part| PathBuf::from(part.as_os_str())).collect()
}

fn may_follow(link: &Metadata, folder: &Metadata) -> bool {
    const STICKY_AND_WRITABLE: u32 = 0o1002;
    let shared = folder.mode() & STICKY_AND_WRITABLE == STICKY_AND_WRITABLE;
    !shared || [rustix::process::geteuid().as_raw(), folder.uid()].contains(&link.uid())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{PermissionsExt, chown, lchown, symlink};

    use super::*;

    #[test]
    fn own_links_are_followed() {
        let folder = tempfile::tempdir().unwrap();
        let top = fs::canonicalize(folder.path()).unwrap();
        fs::create_dir(top.join("a")).unwrap();
        symlink("a", top.join("b")).unwrap();
        symlink("../b/file", top.join("a/c")).unwrap();
        assert_eq!(follow(&top.join("b/c")).unwrap(), top.join("a/../a/file"));
        symlink("d", top.join("d")).unwrap();
        assert!(follow(&top.join("d")).unwrap_err().to_string().contains("too many links"));
    }

    #[test]
    fn links_of_others_in_a_shared_folder_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        let shared = fs::canonicalize(folder.path()).unwrap().join("shared");
        fs::create_dir(&shared).unwrap();
        fs::set_permissions(&shared, PermissionsExt::from_mode(0o1777)).unwrap();
        symlink("/etc/passwd", shared.join("out")).unwrap();
        if lchown(shared.join("out"), Some(12345), None).is_err() {
            eprintln!("SKIPPED: only root can give a link to another user");
            return;
        }
        let refused = follow(&shared.join("out")).unwrap_err().to_string();
        assert!(refused.contains("another user made in a shared folder"), "{refused}");
        // The link owner's folder, and a folder that is not shared.
        chown(&shared, Some(12345), None).unwrap();
        assert_eq!(follow(&shared.join("out")).unwrap(), Path::new("/etc/passwd"));
        chown(&shared, Some(0), None).unwrap();
        fs::set_permissions(&shared, PermissionsExt::from_mode(0o755)).unwrap();
        assert_eq!(follow(&shared.join("out")).unwrap(), Path::new("/etc/passwd"));
    }
}
