//! Shot lists of whole films for editors and players (`divita-shotlist`).

use std::collections::BTreeMap;

use anyhow::Result;
use divita_shotlist::{FORMATS, ShotListFormat, ShotListOptions};
use divita_video::SourceInfo;

use super::format::{Format, Presentation, ResultWriter, Writer};
use crate::event::SessionEvent;
use crate::film::Film;

/// Returns the forms of shot lists.
pub(super) fn formats() -> impl Iterator<Item = Format> {
    FORMATS.iter().map(|format| Format {
        name: format.name,
        help: format.help,
        writer: Writer::Films(format),
        is_printable: false,
    })
}

/// Writes the shot list of each film at its end.
pub(super) struct ShotLists {
    format: &'static ShotListFormat,
    options: ShotListOptions,
    films: BTreeMap<String, Film>,
}

impl ShotLists {
    /// Writes shot lists in `format`.
    pub fn new(format: &'static ShotListFormat, presentation: &Presentation<'_>) -> Self {
        ShotLists { format, options: presentation.shot_list, films: BTreeMap::new() }
    }
}

impl ResultWriter for ShotLists {
    fn opened(&mut self, source: &str, info: &SourceInfo) -> String {
        self.films.insert(source.to_owned(), Film::new(info));
        String::new()
    }

    fn event(&mut self, source: &str, event: &SessionEvent) -> Result<String> {
        if let Some(film) = self.films.get_mut(source) {
            film.add(event);
        }
        Ok(String::new())
    }

    fn closed(&mut self, source: &str) -> String {
        let Some(film) = self.films.remove(source) else { return String::new() };
        let film = film.shot_list_film();
        self.format.text(&film, &self.options).unwrap_or_else(|error| {
            log::warn!("{source}: no shot list: {error}");
            String::new()
        })
    }
}
