//! The pipeline: decoded frames in, events out. It is the whole method, on one thread or several,
//! with the same events.

use std::collections::VecDeque;
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::Duration;

use thiserror::Error;

use crate::backbone_pool::{BackbonePool, BackboneWorker, ClipQueue, PoolError};
use crate::bundle::{Bundle, Task};
use crate::clips::Clip;
use crate::event::Event;
use crate::executor::Executor;
use crate::fair_pool::Outcome;
use crate::frame::{Frame, Timestamp, Undecoded};
use crate::genre_events::GenreEvents;
use crate::network::{Backbones, Features, NetworkError, Networks};
use crate::sampler::WorkingRate;
use crate::segmenter::{Segment, Segmentation, Segmenter, SegmenterOptions};
use crate::shots::{BoxedDetector, DETECTORS, DetectorError, DetectorSetup, Shot};

/// Options of a pipeline.
#[derive(Clone, Copy, Debug)]
pub struct PipelineOptions {
    /// Working rate at the start. The networks must be prepared for it.
    pub rate: WorkingRate,
    /// Whether clips respect shots.
    pub segmentation: Segmentation,
    /// Number of threads, the pushing thread included. The pushing thread finds shots and clips,
    /// and the other threads run backbones. With one thread, the pushing thread does both.
    /// [`Pipeline::with_pool`] ignores this number.
    pub threads: NonZeroUsize,
    /// Number of latest snippets that the result averages, for endless streams. `None` averages
    /// all.
    pub latest: Option<NonZeroUsize>,
    /// Whether a pool that is behind drops clips, for live streams, which do not wait. By default
    /// frames wait for the networks. Without a pool this has no effect.
    pub drop_when_behind: bool,
    /// The clips whose events have a keyframe.
    pub keyframes: Keyframes,
}

/// The clips whose events have a keyframe ([`Event::Clip`]).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Keyframes {
    /// None.
    #[default]
    None,
    /// The first clip of each shot.
    Shots,
    /// All clips.
    Clips,
}

impl Default for PipelineOptions {
    /// Returns options for a file: 4 frames a second, one thread, nothing dropped.
    fn default() -> Self {
        PipelineOptions {
            rate: WorkingRate::default(),
            segmentation: Segmentation::default(),
            threads: NonZeroUsize::MIN,
            latest: None,
            drop_when_behind: false,
            keyframes: Keyframes::None,
        }
    }
}

/// Why a stream could not be classified.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum PipelineError {
    /// A network could not be prepared, or failed.
    #[error(transparent)]
    Network(#[from] NetworkError),
    /// The shot detector failed.
    #[error(transparent)]
    Detector(#[from] DetectorError),
    /// The threads for the backbones could not be started.
    #[error(transparent)]
    Pool(#[from] PoolError),
    /// The stream ended without a clip.
    #[error(
        "it has no clip to classify: of {frames} frames that were decoded, every one is black, part of a transition, or of a \
         shot too short for one sample"
    )]
    NoClip {
        /// Frames decoded.
        frames: u64,
    },
}

/// Builds a [`Pipeline`]. Every option has a default.
///
/// ```no_run
/// use divita_runtime::{Bundle, Pipeline};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let bundle = Bundle::open("models/bundles/demo")?;
/// let pipeline = Pipeline::builder(&bundle).build()?;
/// # Ok(())
/// # }
/// ```
#[must_use]
pub struct PipelineBuilder<'a> {
    bundle: &'a Bundle,
    networks: Option<&'a Networks>,
    pool: Option<&'a BackbonePool>,
    executor: Executor,
    detector: Option<BoxedDetector>,
    options: PipelineOptions,
}

impl<'a> PipelineBuilder<'a> {
    /// Sets the working rate. The default is
    /// [`Manifest::default_rate`](crate::bundle::Manifest::default_rate).
    pub fn rate(mut self, rate: WorkingRate) -> Self {
        self.options.rate = rate;
        self
    }

    /// Sets whether clips respect shots. They do by default.
    pub fn segmentation(mut self, segmentation: Segmentation) -> Self {
        self.options.segmentation = segmentation;
        self
    }

    /// Sets the number of threads ([`PipelineOptions::threads`]). The default is 1.
    pub fn threads(mut self, threads: NonZeroUsize) -> Self {
        self.options.threads = threads;
        self
    }

    /// Averages only the `latest` snippets, for endless streams. The default averages all.
    pub fn latest(mut self, latest: NonZeroUsize) -> Self {
        self.options.latest = Some(latest);
        self
    }

    /// Sets that a pool that is behind drops clips ([`PipelineOptions::drop_when_behind`]).
    pub fn drop_when_behind(mut self) -> Self {
        self.options.drop_when_behind = true;
        self
    }

    /// Sets the executor of networks that the builder prepares. The default is
    /// [`Executor::default`].
    pub fn executor(mut self, executor: Executor) -> Self {
        self.executor = executor;
        self
    }

    /// Uses `networks` of the bundle. By default the builder prepares networks for the working
    /// rate.
    pub fn networks(mut self, networks: &'a Networks) -> Self {
        self.networks = Some(networks);
        self
    }

    /// Runs the backbones in `pool` with the pool's networks.
    pub fn pool(mut self, pool: &'a BackbonePool) -> Self {
        self.pool = Some(pool);
        self
    }

    /// Uses `detector`. The default is the first entry of
    /// [`DETECTORS`] with the bundle's settings.
    pub fn detector(mut self, detector: BoxedDetector) -> Self {
        self.detector = Some(detector);
        self
    }

    /// Builds the pipeline.
    ///
    /// # Errors
    /// Returns an error if the networks cannot be prepared for the working rate, or if there is no
    /// memory or no thread for them.
    pub fn build(self) -> Result<Pipeline, PipelineError> {
        let PipelineBuilder { bundle, networks, pool, executor, detector, options } = self;
        let prepared;
        let networks = match (networks, pool) {
            (Some(networks), _) => networks,
            (None, Some(pool)) => pool.networks(),
            (None, None) => {
                prepared = Networks::prepare(bundle, &[options.rate], executor)?;
                &prepared
            }
        };
        let engine = match (pool, options.threads.get()) {
            (Some(pool), _) => Engine::Pool(Box::new(pool.queue(options.drop_when_behind)?)),
            (None, 1) => Engine::Inline(Box::new(networks.backbones()?)),
            (None, threads) => {
                let threads = NonZeroUsize::new(threads - 1).unwrap_or(NonZeroUsize::MIN);
                Engine::Pool(Box::new(BackbonePool::new(networks, threads)?.queue(options.drop_when_behind)?))
            }
        };
        let manifest = bundle.manifest();
        let setup = DetectorSetup { settings: manifest.shots, transitions: bundle.transitions() };
        let detector = detector.unwrap_or_else(|| (DETECTORS[0].create)(&setup));
        Ok(Pipeline {
            options,
            bundle: manifest.name.clone(),
            task: manifest.task,
            trained: manifest.trained,
            notice: manifest.notice.clone(),
            segmenter: Segmenter::with_detector(
                SegmenterOptions::from_manifest(manifest, options.rate, options.segmentation),
                detector,
            ),
            classifier: Classifier {
                engine,
                genres: GenreEvents::new(networks.heads()?, manifest, options.latest),
                pending: VecDeque::new(),
                done: Vec::new(),
                keyframes: options.keyframes,
                last_keyframe_shot: None,
                dropped: 0,
                shots: 0,
            },
            lost_frames: 0,
        })
    }
}

/// Classifies one stream.
///
/// The order of events does not depend on the number of threads: each clip, its provisional genres,
/// the snippet that it completes, and a shot after the last of its clips.
pub struct Pipeline {
    options: PipelineOptions,
    bundle: String,
    task: Task,
    trained: bool,
    notice: Option<String>,
    segmenter: Segmenter<BoxedDetector>,
    classifier: Classifier,
    lost_frames: u64,
}

impl Pipeline {
    /// Starts to build a pipeline for `bundle`.
    pub fn builder(bundle: &Bundle) -> PipelineBuilder<'_> {
        PipelineBuilder {
            bundle,
            networks: None,
            pool: None,
            executor: Executor::default(),
            detector: None,
            options: PipelineOptions { rate: bundle.manifest().default_rate(), ..PipelineOptions::default() },
        }
    }

    /// Returns a pipeline with threads of its own, at the start of a stream. `networks` are those
    /// of `bundle`, prepared for the rate of `options`.
    ///
    /// # Errors
    /// Returns an error if there is no memory or no thread for the networks.
    pub fn new(bundle: &Bundle, networks: &Networks, options: PipelineOptions) -> Result<Self, PipelineError> {
        PipelineBuilder { options, ..Pipeline::builder(bundle) }.networks(networks).build()
    }

    /// Returns a pipeline whose backbones run in `pool`, at the start of a stream. The pool's
    /// networks are those of `bundle`, prepared for the rate of `options`.
    ///
    /// # Errors
    /// Returns an error if there is no memory for the networks.
    pub fn with_pool(bundle: &Bundle, pool: &BackbonePool, options: PipelineOptions) -> Result<Self, PipelineError> {
        PipelineBuilder { options, ..Pipeline::builder(bundle) }.pool(pool).build()
    }

    /// Processes the next decoded frame and passes the resulting events to `emit`.
    ///
    /// # Errors
    /// Returns an error if the detector or a network fails. The stream cannot continue then.
    pub fn push(&mut self, frame: &Frame<'_>, mut emit: impl FnMut(Event)) -> Result<(), PipelineError> {
        let Pipeline { segmenter, classifier, .. } = self;
        let mut outcome = Ok(());
        segmenter.push(frame, |segment| {
            if outcome.is_ok() {
                outcome = classifier.process(segment, &mut emit);
            }
        })?;
        outcome?;
        classifier.emit_ready(&mut emit)?;
        classifier.done.drain(..).for_each(|clip| segmenter.recycle(clip));
        Ok(())
    }

    /// Emits [`Event::Lost`] and counts its frames: damage destroyed `frames` frames from the time
    /// `at` to the time `until`.
    pub fn report_loss(&mut self, at: Timestamp, until: Timestamp, frames: u64, mut emit: impl FnMut(Event)) {
        self.lost_frames += frames;
        let event = Event::Lost { at_s: at.as_secs_f64(), end_s: until.as_secs_f64(), frames };
        self.classifier.emit_in_order(event, &mut emit);
    }

    /// States the pictures after the last frame that were not decoded, before [`Pipeline::finish`].
    pub fn state_undecoded(&mut self, undecoded: Undecoded) {
        self.segmenter.state_undecoded(undecoded);
    }

    /// Requests another working rate, which starts at the end of the current clip. The networks
    /// must be prepared for it.
    pub fn set_rate(&mut self, rate: WorkingRate) {
        self.segmenter.set_rate(rate);
    }

    /// Returns the current working rate.
    pub fn rate(&self) -> WorkingRate {
        self.segmenter.rate()
    }

    /// Returns the number of clips that were dropped.
    pub fn dropped_clips(&self) -> u64 {
        self.classifier.dropped
    }

    /// Returns the number of complete clips.
    pub fn clips(&self) -> usize {
        self.segmenter.clips()
    }

    /// Ends the stream and emits the remaining events, the result last. `complete` states whether
    /// the source was read to its end. The result is complete only if no frame was lost either.
    ///
    /// # Errors
    /// Returns an error if the detector or a network fails, or if the stream had no clip.
    pub fn finish(self, complete: bool, mut emit: impl FnMut(Event)) -> Result<(), PipelineError> {
        let Pipeline { options, bundle, task, trained, notice, mut segmenter, mut classifier, lost_frames } = self;
        let mut outcome = Ok(());
        segmenter.finish(|segment| {
            if outcome.is_ok() {
                outcome = classifier.process(segment, &mut emit);
            }
        })?;
        outcome?;
        if let Engine::Pool(queue) = &mut classifier.engine {
            // Without overload, nothing is dropped at the end either.
            let kept = match (classifier.dropped, classifier.genres.snippets()) {
                (0, _) => 2,
                (_, 0) => 1,
                _ => 0,
            };
            queue.shorten(LAST_CLIPS, kept);
        }
        while classifier.wait_for_oldest(&mut emit)? {}
        let frames = segmenter.frames();
        classifier.genres.finish(&mut emit);
        let (probabilities, contributions) = classifier.genres.result().ok_or(PipelineError::NoClip { frames })?;
        emit(Event::Result {
            probabilities,
            contributions,
            frames,
            shots: classifier.shots,
            clips: segmenter.clips(),
            snippets: classifier.genres.snippets(),
            duration_s: segmenter.end().as_secs_f64(),
            fps: segmenter.rate(),
            segmentation: options.segmentation,
            bundle,
            task,
            trained,
            notice,
            lost_frames,
            dropped_clips: classifier.dropped,
            complete: complete && lost_frames == 0,
        });
        Ok(())
    }
}

/// Maximum expected time in which the last clips of a stream that cannot wait are processed.
const LAST_CLIPS: Duration = Duration::from_millis(500);

/// Where the backbones run.
enum Engine {
    /// On the thread that pushes frames.
    Inline(Box<Backbones>),
    /// In a pool.
    Pool(Box<ClipQueue>),
}

/// A clip in the pool, or what waits for it.
enum Pending {
    Clip,
    Shot(Shot),
    Event(Event),
}

/// Turns segments into events: runs the networks and keeps the order of events.
struct Classifier {
    engine: Engine,
    genres: GenreEvents,
    /// Clips in the pool and the events that wait for them, oldest first. The first entry is a
    /// clip.
    pending: VecDeque<Pending>,
    /// Clips to be returned to the segmenter.
    done: Vec<Clip>,
    keyframes: Keyframes,
    /// The shot of the latest clip that was emitted with its keyframe.
    last_keyframe_shot: Option<usize>,
    /// Clips that were dropped.
    dropped: u64,
    shots: usize,
}

impl Classifier {
    fn process(&mut self, segment: Segment, emit: &mut impl FnMut(Event)) -> Result<(), PipelineError> {
        match segment {
            Segment::Shot(shot) => {
                self.shots += 1;
                match self.pending.is_empty() {
                    true => self.genres.shot(&shot, emit),
                    false => self.pending.push_back(Pending::Shot(shot)),
                }
                Ok(())
            }
            Segment::Clip(clip) => match &mut self.engine {
                Engine::Inline(backbones) => {
                    let features = backbones.run(&clip)?;
                    self.emit_clip(clip, &features, emit)
                }
                Engine::Pool(_) => {
                    while self.is_full() && self.wait_for_oldest(emit)? {}
                    if let Engine::Pool(queue) = &mut self.engine {
                        queue.submit(clip);
                        self.pending.push_back(Pending::Clip);
                    }
                    Ok(())
                }
            },
        }
    }

    /// Emits `event` after the clips that came before it.
    fn emit_in_order(&mut self, event: Event, emit: &mut impl FnMut(Event)) {
        match self.pending.is_empty() {
            true => emit(event),
            false => self.pending.push_back(Pending::Event(event)),
        }
    }

    fn is_full(&self) -> bool {
        matches!(&self.engine, Engine::Pool(queue) if queue.is_full())
    }

    /// Emits the clips that the pool has finished, without waiting.
    fn emit_ready(&mut self, emit: &mut impl FnMut(Event)) -> Result<(), PipelineError> {
        while let Engine::Pool(queue) = &mut self.engine
            && let Some(outcome) = queue.try_receive()
        {
            self.emit_oldest(outcome, emit)?;
        }
        Ok(())
    }

    /// Waits for the oldest clip in the pool and emits it. Returns false if there is none.
    fn wait_for_oldest(&mut self, emit: &mut impl FnMut(Event)) -> Result<bool, PipelineError> {
        let Engine::Pool(queue) = &mut self.engine else { return Ok(false) };
        let Some(outcome) = queue.receive() else { return Ok(false) };
        self.emit_oldest(outcome, emit)?;
        Ok(true)
    }

    /// Emits the oldest clip and the events that waited for it.
    fn emit_oldest(
        &mut self,
        outcome: Outcome<BackboneWorker>,
        emit: &mut impl FnMut(Event),
    ) -> Result<(), PipelineError> {
        self.pending.pop_front();
        match outcome {
            Outcome::Done(clip, features) => self.emit_clip(clip, &features?, emit)?,
            Outcome::Dropped(clip) => {
                self.dropped += 1;
                let (start_s, end_s) = (clip.start.as_secs_f64(), clip.end.as_secs_f64());
                emit(Event::Dropped { index: clip.index, shot: clip.shot, start_s, end_s });
                self.done.push(clip);
            }
        }
        while let Some(next) = self.pending.pop_front_if(|next| !matches!(next, Pending::Clip)) {
            match next {
                Pending::Shot(shot) => self.genres.shot(&shot, emit),
                Pending::Event(event) => emit(event),
                Pending::Clip => {}
            }
        }
        Ok(())
    }

    /// Emits a clip and the probabilities after it.
    fn emit_clip(
        &mut self,
        clip: Clip,
        features: &Features,
        emit: &mut impl FnMut(Event),
    ) -> Result<(), PipelineError> {
        let has_keyframe = match self.keyframes {
            Keyframes::None => false,
            Keyframes::Shots => self.last_keyframe_shot != Some(clip.shot),
            Keyframes::Clips => true,
        };
        let sample = clip.keyframe();
        let keyframe = sample.image.as_ref().or(sample.video.as_ref()).filter(|_| has_keyframe);
        if has_keyframe {
            self.last_keyframe_shot = Some(clip.shot);
        }
        self.genres.clip(&clip, keyframe.cloned().map(Arc::new), features, emit)?;
        self.done.push(clip);
        Ok(())
    }
}
