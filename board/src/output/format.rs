//! How a form of results describes itself, and what writes results in it.

use anyhow::Result;
use divita_runtime::bundle::Manifest;
use divita_video::SourceInfo;

use crate::event::SessionEvent;

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

/// What results are.
#[derive(Clone, Copy, Debug)]
pub enum Content<'a> {
    /// Genre probabilities of a bundle with this manifest.
    Genres(&'a Manifest),
    /// Shots alone.
    Shots,
}

/// Turns events into text, with line ends. What has no place in the form is an empty text.
///
/// Events of several sources come in any order.
pub trait ResultWriter {
    /// Returns the text above all results.
    ///
    /// # Errors
    /// When the text cannot be made.
    fn heading(&self) -> Result<String> {
        Ok(String::new())
    }

    /// Returns the text above the results of `source`.
    fn opened(&mut self, source: &str, info: &SourceInfo) -> String {
        let _ = (source, info);
        String::new()
    }

    /// Returns the text of an event of `source`.
    ///
    /// # Errors
    /// When the text cannot be made.
    fn event(&mut self, source: &str, event: &SessionEvent) -> Result<String>;
}
