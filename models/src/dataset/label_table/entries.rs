//! Makes a table of videos whose labels are given by name.

use std::collections::{BTreeSet, HashMap, HashSet};

use super::{
    error::LabelTableError,
    table::{LabelTable, Part, Split, is_split},
};

/// Maximum number of different labels, since statistics of pairs need memory for each pair.
const MOST_LABELS: usize = 4096;

/// Names that a label cannot have, because a table in CSV uses them for other columns.
const RESERVED: [&str; 3] = ["video", "label", "labels"];

/// A video and its labels.
pub(super) struct Entry {
    /// Line of the file, from 1; 0 where there is no file.
    pub line: u64,
    /// The video.
    pub video: String,
    /// The names of its labels.
    pub labels: Vec<String>,
    /// Its part of each split.
    pub splits: Vec<(String, Part)>,
}

/// Makes the table of `entries`. Labels are in the order of their bytes.
pub(super) fn table(entries: Vec<Entry>) -> Result<LabelTable, LabelTableError> {
    let Some(first) = entries.first() else { return Err(LabelTableError::whole("the table has no video")) };
    let split_names: Vec<String> = first.splits.iter().map(|(name, _)| name.clone()).collect();
    let first_line = first.line;
    let mut videos = HashSet::new();
    for entry in &entries {
        let fault = |reason: String| Err(LabelTableError::line(entry.line, reason));
        if entry.video.is_empty() {
            return fault("the video has no name".to_owned());
        }
        if !videos.insert(entry.video.as_str()) {
            return fault(format!("{} is there twice: give all of its labels in one line", entry.video));
        }
        for label in &entry.labels {
            if label.is_empty() {
                return fault("a label is empty".to_owned());
            }
            if is_split(label) || RESERVED.iter().any(|name| label.eq_ignore_ascii_case(name)) {
                return fault(format!("a label cannot be called {label:?}: it is the name of another column"));
            }
        }
        let names: HashSet<&String> = entry.splits.iter().map(|(name, _)| name).collect();
        if let Some(missing) = split_names.iter().find(|name| !names.contains(name)) {
            return fault(format!("{missing} is missing, which line {first_line} has"));
        }
        if names.len() > split_names.len() {
            let more = entry.splits.iter().find(|(name, _)| !split_names.contains(name));
            let name = more.map_or("", |(name, _)| name);
            return fault(format!("{name} is given, which line {first_line} does not have"));
        }
    }
    let labels = ordered_labels(&entries)?;
    let place: HashMap<&str, usize> = labels.iter().enumerate().map(|(at, label)| (label.as_str(), at)).collect();
    let row = |entry: &Entry| {
        let mut row = vec![false; labels.len()];
        entry.labels.iter().filter_map(|label| place.get(label.as_str())).for_each(|&at| row[at] = true);
        row
    };
    let rows = entries.iter().map(row).collect();
    let part = |entry: &Entry, name: &str| entry.splits.iter().find(|(its, _)| its == name).map(|(_, part)| *part);
    let split = |name: &String| Split {
        name: name.clone(),
        parts: entries.iter().filter_map(|entry| part(entry, name)).collect(),
    };
    let splits = split_names.iter().map(split).collect();
    Ok(LabelTable { videos: entries.into_iter().map(|entry| entry.video).collect(), labels, rows, splits })
}

/// Returns every label of `entries` once.
fn ordered_labels(entries: &[Entry]) -> Result<Vec<String>, LabelTableError> {
    let labels: BTreeSet<&str> = entries.iter().flat_map(|entry| &entry.labels).map(String::as_str).collect();
    match labels.len() {
        0 => Err(LabelTableError::whole("no video has a label")),
        count if count > MOST_LABELS => {
            Err(LabelTableError::whole(format!("there are {count} different labels, more than {MOST_LABELS}")))
        }
        _ => Ok(labels.into_iter().map(str::to_owned).collect()),
    }
}
