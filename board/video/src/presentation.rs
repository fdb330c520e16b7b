//! How decoded pictures are shown: orientation, shape of the pixels and colour, from what the
//! container and the codec say.
//!
//! | property | precedence |
//! |---|---|
//! | orientation | container, else upright |
//! | shape of a pixel | container's pixel, container's size of the track, codec, else square |
//! | colour matrix | codec, container, else by the size of the picture |
//! | range of codes | codec, container, else limited |
//!
//! Cropping is the codec's: pictures come out of it cropped.

use divita_runtime::frame::{Colour, Frame, Matrix, Orientation, Range, SampleAspect};

/// What one side says of colour, where it says it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct StatedColour {
    /// Matrix from YUV to RGB.
    pub matrix: Option<Matrix>,
    /// Range of codes.
    pub range: Option<Range>,
}

impl StatedColour {
    /// Takes the matrix coefficients by their number in ITU-T H.273, and whether codes go from 0 to
    /// 255.
    pub fn new(matrix_coefficients: Option<u32>, full_range: Option<bool>) -> Self {
        let range = full_range.map(|full| if full { Range::Full } else { Range::Limited });
        StatedColour { matrix: matrix_coefficients.and_then(matrix), range }
    }
}

/// Returns the matrix of these coefficients (ITU-T H.273, table 4). SMPTE 240M (7) is within a
/// hundredth of BT.709, FCC (4) of BT.601.
fn matrix(coefficients: u32) -> Option<Matrix> {
    match coefficients {
        1 | 7 => Some(Matrix::Bt709),
        4..=6 => Some(Matrix::Bt601),
        9 | 10 => Some(Matrix::Bt2020),
        _ => None,
    }
}

/// What a container says of the pictures of a track.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct ContainerFacts {
    /// How pictures are turned and mirrored.
    pub orientation: Orientation,
    /// Shape of a pixel.
    pub pixel: Option<SampleAspect>,
    /// Width and height of the track as shown, in pixels with 16 fractional bits, before it is
    /// turned.
    pub size: Option<(u32, u32)>,
    /// Colour.
    pub colour: StatedColour,
}

/// What a codec says of its pictures.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct CodecFacts {
    /// Width in pixels, after cropping.
    pub width: usize,
    /// Height in pixels, after cropping.
    pub height: usize,
    /// Colour.
    pub colour: StatedColour,
    /// Shape of a pixel.
    pub sample_aspect: Option<SampleAspect>,
}

impl ContainerFacts {
    /// Returns `frame` with all that is known of how it is shown. `first` is the size of the first
    /// pictures, to which the size of the track refers.
    pub fn present<'a>(&self, frame: Frame<'a>, first: (usize, usize), codec: &CodecFacts) -> Frame<'a> {
        frame
            .with_colour(self.colour(codec))
            .with_orientation(self.orientation)
            .with_sample_aspect(self.sample_aspect(first, codec.sample_aspect))
    }

    fn colour(&self, codec: &CodecFacts) -> Colour {
        let matrix = codec.colour.matrix.or(self.colour.matrix);
        let range = codec.colour.range.or(self.colour.range).unwrap_or(Range::Limited);
        Colour { matrix: matrix.unwrap_or(Matrix::assumed_for(codec.width, codec.height)), range }
    }

    /// Returns the shape of the pixels of a stream that states `codec` and begins with pictures of
    /// size `first`. The order is that of ffmpeg.
    fn sample_aspect(&self, first: (usize, usize), codec: Option<SampleAspect>) -> SampleAspect {
        let by_size = || self.size.and_then(|size| stretched(size, first));
        self.pixel.or_else(by_size).or(codec).unwrap_or_default()
    }
}

/// Returns the shape of the pixels of a picture of `pixels` that is shown in the shape of `size`.
/// `None` if a side is unknown, if the shapes differ by rounding, or if the writer has swapped the
/// sides of a turned picture.
fn stretched(size: (u32, u32), pixels: (usize, usize)) -> Option<SampleAspect> {
    let (width, height) = (u64::try_from(pixels.0).ok()?, u64::try_from(pixels.1).ok()?);
    let across = u64::from(size.0).checked_mul(height)?;
    let down = u64::from(size.1).checked_mul(width)?;
    let swapped = u64::from(size.0).checked_mul(width)?.abs_diff(u64::from(size.1).checked_mul(height)?) < 1 << 16;
    if swapped || across.abs_diff(down) <= across.max(down) / 100 {
        return None;
    }
    // Of 64 bits the highest 32 are kept.
    let shift = 32u32.saturating_sub(across.max(down).leading_zeros());
    SampleAspect::new(u32::try_from(across >> shift).ok()?, u32::try_from(down >> shift).ok()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_codec_states_colour_before_the_container() {
        let facts = |codec, container| {
            let codec = CodecFacts { width: 96, height: 64, colour: codec, sample_aspect: None };
            ContainerFacts { colour: container, ..ContainerFacts::default() }.colour(&codec)
        };
        let none = StatedColour::default();
        assert_eq!(facts(none, none), Colour { matrix: Matrix::Bt601, range: Range::Limited });
        let container = StatedColour::new(Some(9), Some(true));
        assert_eq!(facts(none, container), Colour { matrix: Matrix::Bt2020, range: Range::Full });
        let codec = StatedColour::new(Some(1), Some(false));
        assert_eq!(facts(codec, container), Colour { matrix: Matrix::Bt709, range: Range::Limited });
        assert_eq!(StatedColour::new(Some(2), None), none);
    }

    #[test]
    fn the_container_states_the_shape_of_pixels_before_the_codec() {
        let aspect = SampleAspect::new;
        let fixed = |side: u32| side << 16;
        let facts = |pixel, size: (u32, u32)| ContainerFacts { pixel, size: Some(size), ..ContainerFacts::default() };
        let (plain, wide) = ((fixed(720), fixed(576)), (fixed(1024), fixed(576)));
        let shape = |facts: ContainerFacts, codec| facts.sample_aspect((720, 576), codec).ratio();
        assert_eq!(shape(facts(aspect(12, 11), wide), aspect(16, 11)), 12.0 / 11.0);
        assert!((shape(facts(None, wide), aspect(16, 11)) - 64.0 / 45.0).abs() < 1e-6);
        assert_eq!(shape(facts(None, plain), aspect(16, 11)), 16.0 / 11.0);
        assert_eq!(shape(facts(None, plain), None), 1.0);
        // No size, a size that is rounded, one whose sides a writer has swapped, and one beyond all
        // reason.
        for size in
            [(0, 0), (0, fixed(576)), (fixed(724), fixed(576)), (fixed(576), fixed(720)), (fixed(9999), fixed(1))]
        {
            assert_eq!(shape(facts(None, size), None), 1.0, "{size:?}");
        }
    }
}
