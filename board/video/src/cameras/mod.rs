//! Cameras of this machine, one module for each way to read them.

pub mod v4l2;
