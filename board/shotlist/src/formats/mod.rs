//! The table of formats: one file and one line each.

mod chapters;
mod edl;
mod fcpxml;
mod ffconcat;
mod html;
mod otio;
mod pyscenedetect;
mod split;
mod webvtt;

use crate::error::ShotListError;
use crate::film::Film;
use crate::shot_list::{ShotList, ShotListOptions};

/// A format of shot lists.
#[derive(Clone, Copy, Debug)]
pub struct ShotListFormat {
    /// Name on the command line.
    pub name: &'static str,
    /// Extension of its files, without the dot.
    pub extension: &'static str,
    /// What to do with the format, in one line.
    pub help: &'static str,
    /// Writes a shot list. Fails if the format cannot hold the list.
    pub write: fn(&Film, &ShotList) -> Result<String, ShotListError>,
}

/// All formats.
#[rustfmt::skip]
pub const FORMATS: &[ShotListFormat] = &[
    ShotListFormat { name: "edl", extension: "edl", help: "Open in an editor: CMX 3600 edit decision list", write: edl::write },
    ShotListFormat { name: "otio", extension: "otio", help: "Open with OpenTimelineIO: timeline as JSON, with all genres", write: otio::write },
    ShotListFormat { name: "fcpxml", extension: "fcpxml", help: "Open in Final Cut Pro or DaVinci Resolve: FCPXML 1.10", write: fcpxml::write },
    ShotListFormat { name: "chapters", extension: "ffmetadata", help: "Add chapters to the film with ffmpeg: ffmetadata", write: chapters::write },
    ShotListFormat { name: "ffconcat", extension: "ffconcat", help: "Play the shots one after another with ffmpeg: concat script", write: ffconcat::write },
    ShotListFormat { name: "split", extension: "sh", help: "Split the film into a file for each shot: shell script for ffmpeg", write: split::write },
    ShotListFormat { name: "pyscenedetect", extension: "csv", help: "Load in PySceneDetect: CSV of its list-scenes", write: pyscenedetect::write },
    ShotListFormat { name: "webvtt", extension: "vtt", help: "Show shots in a web player: WebVTT chapters or metadata", write: webvtt::write },
    ShotListFormat { name: "html", extension: "html", help: "Read in a browser: table of the shots", write: html::write },
];

impl ShotListFormat {
    /// Returns the shot list of `film` in this format.
    ///
    /// # Errors
    /// As [`ShotList::new`], or if the format cannot hold the list.
    pub fn text(&self, film: &Film, options: &ShotListOptions) -> Result<String, ShotListError> {
        ShotList::new(film, options).and_then(|list| (self.write)(film, &list))
    }

    /// Returns the format of that name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<&'static Self> {
        FORMATS.iter().find(|format| format.name == name)
    }
}
