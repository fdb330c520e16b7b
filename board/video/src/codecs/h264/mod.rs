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
mod bits;
mod codec;
mod decoder;
mod openh264;
mod parameter_sets;
mod pending;
mod sps;
mod tolerant;
mod window;

use super::CodecFormat;
pub(crate) use codec::H264;

/// H.264.
pub(super) const FORMAT: CodecFormat = CodecFormat {
    name: "H.264",
    spellings: &["avc1", "avc3"],
    open: Some(|configs| Ok(Box::new(H264::new(configs)?))),
};

/// What Annex B puts before each NAL unit.
const START_CODE: [u8; 4] = [0, 0, 0, 1];

/// An access unit that the decoder refused: broken, or in want of one before it that was.
#[derive(Debug)]
pub(crate) struct DamagedPicture;

/// NAL unit types (ITU-T H.264 table 7-1).
mod nal {
    pub const SLICE: u8 = 1;
    pub const KEY_SLICE: u8 = 5;
    pub const SUPPLEMENTAL: u8 = 6;
    pub const SEQUENCE_PARAMETERS: u8 = 7;
    pub const PICTURE_PARAMETERS: u8 = 8;

    /// The type of a NAL unit, 0 (which means nothing) for an empty one.
    pub fn kind(unit: &[u8]) -> u8 {
        unit.first().map_or(0, |header| header & 31)
    }
}
