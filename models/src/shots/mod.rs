//! Shot detectors: training, scores against known transitions, and what their errors do to clips.

pub mod clip_comparison;
pub mod contact_sheet;
pub mod evaluation;
pub mod film;
pub mod score;
pub mod training;
