//! A file for each film in a folder: its shot list.

use std::collections::BTreeMap;
use std::path::PathBuf;

use anyhow::{Context, Result};
use divita_console::whole_file::write_whole;
use divita_shotlist::{ShotListFormat, ShotListOptions};
use divita_video::SourceInfo;

use super::observer::{Observer, RunInfo, Source};
use crate::event::SessionEvent;
use crate::film::Film;
use crate::output::{Destination, film_names};

/// Writes the shot list of each film when its session ends.
struct FilmFiles {
    format: &'static ShotListFormat,
    options: ShotListOptions,
    /// The file of each input.
    files: Vec<PathBuf>,
    films: BTreeMap<usize, Film>,
}

/// Makes the folder, if results are files in a folder.
pub(super) fn start(run: &RunInfo<'_>) -> Result<Option<Box<dyn Observer>>> {
    let (Destination::Folder(folder), Some(format)) = (run.output, run.format.shot_list()) else { return Ok(None) };
    std::fs::create_dir_all(folder).with_context(|| format!("cannot make the folder {}", folder.display()))?;
    let files = film_names(run.inputs, format.extension, &[]).into_iter().map(|name| folder.join(name)).collect();
    Ok(Some(Box::new(FilmFiles { format, options: run.shot_list, files, films: BTreeMap::new() })))
}

impl Observer for FilmFiles {
    fn opened(&mut self, source: Source<'_>, info: &SourceInfo) -> Result<()> {
        self.films.insert(source.number, Film::new(info));
        Ok(())
    }

    fn event(&mut self, source: Source<'_>, event: &SessionEvent) -> Result<()> {
        if let Some(film) = self.films.get_mut(&source.number) {
            film.add(event);
        }
        Ok(())
    }

    fn closed(&mut self, source: Source<'_>, _: bool) -> Result<()> {
        let (Some(film), Some(file)) = (self.films.remove(&source.number), self.files.get(source.number)) else {
            return Ok(());
        };
        let film = film.shot_list_film();
        match self.format.text(&film, &self.options) {
            Ok(text) => write_whole(file, text.as_bytes()).with_context(|| format!("cannot write {}", file.display())),
            Err(error) => {
                log::warn!("{}: no shot list: {error}", source.name);
                Ok(())
            }
        }
    }
}
