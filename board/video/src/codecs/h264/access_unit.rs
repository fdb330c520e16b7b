//! One access unit: the slices of a picture in Annex B form, and what their headers say.

use super::nal;
use super::parameter_sets::ParameterSets;
use super::sps;
use crate::SourceError;
use crate::codecs::Role;
use crate::codecs::bits::Bits;
use crate::codecs::nal_units::START_CODE;

/// An access unit that the decoder refused: damaged, or without a picture that it needs.
#[derive(Debug)]
pub(crate) struct DamagedPicture;

/// The data of one picture, in a buffer that is used again for the next.
///
/// Only slices are kept. Parameter sets go to [`ParameterSets`]; everything else helps no decoder,
/// and confuses some.
#[derive(Debug, Default)]
pub(crate) struct AccessUnit {
    data: Vec<u8>,
    /// What the picture is, if there is one.
    pub picture: Option<PictureKind>,
    /// Whether parameter sets came that differ from those before.
    pub new_sets: bool,
    /// Whether a sequence and a picture parameter set came.
    pub has_sets: [bool; 2],
    /// Why a parameter set was refused.
    pub refused: Option<SourceError>,
    /// Frames after a recovery point message until pictures are exact.
    recovery: Option<u32>,
    /// Whether the slices are of the second field by now. What can start decoding is the first.
    is_second_field: bool,
}

/// The kind of a picture, by the headers of its slices.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct PictureKind {
    /// Whether no later picture needs one before it (IDR).
    pub key: bool,
    /// Number of pictures after this one, in decoding order, from which on decoding that starts
    /// here is exact: 0 for a picture that needs no other; `None` where decoding cannot start here.
    pub recovery: Option<u32>,
    /// The same number where the stream states it in a recovery point message.
    pub stated_recovery: Option<u32>,
    /// Whether other pictures may need it.
    pub is_reference: bool,
    /// Number of its picture parameter set.
    pub parameters: u32,
}

impl PictureKind {
    /// Returns what other pictures need of it.
    pub fn role(&self) -> Role {
        match (self.is_reference, self.recovery) {
            (_, Some(0)) => Role::Key,
            (true, _) => Role::Reference,
            (false, _) => Role::Disposable,
        }
    }
}

impl AccessUnit {
    /// Makes room for `bytes` bytes.
    pub fn reserve(&mut self, bytes: usize) {
        self.data.reserve(bytes);
    }

    /// Clears the unit.
    pub fn clear(&mut self) {
        self.data.clear();
        (self.picture, self.new_sets, self.refused, self.recovery) = (None, false, None, None);
        (self.has_sets, self.is_second_field) = ([false; 2], false);
    }

    /// Adds the NAL unit `unit`, without start code; parameter sets go to `sets`.
    pub fn add(&mut self, unit: &[u8], sets: &mut ParameterSets) {
        match nal::kind(unit) {
            kind @ (nal::SLICE | nal::KEY_SLICE) => {
                let Some(SliceHeader { first_macroblock, is_intra, parameters }) = slice_header(unit) else { return };
                let key = kind == nal::KEY_SLICE;
                self.is_second_field |= self.picture.is_some() && first_macroblock == 0 && has_fields(sets, parameters);
                let picture = self.picture.get_or_insert(PictureKind {
                    key,
                    recovery: Some(0),
                    stated_recovery: self.recovery,
                    is_reference: false,
                    parameters,
                });
                picture.is_reference |= nal::is_reference(unit);
                if !self.is_second_field {
                    picture.key &= key;
                    if !is_intra {
                        picture.recovery = self.recovery;
                    }
                }
                self.data.extend(START_CODE);
                self.data.extend_from_slice(unit);
            }
            nal::SUPPLEMENTAL => self.recovery = self.recovery.or_else(|| recovery_point(unit)),
            kind @ (nal::SEQUENCE_PARAMETERS | nal::PICTURE_PARAMETERS) => {
                self.has_sets[usize::from(kind == nal::PICTURE_PARAMETERS)] = true;
                match sets.add(unit) {
                    Ok(differs) => self.new_sets |= differs,
                    Err(error) => self.refused = Some(error),
                }
            }
            _ => {}
        }
    }

    /// Returns the slices in Annex B form.
    pub fn data(&self) -> &[u8] {
        &self.data
    }
}

/// Returns whether pictures with this picture parameter set may consist of two fields.
fn has_fields(sets: &ParameterSets, parameters: u32) -> bool {
    let sequence = sets.sequence_of(parameters).and_then(|sequence| sps::parse(sequence).ok());
    sequence.is_some_and(|sequence| sequence.has_fields)
}

/// The start of a slice (7.3.3).
struct SliceHeader {
    /// Number of its first macroblock, 0 in the first slice of a frame or field.
    first_macroblock: u32,
    /// Whether it needs no other picture.
    is_intra: bool,
    /// Number of its picture parameter set.
    parameters: u32,
}

fn slice_header(unit: &[u8]) -> Option<SliceHeader> {
    let mut bits = Bits::new(unit);
    bits.number(8)?;
    let first_macroblock = bits.unsigned()?;
    let kind = bits.unsigned()?;
    // I and SI; from 5 on the number says the same of all slices of the picture.
    Some(SliceHeader { first_macroblock, is_intra: matches!(kind % 5, 2 | 4), parameters: bits.unsigned()? })
}

/// Returns the number of frames until a recovery point (D.1.8) among the messages of `unit`.
fn recovery_point(unit: &[u8]) -> Option<u32> {
    const RECOVERY_POINT: usize = 6;
    let mut bits = Bits::new(unit);
    bits.number(8)?;
    loop {
        let mut number = || {
            let mut sum = 0;
            loop {
                let byte = bits.number(8)? as usize;
                sum += byte;
                if byte < 255 {
                    return Some(sum);
                }
            }
        };
        let (kind, length) = (number()?, number()?);
        if kind == RECOVERY_POINT {
            return bits.unsigned();
        }
        for _ in 0..length {
            bits.number(8)?;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn unit(nals: &[&[u8]]) -> AccessUnit {
        let mut unit = AccessUnit::default();
        nals.iter().for_each(|nal| unit.add(nal, &mut ParameterSets::default()));
        unit
    }

    // First macroblock 0 (1), type, parameter set 0 (1): P is 1, I is 011, all-I is 00110 followed
    // by 00 (7 is 0001000).
    const P: [u8; 2] = [0x41, 0b1110_0000];
    const I: [u8; 2] = [0x41, 0b1011_1000];
    const IDR: [u8; 2] = [0x65, 0b1000_1000 | 1];

    #[test]
    fn the_kind_of_a_picture_is_that_of_all_its_slices() {
        let kind = |nals: &[&[u8]]| unit(nals).picture;
        let picture = |key, recovery| {
            Some(PictureKind { key, recovery, stated_recovery: None, is_reference: true, parameters: 0 })
        };
        assert_eq!(kind(&[&P]), picture(false, None));
        assert_eq!(kind(&[&I]), picture(false, Some(0)));
        assert_eq!(kind(&[&I, &P]), picture(false, None));
        assert_eq!(kind(&[&IDR, &[0x65, 0b1000_1000, 0x80]]).map(|kind| kind.key), Some(true));
        // A recovery point 5 frames ahead (00110), behind another message.
        let message = [6, 5, 1, 0xaa, 6, 1, 0b0011_0100, 0x80];
        let stated = |recovery| PictureKind {
            key: false,
            recovery,
            stated_recovery: Some(5),
            is_reference: true,
            parameters: 0,
        };
        assert_eq!(kind(&[&message, &P]), Some(stated(Some(5))));
        assert_eq!(kind(&[&message, &I]), Some(stated(Some(0))));
        assert_eq!(kind(&[&message]), None);
        for cut in 0..message.len() - 2 {
            assert_eq!(kind(&[&message[..cut], &P]), picture(false, None), "{cut}");
        }
    }

    #[test]
    fn the_role_of_a_picture_is_that_of_all_its_slices() {
        const DISPOSABLE: [u8; 2] = [0x01, 0b1110_0000];
        let role = |nals: &[&[u8]]| unit(nals).picture.map(|picture| picture.role());
        assert_eq!(role(&[&[0x65, 0b1000_1000, 0x80]]), Some(Role::Key));
        assert_eq!(role(&[&I]), Some(Role::Key));
        assert_eq!(role(&[&P]), Some(Role::Reference));
        assert_eq!(role(&[&DISPOSABLE, &DISPOSABLE]), Some(Role::Disposable));
        // The second field of a picture may need the first.
        assert_eq!(role(&[&DISPOSABLE, &P]), Some(Role::Reference));
    }

    #[test]
    fn only_slices_are_kept() {
        let unit = unit(&[&[9, 0x10], &P, &[], &[12, 0xff], &P]);
        assert_eq!(unit.data(), [&[0, 0, 0, 1][..], &P, &[0, 0, 0, 1], &P].concat());
    }
}
