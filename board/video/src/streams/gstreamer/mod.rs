//! Files of any kind, network streams and cameras on the board's connector, through an installed
//! GStreamer.
//!
//! ```text
//! request ──► plan ──► pipeline, running in GStreamer's own threads ──► appsink ──► picture
//! request.rs  pipeline.rs  size.rs bounds the pictures on the way       source.rs, colour.rs
//! ```
//!
//! Between two calls only GStreamer runs. It decodes a few pictures ahead: of a file it then waits,
//! of a live source it drops the oldest. Its messages (`messages.rs`) are read when a picture is
//! requested, so no main loop is needed.

#[cfg(feature = "gstreamer")]
mod colour;
#[cfg(feature = "gstreamer")]
pub mod elements;
#[cfg(feature = "gstreamer")]
mod error;
mod formats;
#[cfg(feature = "gstreamer")]
mod gate;
#[cfg(feature = "gstreamer")]
mod lists;
#[cfg(feature = "gstreamer")]
mod messages;
#[cfg(feature = "gstreamer")]
mod pipeline;
#[cfg(feature = "gstreamer")]
mod request;
#[cfg(feature = "gstreamer")]
mod size;
#[cfg(feature = "gstreamer")]
mod source;

use crate::backend::{Backend, Scheme};

/// Network streams, other files, and cameras on the board's connector.
pub const BACKEND: Backend = Backend {
    name: "gstreamer",
    doctor_heading: "gstreamer",
    brings: "other files, streams and CSI cameras",
    feature: Some("gstreamer"),
    schemes: &[
        Scheme::new("gst"),
        Scheme::live("rtsp"),
        Scheme::live("rtsps"),
        Scheme::new("http"),
        Scheme::new("https"),
        Scheme::live("csi"),
        Scheme::new("gst-launch"),
    ],
    files: &formats::FILES,
    help: "any other video file, rtsps:// or https:// for a stream, csi://0 for a camera of the board",
    #[cfg(feature = "gstreamer")]
    open: Some(source::open),
    #[cfg(not(feature = "gstreamer"))]
    open: None,
    #[cfg(feature = "gstreamer")]
    open_file: Some(source::open_file),
    #[cfg(not(feature = "gstreamer"))]
    open_file: None,
    #[cfg(feature = "gstreamer")]
    report: Some(elements::report),
    #[cfg(not(feature = "gstreamer"))]
    report: None,
};
