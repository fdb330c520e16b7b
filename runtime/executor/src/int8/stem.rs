//! The first convolution, its ReLU and its max pool in eight bits, row by row.
//!
//! The input is quantised as it is read: four bytes for each pixel, its colours and what fills the
//! fourth. Three neighbouring pixels are three groups of a matrix multiply, so the stem runs
//! through the kernel of the 1x1 convolutions. As in single precision, the arena holds only the
//! planes that the next outputs read, and three rows of the convolution.

use super::lanes::Dots;
use super::matmul::{GROUP, Packed};
use super::quantised::{Quantised, Scale};
use super::{Number, OFFSET};
use crate::spans::{Run, Target, spans};
use crate::stem::{Stem, seen};

/// Bytes of a pixel.
const PIXEL: usize = GROUP;

/// Outputs that the pool reads at once. Each position has a multiple of them.
pub(crate) const POOLED: usize = if cfg!(target_arch = "aarch64") { 8 } else { 16 };

/// The most colours that a stem reads.
pub(crate) const COLOURS: usize = PIXEL;

/// Runs of pixels that a convolution reads: three rows of three planes.
const MOST_RUNS: usize = 9;

/// Size of a row of pixels with its border.
fn row_len(stem: &Stem) -> usize {
    stem.bordered()[2] * PIXEL
}

/// Size of a plane of pixels with its border.
fn plane_len(stem: &Stem) -> usize {
    stem.bordered()[1] * row_len(stem)
}

/// Returns the size of the held planes in numbers: as many as the kernel is long, and one plane of
/// zeros if the kernel spans time.
pub(crate) fn input_len(stem: &Stem) -> usize {
    (stem.kernel[0] + usize::from(stem.kernel[0] > 1)) * plane_len(stem)
}

/// Packs the weights of a stem of `colours` colours, (outputs, colours x kernel), for vectors of
/// `count` outputs and tiles of `vectors` vectors.
pub(crate) fn pack(quantised: &Quantised, colours: usize, count: usize, vectors: usize) -> Packed {
    let taps = quantised.inputs() / colours;
    let slots =
        (0..taps).flat_map(|tap| (0..PIXEL).map(move |colour| (colour < colours).then_some(colour * taps + tap)));
    Packed::new(quantised, &slots.collect::<Vec<_>>(), [count, vectors], count.max(POOLED))
}

/// Returns the end of everything that the stem reads or writes, counted from the start of the
/// arena. `numbers` is the number of outputs at each position.
pub(crate) fn end(stem: &Stem, numbers: usize) -> usize {
    (stem.input + input_len(stem) + 16).max(stem.written(numbers))
}

/// Computes the stem of planar `data` (colours, sides) in the arena. `multiply` runs the matrix
/// multiply. `most` is [`most`] or the same in vectors.
#[inline(always)]
pub(crate) fn run(
    arena: &mut [Number],
    stem: &Stem,
    weights: &Packed,
    data: &[f32],
    multiply: impl Fn(&mut [Number], &[Run], Target, usize),
    most: impl Fn(&mut [Number], [&[Number]; 3], bool),
) {
    let ([_, height, width], numbers) = (stem.convolved(), weights.padded());
    let scale = weights.input();
    arena[stem.input..stem.input + input_len(stem)].fill(scale.stored_zero() as Number);
    for z in 0..stem.convolved()[0] {
        for time in stem.unseen(z) {
            fill(arena, stem, scale, data, time);
        }
        for y in 0..height {
            let mut runs = [Run { offset: 0, stride: 0, length: 0 }; MOST_RUNS];
            let rows = (0..stem.kernel[0]).flat_map(|tap| (0..stem.kernel[1]).map(move |row| (tap, row)));
            let mut count = 0;
            for (run, (tap, row)) in runs.iter_mut().zip(rows) {
                let time = (z * stem.step[0] + tap).checked_sub(stem.kernel[0] / 2).filter(|&at| at < stem.sides[0]);
                let plane = time.map_or(stem.kernel[0], |time| time % stem.kernel[0]);
                let offset = stem.input + plane * plane_len(stem) + (y * stem.step[1] + row) * row_len(stem);
                *run = Run { offset, stride: stem.step[2] * PIXEL, length: stem.kernel[2] * PIXEL };
                count += 1;
            }
            multiply(arena, &runs[..count], stem.kept(y, numbers), width);
            pool(arena, stem, z, y, numbers, &most);
        }
    }
}

/// Quantises the plane of all colours at `time` and writes it as pixels.
#[inline(always)]
fn fill(arena: &mut [Number], stem: &Stem, scale: Scale, data: &[f32], time: usize) {
    let [depth, height, width] = stem.sides;
    let [_, border, _] = stem.kernel.map(|side| side / 2);
    let plane = |colour: usize| &data[(colour * depth + time) * height * width..][..height * width];
    let first = stem.input + time % stem.kernel[0] * plane_len(stem) + border * row_len(stem) + border * PIXEL;
    let quantise = Quantise::new(scale);
    for y in 0..height {
        let row = &mut arena[first + y * row_len(stem)..][..width * PIXEL];
        let pixels = row.as_chunks_mut::<PIXEL>().0.iter_mut();
        let line = |colour: usize| &plane(colour)[y * width..][..width];
        if stem.colours == 3 {
            let colours = line(0).iter().zip(line(1)).zip(line(2));
            for (pixel, ((&r, &g), &b)) in pixels.zip(colours) {
                let word = quantise.byte(r) | quantise.byte(g) << 8 | quantise.byte(b) << 16;
                *pixel = word.to_le_bytes().map(|byte| byte as Number);
            }
        } else {
            for (x, pixel) in pixels.enumerate() {
                for (colour, number) in pixel[..stem.colours].iter_mut().enumerate() {
                    *number = quantise.byte(line(colour)[x]) as Number;
                }
            }
        }
    }
}

/// Turns floats into stored activations.
struct Quantise {
    per_unit: f32,
    least: f32,
    most: f32,
    zero: i32,
}

/// A float whose neighbours are one apart, so that adding it rounds to a whole number: 1.5 x 2^23.
const WHOLES: f32 = 12_582_912.0;

impl Quantise {
    #[inline(always)]
    fn new(scale: Scale) -> Self {
        let zero = f32::from(scale.zero);
        Quantise { per_unit: 1.0 / scale.scale, least: -zero, most: 255.0 - zero, zero: i32::from(scale.zero) - OFFSET }
    }

    /// Returns the stored activation in the low byte.
    #[inline(always)]
    fn byte(&self, value: f32) -> u32 {
        let whole = (value * self.per_unit).max(self.least).min(self.most) + WHOLES;
        (whole.to_bits() as i32).wrapping_add(self.zero) as u32 & 0xff
    }
}

/// Pools after row `y` of plane `z` of the convolution, with `numbers` numbers for each position.
/// Writes one row of the pool or nothing.
#[inline(always)]
fn pool(
    arena: &mut [Number],
    stem: &Stem,
    z: usize,
    y: usize,
    numbers: usize,
    most: &impl Fn(&mut [Number], [&[Number]; 3], bool),
) {
    let ([_, height, width], pooled) = (stem.convolved(), stem.pooled());
    // A row of the pool is complete after its third row. The last one, of an odd height, is
    // complete after its second row.
    if y.is_multiple_of(2) && y + 1 != height {
        return;
    }
    let lines = seen(y / 2, height);
    let oldest = stem.kept(lines.start, numbers).offset;
    let row = width * numbers;
    for line in lines.skip(1) {
        let line = stem.kept(line, numbers).offset;
        // The oldest row is not needed again.
        let [most, line] = spans(arena, oldest..oldest + row, line..line + row);
        most.iter_mut().zip(line).for_each(|(most, number)| *most = (*most).max(*number));
    }
    for (plane, first) in stem.planes(z) {
        let position = (plane * pooled[1] + y / 2) * pooled[2];
        let (out, len) = (stem.out.offset + position * stem.out.stride, (pooled[2] - 1) * stem.out.stride + numbers);
        let [out, line] = spans(arena, out..out + len, oldest..oldest + row);
        for (x, out) in out.chunks_mut(stem.out.stride).enumerate() {
            // A position outside the row is replaced by one inside.
            let columns = [2 * x - usize::from(x > 0), 2 * x, (2 * x + 1).min(width - 1)];
            let [left, middle, right] = columns.map(|column| &line[column * numbers..][..numbers]);
            most(&mut out[..numbers], [left, middle, right], first);
        }
    }
}

/// Takes the maximum of three positions, and of the numbers at `out` if they are not the first.
/// This is the safe reference.
pub(crate) fn most(out: &mut [Number], [left, middle, right]: [&[Number]; 3], first: bool) {
    for (at, out) in out.iter_mut().enumerate() {
        let most = left[at].max(middle[at]).max(right[at]);
        *out = if first { most } else { most.max(*out) };
    }
}

/// Takes the same maximum in vectors of `D`.
///
/// # Safety
/// The rules of [`Dots`] apply. All slices have the same length, a multiple of [`POOLED`].
#[inline(always)]
pub(crate) unsafe fn most_of<D: Dots>(out: &mut [Number], [left, middle, right]: [&[Number]; 3], first: bool) {
    for at in (0..out.len()).step_by(POOLED) {
        // SAFETY: the caller guarantees it.
        unsafe {
            let [left, middle, right] = [left, middle, right].map(|slice| D::pooled(slice.as_ptr().add(at)));
            let most = D::most(D::most(left, middle), right);
            let out = out.as_mut_ptr().add(at);
            D::store_pooled(out, if first { most } else { D::most(most, D::pooled(out)) });
        }
    }
}
