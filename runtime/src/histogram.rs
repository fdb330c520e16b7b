//! The histogram that the shot detector sees: counts of luma by block and of chroma, over a subsampled grid of a frame.

use crate::colour::{ToRgb, rgb_to_ycc, to_code};
use crate::components::Components;
use crate::frame::Frame;

/// Blocks across and down; luma is counted in each, so that a cut between pictures of equal brightness is still seen.
pub const BLOCKS: usize = 4;

/// Bins of luma in a block, 16 code values each.
pub const LUMA_BINS: usize = 16;

/// Bins of each colour difference, 8 code values each.
pub const CHROMA_BINS: usize = 32;

/// Samples of the grid across and down at most; beyond it more samples change the counts too little to matter.
pub(crate) const GRID: (usize, usize) = (128, 72);

/// Counts over a grid of at most 128 x 72 positions of one frame. Luma is brought to full range first, so that the same
/// picture gives the same counts in either range.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Histogram {
    luma: [[u16; LUMA_BINS]; BLOCKS * BLOCKS],
    u: [u16; CHROMA_BINS],
    v: [u16; CHROMA_BINS],
    samples: u32,
    luma_sum: u32,
    bright: u32,
}

impl Default for Histogram {
    fn default() -> Self {
        Histogram {
            luma: [[0; LUMA_BINS]; BLOCKS * BLOCKS],
            u: [0; CHROMA_BINS],
            v: [0; CHROMA_BINS],
            samples: 0,
            luma_sum: 0,
            bright: 0,
        }
    }
}

/// Luma from which a sample is too bright to be part of a black frame.
const BRIGHT: u8 = 32;

/// Sets of chroma counts that neighbouring samples go to in turn. Neighbours are often of one colour, and a count that was just
/// written is slow to be read again.
const TURNS: usize = 4;

/// Counts of both colour differences.
#[derive(Default)]
struct ChromaCounts {
    u: [[u16; CHROMA_BINS]; TURNS],
    v: [[u16; CHROMA_BINS]; TURNS],
}

impl ChromaCounts {
    /// Counts a row.
    fn count(&mut self, u: &[u8], v: &[u8]) {
        for (counts, codes) in [(&mut self.u, u), (&mut self.v, v)] {
            let (groups, rest) = codes.as_chunks::<TURNS>();
            for group in groups {
                for (counts, &code) in counts.iter_mut().zip(group) {
                    counts[usize::from(code) * CHROMA_BINS / 256] += 1;
                }
            }
            for &code in rest {
                counts[0][usize::from(code) * CHROMA_BINS / 256] += 1;
            }
        }
    }

    /// The counts of each difference.
    fn sums(&self) -> ([u16; CHROMA_BINS], [u16; CHROMA_BINS]) {
        let sum = |counts: &[[u16; CHROMA_BINS]; TURNS]| {
            std::array::from_fn(|bin| counts.iter().map(|counts| counts[bin]).sum())
        };
        (sum(&self.u), sum(&self.v))
    }
}

/// Full-range luma of each code value.
fn full_range(to_rgb: &ToRgb) -> [u8; 256] {
    std::array::from_fn(|code| to_code(to_rgb.luma(code as f32)))
}

/// Where in a row the grid's samples lie, in bytes from its start; of RGB that of red.
struct Columns {
    luma: [usize; GRID.0],
    u: [usize; GRID.0],
    v: [usize; GRID.0],
    across: usize,
}

impl Columns {
    /// The middles of `across` cells.
    fn of(components: &Components<'_>, across: usize) -> Self {
        let pieces = components.as_slice();
        let (luma, u, v) = (&pieces[0], &pieces[pieces.len().min(2) - 1], &pieces[pieces.len() - 1]);
        let mut columns = Columns { luma: [0; GRID.0], u: [0; GRID.0], v: [0; GRID.0], across };
        for gx in 0..across {
            let x = (2 * gx + 1) * luma.width / (2 * across);
            let chroma_x = x * u.width / luma.width;
            columns.luma[gx] = luma.offset + x * luma.step;
            columns.u[gx] = u.offset + chroma_x * u.step;
            columns.v[gx] = v.offset + chroma_x * v.step;
        }
        columns
    }
}

/// One row of the grid.
struct Samples {
    /// In full range.
    luma: [u8; GRID.0],
    u: [u8; GRID.0],
    v: [u8; GRID.0],
}

impl Default for Samples {
    fn default() -> Self {
        Samples { luma: [0; GRID.0], u: [128; GRID.0], v: [128; GRID.0] }
    }
}

impl Samples {
    /// Reads row `y` of the frame.
    fn read(&mut self, components: &Components<'_>, columns: &Columns, y: usize, full_range: &[u8; 256]) {
        let Samples { luma, u, v } = self;
        let across = columns.across;
        match components {
            Components::Yuv([luma_plane, u_plane, v_plane]) => {
                let chroma_y = y * u_plane.height / luma_plane.height;
                gather(luma_plane.row(y), &columns.luma[..across], luma);
                luma.iter_mut().for_each(|code| *code = full_range[usize::from(*code)]);
                gather(u_plane.row(chroma_y), &columns.u[..across], u);
                gather(v_plane.row(chroma_y), &columns.v[..across], v);
            }
            Components::Rgb([red, ..]) => {
                let row = red.plane.row(y, red.width * red.step);
                for (gx, &at) in columns.luma[..across].iter().enumerate() {
                    [luma[gx], u[gx], v[gx]] = rgb_to_ycc([row[at], row[at + 1], row[at + 2]]);
                }
            }
            Components::Grey([plane]) => {
                gather(plane.row(y), &columns.luma[..across], luma);
                luma.iter_mut().for_each(|code| *code = full_range[usize::from(*code)]);
            }
        }
    }
}

/// The bytes of `row` at `columns`.
fn gather(row: &[u8], columns: &[usize], codes: &mut [u8; GRID.0]) {
    codes.iter_mut().zip(columns).for_each(|(code, &at)| *code = row[at]);
}

impl Histogram {
    /// Counts `frame`, reading its planes where they are. Allocates nothing.
    pub fn of(frame: &Frame<'_>) -> Self {
        Histogram::of_rows(frame, |_, _, _, _| {})
    }

    /// Counts `frame`; `row` gets the grid's rows in their order, each with its number, as luma in full range, u and v.
    pub(crate) fn of_rows(frame: &Frame<'_>, mut row: impl FnMut(usize, &[u8], &[u8], &[u8])) -> Self {
        let mut histogram = Histogram::default();
        let full_range = full_range(&ToRgb::new(frame.colour()));
        let (width, height) = (frame.width(), frame.height());
        let components = Components::of(frame);
        let (across, down) = (width.min(GRID.0), height.min(GRID.1));
        let columns = Columns::of(&components, across);
        let (mut samples, mut chroma) = (Samples::default(), ChromaCounts::default());
        for gy in 0..down {
            // The middle of the grid's cell: no side of the picture is favoured.
            let y = (2 * gy + 1) * height / (2 * down);
            samples.read(&components, &columns, y, &full_range);
            histogram.count(&samples, across, gy * BLOCKS / down);
            chroma.count(&samples.u[..across], &samples.v[..across]);
            row(gy, &samples.luma[..across], &samples.u[..across], &samples.v[..across]);
        }
        (histogram.u, histogram.v) = chroma.sums();
        histogram
    }

    /// Counts a row of `across` samples in the `block_row`-th row of blocks.
    fn count(&mut self, samples: &Samples, across: usize, block_row: usize) {
        let luma = &samples.luma[..across];
        for (block, counts) in self.luma[block_row * BLOCKS..][..BLOCKS].iter_mut().enumerate() {
            // Those of the columns gx for which gx * BLOCKS / across is `block`.
            let column = |block: usize| (block * across).div_ceil(BLOCKS);
            for &luma in &luma[column(block)..column(block + 1)] {
                counts[usize::from(luma) * LUMA_BINS / 256] += 1;
            }
        }
        self.samples += across as u32;
        self.luma_sum += luma.iter().map(|&luma| u32::from(luma)).sum::<u32>();
        self.bright += luma.iter().map(|&luma| u32::from(luma >= BRIGHT)).sum::<u32>();
    }

    /// Mean luma, 0 (black) to 255 (white).
    pub fn mean_luma(&self) -> f32 {
        self.luma_sum as f32 / self.samples.max(1) as f32
    }

    /// Share of the samples in [0, 1] that no black frame has: luma 32 and above.
    pub fn bright_share(&self) -> f32 {
        self.bright as f32 / self.samples.max(1) as f32
    }

    /// How unlike two frames are, in [0, 1]: half the sum of absolute differences of the normalised counts, the mean of
    /// luma (by block) and of the two colour differences, luma counting twice.
    pub fn distance(&self, other: &Histogram) -> f32 {
        let difference = |a: &[u16], b: &[u16], n: u32, m: u32| -> f32 {
            // Frames of one stream have the same grid, so that the counts compare as they are, in whole numbers.
            if n == m {
                let sum: u32 = a.iter().zip(b).map(|(&a, &b)| u32::from(a.abs_diff(b))).sum();
                return sum as f32 / (2 * n.max(1)) as f32;
            }
            let (n, m) = (n.max(1) as f32, m.max(1) as f32);
            a.iter().zip(b).map(|(&a, &b)| (f32::from(a) / n - f32::from(b) / m).abs()).sum::<f32>() / 2.0
        };
        let (n, m) = (self.samples, other.samples);
        let luma = difference(self.luma.as_flattened(), other.luma.as_flattened(), n, m);
        let u = difference(&self.u, &other.u, n, m);
        let v = difference(&self.v, &other.v, n, m);
        0.5 * luma + 0.25 * (u + v)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::frame::{Pixels, Plane, Subsampling, Timestamp};

    /// The counts of `frame` in plain code, a position at a time.
    fn plain(frame: &Frame<'_>) -> Histogram {
        let (width, height) = (frame.width(), frame.height());
        let (across, down) = (width.min(GRID.0), height.min(GRID.1));
        let (components, to_rgb) = (Components::of(frame), ToRgb::new(frame.colour()));
        let mut histogram = Histogram::default();
        for (gx, gy) in (0..down).flat_map(|gy| (0..across).map(move |gx| (gx, gy))) {
            let (x, y) = ((2 * gx + 1) * width / (2 * across), (2 * gy + 1) * height / (2 * down));
            let pieces = components.as_slice().iter().map(|component| {
                let (x, y) = (x * component.width / width, y * component.height / height);
                component.row(y)[component.offset + x * component.step]
            });
            let codes: Vec<u8> = pieces.collect();
            let [luma, u, v] = match (components, &codes[..]) {
                (Components::Rgb(_), &[red, green, blue]) => rgb_to_ycc([red, green, blue]),
                (_, &[luma, ref chroma @ ..]) => {
                    let chroma = <[u8; 2]>::try_from(chroma).unwrap_or([128; 2]);
                    [to_code(to_rgb.luma(luma.into())), chroma[0], chroma[1]]
                }
                _ => unreachable!("a frame has components"),
            };
            histogram.luma[gy * BLOCKS / down * BLOCKS + gx * BLOCKS / across][usize::from(luma / 16)] += 1;
            histogram.u[usize::from(u / 8)] += 1;
            histogram.v[usize::from(v / 8)] += 1;
            histogram.samples += 1;
            histogram.luma_sum += u32::from(luma);
            histogram.bright += u32::from(luma >= BRIGHT);
        }
        histogram
    }

    #[test]
    fn counts_are_those_of_plain_code() {
        let data: Vec<u8> = (0..400_000u32).map(|at| at.wrapping_mul(2_654_435_761).to_be_bytes()[0]).collect();
        for (width, height) in [(1usize, 1usize), (2, 3), (3, 5), (7, 2), (127, 71), (128, 72), (129, 73), (301, 205)] {
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
                assert_eq!(Histogram::of(&frame), plain(&frame), "{width}x{height}");
            }
        }
    }
}
