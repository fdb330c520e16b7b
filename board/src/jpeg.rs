//! Keyframes as JPEG pictures.

use divita_runtime::preprocess::Picture;
use image::codecs::jpeg::JpegEncoder;
use image::imageops::{FilterType, resize};
use image::{ImageResult, RgbImage};

/// Encodes `picture` with a quality of 1 to 100, scaled down to `width` pixels if it is wider.
/// Returns the file and its width and height.
///
/// # Errors
/// When the picture has a side of 0 or of more than 65,535 pixels.
pub(crate) fn encode(picture: &Picture, width: u32, quality: u8) -> ImageResult<(Vec<u8>, [u32; 2])> {
    let channels = [picture.channel(0), picture.channel(1), picture.channel(2)];
    let pixels = channels[0].iter().zip(channels[1]).zip(channels[2]);
    let pixels: Vec<u8> = pixels.flat_map(|((red, green), blue)| [*red, *green, *blue]).collect();
    let side = |pixels: usize| u32::try_from(pixels).unwrap_or(u32::MAX);
    let mut image = RgbImage::from_raw(side(picture.width()), side(picture.height()), pixels).unwrap_or_default();
    if image.width() > width {
        let height = (u64::from(image.height()) * u64::from(width)).div_ceil(image.width().into());
        image = resize(&image, width, u32::try_from(height).unwrap_or(u32::MAX), FilterType::Triangle);
    }
    let mut bytes = Vec::new();
    JpegEncoder::new_with_quality(&mut bytes, quality).encode_image(&image)?;
    Ok((bytes, [image.width(), image.height()]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colours_and_places_are_those_of_the_picture() {
        // Red on the left, blue on the right.
        let (width, height) = (64, 32);
        let plane = |on: fn(usize) -> bool| (0..width * height).map(move |at| if on(at) { 255 } else { 0 });
        let data = plane(|at| at % 64 < 32).chain(plane(|_| false)).chain(plane(|at| at % 64 >= 32)).collect();
        let picture = Picture::from_planar(width, height, data).unwrap();
        for (most, sides) in [(64, [64, 32]), (1000, [64, 32]), (16, [16, 8])] {
            let (bytes, found) = encode(&picture, most, 80).unwrap();
            assert_eq!(found, sides);
            let decoded = image::load_from_memory(&bytes).unwrap().to_rgb8();
            assert_eq!(decoded.dimensions(), (sides[0], sides[1]));
            for (x, expected) in [(sides[0] / 8, [254_u8, 0, 0]), (sides[0] * 7 / 8, [0, 0, 254])] {
                let found = decoded.get_pixel(x, sides[1] / 2).0;
                assert!(found.iter().zip(expected).all(|(found, expected)| found.abs_diff(expected) < 14), "{found:?}");
            }
        }
    }

    #[test]
    fn a_picture_without_pixels_is_an_error() {
        assert!(encode(&Picture::black(0, 0), 10, 80).is_err());
    }
}
