//! The histogram for the shot detector: counts of luma in blocks, and of chroma, on a subsampled
//! grid of a frame.

use crate::colour::{ToRgb, rgb_to_ycc, to_code};
use crate::components::{Component, Components};
use crate::frame::Frame;

/// Blocks per row and column. Luma is counted in each, so that a cut between pictures of equal
/// brightness is visible.
pub const BLOCKS: usize = 4;

/// Bins of luma in a block, 16 code values each.
pub const LUMA_BINS: usize = 16;

/// Bins of each colour difference, 8 code values each.
pub const CHROMA_BINS: usize = 32;

/// Largest number of luma samples per row and column. More samples hardly change the counts.
pub(crate) const GRID: (usize, usize) = (128, 72);

/// Largest number of samples of each colour difference per row and column. Colours change over
/// larger areas than brightness.
pub(crate) const CHROMA_GRID: (usize, usize) = (64, 36);

/// Counts of one frame on grids of at most 128 x 72 positions of luma and 64 x 36 of chroma. Luma
/// is converted to full range first, so that the same picture has the same counts in either range.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Histogram {
    luma: [[u16; LUMA_BINS]; BLOCKS * BLOCKS],
    u: [u16; CHROMA_BINS],
    v: [u16; CHROMA_BINS],
    samples: u32,
    chroma_samples: u32,
    luma_sum: u32,
    bright: u32,
}

/// A row of one of the grids.
pub(crate) enum Row<'a> {
    /// Its index, and luma in full range.
    Luma(usize, &'a [u8]),
    /// Its index, and both colour differences.
    Chroma(usize, &'a [u8], &'a [u8]),
}

/// Luma from which a sample is too bright for a black frame.
const BRIGHT: u8 = 32;

/// Sets of counts that neighbouring samples use in turn. Neighbours are often equal, and a count
/// that was just written is slow to read.
const TURNS: usize = 4;

/// Counts of code values in `BINS` bins.
#[derive(Clone, Copy)]
struct Counts<const BINS: usize>([[u16; BINS]; TURNS]);

impl<const BINS: usize> Counts<BINS> {
    const NONE: Self = Counts([[0; BINS]; TURNS]);

    /// Counts `codes`.
    fn count(&mut self, codes: &[u8]) {
        let (groups, rest) = codes.as_chunks::<TURNS>();
        for group in groups {
            for (counts, &code) in self.0.iter_mut().zip(group) {
                counts[usize::from(code) * BINS / 256] += 1;
            }
        }
        for &code in rest {
            self.0[0][usize::from(code) * BINS / 256] += 1;
        }
    }

    /// Returns the sums over all sets.
    fn sum(&self) -> [u16; BINS] {
        std::array::from_fn(|bin| self.0.iter().map(|counts| counts[bin]).sum())
    }
}

/// Returns the full-range luma of each code value.
fn full_range(to_rgb: &ToRgb) -> [u8; 256] {
    std::array::from_fn(|code| to_code(to_rgb.luma(code as f32)))
}

/// Returns the positions of a grid with `across` columns in the rows of a component, in bytes from
/// their start. For RGB, they are the positions of red.
fn columns<const N: usize>(component: &Component<'_>, width: usize, across: usize) -> [usize; N] {
    let mut columns = [0; N];
    for (gx, column) in columns.iter_mut().enumerate().take(across) {
        let x = middle(gx, across, width) * component.width / width;
        *column = component.offset + x * component.step;
    }
    columns
}

/// Returns the middle of cell `at` of `cells` cells that cover `size` pixels, so that no side of
/// the picture is favoured.
fn middle(at: usize, cells: usize, size: usize) -> usize {
    (2 * at + 1) * size / (2 * cells)
}

/// Returns row `y` of RGB pixels, of which `red` is the first component.
fn pixels<'a>(red: &Component<'a>, y: usize) -> &'a [u8] {
    red.plane.row(y, red.width * red.step)
}

/// Copies the bytes of `row` at `columns`.
fn gather(row: &[u8], columns: &[usize], codes: &mut [u8]) {
    codes.iter_mut().zip(columns).for_each(|(code, &at)| *code = row[at]);
}

impl Histogram {
    /// Counts `frame`, read from its planes without a copy. Allocates nothing.
    pub fn from_frame(frame: &Frame<'_>) -> Self {
        Histogram::from_frame_with_rows(frame, |_| {})
    }

    /// Counts `frame`. Passes the rows of the luma grid, and then those of the chroma grid, to
    /// `row`.
    pub(crate) fn from_frame_with_rows(frame: &Frame<'_>, mut row: impl FnMut(Row<'_>)) -> Self {
        let (size, components) = ((frame.width(), frame.height()), Components::from_frame(frame));
        let mut histogram = Histogram::default();
        histogram.count_luma(&components, size, &full_range(&ToRgb::new(frame.colour())), &mut row);
        histogram.count_chroma(&components, size, &mut row);
        histogram
    }

    fn count_luma(
        &mut self,
        components: &Components<'_>,
        (width, height): (usize, usize),
        full_range: &[u8; 256],
        row: &mut impl FnMut(Row<'_>),
    ) {
        let (across, down) = (width.min(GRID.0), height.min(GRID.1));
        let first = &components.as_slice()[0];
        let columns: [usize; GRID.0] = columns(first, width, across);
        let mut blocks = [Counts::<LUMA_BINS>::NONE; BLOCKS * BLOCKS];
        let mut luma = [0; GRID.0];
        let luma = &mut luma[..across];
        for gy in 0..down {
            let y = middle(gy, down, height);
            if let Components::Rgb([red, ..]) = components {
                let codes = pixels(red, y);
                for (luma, &at) in luma.iter_mut().zip(&columns) {
                    [*luma, ..] = rgb_to_ycc([codes[at], codes[at + 1], codes[at + 2]]);
                }
            } else {
                gather(first.row(y), &columns, luma);
                luma.iter_mut().for_each(|code| *code = full_range[usize::from(*code)]);
            }
            let block_row = gy * BLOCKS / down;
            for (block, counts) in blocks[block_row * BLOCKS..][..BLOCKS].iter_mut().enumerate() {
                // The columns gx with gx * BLOCKS / across equal to `block`.
                let column = |block: usize| (block * across).div_ceil(BLOCKS);
                counts.count(&luma[column(block)..column(block + 1)]);
            }
            self.luma_sum += luma.iter().map(|&luma| u32::from(luma)).sum::<u32>();
            self.bright += luma.iter().map(|&luma| u32::from(luma >= BRIGHT)).sum::<u32>();
            row(Row::Luma(gy, luma));
        }
        self.samples = (across * down) as u32;
        self.luma = blocks.map(|counts| counts.sum());
    }

    fn count_chroma(
        &mut self,
        components: &Components<'_>,
        (width, height): (usize, usize),
        row: &mut impl FnMut(Row<'_>),
    ) {
        let (across, down) = (width.min(CHROMA_GRID.0), height.min(CHROMA_GRID.1));
        let pieces = components.as_slice();
        // Grey has one component, and RGB has one plane.
        let [first, second] = [pieces.len().min(2) - 1, pieces.len() - 1].map(|at| &pieces[at]);
        let places: [[usize; CHROMA_GRID.0]; 2] = [first, second].map(|piece| columns(piece, width, across));
        let (mut u_counts, mut v_counts) = (Counts::<CHROMA_BINS>::NONE, Counts::<CHROMA_BINS>::NONE);
        let (mut u, mut v) = ([128; CHROMA_GRID.0], [128; CHROMA_GRID.0]);
        let (u, v) = (&mut u[..across], &mut v[..across]);
        for gy in 0..down {
            let y = middle(gy, down, height);
            match components {
                Components::Yuv(_) => {
                    gather(first.row(y * first.height / height), &places[0], u);
                    gather(second.row(y * second.height / height), &places[1], v);
                }
                Components::Rgb([red, ..]) => {
                    let codes = pixels(red, y);
                    for (gx, (u, v)) in u.iter_mut().zip(v.iter_mut()).enumerate() {
                        let at = red.offset + middle(gx, across, width) * red.step;
                        [_, *u, *v] = rgb_to_ycc([codes[at], codes[at + 1], codes[at + 2]]);
                    }
                }
                Components::Grey(_) => {}
            }
            u_counts.count(u);
            v_counts.count(v);
            row(Row::Chroma(gy, u, v));
        }
        self.chroma_samples = (across * down) as u32;
        (self.u, self.v) = (u_counts.sum(), v_counts.sum());
    }

    /// Returns the counts of the same picture in grey.
    pub fn without_colour(mut self) -> Self {
        for counts in [&mut self.u, &mut self.v] {
            *counts = [0; CHROMA_BINS];
            counts[CHROMA_BINS / 2] = self.chroma_samples as u16;
        }
        self
    }

    /// Returns the mean luma, 0 (black) to 255 (white).
    pub fn mean_luma(&self) -> f32 {
        self.luma_sum as f32 / self.samples.max(1) as f32
    }

    /// Returns the share of samples, in [0, 1], that are too bright for a black frame: luma 32 and
    /// above.
    pub fn bright_share(&self) -> f32 {
        self.bright as f32 / self.samples.max(1) as f32
    }

    /// Returns how different two frames are, in [0, 1]: half the sum of absolute differences of the
    /// normalised counts, averaged over luma (by block) and the two colour differences. Luma counts
    /// twice.
    #[inline(always)]
    pub fn distance(&self, other: &Histogram) -> f32 {
        let difference = |a: &[u16], b: &[u16], n: u32, m: u32| -> f32 {
            // Frames of one stream have the same grid, so their counts are compared as integers.
            if n == m {
                let sum: u32 = a.iter().zip(b).map(|(&a, &b)| u32::from(a.abs_diff(b))).sum();
                return sum as f32 / (2 * n.max(1)) as f32;
            }
            let (n, m) = (n.max(1) as f32, m.max(1) as f32);
            a.iter().zip(b).map(|(&a, &b)| (f32::from(a) / n - f32::from(b) / m).abs()).sum::<f32>() / 2.0
        };
        let luma = difference(self.luma.as_flattened(), other.luma.as_flattened(), self.samples, other.samples);
        let (n, m) = (self.chroma_samples, other.chroma_samples);
        let u = difference(&self.u, &other.u, n, m);
        let v = difference(&self.v, &other.v, n, m);
        0.5 * luma + 0.25 * (u + v)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::frame::{Pixels, Plane, Subsampling, Timestamp};

    /// Returns the counts of `frame`, computed with simple code for each position.
    fn plain(frame: &Frame<'_>) -> Histogram {
        let (width, height) = (frame.width(), frame.height());
        let (components, to_rgb) = (Components::from_frame(frame), ToRgb::new(frame.colour()));
        // Luma, u and v in the middle of a grid cell.
        let codes = |(gx, gy): (usize, usize), (across, down): (usize, usize)| {
            let (x, y) = ((2 * gx + 1) * width / (2 * across), (2 * gy + 1) * height / (2 * down));
            let pieces = components.as_slice().iter().map(|component| {
                let (x, y) = (x * component.width / width, y * component.height / height);
                component.row(y)[component.offset + x * component.step]
            });
            let codes: Vec<u8> = pieces.collect();
            match (components, &codes[..]) {
                (Components::Rgb(_), &[red, green, blue]) => rgb_to_ycc([red, green, blue]),
                (_, &[luma, ref chroma @ ..]) => {
                    let chroma = <[u8; 2]>::try_from(chroma).unwrap_or([128; 2]);
                    [to_code(to_rgb.luma(luma.into())), chroma[0], chroma[1]]
                }
                _ => unreachable!("a frame has components"),
            }
        };
        let cells = |across: usize, down: usize| (0..down).flat_map(move |gy| (0..across).map(move |gx| (gx, gy)));
        let mut histogram = Histogram::default();
        let (across, down) = (width.min(GRID.0), height.min(GRID.1));
        for (gx, gy) in cells(across, down) {
            let [luma, ..] = codes((gx, gy), (across, down));
            histogram.luma[gy * BLOCKS / down * BLOCKS + gx * BLOCKS / across][usize::from(luma / 16)] += 1;
            histogram.samples += 1;
            histogram.luma_sum += u32::from(luma);
            histogram.bright += u32::from(luma >= BRIGHT);
        }
        let (across, down) = (width.min(CHROMA_GRID.0), height.min(CHROMA_GRID.1));
        for cell in cells(across, down) {
            let [_, u, v] = codes(cell, (across, down));
            histogram.u[usize::from(u / 8)] += 1;
            histogram.v[usize::from(v / 8)] += 1;
            histogram.chroma_samples += 1;
        }
        histogram
    }

    #[test]
    fn counts_equal_those_of_plain_code() {
        let data: Vec<u8> = (0..400_000u32).map(|at| at.wrapping_mul(2_654_435_761).to_be_bytes()[0]).collect();
        for (width, height) in
            [(1usize, 1usize), (2, 3), (3, 5), (7, 2), (63, 35), (65, 37), (127, 71), (128, 72), (129, 73), (301, 205)]
        {
            let plane = |start: usize, bytes: usize| Plane { data: &data[start..], stride: bytes + 3 };
            let chroma = width.div_ceil(2);
            let (y, u, v) = (plane(0, width), plane(11, chroma), plane(17, chroma));
            for pixels in [
                Pixels::Planar { y, u, v, subsampling: Subsampling::Both },
                Pixels::Nv12 { y, uv: plane(5, 2 * chroma) },
                Pixels::Yuyv(plane(0, 4 * chroma)),
                Pixels::Rgb8(plane(0, 3 * width)),
                Pixels::Grey(y),
            ] {
                let frame = Frame::new(pixels, width, height, Timestamp::ZERO).expect("the planes hold it");
                assert_eq!(Histogram::from_frame(&frame), plain(&frame), "{width}x{height}");
            }
        }
    }
}
