//! Results: where they go and in which form.
//!
//! A form is one file here and one line in `FORMATS`. A form of shot lists is one file and one line
//! in `divita-shotlist`.

mod csv;
mod film_names;
mod format;
mod in_order;
mod journal;
mod jsonl;
mod link;
mod record;
mod rotating_file;
mod shot_list;
mod shot_timeline;
mod sink;
mod table;

use std::sync::LazyLock;

pub use csv::csv_line;
pub use film_names::film_names;
pub use format::{Content, Format, Presentation, ResultWriter, Writer};
pub use in_order::InOrder;
pub use journal::{Dependencies, Finished, Journal, Stamp};
pub use record::{Records, record};
pub use rotating_file::Rotation;
pub use sink::{Destination, Sink};

/// Every form of results that is written event by event, the default first.
const FORMATS: &[Format] = &[table::FORMAT, jsonl::FORMAT, jsonl::FORMAT_1, csv::FORMAT];

/// Returns every form of results, the default first, those of shot lists last.
#[must_use]
pub fn formats() -> &'static [Format] {
    static ALL: LazyLock<Vec<Format>> = LazyLock::new(|| FORMATS.iter().copied().chain(shot_list::formats()).collect());
    &ALL
}

/// Makes a writer of results in `format`.
#[must_use]
pub fn writer(format: &Format, presentation: &Presentation<'_>) -> Box<dyn ResultWriter> {
    match format.writer {
        Writer::Events(writer) => writer(presentation),
        Writer::Films(format) => Box::new(shot_list::ShotLists::new(format, presentation)),
    }
}

/// Returns the form called `name`.
#[must_use]
pub fn find_format(name: &str) -> Option<&'static Format> {
    formats().iter().find(|format| format.name == name)
}

/// Returns whether `error` means that the reader of the output has closed it.
pub fn is_closed_pipe(error: &anyhow::Error) -> bool {
    let kind =
        |error: &(dyn std::error::Error + 'static)| error.downcast_ref::<std::io::Error>().map(std::io::Error::kind);
    error.chain().any(|error| kind(error) == Some(std::io::ErrorKind::BrokenPipe))
}
