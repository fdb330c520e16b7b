//! The parameter sets of a stream: which of them a picture needs, and whether those have changed.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::nal;
use super::sps;
use crate::SourceError;
use crate::codecs::bits::Bits;
use crate::codecs::nal_units::START_CODE;
use crate::error::VideoError;

/// The parameter sets that a stream has sent so far, each without its start code.
///
/// A decoder is given only the sequence parameter set that its pictures use and the picture
/// parameter sets that refer to it: OpenH264 reads out of bounds where sets of two sizes meet.
#[derive(Clone, Debug, Default)]
pub(crate) struct ParameterSets(Arc<Sets>);

/// Shared by copies, because most key frames repeat the sets that were there.
#[derive(Clone, Debug, Default)]
struct Sets {
    sequence: BTreeMap<u32, Vec<u8>>,
    picture: BTreeMap<u32, PictureSet>,
}

#[derive(Clone, Debug)]
struct PictureSet {
    /// Number of the sequence parameter set that it refers to.
    sequence: u32,
    /// Whether it has matrices that scale coefficients.
    is_scaled: bool,
    nal: Vec<u8>,
}

impl ParameterSets {
    /// Takes over `nal`, a parameter set with its NAL header, in place of the one of its number.
    /// Returns whether it differs from that one. Any other NAL unit changes nothing.
    ///
    /// # Errors
    /// When the set cannot be read, or describes pictures that cannot be decoded. The sets then
    /// stay as they were.
    pub fn add(&mut self, nal: &[u8]) -> Result<bool, SourceError> {
        /// Largest numbers of both kinds (7.4.2.1.1 and 7.4.2.2).
        const MAX_SEQUENCE: u32 = 31;
        const MAX_PICTURE: u32 = 255;
        let mut bits = Bits::new(nal);
        match nal::kind(nal) {
            nal::SEQUENCE_PARAMETERS => {
                sps::parse(nal)?;
                let malformed = || VideoError::Malformed { part: "the sequence parameter set of its H.264" };
                // Header, profile, constraints and level come first.
                let number = bits.number(32).and_then(|_| bits.unsigned()).filter(|&number| number <= MAX_SEQUENCE);
                let number = number.ok_or_else(malformed)?;
                let differs = self.0.sequence.get(&number).is_none_or(|known| known != nal);
                if differs {
                    Arc::make_mut(&mut self.0).sequence.insert(number, nal.to_vec());
                }
                Ok(differs)
            }
            nal::PICTURE_PARAMETERS => {
                let malformed = || VideoError::Malformed { part: "a picture parameter set of its H.264" };
                let mut read = || Some((bits.number(8)?, bits.unsigned()?, bits.unsigned()?));
                let (_, number, sequence) = read()
                    .filter(|&(_, number, sequence)| number <= MAX_PICTURE && sequence <= MAX_SEQUENCE)
                    .ok_or_else(malformed)?;
                let differs = self.0.picture.get(&number).is_none_or(|known| known.nal != nal);
                if differs {
                    let set = PictureSet { sequence, is_scaled: is_scaled(&mut bits) == Some(true), nal: nal.to_vec() };
                    Arc::make_mut(&mut self.0).picture.insert(number, set);
                }
                Ok(differs)
            }
            _ => Ok(false),
        }
    }

    /// Returns the sequence parameter set of pictures that use the picture parameter set `number`.
    pub fn sequence_of(&self, number: u32) -> Option<&[u8]> {
        self.0.sequence.get(&self.0.picture.get(&number)?.sequence).map(Vec::as_slice)
    }

    /// Returns whether coefficients are scaled by matrices of a picture parameter set of the
    /// sequence that the picture parameter set `number` refers to.
    pub fn is_scaled(&self, number: u32) -> bool {
        let active = self.0.picture.get(&number).map(|set| set.sequence);
        self.0.picture.values().any(|set| Some(set.sequence) == active && set.is_scaled)
    }

    /// Writes to `data`, in Annex B form, the sets that pictures of the same sequence as those of
    /// picture parameter set `number` may use.
    pub fn write(&self, number: u32, data: &mut Vec<u8>) {
        let Some(active) = self.0.picture.get(&number).map(|set| set.sequence) else { return };
        let pictures = self.0.picture.values().filter(|set| set.sequence == active).map(|set| &set.nal);
        for nal in self.0.sequence.get(&active).into_iter().chain(pictures) {
            data.extend(START_CODE);
            data.extend(nal);
        }
    }

    /// Returns any one of the sequence parameter sets.
    pub fn any_sequence(&self) -> Option<&[u8]> {
        self.0.sequence.values().next().map(Vec::as_slice)
    }
}

/// Returns whether a picture parameter set has scaling matrices, from behind its numbers on
/// (7.3.2.2). Sets with slice groups, which only old profiles have, have none.
fn is_scaled(bits: &mut Bits<'_>) -> Option<bool> {
    bits.number(2)?; // entropy coding, order of fields
    if bits.unsigned()? > 0 {
        return Some(false);
    }
    for _reference_list in 0..2 {
        bits.unsigned()?;
    }
    bits.number(3)?; // weights
    for _quantiser in 0..3 {
        bits.signed()?;
    }
    bits.number(3)?; // loop filter, constrained prediction, redundant pictures
    let mut rest = bits.clone();
    let ones = std::iter::from_fn(|| rest.flag()).filter(|&bit| bit).count();
    // The bit that ends the set is the last one.
    let transforms = bits.flag()?;
    if ones < 2 && transforms {
        return Some(false);
    }
    bits.flag()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A sequence parameter set of number 0 as x264 wrote it: High, 96x64.
    const SEQUENCE: [u8; 25] = [
        0x67, 0x64, 0x00, 0x0a, 0xac, 0x76, 0x11, 0x18, 0x9b, 0x01, 0x10, 0x00, 0x00, 0x03, 0x00, 0x10, 0x00, 0x00,
        0x03, 0x03, 0x00, 0xf1, 0x22, 0x58, 0x46,
    ];
    /// Picture parameter sets 0 and 1 of sequence 0, and 2 of sequence 1.
    const PICTURES: [[u8; 3]; 3] = [[0x68, 0b1110_0000, 0x80], [0x68, 0b0101_1000, 0x80], [0x68, 0b0110_1010, 0x80]];

    #[test]
    fn sets_are_found_by_number_and_a_change_is_told() {
        let mut sets = ParameterSets::default();
        assert!(sets.add(&SEQUENCE).unwrap());
        assert!(!sets.add(&SEQUENCE).unwrap());
        for picture in &PICTURES {
            assert!(sets.add(picture).unwrap());
            assert!(!sets.add(picture).unwrap());
        }
        assert_eq!(sets.sequence_of(0), Some(&SEQUENCE[..]));
        assert_eq!(sets.sequence_of(1), Some(&SEQUENCE[..]));
        // Sequence 1 was never sent, and picture set 9 neither.
        assert_eq!((sets.sequence_of(2), sets.sequence_of(9)), (None, None));
        let mut data = Vec::new();
        sets.write(1, &mut data);
        let expected = [&[0, 0, 0, 1][..], &SEQUENCE, &[0, 0, 0, 1], &PICTURES[0], &[0, 0, 0, 1], &PICTURES[1]];
        assert_eq!(data, expected.concat());
    }

    #[test]
    fn picture_sets_with_matrices_are_told() {
        let mut sets = ParameterSets::default();
        sets.add(&SEQUENCE).unwrap();
        // Numbers, no slice groups, one reference, no weights, quantisers, flags; then nothing, the
        // transform of 8x8 without matrices and with one.
        for (tail, expected) in [([0b1000_0000, 0], false), ([0b1011_0000, 0], false), ([0b1110_0000, 0x80], true)] {
            sets.add(&[&[0x68, 0b1100_1110, 0b0011_1000][..], &tail].concat()).unwrap();
            assert_eq!(sets.is_scaled(0), expected, "{tail:?}");
        }
        assert!(!sets.is_scaled(1));
    }

    #[test]
    fn a_set_that_cannot_be_read_changes_nothing() {
        let mut sets = ParameterSets::default();
        sets.add(&SEQUENCE).unwrap();
        assert!(sets.add(&SEQUENCE[..4]).is_err());
        assert!(sets.add(&[0x68]).is_err());
        assert_eq!(sets.any_sequence(), Some(&SEQUENCE[..]));
        assert!(!sets.add(&[0x41, 1, 2]).unwrap());
        assert!(!sets.add(&[]).unwrap());
    }
}
