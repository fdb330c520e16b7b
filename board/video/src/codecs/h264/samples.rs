//! How the samples of H.264 pictures are stored, as sequence parameter sets of the High profiles
//! state it.

use crate::codecs::bits::Bits;

/// The profile of lossless video and of 4:4:4, High 4:4:4 Predictive.
pub(crate) const HIGH_444_PREDICTIVE: u32 = 244;

/// Profiles that state their samples; others have 8 bits in 4:2:0.
const HIGH: [u32; 13] = [44, 83, 86, 100, 110, 118, 122, 128, 134, 135, 138, 139, HIGH_444_PREDICTIVE];

/// How the samples are stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct SampleFormat {
    /// Subsampling of chroma (`chroma_format_idc`).
    pub chroma_format: u32,
    /// Whether the planes are coded as three pictures.
    pub separate_planes: bool,
    /// Bits of luma and of chroma samples.
    pub bit_depths: (u32, u32),
    /// Whether coefficients are scaled by matrices.
    pub is_scaled: bool,
}

impl SampleFormat {
    /// Reads what follows the number of a sequence parameter set of `profile` (7.3.2.1.1), up to
    /// the bits of the frame number.
    pub fn read(bits: &mut Bits<'_>, profile: u32) -> Option<Self> {
        let mut format =
            SampleFormat { chroma_format: 1, separate_planes: false, bit_depths: (8, 8), is_scaled: false };
        if !HIGH.contains(&profile) {
            return Some(format);
        }
        format.chroma_format = bits.unsigned()?;
        format.separate_planes = format.chroma_format == 3 && bits.flag()?;
        format.bit_depths = (bits.unsigned()?.checked_add(8)?, bits.unsigned()?.checked_add(8)?);
        bits.flag()?; // lossless
        format.is_scaled = bits.flag()?;
        if format.is_scaled {
            for list in 0..if format.chroma_format == 3 { 12 } else { 8 } {
                if bits.flag()? {
                    skip_scaling_list(bits, if list < 6 { 16 } else { 64 })?;
                }
            }
        }
        Some(format)
    }
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
