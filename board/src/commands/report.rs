//! `divita report`: HTML pages that show why films got their genres.

use std::path::PathBuf;

use anyhow::Result;
use clap::Args;

use super::classification::{ClassificationOptions, Outputs};
use crate::session::Outcome;

/// Write a report about each film: an HTML page with its shots, genre curves, and the shots behind
/// each genre.
///
/// A page needs no network and no other file. Several films get a folder with a page for each and
/// an index. `divita classify --report` writes the same pages and prints results too.
#[derive(Args)]
#[command(after_help = "Examples:\n  \
    divita report samples/sintel-trailer.mp4 --output sintel.html\n  \
    divita report --fps 8 films/ --output reports/")]
pub struct Report {
    #[command(flatten)]
    classification: ClassificationOptions,
    /// The page, or the folder of several pages
    #[arg(long, short, value_name = "FILE.html|DIR")]
    output: PathBuf,
}

impl Report {
    /// Writes the reports.
    pub fn run(&self) -> Result<Outcome> {
        self.classification.run(Outputs { results: None, report: Some(&self.output) })
    }
}
