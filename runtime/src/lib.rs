//! The method of DIViTA: frames in, shots, clips and genre probabilities out.

#![forbid(unsafe_code)]

pub mod active_area;
mod borders;
pub mod bundle;
pub mod clips;
mod colour;
mod components;
pub mod event;
pub mod executor;
pub mod frame;
pub mod golden;
mod graph_check;
pub mod heads;
pub mod histogram;
pub mod input;
pub mod keyframe;
pub mod network;
pub mod panics;
pub mod pipeline;
pub mod preprocess;
mod resample;
pub mod sampler;
pub mod segmenter;
pub mod shots;
mod thumbnail;
mod workers;
