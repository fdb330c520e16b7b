//! The table of a data set: for each video its labels, and in each split the part that it belongs to. A CSV as Trailers12k is published in.

use std::collections::HashSet;
use std::path::Path;

use serde::Serialize;
use thiserror::Error;

/// What a video is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Part {
    /// Weights are trained on it.
    Train,
    /// Choices are made on it: when to stop, thresholds.
    Validation,
    /// Results are of it.
    Test,
}

impl Part {
    /// All, by the numbers that they have in a table.
    pub const ALL: [Part; 3] = [Part::Train, Part::Validation, Part::Test];
}

/// One way to part the videos.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Split {
    /// The column's name: `split0`, `split1` ...
    pub name: String,
    /// Of each row its part.
    pub parts: Vec<Part>,
}

/// The table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LabelTable {
    /// The labels' names.
    pub labels: Vec<String>,
    /// Of each row the video: an identifier or a path.
    pub videos: Vec<String>,
    /// Of each row which labels it has.
    pub rows: Vec<Vec<bool>>,
    /// The splits, in the order of their columns.
    pub splits: Vec<Split>,
}

/// Why a table cannot be used.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum LabelTableError {
    /// It cannot be read as CSV.
    #[error("it cannot be read as CSV")]
    Csv(#[from] csv::Error),
    /// A column's name is that of another.
    #[error("two columns are called {0}")]
    Column(String),
    /// There is no label.
    #[error(
        "it has no column of a label: the first column names the video, each other is a label of 0 and 1 or a split, called split0, split1 ..."
    )]
    NoLabel,
    /// A value has no meaning.
    #[error("line {line}, column {column}: {value:?} where {must} must be")]
    Value {
        /// Line of the file, from 1.
        line: u64,
        /// The column.
        column: String,
        /// What it holds.
        value: String,
        /// What it must hold.
        must: &'static str,
    },
    /// A video is there twice.
    #[error("line {line}: {video} is there twice")]
    Twice {
        /// Line of the file, from 1.
        line: u64,
        /// The video.
        video: String,
    },
    /// A video has no label, or several, where it must have exactly one.
    #[error(
        "row {row}: {video} has {found}, and --single-label needs exactly one label per video; correct the table, or leave the option out"
    )]
    NotSingleLabel {
        /// The row, from 1, the heading left out.
        row: usize,
        /// The video.
        video: String,
        /// The labels found, in words.
        found: String,
    },
    /// There is one label only, so a video cannot have another.
    #[error("it has the label {0} only, and --single-label needs at least 2 to choose from")]
    OneLabel(String),
    /// There is no row.
    #[error("it has no row")]
    Empty,
}

/// Whether a column of this name is one of splits.
fn is_split(name: &str) -> bool {
    name.strip_prefix("split")
        .is_some_and(|number| !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit()))
}

impl LabelTable {
    /// Reads the file `path`.
    ///
    /// # Errors
    /// When it cannot be read, or is no such table; where, is said.
    pub fn read(path: &Path) -> Result<Self, LabelTableError> {
        LabelTable::parse(csv::Reader::from_path(path)?)
    }

    /// Reads a table from CSV.
    ///
    /// # Errors
    /// When it is no such table; where, is said.
    pub fn parse<R: std::io::Read>(mut reader: csv::Reader<R>) -> Result<Self, LabelTableError> {
        let columns: Vec<String> = reader.headers()?.iter().map(|name| name.trim().to_owned()).collect();
        let mut names = HashSet::new();
        if let Some(twice) = columns.iter().find(|name| !names.insert(name.as_str())) {
            return Err(LabelTableError::Column(twice.clone()));
        }
        let of_kind =
            |split: bool| (1..columns.len()).filter(|&at| is_split(&columns[at]) == split).collect::<Vec<_>>();
        let (label_columns, split_columns) = (of_kind(false), of_kind(true));
        if label_columns.is_empty() {
            return Err(LabelTableError::NoLabel);
        }
        let mut table = LabelTable {
            labels: label_columns.iter().map(|&at| columns[at].clone()).collect(),
            videos: Vec::new(),
            rows: Vec::new(),
            splits: split_columns.iter().map(|&at| Split { name: columns[at].clone(), parts: Vec::new() }).collect(),
        };
        let mut seen = HashSet::new();
        for record in reader.records() {
            let record = record?;
            let line = record.position().map_or(0, csv::Position::line);
            let value = |at: usize| record.get(at).unwrap_or_default().trim();
            let fault = |at: usize, must| LabelTableError::Value {
                line,
                column: columns[at].clone(),
                value: value(at).to_owned(),
                must,
            };
            let video = value(0).to_owned();
            if !seen.insert(video.clone()) {
                return Err(LabelTableError::Twice { line, video });
            }
            table.videos.push(video);
            let label = |&at: &usize| match value(at) {
                "0" => Ok(false),
                "1" => Ok(true),
                _ => Err(fault(at, "0 or 1")),
            };
            table.rows.push(label_columns.iter().map(label).collect::<Result<_, _>>()?);
            for (split, &at) in table.splits.iter_mut().zip(&split_columns) {
                let part = value(at).parse().ok().and_then(|number: usize| Part::ALL.get(number));
                split.parts.push(*part.ok_or_else(|| fault(at, "0 for train, 1 for validation or 2 for test"))?);
            }
        }
        if table.rows.is_empty() { Err(LabelTableError::Empty) } else { Ok(table) }
    }

    /// Checks that there are several labels, and that each video has exactly one.
    ///
    /// # Errors
    /// [`LabelTableError::OneLabel`]; [`LabelTableError::NotSingleLabel`], which names the first other row.
    pub fn check_single_label(&self) -> Result<(), LabelTableError> {
        if let [label] = &self.labels[..] {
            return Err(LabelTableError::OneLabel(label.clone()));
        }
        for (at, (video, row)) in self.videos.iter().zip(&self.rows).enumerate() {
            let own = self.labels.iter().zip(row).filter_map(|(label, &has)| has.then_some(label.as_str()));
            let own: Vec<&str> = own.collect();
            if own.len() != 1 {
                let found = match own.len() {
                    0 => "no label".to_owned(),
                    count => format!("{count} labels ({})", own.join(", ")),
                };
                return Err(LabelTableError::NotSingleLabel { row: at + 1, video: video.clone(), found });
            }
        }
        Ok(())
    }

    /// The table as CSV.
    ///
    /// # Errors
    /// When there is no room for it.
    pub fn to_csv(&self) -> Result<Vec<u8>, csv::Error> {
        let mut writer = csv::Writer::from_writer(Vec::new());
        let columns = ["video"].into_iter().chain(self.labels.iter().map(String::as_str));
        writer.write_record(columns.chain(self.splits.iter().map(|split| split.name.as_str())))?;
        for (at, (video, labels)) in self.videos.iter().zip(&self.rows).enumerate() {
            let labels = labels.iter().map(|&label| if label { "1" } else { "0" });
            let parts = self.splits.iter().map(|split| ["0", "1", "2"][split.parts[at] as usize]);
            writer.write_record([video.as_str()].into_iter().chain(labels).chain(parts))?;
        }
        writer.into_inner().map_err(|error| csv::Error::from(error.into_error()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<LabelTable, LabelTableError> {
        LabelTable::parse(csv::Reader::from_reader(text.as_bytes()))
    }

    #[test]
    fn what_is_written_is_what_was_read() {
        let text = "video,fun,\"sad, or not\",split0,split10\n\"a, b.mp4\",1,0,2,0\nc.mp4,0,0,1,1\n";
        let table = parse(text).expect("a good table");
        assert_eq!(table.labels, ["fun", "sad, or not"]);
        assert_eq!(table.rows, [[true, false], [false, false]]);
        assert_eq!(table.splits[1].parts, [Part::Train, Part::Validation]);
        assert_eq!(String::from_utf8(table.to_csv().expect("room")).expect("text"), text);
    }

    #[test]
    fn single_label_tables_have_one_label_in_every_row() {
        let check = |text: &str| parse(text).expect("a good table").check_single_label().map_err(|e| e.to_string());
        assert_eq!(check("video,fun,war\na,1,0\nb,0,1\n"), Ok(()));
        let several = check("video,fun,war\na,1,0\nb,1,1\nc,0,0\n").expect_err("two labels");
        assert!(several.starts_with("row 2: b has 2 labels (fun, war), and --single-label needs"), "{several}");
        let none = check("video,fun,war\na,1,0\nc,0,0\n").expect_err("no label");
        assert!(none.starts_with("row 2: c has no label"), "{none}");
        let one = check("video,fun\na,1\n").expect_err("one label");
        assert!(one.starts_with("it has the label fun only"), "{one}");
    }

    #[test]
    fn what_is_no_table_is_refused_and_the_place_is_named() {
        let fault = |text: &str| parse(text).expect_err(text).to_string();
        assert_eq!(fault("video,fun\na,1\nb,yes\n"), "line 3, column fun: \"yes\" where 0 or 1 must be");
        assert!(fault("video,fun,split0\na,1,3\n").starts_with("line 2, column split0: \"3\""));
        assert_eq!(fault("video,fun\na,1\na,0\n"), "line 3: a is there twice");
        assert_eq!(fault("video,fun,fun\n"), "two columns are called fun");
        assert!(fault("video,split0\na,1\n").starts_with("it has no column of a label"));
        assert_eq!(fault("video,fun\n"), "it has no row");
        assert_eq!(
            fault(""),
            "it has no column of a label: the first column names the video, each other is a label of 0 and 1 or a split, called split0, split1 ..."
        );
        assert!(matches!(parse("video,fun\na\n"), Err(LabelTableError::Csv(_))));
    }
}
