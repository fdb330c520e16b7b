//! The latest keyframe of a source as a JPEG picture.

use divita_runtime::preprocess::Picture;
use image::codecs::jpeg::JpegEncoder;
use image::{ExtendedColorType, ImageResult};

/// Quality of the JPEG encoder, of 100. A keyframe of 224 x 224 pixels takes about 10 kB.
const QUALITY: u8 = 80;

/// Encodes `picture`.
///
/// # Errors
/// When the picture has a side of 0 or of more than 65,535 pixels.
pub(super) fn encode(picture: &Picture) -> ImageResult<Vec<u8>> {
    let channels = [picture.channel(0), picture.channel(1), picture.channel(2)];
    let pixels = channels[0].iter().zip(channels[1]).zip(channels[2]);
    let pixels: Vec<u8> = pixels.flat_map(|((red, green), blue)| [*red, *green, *blue]).collect();
    let side = |pixels: usize| u32::try_from(pixels).unwrap_or(u32::MAX);
    let mut bytes = Vec::new();
    JpegEncoder::new_with_quality(&mut bytes, QUALITY).encode(
        &pixels,
        side(picture.width()),
        side(picture.height()),
        ExtendedColorType::Rgb8,
    )?;
    Ok(bytes)
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
        let bytes = encode(&Picture::from_planar(width, height, data).unwrap()).unwrap();
        let decoded = image::load_from_memory(&bytes).unwrap().to_rgb8();
        assert_eq!(decoded.dimensions(), (64, 32));
        for (x, expected) in [(8, [254_u8, 0, 0]), (56, [0, 0, 254])] {
            let found = decoded.get_pixel(x, 16).0;
            assert!(found.iter().zip(expected).all(|(found, expected)| found.abs_diff(expected) < 12), "{found:?}");
        }
    }
}
