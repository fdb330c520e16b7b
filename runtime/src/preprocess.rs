//! The preprocessor: converts a frame's planes to the small picture for a network.
//!
//! The rule is the same here and in the host tool. Scale the picture so that the shorter side is
//! `resize`, and crop the centre `size` x `size` (or scale the whole frame to this size, if the
//! weights need it). Rotate it upright and convert it to 8-bit RGB.
//!
//! The filter is a triangle as wide as the scale (bilinear with antialiasing, as in PIL and
//! torchvision). It is applied to each component before the conversion to RGB, so that only a few
//! thousand pixels are converted. Sums have a fixed order in single precision (`resample.rs`), so
//! the bytes are the same on every machine.

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
    /// Reuses the buffer, which the derived method would not.
    fn clone_from(&mut self, other: &Self) {
        (self.width, self.height) = (other.width, other.height);
        self.data.clone_from(&other.data);
    }
}

impl Picture {
    /// Returns a black picture of `width` x `height` pixels.
    pub fn black(width: usize, height: usize) -> Self {
        Picture { width, height, data: vec![0; 3 * width * height] }
    }

    /// Returns a picture from its samples, (3, height, width), or `None` if their number is wrong.
    pub fn from_planar(width: usize, height: usize, data: Vec<u8>) -> Option<Self> {
        (data.len() == 3 * width * height).then_some(Picture { width, height, data })
    }

    /// Returns the width in pixels.
    pub fn width(&self) -> usize {
        self.width
    }

    /// Returns the height in pixels.
    pub fn height(&self) -> usize {
        self.height
    }

    /// Returns the samples, (3, height, width), red first.
    pub fn data(&self) -> &[u8] {
        &self.data
    }

    /// Returns channel 0 (red) to 2 (blue), (height, width).
    pub fn channel(&self, channel: usize) -> &[u8] {
        let plane = self.width * self.height;
        &self.data[channel * plane..][..plane]
    }
}

/// The part of a frame that a picture shows.
#[derive(Clone, Copy, Debug)]
enum View {
    /// The centre square with side `size / resize` of the frame's shorter side.
    Square { size: usize, resize: usize },
    /// The whole frame, scaled to the picture's shape.
    Whole,
}

/// Makes pictures of one size from frames. Allocates only when the size of the frames changes.
#[derive(Clone, Debug)]
pub struct Preprocessor {
    /// Width of the upright picture.
    width: usize,
    height: usize,
    view: View,
    /// The resamplers of luma (or RGB) and of chroma.
    resamplers: [Resampler; 2],
    /// The frames that the resamplers are fitted to: width, height, pixel shape, and whether sides
    /// are swapped.
    fitted: (usize, usize, SampleAspect, bool),
    scratch: Scratch,
    /// A band of the picture before its rotation, (columns, [`BAND`]): its components, then its
    /// colours.
    components: [Vec<f32>; 3],
    codes: [Vec<u8>; 3],
}

impl Preprocessor {
    /// Returns a preprocessor for a stream's input.
    pub fn new(input: &StreamInput) -> Self {
        let StreamInput { size, resize, fit, .. } = *input;
        let view = match fit {
            Fit::Crop => View::Square { size, resize },
            Fit::Stretch => View::Whole,
        };
        Preprocessor::with_view(size, size, view)
    }

    /// Returns a preprocessor for pictures of `width` x `height` pixels that show the whole frame,
    /// whatever its shape.
    pub fn whole(width: usize, height: usize) -> Self {
        Preprocessor::with_view(width, height, View::Whole)
    }

    fn with_view(width: usize, height: usize, view: View) -> Self {
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

    /// Writes `picture`, which has this preprocessor's size, from `frame`.
    pub fn make(&mut self, frame: &Frame<'_>, picture: &mut Picture) {
        debug_assert_eq!((picture.width, picture.height), (self.width, self.height));
        let components = Components::from_frame(frame);
        self.fit(frame, &components);
        run_widest(Making { preprocessor: self, frame, components: &components, picture });
    }

    /// Writes `picture` band by band with fitted resamplers.
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

    /// Fits the resamplers to the frame's size. The same centred share of every component is
    /// covered.
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
                // Sides in pixel heights, so that the square is a square on display.
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

    /// Returns width and height of the picture before its rotation.
    fn lying(&self, lies: bool) -> (usize, usize) {
        if lies { (self.height, self.width) } else { (self.width, self.height) }
    }

    /// Converts the components of a band to 8-bit red, green and blue.
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

    /// Writes the band from `row` on to its place in the upright picture.
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

/// Copies `codes` to `samples`.
#[inline(always)]
fn fill<'a>(samples: impl Iterator<Item = &'a mut u8>, codes: impl Iterator<Item = u8>) {
    samples.zip(codes).for_each(|(sample, code)| *sample = code);
}

/// A picture that is being written.
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

    /// Returns a frame of 6 x 4 different pixels, and its pixels as (row, column).
    fn grey(data: &[u8; 24]) -> Frame<'_> {
        Frame::new(Pixels::Grey(Plane { data, stride: 6 }), 6, 4, Timestamp::ZERO).expect("6 x 4")
    }

    #[test]
    fn every_orientation_places_each_pixel_as_exif_defines() {
        let data: [u8; 24] = std::array::from_fn(|at| 20 + 9 * at as u8);
        let mut upright = Picture::black(6, 4);
        Preprocessor::whole(6, 4).make(&grey(&data), &mut upright);
        for (number, orientation) in (1..).zip(Orientation::ALL) {
            let (width, height) = if orientation.swaps_sides() { (4, 6) } else { (6, 4) };
            let mut picture = Picture::black(width, height);
            Preprocessor::whole(width, height).make(&grey(&data).with_orientation(orientation), &mut picture);
            for y in 0..4 {
                for x in 0..6 {
                    // Where row 0 and column 0 of the stored picture are displayed (EXIF 2.3, 4.6.4
                    // A).
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
    fn the_centre_square_is_a_square_on_display() {
        // Columns of a smooth wave: the same scene with twice the samples.
        let wave = |x: f64| (128.0 + 100.0 * (x / 9.0).sin()) as u8;
        let square: Vec<u8> = (0..64).flat_map(|_| (0..128).map(|x| wave(f64::from(x) + 0.5))).collect();
        let narrow: Vec<u8> = (0..64).flat_map(|_| (0..64).map(|x| wave(2.0 * f64::from(x) + 1.0))).collect();
        let frame = |data, width| {
            Frame::new(Pixels::Grey(Plane { data, stride: width }), width, 64, Timestamp::ZERO).expect("64 rows")
        };
        for orientation in Orientation::ALL {
            let picture = |frame: Frame<'_>| {
                let mut picture = Picture::black(24, 24);
                let mut preprocessor = Preprocessor::with_view(24, 24, View::Square { size: 24, resize: 32 });
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
        preprocessor.make_fitted(&frame, &Components::from_frame(&frame), &mut usual);
        assert_eq!(widest, usual);
    }
}
