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
const GRID: (usize, usize) = (128, 72);

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

impl Histogram {
    /// Counts `frame`, reading its planes where they are. Allocates nothing.
    pub fn of(frame: &Frame<'_>) -> Self {
        let mut histogram = Histogram::default();
        let to_rgb = ToRgb::new(frame.colour());
        let mut full_range = [0u8; 256];
        for (code, full) in full_range.iter_mut().enumerate() {
            *full = to_code(to_rgb.luma(code as f32));
        }
        let (width, height) = (frame.width(), frame.height());
        let components = Components::of(frame);
        let (across, down) = (width.min(GRID.0), height.min(GRID.1));
        for gy in 0..down {
            // The middle of the grid's cell: no side of the picture is favoured.
            let y = (2 * gy + 1) * height / (2 * down);
            let block_row = gy * BLOCKS / down * BLOCKS;
            match &components {
                Components::Yuv([luma, u, v]) => {
                    let chroma_y = y * u.height / height;
                    let (luma_row, u_row, v_row) = (luma.row(y), u.row(chroma_y), v.row(chroma_y));
                    for gx in 0..across {
                        let x = (2 * gx + 1) * width / (2 * across);
                        let chroma_x = x * u.width / width;
                        let full = full_range[usize::from(luma_row[luma.offset + x * luma.step])];
                        let (u, v) = (u_row[u.offset + chroma_x * u.step], v_row[v.offset + chroma_x * v.step]);
                        histogram.count(block_row + gx * BLOCKS / across, full, u, v);
                    }
                }
                Components::Rgb([red, ..]) => {
                    let row = red.plane.row(y, width * red.step);
                    for gx in 0..across {
                        let at = (2 * gx + 1) * width / (2 * across) * red.step;
                        let [luma, u, v] = rgb_to_ycc([row[at], row[at + 1], row[at + 2]]);
                        histogram.count(block_row + gx * BLOCKS / across, luma, u, v);
                    }
                }
                Components::Grey([luma]) => {
                    let row = luma.row(y);
                    for gx in 0..across {
                        let x = (2 * gx + 1) * width / (2 * across);
                        histogram.count(block_row + gx * BLOCKS / across, full_range[usize::from(row[x])], 128, 128);
                    }
                }
            }
        }
        histogram
    }

    #[inline]
    fn count(&mut self, block: usize, luma: u8, u: u8, v: u8) {
        self.luma[block][usize::from(luma) * LUMA_BINS / 256] += 1;
        self.u[usize::from(u) * CHROMA_BINS / 256] += 1;
        self.v[usize::from(v) * CHROMA_BINS / 256] += 1;
        self.samples += 1;
        self.luma_sum += u32::from(luma);
        self.bright += u32::from(luma >= BRIGHT);
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
