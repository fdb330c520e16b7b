//! The signature of a frame: what a shot detector stores of it (a histogram and a picture of some
//! hundred cells), and the distances between two signatures.

use divita_executor::{Computation, run_widest};

use crate::frame::Frame;
use crate::histogram::Histogram;
use crate::thumbnail::Thumbnail;

/// Luma cells per row and column.
const LUMA: (usize, usize) = (32, 18);
/// Cells of each colour difference per row and column.
const CHROMA: (usize, usize) = (16, 9);
const LUMA_CELLS: usize = LUMA.0 * LUMA.1;
const CHROMA_CELLS: usize = CHROMA.0 * CHROMA.1;

/// Number of distances in [`Signature::distances`].
pub const DISTANCES: usize = 5;

/// Difference of luma, of 255, from which a cell has changed.
const CHANGED: u8 = 20;

/// Variance of luma, of 255, that counts as noise.
const FLAT: f32 = 16.0;

/// What a detector stores of a frame, 1.6 kB.
#[derive(Clone, Debug, PartialEq)]
pub struct Signature {
    histogram: Histogram,
    luma: [u8; LUMA_CELLS],
    chroma: [u8; 2 * CHROMA_CELLS],
    mean: f32,
    spread: f32,
}

impl Signature {
    /// Returns the signature of `frame`, read from its planes without a copy. Allocates nothing.
    pub fn from_frame(frame: &Frame<'_>) -> Self {
        Signature::with_thumbnail(frame, &mut Thumbnail::EMPTY.clone())
    }

    /// Returns the signature of `frame` and writes its thumbnail.
    pub(super) fn with_thumbnail(frame: &Frame<'_>, thumbnail: &mut Thumbnail) -> Self {
        let histogram = Histogram::from_frame_with_rows(frame, |row| thumbnail.keep(row));
        let mut signature =
            Signature { histogram, luma: [0; LUMA_CELLS], chroma: [0; 2 * CHROMA_CELLS], mean: 0.0, spread: 0.0 };
        thumbnail.luma.shrink(LUMA, &mut signature.luma);
        for (samples, cells) in thumbnail.chroma.iter().zip(signature.chroma.chunks_exact_mut(CHROMA_CELLS)) {
            samples.shrink(CHROMA, cells);
        }
        let (mut sum, mut squares) = (0u32, 0u32);
        for &cell in &signature.luma {
            sum += u32::from(cell);
            squares += u32::from(cell) * u32::from(cell);
        }
        signature.mean = sum as f32 / LUMA_CELLS as f32;
        signature.spread = (squares as f32 / LUMA_CELLS as f32 - signature.mean * signature.mean).max(0.0).sqrt();
        signature
    }

    /// Returns the signature of the same picture in grey.
    pub fn without_colour(mut self) -> Self {
        self.histogram = self.histogram.without_colour();
        self.chroma = [128; 2 * CHROMA_CELLS];
        self
    }

    /// Returns the histogram.
    pub fn histogram(&self) -> &Histogram {
        &self.histogram
    }

    /// Returns the mean luma, 0 to 255.
    pub fn mean(&self) -> f32 {
        self.mean
    }

    /// Returns the standard deviation of luma over the cells, 0 to 127.
    pub fn spread(&self) -> f32 {
        self.spread
    }

    /// Returns how different two frames are, each number 0 for equal frames: the difference of luma
    /// and of chroma cell by cell, the distance of the histograms, one minus the correlation of
    /// luma (which a flash or a fade does not change), and the share of changed cells. All but the
    /// correlation are square roots, because small differences matter more than large ones.
    pub fn distances(&self, other: &Signature) -> [f32; DISTANCES] {
        let mut sums = Sums::default();
        run_widest(Compare { one: self, other, sums: &mut sums });
        let cells = LUMA_CELLS as f32;
        let covariance = sums.products as f32 / cells - self.mean * other.mean;
        [
            (sums.luma as f32 / cells / 64.0).sqrt(),
            (sums.chroma as f32 / (2 * CHROMA_CELLS) as f32 / 16.0).sqrt(),
            sums.histogram.sqrt(),
            (1.0 - (covariance + FLAT) / (self.spread * other.spread + FLAT)).max(0.0),
            (sums.changed as f32 / cells).sqrt(),
        ]
    }
}

/// Sums over the cells of two signatures.
#[derive(Default)]
struct Sums {
    luma: u32,
    chroma: u32,
    changed: u32,
    products: u32,
    /// Already a distance.
    histogram: f32,
}

struct Compare<'a> {
    one: &'a Signature,
    other: &'a Signature,
    sums: &'a mut Sums,
}

impl Computation for Compare<'_> {
    #[inline(always)]
    fn run(self) {
        let Sums { luma, chroma, changed, products, histogram } = self.sums;
        *histogram = self.one.histogram.distance(&self.other.histogram);
        for (&a, &b) in self.one.luma.iter().zip(&self.other.luma) {
            let difference = a.abs_diff(b);
            *luma += u32::from(difference);
            *changed += u32::from(difference > CHANGED);
            *products += u32::from(a) * u32::from(b);
        }
        for (&a, &b) in self.one.chroma.iter().zip(&self.other.chroma) {
            *chroma += u32::from(a.abs_diff(b));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::frame::{Pixels, Plane, Subsampling, Timestamp};

    fn grey(width: usize, height: usize, pixel: impl Fn(usize, usize) -> u8) -> Signature {
        let data: Vec<u8> = (0..width * height).map(|at| pixel(at % width, at / width)).collect();
        let pixels = Pixels::Grey(Plane { data: &data, stride: width });
        Signature::from_frame(&Frame::new(pixels, width, height, Timestamp::ZERO).expect("the plane holds it"))
    }

    #[test]
    fn a_picture_equals_itself_at_any_size() {
        let picture = |width: usize| move |x: usize, y: usize| (16 + 200 * x / width + y % 2) as u8;
        let whole = grey(128, 72, picture(128));
        for (width, height) in [(1, 1), (5, 3), (31, 17), (128, 72), (640, 360), (1281, 721)] {
            let one = grey(width, height, picture(width));
            let same = one.distances(&one);
            assert!(same.iter().all(|&distance| distance < 1e-3), "{width}x{height}: {same:?}");
            if width > 31 {
                let scaled = whole.distances(&one);
                assert!(scaled[0] < 0.2 && scaled[3] < 0.02 && scaled[4] == 0.0, "{width}x{height}: {scaled:?}");
            }
        }
    }

    #[test]
    fn a_signature_without_colour_is_that_of_the_luma() {
        let data: Vec<u8> = (0..96 * 54 * 2).map(|at| (at * 7 % 251) as u8).collect();
        let plane = |from: usize, stride: usize| Plane { data: &data[from..], stride };
        let (y, u, v) = (plane(0, 96), plane(31, 48), plane(77, 48));
        let signature =
            |pixels| Signature::from_frame(&Frame::new(pixels, 96, 54, Timestamp::ZERO).expect("the planes hold it"));
        let colour = signature(Pixels::Planar { y, u, v, subsampling: Subsampling::Both });
        assert_eq!(colour.clone().without_colour(), signature(Pixels::Grey(y)));
        assert_ne!(colour, signature(Pixels::Grey(y)));
    }

    #[test]
    fn a_flash_changes_every_distance_but_the_correlation() {
        let dark = grey(320, 180, |x, y| (30 + (x / 40 + y / 40) % 2 * 60) as u8);
        let light = grey(320, 180, |x, y| (130 + (x / 40 + y / 40) % 2 * 60) as u8);
        let other = grey(320, 180, |x, y| (30 + (x / 40 + y / 40 + 1) % 2 * 60) as u8);
        let (flash, cut) = (dark.distances(&light), dark.distances(&other));
        assert!(flash[3] < 0.02 && flash[0] > 1.0 && flash[4] > 0.9, "{flash:?}");
        assert!(cut[3] > 1.5, "{cut:?}");
    }
}
