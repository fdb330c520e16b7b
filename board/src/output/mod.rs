//! Results: where they go and in which form.
//!
//! A form is one file here and one line in [`FORMATS`].

mod csv;
mod jsonl;
mod link;
mod sink;
mod table;

use anyhow::Result;
use divita_runtime::bundle::Manifest;
use divita_video::SourceInfo;

pub use sink::Sink;

use crate::session::event::SessionEvent;

/// Every form of results, the default first.
const FORMATS: &[Format] = &[table::FORMAT, jsonl::FORMAT, csv::FORMAT];

/// A form of results.
#[derive(Debug)]
pub struct Format {
    /// Name on the command line.
    pub name: &'static str,
    /// Help text.
    pub help: &'static str,
    /// Makes a writer of results with this content.
    pub writer: fn(&Content<'_>) -> Box<dyn ResultWriter>,
}

impl Format {
    /// Returns every form, the default first.
    #[must_use]
    pub fn all() -> &'static [Format] {
        FORMATS
    }

    /// Returns the form called `name`.
    #[must_use]
    pub fn named(name: &str) -> Option<&'static Format> {
        FORMATS.iter().find(|format| format.name == name)
    }
}

/// What results are.
#[derive(Clone, Copy, Debug)]
pub enum Content<'a> {
    /// Genre probabilities of a bundle with this manifest.
    Genres(&'a Manifest),
    /// Shots alone.
    Shots,
}

/// Turns events into text, with line ends. What has no place in the form is an empty text.
pub trait ResultWriter {
    /// Returns the text above all results.
    ///
    /// # Errors
    /// When the text cannot be made.
    fn heading(&self) -> Result<String> {
        Ok(String::new())
    }

    /// Returns the text above the results of one input.
    fn opened(&mut self, source: &SourceInfo) -> String {
        let _ = source;
        String::new()
    }

    /// Returns the text of an event of `source`.
    ///
    /// # Errors
    /// When the text cannot be made.
    fn event(&mut self, source: &str, event: &SessionEvent) -> Result<String>;
}

/// Returns whether `error` means that the reader of the output has closed it.
pub fn is_closed_pipe(error: &anyhow::Error) -> bool {
    let kind =
        |error: &(dyn std::error::Error + 'static)| error.downcast_ref::<std::io::Error>().map(std::io::Error::kind);
    error.chain().any(|error| kind(error) == Some(std::io::ErrorKind::BrokenPipe))
}
