//! The parameter sets of a stream: which of them a picture needs, and whether those have changed.

use std::collections::BTreeMap;

use super::nal;
use super::sps::{self, Sequence};
use crate::SourceError;
use crate::codecs::bits::Bits;
use crate::error::VideoError;

/// The parameter sets that a stream has sent so far, each without its start code.
#[derive(Debug, Default)]
pub(super) struct ParameterSets {
    video: BTreeMap<u32, Vec<u8>>,
    sequence: BTreeMap<u32, (Sequence, Vec<u8>)>,
    picture: BTreeMap<u32, PictureSet>,
}

/// A picture parameter set.
#[derive(Debug)]
struct PictureSet {
    /// Number of the sequence parameter set that it refers to.
    sequence: u32,
    /// Whether slices say if their picture is shown, and how many bits come before.
    states_output: bool,
    extra_bits: u32,
    nal: Vec<u8>,
}

impl ParameterSets {
    /// Takes over `unit`, a parameter set of type `kind`, in place of the one of its number.
    /// Returns whether it differs from that one.
    ///
    /// # Errors
    /// When the set cannot be read, or describes pictures that cannot be decoded. The set of its
    /// number is then gone where that is known.
    pub fn add(&mut self, kind: u8, unit: &[u8]) -> Result<bool, SourceError> {
        let mut bits = Bits::new(unit);
        match kind {
            nal::VIDEO_PARAMETERS => {
                let malformed = VideoError::Malformed { part: "the video parameter set of its HEVC" };
                let number = bits.number(16).and_then(|_| bits.number(4)).ok_or(malformed)?;
                Ok(self.video.insert(number, unit.to_vec()).is_none_or(|known| known != unit))
            }
            nal::SEQUENCE_PARAMETERS => {
                let sequence = Sequence::parse(unit)?;
                let known = self.sequence.insert(sequence.number, (sequence, unit.to_vec()));
                Ok(known.is_none_or(|(_, known)| known != unit))
            }
            nal::PICTURE_PARAMETERS => {
                let malformed = VideoError::Malformed { part: "a picture parameter set of its HEVC" };
                let (number, set) = PictureSet::read(&mut bits, unit).ok_or(malformed)?;
                Ok(self.picture.insert(number, set).is_none_or(|known| known.nal != unit))
            }
            _ => Ok(false),
        }
    }

    /// Returns what the sequence parameter set of pictures with the picture parameter set `number`
    /// says, and the set.
    pub fn sequence_of(&self, number: u32) -> Option<(&Sequence, &[u8])> {
        let (sequence, nal) = self.sequence.get(&self.picture.get(&number)?.sequence)?;
        Some((sequence, nal))
    }

    /// Returns any one of the sequence parameter sets.
    pub fn any_sequence(&self) -> Option<&Sequence> {
        self.sequence.values().next().map(|(sequence, _)| sequence)
    }

    /// Returns the frame rate of `sequence`, as frames and the seconds that they take, where it or
    /// a video parameter set states it.
    pub fn frame_rate(&self, sequence: &Sequence) -> Option<(u64, u64)> {
        sequence.frame_rate.or_else(|| self.video.values().find_map(|set| sps::frame_rate_of_video(set)))
    }

    /// Returns all sets, those first that others refer to.
    pub fn all(&self) -> impl Iterator<Item = &[u8]> {
        let sequence = self.sequence.values().map(|(_, nal)| nal);
        let picture = self.picture.values().map(|set| &set.nal);
        self.video.values().chain(sequence).chain(picture).map(Vec::as_slice)
    }

    /// Returns whether the picture that begins with the slice `unit` is shown.
    pub fn is_shown(&self, picture: &nal::PictureKind, unit: &[u8]) -> bool {
        let Some(set) = self.picture.get(&picture.parameters).filter(|set| set.states_output) else { return true };
        let mut bits = Bits::new(unit);
        let mut read = || {
            // Header, first slice, output of prior pictures, set, extra bits, type of slice.
            bits.number(17 + u32::from(picture.is_random_access()))?;
            bits.unsigned()?;
            bits.number(set.extra_bits)?;
            bits.unsigned()?;
            bits.flag()
        };
        read().unwrap_or(true)
    }
}

impl PictureSet {
    /// Reads the start of 7.3.2.3.1; returns the set with its number.
    fn read(bits: &mut Bits<'_>, unit: &[u8]) -> Option<(u32, Self)> {
        bits.number(16)?;
        let number = bits.unsigned().filter(|&number| number < 64)?;
        let sequence = bits.unsigned().filter(|&number| number < 16)?;
        bits.flag()?; // dependent slices
        let (states_output, extra_bits) = (bits.flag()?, bits.number(3)?);
        Some((number, PictureSet { sequence, states_output, extra_bits, nal: unit.to_vec() }))
    }
}
