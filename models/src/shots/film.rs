//! The signatures of a video's frames with its ground truth: read once, used for training and for
//! many trials.

use std::sync::atomic::{AtomicBool, Ordering};

use divita_runtime::{
    frame::{Timestamp, Undecoded},
    shots::{
        EvidenceDetector, ShotDetector, ShotSettings, ShotTracker, signature::Signature,
        transition_network::TransitionNetwork,
    },
};
use divita_video::{self as source, DecodedPictures, Input};

use super::evaluation::{EvaluationError, Found, Truth, between, file_name};
use crate::parallel::for_each;

/// The signatures of a video's frames, and its ground truth.
pub struct Film {
    /// The file's name.
    pub name: String,
    /// Time and signature of each frame.
    pub frames: Vec<(Timestamp, Signature)>,
    /// Of each frame whether others need it, so that it is decoded with
    /// [`DecodedPictures::Reference`].
    pub is_reference: Vec<bool>,
    /// Its ground truth.
    pub truth: Truth,
}

impl Film {
    /// Reads the video `input`.
    ///
    /// # Errors
    /// When there is no truth beside it, it cannot be read to its end, or its truth is of another
    /// number of frames.
    pub fn read(input: &Input) -> Result<Self, EvaluationError> {
        let truth = Truth::of(input)?;
        let mut source = source::open(input)?;
        let mut frames = Vec::new();
        while let Some(frame) = source.next_frame()? {
            frames.push((frame.time(), Signature::from_frame(&frame)));
        }
        let mut is_reference = vec![false; frames.len()];
        let mut playback = input.playback();
        playback.decode = DecodedPictures::Reference;
        let mut source = source::open(input.clone().with_playback(playback))?;
        while let Some(frame) = source.next_frame()? {
            if let Ok(at) = frames.binary_search_by_key(&frame.time(), |(time, _)| *time) {
                is_reference[at] = true;
            }
        }
        let found = frames.len() as u64;
        match truth.frames.filter(|&frames| frames != found) {
            Some(expected) => Err(EvaluationError::Frames { expected, found }),
            None => Ok(Film { name: file_name(input), frames, is_reference, truth }),
        }
    }

    /// Reads the videos `inputs`, as many at once as there are processors; `done` is called after
    /// each.
    ///
    /// # Errors
    /// The first that cannot be read, and why.
    pub fn read_all(inputs: &[Input], done: impl Fn() + Sync) -> Result<Vec<Self>, (Input, EvaluationError)> {
        let failed = AtomicBool::new(false);
        let films = for_each(inputs, |input| {
            // Of those that cannot be read the others need not be.
            let film = (!failed.load(Ordering::Relaxed)).then(|| Film::read(input));
            failed.fetch_or(matches!(film, Some(Err(_))), Ordering::Relaxed);
            done();
            film
        });
        let named = inputs.iter().zip(films).filter_map(|(input, film)| Some((input, film?)));
        named.map(|(input, film)| film.map_err(|error| (input.clone(), error))).collect()
    }

    /// Returns the frames per second.
    pub fn rate(&self) -> f64 {
        let span = self.frames.last().map_or(0.0, |last| last.0.as_secs_f64() - self.frames[0].0.as_secs_f64());
        if span > 0.0 { (self.frames.len() - 1) as f64 / span } else { 0.0 }
    }

    /// Returns the numbers of the frames that are decoded: all, or those that others need.
    pub fn decoded(&self, only_reference: bool) -> impl Iterator<Item = usize> {
        (0..self.frames.len()).filter(move |&at| !only_reference || self.is_reference[at])
    }

    /// Returns the transitions that the detector with these weights and settings finds in all
    /// frames, or in those that others need.
    pub fn detect(&self, network: &TransitionNetwork, settings: ShotSettings, only_reference: bool) -> Found {
        let mut detector = EvidenceDetector::new(network.clone(), settings);
        let (mut tracker, mut shots) = (ShotTracker::default(), Vec::new());
        let undecoded = |from: usize, next: usize| {
            let between = &self.frames[from..next];
            let (first, last) = (between.first()?.0, between.last()?.0);
            Some(Undecoded { from: first, until: last, pictures: between.len() as u64 })
        };
        let mut next = 0;
        for at in self.decoded(only_reference) {
            let (time, signature) = &self.frames[at];
            if let Some(undecoded) = undecoded(next, at) {
                tracker.state_undecoded(*time, undecoded);
            }
            next = at + 1;
            detector.push_signature(*time, signature.clone(), |verdict| shots.extend(tracker.push(verdict)));
        }
        if let Some(undecoded) = undecoded(next, self.frames.len()) {
            tracker.state_undecoded(undecoded.until, undecoded);
        }
        let Ok(()) = detector.finish(|verdict| shots.extend(tracker.push(verdict)));
        shots.extend(tracker.finish());
        Found { transitions: between(&shots), frames: tracker.frames(), cpu_s: 0.0 }
    }
}
