//! Everything of `divita` that touches a device, a file or the operating system.

pub mod inputs;
pub mod live;
pub mod profile;
pub mod source;
pub mod thermal;

/// Whether this build reads what GStreamer reads.
pub const WITH_GSTREAMER: bool = cfg!(feature = "gstreamer");
