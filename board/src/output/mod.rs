//! Results: where they go and in which form.

pub mod csv;
pub mod jsonl;
mod link;
mod printable;
mod sink;
pub mod table;

use std::io::Write;

use clap::ValueEnum;

pub use printable::{printable, printable_json};
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

/// Says something to whoever runs the program, on one line. That nobody listens any more is no reason to stop.
pub fn say(message: impl std::fmt::Display) {
    let _ = writeln!(std::io::stderr(), "{}", printable(&message.to_string()));
}
