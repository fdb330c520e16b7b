//! Folders of numbered pictures: order, samples, rate, and errors of folders that cannot be one
//! film.
#![allow(clippy::unwrap_used)]

use std::path::Path;

use divita_runtime::frame::{Orientation, Timestamp};
use divita_tests::{assert_fails, divita, raw_planes};
use divita_video::{self as source, FrameSource};
use image::codecs::{jpeg::JpegEncoder, png::PngEncoder};
use image::{DynamicImage, ExtendedColorType, GrayImage, ImageEncoder, RgbImage};

/// Returns a picture of `width` x `height` that is unique for `seed`.
fn picture(width: u32, height: u32, seed: u32) -> RgbImage {
    RgbImage::from_fn(width, height, |x, y| {
        image::Rgb([x * 5 + seed, y * 3, (x ^ y) + 40 * seed].map(|code| code as u8))
    })
}

fn open(input: &str) -> Box<dyn FrameSource> {
    source::open(input).unwrap_or_else(|error| panic!("{input}: {error}"))
}

fn shots(folder: &Path) -> std::process::Output {
    divita(&["shots", folder.to_str().unwrap()])
}

#[test]
fn pictures_come_in_the_order_of_their_numbers_with_every_sample() {
    let folder = tempfile::tempdir().unwrap();
    // Written in another order than read. 10 precedes 2 only in alphabetical order.
    for number in [10, 2, 1, 9] {
        picture(37, 21, number).save(folder.path().join(format!("frame{number}.png"))).unwrap();
    }
    std::fs::write(folder.path().join("notes.txt"), "not a picture").unwrap();
    let mut source = open(folder.path().to_str().unwrap());
    assert_eq!((source.info().width, source.info().height, source.info().frames), (37, 21, Some(4)));
    for (k, number) in [1, 2, 9, 10].into_iter().enumerate() {
        let frame = source.next_frame().unwrap().unwrap();
        // 24 a second by default.
        assert_eq!(frame.time(), Timestamp::from_ticks(k as i64, 24));
        assert_eq!(raw_planes(&frame), [picture(37, 21, number).into_raw()], "picture {number}");
    }
    assert!(source.next_frame().unwrap().is_none());
}

#[test]
fn the_rate_is_an_option() {
    let folder = tempfile::tempdir().unwrap();
    for number in 0..3 {
        picture(8, 8, number).save(folder.path().join(format!("{number}.png"))).unwrap();
    }
    let mut source = open(&format!("{}?fps=30000/1001", folder.path().display()));
    assert!((source.info().frame_rate.unwrap() - 29.97003).abs() < 1e-5);
    for k in 0..3 {
        assert_eq!(source.next_frame().unwrap().unwrap().time(), Timestamp::from_ticks(k * 1001, 30000));
    }
    for wrong in ["fps=0", "fps=fast", "rate=25"] {
        let input = format!("{}?{wrong}", folder.path().display());
        assert_fails(&divita(&["shots", &input]), 1, &[wrong, "folder?fps=24"]);
    }
}

#[test]
fn grey_transparent_and_deep_pictures_are_read() {
    let colour = DynamicImage::ImageRgb8(picture(9, 7, 3));
    let grey = GrayImage::from_fn(9, 7, |x, y| image::Luma([(x * 20 + y) as u8]));
    let forms = [
        (colour.to_rgba8().into(), picture(9, 7, 3).into_raw()),
        (colour.to_rgb16().into(), picture(9, 7, 3).into_raw()),
        (DynamicImage::ImageLuma8(grey.clone()), grey.into_raw()),
    ];
    for (form, expected) in forms {
        let folder = tempfile::tempdir().unwrap();
        let form: DynamicImage = form;
        form.save(folder.path().join("1.png")).unwrap();
        let mut source = open(folder.path().to_str().unwrap());
        assert_eq!(raw_planes(&source.next_frame().unwrap().unwrap()), [expected], "{:?}", form.color());
    }
}

#[test]
fn jpeg_is_read_by_what_it_is_and_not_by_its_name() {
    let folder = tempfile::tempdir().unwrap();
    let flat = RgbImage::from_pixel(16, 16, image::Rgb([200, 60, 120]));
    flat.save(folder.path().join("1.jpg")).unwrap();
    std::fs::rename(folder.path().join("1.jpg"), folder.path().join("1.png")).unwrap();
    let mut source = open(folder.path().to_str().unwrap());
    let [rgb] = &raw_planes(&source.next_frame().unwrap().unwrap())[..] else { panic!("one plane") };
    let worst =
        rgb.chunks(3).flat_map(|pixel| [pixel[0].abs_diff(200), pixel[1].abs_diff(60), pixel[2].abs_diff(120)]).max();
    // Rounding of JPEG.
    assert!(worst.unwrap() <= 4, "{worst:?}");
}

/// Returns EXIF data with only an orientation, in the byte order of cameras.
fn exif(orientation: u8) -> Vec<u8> {
    // Big-endian TIFF; one entry at 8: tag 0x112, one 16-bit number; no further directory.
    let mut data = b"MM\0\x2a\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0".to_vec();
    data.extend([orientation, 0, 0, 0, 0, 0, 0]);
    data
}

#[test]
fn pictures_are_shown_in_the_orientation_that_exif_states() {
    let folder = tempfile::tempdir().unwrap();
    let encoded = |mut encoder: Encoder<'_>, exif: Vec<u8>| {
        match &mut encoder {
            Encoder::Jpeg(encoder) => encoder.set_exif_metadata(exif).unwrap(),
            Encoder::Png(encoder) => encoder.set_exif_metadata(exif).unwrap(),
        }
        let stored = picture(16, 8, 1);
        match encoder {
            Encoder::Jpeg(encoder) => encoder.write_image(&stored, 16, 8, ExtendedColorType::Rgb8).unwrap(),
            Encoder::Png(encoder) => encoder.write_image(&stored, 16, 8, ExtendedColorType::Rgb8).unwrap(),
        }
    };
    // Also an invalid number, truncated data, and no data.
    let data: Vec<Vec<u8>> = (1..=9).map(exif).chain([exif(6)[..15].to_vec(), Vec::new()]).collect();
    for (at, exif) in data.iter().enumerate() {
        let (mut jpeg, mut png) = (Vec::new(), Vec::new());
        encoded(Encoder::Jpeg(Box::new(JpegEncoder::new(&mut jpeg))), exif.clone());
        encoded(Encoder::Png(PngEncoder::new(&mut png)), exif.clone());
        std::fs::write(folder.path().join(format!("{}.jpg", 2 * at)), jpeg).unwrap();
        std::fs::write(folder.path().join(format!("{}.png", 2 * at + 1)), png).unwrap();
    }
    let mut source = open(folder.path().to_str().unwrap());
    let expected = Orientation::ALL.into_iter().chain([Orientation::Upright; 3]);
    for (at, orientation) in expected.flat_map(|one| [one, one]).enumerate() {
        let frame = source.next_frame().unwrap().unwrap();
        assert_eq!(frame.orientation(), orientation, "picture {at}");
        assert_eq!((frame.width(), frame.height()), (16, 8));
    }
}

/// Encoders that write EXIF data.
enum Encoder<'a> {
    Jpeg(Box<JpegEncoder<&'a mut Vec<u8>>>),
    Png(PngEncoder<&'a mut Vec<u8>>),
}

#[test]
fn folders_that_are_no_film() {
    let empty = tempfile::tempdir().unwrap();
    assert_fails(&shots(empty.path()), 1, &[empty.path().to_str().unwrap(), ".png"]);
    let mixed = tempfile::tempdir().unwrap();
    picture(8, 8, 0).save(mixed.path().join("1.png")).unwrap();
    picture(9, 8, 0).save(mixed.path().join("2.png")).unwrap();
    assert_fails(&shots(mixed.path()), 1, &["2.png", "9x8", "8x8"]);
    let broken = tempfile::tempdir().unwrap();
    picture(8, 8, 0).save(broken.path().join("1.png")).unwrap();
    std::fs::write(broken.path().join("2.png"), "not a picture at all").unwrap();
    assert_fails(&shots(broken.path()), 1, &["2.png"]);
}

/// A file of some hundred bytes that claims 16384 x 16384 pixels is refused by its header, before
/// any memory for its body.
#[test]
fn pictures_that_claim_to_be_huge_are_refused_by_their_header() {
    let side = 16_384u32.to_be_bytes();
    let [_, _, high, low] = side;
    // A progressive JPEG: start, frame header, one Huffman table, scan header, end.
    let mut jpeg = vec![0xff, 0xd8, 0xff, 0xc2, 0, 17, 8, high, low, high, low, 3];
    jpeg.extend([1, 0x11, 0, 2, 0x11, 0, 3, 0x11, 0]);
    jpeg.extend([0xff, 0xc4, 0, 20, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
    jpeg.extend([0xff, 0xda, 0, 12, 3, 1, 0, 2, 0, 3, 0, 0, 0, 0, 0xff, 0xd9]);
    // A PNG: 16-bit colour with transparency, and no data.
    let chunk = |kind: &[u8; 4], data: &[u8]| {
        let body = [kind.as_slice(), data].concat();
        let sum = body.iter().fold(!0u32, |sum, &byte| {
            (0..8).fold(sum ^ u32::from(byte), |sum, _| (sum >> 1) ^ (0xedb8_8320 & (sum & 1).wrapping_neg()))
        });
        [&(data.len() as u32).to_be_bytes()[..], &body, &(!sum).to_be_bytes()].concat()
    };
    let header = [&side[..], &side, &[16, 6, 0, 0, 0]].concat();
    let png =
        [b"\x89PNG\r\n\x1a\n".to_vec(), chunk(b"IHDR", &header), chunk(b"IDAT", &[]), chunk(b"IEND", &[])].concat();
    for (name, bytes) in [("1.jpg", jpeg), ("1.png", png)] {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join(name), bytes).unwrap();
        // In an address space of 300 MB.
        let program = divita_tests::program("divita");
        let command =
            format!("ulimit -v 300000; exec {} shots {}", program.get_program().display(), folder.path().display());
        let output = std::process::Command::new("sh").args(["-c", &command]).output().unwrap();
        assert_fails(&output, 1, &["16384x16384", "too large", "4096x4096"]);
    }
}
