//! The sequence parameter set: size, colour and order of the pictures, and which decoder takes
//! them.

use divita_runtime::frame::Subsampling;

use crate::SourceError;
use crate::codecs::bits::Bits;
use crate::codecs::eight_bits::{Format, Layout, Transfer};
use crate::codecs::limit;
use crate::codecs::usability::{self, Usability};
use crate::error::VideoError;
use crate::presentation::CodecFacts;

/// Most pictures that HEVC lets a decoder hold, and the longest side of a picture.
const MAX_PICTURES: u32 = 16;
const MAX_SIDE: u32 = 16_384;

/// What a sequence parameter set says.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Sequence {
    /// Number of the set.
    pub number: u32,
    /// The pictures, after cropping.
    pub format: Format,
    /// Number of the profile.
    pub profile: u32,
    /// Number of the highest sub-layer, from 0.
    pub highest_sub_layer: u32,
    /// Pictures that may come before another in decoding order and after it in order of time.
    pub reordered: usize,
    /// Shape of a pixel and colour.
    pub usability: Usability,
    /// Frames, and the seconds that they take.
    pub frame_rate: Option<(u64, u64)>,
}

impl Sequence {
    /// Reads the parameter set `nal`, which starts with its NAL header.
    ///
    /// # Errors
    /// When it cannot be read, or describes pictures that no decoder takes.
    pub fn parse(nal: &[u8]) -> Result<Self, SourceError> {
        let malformed = VideoError::Malformed { part: "the sequence parameter set of its HEVC" };
        let fields = Fields::read(&mut Bits::new(nal)).ok_or(malformed)?;
        fields.sequence()
    }

    /// Returns whether pictures are 4:2:0.
    pub fn is_subsampled(&self) -> bool {
        self.format.layout == Layout::Yuv(Subsampling::Both)
    }

    /// Returns what the set says of how the pictures are shown.
    pub fn facts(&self) -> CodecFacts {
        CodecFacts {
            width: self.format.width,
            height: self.format.height,
            colour: self.format.colour(self.usability.colour()),
            sample_aspect: self.usability.sample_aspect,
        }
    }
}

/// The fields that decide.
struct Fields {
    number: u32,
    profile: u32,
    highest_sub_layer: u32,
    chroma_format: u32,
    /// Width and height before cropping.
    size: (u32, u32),
    /// Left, right, top and bottom, in units of chroma samples.
    crop: [u32; 4],
    /// Of luma and chroma.
    bits: (u32, u32),
    /// Pictures that a decoder holds, and those that are reordered.
    held: u32,
    reordered: u32,
    usability: Usability,
    frame_rate: Option<(u64, u64)>,
}

impl Fields {
    fn sequence(self) -> Result<Sequence, SourceError> {
        let malformed = || VideoError::Malformed { part: "the sequence parameter set of its HEVC" };
        let unsupported = |what: String| Err(VideoError::UnsupportedPictures { what }.into());
        // Pixels in a crop unit.
        let unit = match self.chroma_format {
            0 => return unsupported("grey".to_owned()),
            1 => (2, 2),
            2 => return unsupported("4:2:2".to_owned()),
            3 => (1, 1),
            _ => return Err(malformed().into()),
        };
        let side = |pixels: u32, unit: u32, before: u32, after: u32| {
            let cropped = u64::from(unit) * (u64::from(before) + u64::from(after));
            let shown = u64::from(pixels).checked_sub(cropped)?;
            usize::try_from(shown).ok().filter(|&shown| shown > 0)
        };
        let [left, right, top, bottom] = self.crop;
        let width = side(self.size.0, unit.0, left, right).ok_or_else(malformed)?;
        let height = side(self.size.1, unit.1, top, bottom).ok_or_else(malformed)?;
        if self.size.0.max(self.size.1) > MAX_SIDE {
            return Err(VideoError::TooLarge { width, height, limit: "16384 in each direction" }.into());
        }
        limit::check(self.size.0 as usize, self.size.1 as usize)?;
        let deepest = self.bits.0.max(self.bits.1);
        if deepest > 12 {
            return unsupported(format!("{deepest}-bit"));
        }
        // The decoder keeps as many pictures as the set says.
        if self.held > MAX_PICTURES || self.reordered >= self.held {
            return Err(malformed().into());
        }
        let is_subsampled = self.chroma_format == 1;
        let matrix = self.usability.matrix.unwrap_or(2);
        let layout = Layout::new(is_subsampled, is_subsampled, matrix).ok_or_else(malformed)?;
        let format = Format {
            width,
            height,
            layout,
            bits: self.bits,
            transfer: self.usability.transfer.map_or(Transfer::Sdr, Transfer::new),
            is_full_range: self.usability.full_range == Some(true),
        };
        let Fields { number, profile, highest_sub_layer, usability, frame_rate, .. } = self;
        let reordered = self.reordered as usize;
        Ok(Sequence { number, format, profile, highest_sub_layer, reordered, usability, frame_rate })
    }

    /// Reads 7.3.2.2.1, and of the usability information as far as the colour.
    fn read(bits: &mut Bits<'_>) -> Option<Self> {
        bits.number(16)?; // the NAL header
        bits.number(4)?; // the video parameter set
        let sub_layers = bits.number(3)?;
        bits.flag()?;
        let profile = profile(bits, sub_layers)?;
        let number = bits.unsigned().filter(|&number| number < 16)?;
        let chroma_format = bits.unsigned()?;
        if chroma_format == 3 {
            bits.flag()?; // separate planes
        }
        let size = (bits.unsigned()?, bits.unsigned()?);
        let mut crop = [0; 4];
        if bits.flag()? {
            for edge in &mut crop {
                *edge = bits.unsigned()?;
            }
        }
        let bit_depth = |bits: &mut Bits<'_>| bits.unsigned()?.checked_add(8);
        let depths = (bit_depth(bits)?, bit_depth(bits)?);
        let order_bits = bits.unsigned().filter(|&more| more <= 12)? + 4;
        let all_layers = bits.flag()?;
        let (mut held, mut reordered) = (0, 0);
        for _ in 0..if all_layers { sub_layers + 1 } else { 1 } {
            (held, reordered) = (bits.unsigned()?.checked_add(1)?, bits.unsigned()?);
            bits.unsigned()?; // latency
        }
        // The rest is optional for us: a set that is strange here may be decoded.
        let stated = usability(bits, order_bits);
        let frame_rate = stated.and_then(|_| clock(bits));
        let usability = stated.unwrap_or_default();
        Some(Fields {
            number,
            profile,
            highest_sub_layer: sub_layers,
            chroma_format,
            size,
            crop,
            bits: depths,
            held,
            reordered,
            usability,
            frame_rate,
        })
    }
}

/// Returns frames and the seconds that they take: what follows the colour. `None` if there is no
/// clock, or if it runs at no rate of a video.
fn clock(bits: &mut Bits<'_>) -> Option<(u64, u64)> {
    if bits.flag()? {
        // Where chroma lies, in both fields.
        bits.unsigned()?;
        bits.unsigned()?;
    }
    bits.number(3)?; // grey chroma, fields, details of each picture
    if bits.flag()? {
        for _ in 0..4 {
            bits.unsigned()?; // the edges of what is shown by default
        }
    }
    if bits.flag()? { clock_rate(bits) } else { None }
}

/// Reads the clock of a parameter set of the sequence or of the video; a picture takes a unit.
fn clock_rate(bits: &mut Bits<'_>) -> Option<(u64, u64)> {
    let (units, scale) = (bits.number(32)?, bits.number(32)?);
    usability::frame_rate(units.into(), scale)
}

/// Returns the frame rate that the video parameter set `nal` states (7.3.2.1), as frames and the
/// seconds that they take.
pub(super) fn frame_rate_of_video(nal: &[u8]) -> Option<(u64, u64)> {
    let bits = &mut Bits::new(nal);
    bits.number(16)?; // the NAL header
    bits.number(12)?; // the set's number, layers
    let sub_layers = bits.number(3)?;
    bits.number(17)?;
    profile(bits, sub_layers)?;
    let all_layers = bits.flag()?;
    for _ in 0..3 * if all_layers { sub_layers + 1 } else { 1 } {
        bits.unsigned()?; // pictures held and reordered, latency
    }
    let highest_layer = bits.number(6)?;
    for _ in 0..bits.unsigned().filter(|&more| more < 1024)? {
        bits.number(32.min(highest_layer + 1))?;
        bits.number((highest_layer + 1).saturating_sub(32))?;
    }
    if bits.flag()? { clock_rate(bits) } else { None }
}

/// Reads past profile, tier and level (7.3.3); returns the profile.
fn profile(bits: &mut Bits<'_>, sub_layers: u32) -> Option<u32> {
    bits.number(3)?;
    let profile = bits.number(5)?;
    let compatible = bits.number(32)?;
    bits.number(32)?;
    bits.number(16)?;
    bits.number(8)?; // level
    let mut present = [(false, false); 8];
    for present in &mut present[..sub_layers as usize] {
        *present = (bits.flag()?, bits.flag()?);
    }
    if sub_layers > 0 {
        bits.number(2 * (8 - sub_layers))?;
    }
    for (has_profile, has_level) in present {
        for _ in 0..11 * u32::from(has_profile) + u32::from(has_level) {
            bits.number(8)?;
        }
    }
    // Some writers leave the profile out and set the bits of those that can decode it.
    let first = (1..32).find(|profile| compatible >> (31 - profile) & 1 == 1);
    Some(if profile == 0 { first.unwrap_or(0) } else { profile })
}

/// Reads what is left up to the colour.
fn usability(bits: &mut Bits<'_>, order_bits: u32) -> Option<Usability> {
    for _ in 0..6 {
        bits.unsigned()?; // sizes of blocks and depths of trees
    }
    if bits.flag()? && bits.flag()? {
        skip_scaling_lists(bits)?;
    }
    bits.number(2)?; // asymmetric partitions, sample adaptive offset
    if bits.flag()? {
        bits.number(8)?; // uncompressed samples
        bits.unsigned()?;
        bits.unsigned()?;
        bits.flag()?;
    }
    skip_reference_sets(bits)?;
    if bits.flag()? {
        for _ in 0..bits.unsigned().filter(|&count| count <= 32)? {
            bits.number(order_bits + 1)?; // long-term references
        }
    }
    bits.number(2)?; // temporal motion vectors, smoothing
    if bits.flag()? { Some(Usability::read(bits)) } else { None }
}

/// Reads past 7.3.4.
fn skip_scaling_lists(bits: &mut Bits<'_>) -> Option<()> {
    for size in 0..4 {
        for _ in 0..if size == 3 { 2 } else { 6 } {
            if !bits.flag()? {
                bits.unsigned()?;
                continue;
            }
            if size > 1 {
                bits.signed()?;
            }
            for _ in 0..64.min(1 << (4 + 2 * size)) {
                bits.signed()?;
            }
        }
    }
    Some(())
}

/// Reads past the short-term reference picture sets (7.3.7).
fn skip_reference_sets(bits: &mut Bits<'_>) -> Option<()> {
    let mut pictures = 0;
    for set in 0..bits.unsigned().filter(|&count| count <= 64)? {
        if set > 0 && bits.flag()? {
            // As the set before, with differences.
            bits.flag()?;
            bits.unsigned()?;
            let mut kept = 0;
            for _ in 0..=pictures {
                kept += u32::from(bits.flag()? || bits.flag()?);
            }
            pictures = kept;
        } else {
            let (before, after) = (bits.unsigned()?, bits.unsigned()?);
            pictures = before.checked_add(after).filter(|&pictures| pictures <= MAX_PICTURES)?;
            for _ in 0..pictures {
                bits.unsigned()?;
                bits.flag()?;
            }
        }
    }
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Sets as x265 wrote them: Main, 640x360; cropped to 638x362; 4:4:4.
    const MAIN: &str = "42010101600000030090000003000003003fa0050201696592a4932b9a7080000003008000000c04";
    const CROPPED: &str = "42010101600000030090000003000003003fa005020171d4996565924cae69c20000030002000003003010";
    const FULL_CHROMA: &str = "4201010408000003009e0800000300003f9000a0402d2cb2b2c92657340400000300040000030060";

    fn bytes(hex: &str) -> Vec<u8> {
        (0..hex.len() / 2).map(|at| u8::from_str_radix(&hex[2 * at..2 * at + 2], 16).unwrap()).collect()
    }

    #[test]
    fn sets_are_read() {
        let main = Sequence::parse(&bytes(MAIN)).unwrap();
        let Format { width, height, layout, bits, transfer, .. } = main.format;
        assert_eq!((width, height, bits, transfer), (640, 360, (8, 8), Transfer::Sdr));
        assert_eq!((layout, main.profile, main.number), (Layout::Yuv(Subsampling::Both), 1, 0));
        let cropped = Sequence::parse(&bytes(CROPPED)).unwrap();
        assert_eq!((cropped.format.width, cropped.format.height), (638, 362));
        let full = Sequence::parse(&bytes(FULL_CHROMA)).unwrap();
        assert_eq!((full.format.layout, full.profile), (Layout::Yuv(Subsampling::None), 4));
    }

    #[test]
    fn no_bit_can_do_worse_than_an_error() {
        for good in [MAIN, CROPPED, FULL_CHROMA].map(bytes) {
            for byte in 0..good.len() {
                let _ = Sequence::parse(&good[..byte]);
                for value in 0..=255 {
                    let mut bad = good.clone();
                    bad[byte] = value;
                    if let Ok(Sequence { format, reordered, .. }) = Sequence::parse(&bad) {
                        assert!(format.width > 0 && format.height > 0 && reordered < 16);
                        assert!(format.width as u64 * format.height as u64 <= limit::MAX_PIXELS);
                    }
                }
            }
        }
    }
}
