//! Identifies videos by their files: the id of each in stores and predictions, and which files are
//! copies of one video.

use std::{
    collections::BTreeMap,
    fs::File,
    io,
    os::unix::fs::{FileExt, MetadataExt},
    path::Path,
};

use divita_video::Input;
use thiserror::Error;

/// Blocks of two files of equal size that are compared.
const COMPARED_BLOCKS: u64 = 16;

/// Length of a compared block in bytes.
const BLOCK: u64 = 1 << 16;

/// Returns the id of `video` in stores and predictions: its file name without folder and extension.
#[must_use]
pub fn video_id(video: &str) -> String {
    Path::new(video).file_stem().unwrap_or_default().to_string_lossy().into_owned()
}

/// Two different videos with the same id.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[error("{one} and {other} are different videos with the same id, {id}: rename one")]
pub struct IdClash {
    /// The id.
    pub id: String,
    /// A file.
    pub one: Input,
    /// Another file.
    pub other: Input,
}

/// Groups `paths` by id. Each group holds the copies of one video, in the given order; groups that
/// hold different videos are returned as clashes instead.
///
/// Two files are copies where they have the same size and the same bytes in 16 blocks of 64 KiB,
/// spread evenly. Two folders of pictures are copies where they are the same folder.
#[must_use]
pub fn group_by_id(paths: &[Input]) -> (BTreeMap<String, Vec<Input>>, Vec<IdClash>) {
    let mut groups = BTreeMap::<String, Vec<Input>>::new();
    for path in paths {
        groups.entry(video_id(path.shown())).or_default().push(path.clone());
    }
    let mut clashes = Vec::new();
    groups.retain(|id, copies| {
        let (one, others) = (&copies[0], &copies[1..]);
        let differs = |other: &&Input| match (one.local_path(), other.local_path()) {
            (Some(one), Some(other)) => !are_copies(&one, &other).unwrap_or(false),
            _ => one != *other,
        };
        match others.iter().find(differs) {
            Some(other) => {
                clashes.push(IdClash { id: id.clone(), one: one.clone(), other: other.clone() });
                false
            }
            None => true,
        }
    });
    (groups, clashes)
}

/// Returns whether two files hold the same video.
fn are_copies(one: &Path, other: &Path) -> io::Result<bool> {
    if one.canonicalize()? == other.canonicalize()? {
        return Ok(true);
    }
    let (one, other) = (File::open(one)?, File::open(other)?);
    let (its, others) = (one.metadata()?, other.metadata()?);
    if (its.dev(), its.ino()) == (others.dev(), others.ino()) {
        return Ok(true);
    }
    if !its.is_file() || !others.is_file() || its.len() != others.len() {
        return Ok(false);
    }
    let (mut block, mut other_block) = ([0; BLOCK as usize], [0; BLOCK as usize]);
    for at in 0..COMPARED_BLOCKS {
        let from = its.len().saturating_sub(BLOCK) * at / (COMPARED_BLOCKS - 1);
        let length = BLOCK.min(its.len()) as usize;
        one.read_exact_at(&mut block[..length], from)?;
        other.read_exact_at(&mut other_block[..length], from)?;
        if block[..length] != other_block[..length] {
            return Ok(false);
        }
    }
    Ok(true)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn copies_are_one_video_and_other_files_of_that_name_are_named() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
        for name in ["a", "b", "c"] {
            fs::create_dir(path(name)).unwrap();
        }
        let large: Vec<u8> = (0..3_000_000u32).map(|n| (n / 7) as u8).collect();
        let mut changed = large.clone();
        // In the last block.
        changed[2_999_999] ^= 1;
        for (name, bytes) in
            [("a/x.mp4", &large), ("b/x.mp4", &large), ("a/y.mp4", &large), ("c/y.mp4", &changed), ("a/e.mp4", &vec![])]
        {
            fs::write(path(name), bytes).unwrap();
        }
        fs::write(path("b/e.mov"), b"").unwrap();
        fs::hard_link(path("a/x.mp4"), path("c/x.mp4")).unwrap();
        let paths = ["a/x.mp4", "b/x.mp4", "c/x.mp4", "a/y.mp4", "c/y.mp4", "a/e.mp4", "b/e.mov"]
            .map(|name| Input::from(path(name)));
        let (groups, clashes) = group_by_id(&paths);
        assert_eq!(groups.keys().collect::<Vec<_>>(), ["e", "x"]);
        assert_eq!(groups["x"], &paths[..3]);
        let clash = IdClash { id: "y".to_owned(), one: path("a/y.mp4").into(), other: path("c/y.mp4").into() };
        assert_eq!(clashes, [clash]);
    }

    #[test]
    fn an_input_that_is_no_file_is_itself() {
        let (groups, clashes) = group_by_id(&["test://?seconds=1".into()]);
        assert_eq!((groups.len(), clashes.len()), (1, 0));
        let (groups, clashes) = group_by_id(&["gone/a.mp4".into(), "lost/a.mp4".into()]);
        assert_eq!((groups.len(), clashes.len()), (0, 1));
    }
}
