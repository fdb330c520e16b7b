//! Depthwise convolutions of side 3, in two or three axes: each channel by itself.

use crate::aligned::Aligned;
use crate::lanes::Lanes;

/// Sides of a box of positions: time, height, width. A picture has time 1.
pub(crate) type Sides = [usize; 3];

/// A depthwise convolution over neighbouring channels of one buffer, padded by 1 wherever its kernel is 3 long.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Depthwise {
    /// Where the first channel lies at position 0, in numbers from the start of the arena.
    pub offset: usize,
    /// Numbers from one position to the next.
    pub stride: usize,
    /// The same of the output.
    pub out_offset: usize,
    pub out_stride: usize,
    pub input: Sides,
    /// 3, or 1 in time for pictures.
    pub kernel: Sides,
    pub step: Sides,
}

impl Depthwise {
    /// Positions of the output on each axis.
    pub fn output(&self) -> Sides {
        let side =
            |axis: usize| (self.input[axis] + 2 * (self.kernel[axis] / 2) - self.kernel[axis]) / self.step[axis] + 1;
        [side(0), side(1), side(2)]
    }

    /// The inputs and taps of output `at` along `axis`: the first input, the first tap, and how many there are.
    fn taps(&self, axis: usize, at: usize) -> (usize, usize, usize) {
        let first = (at * self.step[axis]) as isize - (self.kernel[axis] / 2) as isize;
        let skipped = first.min(0).unsigned_abs();
        let first = first.max(0) as usize;
        let count = (self.kernel[axis] - skipped).min(self.input[axis] - first);
        (first, skipped, count)
    }
}

/// Weights of a depthwise convolution in blocks of `width` channels: the taps of each, and its biases. The last block is filled up with zeros.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct DepthwiseWeights {
    taps: Aligned,
    bias: Aligned,
    /// Channels, rounded up to whole blocks.
    channels: usize,
}

impl DepthwiseWeights {
    /// Packs row-major `weights` (channels, taps) and `bias` for the channels that `order` names.
    pub fn new(weights: &[f32], bias: &[f32], order: &[usize], width: usize) -> Self {
        let taps = weights.len() / bias.len();
        let padded = order.len().next_multiple_of(width);
        let value = |tap: usize, at: usize| order.get(at).map_or(0.0, |&channel| weights[channel * taps + tap]);
        let blocks = (0..padded).step_by(width);
        let data =
            blocks.flat_map(|block| (0..taps).flat_map(move |tap| (block..block + width).map(move |at| (tap, at))));
        DepthwiseWeights {
            taps: data.map(|(tap, at)| value(tap, at)).collect::<Vec<_>>().as_slice().into(),
            bias: (0..padded)
                .map(|at| order.get(at).map_or(0.0, |&channel| bias[channel]))
                .collect::<Vec<_>>()
                .as_slice()
                .into(),
            channels: padded,
        }
    }

    /// The same, stored as `store` does it.
    pub fn stored(self, store: impl Fn(Aligned) -> Aligned) -> Self {
        DepthwiseWeights { taps: store(self.taps), bias: store(self.bias), channels: self.channels }
    }

    /// Channels, rounded up to whole blocks.
    pub fn channels(&self) -> usize {
        self.channels
    }
}

/// The safe reference; `width` is what the weights are packed for. As the kernel, it writes whole blocks: numbers of no meaning after the
/// last channel.
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

/// The same in the vectors of `L`.
///
/// # Safety
/// As [`Lanes`] says; what `conv` describes lies in the arena up to the end of the last block of channels, and its output does not overlap its
/// input; `weights` are packed for `L`.
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
                // SAFETY: the caller's; taps() stays inside the input.
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

/// A row of the input that a row of the output sees.
#[derive(Clone, Copy)]
struct Line {
    /// Its beginning, in numbers from that of the input.
    input: usize,
    /// Its taps, in numbers from those of the block.
    taps: usize,
}

/// What a row of the output is made of, for one block of channels.
struct Row<'a, N, V> {
    input: *const N,
    stride: usize,
    /// Positions of a line.
    width: usize,
    lines: &'a [Line],
    weights: *const N,
    bias: V,
}

impl<N, V: Copy> Row<'_, N, V> {
    /// # Safety
    /// As [`run`].
    #[inline(always)]
    unsafe fn run<L: Lanes<Number = N, Vector = V>, const STEP: usize>(
        &self,
        output: *mut N,
        stride: usize,
        width: usize,
    ) {
        let mut x = 0;
        while x < width {
            // Sides of the maps are multiples of 7, or 4.
            // SAFETY: the caller's.
            x += unsafe {
                match width - x {
                    7.. => self.some::<L, 7, STEP>(x, output, stride),
                    4.. => self.some::<L, 4, STEP>(x, output, stride),
                    _ => self.some::<L, 1, STEP>(x, output, stride),
                }
            };
        }
    }

    /// `COUNT` neighbouring outputs from `x` on: each input is read once for all of them. Returns `COUNT`.
    ///
    /// # Safety
    /// As [`run`].
    #[inline(always)]
    unsafe fn some<L: Lanes<Number = N, Vector = V>, const COUNT: usize, const STEP: usize>(
        &self,
        x: usize,
        output: *mut N,
        stride: usize,
    ) -> usize {
        let columns = (COUNT - 1) * STEP + 3;
        // The inputs at -1 and at the width, which are zero and not there.
        let left = x == 0;
        let right = x * STEP + columns > self.width + 1;
        let mut sums = [self.bias; COUNT];
        for line in self.lines {
            // SAFETY: the caller's; of the columns only those are read that are there.
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
            // SAFETY: the caller's.
            unsafe { L::store(output.add((x + at) * stride), sum) };
        }
        COUNT
    }
}
