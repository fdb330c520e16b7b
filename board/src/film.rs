//! A film as its events describe it, for outputs that need the whole film.

use std::collections::BTreeMap;

use divita_runtime::bundle::Task;
use divita_runtime::event::{ClipGenres, Event, Probabilities};
use divita_video::SourceInfo;

use crate::event::{InputEvent, SessionEvent};

/// A film and what is known of it so far.
#[derive(Debug)]
pub struct Film {
    info: SourceInfo,
    /// The events of shots, clips, snippets, losses and dropped clips, and the result.
    events: Vec<Event>,
    errors: Vec<String>,
}

impl Film {
    /// Starts a film that was opened.
    #[must_use]
    pub fn new(info: &SourceInfo) -> Self {
        Film { info: info.clone(), events: Vec::new(), errors: Vec::new() }
    }

    /// Adds an event.
    pub fn add(&mut self, event: &SessionEvent) {
        match event {
            // The genres so far are in no output of a whole film.
            SessionEvent::Method(Event::Genres { .. }) => {}
            SessionEvent::Method(event) => {
                let mut event = event.clone();
                if let Event::Clip { keyframe, .. } = &mut event {
                    // Pictures would take far more memory than all else.
                    *keyframe = None;
                }
                self.events.push(event);
            }
            SessionEvent::Input(InputEvent::Error { message }) => self.errors.push(message.clone()),
            SessionEvent::Input(_) => {}
        }
    }

    /// Returns what was known when the film was opened.
    #[must_use]
    pub fn info(&self) -> &SourceInfo {
        &self.info
    }

    /// Returns the events.
    #[must_use]
    pub fn events(&self) -> &[Event] {
        &self.events
    }

    /// Returns the errors.
    #[must_use]
    pub fn errors(&self) -> &[String] {
        &self.errors
    }

    /// Returns the final probabilities of each shot with clips, by its index.
    #[must_use]
    pub fn shot_genres(&self) -> BTreeMap<usize, Probabilities> {
        let mut clips: BTreeMap<usize, Vec<&Probabilities>> = BTreeMap::new();
        let mut task = Task::default();
        for event in &self.events {
            match event {
                Event::Snippet { clips: all, .. } => {
                    for ClipGenres { shot, probabilities, .. } in all {
                        clips.entry(*shot).or_default().extend(probabilities);
                    }
                }
                Event::Result { task: own, .. } => task = *own,
                _ => {}
            }
        }
        let mean = |(shot, clips): (usize, Vec<&Probabilities>)| Some((shot, Probabilities::mean(clips, task)?));
        clips.into_iter().filter_map(mean).collect()
    }

    /// Returns the film for a shot list.
    #[must_use]
    pub fn shot_list_film(&self) -> divita_shotlist::Film {
        let mut genres = self.shot_genres();
        let SourceInfo { name, width, height, frame_rate, frames, duration, .. } = &self.info;
        let mut film = divita_shotlist::Film {
            name: name.clone(),
            frame_rate: *frame_rate,
            width: Some(*width).filter(|width| *width > 0),
            height: Some(*height).filter(|height| *height > 0),
            frames: *frames,
            duration_s: duration.map(|duration| duration.as_secs_f64()),
            ..divita_shotlist::Film::default()
        };
        for event in &self.events {
            match event {
                Event::Shot { index, start_s, end_s, kind, first_frame, frames, .. } => {
                    let genres = genres.remove(index);
                    let listed = |genres: &Probabilities| {
                        genres.iter().map(|(label, value)| (label.to_owned(), value)).collect()
                    };
                    film.shots.push(divita_shotlist::Shot {
                        index: *index,
                        start_s: *start_s,
                        end_s: *end_s,
                        first_frame: *first_frame,
                        frames: *frames,
                        kind: kind.name().to_owned(),
                        genres: genres.as_ref().map_or(Vec::new(), listed),
                    });
                }
                Event::Result { notice, frames, duration_s, .. } => {
                    (film.frames, film.duration_s, film.notice) = (Some(*frames), Some(*duration_s), notice.clone());
                }
                _ => {}
            }
        }
        film
    }
}
