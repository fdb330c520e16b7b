//! The shot detector: cuts, fades and black found on every decoded frame.

use serde::{Deserialize, Serialize};

/// Settings of the shot detector.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct ShotSettings {}
