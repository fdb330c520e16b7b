//! Results: where they go and in which form.

pub mod csv;
pub mod jsonl;
mod link;
mod sink;
pub mod table;

use clap::ValueEnum;

pub use sink::Sink;

/// Form of the results.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// For people
    Table,
    /// One JSON object a line, described by runtime/schema/events.json
    Jsonl,
    /// One line a result, with a heading
    Csv,
}

/// Whether `error` says that nobody reads the output any more.
pub fn is_closed_pipe(error: &anyhow::Error) -> bool {
    let kind =
        |error: &(dyn std::error::Error + 'static)| error.downcast_ref::<std::io::Error>().map(std::io::Error::kind);
    error.chain().any(|error| kind(error) == Some(std::io::ErrorKind::BrokenPipe))
}
