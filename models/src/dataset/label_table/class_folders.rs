//! A table as a folder with a sub-folder for each class: `films/horror/a.mp4`.

use std::{
    collections::{BTreeSet, HashMap},
    fs,
    path::Path,
};

use divita_video::{
    Input,
    expansion::{Expansion, expand, skipped_line},
};

use super::{
    entries::{Entry, table},
    error::LabelTableError,
    source::Source,
    table::LabelTable,
};
use crate::dataset::video_files::group_by_id;

/// Reads a folder.
pub(super) fn read_source(source: &Source<'_>) -> Option<Result<LabelTable, LabelTableError>> {
    match source {
        Source::Folder(folder) => Some(read(folder)),
        Source::Text(_) => None,
    }
}

/// Reads the videos in the class folders of `folder`, by their path below it. A class folder may
/// have sub-folders. A video whose file is in several class folders has several labels, and the
/// first path of these in the order of names. Skipped files are logged.
fn read(folder: &Path) -> Result<LabelTable, LabelTableError> {
    fs::read_dir(folder)?;
    let root = Input::from(folder);
    let expanded = expand(std::slice::from_ref(&root), &Expansion::default());
    expanded.report().iter().for_each(|line| log::info!("{line}"));
    let below = |path: &Input| Some(Input::from(path.local_path()?.strip_prefix(folder).ok()?).to_string());
    let class = |path: &Input| below(path)?.split_once('/').map(|(class, _)| class.trim().to_owned());
    let (in_classes, others): (Vec<Input>, Vec<Input>) =
        expanded.inputs.into_iter().partition(|path| class(path).is_some());
    // The folder stands for itself where it holds no video.
    let others: Vec<String> = others.iter().filter_map(&below).filter(|path| !path.is_empty()).collect();
    if !others.is_empty() {
        let paths: Vec<&str> = others.iter().map(String::as_str).collect();
        log::info!("{}", skipped_line(root.shown(), &paths, "in no class folder"));
    }
    if in_classes.is_empty() {
        return Err(LabelTableError::whole("the folder has no sub-folder with videos"));
    }
    let (groups, clashes) = group_by_id(&in_classes);
    if let Some(clash) = clashes.into_iter().next() {
        return Err(clash.into());
    }
    let mut labels_of = HashMap::<&Input, BTreeSet<String>>::new();
    for copies in groups.values() {
        labels_of.insert(&copies[0], copies.iter().filter_map(&class).collect());
    }
    let entry = |path: &Input| {
        let labels = labels_of.get(path)?.iter().cloned().collect();
        Some(Entry { line: 0, video: below(path)?, labels, splits: Vec::new() })
    };
    table(in_classes.iter().filter_map(entry).collect())
}
