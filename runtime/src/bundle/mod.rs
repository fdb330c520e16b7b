//! The bundle: the folder (or tar) that holds the networks, their manifest and their golden outputs.

mod manifest;

pub use manifest::*;
