//! The first convolution, its ReLU and its max pool in one pass, row by row. The output of the
//! convolution is the largest array of the network and never leaves the first-level caches.
//!
//! The input is planar. A matrix multiply reads the taps of a row of outputs as runs of three. The
//! arena holds only the input planes that the next outputs read, each with a border of zeros. One
//! plane of zeros stands for the times before the first and after the last. A clip is larger than
//! the second-level cache, so each plane is read once.
//!
//! Three rows of the convolution are kept. The pool is a maximum of maxima: over three rows and
//! three columns into a row of the pooled plane, and over time into each plane of the output that
//! the plane belongs to.

use crate::depthwise::Sides;
use crate::lanes::Lanes;
#[cfg(target_arch = "x86_64")]
use crate::lanes::Shares;
use crate::matmul::{self, Packed, Taps};
#[cfg(target_arch = "x86_64")]
use crate::shared;
use crate::spans::Target;

/// Rows of the convolution that a row of the pool reads.
const KEPT: usize = 3;

/// A stem with a kernel of side 3 in height and width, and 3 or 1 in time. Its pool has the same
/// kernel, and step 2 on each axis with kernel side 3.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Stem {
    /// Index of the held input planes, counted from the start of the arena.
    pub input: usize,
    /// Sides of the input without its border.
    pub sides: Sides,
    /// Number of input planes: the colours.
    pub colours: usize,
    /// Sides of the kernel: 3, or 1 in time for pictures.
    pub kernel: Sides,
    pub step: Sides,
    /// Index of the space for [`KEPT`] rows.
    pub rows: usize,
    pub out: Target,
}

impl Stem {
    /// Returns the sides with the border.
    pub fn bordered(&self) -> Sides {
        [0, 1, 2].map(|axis| self.sides[axis] + 2 * (self.kernel[axis] / 2))
    }

    /// Returns the size of the held planes in numbers, with borders. There are as many planes of
    /// each colour as the kernel is long, and one plane of zeros if the kernel spans time.
    pub fn input_len(&self) -> usize {
        (self.colours * self.kernel[0] + usize::from(self.pools_time())) * self.plane_len()
    }

    /// Returns the size of a held row in numbers: first the columns with even indices, border
    /// included, then as many with odd indices. The convolution steps by two columns, so the same
    /// tap of neighbouring positions is in neighbouring numbers.
    fn row_len(&self) -> usize {
        self.bordered()[2].next_multiple_of(2)
    }

    /// Returns the size of a held plane in numbers.
    fn plane_len(&self) -> usize {
        self.bordered()[1] * self.row_len()
    }

    /// Returns the index of plane `time` of `colour`, counted from the first held plane.
    fn held(&self, colour: usize, time: usize) -> usize {
        (colour * self.kernel[0] + time % self.kernel[0]) * self.plane_len()
    }

    /// Returns the sides of the convolution's output.
    pub fn convolved(&self) -> Sides {
        [0, 1, 2].map(|axis| (self.bordered()[axis] - self.kernel[axis]) / self.step[axis] + 1)
    }

    /// Returns the sides of the pool's output.
    pub fn pooled(&self) -> Sides {
        // Side 3, border 1, step 2: half, rounded up.
        let [depth, height, width] = self.convolved();
        [if self.pools_time() { depth.div_ceil(2) } else { depth }, height.div_ceil(2), width.div_ceil(2)]
    }

    /// Returns the size of the space for the kept rows, with `numbers` numbers for each position.
    pub fn rows_len(&self, numbers: usize) -> usize {
        KEPT * self.convolved()[2] * numbers
    }

    /// Returns the end of everything that the stem reads or writes, counted from the start of the
    /// arena.
    pub fn end(&self, numbers: usize) -> usize {
        (self.input + self.input_len() + 8).max(self.written(numbers))
    }

    /// Returns the end of the kept rows and of the output, counted from the start of the arena.
    pub fn written(&self, numbers: usize) -> usize {
        let out = self.out.offset + (self.pooled().iter().product::<usize>() - 1) * self.out.stride + numbers;
        (self.rows + self.rows_len(numbers)).max(out)
    }

    fn pools_time(&self) -> bool {
        self.kernel[0] == 3
    }

    /// Returns the planes of the output that plane `z` of the convolution belongs to, and whether
    /// it is the first plane that does.
    pub fn planes(&self, z: usize) -> impl Iterator<Item = (usize, bool)> + use<> {
        let (first, last) = if self.pools_time() { (z / 2, z.div_ceil(2)) } else { (z, z) };
        let (pools, planes) = (self.pools_time(), self.pooled()[0]);
        (first..=last)
            .filter(move |&plane| plane < planes)
            .map(move |plane| (plane, !pools || z == (2 * plane).saturating_sub(1)))
    }

    /// Returns the times of the input that the outputs of plane `z` read and earlier outputs did
    /// not.
    pub fn unseen(&self, z: usize) -> std::ops::Range<usize> {
        let seen = |z: usize| (z * self.step[0] + self.kernel[0] / 2 + 1).min(self.sides[0]);
        z.checked_sub(1).map_or(0, seen)..seen(z)
    }

    /// Writes the planes of `data` (colours, sides) that the outputs of plane `z` read and earlier
    /// outputs did not. `write` gets a row, and the indices in the arena for its numbers with even
    /// and with odd indices. The zeros around the planes stay unchanged.
    #[inline(always)]
    pub fn fill(&self, data: &[f32], z: usize, mut write: impl FnMut(&[f32], usize, usize)) {
        let [depth, height, width] = self.sides;
        let py = self.kernel[1] / 2;
        for colour in 0..self.colours {
            for time in self.unseen(z) {
                let first = self.input + self.held(colour, time) + py * self.row_len();
                let plane = &data[(colour * depth + time) * height * width..][..height * width];
                for (y, row) in plane.chunks_exact(width).enumerate() {
                    let at = first + y * self.row_len();
                    // The border of one column moves even indices to odd ones.
                    write(row, at + self.row_len() / 2, at + 1);
                }
            }
        }
    }

    /// Returns the taps of the first output of plane `z`, counted from the first held plane.
    pub fn taps(&self, z: usize) -> Vec<usize> {
        let (across, [kz, ky, kx]) = (self.row_len(), self.kernel);
        let zeros = self.colours * kz * self.plane_len();
        let plane = |colour: usize, tap: usize| {
            let time = (z * self.step[0] + tap).checked_sub(kz / 2).filter(|&time| time < self.sides[0]);
            time.map_or(zeros, |time| self.held(colour, time))
        };
        let planes = (0..self.colours).flat_map(|colour| (0..kz).map(move |tap| plane(colour, tap)));
        let rows = planes.flat_map(|plane| (0..ky).map(move |y| plane + y * across));
        rows.flat_map(|row| (0..kx).map(move |x| row + x % 2 * (across / 2) + x / 2)).collect()
    }

    /// Returns the index of the first tap of row `y`.
    fn shift(&self, y: usize) -> usize {
        self.input + y * self.step[1] * self.row_len()
    }

    /// Returns the region for row `y` of the convolution, with `numbers` numbers for each position.
    pub fn kept(&self, y: usize, numbers: usize) -> Target {
        Target { offset: self.rows + y % KEPT * self.convolved()[2] * numbers, stride: numbers }
    }
}

/// Returns the rows or columns that position `at` of the pool reads, where `side` is their number.
pub(crate) fn seen(at: usize, side: usize) -> std::ops::Range<usize> {
    (2 * at).saturating_sub(1)..side.min(2 * at + 2)
}

/// Computes the stem of planar `data` (colours, sides). `taps` are the taps of each plane of the
/// convolution. This is the safe reference.
pub(crate) fn reference(arena: &mut [f32], stem: &Stem, taps: &[Vec<usize>], weights: &Packed, data: &[f32]) {
    for (z, taps) in taps.iter().enumerate() {
        stem.fill(data, z, |row, even, odd| {
            for (at, &number) in row.iter().enumerate() {
                arena[[even, odd][at % 2] + at / 2] = number;
            }
        });
        reference_plane(arena, stem, z, taps, weights);
    }
}

/// Adds plane `z` of the convolution to the output.
fn reference_plane(arena: &mut [f32], stem: &Stem, z: usize, taps: &[usize], weights: &Packed) {
    let ([_, height, width], pooled) = (stem.convolved(), stem.pooled());
    let numbers = weights.padded();
    for y in 0..height {
        let taps = Taps { taps, shift: stem.shift(y) };
        matmul::reference(arena, &taps, stem.kept(y, numbers), width, weights, true);
        // The row of the pool that this row completes.
        let Some(row) = (0..pooled[1]).find(|&row| seen(row, height).end == y + 1) else { continue };
        for (plane, first) in stem.planes(z) {
            for x in 0..pooled[2] {
                let position = (plane * pooled[1] + row) * pooled[2] + x;
                for number in 0..numbers {
                    let out = stem.out.offset + position * stem.out.stride + number;
                    let mut most = if first { f32::NEG_INFINITY } else { arena[out] };
                    for line in seen(row, height) {
                        for column in seen(x, width) {
                            most = most.max(arena[stem.rows + (line % KEPT * width + column) * numbers + number]);
                        }
                    }
                    arena[out] = most;
                }
            }
        }
    }
}

/// Computes the stem in vectors of `L`.
///
/// # Safety
/// The rules of [`Lanes`] apply. Everything that `stem` and `taps` describe is in the arena and
/// does not overlap. `weights` are packed for `L`.
#[inline(always)]
pub(crate) unsafe fn run<L: Lanes>(
    arena: *mut L::Number,
    stem: &Stem,
    taps: &[Vec<usize>],
    weights: &Packed,
    data: &[f32],
) {
    let ([_, height, width], numbers) = (stem.convolved(), weights.padded());
    for (z, taps) in taps.iter().enumerate() {
        // SAFETY: the caller guarantees it.
        stem.fill(data, z, |row, even, odd| unsafe { L::write_apart(row, arena.add(even), arena.add(odd)) });
        for y in 0..height {
            let taps = Taps { taps, shift: stem.shift(y) };
            // SAFETY: the caller guarantees it.
            unsafe {
                matmul::run::<L>(arena, &taps, stem.kept(y, numbers), width, weights, true);
                pool::<L>(arena, stem, z, y, numbers);
            }
        }
    }
}

/// Computes the stem in vectors of `L` that two positions may share.
///
/// # Safety
/// Same as [`run`].
#[cfg(target_arch = "x86_64")]
#[inline(always)]
pub(crate) unsafe fn run_shared<L: Shares>(
    arena: *mut f32,
    stem: &Stem,
    taps: &[Vec<usize>],
    weights: &Packed,
    data: &[f32],
) {
    if !weights.is_shared() {
        // SAFETY: the caller guarantees it.
        return unsafe { run::<L>(arena, stem, taps, weights, data) };
    }
    let ([_, height, width], numbers) = (stem.convolved(), weights.padded());
    for (z, taps) in taps.iter().enumerate() {
        // SAFETY: the caller guarantees it.
        stem.fill(data, z, |row, even, odd| unsafe { L::write_apart(row, arena.add(even), arena.add(odd)) });
        for y in 0..height {
            let taps = Taps { taps, shift: stem.shift(y) };
            // SAFETY: the caller guarantees it.
            unsafe {
                shared::run::<L>(arena, &taps, stem.kept(y, numbers), width, weights);
                pool::<L>(arena, stem, z, y, numbers);
            }
        }
    }
}

/// Pools after row `y` of plane `z` of the convolution, with `numbers` numbers for each position.
/// Writes one row of the pool or nothing.
///
/// # Safety
/// Same as [`run`].
#[inline(always)]
unsafe fn pool<L: Lanes>(arena: *mut L::Number, stem: &Stem, z: usize, y: usize, numbers: usize) {
    let ([_, height, width], pooled) = (stem.convolved(), stem.pooled());
    // A row of the pool is complete after its third row. The last one, of an odd height, is
    // complete after its second row.
    if y.is_multiple_of(2) && y + 1 != height {
        return;
    }
    let row = y / 2;
    let lines = seen(row, height);
    // SAFETY: the caller guarantees it; `lines` are kept rows, and `planes` are planes of the
    // output.
    unsafe {
        // The oldest row is not needed again.
        let oldest = arena.add(stem.kept(lines.start, numbers).offset);
        for line in lines.skip(1) {
            let line = arena.add(stem.kept(line, numbers).offset).cast_const();
            for at in (0..width * numbers).step_by(L::COUNT) {
                L::store(oldest.add(at), L::max(L::load(oldest.add(at)), L::load(line.add(at))));
            }
        }
        for (plane, first) in stem.planes(z) {
            let position = (plane * pooled[1] + row) * pooled[2];
            let out = arena.add(stem.out.offset + position * stem.out.stride);
            across::<L>(oldest, width, numbers, out, stem.out.stride, pooled[2], first);
        }
    }
}

/// Pools along a row of `width` positions of `numbers` numbers into `pooled` positions at `out`,
/// `stride` apart. If the row is not the first, takes the maximum with the numbers at `out`.
///
/// # Safety
/// Same as [`run`].
#[inline(always)]
unsafe fn across<L: Lanes>(
    row: *const L::Number,
    width: usize,
    numbers: usize,
    out: *mut L::Number,
    stride: usize,
    pooled: usize,
    first: bool,
) {
    for x in 0..pooled {
        // A position outside the row is replaced by one inside.
        let columns = [2 * x - usize::from(x > 0), 2 * x, (2 * x + 1).min(width - 1)].map(|column| column * numbers);
        for block in (0..numbers).step_by(L::COUNT) {
            // SAFETY: the caller guarantees it.
            unsafe {
                let [left, middle, right] = columns.map(|column| L::load(row.add(column + block)));
                let most = L::max(L::max(left, middle), right);
                let out = out.add(x * stride + block);
                L::store(out, if first { most } else { L::max(most, L::load(out)) });
            }
        }
    }
}
