//! The method of DIViTA: frames in, shots, clips and genre probabilities out.

pub mod bundle;
pub mod frame;
pub mod shots;
