//! The pipeline: decoded frames in, events out. The whole method, on one thread or several, with the same bytes out.

use std::collections::VecDeque;
use std::num::NonZeroUsize;
use std::sync::Arc;

use thiserror::Error;

use crate::bundle::{Bundle, Task};
use crate::clips::Clip;
use crate::event::{Event, Probabilities};
use crate::frame::{Frame, Timestamp};
use crate::heads::Snippets;
use crate::network::{Backbones, Features, NetworkError, Networks};
use crate::sampler::WorkingRate;
use crate::segmenter::{Segment, Segmentation, Segmenter, SegmenterOptions};
use crate::workers::Workers;

/// How a stream is to be classified.
#[derive(Clone, Copy, Debug)]
pub struct PipelineOptions {
    /// Working rate to begin with; one that the networks are prepared for.
    pub rate: WorkingRate,
    /// Whether clips respect shots.
    pub segmentation: Segmentation,
    /// Threads in all. The one that pushes frames cuts shots and clips; the others run backbones. With one, it does both.
    pub threads: NonZeroUsize,
    /// The result is a mean over this many of the latest snippets: for streams that do not end. None: over all.
    pub latest: Option<NonZeroUsize>,
}

/// Why a stream could not be classified.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum PipelineError {
    /// The networks could not be prepared or failed.
    #[error(transparent)]
    Network(#[from] NetworkError),
    /// A thread could not be started, or died.
    #[error("a worker thread failed: {0}")]
    Worker(String),
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

/// Classifies one stream.
///
/// Events come in the same order whatever the number of threads: each clip, its provisional genres, and a shot after the
/// last of its clips.
pub struct Pipeline {
    options: PipelineOptions,
    bundle: String,
    task: Task,
    trained: bool,
    notice: Option<String>,
    segmenter: Segmenter,
    flow: Flow,
    lost_frames: u64,
}

impl Pipeline {
    /// A pipeline at the start of a stream, with `networks` of `bundle` prepared for the rate of `options`.
    ///
    /// # Errors
    /// When a network or a thread has no room to run.
    pub fn new(bundle: &Bundle, networks: &Networks, options: PipelineOptions) -> Result<Self, PipelineError> {
        let manifest = bundle.manifest();
        let engine = match options.threads.get() {
            1 => Engine::Inline(Box::new(networks.backbones()?)),
            threads => Engine::Threads(Box::new(Workers::start(threads - 1, || networks.backbones())?)),
        };
        Ok(Pipeline {
            options,
            bundle: manifest.name.clone(),
            task: manifest.task,
            trained: manifest.trained,
            notice: manifest.notice.clone(),
            segmenter: Segmenter::new(
                SegmenterOptions::of(manifest, options.rate, options.segmentation),
                bundle.transitions().clone(),
            ),
            flow: Flow {
                engine,
                snippets: Snippets::new(networks.heads()?, manifest, options.latest),
                labels: manifest.labels.clone().into(),
                pending: VecDeque::new(),
                done: Vec::new(),
                shots: 0,
            },
            lost_frames: 0,
        })
    }

    /// Takes the next decoded frame; hands `emit` the events that this brings about.
    ///
    /// # Errors
    /// When a network fails; the stream cannot go on then.
    pub fn push(&mut self, frame: &Frame<'_>, mut emit: impl FnMut(Event)) -> Result<(), PipelineError> {
        let Pipeline { segmenter, flow, .. } = self;
        let mut outcome = Ok(());
        let Ok(()) = segmenter.push(frame, |segment| {
            if outcome.is_ok() {
                outcome = flow.take(segment, &mut emit);
            }
        });
        outcome?;
        flow.collect_ready(&mut emit)?;
        flow.done.drain(..).for_each(|clip| segmenter.recycle(clip));
        Ok(())
    }

    /// Tells that damage cost `frames` pictures from the time `at` to the time `until`, as [`Event::Lost`], and counts them.
    pub fn lose(&mut self, at: Timestamp, until: Timestamp, frames: u64, mut emit: impl FnMut(Event)) {
        self.lost_frames += frames;
        self.flow.tell_in_turn(Event::Lost { at_s: at.as_secs_f64(), end_s: until.as_secs_f64(), frames }, &mut emit);
    }

    /// Asks for another working rate, one that the networks are prepared for, from the end of the clip on that is being
    /// filled.
    pub fn set_rate(&mut self, rate: WorkingRate) {
        self.segmenter.set_rate(rate);
    }

    /// The working rate at which frames are taken now.
    pub fn rate(&self) -> WorkingRate {
        self.segmenter.rate()
    }

    /// Clips completed so far.
    pub fn clips(&self) -> usize {
        self.segmenter.clips()
    }

    /// Ends the stream and hands out what is left, the result last. `complete` says whether the source was read to its
    /// end; the result says so only if nothing was lost.
    ///
    /// # Errors
    /// When a network fails or there was nothing to classify.
    pub fn finish(self, complete: bool, mut emit: impl FnMut(Event)) -> Result<(), PipelineError> {
        let Pipeline { options, bundle, task, trained, notice, mut segmenter, mut flow, lost_frames } = self;
        let mut outcome = Ok(());
        let Ok(()) = segmenter.finish(|segment| {
            if outcome.is_ok() {
                outcome = flow.take(segment, &mut emit);
            }
        });
        outcome?;
        while !flow.pending.is_empty() {
            flow.collect_oldest(&mut emit)?;
        }
        let frames = segmenter.frames();
        let values = flow.snippets.result().ok_or(PipelineError::NoClip { frames })?;
        emit(Event::Result {
            probabilities: Probabilities::new(flow.labels, values),
            frames,
            shots: flow.shots,
            clips: segmenter.clips(),
            snippets: flow.snippets.count(),
            duration_s: segmenter.end().as_secs_f64(),
            fps: segmenter.rate(),
            segmentation: options.segmentation,
            bundle,
            task,
            trained,
            notice,
            lost_frames,
            complete: complete && lost_frames == 0,
        });
        Ok(())
    }
}

/// Who runs the backbones.
enum Engine {
    Inline(Box<Backbones>),
    Threads(Box<Workers>),
}

/// What waits for its turn to be told: a clip for its features, anything else for the clips before it.
enum Pending {
    Event(Event),
    Clip,
}

/// From segments to events: the backbones, the snippets and the order.
struct Flow {
    engine: Engine,
    snippets: Snippets,
    labels: Arc<[String]>,
    /// Oldest first; begins with a clip, or is empty.
    pending: VecDeque<Pending>,
    /// Clips to be given back to the segmenter.
    done: Vec<Clip>,
    shots: usize,
}

impl Flow {
    fn take(&mut self, segment: Segment, emit: &mut impl FnMut(Event)) -> Result<(), PipelineError> {
        match segment {
            Segment::Shot(shot) => {
                self.shots += 1;
                self.tell_in_turn(Event::from(&shot), emit);
                Ok(())
            }
            Segment::Clip(clip) => match &mut self.engine {
                Engine::Inline(backbones) => {
                    let features = backbones.run(&clip)?;
                    self.tell(clip, &features, emit)
                }
                Engine::Threads(_) => {
                    while self.is_busy() {
                        self.collect_oldest(emit)?;
                    }
                    if let Engine::Threads(workers) = &mut self.engine {
                        workers.send(clip)?;
                        self.pending.push_back(Pending::Clip);
                    }
                    Ok(())
                }
            },
        }
    }

    /// Tells `event` after the clips before it.
    fn tell_in_turn(&mut self, event: Event, emit: &mut impl FnMut(Event)) {
        match self.pending.is_empty() {
            true => emit(event),
            false => self.pending.push_back(Pending::Event(event)),
        }
    }

    fn is_busy(&self) -> bool {
        matches!(&self.engine, Engine::Threads(workers) if workers.is_full())
    }

    /// Tells what the workers have finished, without waiting for them.
    fn collect_ready(&mut self, emit: &mut impl FnMut(Event)) -> Result<(), PipelineError> {
        while let Engine::Threads(workers) = &mut self.engine {
            match workers.try_receive()? {
                Some((clip, features)) => self.tell_oldest(clip, &features, emit)?,
                None => break,
            }
        }
        Ok(())
    }

    /// Waits for the oldest clip and tells it.
    fn collect_oldest(&mut self, emit: &mut impl FnMut(Event)) -> Result<(), PipelineError> {
        if let Engine::Threads(workers) = &mut self.engine {
            let (clip, features) = workers.receive()?;
            self.tell_oldest(clip, &features, emit)?;
        }
        Ok(())
    }

    /// Tells the oldest clip and the events that waited for it.
    fn tell_oldest(
        &mut self,
        clip: Clip,
        features: &Features,
        emit: &mut impl FnMut(Event),
    ) -> Result<(), PipelineError> {
        self.pending.pop_front();
        self.tell(clip, features, emit)?;
        while let Some(Pending::Event(_)) = self.pending.front() {
            if let Some(Pending::Event(event)) = self.pending.pop_front() {
                emit(event);
            }
        }
        Ok(())
    }

    /// Tells a clip and the probabilities after it.
    fn tell(&mut self, clip: Clip, features: &Features, emit: &mut impl FnMut(Event)) -> Result<(), PipelineError> {
        let values = self.snippets.push(features)?.to_vec();
        emit(Event::from(&clip));
        let probabilities = Probabilities::new(self.labels.clone(), values);
        emit(Event::Genres { at_s: clip.end.as_secs_f64(), probabilities });
        self.done.push(clip);
        Ok(())
    }
}
