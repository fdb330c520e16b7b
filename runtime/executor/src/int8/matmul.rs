//! The matrix multiply of every 1x1 convolution and of the stem in eight bits: positions by
//! channels, four channels at a time.

use super::Number;
use super::lanes::Dots;
use super::quantised::{Quantised, number};
use crate::aligned::Aligned;
use crate::spans::{Run, Target};

/// Inputs that one instruction multiplies.
pub(crate) const GROUP: usize = 4;

/// Weights, sums to start from and factors, packed for vectors of `count` outputs. Each run of
/// inputs takes whole groups of four, and zeros fill the last group.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Packed {
    /// The panels, each (groups, tile width, 4). The last panel may be narrower.
    data: Aligned<i8>,
    /// The sum of each output before its first input. Zeros fill the last vector.
    start: Aligned<i32>,
    factors: Aligned<f32>,
    /// Stored form of the output's zero point.
    zero: i32,
    /// Scale of the input.
    input: super::Scale,
    groups: usize,
    /// Number of outputs, rounded up to whole vectors.
    padded: usize,
    /// Outputs in a panel.
    tile: usize,
}

impl Packed {
    /// Packs `quantised` for vectors of `count` outputs and tiles of `vectors` vectors. `slots` are
    /// the inputs in the order in which they are read: whole groups for each run, with nothing
    /// where a run ends inside a group. Each position has room for a multiple of `multiple`
    /// outputs, itself a multiple of `count`.
    pub fn new(quantised: &Quantised, slots: &[Option<usize>], [count, vectors]: [usize; 2], multiple: usize) -> Self {
        let outputs = quantised.bias.len();
        let padded = outputs.next_multiple_of(multiple);
        let (tile, groups) = (count * vectors, slots.len() / GROUP);
        let mut data = Aligned::zeros(padded * groups * GROUP);
        let mut row_in_order = Vec::with_capacity(slots.len());
        for output in 0..outputs {
            let (row, panel) = (quantised.row(output), output / tile * tile);
            let width = tile.min(padded - panel);
            let ordered = slots.iter().map(|slot| slot.map_or(0, |input| row[input]));
            let places = data[(panel * groups + output - panel) * GROUP..].chunks_mut(width * GROUP);
            row_in_order.clear();
            row_in_order.extend(ordered);
            for (place, four) in places.zip(row_in_order.as_chunks::<GROUP>().0) {
                place[..GROUP].copy_from_slice(four);
            }
        }
        // The zero point of the input is subtracted once and for all.
        let from = quantised.input.stored_zero();
        let mut start = Aligned::zeros(padded);
        for (output, start) in start[..outputs].iter_mut().enumerate() {
            *start = quantised.bias[output] - from * quantised.row(output).iter().map(|&w| i32::from(w)).sum::<i32>();
        }
        let mut factors = Aligned::zeros(padded);
        factors[..outputs].copy_from_slice(&quantised.factors);
        Packed { data, start, factors, zero: quantised.zero, input: quantised.input, groups, padded, tile }
    }

    /// Returns the outputs for which each position must have room: the real ones, and those that
    /// fill the last vector.
    pub fn padded(&self) -> usize {
        self.padded
    }

    /// Returns the scale of the input.
    pub fn input(&self) -> super::Scale {
        self.input
    }
}

/// Returns the slots of runs of `lengths` inputs: the inputs in order, and nothing where a run ends
/// inside a group.
pub(crate) fn slots(order: &[usize], lengths: impl IntoIterator<Item = usize>) -> Vec<Option<usize>> {
    let (mut slots, mut rest) = (Vec::with_capacity(order.len() + GROUP), order);
    for length in lengths {
        let (run, others) = rest.split_at(length);
        slots.extend(run.iter().copied().map(Some));
        slots.resize(slots.len().next_multiple_of(GROUP), None);
        rest = others;
    }
    slots
}

/// Computes each of `positions` from the channels of `runs`. This is the safe reference.
pub(crate) fn reference(arena: &mut [Number], runs: &[Run], target: Target, positions: usize, packed: &Packed) {
    for position in 0..positions {
        for output in 0..packed.padded {
            let panel = output / packed.tile * packed.tile;
            let width = packed.tile.min(packed.padded - panel);
            let mut sum = packed.start[output];
            let mut group = 0;
            for run in runs {
                for channel in 0..run.length {
                    let place = (panel * packed.groups + (group + channel / GROUP) * width + output - panel) * GROUP;
                    let number = arena[run.offset + position * run.stride + channel];
                    sum += i32::from(number) * i32::from(packed.data[place + channel % GROUP]);
                }
                group += run.length.div_ceil(GROUP);
            }
            arena[target.offset + position * target.stride + output] = number(sum, packed.factors[output], packed.zero);
        }
    }
}

/// Computes the matrix multiply in vectors of `D`.
///
/// # Safety
/// The rules of [`Dots`] apply. Everything that `runs` and `target` describe is in the arena and
/// does not overlap. 16 numbers can be read at each group of four. `packed` is packed for `D` and
/// for runs of these lengths.
#[inline(always)]
pub(crate) unsafe fn run<D: Dots>(arena: *mut Number, runs: &[Run], target: Target, positions: usize, packed: &Packed) {
    // The weights of a panel stay in the first-level cache. Positions are read again for each
    // panel.
    let mut first = 0;
    while first < packed.padded {
        let width = packed.tile.min(packed.padded - first);
        let columns = width / D::COUNT;
        let rows = D::ROWS[columns - 1];
        // SAFETY: the caller guarantees it; the panel's outputs start at number `first` of the
        // target.
        let panel = unsafe {
            Panel {
                weights: packed.data.as_ptr().add(first * packed.groups * GROUP),
                start: packed.start.as_ptr().add(first),
                factors: packed.factors.as_ptr().add(first),
                zero: packed.zero,
                out: arena.add(target.offset + first),
                stride: target.stride,
            }
        };
        let mut position = 0;
        while position < positions {
            // The last two tiles share the remaining positions. A tile of few rows would wait for
            // its own sums.
            let left = positions - position;
            let rows = match left {
                _ if left <= rows => left,
                _ if left < 2 * rows => left.div_ceil(2),
                _ => rows,
            };
            // SAFETY: the caller guarantees it.
            unsafe {
                match columns {
                    4 => panel.rows::<D, 4>(arena, runs, position, rows),
                    3 => panel.rows::<D, 3>(arena, runs, position, rows),
                    2 => panel.rows::<D, 2>(arena, runs, position, rows),
                    _ => panel.rows::<D, 1>(arena, runs, position, rows),
                }
            }
            position += rows;
        }
        first += width;
    }
}

/// Neighbouring outputs, as many as a tile is wide.
struct Panel {
    weights: *const i8,
    start: *const i32,
    factors: *const f32,
    zero: i32,
    /// The output at position 0.
    out: *mut Number,
    stride: usize,
}

impl Panel {
    /// # Safety
    /// Same as [`run`].
    #[inline(always)]
    unsafe fn rows<D: Dots, const COLUMNS: usize>(
        &self,
        arena: *const Number,
        runs: &[Run],
        position: usize,
        rows: usize,
    ) {
        // SAFETY: the caller guarantees it.
        unsafe {
            match rows {
                12 => self.tile::<D, 12, COLUMNS>(arena, runs, position),
                11 => self.tile::<D, 11, COLUMNS>(arena, runs, position),
                10 => self.tile::<D, 10, COLUMNS>(arena, runs, position),
                9 => self.tile::<D, 9, COLUMNS>(arena, runs, position),
                8 => self.tile::<D, 8, COLUMNS>(arena, runs, position),
                7 => self.tile::<D, 7, COLUMNS>(arena, runs, position),
                6 => self.tile::<D, 6, COLUMNS>(arena, runs, position),
                5 => self.tile::<D, 5, COLUMNS>(arena, runs, position),
                4 => self.tile::<D, 4, COLUMNS>(arena, runs, position),
                3 => self.tile::<D, 3, COLUMNS>(arena, runs, position),
                2 => self.tile::<D, 2, COLUMNS>(arena, runs, position),
                _ => self.tile::<D, 1, COLUMNS>(arena, runs, position),
            }
        }
    }

    /// # Safety
    /// Same as [`run`].
    #[inline(always)]
    unsafe fn tile<D: Dots, const ROWS: usize, const COLUMNS: usize>(
        &self,
        arena: *const Number,
        runs: &[Run],
        position: usize,
    ) {
        // No caller requests such a tile, and the compiler removes it.
        if ROWS > D::ROWS[COLUMNS - 1] {
            return;
        }
        // SAFETY: the caller guarantees it.
        unsafe {
            let mut sums = [[D::sums(self.start); COLUMNS]; ROWS];
            for column in 1..COLUMNS {
                let start = D::sums(self.start.add(column * D::COUNT));
                for row in &mut sums {
                    row[column] = start;
                }
            }
            let mut weights = self.weights;
            for run in runs {
                let mut rows = [arena.add(run.offset + position * run.stride); ROWS];
                for row in 1..ROWS {
                    rows[row] = rows[row - 1].add(run.stride);
                }
                let groups = run.length.div_ceil(GROUP);
                let next = COLUMNS * D::COUNT * GROUP;
                let mut group = 0;
                while group + D::GROUPS <= groups {
                    let inputs = rows.map(|row| D::inputs(row.add(group * GROUP)));
                    step::<D, ROWS, COLUMNS, 0>(&mut sums, &inputs, weights);
                    if D::GROUPS > 1 {
                        step::<D, ROWS, COLUMNS, 1>(&mut sums, &inputs, weights.add(next));
                        step::<D, ROWS, COLUMNS, 2>(&mut sums, &inputs, weights.add(2 * next));
                        step::<D, ROWS, COLUMNS, 3>(&mut sums, &inputs, weights.add(3 * next));
                    }
                    weights = weights.add(D::GROUPS * next);
                    group += D::GROUPS;
                }
                if group < groups {
                    let inputs = rows.map(|row| D::inputs(row.add(group * GROUP)));
                    step::<D, ROWS, COLUMNS, 0>(&mut sums, &inputs, weights);
                    if group + 1 < groups {
                        step::<D, ROWS, COLUMNS, 1>(&mut sums, &inputs, weights.add(next));
                    }
                    if group + 2 < groups {
                        step::<D, ROWS, COLUMNS, 2>(&mut sums, &inputs, weights.add(2 * next));
                    }
                    weights = weights.add((groups - group) * next);
                }
            }
            for (row, sums) in sums.iter().enumerate() {
                D::finish(sums, self.factors, self.zero, self.out.add((position + row) * self.stride));
            }
        }
    }
}

/// Processes one group of four inputs of a tile.
///
/// # Safety
/// Same as [`run`].
#[inline(always)]
unsafe fn step<D: Dots, const ROWS: usize, const COLUMNS: usize, const GROUP_AT: i32>(
    sums: &mut [[D::Sums; COLUMNS]; ROWS],
    inputs: &[D::Inputs; ROWS],
    weights: *const i8,
) {
    // SAFETY: the caller guarantees it.
    unsafe {
        if D::GROUPS > 1 {
            // The inputs fill the registers: each vector of weights is loaded and used at once.
            for column in 0..COLUMNS {
                let weights = D::weights(weights.add(column * D::COUNT * GROUP));
                for (sums, &inputs) in sums.iter_mut().zip(inputs) {
                    sums[column] = D::dot::<GROUP_AT>(inputs, weights, sums[column]);
                }
            }
        } else {
            let mut columns = [D::weights(weights); COLUMNS];
            for (column, vector) in columns.iter_mut().enumerate().skip(1) {
                *vector = D::weights(weights.add(column * D::COUNT * GROUP));
            }
            for (sums, &inputs) in sums.iter_mut().zip(inputs) {
                for (sums, &weights) in sums.iter_mut().zip(&columns) {
                    *sums = D::dot::<GROUP_AT>(inputs, weights, *sums);
                }
            }
        }
    }
}
