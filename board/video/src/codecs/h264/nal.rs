//! NAL units: their types.

// Types (ITU-T H.264 table 7-1).
pub(super) const SLICE: u8 = 1;
pub(super) const KEY_SLICE: u8 = 5;
pub(super) const SUPPLEMENTAL: u8 = 6;
pub(super) const SEQUENCE_PARAMETERS: u8 = 7;
pub(super) const PICTURE_PARAMETERS: u8 = 8;

/// Returns whether other pictures may need what the unit holds (`nal_ref_idc`).
pub(super) fn is_reference(unit: &[u8]) -> bool {
    unit.first().is_some_and(|header| header >> 5 & 3 != 0)
}

/// Returns the type of a NAL unit; 0, which is no type, for an empty one.
pub(super) fn kind(unit: &[u8]) -> u8 {
    unit.first().map_or(0, |header| header & 31)
}
