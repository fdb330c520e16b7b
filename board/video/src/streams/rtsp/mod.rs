//! Streams of network cameras over RTSP, without GStreamer.
//!
//! ```text
//! address ──► route ──┬─► GStreamer, where it has a hardware decoder, or on request
//!            route.rs └─► request ──► session, on a thread of its own ──queue.rs──┐
//!                        request.rs   session.rs, error.rs                        │
//!                             frame ◄── MediaSource ◄── packets ◄─────────────────┘
//!                            source.rs                 packets.rs, clock.rs
//! ```
//!
//! The crate retina speaks RTSP and puts pictures together. It is asynchronous, and nothing outside
//! `session.rs` is. `rtsps://` (RTSP with TLS) is left to GStreamer, because retina has no TLS.

#[cfg(feature = "rtsp")]
mod clock;
#[cfg(feature = "rtsp")]
mod error;
#[cfg(feature = "rtsp")]
mod packets;
#[cfg(feature = "rtsp")]
mod queue;
#[cfg(feature = "rtsp")]
mod request;
#[cfg(feature = "rtsp")]
mod route;
#[cfg(feature = "rtsp")]
mod session;
#[cfg(feature = "rtsp")]
mod source;

use crate::backend::{Backend, Scheme};

/// Streams of network cameras.
pub const BACKEND: Backend = Backend {
    name: "rtsp",
    doctor_heading: "rtsp",
    brings: "network cameras (rtsp://)",
    feature: Some("rtsp"),
    schemes: &[Scheme::live("rtsp")],
    files: &[],
    help: "rtsp:// for a network camera",
    #[cfg(feature = "rtsp")]
    open: Some(route::open),
    #[cfg(not(feature = "rtsp"))]
    open: None,
    open_file: None,
    #[cfg(feature = "rtsp")]
    report: Some(route::report),
    #[cfg(not(feature = "rtsp"))]
    report: None,
};
