//! The preprocessor: a frame's planes to the small picture that a network looks at.
//!
//! The rule for a backbone, the same here and in the host tool: scale so that the shorter side is `resize`, cut the middle
//! `size` x `size` out (or scale the whole frame to it, where the weights ask for that), turn it upright, to 8-bit RGB. The filter is a triangle as wide as the scale (bilinear with antialiasing, what PIL
//! and torchvision do), applied to each component before the change to RGB, so that only a few thousand pixels are
//! converted. Sums are taken in one fixed order in single precision (`resample.rs`): the same bytes on every machine.

use divita_executor::{Computation, run_widest};

use crate::bundle::{Fit, StreamInput};
use crate::colour::{ToRgb, to_code};
use crate::components::Components;
use crate::frame::{Frame, Orientation, SampleAspect};
use crate::resample::{BAND, Resampler, Scratch};

/// A small 8-bit RGB picture, planar: (3, height, width), red first.
#[derive(Debug, PartialEq, Eq)]
pub struct Picture {
    width: usize,
    height: usize,
    data: Vec<u8>,
}

impl Clone for Picture {
    fn clone(&self) -> Self {
        Picture { width: self.width, height: self.height, data: self.data.clone() }
    }
    /// In the buffer that is there, which the derived one would not use.
    fn clone_from(&mut self, other: &Self) {
        (self.width, self.height) = (other.width, other.height);
        self.data.clone_from(&other.data);
    }
}

impl Picture {
    /// A black picture of `width` x `height` pixels.
    pub fn black(width: usize, height: usize) -> Self {
        Picture { width, height, data: vec![0; 3 * width * height] }
    }

    /// A picture from its samples, (3, height, width); none when they are not that many.
    pub fn from_planar(width: usize, height: usize, data: Vec<u8>) -> Option<Self> {
        (data.len() == 3 * width * height).then_some(Picture { width, height, data })
    }

    /// Width in pixels.
    pub fn width(&self) -> usize {
        self.width
    }

    /// Height in pixels.
    pub fn height(&self) -> usize {
        self.height
    }

    /// The samples, (3, height, width), red first.
    pub fn data(&self) -> &[u8] {
        &self.data
    }

    /// Channel 0 (red) to 2 (blue), (height, width).
    pub fn channel(&self, channel: usize) -> &[u8] {
        let plane = self.width * self.height;
        &self.data[channel * plane..][..plane]
    }
}

/// What of a frame a picture shows.
#[derive(Clone, Copy, Debug)]
enum View {
    /// The middle square, its side `size / resize` of the frame's shorter one.
    Square { size: usize, resize: usize },
    /// All of it, drawn out to the picture's shape.
    Whole,
}

/// Makes pictures of one size from frames. Allocates when the size of the frames changes, and never otherwise.
#[derive(Clone, Debug)]
pub struct Preprocessor {
    /// Of the upright picture.
    width: usize,
    height: usize,
    view: View,
    /// Luma's (or RGB's) and chroma's.
    resamplers: [Resampler; 2],
    /// Width and height of the frames that the resamplers are for, the shape of their pixels, and whether they lie on their side.
    fitted: (usize, usize, SampleAspect, bool),
    scratch: Scratch,
    /// A band of the picture before it is turned upright, (columns, [`BAND`]): its components, then its colours.
    components: [Vec<f32>; 3],
    codes: [Vec<u8>; 3],
}

impl Preprocessor {
    /// A preprocessor for a stream's input.
    pub fn new(input: &StreamInput) -> Self {
        let StreamInput { size, resize, fit, .. } = *input;
        let view = match fit {
            Fit::Crop => View::Square { size, resize },
            Fit::Stretch => View::Whole,
        };
        Preprocessor::of(size, size, view)
    }

    /// A preprocessor for pictures of `width` x `height` pixels that show the whole frame, whatever its shape.
    pub fn whole(width: usize, height: usize) -> Self {
        Preprocessor::of(width, height, View::Whole)
    }

    fn of(width: usize, height: usize, view: View) -> Self {
        Preprocessor {
            width,
            height,
            view,
            resamplers: Default::default(),
            fitted: (0, 0, SampleAspect::SQUARE, false),
            scratch: Scratch::default(),
            components: Default::default(),
            codes: Default::default(),
        }
    }

    /// Makes `picture`, of this preprocessor's size, from `frame`.
    pub fn make(&mut self, frame: &Frame<'_>, picture: &mut Picture) {
        debug_assert_eq!((picture.width, picture.height), (self.width, self.height));
        let components = Components::of(frame);
        self.fit(frame, &components);
        run_widest(Making { preprocessor: self, frame, components: &components, picture });
    }

    /// Makes `picture` band after band, with the resamplers fitted.
    #[inline(always)]
    fn make_fitted(&mut self, frame: &Frame<'_>, components: &Components<'_>, picture: &mut Picture) {
        let (_, rows) = self.lying(frame.orientation().swaps_sides());
        for row in (0..rows).step_by(BAND) {
            for (component, band) in components.as_slice().iter().zip(&mut self.components) {
                let small = component.width != frame.width() || component.height != frame.height();
                self.resamplers[usize::from(small)].band(component, row, &mut self.scratch, band);
            }
            self.colour(components, &ToRgb::new(frame.colour()));
            self.place(frame.orientation(), row, picture);
        }
    }

    /// Fits the resamplers to the frame's size: the same share of every component is covered, centred.
    fn fit(&mut self, frame: &Frame<'_>, components: &Components<'_>) {
        let (width, height) = (frame.width(), frame.height());
        let (aspect, lies) = (frame.sample_aspect(), frame.orientation().swaps_sides());
        let pieces = components.as_slice();
        let pieces = [&pieces[0], &pieces[pieces.len() - 1]];
        let fit = self.resamplers.iter().zip(pieces).all(|(resampler, component)| resampler.fits(component));
        if self.fitted == (width, height, aspect, lies) && fit {
            return;
        }
        let (across, down) = match self.view {
            View::Square { size, resize } => {
                // In heights of a pixel, so that the square is one as it is shown.
                let wide = aspect.ratio();
                let side = (width as f64 * wide).min(height as f64) * size as f64 / resize as f64;
                (side / wide, side)
            }
            View::Whole => (width as f64, height as f64),
        };
        let (columns, rows) = self.lying(lies);
        for (resampler, component) in self.resamplers.iter_mut().zip(pieces) {
            let span = (across * component.width as f64 / width as f64, down * component.height as f64 / height as f64);
            resampler.fit(component, span, (columns, rows));
        }
        self.components.iter_mut().for_each(|band| band.resize(columns * BAND, 0.0));
        self.codes.iter_mut().for_each(|band| band.resize(columns * BAND, 0));
        self.fitted = (width, height, aspect, lies);
    }

    /// Width and height of the picture before it is turned upright.
    fn lying(&self, lies: bool) -> (usize, usize) {
        if lies { (self.height, self.width) } else { (self.width, self.height) }
    }

    /// The components of a band to 8-bit red, green and blue.
    #[inline(always)]
    fn colour(&mut self, components: &Components<'_>, to_rgb: &ToRgb) {
        let [y, u, v] = &self.components;
        let [red, green, blue] = &mut self.codes;
        match components {
            Components::Yuv(_) => {
                let codes = red.iter_mut().zip(green).zip(blue);
                for (((red, green), blue), ((&y, &u), &v)) in codes.zip(y.iter().zip(u).zip(v)) {
                    [*red, *green, *blue] = to_rgb.rgb(y, u, v).map(to_code);
                }
            }
            Components::Rgb(_) => {
                for (codes, values) in [red, green, blue].into_iter().zip([y, u, v]) {
                    codes.iter_mut().zip(values).for_each(|(code, &value)| *code = to_code(value));
                }
            }
            Components::Grey(_) => {
                red.iter_mut().zip(y).for_each(|(code, &value)| *code = to_code(to_rgb.luma(value)));
                green.copy_from_slice(red);
                blue.copy_from_slice(red);
            }
        }
    }

    /// Puts the band from `row` on where it belongs in the upright picture.
    #[inline(always)]
    fn place(&self, orientation: Orientation, row: usize, picture: &mut Picture) {
        let (columns, rows) = self.lying(orientation.swaps_sides());
        let band = BAND.min(rows - row);
        for (codes, plane) in self.codes.iter().zip(picture.data.chunks_exact_mut(columns * rows)) {
            for y in 0..band {
                let codes = codes.as_chunks::<BAND>().0.iter().map(|column| column[y]);
                let y = row + y;
                let width = self.width;
                match orientation {
                    Orientation::Upright => fill(plane[y * width..][..width].iter_mut(), codes),
                    Orientation::FlipHorizontal => fill(plane[y * width..][..width].iter_mut().rev(), codes),
                    Orientation::Rotate180 => fill(plane[(rows - 1 - y) * width..][..width].iter_mut().rev(), codes),
                    Orientation::FlipVertical => fill(plane[(rows - 1 - y) * width..][..width].iter_mut(), codes),
                    Orientation::Transpose => fill(plane[y..].iter_mut().step_by(width), codes),
                    Orientation::Rotate90 => fill(plane[rows - 1 - y..].iter_mut().step_by(width), codes),
                    Orientation::Transverse => fill(plane[rows - 1 - y..].iter_mut().step_by(width).rev(), codes),
                    Orientation::Rotate270 => fill(plane[y..].iter_mut().step_by(width).rev(), codes),
                }
            }
        }
    }
}

/// Sets `samples` to `codes`, one after another.
#[inline(always)]
fn fill<'a>(samples: impl Iterator<Item = &'a mut u8>, codes: impl Iterator<Item = u8>) {
    samples.zip(codes).for_each(|(sample, code)| *sample = code);
}

/// One picture in the making.
struct Making<'a, 'frame> {
    preprocessor: &'a mut Preprocessor,
    frame: &'a Frame<'frame>,
    components: &'a Components<'frame>,
    picture: &'a mut Picture,
}

impl Computation for Making<'_, '_> {
    #[inline(always)]
    fn run(self) {
        self.preprocessor.make_fitted(self.frame, self.components, self.picture);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::frame::{Pixels, Plane, Timestamp};

    /// A frame of 6 x 4 pixels that are all different, and its pixels as (row, column).
    fn grey(data: &[u8; 24]) -> Frame<'_> {
        Frame::new(Pixels::Grey(Plane { data, stride: 6 }), 6, 4, Timestamp::ZERO).expect("6 x 4")
    }

    #[test]
    fn every_orientation_puts_each_pixel_where_exif_says() {
        let data: [u8; 24] = std::array::from_fn(|at| 20 + 9 * at as u8);
        let mut upright = Picture::black(6, 4);
        Preprocessor::whole(6, 4).make(&grey(&data), &mut upright);
        for (number, orientation) in (1..).zip(Orientation::ALL) {
            let (width, height) = if orientation.swaps_sides() { (4, 6) } else { (6, 4) };
            let mut picture = Picture::black(width, height);
            Preprocessor::whole(width, height).make(&grey(&data).with_orientation(orientation), &mut picture);
            for y in 0..4 {
                for x in 0..6 {
                    // Where row 0 and column 0 of the stored picture are shown (EXIF 2.3, 4.6.4 A).
                    let (row, column) = match number {
                        1 => (y, x),
                        2 => (y, 5 - x),
                        3 => (3 - y, 5 - x),
                        4 => (3 - y, x),
                        5 => (x, y),
                        6 => (x, 3 - y),
                        7 => (5 - x, 3 - y),
                        _ => (5 - x, y),
                    };
                    let shown = picture.channel(1)[row * width + column];
                    assert_eq!(shown, upright.channel(1)[y * 6 + x], "{orientation:?} {y} {x}");
                }
            }
        }
    }

    #[test]
    fn a_square_is_cut_out_of_the_picture_as_it_is_shown() {
        // Columns of a smooth wave: the same scene with 2 samples for each of 1.
        let wave = |x: f64| (128.0 + 100.0 * (x / 9.0).sin()) as u8;
        let square: Vec<u8> = (0..64).flat_map(|_| (0..128).map(|x| wave(f64::from(x) + 0.5))).collect();
        let narrow: Vec<u8> = (0..64).flat_map(|_| (0..64).map(|x| wave(2.0 * f64::from(x) + 1.0))).collect();
        let frame = |data, width| {
            Frame::new(Pixels::Grey(Plane { data, stride: width }), width, 64, Timestamp::ZERO).expect("64 rows")
        };
        for orientation in Orientation::ALL {
            let picture = |frame: Frame<'_>| {
                let mut picture = Picture::black(24, 24);
                let mut preprocessor = Preprocessor::of(24, 24, View::Square { size: 24, resize: 32 });
                preprocessor.make(&frame.with_orientation(orientation), &mut picture);
                picture
            };
            let off = |a: &Picture, b: &Picture| a.data.iter().zip(&b.data).map(|(a, b)| a.abs_diff(*b)).max();
            let expected = picture(frame(&square, 128));
            let wide = SampleAspect::new(2, 1).expect("2:1");
            let found = picture(frame(&narrow, 64).with_sample_aspect(wide));
            assert!(off(&expected, &found) <= Some(8), "{:?}", off(&expected, &found));
            assert!(off(&expected, &picture(frame(&narrow, 64))) > Some(60));
        }
    }

    #[test]
    fn pictures_do_not_depend_on_the_width_of_vectors() {
        let data: Vec<u8> = (0..3 * 97 * 61u32).map(|at| at.wrapping_mul(2_654_435_761).to_be_bytes()[0]).collect();
        let pixels = Pixels::Nv12 { y: Plane { data: &data, stride: 97 }, uv: Plane { data: &data, stride: 99 } };
        let frame = Frame::new(pixels, 97, 61, Timestamp::ZERO).expect("97 x 61");
        let mut preprocessor = Preprocessor::whole(37, 29);
        let [mut widest, mut usual] = [Picture::black(37, 29), Picture::black(37, 29)];
        preprocessor.make(&frame, &mut widest);
        preprocessor.make_fitted(&frame, &Components::of(&frame), &mut usual);
        assert_eq!(widest, usual);
    }
}
