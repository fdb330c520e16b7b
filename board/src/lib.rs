//! Everything of `divita` that touches a device, a file or the operating system.

mod bundles;
pub mod command_line;
mod commands;
mod config;
pub mod error_line;
mod executor;
mod feed;
pub mod inputs;
pub mod installation;
pub mod live;
pub mod logging;
mod meter;
mod output;
pub mod owner;
pub mod profile;
mod progress;
pub mod schemes;
mod service;
pub mod source;
mod stop;
pub mod thermal;
pub mod whole_file;

pub use output::printable;

/// Whether this build reads what GStreamer reads.
pub const WITH_GSTREAMER: bool = cfg!(feature = "gstreamer");
