//! `divita classify`: genre probabilities of videos.

use std::path::PathBuf;

use anyhow::Result;
use clap::Args;

use super::classification::{ClassificationOptions, Outputs};
use crate::options::OutputOptions;
use crate::output::Destination;
use crate::session::Outcome;

/// Classify videos: print genre probabilities for each input.
///
/// With `--format jsonl`, also prints every shot and clip while the video plays, with the genres of
/// each. With `--report`, also writes a page that shows why a film got its genres.
///
/// Several files are read at once (--jobs), and all live inputs. A live input (a camera or a
/// stream) runs until --duration is over or Ctrl-C or SIGTERM comes, and is opened again when it
/// fails.
///
/// An input that fails does not stop the others. A damaged or stopped file is classified as far as
/// it was read, and marked incomplete.
#[derive(Args)]
#[command(after_help = "Examples:\n  \
    divita classify samples/sintel-trailer.mp4\n  \
    divita classify --fps 8 --format jsonl trailers/ > genres.jsonl\n  \
    divita classify --format csv --output genres.csv --resume archive/\n  \
    divita classify --report sintel.html samples/sintel-trailer.mp4\n  \
    divita classify --fps auto --duration 60 v4l2:///dev/video0\n  \
    ffmpeg -i film.mkv -f yuv4mpegpipe -pix_fmt yuv420p - | divita classify -")]
pub struct Classify {
    #[command(flatten)]
    classification: ClassificationOptions,
    #[command(flatten)]
    output: OutputOptions,
    /// Also write a report: an HTML page, or for several inputs a folder with a page for each and
    /// an index
    #[arg(long, value_name = "FILE.html|DIR", conflicts_with = "resume")]
    report: Option<PathBuf>,
}

impl Classify {
    /// Returns whether the results go to standard output.
    pub fn prints(&self) -> bool {
        matches!(self.output.destination(), Destination::Standard)
    }

    /// Classifies every input.
    pub fn run(&self) -> Result<Outcome> {
        self.classification.run(Outputs { results: Some(&self.output), report: self.report.as_deref() })
    }
}
