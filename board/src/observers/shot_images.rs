//! Pictures of each shot, from a second pass over the film.

use std::collections::BTreeMap;
use std::fs;
use std::num::NonZeroU64;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use divita_console::whole_file::write_whole;
use divita_runtime::event::Event;
use divita_runtime::frame::Frame;
use divita_runtime::preprocess::{Picture, Preprocessor};
use divita_video::SourceInfo;

use super::observer::{ImagesPlace, Observer, RunInfo, Source};
use crate::event::SessionEvent;
use crate::jpeg;
use crate::output::film_names;

/// JPEG quality of the pictures, of 100.
const QUALITY: u8 = 90;

/// Collects the frames that are wanted, and writes their pictures when the session ends.
struct ShotImages {
    folder: PathBuf,
    per_shot: NonZeroU64,
    /// The beginning of the file names of each input.
    names: Vec<String>,
    /// For each film that is being read: the wanted frames with their shot and place in it.
    films: BTreeMap<usize, BTreeMap<u64, (usize, u64)>>,
}

/// Makes the folder, if pictures are wanted.
pub(super) fn start(run: &RunInfo<'_>) -> Result<Option<Box<dyn Observer>>> {
    let Some(ImagesPlace { folder, per_shot }) = run.images else { return Ok(None) };
    fs::create_dir_all(folder).with_context(|| format!("cannot make the folder {}", folder.display()))?;
    let names = film_names(run.inputs, "jpg", &[]);
    let names = names.iter().map(|name| name.trim_end_matches(".jpg").to_owned()).collect();
    Ok(Some(Box::new(ShotImages { folder: folder.to_owned(), per_shot, names, films: BTreeMap::new() })))
}

impl Observer for ShotImages {
    fn opened(&mut self, source: Source<'_>, info: &SourceInfo) -> Result<()> {
        if info.live || source.input.local_path().is_none() {
            log::warn!("{}: no pictures of its shots: they need a second pass over a file", source.name);
        } else {
            self.films.insert(source.number, BTreeMap::new());
        }
        Ok(())
    }

    fn event(&mut self, source: Source<'_>, event: &SessionEvent) -> Result<()> {
        if let SessionEvent::Method(Event::Shot { index, first_frame, frames, .. }) = event
            && let Some(wanted) = self.films.get_mut(&source.number)
        {
            // The middles of equal parts of the shot.
            let count = self.per_shot.get().min(*frames);
            let places =
                (0..count).map(|place| (first_frame + frames * (2 * place + 1) / (2 * count), (*index, place)));
            wanted.extend(places);
        }
        Ok(())
    }

    fn closed(&mut self, source: Source<'_>, _: bool) -> Result<()> {
        let (Some(wanted), Some(name)) = (self.films.remove(&source.number), self.names.get(source.number)) else {
            return Ok(());
        };
        save(source, &wanted, |(shot, place)| self.folder.join(format!("{name}-{shot:04}-{place}.jpg")))
            .with_context(|| format!("no pictures of the shots of {}", source.name))
    }
}

/// Decodes the film again and writes the wanted frames, which are counted like those of events.
fn save(
    source: Source<'_>,
    wanted: &BTreeMap<u64, (usize, u64)>,
    path: impl Fn((usize, u64)) -> PathBuf,
) -> Result<()> {
    let Some((&last, _)) = wanted.last_key_value() else { return Ok(()) };
    let mut film = divita_video::open(source.input.clone())?;
    let (mut index, mut time) = (0, None);
    let mut pictures = None;
    while index <= last
        && let Some(frame) = film.next_frame()?
    {
        if time.is_some_and(|time| frame.time() <= time) {
            continue;
        }
        time = Some(frame.time());
        if let Some(&place) = wanted.get(&index) {
            write(&frame, &mut pictures, &path(place))?;
        }
        index += 1;
    }
    if index <= last {
        bail!("its second pass has {index} frames, the first one had more than {last}");
    }
    Ok(())
}

/// Writes a frame as it is shown: upright, with square pixels.
fn write(frame: &Frame<'_>, pictures: &mut Option<(Preprocessor, Picture)>, path: &Path) -> Result<()> {
    let width = (frame.width() as f64 * frame.sample_aspect().ratio()).round().max(1.0) as usize;
    let (width, height) = match frame.orientation().swaps_sides() {
        true => (frame.height(), width),
        false => (width, frame.height()),
    };
    if pictures.as_ref().is_none_or(|(_, picture)| (picture.width(), picture.height()) != (width, height)) {
        *pictures = Some((Preprocessor::whole(width, height), Picture::black(width, height)));
    }
    if let Some((preprocessor, picture)) = pictures {
        preprocessor.make(frame, picture);
        let (jpeg, _) = jpeg::encode(picture, u32::MAX, QUALITY)?;
        write_whole(path, &jpeg).with_context(|| format!("cannot write {}", path.display()))?;
    }
    Ok(())
}
