//! The matrix multiply of every 1x1 convolution and of the stem: positions by channels, with the channels gathered from wherever
//! they were made.
//!
//! A channel shuffle, a split and a concatenation change only where a channel lies. So none of them is done: what a convolution
//! reads is described as runs of neighbouring channels in the buffers of those that made them, and its weights are packed in the
//! order of the runs.

use super::lanes::Lanes;

/// Neighbouring numbers that a matrix multiply reads at each position.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Run {
    /// Where they begin at position 0, in floats from the start of the arena.
    pub offset: usize,
    /// Floats from one position to the next.
    pub stride: usize,
    /// How many there are.
    pub length: usize,
}

/// Weights, (outputs, inputs) and a bias each, packed for vectors of `width` floats: panels of a tile's width, in each the inputs in the order
/// of the runs.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Packed {
    /// Panel after panel, (inputs, tile width); the last panel may be narrower.
    data: Vec<f32>,
    /// A bias for each output, filled up with zeros to whole vectors.
    bias: Vec<f32>,
    inputs: usize,
    /// Outputs, rounded up to whole vectors.
    padded: usize,
    /// Outputs in a panel.
    tile: usize,
}

impl Packed {
    /// Packs row-major `weights` (outputs, inputs), whose inputs are taken in the order `order`, for vectors of `width` and tiles of
    /// `vectors` vectors.
    pub fn new(weights: &[f32], bias: &[f32], order: &[usize], width: usize, vectors: usize) -> Self {
        let (outputs, inputs) = (bias.len(), order.len());
        let padded = outputs.next_multiple_of(width);
        let tile = width * vectors;
        let mut data = Vec::with_capacity(padded * inputs);
        for first in (0..padded).step_by(tile) {
            for &input in order {
                let row = |output: usize| if output < outputs { weights[output * inputs + input] } else { 0.0 };
                data.extend((first..padded.min(first + tile)).map(row));
            }
        }
        let mut bias = bias.to_vec();
        bias.resize(padded, 0.0);
        Packed { data, bias, inputs, padded, tile }
    }

    /// Outputs that are written at each position: the true ones and those that fill the last vector up, which are `relu(0)`.
    pub fn padded(&self) -> usize {
        self.padded
    }
}

/// Where a result goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Target {
    /// In floats from the start of the arena, of position 0.
    pub offset: usize,
    /// Floats from one position to the next, at least [`Packed::padded`].
    pub stride: usize,
}

/// out[p] = weights x runs[p] + bias for each of `positions`, no less than zero where `relu` says so: the safe reference. All runs
/// begin `shift` floats later than they say.
pub(super) fn reference(
    arena: &mut [f32],
    runs: &[Run],
    shift: usize,
    target: Target,
    positions: usize,
    packed: &Packed,
    relu: bool,
) {
    for position in 0..positions {
        for output in 0..packed.padded {
            let panel = output / packed.tile * packed.tile;
            let width = packed.tile.min(packed.padded - panel);
            let mut sum = packed.bias[output];
            let mut at = panel * packed.inputs + output - panel;
            for run in runs {
                for channel in 0..run.length {
                    sum = arena[shift + run.offset + position * run.stride + channel].mul_add(packed.data[at], sum);
                    at += width;
                }
            }
            arena[target.offset + position * target.stride + output] = if relu { sum.max(0.0) } else { sum };
        }
    }
}

/// The same in the vectors of `L`.
///
/// # Safety
/// As [`Lanes`] says; what `runs`, rounded up to fours, and `target` describe lies in the arena and does not overlap, and `packed` is packed
/// for `L`.
#[inline(always)]
pub(super) unsafe fn run<L: Lanes>(
    arena: *mut f32,
    runs: &[Run],
    shift: usize,
    target: Target,
    positions: usize,
    packed: &Packed,
    relu: bool,
) {
    // Weights that do not stay in the first cache are read once for all positions; others again and again, positions once.
    let mut first = 0;
    while first < packed.padded {
        let width = packed.tile.min(packed.padded - first);
        let mut position = 0;
        while position < positions {
            let rows = (positions - position).min(L::ROWS[width / L::COUNT - 1]);
            // SAFETY: the caller's; the rows are positions and the columns outputs of this panel.
            unsafe {
                let input = arena.add(shift).cast_const();
                let panel = Panel {
                    weights: packed.data.as_ptr().add(first * packed.inputs),
                    bias: packed.bias.as_ptr().add(first),
                    out: arena.add(target.offset + position * target.stride + first),
                    stride: target.stride,
                    relu,
                };
                match (rows, width / L::COUNT) {
                    (8, columns) => panel.columns::<L, 8>(input, runs, position, columns),
                    (7, columns) => panel.columns::<L, 7>(input, runs, position, columns),
                    (6, columns) => panel.columns::<L, 6>(input, runs, position, columns),
                    (5, columns) => panel.columns::<L, 5>(input, runs, position, columns),
                    (4, columns) => panel.columns::<L, 4>(input, runs, position, columns),
                    (3, columns) => panel.columns::<L, 3>(input, runs, position, columns),
                    (2, columns) => panel.columns::<L, 2>(input, runs, position, columns),
                    (_, columns) => panel.columns::<L, 1>(input, runs, position, columns),
                }
            }
            position += rows;
        }
        first += width;
    }
}

/// The outputs of one panel at a few positions.
struct Panel {
    weights: *const f32,
    bias: *const f32,
    out: *mut f32,
    stride: usize,
    relu: bool,
}

impl Panel {
    /// # Safety
    /// As [`run`].
    #[inline(always)]
    unsafe fn columns<L: Lanes, const ROWS: usize>(self, input: *const f32, runs: &[Run], position: usize, columns: usize) {
        // SAFETY: the caller's.
        unsafe {
            match columns {
                4 => self.tile::<L, ROWS, 4>(input, runs, position),
                3 => self.tile::<L, ROWS, 3>(input, runs, position),
                2 => self.tile::<L, ROWS, 2>(input, runs, position),
                _ => self.tile::<L, ROWS, 1>(input, runs, position),
            }
        }
    }

    /// # Safety
    /// As [`run`].
    #[inline(always)]
    unsafe fn tile<L: Lanes, const ROWS: usize, const COLUMNS: usize>(
        self,
        input: *const f32,
        runs: &[Run],
        position: usize,
    ) {
        // SAFETY: the caller's.
        unsafe {
            let mut weights = self.weights;
            let mut sums = [[L::splat(0.0); COLUMNS]; ROWS];
            for column in 0..COLUMNS {
                let bias = L::load(self.bias.add(column * L::COUNT));
                for row in &mut sums {
                    row[column] = bias;
                }
            }
            for run in runs {
                let mut inputs = [input.add(run.offset + position * run.stride); ROWS];
                for row in 1..ROWS {
                    inputs[row] = inputs[row - 1].add(run.stride);
                }
                let width = COLUMNS * L::COUNT;
                let mut left = run.length;
                while left >= 4 {
                    let fours = fours::<L, ROWS>(&mut inputs);
                    step::<L, ROWS, COLUMNS, 0>(&mut sums, &fours, weights);
                    step::<L, ROWS, COLUMNS, 1>(&mut sums, &fours, weights.add(width));
                    step::<L, ROWS, COLUMNS, 2>(&mut sums, &fours, weights.add(2 * width));
                    step::<L, ROWS, COLUMNS, 3>(&mut sums, &fours, weights.add(3 * width));
                    weights = weights.add(4 * width);
                    left -= 4;
                }
                if left > 0 {
                    let fours = fours::<L, ROWS>(&mut inputs);
                    step::<L, ROWS, COLUMNS, 0>(&mut sums, &fours, weights);
                    if left > 1 {
                        step::<L, ROWS, COLUMNS, 1>(&mut sums, &fours, weights.add(width));
                    }
                    if left > 2 {
                        step::<L, ROWS, COLUMNS, 2>(&mut sums, &fours, weights.add(2 * width));
                    }
                    weights = weights.add(left * width);
                }
            }
            for (row, sums) in sums.iter().enumerate() {
                for (column, &sum) in sums.iter().enumerate() {
                    let value = if self.relu { L::max(sum, L::splat(0.0)) } else { sum };
                    L::store(self.out.add(row * self.stride + column * L::COUNT), value);
                }
            }
        }
    }
}

/// The next four inputs of each row.
///
/// # Safety
/// As [`run`].
#[inline(always)]
unsafe fn fours<L: Lanes, const ROWS: usize>(inputs: &mut [*const f32; ROWS]) -> [L::Four; ROWS] {
    // SAFETY: the caller's.
    unsafe {
        let fours = inputs.map(|input| L::four(input));
        for input in inputs {
            *input = input.add(4);
        }
        fours
    }
}

/// One input of a tile: the number at `PLACE` of each row's four, times the outputs' weights.
///
/// # Safety
/// As [`run`].
#[inline(always)]
unsafe fn step<L: Lanes, const ROWS: usize, const COLUMNS: usize, const PLACE: i32>(
    sums: &mut [[L::Vector; COLUMNS]; ROWS],
    fours: &[L::Four; ROWS],
    weights: *const f32,
) {
    // SAFETY: the caller's.
    unsafe {
        let mut columns = [L::splat(0.0); COLUMNS];
        for (column, vector) in columns.iter_mut().enumerate() {
            *vector = L::load(weights.add(column * L::COUNT));
        }
        for (sums, &four) in sums.iter_mut().zip(fours) {
            for (sum, &column) in sums.iter_mut().zip(&columns) {
                *sum = L::multiply_add_place::<PLACE>(four, column, *sum);
            }
        }
    }
}
