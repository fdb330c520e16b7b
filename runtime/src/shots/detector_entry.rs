//! How a shot detector describes itself, and detectors behind a common type.

use std::error::Error;

use thiserror::Error;

use super::transition_network::TransitionNetwork;
use super::{ShotDetector, ShotSettings, Verdict};
use crate::frame::Frame;

/// The error of a detector whose type is not known.
#[derive(Debug, Error)]
#[error("the shot detector failed: {0}")]
pub struct DetectorError(#[source] Box<dyn Error + Send + Sync>);

/// A detector of any type.
pub struct BoxedDetector(Box<dyn DynDetector + Send>);

impl BoxedDetector {
    /// Hides the type of `detector`.
    pub fn new<D>(detector: D) -> Self
    where
        D: ShotDetector<Error: Error + Send + Sync + 'static> + Send + 'static,
    {
        BoxedDetector(Box::new(detector))
    }
}

impl ShotDetector for BoxedDetector {
    type Error = DetectorError;

    fn push(&mut self, frame: &Frame<'_>, mut verdict: impl FnMut(Verdict)) -> Result<(), DetectorError> {
        self.0.push_dyn(frame, &mut verdict)
    }

    fn finish(&mut self, mut verdict: impl FnMut(Verdict)) -> Result<(), DetectorError> {
        self.0.finish_dyn(&mut verdict)
    }
}

/// [`ShotDetector`] without generic parameters.
trait DynDetector {
    fn push_dyn(&mut self, frame: &Frame<'_>, verdict: &mut dyn FnMut(Verdict)) -> Result<(), DetectorError>;
    fn finish_dyn(&mut self, verdict: &mut dyn FnMut(Verdict)) -> Result<(), DetectorError>;
}

impl<D: ShotDetector<Error: Error + Send + Sync + 'static>> DynDetector for D {
    fn push_dyn(&mut self, frame: &Frame<'_>, verdict: &mut dyn FnMut(Verdict)) -> Result<(), DetectorError> {
        self.push(frame, verdict).map_err(|error| DetectorError(Box::new(error)))
    }

    fn finish_dyn(&mut self, verdict: &mut dyn FnMut(Verdict)) -> Result<(), DetectorError> {
        self.finish(verdict).map_err(|error| DetectorError(Box::new(error)))
    }
}

/// What a detector needs from a bundle.
#[derive(Clone, Copy, Debug)]
pub struct DetectorSetup<'a> {
    /// Thresholds, and the length of a pause that ends a shot.
    pub settings: ShotSettings,
    /// The network that reads the evidence on a frame.
    pub transitions: &'a TransitionNetwork,
}

/// One line of [`DETECTORS`](super::DETECTORS).
#[derive(Debug)]
pub struct DetectorEntry {
    /// Name in options and messages.
    pub name: &'static str,
    /// One line of help.
    pub summary: &'static str,
    /// Creates a detector for the start of a stream.
    pub create: fn(&DetectorSetup<'_>) -> BoxedDetector,
}
