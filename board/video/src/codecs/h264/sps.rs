//! The sequence parameter set: size and colour of the pictures, and which decoder decodes them, if
//! any.
//!
//! Parsed here and not by a crate: the existing crate holds a stream to its level, and many films
//! that every player plays claim a lower level than they need.

use divita_runtime::frame::Subsampling;

use super::samples::{HIGH_444_PREDICTIVE, SampleFormat};
use crate::SourceError;
use crate::codecs::bits::Bits;
use crate::codecs::eight_bits::{Format, Layout, Transfer};
use crate::codecs::usability::{self, Usability};
use crate::error::VideoError;
use crate::presentation::CodecFacts;

/// Most macroblocks (16x16 pixels) of a picture that the decoder takes: those of level 5.2,
/// 4096x2304.
const MAX_MACROBLOCKS: u64 = 36_864;

/// A sequence of pictures.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Sequence {
    /// What is stated of the pictures.
    pub facts: CodecFacts,
    /// Whether OpenH264 decodes them right: it refuses interlaced pictures, 10 bits and 4:2:2, and
    /// makes wrong pictures of monochrome ones and of those with scaling matrices.
    pub is_plain: bool,
    /// Whether a picture may consist of two fields.
    pub has_fields: bool,
    /// The decoder's pictures.
    pub format: Format,
    /// Frames, and the seconds that they take.
    pub frame_rate: Option<(u64, u64)>,
}

/// The fields that decide.
struct Fields {
    samples: SampleFormat,
    /// Whether the profile is High 4:4:4 Predictive, which no decoder here knows: lossless video
    /// has it.
    predictive: bool,
    frames_only: bool,
    /// Width and height in macroblocks; for fields, of one field.
    macroblocks: (u64, u64),
    /// Left, right, top and bottom, in crop units.
    crop: [u32; 4],
    usability: Usability,
    /// Frames, and the seconds that they take.
    frame_rate: Option<(u64, u64)>,
}

/// Reads the parameter set `nal`, which starts with its NAL header.
///
/// # Errors
/// When it cannot be read, or describes pictures that the decoder does not take.
pub(super) fn parse(nal: &[u8]) -> Result<Sequence, SourceError> {
    let malformed = || VideoError::Malformed { part: "the sequence parameter set of its H.264" };
    let unsupported = |what: String| Err(VideoError::UnsupportedPictures { what }.into());
    let fields = Fields::read(&mut Bits::new(nal)).ok_or_else(malformed)?;
    let SampleFormat { chroma_format, bit_depths, is_scaled, .. } = fields.samples;
    match bit_depths {
        (8, 8) | (10, 10) => {}
        (luma, chroma) if luma == chroma => return unsupported(format!("{luma}-bit")),
        (luma, chroma) => return unsupported(format!("of {luma} bits in luma and {chroma} in chroma")),
    }
    if fields.predictive {
        return unsupported("of the profile High 4:4:4 Predictive".to_owned());
    }
    // Pixels in a crop unit, which keeps chroma and fields whole.
    let (unit_across, unit_down) = match chroma_format {
        0 => (1, 1),
        1 => (2, 2),
        2 => (2, 1),
        3 => return unsupported("4:4:4".to_owned()),
        _ => return Err(malformed().into()),
    };
    let fields_a_picture = if fields.frames_only { 1 } else { 2 };
    let side = |macroblocks: u64, unit: u64, before: u32, after: u32| {
        let cropped = unit * (u64::from(before) + u64::from(after));
        let pixels = (16 * macroblocks).checked_sub(cropped).filter(|&pixels| pixels > 0)?;
        usize::try_from(pixels).ok()
    };
    let (across, down) = (fields.macroblocks.0, fields.macroblocks.1 * fields_a_picture);
    let [left, right, top, bottom] = fields.crop;
    let width = side(across, unit_across, left, right).ok_or_else(malformed)?;
    let height = side(down, unit_down * fields_a_picture, top, bottom).ok_or_else(malformed)?;
    if across * down > MAX_MACROBLOCKS {
        return Err(VideoError::TooLarge { width, height, limit: "4096x2304 or as many pixels" }.into());
    }
    let usability = fields.usability;
    let format = Format {
        width,
        height,
        layout: match chroma_format {
            0 => Layout::Grey,
            1 => Layout::Yuv(Subsampling::Both),
            _ => Layout::Yuv(Subsampling::Across),
        },
        bits: bit_depths,
        transfer: usability.transfer.map_or(Transfer::Sdr, Transfer::new),
        is_full_range: usability.full_range == Some(true),
    };
    let facts =
        CodecFacts { width, height, colour: format.colour(usability.colour()), sample_aspect: usability.sample_aspect };
    let is_plain = fields.frames_only && !is_scaled && bit_depths == (8, 8) && chroma_format == 1;
    Ok(Sequence { facts, format, is_plain, has_fields: !fields.frames_only, frame_rate: fields.frame_rate })
}

impl Fields {
    /// Reads 7.3.2.1.1, and of the usability information (E.1.1) as far as the clock.
    fn read(bits: &mut Bits<'_>) -> Option<Self> {
        bits.number(8)?; // the NAL header
        let profile = bits.number(8)?;
        bits.number(16)?; // constraints and level
        bits.unsigned()?; // the set's number
        let samples = SampleFormat::read(bits, profile)?;
        let predictive = profile == HIGH_444_PREDICTIVE;
        bits.unsigned()?; // bits of the frame number
        match bits.unsigned()? {
            0 => {
                bits.unsigned()?; // bits of the picture order count
            }
            1 => {
                bits.flag()?;
                bits.signed()?;
                bits.signed()?;
                for _ in 0..bits.unsigned().filter(|&count| count <= 255)? {
                    bits.signed()?;
                }
            }
            _ => {}
        }
        bits.unsigned()?; // reference frames
        bits.flag()?; // gaps in the frame number
        let macroblocks = (u64::from(bits.unsigned()?) + 1, u64::from(bits.unsigned()?) + 1);
        // Beyond this the product could not be formed; no level comes near.
        if macroblocks.0.max(macroblocks.1) > 1 << 20 {
            return None;
        }
        let frames_only = bits.flag()?;
        if !frames_only {
            bits.flag()?; // fields chosen by macroblock
        }
        bits.flag()?; // direct prediction by 8x8
        let mut crop = [0; 4];
        if bits.flag()? {
            for edge in &mut crop {
                *edge = bits.unsigned()?;
            }
        }
        // The rest is optional: a set that is cut short here can be decoded.
        let stated = bits.flag().unwrap_or(false);
        let usability = if stated { Usability::read(bits) } else { Usability::default() };
        let frame_rate = if stated { clock(bits) } else { None };
        Some(Fields { samples, predictive, frames_only, macroblocks, crop, usability, frame_rate })
    }
}

/// Returns frames and the seconds that they take: what follows the colour. A frame takes two units
/// of the clock. `None` if there is no clock, or if it runs at no rate of a video.
fn clock(bits: &mut Bits<'_>) -> Option<(u64, u64)> {
    if bits.flag()? {
        // Where chroma lies, in both fields.
        bits.unsigned()?;
        bits.unsigned()?;
    }
    if !bits.flag()? {
        return None;
    }
    let (units, scale) = (bits.number(32)?, bits.number(32)?);
    usability::frame_rate(2 * u64::from(units), scale)
}

#[cfg(test)]
mod tests {
    use divita_runtime::frame::SampleAspect;

    use super::*;
    use crate::codecs::usability::SAMPLE_ASPECTS;
    use crate::presentation::StatedColour;

    /// A parameter set as x264 wrote it: High, 96x64, untagged.
    const GOOD: [u8; 25] = [
        0x67, 0x64, 0x00, 0x0a, 0xac, 0x76, 0x11, 0x18, 0x9b, 0x01, 0x10, 0x00, 0x00, 0x03, 0x00, 0x10, 0x00, 0x00,
        0x03, 0x03, 0x00, 0xf1, 0x22, 0x58, 0x46,
    ];

    #[test]
    fn a_set_is_read() {
        let Sequence { facts, is_plain, format, .. } = parse(&GOOD).unwrap();
        assert_eq!((facts.width, facts.height, facts.colour), (96, 64, StatedColour::default()));
        assert!(is_plain && format.layout == Layout::Yuv(Subsampling::Both) && format.bits == (8, 8));
    }

    /// `GOOD` up to the flag of the usability information, and then `fields` of a value and a
    /// number of bits.
    fn with_usability(fields: &[(u32, u32)]) -> CodecFacts {
        parse(&usability(fields)).unwrap().facts
    }

    fn usability(fields: &[(u32, u32)]) -> Vec<u8> {
        let mut bits = Bits::new(&GOOD);
        // 70 bits of this set come before the flag, without the bytes that prevent emulation.
        let mut set: Vec<bool> = (0..70).map(|_| bits.flag().unwrap()).collect();
        for &(value, count) in fields {
            set.extend((0..count).rev().map(|bit| value >> bit & 1 == 1));
        }
        let mut bytes = Vec::new();
        for bits in set.chunks(8) {
            let byte = bits.iter().enumerate().fold(0, |byte, (at, &bit)| byte | u8::from(bit) << (7 - at));
            // Emulation prevention.
            if byte <= 3 && bytes.ends_with(&[0, 0]) {
                bytes.push(3);
            }
            bytes.push(byte);
        }
        bytes
    }

    #[test]
    fn the_shape_of_a_pixel_is_read_in_both_forms() {
        let shape = |fields: &[(u32, u32)]| with_usability(fields).sample_aspect;
        assert_eq!(shape(&[(0, 1)]), None);
        assert_eq!(shape(&[(1, 1), (0, 1)]), None);
        for (number, (width, height)) in (1..).zip(SAMPLE_ASPECTS) {
            assert_eq!(shape(&[(1, 1), (1, 1), (number, 8)]), SampleAspect::new(width, height), "{number}");
        }
        assert_eq!(shape(&[(1, 1), (1, 1), (255, 8), (16, 16), (9, 16)]), SampleAspect::new(16, 9));
        // Unspecified, reserved, and what no pixel is.
        for fields in [&[(0, 8)][..], &[(17, 8)], &[(255, 8), (0, 16), (9, 16)], &[(255, 8), (500, 16), (1, 16)]] {
            let both = [&[(1, 1), (1, 1)][..], fields].concat();
            assert_eq!(shape(&both), None, "{fields:?}");
        }
        // Colour comes after the shape, whichever form that has: full range and BT.2020.
        let colour = [(0, 1), (1, 1), (5, 3), (1, 1), (1, 1), (1, 8), (1, 8), (9, 8)];
        for shape in [&[(0, 1)][..], &[(1, 1), (14, 8)], &[(1, 1), (255, 8), (4, 16), (3, 16)]] {
            let format = with_usability(&[&[(1, 1)][..], shape, &colour].concat());
            assert_eq!(format.colour, StatedColour::new(Some(9), Some(true)), "{shape:?}");
        }
    }

    #[test]
    fn the_frame_rate_follows_the_colour() {
        let rate = |fields: &[(u32, u32)]| parse(&usability(fields)).unwrap().frame_rate;
        let clock = [(1, 1), (1001, 32), (60000, 32)];
        for colour in [&[(0, 1)][..], &[(1, 1), (5, 3), (1, 1), (1, 1), (1, 8), (1, 8), (9, 8)]] {
            for chroma in [&[(0, 1)][..], &[(1, 1), (1, 1), (1, 1)]] {
                let fields = [&[(1, 1), (0, 1), (0, 1)][..], colour, chroma, &clock].concat();
                assert_eq!(rate(&fields), Some((60000, 2002)), "{colour:?}, {chroma:?}");
            }
        }
        let none = [(1, 1), (0, 1), (0, 1), (0, 1), (0, 1), (1, 1)];
        for (units, scale) in [(0, 50), (1, 0), (50, 1), (1, u32::MAX)] {
            assert_eq!(rate(&[&none[..], &[(units, 32), (scale, 32)]].concat()), None, "{units}, {scale}");
        }
        assert_eq!(rate(&none), None);
    }

    #[test]
    fn no_bit_can_do_worse_than_an_error() {
        for byte in 0..GOOD.len() {
            let _ = parse(&GOOD[..byte]);
            for value in 0..=255 {
                let mut bad = GOOD;
                bad[byte] = value;
                if let Ok(Sequence { facts, .. }) = parse(&bad) {
                    assert!(facts.width > 0 && facts.height > 0);
                }
            }
        }
    }
}
