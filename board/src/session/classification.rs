//! Classification: the whole method on the frames of one input.

use anyhow::Result;
use divita_runtime::frame::{Frame, Timestamp, Undecoded};
use divita_runtime::pipeline::Pipeline;
use divita_runtime::sampler::WorkingRate;
use divita_video::session::{Ending, Progress};
use divita_video::{DecodedPictures, Loss};

use super::method::{Emit, Method};
use super::pace::{Pace, step_event};

/// A pipeline, and the pace of a live input.
pub struct Classification {
    /// None once it is finished.
    pipeline: Option<Pipeline>,
    pace: Option<Pace>,
    /// Whether the input is live, so that a request to stop is a regular end.
    is_live: bool,
    /// Time of the last frame.
    last: Timestamp,
}

impl Classification {
    /// Classifies with `pipeline`. With `pace` the working rate and the pictures that are decoded
    /// follow the load.
    pub fn new(pipeline: Pipeline, is_live: bool, pace: Option<Pace>) -> Self {
        Classification { pipeline: Some(pipeline), pace, is_live, last: Timestamp::ZERO }
    }
}

impl Method for Classification {
    fn frame(&mut self, frame: &Frame<'_>, emit: Emit<'_>) -> Result<()> {
        self.last = frame.time();
        if let Some(pipeline) = &mut self.pipeline {
            pipeline.push(frame, |event| emit(event.into()))?;
        }
        Ok(())
    }

    fn progress(&mut self, progress: Progress, emit: Emit<'_>) {
        if let (Some(pace), Some(pipeline)) = (&mut self.pace, &mut self.pipeline)
            && let Some(step) = pace.step(pipeline, progress)
        {
            pipeline.set_rate(step.to.rate);
            emit(step_event(self.last.as_secs_f64(), step).into());
        }
    }

    fn rate(&self) -> Option<WorkingRate> {
        self.pipeline.as_ref().map(Pipeline::rate)
    }

    fn pictures(&self) -> Option<DecodedPictures> {
        let ladder = self.pace.as_ref().map(Pace::ladder).filter(|ladder| ladder.chooses_pictures());
        ladder.map(|ladder| ladder.rung().decode)
    }

    fn loss(&mut self, loss: Loss, emit: Emit<'_>) {
        if let Some(pipeline) = &mut self.pipeline {
            pipeline.report_loss(loss.at, loss.until, loss.frames, |event| emit(event.into()));
        }
    }

    fn undecoded(&mut self, undecoded: Undecoded) {
        if let Some(pipeline) = &mut self.pipeline {
            pipeline.state_undecoded(undecoded);
        }
    }

    fn finish(&mut self, ending: &Ending, emit: Emit<'_>) -> Result<()> {
        let Some(pipeline) = self.pipeline.take() else { return Ok(()) };
        // What was read before an error is worth a result.
        Ok(pipeline.finish(ending.is_complete(self.is_live), |event| emit(event.into()))?)
    }
}
