//! Depthwise convolutions of side 3, in two or three axes: each channel by itself.

use super::lanes::Lanes;

/// Sides of a box of positions: time, height, width. A picture has time 1.
pub(super) type Sides = [usize; 3];

/// A depthwise convolution over neighbouring channels of one buffer, padded by 1 wherever its kernel is 3 long.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Depthwise {
    /// Where the first channel lies at position 0, in floats from the start of the arena.
    pub offset: usize,
    /// Floats from one position to the next.
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
        let side = |axis: usize| (self.input[axis] + 2 * (self.kernel[axis] / 2) - self.kernel[axis]) / self.step[axis] + 1;
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
pub(super) struct DepthwiseWeights {
    taps: Vec<f32>,
    bias: Vec<f32>,
}

impl DepthwiseWeights {
    /// Packs row-major `weights` (channels, taps) and `bias` for the channels that `order` names.
    pub fn new(weights: &[f32], bias: &[f32], order: &[usize], width: usize) -> Self {
        let taps = weights.len() / bias.len();
        let padded = order.len().next_multiple_of(width);
        let value = |tap: usize, at: usize| order.get(at).map_or(0.0, |&channel| weights[channel * taps + tap]);
        let blocks = (0..padded).step_by(width);
        let data = blocks.flat_map(|block| (0..taps).flat_map(move |tap| (block..block + width).map(move |at| (tap, at))));
        DepthwiseWeights {
            taps: data.map(|(tap, at)| value(tap, at)).collect(),
            bias: (0..padded).map(|at| order.get(at).map_or(0.0, |&channel| bias[channel])).collect(),
        }
    }
}

impl DepthwiseWeights {
    /// Channels, rounded up to whole blocks.
    pub fn channels(&self) -> usize {
        self.bias.len()
    }
}

/// The safe reference; `width` is what the weights are packed for. As the kernel, it writes whole blocks: numbers of no meaning after the
/// last channel.
pub(super) fn reference(arena: &mut [f32], conv: &Depthwise, weights: &DepthwiseWeights, width: usize) {
    let [_, height, row] = conv.input;
    let (out, taps) = (conv.output(), conv.kernel.iter().product::<usize>());
    let mut position = 0;
    for z in 0..out[0] {
        for y in 0..out[1] {
            for x in 0..out[2] {
                for channel in 0..weights.bias.len() {
                    let mut sum = weights.bias[channel];
                    let ((z0, kz, zs), (y0, ky, ys), (x0, kx, xs)) = (conv.taps(0, z), conv.taps(1, y), conv.taps(2, x));
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

/// Outputs of a row that share a load of the weights.
const TOGETHER: usize = 4;

/// The same in the vectors of `L`.
///
/// # Safety
/// As [`Lanes`] says; what `conv` describes lies in the arena up to the end of the last block of channels, and its output does not overlap its
/// input; `weights` are packed for `L`.
#[inline(always)]
pub(super) unsafe fn run<L: Lanes>(arena: *mut f32, conv: &Depthwise, weights: &DepthwiseWeights) {
    let [_, height, row] = conv.input;
    let (out, taps) = (conv.output(), conv.kernel.iter().product::<usize>());
    // The outputs of a row that have all taps.
    let whole = |x: usize| conv.taps(2, x).2 == conv.kernel[2];
    let inner = (0..out[2]).find(|&x| whole(x)).unwrap_or(out[2]);
    let inner = inner..(inner..out[2]).find(|&x| !whole(x)).unwrap_or(out[2]);
    for z in 0..out[0] {
        let (z0, kz, zs) = conv.taps(0, z);
        for y in 0..out[1] {
            let (y0, ky, ys) = conv.taps(1, y);
            for block in 0..weights.bias.len() / L::COUNT {
                // SAFETY: the caller's; taps() stays inside the input.
                unsafe {
                    let input = arena.add(conv.offset + block * L::COUNT).cast_const();
                    let output = arena.add(conv.out_offset + (z * out[1] + y) * out[2] * conv.out_stride + block * L::COUNT);
                    let weights_of = weights.taps.as_ptr().add(block * taps * L::COUNT);
                    let bias = L::load(weights.bias.as_ptr().add(block * L::COUNT));
                    let lines = Lines { input, stride: conv.stride, z0, kz, zs, y0, ky, ys, height, row, kernel: conv.kernel, weights: weights_of };
                    let mut x = 0;
                    while x < out[2] {
                        if inner.contains(&x) && x + TOGETHER <= inner.end {
                            let (x0, ..) = conv.taps(2, x);
                            let sums = lines.whole::<L, TOGETHER>(x0, conv.step[2], bias);
                            for (at, sum) in sums.into_iter().enumerate() {
                                L::store(output.add((x + at) * conv.out_stride), sum);
                            }
                            x += TOGETHER;
                        } else {
                            let (x0, kx, xs) = conv.taps(2, x);
                            L::store(output.add(x * conv.out_stride), lines.one::<L>(x0, kx, xs, bias));
                            x += 1;
                        }
                    }
                }
            }
        }
    }
}

/// The rows of the input that a row of the output sees, of one block of channels.
struct Lines {
    input: *const f32,
    stride: usize,
    z0: usize,
    kz: usize,
    zs: usize,
    y0: usize,
    ky: usize,
    ys: usize,
    height: usize,
    row: usize,
    kernel: Sides,
    weights: *const f32,
}

impl Lines {
    /// The output whose taps `kx..kx + xs` meet the inputs from `x0` on.
    ///
    /// # Safety
    /// As [`run`].
    #[inline(always)]
    unsafe fn one<L: Lanes>(&self, x0: usize, kx: usize, xs: usize, bias: L::Vector) -> L::Vector {
        let mut sum = bias;
        // SAFETY: the caller's.
        unsafe {
            for (line, weights) in self.each::<L>() {
                for dx in 0..xs {
                    let value = L::load(line.add((x0 + dx) * self.stride));
                    sum = L::multiply_add(value, L::load(weights.add((kx + dx) * L::COUNT)), sum);
                }
            }
        }
        sum
    }

    /// `N` outputs in a row that have all their taps, the first from input `x0` on, each `step` after the one before.
    ///
    /// # Safety
    /// As [`run`].
    #[inline(always)]
    unsafe fn whole<L: Lanes, const N: usize>(&self, x0: usize, step: usize, bias: L::Vector) -> [L::Vector; N] {
        let mut sums = [bias; N];
        // SAFETY: the caller's.
        unsafe {
            for (line, weights) in self.each::<L>() {
                for dx in 0..self.kernel[2] {
                    let weight = L::load(weights.add(dx * L::COUNT));
                    for (at, sum) in sums.iter_mut().enumerate() {
                        *sum = L::multiply_add(L::load(line.add((x0 + at * step + dx) * self.stride)), weight, *sum);
                    }
                }
            }
        }
        sums
    }

    /// Each row of the input with the weights of its taps.
    #[inline(always)]
    fn each<L: Lanes>(&self) -> impl Iterator<Item = (*const f32, *const f32)> {
        (0..self.zs).flat_map(move |dz| {
            (0..self.ys).map(move |dy| {
                let line = ((self.z0 + dz) * self.height + self.y0 + dy) * self.row * self.stride;
                let tap = ((self.kz + dz) * self.kernel[1] + self.ky + dy) * self.kernel[2] * L::COUNT;
                (self.input.wrapping_add(line), self.weights.wrapping_add(tap))
            })
        })
    }
}
