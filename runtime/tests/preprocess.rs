//! The preprocessor against Pillow, whose resizing the networks' published weights were trained with.
#![allow(missing_docs, clippy::unwrap_used)]

use std::path::Path;

use divita_runtime::bundle::{Channels, StreamInput};
use divita_runtime::frame::{Colour, Frame, Matrix, Pixels, Plane, Range, Rotation, Subsampling, Timestamp};
use divita_runtime::preprocess::{Picture, Preprocessor};

const SIZE: usize = 32;

/// The picture of `make_resize_vectors.py`, RGB, one pixel after another.
fn picture(width: usize, height: usize) -> Vec<u8> {
    let pixel = |x: usize, y: usize| {
        let square = if (x / 8 + y / 8).is_multiple_of(2) { 230 } else { 20 };
        [((x * 7 + y * 3) % 256) as u8, square, (x * y % 256) as u8]
    };
    (0..height).flat_map(|y| (0..width).flat_map(move |x| pixel(x, y))).collect()
}

fn small(frame: &Frame<'_>) -> Picture {
    let input = StreamInput { size: SIZE, resize: 40, channels: Channels::Rgb, mean: [0.5; 3], std: [0.5; 3] };
    let mut picture = Picture::black(SIZE, SIZE);
    Preprocessor::new(&input).make(frame, &mut picture);
    picture
}

#[test]
fn pictures_are_resized_as_pillow_does() {
    for (width, height) in [(96, 64), (60, 90), (25, 20)] {
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/vectors/{width}x{height}.rgb"));
        let expected = std::fs::read(file).unwrap();
        let data = picture(width, height);
        let plane = Plane { data: &data, stride: 3 * width };
        let found = small(&Frame::new(Pixels::Rgb8(plane), width, height, Timestamp::ZERO).unwrap());
        let (mut worst, mut sum) = (0, 0u32);
        for (at, pixel) in expected.chunks_exact(3).enumerate() {
            for (channel, &expected) in pixel.iter().enumerate() {
                let off = found.channel(channel)[at].abs_diff(expected);
                (worst, sum) = (worst.max(off), sum + u32::from(off));
            }
        }
        let mean = f64::from(sum) / expected.len() as f64;
        println!("{width}x{height}: at most {worst}, on average {mean:.3} code values from Pillow");
        // Pillow rounds to whole code values between the two directions, we do not: one sample in four may fall on the
        // other side.
        assert!(worst <= 1 && mean < 0.3, "{width}x{height}: {worst}, {mean}");
    }
}

/// The whole of a frame, 48 x 27.
fn whole(frame: &Frame<'_>) -> Picture {
    let mut picture = Picture::black(48, 27);
    Preprocessor::whole(48, 27).make(frame, &mut picture);
    picture
}

#[test]
fn a_whole_frame_is_resized_as_pillow_does() {
    let (width, height) = (96, 64);
    let expected = std::fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/vectors/96x64.whole.rgb")).unwrap();
    let data = picture(width, height);
    let plane = Plane { data: &data, stride: 3 * width };
    let found = whole(&Frame::new(Pixels::Rgb8(plane), width, height, Timestamp::ZERO).unwrap());
    assert_eq!(expected.len(), found.data().len());
    for (at, pixel) in expected.chunks_exact(3).enumerate() {
        for (channel, &expected) in pixel.iter().enumerate() {
            assert!(found.channel(channel)[at].abs_diff(expected) <= 1, "pixel {at}, channel {channel}");
        }
    }
}

#[test]
fn a_whole_frame_that_lies_on_its_side_is_turned_first() {
    let (width, height) = (96, 64);
    let upright = picture(width, height);
    let pixel = |x: usize, y: usize| &upright[3 * (y * width + x)..][..3];
    let upright_frame =
        |data| Frame::new(Pixels::Rgb8(Plane { data, stride: 3 * width }), width, height, Timestamp::ZERO);
    let expected = whole(&upright_frame(&upright).unwrap());
    // As they are stored: what a turn as said makes upright.
    let lying = |at: &dyn Fn(usize, usize) -> (usize, usize)| -> Vec<u8> {
        let rows = (0..width).flat_map(|y| (0..height).map(move |x| (x, y)));
        rows.flat_map(|(x, y)| {
            let (x, y) = at(x, y);
            pixel(x, y).to_vec()
        })
        .collect()
    };
    let clockwise = lying(&|x, y| (width - 1 - y, x));
    let counter = lying(&|x, y| (y, height - 1 - x));
    let half: Vec<u8> = upright.chunks_exact(3).rev().flatten().copied().collect();
    for (data, across, down, turn) in [
        (clockwise, height, width, Rotation::Clockwise90),
        (counter, height, width, Rotation::Clockwise270),
        (half, width, height, Rotation::Half),
    ] {
        let plane = Plane { data: &data, stride: 3 * across };
        let frame = Frame::new(Pixels::Rgb8(plane), across, down, Timestamp::ZERO).unwrap().with_rotation(turn);
        let found = whole(&frame);
        let worst = found.data().iter().zip(expected.data()).map(|(a, b)| a.abs_diff(*b)).max();
        assert!(worst <= Some(1), "{turn:?}: off by {worst:?}");
    }
}

#[test]
fn a_row_of_padding_is_never_read() {
    let (width, height) = (50, 38);
    let tight = picture(width, height);
    let wide: Vec<u8> = tight.chunks(3 * width).flat_map(|row| row.iter().copied().chain([255; 17])).collect();
    let of = |data: &[u8], stride| {
        small(&Frame::new(Pixels::Rgb8(Plane { data, stride }), width, height, Timestamp::ZERO).unwrap())
    };
    assert_eq!(of(&tight, 3 * width), of(&wide, 3 * width + 17));
}

/// Codes of the standards' own colour bars (100 %, 8 bit, limited range): white, yellow, cyan, green, magenta, red, blue, black.
const BARS: [([u8; 3], Matrix, [u8; 3]); 10] = [
    ([235, 128, 128], Matrix::Bt709, [255, 255, 255]),
    ([16, 128, 128], Matrix::Bt709, [0, 0, 0]),
    ([219, 16, 138], Matrix::Bt709, [255, 255, 0]),
    ([188, 154, 16], Matrix::Bt709, [0, 255, 255]),
    ([173, 42, 26], Matrix::Bt709, [0, 255, 0]),
    ([63, 102, 240], Matrix::Bt709, [255, 0, 0]),
    ([32, 240, 118], Matrix::Bt709, [0, 0, 255]),
    ([81, 90, 240], Matrix::Bt601, [255, 0, 0]),
    ([145, 54, 34], Matrix::Bt601, [0, 255, 0]),
    ([41, 240, 110], Matrix::Bt601, [0, 0, 255]),
];

#[test]
fn colour_bars_have_the_colours_of_their_standard() {
    for (codes, matrix, expected) in BARS {
        let (width, height) = (64, 48);
        let [y, u, v] = codes.map(|code| vec![code; width * height]);
        let plane = |data| Plane { data, stride: width };
        let pixels = Pixels::Planar { y: plane(&y), u: plane(&u), v: plane(&v), subsampling: Subsampling::None };
        let frame = Frame::new(pixels, width, height, Timestamp::ZERO).unwrap();
        let picture = small(&frame.with_colour(Colour { matrix, range: Range::Limited }));
        for (channel, expected) in expected.into_iter().enumerate() {
            // The codes themselves are rounded, and the matrix doubles that.
            let off = picture.channel(channel).iter().map(|code| code.abs_diff(expected)).max().unwrap();
            assert!(off <= 2, "{codes:?} in {matrix:?}: channel {channel} is off by {off}");
        }
    }
}
