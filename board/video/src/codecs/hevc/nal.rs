//! NAL units of HEVC: their headers, and the start of a slice (ITU-T H.265 7.3.1.2 and 7.3.6.1).

use crate::codecs::bits::Bits;

// Types (table 7-1).
pub(super) const SEQUENCE_PARAMETERS: u8 = 33;
pub(super) const PICTURE_PARAMETERS: u8 = 34;
pub(super) const VIDEO_PARAMETERS: u8 = 32;
pub(super) const END_OF_SEQUENCE: u8 = 36;
pub(super) const END_OF_STREAM: u8 = 37;

/// Returns the type of a NAL unit of the base layer; `None` for others.
pub(super) fn kind(unit: &[u8]) -> Option<u8> {
    let [first, second, ..] = *unit else { return None };
    let is_base = first & 0x81 == 0 && second & 0xf8 == 0 && second & 7 != 0;
    is_base.then_some(first >> 1)
}

/// Returns whether the unit holds a slice of a kind that decoders know.
pub(super) fn is_slice(kind: u8) -> bool {
    matches!(kind, 0..=9 | 16..=21)
}

/// The kind of a picture, by the header of its first slice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct PictureKind {
    /// Type of the NAL unit.
    pub kind: u8,
    /// Number of the picture parameter set.
    pub parameters: u32,
}

impl PictureKind {
    /// Reads the start of a slice; `None` unless it is the first of its picture.
    pub fn read(kind: u8, unit: &[u8]) -> Option<Self> {
        let mut bits = Bits::new(unit);
        bits.number(16)?;
        let is_first = bits.flag()?;
        let mut picture = PictureKind { kind, parameters: 0 };
        if picture.is_random_access() {
            bits.flag()?; // whether pictures before are not shown
        }
        picture.parameters = bits.unsigned()?;
        is_first.then_some(picture)
    }

    /// Returns whether decoding can start here (IRAP).
    pub fn is_random_access(&self) -> bool {
        matches!(self.kind, 16..=23)
    }

    /// Returns whether it always begins a sequence (IDR and BLA).
    pub fn begins_sequence(&self) -> bool {
        matches!(self.kind, 16..=20)
    }

    /// Returns whether it is shown before the random access picture before it, and may need
    /// pictures from before that (RASL).
    pub fn is_skipped_leading(&self) -> bool {
        matches!(self.kind, 8 | 9)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_of_the_base_layer_are_read() {
        assert_eq!(kind(&[0x42, 0x01]), Some(SEQUENCE_PARAMETERS));
        assert_eq!(kind(&[0x44, 0x02, 9]), Some(PICTURE_PARAMETERS));
        // Another layer, no temporal layer, the forbidden bit, too short.
        for unit in [&[0x43, 0x01][..], &[0x42, 0x09], &[0x42, 0x00], &[0xc2, 0x01], &[0x42], &[]] {
            assert_eq!(kind(unit), None, "{unit:?}");
        }
    }

    #[test]
    fn the_first_slice_names_its_parameters() {
        // IDR: first, no prior output, set 0. Trailing: first, set 1 (010). A later slice.
        let picture = |kind, unit: &[u8]| PictureKind::read(kind, unit);
        assert_eq!(picture(19, &[0x26, 1, 0b1010_0000]), Some(PictureKind { kind: 19, parameters: 0 }));
        assert_eq!(picture(1, &[0x02, 1, 0b1010_0000]), Some(PictureKind { kind: 1, parameters: 1 }));
        assert_eq!(picture(1, &[0x02, 1, 0b0010_0000]), None);
        assert_eq!(picture(1, &[0x02, 1]), None);
    }
}
