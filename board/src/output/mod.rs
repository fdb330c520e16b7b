//! Results: where they go and in which form.
//!
//! A form is one file here and one line in `FORMATS`.

mod csv;
mod format;
mod in_order;
mod journal;
mod jsonl;
mod link;
mod record;
mod rotating_file;
mod sink;
mod table;

pub use format::{Content, Format, ResultWriter};
pub use in_order::InOrder;
pub use journal::{Dependencies, Finished, Journal, Stamp};
pub use record::{Records, record};
pub use rotating_file::Rotation;
pub use sink::{Destination, Sink};

/// Every form of results, the default first.
const FORMATS: &[Format] = &[table::FORMAT, jsonl::FORMAT, csv::FORMAT];

/// Returns every form of results, the default first.
#[must_use]
pub fn formats() -> &'static [Format] {
    FORMATS
}

/// Returns the form called `name`.
#[must_use]
pub fn find_format(name: &str) -> Option<&'static Format> {
    FORMATS.iter().find(|format| format.name == name)
}

/// Returns whether `error` means that the reader of the output has closed it.
pub fn is_closed_pipe(error: &anyhow::Error) -> bool {
    let kind =
        |error: &(dyn std::error::Error + 'static)| error.downcast_ref::<std::io::Error>().map(std::io::Error::kind);
    error.chain().any(|error| kind(error) == Some(std::io::ErrorKind::BrokenPipe))
}
