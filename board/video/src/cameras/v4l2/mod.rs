//! `v4l2:///dev/video0`: a camera, through the kernel's Video4Linux.
//!
//! ```text
//! options ──► camera ──► formats (the choice) ──► buffers ──► planes or JPEG ──► Frame
//! ```

#[cfg(feature = "v4l")]
mod buffers;
#[cfg(feature = "v4l")]
mod camera;
#[cfg(feature = "v4l")]
mod clock;
#[cfg(feature = "v4l")]
mod colour;
#[cfg(feature = "v4l")]
mod controls;
#[cfg(feature = "v4l")]
pub mod devices;
#[cfg(feature = "v4l")]
mod error;
#[cfg(feature = "v4l")]
mod formats;
#[cfg(feature = "v4l")]
mod options;
#[cfg(feature = "v4l")]
mod source;

#[cfg(feature = "v4l")]
pub use formats::PixelFormat;
#[cfg(feature = "v4l")]
pub use source::V4l2Source;

use crate::backend::{Backend, Scheme};

/// USB cameras.
pub const BACKEND: Backend = Backend {
    name: "v4l2",
    doctor_heading: "cameras",
    brings: "USB cameras",
    feature: Some("v4l"),
    schemes: &[Scheme::live("v4l2")],
    files: &[],
    help: "v4l2:///dev/video0 for a USB camera",
    #[cfg(feature = "v4l")]
    open: Some(source::open),
    #[cfg(not(feature = "v4l"))]
    open: None,
    open_file: None,
    #[cfg(feature = "v4l")]
    report: Some(devices::report),
    #[cfg(not(feature = "v4l"))]
    report: None,
};
