//! What a driver's colour space means for the samples, by the defaults that the kernel's
//! documentation gives.

use divita_runtime::frame::{Colour, Matrix, Range};
use v4l::Format;
use v4l::format::{Colorspace, Quantization};

use super::formats::PixelFormat;

/// Returns the colours of pictures that the driver describes as `described`.
pub(super) fn colour(format: PixelFormat, described: &Format) -> Colour {
    // The crate does not show the field that would override the colour space's own matrix; drivers
    // leave it at default.
    let matrix = match described.colorspace {
        Colorspace::Rec709 | Colorspace::DCIP3 | Colorspace::SMPTE240M => Matrix::Bt709,
        Colorspace::Rec2020 => Matrix::Bt2020,
        Colorspace::Default | Colorspace::RAW => {
            Matrix::assumed_for(described.width as usize, described.height as usize)
        }
        _ => Matrix::Bt601,
    };
    let range = match described.quantization {
        Quantization::FullRange => Range::Full,
        Quantization::LimitedRange => Range::Limited,
        // Only what has colour differences is limited by default, unless it is in the colours of
        // JPEG.
        Quantization::Default if format == PixelFormat::Grey => Range::Full,
        Quantization::Default if matches!(described.colorspace, Colorspace::JPEG) => Range::Full,
        Quantization::Default => Range::Limited,
    };
    Colour { matrix, range }
}

#[cfg(test)]
mod tests {
    use super::*;
    use v4l::FourCC;

    #[test]
    fn the_kernel_s_defaults_hold() {
        let described = |colorspace, quantization, height| Format {
            colorspace,
            quantization,
            ..Format::new(640, height, FourCC::new(b"YUYV"))
        };
        let of = |colorspace, quantization, height| {
            let colour = colour(PixelFormat::Yuyv, &described(colorspace, quantization, height));
            (colour.matrix, colour.range)
        };
        use Quantization::{Default, FullRange, LimitedRange};
        assert_eq!(of(Colorspace::SRGB, Default, 480), (Matrix::Bt601, Range::Limited));
        assert_eq!(of(Colorspace::SRGB, FullRange, 1080), (Matrix::Bt601, Range::Full));
        assert_eq!(of(Colorspace::JPEG, Default, 480), (Matrix::Bt601, Range::Full));
        assert_eq!(of(Colorspace::JPEG, LimitedRange, 480), (Matrix::Bt601, Range::Limited));
        assert_eq!(of(Colorspace::Rec709, Default, 480), (Matrix::Bt709, Range::Limited));
        assert_eq!(of(Colorspace::Default, Default, 480), (Matrix::Bt601, Range::Limited));
        assert_eq!(of(Colorspace::Default, Default, 720), (Matrix::Bt709, Range::Limited));
        let grey = colour(PixelFormat::Grey, &described(Colorspace::SRGB, Default, 480));
        assert_eq!(grey.range, Range::Full);
    }
}
