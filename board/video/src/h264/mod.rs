//! H.264: what its headers say, and the decoders that turn it into pictures.
//!
//! A source that receives H.264, from a file or from a network, adds the NAL units of each picture
//! to an [`AccessUnit`], which keeps slices and passes parameter sets to [`ParameterSets`]. It gives
//! each unit to a [`Decoder`] and takes pictures out in order of time.

mod access_unit;
mod bits;
mod decoder;
mod openh264;
mod parameter_sets;
mod pending;
mod sps;
mod tolerant;

pub(super) use access_unit::AccessUnit;
pub(super) use decoder::{Decoder, Kind, SETS_ROOM};
pub(super) use parameter_sets::ParameterSets;
pub(super) use sps::{ContainerColour, StreamFormat};

/// What Annex B puts before each NAL unit.
pub(super) const START_CODE: [u8; 4] = [0, 0, 0, 1];

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
