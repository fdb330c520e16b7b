//! Reports: an HTML page for each film, and an index of several.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use divita_console::whole_file::write_whole;
use divita_report::{FilmReport, IndexEntry, Keyframe, KeyframeSize, film_page, index_page, keyframe_size};
use divita_runtime::bundle::Manifest;
use divita_runtime::event::Event;
use divita_video::{Input, SourceInfo};

use super::observer::{Observer, RunInfo, Source};
use crate::event::{InputEvent, SessionEvent};
use crate::film::Film;
use crate::film_report::{bundle, film_report};
use crate::jpeg;
use crate::options::is_folder;
use crate::output::{Content, film_names};
use crate::shown_command_line::shown_command_line;

/// The index in a folder of reports.
const INDEX: &str = "index.html";

/// Mean length of a shot in seconds, from which the number of shots is estimated before a film is
/// read.
const SHOT_S: f64 = 3.0;

/// Number of genres of a film in the index.
const INDEX_GENRES: usize = 3;

/// Writes the report of each film when its session ends.
struct Reports {
    manifest: Manifest,
    command_line: String,
    /// The folder of several reports.
    folder: Option<PathBuf>,
    /// The page of each input.
    pages: Vec<PathBuf>,
    films: BTreeMap<usize, OpenFilm>,
    /// The films of the index by the numbers of their inputs.
    index: BTreeMap<usize, IndexEntry>,
}

/// A film that is being read.
struct OpenFilm {
    film: Film,
    size: KeyframeSize,
    keyframes: BTreeMap<usize, Keyframe>,
}

/// Starts if a report is wanted.
pub(super) fn start(run: &RunInfo<'_>) -> Result<Option<Box<dyn Observer>>> {
    let (Some(place), Content::Genres(manifest)) = (run.report, run.content) else { return Ok(None) };
    let folder = is_folder(place).then(|| place.to_owned());
    let pages = match &folder {
        Some(folder) => {
            std::fs::create_dir_all(folder).with_context(|| format!("cannot make the folder {}", folder.display()))?;
            film_names(run.inputs, "html", &[INDEX]).into_iter().map(|name| folder.join(name)).collect()
        }
        None => {
            check(place, run.inputs)?;
            vec![place.to_owned()]
        }
    };
    let command_line = shown_command_line();
    let (films, index) = (BTreeMap::new(), BTreeMap::new());
    Ok(Some(Box::new(Reports { manifest: manifest.clone(), command_line, folder, pages, films, index })))
}

/// Checks that the page can be written, and replaces no input.
fn check(page: &Path, inputs: &[Input]) -> Result<()> {
    let canonical = |path: &Path| std::fs::canonicalize(path).ok();
    let is_page = |input: &Input| {
        let (page, input) = (canonical(page), input.local_path().and_then(|path| canonical(&path)));
        page.is_some() && page == input
    };
    if inputs.iter().any(is_page) {
        bail!("{} is an input: the report would take its place; name another file", page.display());
    }
    let folder = page.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    if !folder.is_dir() {
        bail!("cannot write {}: there is no folder {}", page.display(), folder.display());
    }
    Ok(())
}

impl Reports {
    /// Writes the page of a film and returns its entry in the index.
    fn write(&self, number: usize, open: OpenFilm) -> Result<IndexEntry> {
        let OpenFilm { film, keyframes, .. } = open;
        let name = film.info().name.clone();
        let entry = IndexEntry {
            film: name.clone(),
            bundle: bundle(&self.manifest),
            errors: film.errors().to_vec(),
            ..IndexEntry::default()
        };
        let report = film_report(&film, keyframes, &self.manifest, &self.command_line);
        let (Some(report), Some(page)) = (report, self.pages.get(number)) else { return Ok(entry) };
        let text = film_page(&report).with_context(|| format!("cannot make the report of {name}"))?;
        write_whole(page, text.as_bytes()).with_context(|| format!("cannot write {}", page.display()))?;
        let file = page.file_name().map(|file| file.to_string_lossy().into_owned());
        Ok(IndexEntry { page: file.unwrap_or_default(), ..listed(report, entry) })
    }
}

/// Returns `entry` with what the report says.
fn listed(report: FilmReport, entry: IndexEntry) -> IndexEntry {
    let mut genres: Vec<(String, f32)> = report.labels.into_iter().zip(report.probabilities).collect();
    genres.sort_by(|a, b| b.1.total_cmp(&a.1));
    genres.truncate(INDEX_GENRES);
    let (shots, duration_s, complete) = (report.shots.len(), report.duration_s, report.complete);
    // A shot in the middle says more than a title at the start.
    let mut with_keyframe: Vec<_> = report.shots.into_iter().filter_map(|shot| shot.keyframe).collect();
    let middle = with_keyframe.len() / 2;
    let keyframe = (!with_keyframe.is_empty()).then(|| with_keyframe.swap_remove(middle));
    IndexEntry { genres, shots, duration_s, complete, keyframe, ..entry }
}

impl Observer for Reports {
    fn opened(&mut self, source: Source<'_>, info: &SourceInfo) -> Result<()> {
        let shots = info.duration.map_or(0.0, |duration| duration.as_secs_f64() / SHOT_S);
        let open = OpenFilm { film: Film::new(info), size: keyframe_size(shots as usize), keyframes: BTreeMap::new() };
        self.films.insert(source.number, open);
        Ok(())
    }

    fn event(&mut self, source: Source<'_>, event: &SessionEvent) -> Result<()> {
        let Some(OpenFilm { film, size, keyframes }) = self.films.get_mut(&source.number) else {
            // An input that could not be opened has no page.
            if let SessionEvent::Input(InputEvent::Error { message }) = event {
                let (film, errors) = (source.name.to_owned(), vec![message.clone()]);
                let entry = IndexEntry { film, errors, bundle: bundle(&self.manifest), ..IndexEntry::default() };
                self.index.insert(source.number, entry);
            }
            return Ok(());
        };
        if let SessionEvent::Method(Event::Clip { shot, keyframe: Some(picture), .. }) = event {
            let (jpeg, [width, height]) = jpeg::encode(picture, size.width, size.quality)?;
            keyframes.entry(*shot).or_insert(Keyframe { jpeg, width, height });
        }
        film.add(event);
        Ok(())
    }

    fn closed(&mut self, source: Source<'_>, _: bool) -> Result<()> {
        if let Some(open) = self.films.remove(&source.number) {
            let entry = self.write(source.number, open)?;
            self.index.insert(source.number, entry);
        }
        Ok(())
    }

    fn finish(self: Box<Self>) -> Result<()> {
        let Some(folder) = self.folder else { return Ok(()) };
        let entries: Vec<IndexEntry> = self.index.into_values().collect();
        let page = folder.join(INDEX);
        let text = index_page(&entries).context("cannot make the index of the reports")?;
        write_whole(&page, text.as_bytes()).with_context(|| format!("cannot write {}", page.display()))
    }
}
