//! Compares the preprocessor with simple code, bit by bit, and with Pillow, whose resizing was used
//! in the training of the published weights.
#![allow(missing_docs, clippy::unwrap_used)]

use std::path::Path;

use divita_runtime::bundle::StreamInput;
use divita_runtime::frame::{
    Colour, Frame, Matrix, Orientation, Pixels, Plane, Range, SampleAspect, Subsampling, Timestamp,
};
use divita_runtime::preprocess::{Picture, Preprocessor};
use proptest::prelude::*;

const SIZE: usize = 32;

/// Returns the picture of `make_resize_vectors.py`, RGB, pixel by pixel.
fn picture(width: usize, height: usize) -> Vec<u8> {
    let pixel = |x: usize, y: usize| {
        let square = if (x / 8 + y / 8).is_multiple_of(2) { 230 } else { 20 };
        [((x * 7 + y * 3) % 256) as u8, square, (x * y % 256) as u8]
    };
    (0..height).flat_map(|y| (0..width).flat_map(move |x| pixel(x, y))).collect()
}

fn small(frame: &Frame<'_>) -> Picture {
    let input = StreamInput::new(SIZE, 40, [0.5; 3], [0.5; 3]);
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
        // Pillow rounds to code values between the two directions. The preprocessor does not, so
        // one sample in four may differ by rounding.
        assert!(worst <= 1 && mean < 0.3, "{width}x{height}: {worst}, {mean}");
    }
}

/// Returns the whole frame as a picture of 48 x 27.
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
fn a_rotated_whole_frame_is_turned_upright_first() {
    let (width, height) = (96, 64);
    let upright = picture(width, height);
    let pixel = |x: usize, y: usize| &upright[3 * (y * width + x)..][..3];
    let upright_frame =
        |data| Frame::new(Pixels::Rgb8(Plane { data, stride: 3 * width }), width, height, Timestamp::ZERO);
    let expected = whole(&upright_frame(&upright).unwrap());
    // Pixels as stored: the rotation makes them upright.
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
        (clockwise, height, width, Orientation::Rotate90),
        (counter, height, width, Orientation::Rotate270),
        (half, width, height, Orientation::Rotate180),
    ] {
        let plane = Plane { data: &data, stride: 3 * across };
        let frame = Frame::new(Pixels::Rgb8(plane), across, down, Timestamp::ZERO).unwrap().with_orientation(turn);
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

/// Codes of the standards' own colour bars (100 %, 8 bit, limited range): white, yellow, cyan,
/// green, magenta, red, blue, black.
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
            // The codes themselves are rounded, and the matrix doubles the error.
            let off = picture.channel(channel).iter().map(|code| code.abs_diff(expected)).max().unwrap();
            assert!(off <= 2, "{codes:?} in {matrix:?}: channel {channel} is off by {off}");
        }
    }
}

/// The preprocessor in simple code: each sum by itself, tap by tap.
mod plain {
    use super::*;

    /// One component: its size, and the positions of its samples in the bytes.
    pub struct Component<'a> {
        pub size: (usize, usize),
        pub at: Box<dyn Fn(usize, usize) -> u8 + 'a>,
    }

    /// Returns the components of `frame`.
    pub fn components<'a>(frame: &Frame<'a>) -> Vec<Component<'a>> {
        let (width, height) = (frame.width(), frame.height());
        let component = |plane: Plane<'a>, size, step: usize, offset: usize| Component {
            size,
            at: Box::new(move |x, y| plane.data[y * plane.stride + x * step + offset]),
        };
        let half = (width.div_ceil(2), height.div_ceil(2));
        let full = (width, height);
        match frame.pixels() {
            Pixels::Planar { y, u, v, subsampling } => {
                let chroma = match subsampling {
                    Subsampling::None => full,
                    Subsampling::Both => half,
                    Subsampling::Across => (half.0, height),
                };
                vec![component(y, full, 1, 0), component(u, chroma, 1, 0), component(v, chroma, 1, 0)]
            }
            Pixels::Nv12 { y, uv } => {
                vec![component(y, full, 1, 0), component(uv, half, 2, 0), component(uv, half, 2, 1)]
            }
            Pixels::Yuyv(plane) => {
                let chroma = (half.0, height);
                vec![component(plane, full, 2, 0), component(plane, chroma, 4, 1), component(plane, chroma, 4, 3)]
            }
            Pixels::Rgb8(plane) => (0..3).map(|k| component(plane, full, 3, k)).collect(),
            Pixels::Grey(plane) => vec![component(plane, full, 1, 0)],
        }
    }

    /// Returns the first input and the weights of output `k` of `size`, for the central `span` of
    /// `length` inputs.
    fn taps(length: usize, span: f64, size: usize, k: usize) -> (usize, Vec<f32>) {
        let scale = span / size as f64;
        let support = scale.max(1.0);
        let centre = (length as f64 - span) / 2.0 + (k as f64 + 0.5) * scale;
        let first = (centre - support).floor().clamp(0.0, (length - 1) as f64) as usize;
        let last = ((centre + support).ceil() as usize).clamp(first + 1, length);
        let weight = |at: usize| (1.0 - ((at as f64 + 0.5 - centre) / support).abs()).max(0.0);
        let sum: f64 = (first..last).map(weight).sum();
        (first, (first..last).map(|at| (weight(at) / sum) as f32).collect())
    }

    /// Returns `span` of one component at `columns` x `rows`.
    pub fn shrink(component: &Component<'_>, span: (f64, f64), (columns, rows): (usize, usize)) -> Vec<f32> {
        let (width, height) = component.size;
        let mut small = Vec::new();
        for y in 0..rows {
            let (top, down) = taps(height, span.1, rows, y);
            let column = |x: usize| {
                let weighted =
                    down.iter().enumerate().map(|(k, weight)| weight * f32::from((component.at)(x, top + k)));
                weighted.fold(0.0, |sum: f32, term| sum + term)
            };
            for x in 0..columns {
                let (left, across) = taps(width, span.0, columns, x);
                let weighted = across.iter().enumerate().map(|(k, weight)| weight * column(left + k));
                small.push(weighted.fold(0.0, |sum: f32, term| sum + term));
            }
        }
        small
    }

    /// Returns red, green and blue of luma and the two differences.
    fn rgb(colour: Colour, [y, u, v]: [f32; 3]) -> [f32; 3] {
        let (kr, kb): (f64, f64) = match colour.matrix {
            Matrix::Bt601 => (0.299, 0.114),
            Matrix::Bt709 => (0.2126, 0.0722),
            Matrix::Bt2020 => (0.2627, 0.0593),
        };
        let kg = 1.0 - kr - kb;
        let (scale, black, chroma) = match colour.range {
            Range::Limited => (255.0 / 219.0, 16.0, 255.0 / 224.0),
            Range::Full => (1.0, 0.0, 1.0),
        };
        let from_v = |factor: f64| factor as f32 * (v - 128.0);
        let from_u = |factor: f64| factor as f32 * (u - 128.0);
        let y = (y - black) * scale as f32;
        [
            y + from_v(2.0 * (1.0 - kr) * chroma),
            y - from_u(2.0 * (1.0 - kb) * kb / kg * chroma) - from_v(2.0 * (1.0 - kr) * kr / kg * chroma),
            y + from_u(2.0 * (1.0 - kb) * chroma),
        ]
    }

    /// Returns the picture of `size` (upright) of the part of `frame` that is `span` wide and high.
    pub fn picture(frame: &Frame<'_>, span: (f64, f64), size: (usize, usize)) -> Vec<u8> {
        let (columns, rows) = if frame.orientation().swaps_sides() { (size.1, size.0) } else { size };
        let (width, height) = (frame.width() as f64, frame.height() as f64);
        let small: Vec<Vec<f32>> = components(frame)
            .iter()
            .map(|component| {
                let (across, down) = (component.size.0 as f64, component.size.1 as f64);
                shrink(component, (span.0 * across / width, span.1 * down / height), (columns, rows))
            })
            .collect();
        let mut picture = vec![0; 3 * columns * rows];
        for (x, y) in (0..rows).flat_map(|y| (0..columns).map(move |x| (x, y))) {
            let sample = |k: usize| small[k][y * columns + x];
            let values = match frame.pixels() {
                Pixels::Rgb8(_) => [sample(0), sample(1), sample(2)],
                Pixels::Grey(_) => [rgb(frame.colour(), [sample(0), 128.0, 128.0])[0]; 3],
                _ => rgb(frame.colour(), [sample(0), sample(1), sample(2)]),
            };
            let (x, y) = match frame.orientation() {
                Orientation::Upright => (x, y),
                Orientation::FlipHorizontal => (columns - 1 - x, y),
                Orientation::FlipVertical => (x, rows - 1 - y),
                Orientation::Transpose => (y, x),
                Orientation::Transverse => (rows - 1 - y, columns - 1 - x),
                Orientation::Rotate90 => (rows - 1 - y, x),
                Orientation::Rotate180 => (columns - 1 - x, rows - 1 - y),
                Orientation::Rotate270 => (y, columns - 1 - x),
            };
            for (k, value) in values.into_iter().enumerate() {
                picture[k * columns * rows + y * size.0 + x] = (value + 0.5) as u8;
            }
        }
        picture
    }
}

/// Returns bytes that look like noise.
fn noise(seed: u64) -> impl FnMut() -> u8 {
    let mut state = seed | 1;
    move || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 56) as u8
    }
}

/// Returns a frame of noise in each format, with rows that are `padding` bytes longer than
/// necessary. All planes use the same noise.
fn in_every_format(data: &[u8], width: usize, height: usize, padding: usize) -> Vec<Frame<'_>> {
    let plane = |start: usize, bytes: usize| Plane { data: &data[start..], stride: bytes + padding };
    let half = width.div_ceil(2);
    let planar = |subsampling, chroma| Pixels::Planar {
        y: plane(0, width),
        u: plane(7, chroma),
        v: plane(13, chroma),
        subsampling,
    };
    let formats = [
        planar(Subsampling::Both, half),
        planar(Subsampling::Across, half),
        planar(Subsampling::None, width),
        Pixels::Nv12 { y: plane(0, width), uv: plane(5, 2 * half) },
        Pixels::Yuyv(plane(0, 4 * half)),
        Pixels::Rgb8(plane(0, 3 * width)),
        Pixels::Grey(plane(0, width)),
    ];
    formats.map(|pixels| Frame::new(pixels, width, height, Timestamp::ZERO).unwrap()).to_vec()
}

/// Compares both views of `frame` with simple code.
fn assert_equal_to_plain_code(frame: &Frame<'_>, size: usize, resize: usize, whole: (usize, usize)) {
    let what = (frame.width(), frame.height(), frame.pixels(), frame.orientation(), size, resize, whole);
    let input = StreamInput::new(size, resize, [0.5; 3], [0.5; 3]);
    let mut picture = Picture::black(size, size);
    Preprocessor::new(&input).make(frame, &mut picture);
    let wide = frame.sample_aspect().ratio();
    let side = (frame.width() as f64 * wide).min(frame.height() as f64) * size as f64 / resize as f64;
    assert!(picture.data() == plain::picture(frame, (side / wide, side), (size, size)), "{what:?}");
    let mut picture = Picture::black(whole.0, whole.1);
    Preprocessor::whole(whole.0, whole.1).make(frame, &mut picture);
    let all = (frame.width() as f64, frame.height() as f64);
    assert!(picture.data() == plain::picture(frame, all, whole), "{what:?}");
}

fn colour() -> impl Strategy<Value = Colour> {
    let matrix = prop::sample::select(vec![Matrix::Bt601, Matrix::Bt709, Matrix::Bt2020]);
    let range = prop::sample::select(vec![Range::Limited, Range::Full]);
    (matrix, range).prop_map(|(matrix, range)| Colour { matrix, range })
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(64) })]

    /// Bit by bit: every sum has a fixed order, however many are computed at once.
    #[test]
    fn pictures_are_those_of_plain_code(
        (width, height, padding) in (1usize..100, 1usize..100, 0usize..20),
        (size, over) in (1usize..40, 0usize..20),
        whole in (1usize..50, 1usize..50),
        orientation in prop::sample::select(Orientation::ALL.to_vec()),
        (pixel_width, pixel_height) in (1u32..5, 1u32..5),
        (colour, seed) in (colour(), any::<u64>()),
    ) {
        let data: Vec<u8> = std::iter::repeat_with(noise(seed)).take((4 * width + 40) * (height + 1)).collect();
        for frame in in_every_format(&data, width, height, padding) {
            let aspect = SampleAspect::new(pixel_width, pixel_height).unwrap();
            let frame = frame.with_orientation(orientation).with_colour(colour).with_sample_aspect(aspect);
            assert_equal_to_plain_code(&frame, size, size + over, whole);
        }
    }
}

#[test]
fn pictures_of_extreme_shapes_equal_those_of_plain_code() {
    let data: Vec<u8> = std::iter::repeat_with(noise(3)).take(4 * 16_384 + 1_000).collect();
    for (width, height) in [(16_384, 1), (1, 16_384), (8_191, 2), (3, 5_000)] {
        let size = width * height;
        for frame in in_every_format(&data, width, height, 0).iter().filter(|_| size <= 16_384) {
            assert_equal_to_plain_code(frame, 9, 11, (20, 3));
        }
    }
}

/// One preprocessor for frames of different sizes: no state of the previous frame remains.
#[test]
fn a_preprocessor_accepts_frames_of_any_size_in_turn() {
    let data: Vec<u8> = std::iter::repeat_with(noise(5)).take(100_000).collect();
    let mut preprocessor = Preprocessor::whole(20, 13);
    let mut picture = Picture::black(20, 13);
    for (width, height) in [(90, 60), (17, 23), (90, 60), (3, 2), (64, 100), (1, 1)] {
        for (frame, orientation) in
            in_every_format(&data, width, height, 3).into_iter().zip(Orientation::ALL.into_iter().cycle())
        {
            let frame = frame.with_orientation(orientation);
            preprocessor.make(&frame, &mut picture);
            assert!(picture.data() == plain::picture(&frame, (width as f64, height as f64), (20, 13)), "{frame:?}");
        }
    }
}
