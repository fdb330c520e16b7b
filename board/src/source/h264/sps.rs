//! The sequence parameter set: size and colour of the pictures, and whether they can be decoded at all.
//!
//! Read here and not by a crate, because the one there is holds a stream to its level, and many films that every player plays
//! claim a lower level than they need.

use divita_runtime::frame::{Colour, Matrix, Range};

use super::bits::Bits;
use crate::source::SourceError;

/// Most macroblocks (16x16 pixels) of a picture that the decoder takes: those of level 5.2, 4096x2304.
const MAX_MACROBLOCKS: u64 = 36_864;

/// What a sequence parameter set says about the pictures.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct StreamFormat {
    /// Width in pixels, after cropping.
    pub width: usize,
    /// Height in pixels, after cropping.
    pub height: usize,
    /// The matrix, where the stream states one that is known here.
    matrix: Option<Matrix>,
    /// The range, where the stream states it.
    range: Option<Range>,
}

/// What the container says of colour.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct ContainerColour {
    /// Matrix coefficients by the numbers of ITU-T H.273.
    pub matrix_coefficients: Option<u32>,
    /// Whether codes go from 0 to 255.
    pub full_range: Option<bool>,
}

/// The fields that decide.
struct Fields {
    chroma_format: u32,
    bit_depth: u32,
    frames_only: bool,
    /// Width and height in macroblocks.
    macroblocks: (u64, u64),
    /// Left, right, top and bottom, in crop units.
    crop: [u32; 4],
    full_range: Option<bool>,
    matrix_coefficients: Option<u32>,
}

impl StreamFormat {
    /// Reads the parameter set `nal`, which starts with its NAL header.
    ///
    /// # Errors
    /// When it cannot be read, or describes pictures that the decoder does not take.
    pub fn parse(nal: &[u8]) -> Result<Self, SourceError> {
        let malformed = || SourceError::Malformed { part: "the sequence parameter set of its H.264" };
        let unsupported = |what: String| Err(SourceError::UnsupportedPictures { what });
        let fields = Fields::read(&mut Bits::new(nal)).ok_or_else(malformed)?;
        if fields.bit_depth > 8 {
            return unsupported(format!("{}-bit", fields.bit_depth));
        }
        // Pixels in a crop unit, which keeps chroma whole.
        let unit = match fields.chroma_format {
            0 => 1,
            1 => 2,
            2 => return unsupported("4:2:2".to_owned()),
            3 => return unsupported("4:4:4".to_owned()),
            _ => return Err(malformed()),
        };
        if !fields.frames_only {
            return unsupported("interlaced".to_owned());
        }
        let side = |macroblocks: u64, before: u32, after: u32| {
            let cropped = unit * (u64::from(before) + u64::from(after));
            let pixels = (16 * macroblocks).checked_sub(cropped).filter(|&pixels| pixels > 0)?;
            usize::try_from(pixels).ok()
        };
        let (across, down) = fields.macroblocks;
        let [left, right, top, bottom] = fields.crop;
        let width = side(across, left, right).ok_or_else(malformed)?;
        let height = side(down, top, bottom).ok_or_else(malformed)?;
        if across * down > MAX_MACROBLOCKS {
            return Err(SourceError::TooLarge { width, height, limit: "4096x2304 or as many pixels" });
        }
        Ok(StreamFormat {
            width,
            height,
            matrix: fields.matrix_coefficients.and_then(matrix),
            range: fields.full_range.map(range),
        })
    }

    /// The colour of a picture of `width` x `height` of this stream. What the stream says itself comes before what its container
    /// says, as in players; where neither says anything, the matrix is that of the size and the range is limited.
    pub fn colour(&self, width: usize, height: usize, container: ContainerColour) -> Colour {
        let stated = self.matrix.or_else(|| container.matrix_coefficients.and_then(matrix));
        let range = self.range.or(container.full_range.map(range)).unwrap_or(Range::Limited);
        Colour { matrix: stated.unwrap_or(Matrix::assumed_for(width, height)), range }
    }
}

/// The matrix of these coefficients (table E-5). SMPTE 240M (7) is within a hundredth of BT.709, FCC (4) of BT.601.
fn matrix(coefficients: u32) -> Option<Matrix> {
    match coefficients {
        1 | 7 => Some(Matrix::Bt709),
        4..=6 => Some(Matrix::Bt601),
        9 | 10 => Some(Matrix::Bt2020),
        _ => None,
    }
}

fn range(full: bool) -> Range {
    if full { Range::Full } else { Range::Limited }
}

impl Fields {
    /// Reads 7.3.2.1.1, and of the usability information (E.1.1) as far as the colour.
    fn read(bits: &mut Bits<'_>) -> Option<Self> {
        /// Profiles that state their chroma format.
        const HIGH: [u32; 13] = [44, 83, 86, 100, 110, 118, 122, 128, 134, 135, 138, 139, 244];
        bits.number(8)?; // the NAL header
        let profile = bits.number(8)?;
        bits.number(16)?; // constraints and level
        bits.unsigned()?; // the set's number
        let (mut chroma_format, mut bit_depth) = (1, 8);
        if HIGH.contains(&profile) {
            chroma_format = bits.unsigned()?;
            if chroma_format == 3 {
                bits.flag()?; // separate planes
            }
            let luma = bits.unsigned()?;
            bit_depth = luma.max(bits.unsigned()?).checked_add(8)?;
            bits.flag()?; // lossless
            if bits.flag()? {
                for list in 0..if chroma_format == 3 { 12 } else { 8 } {
                    if bits.flag()? {
                        skip_scaling_list(bits, if list < 6 { 16 } else { 64 })?;
                    }
                }
            }
        }
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
        // What follows is advice; where it is cut short, the pictures are none the worse.
        let (full_range, matrix_coefficients) =
            colour(bits).map_or((None, None), |(full, matrix)| (Some(full), matrix));
        Some(Fields { chroma_format, bit_depth, frames_only, macroblocks, crop, full_range, matrix_coefficients })
    }
}

/// Whether the range is full, and the matrix coefficients if they are stated.
fn colour(bits: &mut Bits<'_>) -> Option<(bool, Option<u32>)> {
    const EXTENDED_ASPECT: u32 = 255;
    if !bits.flag()? {
        return None;
    }
    if bits.flag()? && bits.number(8)? == EXTENDED_ASPECT {
        bits.number(32)?;
    }
    if bits.flag()? {
        bits.flag()?; // overscan
    }
    if !bits.flag()? {
        return None;
    }
    bits.number(3)?; // PAL, NTSC and so on
    let full_range = bits.flag()?;
    let stated = bits.flag()?;
    let matrix = if stated { bits.number(24).map(|description| description & 255) } else { None };
    Some((full_range, matrix))
}

/// Reads past a scaling list of `length` (7.3.2.1.1.1).
fn skip_scaling_list(bits: &mut Bits<'_>, length: u32) -> Option<()> {
    let (mut last, mut next) = (8i32, 8i32);
    for _ in 0..length {
        if next != 0 {
            next = last.wrapping_add(bits.signed()?) & 255;
        }
        if next != 0 {
            last = next;
        }
    }
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A parameter set as x264 wrote it: High, 96x64, untagged.
    const GOOD: [u8; 25] = [
        0x67, 0x64, 0x00, 0x0a, 0xac, 0x76, 0x11, 0x18, 0x9b, 0x01, 0x10, 0x00, 0x00, 0x03, 0x00, 0x10, 0x00, 0x00,
        0x03, 0x03, 0x00, 0xf1, 0x22, 0x58, 0x46,
    ];

    #[test]
    fn a_set_is_read() {
        let format = StreamFormat::parse(&GOOD).unwrap();
        assert_eq!((format.width, format.height, format.matrix, format.range), (96, 64, None, None));
        let untagged = ContainerColour::default();
        let limited = Colour { matrix: Matrix::Bt601, range: Range::Limited };
        assert_eq!(format.colour(96, 64, untagged), limited);
        let container = ContainerColour { matrix_coefficients: Some(9), full_range: Some(true) };
        assert_eq!(format.colour(96, 64, container), Colour { matrix: Matrix::Bt2020, range: Range::Full });
        // What the stream says itself wins.
        let tagged = StreamFormat { matrix: Some(Matrix::Bt709), range: Some(Range::Limited), ..format };
        assert_eq!(tagged.colour(96, 64, container), Colour { matrix: Matrix::Bt709, range: Range::Limited });
    }

    #[test]
    fn no_bit_can_do_worse_than_an_error() {
        for byte in 0..GOOD.len() {
            let _ = StreamFormat::parse(&GOOD[..byte]);
            for value in 0..=255 {
                let mut bad = GOOD;
                bad[byte] = value;
                if let Ok(format) = StreamFormat::parse(&bad) {
                    assert!(format.width > 0 && format.height > 0);
                }
            }
        }
    }
}
