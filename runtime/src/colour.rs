//! Colour: converts YCbCr samples to red, green and blue, for the matrices and ranges of video.

use crate::frame::{Colour, Matrix, Range};

/// Converts one Y'CbCr triple of code values (0 to 255, fractions allowed) to R'G'B' of 0 to 255.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ToRgb {
    luma_scale: f32,
    luma_black: f32,
    red_from_v: f32,
    green_from_u: f32,
    green_from_v: f32,
    blue_from_u: f32,
}

impl ToRgb {
    /// Returns the conversion for `colour`: luma weights of the ITU-R recommendation, 219 and 224
    /// steps in limited range.
    pub fn new(colour: Colour) -> Self {
        let (kr, kb) = match colour.matrix {
            Matrix::Bt601 => (0.299, 0.114),
            Matrix::Bt709 => (0.2126, 0.0722),
            Matrix::Bt2020 => (0.2627, 0.0593),
        };
        let kg: f64 = 1.0 - kr - kb;
        let (luma_scale, luma_black, chroma_scale) = match colour.range {
            Range::Limited => (255.0 / 219.0, 16.0, 255.0 / 224.0),
            Range::Full => (1.0, 0.0, 1.0),
        };
        ToRgb {
            luma_scale: luma_scale as f32,
            luma_black,
            red_from_v: (2.0 * (1.0 - kr) * chroma_scale) as f32,
            green_from_u: (2.0 * (1.0 - kb) * kb / kg * chroma_scale) as f32,
            green_from_v: (2.0 * (1.0 - kr) * kr / kg * chroma_scale) as f32,
            blue_from_u: (2.0 * (1.0 - kb) * chroma_scale) as f32,
        }
    }

    /// Returns R'G'B' of one triple, unclamped.
    #[inline(always)]
    pub fn rgb(&self, y: f32, u: f32, v: f32) -> [f32; 3] {
        let (y, u, v) = (self.luma(y), u - 128.0, v - 128.0);
        [y + self.red_from_v * v, y - self.green_from_u * u - self.green_from_v * v, y + self.blue_from_u * u]
    }

    /// Returns the full-range luma of a luma code value, unclamped.
    #[inline(always)]
    pub fn luma(&self, y: f32) -> f32 {
        (y - self.luma_black) * self.luma_scale
    }
}

/// Returns the code value nearest to `value`, clamped to 0 to 255. Exact halves round up or down,
/// and the difference has no effect on a network.
#[inline(always)]
pub(crate) fn to_code(value: f32) -> u8 {
    // From 2^23 on a float has no fraction, so adding this constant rounds and leaves the integer
    // in the lowest bits. The compiler does not vectorise `as`.
    const WHOLE: f32 = 8_388_608.0;
    let value = (value + 0.5).clamp(0.0, 255.0);
    let nearest = value + WHOLE;
    let above = nearest - WHOLE > value;
    (nearest.to_bits() - u32::from(above)) as u8
}

/// Returns Y'CbCr of BT.709 in full range, for statistics of RGB pictures. Computes with integers
/// of 16 fractional bits.
#[inline(always)]
pub(crate) fn rgb_to_ycc([r, g, b]: [u8; 3]) -> [u8; 3] {
    let (r, g, b) = (i32::from(r), i32::from(g), i32::from(b));
    let y = (13_933 * r + 46_871 * g + 4_732 * b + 32_768) >> 16;
    let u = ((b - y) * 35_318 + (128 << 16) + 32_768) >> 16;
    let v = ((r - y) * 41_615 + (128 << 16) + 32_768) >> 16;
    [y.clamp(0, 255) as u8, u.clamp(0, 255) as u8, v.clamp(0, 255) as u8]
}

#[cfg(test)]
mod tests {
    use super::*;

    /// BT.709 and BT.601 code values of the primaries, from the recommendations' 75 % and 100 %
    /// bars.
    #[test]
    fn primaries_convert_to_their_colours() {
        let to_rgb = |matrix, range, [y, u, v]: [u8; 3]| {
            ToRgb::new(Colour { matrix, range }).rgb(y.into(), u.into(), v.into()).map(to_code)
        };
        let near = |a: [u8; 3], b: [u8; 3]| a.iter().zip(b).all(|(&a, b)| a.abs_diff(b) <= 2);
        assert!(near(to_rgb(Matrix::Bt709, Range::Limited, [63, 102, 240]), [255, 0, 0]));
        assert!(near(to_rgb(Matrix::Bt709, Range::Limited, [173, 42, 26]), [0, 255, 0]));
        assert!(near(to_rgb(Matrix::Bt601, Range::Limited, [41, 240, 110]), [0, 0, 255]));
        assert!(near(to_rgb(Matrix::Bt601, Range::Full, [76, 85, 255]), [255, 0, 0]));
        assert!(near(to_rgb(Matrix::Bt2020, Range::Limited, [235, 128, 128]), [255, 255, 255]));
        assert_eq!(to_rgb(Matrix::Bt709, Range::Limited, [16, 128, 128]), [0, 0, 0]);
    }

    #[test]
    fn codes_are_rounded_half_up_and_clamped() {
        let near = |bits: u32| (0..1 << 22).map(move |at| f32::from_bits(bits.wrapping_add(at << 8)));
        // Every 256th float, and all around the halves.
        let halves = (0..=256).flat_map(|code| {
            let half = (code as f32 - 0.5).to_bits();
            (half - 5..=half + 5).map(f32::from_bits)
        });
        for value in near(0).chain(near(1 << 30)).chain(near(1 << 31)).chain(near(3 << 30)).chain(halves) {
            if !value.is_nan() {
                assert_eq!(to_code(value), (value + 0.5) as u8, "{value}");
            }
        }
    }

    #[test]
    fn statistics_of_rgb_equal_those_of_its_yuv() {
        for rgb in [[0, 0, 0], [255, 255, 255], [255, 0, 0], [0, 255, 0], [0, 0, 255], [12, 200, 90]] {
            let [y, u, v] = rgb_to_ycc(rgb);
            let back =
                ToRgb::new(Colour { matrix: Matrix::Bt709, range: Range::Full }).rgb(y.into(), u.into(), v.into());
            for (a, b) in back.map(to_code).iter().zip(rgb) {
                assert!(a.abs_diff(b) <= 2, "{rgb:?} came back as {back:?}");
            }
        }
    }
}
