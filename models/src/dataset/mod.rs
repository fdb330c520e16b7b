//! Data sets: tables of labels and splits, the videos' files and clips, and measures of
//! predictions.

pub mod confusion;
pub mod label_table;
pub mod metrics;
pub mod prediction_table;
pub mod statistics;
pub mod stratification;
pub mod video_clips;
pub mod video_files;
