//! HEVC (H.265): what its headers say, and the decoders that turn it into pictures.
//!
//! ```text
//! packet ──► queue ──► NAL units, picture ──► decoder ──► picture, in order of time
//!                      codec.rs               decoder.rs
//! ```
//!
//! Parameter sets are read here before a decoder sees them (`sps.rs`), because decoders take memory
//! by the size that a set claims.

mod codec;
mod config;
mod decoder;
mod nal;
mod parameter_sets;
#[cfg(feature = "gstreamer")]
mod roles;
mod sps;

use super::codec::CodecFormat;
use super::featured;
use codec::Hevc;
#[cfg(feature = "gstreamer")]
pub(super) use roles::HevcRoles;

/// HEVC.
pub(super) const FORMAT: CodecFormat =
    CodecFormat { open: Some(|configs, _| Ok(Box::new(Hevc::new(configs)?))), ..featured::HEVC };
