//! Depthwise convolutions with a kernel of side 3, in two or three axes.

use crate::aligned::Aligned;
use crate::lanes::Lanes;

/// Sides of a box of positions: time, height, width. A picture has time 1.
pub(crate) type Sides = [usize; 3];

/// A depthwise convolution over neighbouring channels of one buffer. The padding is 1 on each axis
/// with kernel side 3.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Depthwise {
    /// Index of the first channel at position 0, counted from the start of the arena.
    pub offset: usize,
    /// Distance from one position to the next, in numbers.
    pub stride: usize,
    /// The same for the output.
    pub out_offset: usize,
    pub out_stride: usize,
    pub input: Sides,
    /// Sides of the kernel: 3, or 1 in time for pictures.
    pub kernel: Sides,
    pub step: Sides,
}

impl Depthwise {
    /// Returns the sides of the output.
    pub fn output(&self) -> Sides {
        let side =
            |axis: usize| (self.input[axis] + 2 * (self.kernel[axis] / 2) - self.kernel[axis]) / self.step[axis] + 1;
        [side(0), side(1), side(2)]
    }

    /// Returns the end of everything that is read or written with `channels` channels, counted from
    /// the start of the arena.
    pub fn end(&self, channels: usize) -> usize {
        let end = |offset: usize, stride: usize, sides: Sides| {
            offset + (sides.iter().product::<usize>() - 1) * stride + channels
        };
        end(self.offset, self.stride, self.input).max(end(self.out_offset, self.out_stride, self.output()))
    }

    /// Returns the inputs and taps of output `at` along `axis`: the first input, the first tap, and
    /// their number.
    pub fn taps(&self, axis: usize, at: usize) -> (usize, usize, usize) {
        let first = (at * self.step[axis]) as isize - (self.kernel[axis] / 2) as isize;
        let skipped = first.min(0).unsigned_abs();
        let first = first.max(0) as usize;
        let count = (self.kernel[axis] - skipped).min(self.input[axis] - first);
        (first, skipped, count)
    }
}

/// Weights of a depthwise convolution in blocks of `width` channels: the taps of each block, and
/// the biases. Zeros fill the last block.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct DepthwiseWeights {
    taps: Aligned,
    bias: Aligned,
    /// Number of channels, rounded up to whole blocks.
    channels: usize,
}

impl DepthwiseWeights {
    /// Packs row-major `weights` (channels, taps) and `bias` for the channels in `order`.
    pub fn new(weights: &[f32], bias: &[f32], order: &[usize], width: usize) -> Self {
        let taps = weights.len() / bias.len();
        let padded = order.len().next_multiple_of(width);
        let value = |tap: usize, at: usize| order.get(at).map_or(0.0, |&channel| weights[channel * taps + tap]);
        let blocks = (0..padded).step_by(width);
        let data =
            blocks.flat_map(|block| (0..taps).flat_map(move |tap| (block..block + width).map(move |at| (tap, at))));
        DepthwiseWeights {
            taps: data.map(|(tap, at)| value(tap, at)).collect(),
            bias: (0..padded).map(|at| order.get(at).map_or(0.0, |&channel| bias[channel])).collect(),
            channels: padded,
        }
    }

    /// Returns the same weights, each array converted by `store`.
    pub fn stored(self, store: impl Fn(Aligned) -> Aligned) -> Self {
        DepthwiseWeights { taps: store(self.taps), bias: store(self.bias), channels: self.channels }
    }

    /// Returns the number of channels, rounded up to whole blocks.
    pub fn channels(&self) -> usize {
        self.channels
    }
}

/// The safe reference. `width` is the block size of the weights. Like the kernel, it writes whole
/// blocks: the numbers after the last channel have no meaning.
pub(crate) fn reference(arena: &mut [f32], conv: &Depthwise, weights: &DepthwiseWeights, width: usize) {
    let [_, height, row] = conv.input;
    let (out, taps) = (conv.output(), conv.kernel.iter().product::<usize>());
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
                                let at = ((z0 + dz) * height + y0 + dy) * row + x0 + dx;
                                let tap = ((kz + dz) * conv.kernel[1] + ky + dy) * conv.kernel[2] + kx + dx;
                                let weight = weights.taps[(channel / width * taps + tap) * width + channel % width];
                                sum = arena[conv.offset + at * conv.stride + channel].mul_add(weight, sum);
                            }
                        }
                    }
                    arena[conv.out_offset + position * conv.out_stride + channel] = sum;
                }
                position += 1;
            }
        }
    }
}

/// Computes the convolution in vectors of `L`.
///
/// # Safety
/// The rules of [`Lanes`] apply. Everything that `conv` describes is in the arena, up to the end of
/// the last block of channels. The output does not overlap the input. `weights` are packed for `L`.
#[inline(always)]
pub(crate) unsafe fn run<L: Lanes>(arena: *mut L::Number, conv: &Depthwise, weights: &DepthwiseWeights) {
    let [_, height, width] = conv.input;
    let (out, taps) = (conv.output(), conv.kernel.iter().product::<usize>());
    for z in 0..out[0] {
        let (z0, kz, zs) = conv.taps(0, z);
        for y in 0..out[1] {
            let (y0, ky, ys) = conv.taps(1, y);
            let mut lines = [Line { input: 0, taps: 0 }; 9];
            let seen = (0..zs).flat_map(|dz| (0..ys).map(move |dy| (dz, dy)));
            for (line, (dz, dy)) in lines.iter_mut().zip(seen) {
                line.input = ((z0 + dz) * height + y0 + dy) * width * conv.stride;
                line.taps = ((kz + dz) * conv.kernel[1] + ky + dy) * conv.kernel[2] * L::COUNT;
            }
            for block in (0..weights.channels).step_by(L::COUNT) {
                // SAFETY: the caller guarantees it; taps() stays inside the input.
                unsafe {
                    let row = Row {
                        input: arena.add(conv.offset + block),
                        stride: conv.stride,
                        width,
                        lines: lines.get_unchecked(..zs * ys),
                        weights: weights.taps.as_ptr().cast::<L::Number>().add(block * taps),
                        bias: L::load(weights.bias.as_ptr().cast::<L::Number>().add(block)),
                    };
                    let output = arena.add(conv.out_offset + (z * out[1] + y) * out[2] * conv.out_stride + block);
                    match conv.step[2] {
                        1 => row.run::<L, 1>(output, conv.out_stride, out[2]),
                        _ => row.run::<L, 2>(output, conv.out_stride, out[2]),
                    }
                }
            }
        }
    }
}

/// A row of the input that contributes to a row of the output.
#[derive(Clone, Copy)]
struct Line {
    /// Index of its first number, counted from the start of the input.
    input: usize,
    /// Index of its taps, counted from the start of the block's taps.
    taps: usize,
}

/// The inputs of one output row, for one block of channels.
struct Row<'a, N, V> {
    input: *const N,
    stride: usize,
    /// Number of positions in a line.
    width: usize,
    lines: &'a [Line],
    weights: *const N,
    bias: V,
}

impl<N, V: Copy> Row<'_, N, V> {
    /// # Safety
    /// Same as [`run`].
    #[inline(always)]
    unsafe fn run<L: Lanes<Number = N, Vector = V>, const STEP: usize>(
        &self,
        output: *mut N,
        stride: usize,
        width: usize,
    ) {
        let mut x = 0;
        while x < width {
            // The sides of the feature maps are multiples of 7 or 4.
            // SAFETY: the caller guarantees it.
            x += unsafe {
                match width - x {
                    7.. => self.some::<L, 7, STEP>(x, output, stride),
                    4.. => self.some::<L, 4, STEP>(x, output, stride),
                    _ => self.some::<L, 1, STEP>(x, output, stride),
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
    unsafe fn some<L: Lanes<Number = N, Vector = V>, const COUNT: usize, const STEP: usize>(
        &self,
        x: usize,
        output: *mut N,
        stride: usize,
    ) -> usize {
        let columns = (COUNT - 1) * STEP + 3;
        // The inputs at -1 and at the width are zero and not stored.
        let left = x == 0;
        let right = x * STEP + columns > self.width + 1;
        let mut sums = [self.bias; COUNT];
        for line in self.lines {
            // SAFETY: the caller guarantees it; only columns inside the input are read.
            unsafe {
                let weights = self.weights.add(line.taps);
                let weights = [L::load(weights), L::load(weights.add(L::COUNT)), L::load(weights.add(2 * L::COUNT))];
                let first = self.input.add(line.input).wrapping_add(x * STEP * self.stride).wrapping_sub(self.stride);
                for column in 0..columns {
                    if column == 0 && left || column == columns - 1 && right {
                        continue;
                    }
                    let value = L::load(first.wrapping_add(column * self.stride));
                    for (at, sum) in sums.iter_mut().enumerate() {
                        if (at * STEP..at * STEP + 3).contains(&column) {
                            *sum = L::multiply_add(value, weights[column - at * STEP], *sum);
                        }
                    }
                }
            }
        }
        for (at, &sum) in sums.iter().enumerate() {
            // SAFETY: the caller guarantees it.
            unsafe { L::store(output.add((x + at) * stride), sum) };
        }
        COUNT
    }
}
