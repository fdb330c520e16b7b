//! The history: a SQLite file with the films, shots, clips, genres and errors of all runs.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::fs;

use anyhow::Result;
use divita_console::say;
use divita_history::{BundleFacts, ClipFacts, FilmFacts, History, Limits, ResultFacts, Run, RunFacts, ShotFacts};
use divita_runtime::event::{Event, Probabilities};
use divita_video::SourceInfo;
use jiff::{SignedDuration, Timestamp};

use super::observer::{HistoryPlace, Observer, RunInfo, Source, Status};
use crate::event::{InputEvent, SessionEvent};
use crate::film::Film;
use crate::output::Content;
use crate::shown_command_line::shown_command_line;

/// How often what is too old is deleted.
const CLEANING: SignedDuration = SignedDuration::from_hours(24);

/// Records every film of a run.
struct Recorder {
    history: History,
    run: Run,
    limits: Limits,
    cleaned: Timestamp,
    films: BTreeMap<usize, OpenFilm>,
}

/// A film that is being read.
struct OpenFilm {
    record: divita_history::Film,
    /// All events of a file, whose shots and clips are recorded at its end.
    film: Option<Film>,
    /// The clips of a live source whose snippet is not complete.
    clips: BTreeMap<usize, Event>,
    /// Whether the last write failed, which was reported.
    is_failing: bool,
}

/// Starts if a history is wanted.
pub(super) fn start(run: &RunInfo<'_>) -> Result<Option<Box<dyn Observer>>> {
    let Some(HistoryPlace { path, live_days }) = run.history else { return Ok(None) };
    let history = History::open(path)?;
    let bundle = match run.content {
        Content::Genres(manifest) => Some(BundleFacts { name: manifest.name.clone(), labels: manifest.labels.clone() }),
        Content::Shots => None,
    };
    let started = Timestamp::now();
    let facts = RunFacts { command: shown_command_line(), version: env!("CARGO_PKG_VERSION").into(), bundle, started };
    let run = history.begin_run(&facts)?;
    let limits = Limits { live_days };
    Ok(Some(Box::new(Recorder { history, run, limits, cleaned: Timestamp::UNIX_EPOCH, films: BTreeMap::new() })))
}

/// Returns the probabilities in the order of the bundle's labels.
fn values(probabilities: Option<&Probabilities>) -> Vec<f32> {
    probabilities.map_or(Vec::new(), |all| all.iter().map(|(_, value)| value).collect())
}

fn count(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}

/// Records a clip with its final probabilities.
fn record_clip(
    record: &mut divita_history::Film,
    clip: &Event,
    probabilities: Option<&Probabilities>,
    time: Option<Timestamp>,
) -> divita_history::Result<()> {
    let Event::Clip { index, shot, start_s, end_s, keyframe_s, padded, .. } = clip else { return Ok(()) };
    record.clip(&ClipFacts {
        index: count(*index),
        shot: count(*shot),
        start_s: *start_s,
        end_s: *end_s,
        keyframe_s: *keyframe_s,
        padded: count(*padded),
        time,
        probabilities: &values(probabilities),
    })
}

/// Records a shot.
fn record_shot(
    record: &mut divita_history::Film,
    shot: &Event,
    probabilities: Option<&Probabilities>,
    time: Option<Timestamp>,
) -> divita_history::Result<()> {
    let Event::Shot { index, start_s, end_s, kind, first_frame, frames, .. } = shot else { return Ok(()) };
    record.shot(&ShotFacts {
        index: count(*index),
        start_s: *start_s,
        end_s: *end_s,
        kind: kind.name().to_owned(),
        first_frame: *first_frame,
        frames: *frames,
        time,
        probabilities: &values(probabilities),
    })
}

/// Records the result of a film.
fn record_result(record: &mut divita_history::Film, result: &Event) -> divita_history::Result<()> {
    let Event::Result {
        probabilities,
        frames,
        snippets,
        duration_s,
        fps,
        segmentation,
        task,
        trained,
        notice,
        lost_frames,
        dropped_clips,
        complete,
        ..
    } = result
    else {
        return Ok(());
    };
    record.result(&ResultFacts {
        probabilities: &values(Some(probabilities)),
        frames: *frames,
        snippets: *snippets as u64,
        duration_s: *duration_s,
        fps: Some(f64::from(fps.fps())),
        segmentation: Some(segmentation.name()),
        task: (!task.is_multi_label()).then(|| task.name()),
        trained: Some(*trained),
        notice: notice.as_deref(),
        dropped_clips: *dropped_clips,
        lost_frames: *lost_frames,
        complete: *complete,
    })
}

/// Records the shots and clips of a file.
fn record_file(record: &mut divita_history::Film, film: &Film) -> divita_history::Result<()> {
    let shot_genres = film.shot_genres();
    let mut clips: BTreeMap<usize, &Event> = BTreeMap::new();
    for event in film.events() {
        match event {
            Event::Clip { index, .. } => _ = clips.insert(*index, event),
            Event::Snippet { clips: members, .. } => {
                for member in members {
                    if let Some(clip) = clips.remove(&member.index) {
                        record_clip(record, clip, member.probabilities.as_ref(), None)?;
                    }
                }
            }
            Event::Shot { index, .. } => record_shot(record, event, shot_genres.get(index), None)?,
            Event::Result { .. } => record_result(record, event)?,
            Event::Dropped { .. } | Event::Genres { .. } | Event::Lost { .. } => {}
        }
    }
    Ok(())
}

impl OpenFilm {
    /// Records an event of a live source. What cannot be written yet stays in memory.
    fn add_live(&mut self, event: &Event) -> divita_history::Result<()> {
        let now = Some(Timestamp::now());
        match event {
            Event::Clip { index, .. } => {
                let mut clip = event.clone();
                if let Event::Clip { keyframe, .. } = &mut clip {
                    *keyframe = None;
                }
                self.clips.insert(*index, clip);
                Ok(())
            }
            Event::Snippet { clips, .. } => {
                clips.iter().try_for_each(|member| match self.clips.remove(&member.index) {
                    Some(clip) => record_clip(&mut self.record, &clip, member.probabilities.as_ref(), now),
                    None => Ok(()),
                })
            }
            Event::Shot { probabilities, .. } => record_shot(&mut self.record, event, probabilities.as_ref(), now),
            Event::Result { .. } => record_result(&mut self.record, event),
            Event::Dropped { .. } | Event::Genres { .. } | Event::Lost { .. } => Ok(()),
        }
    }

    /// Reports the first of several failures in a row: a live source goes on without its history.
    fn report(&mut self, name: &str, written: divita_history::Result<()>) {
        match written {
            Ok(()) => self.is_failing = false,
            Err(error) if !self.is_failing => {
                self.is_failing = true;
                say(format_args!("error: {name}: the history misses what happens now: {error}"));
            }
            Err(_) => {}
        }
    }
}

impl Recorder {
    /// Returns the film of `source`. One that was not opened begins now.
    fn film(&mut self, source: Source<'_>, info: Option<&SourceInfo>) -> Result<&mut OpenFilm> {
        let Recorder { run, films, .. } = self;
        let vacant = match films.entry(source.number) {
            Entry::Occupied(open) => return Ok(open.into_mut()),
            Entry::Vacant(vacant) => vacant,
        };
        let live = info.is_some_and(|info| info.live);
        let mut facts = FilmFacts::new(source.name, Timestamp::now()).with_live(live);
        if let Some(info) = info {
            facts.width = u32::try_from(info.width).ok().filter(|width| *width > 0);
            facts.height = u32::try_from(info.height).ok().filter(|height| *height > 0);
            facts.frame_rate = info.frame_rate;
        }
        facts.size = source.input.local_path().and_then(|path| fs::metadata(path).ok()).map(|facts| facts.len());
        let film = info.filter(|info| !info.live).map(Film::new);
        let record = run.begin_film(&facts)?;
        Ok(vacant.insert(OpenFilm { record, film, clips: BTreeMap::new(), is_failing: false }))
    }
}

impl Observer for Recorder {
    fn opened(&mut self, source: Source<'_>, info: &SourceInfo) -> Result<()> {
        self.film(source, Some(info)).map(drop)
    }

    fn event(&mut self, source: Source<'_>, event: &SessionEvent) -> Result<()> {
        let open = self.film(source, None)?;
        match (event, &mut open.film) {
            (SessionEvent::Input(InputEvent::Error { message }), _) => open.record.error(message)?,
            (SessionEvent::Input(InputEvent::Live { width: Some(width), height: Some(height), .. }), _) => {
                open.record.picture(count(*width), count(*height), None)?;
            }
            (SessionEvent::Input(_), _) => {}
            (SessionEvent::Method(_), Some(film)) => film.add(event),
            (SessionEvent::Method(event), None) => {
                let written = open.add_live(event);
                open.report(source.name, written);
            }
        }
        Ok(())
    }

    fn status(&mut self, source: Source<'_>, _: Status) {
        let Recorder { history, limits, cleaned, films, .. } = self;
        let Some(open) = films.get_mut(&source.number).filter(|open| open.film.is_none()) else { return };
        let written = open.record.write_if_due();
        open.report(source.name, written);
        let now = Timestamp::now();
        if now.duration_since(*cleaned) >= CLEANING {
            *cleaned = now;
            if let Err(error) = history.keep(limits, now) {
                say(format_args!("error: {error}"));
            }
        }
    }

    fn closed(&mut self, source: Source<'_>, _: bool) -> Result<()> {
        let Some(mut open) = self.films.remove(&source.number) else { return Ok(()) };
        match &open.film {
            Some(film) => {
                record_file(&mut open.record, film)?;
                open.record.finish()?;
            }
            None => {
                let written = open.record.finish().map(drop);
                open.report(source.name, written);
            }
        }
        Ok(())
    }

    fn finish(self: Box<Self>) -> Result<()> {
        Ok(self.run.finish(Timestamp::now())?)
    }
}
