//! How a form of results describes itself, and what writes results in it.

use anyhow::Result;
use divita_runtime::bundle::Manifest;
use divita_shotlist::{ShotListFormat, ShotListOptions};
use divita_video::SourceInfo;

use crate::event::SessionEvent;

/// A form of results.
#[derive(Clone, Copy, Debug)]
pub struct Format {
    /// Name on the command line.
    pub name: &'static str,
    /// Help text.
    pub help: &'static str,
    /// How results are written.
    pub writer: Writer,
    /// Whether the writer makes names printable itself, so that a terminal may show its text as it
    /// is, with colours.
    pub is_printable: bool,
}

/// How results are written in a form.
#[derive(Clone, Copy, Debug)]
pub enum Writer {
    /// Event by event. Makes a writer.
    Events(fn(&Presentation<'_>) -> Box<dyn ResultWriter>),
    /// As the shot list of a whole film, in a file of its own if there are several films.
    Films(&'static ShotListFormat),
}

impl Format {
    /// Returns the form of shot lists, if results are shot lists of whole films.
    #[must_use]
    pub fn shot_list(&self) -> Option<&'static ShotListFormat> {
        match self.writer {
            Writer::Events(_) => None,
            Writer::Films(format) => Some(format),
        }
    }
}

/// What results are, and how they are shown.
#[derive(Clone, Copy, Debug)]
pub struct Presentation<'a> {
    /// What the results are.
    pub content: Content<'a>,
    /// Whether the reader sees colours.
    pub colours: bool,
    /// How shot lists treat transitions and short shots.
    pub shot_list: ShotListOptions,
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

    /// Returns the text below the results of `source`, which has ended.
    fn closed(&mut self, source: &str) -> String {
        let _ = source;
        String::new()
    }
}
