//! Network streams, one module for each way to read them.

pub mod gstreamer;
pub mod rtsp;
#[cfg(any(feature = "gstreamer", feature = "rtsp"))]
mod server_address;
