//! The events of genres: of clips, of snippets, of shots and of the whole stream.

use std::collections::VecDeque;
use std::num::NonZeroUsize;
use std::sync::Arc;

use crate::bundle::Manifest;
use crate::clips::Clip;
use crate::event::{ClipGenres, Event, GenreContributions, Probabilities, ShotContribution};
use crate::heads::Snippets;
use crate::network::{Features, Head, NetworkError};
use crate::preprocess::Picture;
use crate::shots::Shot;

/// Most genres whose contributions the result lists.
const MOST_LEADING: usize = 3;

/// Probability above which a genre leads. The most probable one always does.
const LEADING: f32 = 0.5;

/// Turns the vectors of clips into events.
pub(crate) struct GenreEvents {
    snippets: Snippets,
    labels: Arc<[String]>,
    /// Indices of the current snippet's clips and of their shots.
    clips: Vec<[usize; 2]>,
    /// Whether the current snippet was emitted.
    is_emitted: bool,
    /// The shots that may be listed in the result, oldest first: index, start and end.
    shots: VecDeque<(usize, f64, f64)>,
    latest: Option<NonZeroUsize>,
}

impl GenreEvents {
    /// Returns the events of a stream. The result averages the `latest` snippets, or all.
    pub fn new(heads: Vec<Head>, manifest: &Manifest, latest: Option<NonZeroUsize>) -> Self {
        GenreEvents {
            snippets: Snippets::new(heads, manifest, latest),
            labels: manifest.labels.clone().into(),
            clips: Vec::new(),
            is_emitted: true,
            shots: VecDeque::new(),
            latest,
        }
    }

    fn of(&self, values: Vec<f32>) -> Probabilities {
        Probabilities::new(self.labels.clone(), values)
    }

    /// Returns the number of snippets that the result averages.
    pub fn snippets(&self) -> usize {
        self.snippets.count()
    }

    /// Emits a clip with its keyframe, the provisional genres after it, and its snippet if it is
    /// the last of it.
    ///
    /// # Errors
    /// Returns an error if a head fails.
    pub fn clip(
        &mut self,
        clip: &Clip,
        picture: Option<Arc<Picture>>,
        features: &Features,
        emit: &mut impl FnMut(Event),
    ) -> Result<(), NetworkError> {
        if self.snippets.is_full() {
            self.clips.clear();
        }
        let values = self.snippets.push(features, clip.shot)?.to_vec();
        self.clips.push([clip.index, clip.shot]);
        self.is_emitted = false;
        let mut event = Event::from(clip);
        if let Event::Clip { keyframe, probabilities, .. } = &mut event {
            *keyframe = picture;
            *probabilities = self.snippets.latest_clip().map(|values| self.of(values));
        }
        emit(event);
        emit(Event::Genres { at_s: clip.end.as_secs_f64(), probabilities: self.of(values) });
        if self.snippets.is_full() {
            self.finish(emit);
        }
        Ok(())
    }

    /// Emits a shot.
    pub fn shot(&mut self, shot: &Shot, emit: &mut impl FnMut(Event)) {
        let mut event = Event::from(shot);
        if let Event::Shot { probabilities, start_s, end_s, .. } = &mut event {
            *probabilities = self.snippets.latest_shot(shot.index).map(|values| self.of(values));
            self.shots.push_back((shot.index, *start_s, *end_s));
        }
        // Older shots have no clip in a snippet that counts.
        if self.latest.is_some()
            && let Some(oldest) = self.snippets.oldest_shot()
        {
            while self.shots.pop_front_if(|shot| shot.0 < oldest).is_some() {}
        }
        emit(event);
    }

    /// Emits the current snippet if it was not emitted yet.
    pub fn finish(&mut self, emit: &mut impl FnMut(Event)) {
        if self.is_emitted {
            return;
        }
        self.is_emitted = true;
        let genres = |(position, &[index, shot]): (usize, &[usize; 2])| ClipGenres {
            index,
            shot,
            probabilities: self.snippets.clip(position).map(|values| self.of(values)),
        };
        emit(Event::Snippet {
            index: self.snippets.started().saturating_sub(1),
            clips: self.clips.iter().enumerate().map(genres).collect(),
            padded: self.snippets.length() - self.clips.len(),
            probabilities: self.of(self.snippets.current().to_vec()),
        });
    }

    /// Returns the probabilities of the stream, and the shots that contribute most to its leading
    /// genres. `None` before the first clip.
    pub fn result(&self) -> Option<(Probabilities, Vec<GenreContributions>)> {
        let values = self.snippets.result()?;
        let mut ranked: Vec<usize> = (0..values.len()).collect();
        ranked.sort_by(|&a, &b| values[b].total_cmp(&values[a]));
        let is_leading = |&(rank, &label): &(usize, &usize)| rank == 0 || values[label] > LEADING;
        let leading: Vec<usize> =
            ranked.iter().enumerate().take(MOST_LEADING).take_while(is_leading).map(|(_, &label)| label).collect();
        let listed = |shares: Vec<(usize, f64)>| {
            let times = |shot: usize| self.shots.binary_search_by_key(&shot, |times| times.0).map(|at| self.shots[at]);
            let listed = shares.into_iter().filter_map(|(shot, logit)| {
                let (_, start_s, end_s) = times(shot).ok()?;
                Some(ShotContribution { shot, start_s, end_s, logit })
            });
            listed.collect()
        };
        let contributions = self.snippets.contributions(&leading).unwrap_or_default().into_iter();
        let contributions = contributions.map(|found| GenreContributions {
            genre: self.labels[found.label].clone(),
            supporting: listed(found.supporting),
            opposing: listed(found.opposing),
        });
        let contributions = contributions.collect();
        Some((self.of(values), contributions))
    }
}
