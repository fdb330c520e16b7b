//! The first convolution, its ReLU and its max pool in one pass, row by row: what the convolution makes is the largest thing of the
//! whole network and never leaves the first caches.
//!
//! The input is planar, and a matrix multiply reads the taps of a row of outputs as runs of three. Of the input only the planes that the next
//! outputs see are held, each with a border of zeros, and one of zeros alone for what lies before the first and after the last: a clip is larger than the
//! second cache, and so it is read once. Of what is made three rows are kept. The pool is a maximum of maxima: over three rows and three
//! columns into a row of the pooled plane, and over time into each plane of the output that the plane belongs to.

use crate::depthwise::Sides;
use crate::lanes::Lanes;
#[cfg(target_arch = "x86_64")]
use crate::lanes::Shares;
use crate::matmul::{self, Packed, Taps};
#[cfg(target_arch = "x86_64")]
use crate::shared;
use crate::spans::Target;

/// Rows of the convolution that a row of the pool sees.
const KEPT: usize = 3;

/// A stem of side 3 in height and width, 3 or 1 in time; its pool is of the same kernel with step 2 wherever that is 3.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Stem {
    /// Where the planes of the input that are held begin, in numbers from the start of the arena.
    pub input: usize,
    /// Sides of the input without its border.
    pub sides: Sides,
    /// Planes of the input: the colours.
    pub colours: usize,
    /// 3, or 1 in time for pictures.
    pub kernel: Sides,
    pub step: Sides,
    /// Room for [`KEPT`] rows.
    pub rows: usize,
    pub out: Target,
}

impl Stem {
    /// Sides with the border.
    fn bordered(&self) -> Sides {
        [0, 1, 2].map(|axis| self.sides[axis] + 2 * (self.kernel[axis] / 2))
    }

    /// Numbers of the planes that are held, borders and all: of each colour as many as the kernel is long, and one of zeros where there is
    /// a time before the first.
    pub fn input_len(&self) -> usize {
        (self.colours * self.kernel[0] + usize::from(self.pools_time())) * self.plane_len()
    }

    /// Numbers of a row that is held: its columns in even places, border and all, and after them as many in odd ones. The convolution steps by
    /// two columns, and so it finds the same tap of neighbouring positions side by side.
    fn row_len(&self) -> usize {
        self.bordered()[2].next_multiple_of(2)
    }

    /// Numbers of a plane that is held.
    fn plane_len(&self) -> usize {
        self.bordered()[1] * self.row_len()
    }

    /// Where plane `time` of `colour` is held, in numbers after the first plane.
    fn held(&self, colour: usize, time: usize) -> usize {
        (colour * self.kernel[0] + time % self.kernel[0]) * self.plane_len()
    }

    /// Positions of the convolution.
    pub fn convolved(&self) -> Sides {
        [0, 1, 2].map(|axis| (self.bordered()[axis] - self.kernel[axis]) / self.step[axis] + 1)
    }

    /// Positions of the pool.
    pub fn pooled(&self) -> Sides {
        // Side 3, border 1, step 2: half, rounded up.
        let [depth, height, width] = self.convolved();
        [if self.pools_time() { depth.div_ceil(2) } else { depth }, height.div_ceil(2), width.div_ceil(2)]
    }

    /// Room for the kept rows, of `numbers` numbers a position.
    pub fn rows_len(&self, numbers: usize) -> usize {
        KEPT * self.convolved()[2] * numbers
    }

    /// The end of everything that it reads or writes, in numbers from the start of the arena.
    pub fn end(&self, numbers: usize) -> usize {
        let out = self.out.offset + (self.pooled().iter().product::<usize>() - 1) * self.out.stride + numbers;
        (self.input + self.input_len() + 8).max(self.rows + self.rows_len(numbers)).max(out)
    }

    fn pools_time(&self) -> bool {
        self.kernel[0] == 3
    }

    /// The planes of the output that plane `z` of the convolution belongs to, and whether it is the first that does.
    fn planes(&self, z: usize) -> impl Iterator<Item = (usize, bool)> + use<> {
        let (first, last) = if self.pools_time() { (z / 2, z.div_ceil(2)) } else { (z, z) };
        let (pools, planes) = (self.pools_time(), self.pooled()[0]);
        (first..=last)
            .filter(move |&plane| plane < planes)
            .map(move |plane| (plane, !pools || z == (2 * plane).saturating_sub(1)))
    }

    /// Has of planar `data` (colours, sides) those planes written that outputs of plane `z` see and those before it did not, row by row: `write`
    /// is told the place of the arena for what is in even places of a row, and for what is in odd ones. What is around them is zero already and
    /// stays so.
    #[inline(always)]
    pub fn fill(&self, data: &[f32], z: usize, mut write: impl FnMut(&[f32], usize, usize)) {
        let [depth, height, width] = self.sides;
        let [pz, py, _] = self.kernel.map(|side| side / 2);
        let seen = |z: usize| (z * self.step[0] + pz + 1).min(depth);
        let before = z.checked_sub(1).map_or(0, seen);
        for colour in 0..self.colours {
            for time in before..seen(z) {
                let first = self.input + self.held(colour, time) + py * self.row_len();
                let plane = &data[(colour * depth + time) * height * width..][..height * width];
                for (y, row) in plane.chunks_exact(width).enumerate() {
                    let at = first + y * self.row_len();
                    // After the border of one column, what was in an even place is in an odd one.
                    write(row, at + self.row_len() / 2, at + 1);
                }
            }
        }
    }

    /// The taps of the first output of plane `z`, in numbers after the first plane that is held.
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

    /// Where the first tap of row `y` lies.
    fn shift(&self, y: usize) -> usize {
        self.input + y * self.step[1] * self.row_len()
    }

    /// Where row `y` of the convolution goes, of `numbers` numbers a position.
    fn kept(&self, y: usize, numbers: usize) -> Target {
        Target { offset: self.rows + y % KEPT * self.convolved()[2] * numbers, stride: numbers }
    }
}

/// The maximum over what row `row` of the pool sees of the kept rows, at `x`, for one number of a position: the safe reference's own.
fn seen(at: usize, side: usize) -> std::ops::Range<usize> {
    (2 * at).saturating_sub(1)..side.min(2 * at + 2)
}

/// The safe reference: the stem of planar `data` (colours, sides); `taps` are those of each plane of the convolution.
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

/// What plane `z` of the convolution adds to the output.
fn reference_plane(arena: &mut [f32], stem: &Stem, z: usize, taps: &[usize], weights: &Packed) {
    let ([_, height, width], pooled) = (stem.convolved(), stem.pooled());
    let numbers = weights.padded();
    for y in 0..height {
        let taps = Taps { taps, shift: stem.shift(y) };
        matmul::reference(arena, &taps, stem.kept(y, numbers), width, weights, true);
        // The row of the pool whose last row this is.
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

/// The same in the vectors of `L`.
///
/// # Safety
/// As [`Lanes`] says; what `stem` and `taps` describe lies in the arena and does not overlap, and `weights` are packed for `L`.
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
        // SAFETY: the caller's.
        stem.fill(data, z, |row, even, odd| unsafe { L::write_apart(row, arena.add(even), arena.add(odd)) });
        for y in 0..height {
            let taps = Taps { taps, shift: stem.shift(y) };
            // SAFETY: the caller's.
            unsafe {
                matmul::run::<L>(arena, &taps, stem.kept(y, numbers), width, weights, true);
                pool::<L>(arena, stem, z, y, numbers);
            }
        }
    }
}

/// The same where two positions may share a vector.
///
/// # Safety
/// As [`run`].
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
        // SAFETY: the caller's.
        return unsafe { run::<L>(arena, stem, taps, weights, data) };
    }
    let ([_, height, width], numbers) = (stem.convolved(), weights.padded());
    for (z, taps) in taps.iter().enumerate() {
        // SAFETY: the caller's.
        stem.fill(data, z, |row, even, odd| unsafe { L::write_apart(row, arena.add(even), arena.add(odd)) });
        for y in 0..height {
            let taps = Taps { taps, shift: stem.shift(y) };
            // SAFETY: the caller's.
            unsafe {
                shared::run::<L>(arena, &taps, stem.kept(y, numbers), width, weights);
                pool::<L>(arena, stem, z, y, numbers);
            }
        }
    }
}

/// The pool after row `y` of plane `z` of the convolution, of `numbers` numbers a position: nothing, or a row of it.
///
/// # Safety
/// As [`run`].
#[inline(always)]
unsafe fn pool<L: Lanes>(arena: *mut L::Number, stem: &Stem, z: usize, y: usize, numbers: usize) {
    let ([_, height, width], pooled) = (stem.convolved(), stem.pooled());
    // A row of the pool is complete after its third row, and the last one, of an odd height, after its second.
    if y.is_multiple_of(2) && y + 1 != height {
        return;
    }
    let row = y / 2;
    let lines = seen(row, height);
    // SAFETY: the caller's; lines are of the kept rows, and the planes' rows of the output.
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

/// The pool along a row of `width` positions of `numbers` numbers: into `pooled` positions at `out`, `stride` apart, of which it is the first
/// or with what is there already.
///
/// # Safety
/// As [`run`].
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
        // A position outside is one of those inside once more.
        let columns = [2 * x - usize::from(x > 0), 2 * x, (2 * x + 1).min(width - 1)].map(|column| column * numbers);
        for block in (0..numbers).step_by(L::COUNT) {
            // SAFETY: the caller's.
            unsafe {
                let [left, middle, right] = columns.map(|column| L::load(row.add(column + block)));
                let most = L::max(L::max(left, middle), right);
                let out = out.add(x * stride + block);
                L::store(out, if first { most } else { L::max(most, L::load(out)) });
            }
        }
    }
}
