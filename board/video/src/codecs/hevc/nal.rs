//! NAL units of HEVC: their headers, and the start of a slice (ITU-T H.265 7.3.1.2 and 7.3.6.1).

use crate::codecs::Role;
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
    /// Number of its sub-layer, from 0 (`TemporalId`).
    pub sub_layer: u32,
    /// Number of the picture parameter set.
    pub parameters: u32,
}

impl PictureKind {
    /// Reads the start of a slice; `None` unless it is the first of its picture.
    pub fn read(kind: u8, unit: &[u8]) -> Option<Self> {
        let mut bits = Bits::new(unit);
        bits.number(13)?;
        let sub_layer = bits.number(3)?.checked_sub(1)?;
        let is_first = bits.flag()?;
        let mut picture = PictureKind { kind, sub_layer, parameters: 0 };
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

    /// Returns what other pictures need of it, in a sequence whose highest sub-layer is `highest`.
    /// A picture that none of its own sub-layer needs may serve higher ones.
    pub fn role(&self, highest: u32) -> Role {
        let is_reference_of_its_own = !matches!(self.kind, 0 | 2 | 4 | 6 | 8);
        match is_reference_of_its_own || self.sub_layer < highest {
            _ if self.is_random_access() => Role::Key,
            true => Role::Reference,
            false => Role::Disposable,
        }
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
    fn pictures_of_the_highest_sub_layer_may_be_disposable() {
        let role = |kind, sub_layer, highest| PictureKind { kind, sub_layer, parameters: 0 }.role(highest);
        assert_eq!([19, 21].map(|kind| role(kind, 0, 0)), [Role::Key; 2]);
        assert_eq!([1, 3, 5, 7, 9].map(|kind| role(kind, 0, 0)), [Role::Reference; 5]);
        assert_eq!([0, 2, 4, 6, 8].map(|kind| role(kind, 1, 1)), [Role::Disposable; 5]);
        assert_eq!(role(0, 0, 1), Role::Reference);
    }

    #[test]
    fn the_first_slice_names_its_parameters() {
        // IDR: first, no prior output, set 0. Trailing: first, set 1 (010). A later slice.
        let picture = |kind, unit: &[u8]| PictureKind::read(kind, unit);
        assert_eq!(picture(19, &[0x26, 1, 0b1010_0000]), Some(PictureKind { kind: 19, sub_layer: 0, parameters: 0 }));
        assert_eq!(picture(1, &[0x02, 1, 0b1010_0000]), Some(PictureKind { kind: 1, sub_layer: 0, parameters: 1 }));
        assert_eq!(picture(1, &[0x02, 1, 0b0010_0000]), None);
        assert_eq!(picture(1, &[0x02, 1]), None);
    }
}
