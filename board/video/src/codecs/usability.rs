//! The start of the video usability information, which H.264 (E.1.1) and HEVC (E.2.1) share: shape
//! of a pixel and colour.

use divita_runtime::frame::SampleAspect;

use super::bits::Bits;
use crate::presentation::StatedColour;

/// What a sequence parameter set says of how its pictures are shown.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Usability {
    /// Shape of a pixel.
    pub sample_aspect: Option<SampleAspect>,
    /// Whether codes go from 0 to the largest.
    pub full_range: Option<bool>,
    /// Transfer characteristics by their number in ITU-T H.273.
    pub transfer: Option<u32>,
    /// Matrix coefficients by their number in ITU-T H.273.
    pub matrix: Option<u32>,
}

impl Usability {
    /// Reads as much as there is.
    pub fn read(bits: &mut Bits<'_>) -> Self {
        let mut usability = Usability::default();
        if let Some(sample_aspect) = sample_aspect(bits) {
            usability.sample_aspect = sample_aspect;
            usability.read_colour(bits);
        }
        usability
    }

    /// Returns the colour.
    pub fn colour(&self) -> StatedColour {
        StatedColour::new(self.matrix, self.full_range)
    }

    fn read_colour(&mut self, bits: &mut Bits<'_>) -> Option<()> {
        if bits.flag()? {
            bits.flag()?; // overscan
        }
        if bits.flag()? {
            bits.number(3)?; // PAL, NTSC and so on
            self.full_range = Some(bits.flag()?);
            if bits.flag()? {
                bits.number(8)?; // primaries
                (self.transfer, self.matrix) = (Some(bits.number(8)?), Some(bits.number(8)?));
            }
        }
        Some(())
    }
}

/// Returns the frame rate of a clock that ticks `scale` times a second and `ticks` times a frame,
/// as frames and the seconds that they take; `None` if no video has that rate.
pub(super) fn frame_rate(ticks: u64, scale: u32) -> Option<(u64, u64)> {
    let frames = u64::from(scale);
    (ticks > 0 && (ticks..=1000 * ticks).contains(&frames)).then_some((frames, ticks))
}

/// The shapes of pixels that have a number, from 1 (table E-1).
pub(super) const SAMPLE_ASPECTS: [(u32, u32); 16] = [
    (1, 1),
    (12, 11),
    (10, 11),
    (16, 11),
    (40, 33),
    (24, 11),
    (20, 11),
    (32, 11),
    (80, 33),
    (18, 11),
    (15, 11),
    (64, 33),
    (160, 99),
    (4, 3),
    (3, 2),
    (2, 1),
];

/// Returns the shape of a pixel at the start of the usability information; `None` inside if there
/// is none that makes sense.
fn sample_aspect(bits: &mut Bits<'_>) -> Option<Option<SampleAspect>> {
    const EXTENDED: u32 = 255;
    if !bits.flag()? {
        return Some(None);
    }
    let (width, height) = match bits.number(8)? {
        EXTENDED => (bits.number(16)?, bits.number(16)?),
        number => {
            let index = (number as usize).wrapping_sub(1);
            SAMPLE_ASPECTS.get(index).copied().unwrap_or_default()
        }
    };
    Some(SampleAspect::new(width, height))
}
