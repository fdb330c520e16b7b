//! A thumbnail of a frame: the samples that its histogram counts, at most 128 x 72 of luma and 64 x
//! 36 of each colour difference.

use crate::area::Area;
use crate::frame::{Colour, Frame, Matrix, Pixels, Plane, Range, Subsampling, Timestamp};
use crate::histogram::{CHROMA_GRID, GRID, Row};

/// The samples of one component, in rows of `across`.
#[derive(Clone)]
pub(crate) struct Samples<const N: usize> {
    codes: [u8; N],
    across: usize,
    down: usize,
}

/// Full-range luma on the grid of the histogram.
pub(crate) type LumaSamples = Samples<{ GRID.0 * GRID.1 }>;
/// One colour difference on its grid.
type ChromaSamples = Samples<{ CHROMA_GRID.0 * CHROMA_GRID.1 }>;

/// The samples of one frame, 14 kB.
#[derive(Clone)]
pub(crate) struct Thumbnail {
    pub luma: LumaSamples,
    pub chroma: [ChromaSamples; 2],
}

impl Thumbnail {
    /// An empty thumbnail.
    pub const EMPTY: Self = Thumbnail { luma: Samples::NONE, chroma: [Samples::NONE; 2] };

    /// Stores a row of the grids.
    #[inline]
    pub fn keep(&mut self, row: Row<'_>) {
        match row {
            Row::Luma(y, codes) => self.luma.keep(y, codes),
            Row::Chroma(y, u, v) => {
                self.chroma.iter_mut().zip([u, v]).for_each(|(samples, codes)| samples.keep(y, codes));
            }
        }
    }

    /// Returns the thumbnail of the part `area` of a picture of `size` pixels, as a frame. Returns
    /// `None` if the picture is smaller than the grids.
    pub fn frame(&self, area: Option<Area>, size: (usize, usize)) -> Option<Frame<'_>> {
        if !self.luma.is_whole_grid() {
            return None;
        }
        let plane = |codes, stride| Plane { data: codes, stride };
        let [u, v] = &self.chroma;
        let pixels = Pixels::Planar {
            y: plane(&self.luma.codes, GRID.0),
            u: plane(&u.codes, CHROMA_GRID.0),
            v: plane(&v.codes, CHROMA_GRID.0),
            subsampling: Subsampling::Both,
        };
        let frame = Frame::new(pixels, GRID.0, GRID.1, Timestamp::ZERO).ok()?;
        let frame = frame.with_colour(Colour { matrix: Matrix::Bt601, range: Range::Full });
        Some(area.map_or(frame, |area| frame.crop(area.scaled(size, GRID))))
    }
}

impl LumaSamples {
    /// Returns whether the samples fill the grid, so that the picture has at least as many pixels.
    pub fn is_whole_grid(&self) -> bool {
        (self.across, self.down) == GRID
    }
}

impl<const N: usize> Samples<N> {
    /// No samples.
    pub const NONE: Self = Samples { codes: [0; N], across: 1, down: 1 };

    /// Returns the number of columns and rows.
    pub fn size(&self) -> (usize, usize) {
        (self.across, self.down)
    }

    /// Returns row `y`.
    pub fn row(&self, y: usize) -> &[u8] {
        &self.codes[y * self.across..][..self.across]
    }

    /// Stores row `y`.
    pub fn keep(&mut self, y: usize, row: &[u8]) {
        (self.across, self.down) = (row.len(), y + 1);
        self.codes[y * row.len()..][..row.len()].copy_from_slice(row);
    }

    /// Writes the mean of the samples in each of `size` cells.
    pub fn shrink(&self, size: (usize, usize), cells: &mut [u8]) {
        // If the picture is smaller than the cells, some samples belong to several cells.
        let range = |cell: usize, cells: usize, samples: usize| {
            let first = cell * samples / cells;
            first..((cell + 1) * samples / cells).max(first + 1)
        };
        for (y, row) in cells.chunks_exact_mut(size.0).enumerate() {
            let rows = range(y, size.1, self.down);
            // Down first, which the compiler vectorises.
            let mut sums = [0u16; GRID.0];
            for line in self.codes[rows.start * self.across..rows.end * self.across].chunks_exact(self.across) {
                sums.iter_mut().zip(line).for_each(|(sum, &code)| *sum += u16::from(code));
            }
            for (x, cell) in row.iter_mut().enumerate() {
                let columns = range(x, size.0, self.across);
                let count = (rows.len() * columns.len()) as u32;
                let sum: u32 = sums[columns].iter().map(|&sum| u32::from(sum)).sum();
                *cell = ((sum + count / 2) / count) as u8;
            }
        }
    }
}
