//! H.264: what its headers say, and the decoders that turn it into pictures.
//!
//! ```text
//! packet ──► window ──► access unit ──► decoder ──► picture, in order of time
//!            window.rs  avcc.rs         decoder.rs
//! ```
//!
//! The NAL units of each packet go to an access unit, which keeps slices and passes parameter sets
//! on. The codec (`codec.rs`) decides which decoder decodes it.

mod access_unit;
mod avcc;
mod codec;
mod decoder;
mod nal;
mod openh264;
mod parameter_sets;
mod pending;
#[cfg(feature = "gstreamer")]
mod roles;
pub(crate) mod samples;
mod sps;
mod tolerant;
mod window;

use super::codec::CodecFormat;
pub(crate) use codec::H264;
#[cfg(feature = "gstreamer")]
pub(super) use roles::H264Roles;

/// H.264.
pub(super) const FORMAT: CodecFormat = CodecFormat {
    name: "H.264",
    spellings: &["avc1", "avc3", "V_MPEG4/ISO/AVC", "mpegts:0x1b", "H264", "X264", "AVC1", "DAVC", "VSSH", "Q264"],
    pictures: "8 and 10 bits, 4:2:0, 4:2:2 and monochrome, interlaced; not 4:4:4 or lossless",
    decoder: "OpenH264; rust_h264 for all but plain 8-bit 4:2:0, through damage, and with --exact",
    feature: None,
    open: Some(|configs, decoding| Ok(Box::new(H264::new(configs, decoding)?))),
};
