//! Extraction: from videos to the vectors of their clips.

pub mod extractor;
pub mod transnet_detector;
