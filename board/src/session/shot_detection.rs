//! Shot detection: the shots of one input, without networks.

use anyhow::Result;
use divita_runtime::event::Event;
use divita_runtime::frame::{Frame, Undecoded};
use divita_runtime::segmenter::{Segment, Segmenter, SegmenterOptions};
use divita_runtime::shots::transition_network::TransitionNetwork;
use divita_video::Loss;
use divita_video::session::Ending;

use super::method::{Emit, Method};

/// A segmenter whose clips have no pictures.
pub struct ShotDetection {
    segmenter: Segmenter,
    segments: Vec<Segment>,
}

impl ShotDetection {
    /// Detects shots with the settings in `options` and the networks in `transitions`.
    pub fn new(options: SegmenterOptions, transitions: TransitionNetwork) -> Self {
        let options = SegmenterOptions { image: None, video: None, ..options };
        ShotDetection { segmenter: Segmenter::new(options, transitions), segments: Vec::new() }
    }

    /// Emits the shots that are complete.
    fn emit(&mut self, emit: Emit<'_>) {
        for segment in self.segments.drain(..) {
            match segment {
                Segment::Shot(shot) => emit(Event::from(&shot).into()),
                Segment::Clip(clip) => self.segmenter.recycle(clip),
            }
        }
    }
}

impl Method for ShotDetection {
    fn frame(&mut self, frame: &Frame<'_>, emit: Emit<'_>) -> Result<()> {
        let Ok(()) = self.segmenter.push(frame, |segment| self.segments.push(segment));
        self.emit(emit);
        Ok(())
    }

    fn loss(&mut self, loss: Loss, emit: Emit<'_>) {
        emit(Event::from(loss).into());
    }

    fn undecoded(&mut self, undecoded: Undecoded) {
        self.segmenter.state_undecoded(undecoded);
    }

    fn finish(&mut self, _: &Ending, emit: Emit<'_>) -> Result<()> {
        let Ok(()) = self.segmenter.finish(|segment| self.segments.push(segment));
        self.emit(emit);
        Ok(())
    }
}
