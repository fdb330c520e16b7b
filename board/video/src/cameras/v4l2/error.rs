//! What can be wrong with a camera.

use thiserror::Error;

use crate::SourceError;
use crate::error::Fault;

/// Why a camera cannot be used.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub(super) enum CameraError {
    /// A device that is something else than a camera.
    #[error("{device}; take one that `divita devices` lists")]
    NoCamera {
        /// What it is, as a sentence.
        device: &'static str,
    },
    /// A camera that is absent, in use or not permitted.
    #[error("{problem}; {hint}")]
    Refused {
        /// What is wrong.
        problem: &'static str,
        /// What to do.
        hint: &'static str,
    },
}

impl From<CameraError> for SourceError {
    fn from(error: CameraError) -> Self {
        match error {
            CameraError::NoCamera { .. } => SourceError::Missing(Box::new(error)),
            CameraError::Refused { .. } => SourceError::Unavailable { fault: Fault::Garbage, cause: Box::new(error) },
        }
    }
}
