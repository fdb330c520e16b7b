//! JPEG pictures of a camera or a film that compresses each by itself.

use std::io::Cursor;

use divita_runtime::frame::{Pixels, Plane};
use image::codecs::jpeg::JpegDecoder;
use image::{ColorType, ImageDecoder};

/// Start of a picture, and a mark that makes the decoder take the usual Huffman tables where the
/// picture has none, as those of many cameras.
const START: &[u8] = b"\xff\xd8\xff\xe0\x00\x0aAVI1\0\0\0\0";

/// The end of a picture.
const END: [u8; 2] = [0xff, 0xd9];

/// Returns width and height of a picture, by its header.
pub(super) fn size(data: &[u8]) -> Option<(usize, usize)> {
    let size = data.starts_with(&START[..2]).then(|| imagesize::blob_size(data).ok()).flatten()?;
    (size.width > 0 && size.height > 0).then_some((size.width, size.height))
}

/// Decodes pictures into one buffer.
#[derive(Default)]
pub(crate) struct JpegPictures {
    /// Whether this source marks the end of its pictures; the few that do not cannot be held to it.
    marks_end: bool,
    samples: Vec<u8>,
    grey: bool,
}

impl JpegPictures {
    /// Decodes `data`, a picture of `size`; false when it is none, or cut short.
    pub fn decode(&mut self, data: &[u8], size: (usize, usize)) -> bool {
        let Some(rest) = data.strip_prefix(&START[..2]) else { return false };
        // Buffers are filled up with zeros.
        let used = rest.len() - rest.iter().rev().take_while(|&&byte| byte == 0).count();
        let complete = rest[..used].ends_with(&END);
        self.marks_end |= complete;
        (complete || !self.marks_end) && self.decode_complete(&rest[..used], size).is_some()
    }

    fn decode_complete(&mut self, rest: &[u8], (width, height): (usize, usize)) -> Option<()> {
        let data = [START, rest].concat();
        // Before the decoder is made, which gives a progressive JPEG its memory at once.
        let found = imagesize::blob_size(&data).ok()?;
        if (found.width, found.height) != (width, height) {
            return None;
        }
        let decoder = JpegDecoder::new(Cursor::new(data)).ok()?;
        self.grey = match decoder.color_type() {
            ColorType::L8 => true,
            ColorType::Rgb8 => false,
            _ => return None,
        };
        self.samples.resize(usize::try_from(decoder.total_bytes()).ok()?, 0);
        decoder.read_image(&mut self.samples).ok()
    }

    /// Returns the samples of the picture that was decoded last.
    pub fn pixels(&self, width: usize) -> Pixels<'_> {
        match self.grey {
            true => Pixels::Grey(Plane { data: &self.samples, stride: width }),
            false => Pixels::Rgb8(Plane { data: &self.samples, stride: 3 * width }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use image::codecs::jpeg::JpegEncoder;
    use image::{ExtendedColorType, ImageEncoder};

    const SIZE: (usize, usize) = (64, 48);

    /// Returns a picture in two colours, orange above blue.
    fn picture() -> Vec<u8> {
        let samples: Vec<u8> =
            (0..SIZE.0 * SIZE.1).flat_map(|at| if at < SIZE.0 * 24 { [230, 120, 20] } else { [20, 40, 200] }).collect();
        let mut data = Vec::new();
        let encoder = JpegEncoder::new_with_quality(&mut data, 95);
        encoder.write_image(&samples, SIZE.0 as u32, SIZE.1 as u32, ExtendedColorType::Rgb8).unwrap();
        data
    }

    /// Returns the picture without its Huffman tables, as many cameras send it.
    fn without_tables(data: &[u8]) -> Vec<u8> {
        let (mut kept, mut at) = (data[..2].to_vec(), 2);
        loop {
            let length = 2 + usize::from(u16::from_be_bytes([data[at + 2], data[at + 3]]));
            match data[at + 1] {
                0xc4 => {}
                0xda => break kept.extend_from_slice(&data[at..]),
                _ => kept.extend_from_slice(&data[at..at + length]),
            }
            at += length;
        }
        assert!(kept.len() + 400 < data.len());
        kept
    }

    fn colours(pictures: &JpegPictures) -> Vec<u8> {
        let Pixels::Rgb8(plane) = pictures.pixels(SIZE.0) else { panic!("colour") };
        [&plane.data[10 * plane.stride + 30..][..3], &plane.data[40 * plane.stride + 30..][..3]].concat()
    }

    #[test]
    fn pictures_are_decoded_with_and_without_huffman_tables_and_with_padding() {
        let data = picture();
        let mut pictures = JpegPictures::default();
        for data in [data.clone(), without_tables(&data), [data.clone(), vec![0; 1000]].concat()] {
            assert!(pictures.decode(&data, SIZE));
            let expected = [230, 120, 20, 20, 40, 200];
            let far = |(a, b): (&u8, &u8)| a.abs_diff(*b) > 6;
            assert!(!colours(&pictures).iter().zip(&expected).any(far), "{:?}", colours(&pictures));
        }
    }

    #[test]
    fn what_is_damaged_or_cut_short_is_no_picture() {
        let data = picture();
        let mut pictures = JpegPictures::default();
        assert!(pictures.decode(&data, SIZE));
        assert!(!pictures.decode(&data[..data.len() / 2], SIZE));
        assert!(!pictures.decode(&data[..1], SIZE));
        assert!(!pictures.decode(&[], SIZE));
        assert!(!pictures.decode(&[0; 5000], SIZE));
        assert!(!pictures.decode(&data, (48, 64)), "another size");
        let headless = [&data[..2], &data[data.len() - 300..]].concat();
        assert!(!pictures.decode(&headless, SIZE));
        // No cut may end the program either.
        for cut in (0..data.len()).step_by(7) {
            JpegPictures::default().decode(&data[..cut], SIZE);
        }
    }
}
