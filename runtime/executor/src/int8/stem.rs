//! The first convolution, its ReLU and its max pool in eight bits, row by row.
//!
//! The input is quantised as it is read. A line holds the three rows of pixels that a row of
//! outputs reads, column by column: the nine colours of a column are neighbours, and so are the
//! three columns of an output. With three colours that is one run of 27 bytes for each plane, in
//! seven groups of four, where rows of their own would take nine. So the stem runs through the
//! kernel of the 1x1 convolutions. As in single precision, the arena holds only the planes that the
//! next outputs read, and three rows of the convolution.

use super::lanes::{COLUMNS, Dots};
use super::matmul::{GROUP, Packed, slots};
use super::quantised::{Quantised, Scale};
use super::{Number, OFFSET};
use crate::spans::{Run, Target, spans};
use crate::stem::{Stem, seen};

/// Rows of the kernel, its columns, and its planes if it spans time.
const SIDE: usize = 3;

/// Bytes of a quantised pixel before it is part of a line.
const PIXEL: usize = GROUP;

/// The most colours that a stem reads.
pub(crate) const COLOURS: usize = PIXEL;

/// Outputs that the pool reads at once. Each position has a multiple of them.
pub(crate) const POOLED: usize = if cfg!(target_arch = "aarch64") { 8 } else { 16 };

/// Size of a column of three pixels.
fn column_len(stem: &Stem) -> usize {
    SIDE * stem.colours
}

/// Size of a line: three rows of pixels, with the border at their ends.
fn line_len(stem: &Stem) -> usize {
    stem.bordered()[2] * column_len(stem)
}

/// Size of a plane: a line for each row of outputs.
fn plane_len(stem: &Stem) -> usize {
    stem.convolved()[1] * line_len(stem)
}

/// Size of the held planes: as many as the kernel is long, and one outside the clip if the kernel
/// spans time.
fn planes_len(stem: &Stem) -> usize {
    (stem.kernel[0] + usize::from(stem.kernel[0] > 1)) * plane_len(stem)
}

/// Size of a row of quantised pixels, without a border.
fn row_len(stem: &Stem) -> usize {
    stem.sides[2] * PIXEL
}

/// Returns the size of the held planes, and of the rows that the next line is made of: three, and
/// one outside the picture.
pub(crate) fn input_len(stem: &Stem) -> usize {
    planes_len(stem) + (SIDE + 1) * row_len(stem)
}

/// Packs the weights of a stem of `colours` colours, (outputs, colours x kernel), for vectors of
/// `count` outputs and tiles of `vectors` vectors.
pub(crate) fn pack(quantised: &Quantised, colours: usize, count: usize, vectors: usize) -> Packed {
    let taps = quantised.inputs() / colours;
    let planes = taps / (SIDE * SIDE);
    let mut order = Vec::with_capacity(quantised.inputs());
    for plane in 0..planes {
        for column in 0..SIDE {
            for row in 0..SIDE {
                let tap = (plane * SIDE + row) * SIDE + column;
                order.extend((0..colours).map(|colour| colour * taps + tap));
            }
        }
    }
    let slots = slots(&order, std::iter::repeat_n(SIDE * SIDE * colours, planes));
    Packed::new(quantised, &slots, [count, vectors], count.max(POOLED))
}

/// Returns the end of everything that the stem reads or writes, counted from the start of the
/// arena. `numbers` is the number of outputs at each position.
pub(crate) fn end(stem: &Stem, numbers: usize) -> usize {
    (stem.input + input_len(stem) + 16).max(stem.written(numbers))
}

/// Computes the stem of planar `data` (colours, sides) in the arena. `multiply` runs the matrix
/// multiply. `most` and `interleave` are [`most`] and [`interleave`], or the same in vectors.
#[inline(always)]
pub(crate) fn run(
    arena: &mut [Number],
    stem: &Stem,
    weights: &Packed,
    data: &[f32],
    multiply: impl Fn(&mut [Number], &[Run], Target, usize),
    most: impl Fn(&mut [Number], [&[Number]; 3], bool),
    interleave: impl Fn(&mut [Number], [&[Number]; 3], usize),
) {
    let ([_, height, width], numbers) = (stem.convolved(), weights.padded());
    let quantise = Quantise::new(weights.input());
    arena[stem.input..stem.input + input_len(stem)].fill(quantise.zero());
    for z in 0..stem.convolved()[0] {
        for time in stem.unseen(z) {
            fill(arena, stem, &quantise, data, time, &interleave);
        }
        for y in 0..height {
            let mut runs = [Run { offset: 0, stride: 0, length: 0 }; SIDE];
            for (tap, run) in runs[..stem.kernel[0]].iter_mut().enumerate() {
                let time = (z * stem.step[0] + tap).checked_sub(stem.kernel[0] / 2).filter(|&at| at < stem.sides[0]);
                let plane = time.map_or(stem.kernel[0], |time| time % stem.kernel[0]);
                let offset = stem.input + plane * plane_len(stem) + y * line_len(stem);
                *run = Run { offset, stride: stem.step[2] * column_len(stem), length: SIDE * column_len(stem) };
            }
            multiply(arena, &runs[..stem.kernel[0]], stem.kept(y, numbers), width);
            pool(arena, stem, z, y, numbers, &most);
        }
    }
}

/// Quantises the plane of all colours at `time` and writes its lines.
#[inline(always)]
fn fill(
    arena: &mut [Number],
    stem: &Stem,
    quantise: &Quantise,
    data: &[f32],
    time: usize,
    interleave: &impl Fn(&mut [Number], [&[Number]; 3], usize),
) {
    let [depth, height, width] = stem.sides;
    let (planes, rows) = arena[stem.input..][..input_len(stem)].split_at_mut(planes_len(stem));
    let lines = planes[time % stem.kernel[0] * plane_len(stem)..][..plane_len(stem)].chunks_exact_mut(line_len(stem));
    let plane = |colour: usize| &data[(colour * depth + time) * height * width..][..height * width];
    let mut next = 0;
    for (y, line) in lines.enumerate() {
        // The line reads three rows from the one before this.
        let middle = y * stem.step[1];
        while next < (middle + SIDE - 1).min(height) {
            let row = &mut rows[next % SIDE * row_len(stem)..][..row_len(stem)];
            quantise.row(row, stem.colours, |colour| &plane(colour)[next * width..][..width]);
            next += 1;
        }
        let row = |at: usize| {
            let place = at.checked_sub(1).filter(|&at| at < height).map_or(SIDE, |at| at % SIDE);
            &rows[place * row_len(stem)..][..row_len(stem)]
        };
        let columns = &mut line[column_len(stem)..][..width * column_len(stem)];
        interleave(columns, [row(middle), row(middle + 1), row(middle + 2)], stem.colours);
    }
}

/// Writes the pixels of three rows of the same width as columns, each with the `colours` of three
/// pixels. This is the safe reference.
pub(crate) fn interleave(columns: &mut [Number], rows: [&[Number]; SIDE], colours: usize) {
    let rows = rows.map(|row| row.as_chunks::<PIXEL>().0);
    for (x, column) in columns.chunks_exact_mut(SIDE * colours).enumerate() {
        for (pixel, row) in column.chunks_exact_mut(colours).zip(rows) {
            pixel.copy_from_slice(&row[x][..colours]);
        }
    }
}

/// Writes the same columns in vectors of `D`, four at a time.
///
/// # Safety
/// The rules of [`Dots`] apply.
#[inline(always)]
pub(crate) unsafe fn interleave_of<D: Dots>(columns: &mut [Number], rows: [&[Number]; SIDE], colours: usize) {
    let mut done = 0;
    if colours == 3 {
        let [top, middle, bottom] = rows.map(|row| row.as_chunks::<{ 4 * PIXEL }>().0);
        let fours = columns.as_chunks_mut::<COLUMNS>().0.iter_mut();
        for (((columns, top), middle), bottom) in fours.zip(top).zip(middle).zip(bottom) {
            // SAFETY: the caller guarantees it.
            unsafe { D::columns([top, middle, bottom], columns) };
            done += 4;
        }
    }
    interleave(&mut columns[done * SIDE * colours..], rows.map(|row| &row[done * PIXEL..]), colours);
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

    /// Returns the stored activation of 0.
    fn zero(&self) -> Number {
        self.zero as Number
    }

    /// Quantises a row of `colours` colours as pixels.
    #[inline(always)]
    fn row<'a>(&self, row: &mut [Number], colours: usize, line: impl Fn(usize) -> &'a [f32]) {
        let pixels = row.as_chunks_mut::<PIXEL>().0.iter_mut();
        if colours == 3 {
            for (pixel, ((&r, &g), &b)) in pixels.zip(line(0).iter().zip(line(1)).zip(line(2))) {
                let word = self.byte(r) | self.byte(g) << 8 | self.byte(b) << 16;
                *pixel = word.to_le_bytes().map(|byte| byte as Number);
            }
        } else {
            for (x, pixel) in pixels.enumerate() {
                for (colour, number) in pixel[..colours].iter_mut().enumerate() {
                    *number = self.byte(line(colour)[x]) as Number;
                }
            }
        }
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
