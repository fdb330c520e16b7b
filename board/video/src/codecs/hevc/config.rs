//! The decoder configuration of HEVC in MP4 and Matroska (`hvcC`).

use super::nal;
use crate::bytes::Bytes;
use crate::codecs::nal_units;

/// The decoder configuration of a track: `hvcC`, or none for a stream in Annex B form.
#[derive(Debug, Default)]
pub(super) struct HvcConfig {
    /// Bytes of the length before each NAL unit of a sample, 1 to 4; 0 where start codes separate
    /// them.
    pub length_bytes: usize,
    /// The parameter sets, each with its NAL header.
    pub parameter_sets: Vec<Vec<u8>>,
}

impl HvcConfig {
    /// Reads the contents of an `hvcC` box (ISO/IEC 14496-15, 8.3.3.1), parameter sets in Annex B
    /// form, or nothing; `None` when it breaks the rules.
    pub fn parse(contents: &[u8]) -> Option<Self> {
        let mut config = HvcConfig::default();
        if contents.is_empty() {
            return Some(config);
        }
        if contents.starts_with(&[0, 0, 0, 1]) || contents.starts_with(&[0, 0, 1]) {
            nal_units::split(contents, 0, |unit| config.parameter_sets.push(unit.to_vec()));
            return Some(config);
        }
        let mut bytes = Bytes(contents);
        // Old files have version 0.
        if bytes.u8()? > 1 {
            return None;
        }
        // Profile, level, chroma format and so on: the parameter sets repeat them.
        bytes.skip(20)?;
        config.length_bytes = usize::from(bytes.u8()? & 3) + 1;
        for _ in 0..bytes.u8()? {
            let kind = bytes.u8()? & 63;
            for _ in 0..bytes.u16()? {
                let count = bytes.u16()?.into();
                let unit = bytes.take(count)?;
                if matches!(kind, nal::VIDEO_PARAMETERS..=nal::PICTURE_PARAMETERS) {
                    config.parameter_sets.push(unit.to_vec());
                }
            }
        }
        Some(config)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A parameter set of each kind, and a message.
    fn contents() -> Vec<u8> {
        let mut contents = vec![1; 21];
        contents.extend([0xff, 4]);
        for (kind, unit) in [(32, [0x40, 1]), (33, [0x42, 1]), (34, [0x44, 1]), (39, [0x4e, 1])] {
            contents.extend([0x80 | kind, 0, 1, 0, 2]);
            contents.extend(unit);
        }
        contents
    }

    #[test]
    fn parameter_sets_are_found_in_every_form() {
        let sets = vec![vec![0x40, 1], vec![0x42, 1], vec![0x44, 1]];
        let config = HvcConfig::parse(&contents()).unwrap();
        assert_eq!((config.length_bytes, &config.parameter_sets), (4, &sets));
        let config = HvcConfig::parse(&[0, 0, 0, 1, 0x40, 1, 0, 0, 1, 0x42, 1, 0, 0, 0, 1, 0x44, 1]).unwrap();
        assert_eq!((config.length_bytes, config.parameter_sets), (0, sets));
        let config = HvcConfig::parse(&[]).unwrap();
        assert_eq!((config.length_bytes, config.parameter_sets.len()), (0, 0));
    }

    #[test]
    fn a_configuration_must_hold_what_it_counts() {
        let contents = contents();
        for cut in 1..contents.len() {
            assert!(HvcConfig::parse(&contents[..cut]).is_none(), "{cut}");
        }
        assert!(HvcConfig::parse(&[2; 40]).is_none());
    }
}
