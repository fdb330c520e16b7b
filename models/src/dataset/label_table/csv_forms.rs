//! The two forms of a table in CSV: a column of 0 and 1 for each label, or the labels in one
//! column.

use std::collections::HashSet;

use super::{
    entries::{Entry, table},
    error::LabelTableError,
    records::Records,
    source::Source,
    table::{LabelTable, Part, Split, is_split},
};

/// Reads any text.
pub(super) fn read_source(source: &Source<'_>) -> Option<Result<LabelTable, LabelTableError>> {
    let Source::Text(text) = source else { return None };
    Some(parse(text))
}

/// Reads a table from CSV. The labels are in one column where the columns are `video`, `label` or
/// `labels`, and splits.
fn parse(text: &str) -> Result<LabelTable, LabelTableError> {
    let records = Records::new(text)?;
    let columns = records.columns();
    let place = |names: &[&str]| {
        let is = |column: &String| names.iter().any(|name| column.eq_ignore_ascii_case(name));
        columns.iter().position(is)
    };
    let splits = columns.iter().filter(|name| is_split(name)).count();
    match (place(&["video"]), place(&["label", "labels"])) {
        (Some(video), Some(labels)) if columns.len() == splits + 2 => parse_label_lists(records, video, labels),
        _ => parse_indicators(records),
    }
}

/// Reads a table whose column number `labels` holds the labels of each video, separated by `|`.
fn parse_label_lists(mut records: Records, video: usize, labels: usize) -> Result<LabelTable, LabelTableError> {
    let columns = records.columns().to_vec();
    let mut entries = Vec::new();
    while let Some((line, record)) = records.next()? {
        let named: Vec<String> = record[labels].split('|').map(|label| label.trim().to_owned()).collect();
        if named.iter().any(String::is_empty) {
            let reason = "a label is empty: give one label, or several separated by |";
            return Err(LabelTableError::column(line, &columns[labels], reason));
        }
        let mut splits = Vec::new();
        for (name, value) in columns.iter().zip(&record).filter(|(name, _)| is_split(name)) {
            splits.push((name.clone(), part(line, name, value)?));
        }
        entries.push(Entry { line, video: record[video].to_owned(), labels: named, splits });
    }
    table(entries)
}

/// Reads a table whose first column names the video, and whose other columns are labels, 0 or 1,
/// and splits.
fn parse_indicators(mut records: Records) -> Result<LabelTable, LabelTableError> {
    let columns = records.columns().to_vec();
    let of_kind = |split: bool| (1..columns.len()).filter(|&at| is_split(&columns[at]) == split).collect::<Vec<_>>();
    let (label_columns, split_columns) = (of_kind(false), of_kind(true));
    if label_columns.is_empty() {
        return Err(LabelTableError::line(1, "the heading has no column of a label"));
    }
    let mut table = LabelTable {
        labels: label_columns.iter().map(|&at| columns[at].clone()).collect(),
        videos: Vec::new(),
        rows: Vec::new(),
        splits: split_columns.iter().map(|&at| Split { name: columns[at].clone(), parts: Vec::new() }).collect(),
    };
    let mut seen = HashSet::new();
    while let Some((line, record)) = records.next()? {
        let video = record[0].to_owned();
        if video.is_empty() {
            return Err(LabelTableError::line(line, "the video has no name"));
        }
        if !seen.insert(video.clone()) {
            return Err(LabelTableError::line(line, format!("{video} is there twice")));
        }
        table.videos.push(video);
        let label = |&at: &usize| match &record[at] {
            "0" => Ok(false),
            "1" => Ok(true),
            other => Err(LabelTableError::column(line, &columns[at], format!("{other:?} is not 0 or 1"))),
        };
        table.rows.push(label_columns.iter().map(label).collect::<Result<_, _>>()?);
        for (split, &at) in table.splits.iter_mut().zip(&split_columns) {
            split.parts.push(part(line, &columns[at], &record[at])?);
        }
    }
    if table.rows.is_empty() { Err(LabelTableError::whole("the table has no video")) } else { Ok(table) }
}

/// Reads the part of a split that `value` names.
fn part(line: u64, column: &str, value: &str) -> Result<Part, LabelTableError> {
    Part::parse(value).ok_or_else(|| LabelTableError::column(line, column, Part::fault(&format!("{value:?}"))))
}
