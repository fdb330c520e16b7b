//! Depthwise convolutions in eight bits with a kernel of side 3, in two or three axes.
//!
//! One instruction multiplies the three rows of the kernel at one column. Rows and columns outside
//! the input are read as zeros. Planes outside the input are left out.

use super::lanes::Dots;
use super::quantised::{Quantised, number};
use super::{Number, OFFSET};
use crate::aligned::Aligned;
use crate::depthwise::Depthwise;

/// Bytes of the weights of a channel at one column: three rows, and a fourth of zeros.
const COLUMN: usize = 4;

/// Most channels of a block.
const MOST: usize = 16;

/// Columns and rows of a kernel.
const SIDE: usize = 3;

/// Stored zeros. The zero point of the input is 0.
static ZEROS: [Number; MOST] = [Number::MIN; MOST];

/// Weights, sums to start from and factors in blocks of channels. Zeros fill the last block.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct DepthwiseWeights {
    /// (blocks, planes, columns, channels, 4).
    taps: Aligned<i8>,
    bias: Aligned<i32>,
    /// What a plane of the kernel adds because zero is not stored as 0: (planes, channels).
    planes: Aligned<i32>,
    factors: Aligned<f32>,
    /// Stored form of the output's zero point.
    zero: i32,
    /// Channels of a block.
    block: usize,
    /// Number of channels, rounded up to whole blocks.
    channels: usize,
}

impl DepthwiseWeights {
    /// Packs `quantised`, (channels, taps), for the channels in `order` in blocks of `block`.
    pub fn new(quantised: &Quantised, order: &[usize], block: usize) -> Self {
        let (channels, taps) = (order.len().next_multiple_of(block), quantised.inputs());
        let planes = taps / (SIDE * SIDE);
        let mut packed = DepthwiseWeights {
            taps: Aligned::zeros(channels * planes * SIDE * COLUMN),
            bias: Aligned::zeros(channels),
            planes: Aligned::zeros(planes * channels),
            factors: Aligned::zeros(channels),
            zero: quantised.zero,
            block,
            channels,
        };
        for (at, &channel) in order.iter().enumerate() {
            packed.bias[at] = quantised.bias[channel];
            packed.factors[at] = quantised.factors[channel];
            for (tap, &weight) in quantised.row(channel).iter().enumerate() {
                let (plane, row, column) = (tap / (SIDE * SIDE), tap / SIDE % SIDE, tap % SIDE);
                let columns = (at / block * planes + plane) * SIDE + column;
                packed.taps[(columns * block + at % block) * COLUMN + row] = weight;
                packed.planes[plane * channels + at] += OFFSET * i32::from(weight);
            }
        }
        packed
    }

    /// Returns the number of channels, rounded up to whole blocks.
    pub fn channels(&self) -> usize {
        self.channels
    }
}

/// The safe reference. Like the kernel, it writes whole blocks: the numbers after the last channel
/// have no meaning.
pub(crate) fn reference(arena: &mut [Number], conv: &Depthwise, weights: &DepthwiseWeights) {
    let ([_, height, width], out, planes) = (conv.input, conv.output(), conv.kernel[0]);
    let block = weights.block;
    let mut position = 0;
    for z in 0..out[0] {
        for y in 0..out[1] {
            for x in 0..out[2] {
                for channel in 0..weights.channels {
                    let mut sum = weights.bias[channel];
                    let ((z0, kz, zs), (y0, ky, ys), (x0, kx, xs)) =
                        (conv.taps(0, z), conv.taps(1, y), conv.taps(2, x));
                    for dz in 0..zs {
                        for dy in 0..ys {
                            for dx in 0..xs {
                                let at = ((z0 + dz) * height + y0 + dy) * width + x0 + dx;
                                let columns = (channel / block * planes + kz + dz) * SIDE + kx + dx;
                                let tap = (columns * block + channel % block) * COLUMN + ky + dy;
                                let number = i32::from(arena[conv.offset + at * conv.stride + channel]) + OFFSET;
                                sum += number * i32::from(weights.taps[tap]);
                            }
                        }
                    }
                    arena[conv.out_offset + position * conv.out_stride + channel] =
                        number(sum, weights.factors[channel], weights.zero);
                }
                position += 1;
            }
        }
    }
}

/// Computes the convolution in vectors of `D`.
///
/// # Safety
/// The rules of [`Dots`] apply. Everything that `conv` describes is in the arena, up to the end of
/// the last block of channels. The output does not overlap the input. `weights` are packed for `D`.
#[inline(always)]
pub(crate) unsafe fn run<D: Dots>(arena: *mut Number, conv: &Depthwise, weights: &DepthwiseWeights) {
    let ([_, height, width], out, planes) = (conv.input, conv.output(), conv.kernel[0]);
    for z in 0..out[0] {
        let (z0, kz, zs) = conv.taps(0, z);
        for y in 0..out[1] {
            let (y0, ky, ys) = conv.taps(1, y);
            for block in (0..weights.channels).step_by(D::BLOCK) {
                let taps = weights.taps.as_ptr().wrapping_add(block * planes * SIDE * COLUMN);
                let mut row = Row {
                    planes: [Plane { lines: [Line { input: ZEROS.as_ptr(), stride: 0 }; SIDE], taps }; SIDE],
                    count: zs,
                    width,
                    zero: weights.zero,
                    factors: weights.factors.as_ptr().wrapping_add(block),
                };
                // SAFETY: the caller guarantees it; taps() stays inside the input.
                unsafe {
                    let mut start = D::block(weights.bias.as_ptr().add(block));
                    for (dz, plane) in row.planes.iter_mut().enumerate().take(zs) {
                        if OFFSET != 0 {
                            start = D::add(start, weights.planes.as_ptr().add((kz + dz) * weights.channels + block));
                        }
                        plane.taps = taps.add((kz + dz) * SIDE * D::BLOCK * COLUMN);
                        for (dy, line) in plane.lines[ky..].iter_mut().enumerate().take(ys) {
                            let first = ((z0 + dz) * height + y0 + dy) * width * conv.stride;
                            *line = Line { input: arena.add(conv.offset + block + first), stride: conv.stride };
                        }
                    }
                    let output = arena.add(conv.out_offset + (z * out[1] + y) * out[2] * conv.out_stride + block);
                    match conv.step[2] {
                        1 => row.run::<D, 1>(start, output, conv.out_stride, out[2]),
                        _ => row.run::<D, 2>(start, output, conv.out_stride, out[2]),
                    }
                }
            }
        }
    }
}

/// A row of the input, or zeros in place of one.
#[derive(Clone, Copy)]
struct Line {
    /// The block's first channel at position 0.
    input: *const Number,
    /// Distance from one position to the next: 0 for zeros.
    stride: usize,
}

/// Three rows of the input that contribute to a row of the output, and their weights.
#[derive(Clone, Copy)]
struct Plane {
    lines: [Line; SIDE],
    taps: *const i8,
}

impl Plane {
    /// Adds the column `COLUMN_AT` of the inputs to the `COUNT` outputs that it belongs to.
    ///
    /// # Safety
    /// Same as [`run`]. Three rows of a block can be read.
    #[inline(always)]
    unsafe fn column<D: Dots, const COUNT: usize, const STEP: usize, const COLUMN_AT: usize>(
        &self,
        read: [*const Number; SIDE],
        sums: &mut [D::Block; COUNT],
    ) {
        // SAFETY: the caller guarantees it.
        unsafe {
            let triples = D::triples(read);
            for (output, sum) in sums.iter_mut().enumerate() {
                if (output * STEP..output * STEP + SIDE).contains(&COLUMN_AT) {
                    let taps = self.taps.add((COLUMN_AT - output * STEP) * D::BLOCK * COLUMN);
                    *sum = D::dot_triples(triples, taps, *sum);
                }
            }
        }
    }
}

/// The inputs of one output row, for one block of channels.
struct Row {
    planes: [Plane; SIDE],
    /// Number of planes inside the input.
    count: usize,
    /// Number of positions in a line.
    width: usize,
    zero: i32,
    factors: *const f32,
}

impl Row {
    /// # Safety
    /// Same as [`run`].
    #[inline(always)]
    unsafe fn run<D: Dots, const STEP: usize>(
        &self,
        start: D::Block,
        output: *mut Number,
        stride: usize,
        width: usize,
    ) {
        let mut x = 0;
        while x < width {
            // The sides of the feature maps are multiples of 7 or 4.
            // SAFETY: the caller guarantees it.
            x += unsafe {
                match width - x {
                    7.. => self.some::<D, 7, STEP>(start, x, output, stride),
                    4.. => self.some::<D, 4, STEP>(start, x, output, stride),
                    _ => self.some::<D, 1, STEP>(start, x, output, stride),
                }
            };
        }
    }

    /// Computes `COUNT` neighbouring outputs from `x` on and reads each input once for all of them.
    /// Returns `COUNT`.
    ///
    /// # Safety
    /// Same as [`run`].
    #[inline(always)]
    unsafe fn some<D: Dots, const COUNT: usize, const STEP: usize>(
        &self,
        start: D::Block,
        x: usize,
        output: *mut Number,
        stride: usize,
    ) -> usize {
        let columns = (COUNT - 1) * STEP + SIDE;
        let mut sums = [start; COUNT];
        // The inputs at -1 and at the width are zeros and not stored.
        let (left, right) = (x == 0, x * STEP + columns > self.width + 1);
        for plane in &self.planes[..self.count] {
            let first =
                plane.lines.map(|line| line.input.wrapping_add(x * STEP * line.stride).wrapping_sub(line.stride));
            // One after the other without a loop: the compiler would leave it one, and ask at each
            // column which outputs it belongs to.
            macro_rules! columns {
                ($($column:literal)*) => {
                    $(if $column < columns {
                        let is_outside = $column == 0 && left || $column == columns - 1 && right;
                        let mut read = [ZEROS.as_ptr(); SIDE];
                        if !is_outside {
                            for ((read, first), line) in read.iter_mut().zip(first).zip(&plane.lines) {
                                *read = first.wrapping_add($column * line.stride);
                            }
                        }
                        // SAFETY: the caller guarantees it; only columns inside the input are read.
                        unsafe { plane.column::<D, COUNT, STEP, $column>(read, &mut sums) };
                    })*
                };
            }
            columns!(0 1 2 3 4 5 6 7 8 9 10 11 12 13 14);
        }
        for (at, &sum) in sums.iter().enumerate() {
            // SAFETY: the caller guarantees it.
            unsafe { D::finish_block(sum, self.factors, self.zero, output.add((x + at) * stride)) };
        }
        COUNT
    }
}
