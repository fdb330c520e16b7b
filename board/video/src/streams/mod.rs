//! Network streams, one module for each way to read them.

pub mod gstreamer;
