//! The decoder configuration of H.264 in MP4 and Matroska (`avcC`), and the NAL units of a packet.

use super::access_unit::AccessUnit;
use super::parameter_sets::ParameterSets;
use crate::bytes::Bytes;
use crate::codecs::nal_units;

/// The decoder configuration of a track: `avcC`, or none for a stream in Annex B form.
#[derive(Debug, Default)]
pub(super) struct AvcConfig {
    /// Bytes of the length before each NAL unit of a sample, 1 to 4; 0 where start codes separate
    /// them.
    length_bytes: usize,
    /// The parameter sets, each with its NAL header. There are none in the `avc3` kind, which keeps
    /// them in its samples.
    pub parameter_sets: Vec<Vec<u8>>,
}

impl AvcConfig {
    /// Reads the contents of an `avcC` box (ISO/IEC 14496-15, 5.3.3.1), or nothing for Annex B;
    /// `None` when it breaks the rules.
    pub fn parse(contents: &[u8]) -> Option<Self> {
        if contents.is_empty() {
            return Some(AvcConfig::default());
        }
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
                config.parameter_sets.push(bytes.take(count)?.to_vec());
            }
        }
        Some(config)
    }

    /// Adds the NAL units of `sample` to `unit`, and its parameter sets to `sets`. Returns whether
    /// the lengths in the sample add up; those before a length that does not are added all the
    /// same.
    pub fn read(&self, sample: &[u8], unit: &mut AccessUnit, sets: &mut ParameterSets) -> bool {
        nal_units::split(sample, self.length_bytes, |nal| unit.add(nal, sets))
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

    fn read(config: &AvcConfig, sample: &[u8]) -> (bool, Vec<u8>) {
        let mut unit = AccessUnit::default();
        let whole = config.read(sample, &mut unit, &mut ParameterSets::default());
        (whole, unit.data().to_vec())
    }

    const SLICES: [u8; 14] = [0, 0, 0, 1, 0x41, 0xe1, 2, 0, 0, 0, 1, 0x41, 0xe3, 9];

    #[test]
    fn lengths_of_every_width_become_start_codes() {
        for width in [1, 2, 3, 4] {
            let mut sample = Vec::new();
            for unit in [&[0x41, 0xe1, 2][..], &[0x06, 9], &[0x41, 0xe3, 9]] {
                sample.extend(&(unit.len() as u32).to_be_bytes()[4 - usize::from(width)..]);
                sample.extend(unit);
            }
            assert_eq!(read(&config(width), &sample), (true, SLICES.to_vec()));
            // What lies before a length that does not add up is kept.
            assert_eq!(read(&config(width), &sample[..sample.len() - 1]), (false, SLICES[..7].to_vec()));
        }
    }

    #[test]
    fn start_codes_in_place_of_lengths_are_read() {
        let sample = [0, 0, 0, 1, 0x41, 0xe1, 2, 0, 0, 0, 0, 1, 0x41, 0xe3, 9];
        assert_eq!(read(&config(4), &sample), (true, SLICES.to_vec()));
    }

    #[test]
    fn without_a_configuration_packets_are_in_annex_b_form() {
        let config = AvcConfig::parse(&[]).unwrap();
        let sample = [0, 0, 0, 1, 9, 0xf0, 0, 0, 1, 0x41, 0xe1, 2, 0, 0, 0, 1, 0x41, 0xe3, 9, 0, 0];
        assert_eq!(read(&config, &sample), (true, SLICES.to_vec()));
    }

    #[test]
    fn empty_samples_and_units_are_no_pictures() {
        for sample in [&[][..], &[0, 0], &[1, 0x06]] {
            assert_eq!(read(&config(1), sample), (true, Vec::new()));
        }
    }

    #[test]
    fn a_configuration_must_hold_what_it_counts() {
        let good = [1, 100, 0, 31, 0xff, 0xe1, 0, 2, 0x67, 0xaa, 1, 0, 2, 0x68, 0xbb];
        for cut in 1..good.len() {
            assert!(AvcConfig::parse(&good[..cut]).is_none(), "{cut}");
        }
        let sets = |contents: &[u8]| AvcConfig::parse(contents).map(|config| config.parameter_sets);
        assert_eq!(sets(&good), Some(vec![vec![0x67, 0xaa], vec![0x68, 0xbb]]));
        assert_eq!(sets(&[1, 100, 0, 31, 0xff, 0xe0, 0]), Some(vec![]));
        assert_eq!(sets(&[2, 100, 0, 31, 0xff, 0xe0, 0]), None);
    }
}
