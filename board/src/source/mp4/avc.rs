//! H.264 as MP4 stores it, turned into the form that decoders read (Annex B).

use super::bytes::Bytes;
use crate::source::SourceError;

/// What Annex B puts before each NAL unit.
const START_CODE: [u8; 4] = [0, 0, 0, 1];

/// NAL unit types (ITU-T H.264 table 7-1).
mod nal {
    pub const SLICE: u8 = 1;
    pub const KEY_SLICE: u8 = 5;
    pub const SEQUENCE_PARAMETERS: u8 = 7;
    pub const PICTURE_PARAMETERS: u8 = 8;

    /// The type of a NAL unit, 0 (which means nothing) for an empty one.
    pub fn kind(unit: &[u8]) -> u8 {
        unit.first().map_or(0, |header| header & 31)
    }
}

/// The decoder configuration of a track (`avcC`).
#[derive(Debug, Default)]
pub(super) struct AvcConfig {
    /// Bytes of the length before each NAL unit of a sample, 1 to 4.
    length_bytes: usize,
    /// The parameter sets, in Annex B form.
    parameter_sets: Vec<u8>,
    /// The first sequence parameter set. There is none in the `avc3` kind, which keeps them in its samples.
    pub sequence_parameters: Option<Vec<u8>>,
}

impl AvcConfig {
    /// Reads the contents of an `avcC` box (ISO/IEC 14496-15, 5.3.3.1); `None` when it breaks the rules.
    pub fn parse(contents: &[u8]) -> Option<Self> {
        let mut bytes = Bytes(contents);
        if bytes.u8()? != 1 {
            return None;
        }
        // Profile, compatibility and level: the parameter sets repeat them.
        bytes.skip(3)?;
        let length_bytes = usize::from(bytes.u8()? & 3) + 1;
        let mut config = AvcConfig { length_bytes, ..AvcConfig::default() };
        for mask in [31, 255] {
            for _ in 0..bytes.u8()? & mask {
                let count = bytes.u16()?.into();
                let unit = bytes.take(count)?;
                if mask == 31 && config.sequence_parameters.is_none() {
                    config.sequence_parameters = Some(unit.to_vec());
                }
                config.parameter_sets.extend(START_CODE);
                config.parameter_sets.extend(unit);
            }
        }
        Some(config)
    }
}

/// One sample in Annex B form, in a buffer that is used again for the next.
#[derive(Debug, Default)]
pub(super) struct AccessUnit {
    data: Vec<u8>,
    /// Whether it holds a picture at all.
    pub picture: bool,
    /// Whether the picture is a key frame (IDR), which no later picture looks behind.
    pub key: bool,
    /// Where in `data` the last sequence parameter set lies.
    sequence_parameters: Option<(usize, usize)>,
}

impl AccessUnit {
    /// Makes room for a sample of `bytes` bytes with the parameter sets of any of `configs`.
    pub fn reserve(&mut self, bytes: usize, configs: &[AvcConfig]) {
        // A length of fewer bytes than a start code lets a sample grow a little; a hundred units are more than any has.
        let sets = configs.iter().map(|config| config.parameter_sets.len()).max().unwrap_or(0);
        self.data.reserve(bytes + sets + 100 * START_CODE.len());
    }

    /// Takes over `sample`, with the parameter sets of `config` before each key frame: they open the stream, and let a
    /// decoder that lost everything start again.
    ///
    /// Only slices and parameter sets are kept. Everything else helps no decoder, and confuses some.
    ///
    /// # Errors
    /// When the lengths in the sample do not add up.
    pub fn fill(&mut self, sample: &[u8], config: &AvcConfig) -> Result<(), SourceError> {
        let malformed = || SourceError::Malformed { part: "a picture's length" };
        self.data.clear();
        (self.picture, self.key, self.sequence_parameters) = (false, false, None);
        let mut bytes = Bytes(sample);
        while !bytes.0.is_empty() {
            let length = bytes.take(config.length_bytes).ok_or_else(malformed)?;
            let length = length.iter().fold(0, |length, &byte| length << 8 | usize::from(byte));
            let unit = bytes.take(length).ok_or_else(malformed)?;
            match nal::kind(unit) {
                nal::KEY_SLICE => {
                    if !self.key {
                        // Before what the sample itself carries, which is newer and must win.
                        let sets = &config.parameter_sets;
                        self.data.splice(0..0, sets.iter().copied());
                        self.sequence_parameters =
                            self.sequence_parameters.map(|(a, b)| (a + sets.len(), b + sets.len()));
                    }
                    (self.picture, self.key) = (true, true);
                }
                nal::SLICE => self.picture = true,
                nal::SEQUENCE_PARAMETERS => {
                    let start = self.data.len() + START_CODE.len();
                    self.sequence_parameters = Some((start, start + unit.len()));
                }
                nal::PICTURE_PARAMETERS => {}
                _ => continue,
            }
            self.data.extend(START_CODE);
            self.data.extend_from_slice(unit);
        }
        Ok(())
    }

    /// The unit in Annex B form.
    pub fn data(&self) -> &[u8] {
        &self.data
    }

    /// The last sequence parameter set that the sample itself carries.
    pub fn sequence_parameters(&self) -> Option<&[u8]> {
        self.sequence_parameters.and_then(|(start, end)| self.data.get(start..end))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// SPS 67 aa, PPS 68 bb, lengths of `length_bytes` bytes.
    fn config(length_bytes: u8) -> AvcConfig {
        let contents = [1, 100, 0, 31, 0xfc | (length_bytes - 1), 0xe1, 0, 2, 0x67, 0xaa, 1, 0, 2, 0x68, 0xbb];
        AvcConfig::parse(&contents).unwrap()
    }

    #[test]
    fn lengths_of_every_width_become_start_codes() {
        for width in [1, 2, 3, 4] {
            let mut sample = Vec::new();
            for unit in [&[0x41, 1, 2][..], &[0x06, 9], &[0x41, 3]] {
                sample.extend(&(unit.len() as u32).to_be_bytes()[4 - usize::from(width)..]);
                sample.extend(unit);
            }
            let mut unit = AccessUnit::default();
            unit.fill(&sample, &config(width)).unwrap();
            assert_eq!(unit.data(), [0, 0, 0, 1, 0x41, 1, 2, 0, 0, 0, 1, 0x41, 3]);
            assert!(unit.picture && !unit.key);
            assert!(unit.fill(&sample[..sample.len() - 1], &config(width)).is_err());
        }
    }

    #[test]
    fn a_key_frame_brings_the_parameter_sets_along_before_its_own() {
        let mut unit = AccessUnit::default();
        unit.fill(&[2, 0x67, 0xcc, 2, 0x65, 1, 2, 0x65, 2], &config(1)).unwrap();
        let expected = [
            &[0, 0, 0, 1, 0x67, 0xaa, 0, 0, 0, 1, 0x68, 0xbb][..],
            &[0, 0, 0, 1, 0x67, 0xcc, 0, 0, 0, 1, 0x65, 1, 0, 0, 0, 1, 0x65, 2],
        ];
        assert_eq!(unit.data(), expected.concat());
        assert_eq!(unit.sequence_parameters(), Some(&[0x67, 0xcc][..]));
        assert!(unit.picture && unit.key);
    }

    #[test]
    fn empty_samples_and_units_are_no_pictures() {
        let mut unit = AccessUnit::default();
        for sample in [&[][..], &[0, 0], &[1, 0x06]] {
            unit.fill(sample, &config(1)).unwrap();
            assert!(!unit.picture && unit.data().is_empty());
        }
    }

    #[test]
    fn a_configuration_must_hold_what_it_counts() {
        let good = [1, 100, 0, 31, 0xff, 0xe1, 0, 2, 0x67, 0xaa, 1, 0, 2, 0x68, 0xbb];
        for cut in 0..good.len() {
            assert!(AvcConfig::parse(&good[..cut]).is_none(), "{cut}");
        }
        assert!(AvcConfig::parse(&[1, 100, 0, 31, 0xff, 0xe0, 0]).unwrap().sequence_parameters.is_none());
        assert!(AvcConfig::parse(&[2, 100, 0, 31, 0xff, 0xe0, 0]).is_none());
    }
}
