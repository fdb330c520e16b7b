//! The matrix multiply of every 1x1 convolution and of the stem: positions by channels, with the channels gathered from wherever
//! they were made.
//!
//! A channel shuffle, a split and a concatenation change only where a channel lies. So none of them is done: what a convolution
//! reads is described as runs of neighbouring channels in the buffers of those that made them, and its weights are packed in the
//! order of the runs.

use crate::aligned::Aligned;
use crate::lanes::Lanes;
use crate::spans::{Run, Target};

/// Weights, (outputs, inputs) and a bias each, packed for vectors of `width` numbers: panels of a tile's width, in each the inputs in the order
/// of the runs.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Packed {
    /// Panel after panel, (inputs, tile width); the last panel may be narrower.
    data: Aligned,
    /// A bias for each output, filled up with zeros to whole vectors.
    bias: Aligned,
    inputs: usize,
    /// Outputs, rounded up to whole vectors.
    padded: usize,
    /// Outputs in a panel.
    tile: usize,
    /// Outputs that are written at each position.
    written: usize,
    /// Whether the outputs are a vector and a half, in one panel of two vectors in which each of the half stands twice.
    shared: bool,
}

impl Packed {
    /// Packs row-major `weights` (outputs, inputs), whose inputs are taken in the order `order`, for vectors of `width` and tiles of
    /// `vectors` vectors.
    pub fn new(weights: &[f32], bias: &[f32], order: &[usize], width: usize, vectors: usize) -> Self {
        let (outputs, inputs) = (bias.len(), order.len());
        let padded = outputs.next_multiple_of(width);
        let tile = width * vectors;
        let mut ordered = Vec::new();
        let weights = if order.is_sorted() {
            weights
        } else {
            ordered.resize(weights.len(), 0.0);
            for (to, row) in ordered.chunks_exact_mut(inputs).zip(weights.chunks_exact(inputs)) {
                to.iter_mut().zip(order).for_each(|(to, &input)| *to = row[input]);
            }
            &ordered
        };
        let mut data = Aligned::zeros(padded * inputs);
        for (first, rows) in (0..).step_by(tile).zip(weights.chunks(tile * inputs)) {
            let width = tile.min(padded - first);
            turn(rows, inputs, &mut data[first * inputs..(first + width) * inputs], width);
        }
        let mut biases = Aligned::zeros(padded);
        biases[..outputs].copy_from_slice(bias);
        Packed { data, bias: biases, inputs, padded, tile, written: padded, shared: false }
    }

    /// Packs `weights` of one and a half vectors of `width` outputs, for [`crate::shared::run`].
    #[cfg(target_arch = "x86_64")]
    pub fn shared(weights: &[f32], bias: &[f32], width: usize) -> Self {
        let (outputs, inputs) = (bias.len(), weights.len() / bias.len());
        let stored = || (0..width).chain((width..outputs).flat_map(|output| [output; 2]));
        let rows: Vec<f32> = stored().flat_map(|output| &weights[output * inputs..][..inputs]).copied().collect();
        let biases: Vec<f32> = stored().map(|output| bias[output]).collect();
        let order: Vec<usize> = (0..inputs).collect();
        Packed { written: outputs, shared: true, ..Packed::new(&rows, &biases, &order, width, 2) }
    }

    /// Whether they are packed for [`crate::shared::run`].
    #[cfg(target_arch = "x86_64")]
    pub fn is_shared(&self) -> bool {
        self.shared
    }

    /// The weights and biases of the first panel.
    #[cfg(target_arch = "x86_64")]
    pub fn panel(&self) -> (*const f32, *const f32) {
        (self.data.as_ptr(), self.bias.as_ptr())
    }

    /// Where an output stands (once, if it stands twice) among those that are stored.
    fn column(&self, output: usize) -> usize {
        let whole = self.tile / 2;
        if self.shared && output > whole { whole + 2 * (output - whole) } else { output }
    }

    /// The same, stored as `store` does it.
    pub fn stored(self, store: impl Fn(Aligned) -> Aligned) -> Self {
        Packed { data: store(self.data), bias: store(self.bias), ..self }
    }

    /// Outputs that there must be room for at each position: the true ones and those that fill the last vector up. These are
    /// `relu(0)`, or not written where two positions share that vector.
    pub fn padded(&self) -> usize {
        self.padded
    }
}

/// Turns `rows`, (outputs, `inputs`), to `panel`, (inputs, `width`), whose outputs beyond those of `rows` are left as they are.
pub(crate) fn turn(rows: &[f32], inputs: usize, panel: &mut [f32], width: usize) {
    let rows = || rows.chunks_exact(inputs);
    // Four inputs at a time: a network has millions of weights, and whoever starts the program waits for them.
    let mut fours = panel.chunks_exact_mut(4 * width);
    for (at, four) in fours.by_ref().enumerate() {
        let (ab, cd) = four.split_at_mut(2 * width);
        let ((a, b), (c, d)) = (ab.split_at_mut(width), cd.split_at_mut(width));
        for ((((row, a), b), c), d) in rows().zip(a).zip(b).zip(c).zip(d) {
            [*a, *b, *c, *d] = row.as_chunks::<4>().0[at];
        }
    }
    let rest = fours.into_remainder().chunks_exact_mut(width);
    for (input, places) in (inputs / 4 * 4..).zip(rest) {
        places.iter_mut().zip(rows()).for_each(|(place, row)| *place = row[input]);
    }
}

/// What a matrix multiply reads: the left matrix, (positions, inputs), wherever its numbers lie.
pub(crate) trait Inputs {
    /// Every input of `position` in order, with the offset of its number from the start of the arena.
    fn offsets(&self, position: usize) -> impl Iterator<Item = usize>;

    /// Adds inputs times weights to the sums of `ROWS` positions from `position` on; `weights` is the panel, (inputs, `COLUMNS` vectors).
    ///
    /// # Safety
    /// As [`run`].
    unsafe fn multiply<L: Lanes, const ROWS: usize, const COLUMNS: usize>(
        &self,
        arena: *const L::Number,
        position: usize,
        weights: *const L::Number,
        sums: &mut [[L::Vector; COLUMNS]; ROWS],
    );
}

/// `out[p]` = weights x `inputs[p]` + bias for each of `positions`, no less than zero where `relu` says so: the safe reference.
pub(crate) fn reference(
    arena: &mut [f32],
    inputs: &impl Inputs,
    target: Target,
    positions: usize,
    packed: &Packed,
    relu: bool,
) {
    for position in 0..positions {
        for output in 0..packed.written {
            let column = packed.column(output);
            let panel = column / packed.tile * packed.tile;
            let width = packed.tile.min(packed.bias.len() - panel);
            let weights = packed.data[panel * packed.inputs..].iter().skip(column - panel).step_by(width);
            let products = inputs.offsets(position).zip(weights);
            let sum = products.fold(packed.bias[column], |sum, (at, &weight)| arena[at].mul_add(weight, sum));
            arena[target.offset + position * target.stride + output] = if relu { sum.max(0.0) } else { sum };
        }
    }
}

/// The same in the vectors of `L`.
///
/// # Safety
/// As [`Lanes`] says; what `inputs` and `target` describe lies in the arena and does not overlap, 8 numbers can be read from wherever an input lies,
/// and `packed` is packed for `L`.
#[inline(always)]
pub(crate) unsafe fn run<L: Lanes>(
    arena: *mut L::Number,
    inputs: &impl Inputs,
    target: Target,
    positions: usize,
    packed: &Packed,
    relu: bool,
) {
    // A panel's weights stay in the first cache; positions are read again for each panel.
    let mut first = 0;
    while first < packed.padded {
        let width = packed.tile.min(packed.padded - first);
        let columns = width / L::COUNT;
        let rows = L::ROWS[columns - 1];
        // SAFETY: the caller's; the panel's outputs are those of the target from `first` on.
        let panel = unsafe {
            Panel {
                weights: packed.data.as_ptr().cast::<L::Number>().add(first * packed.inputs),
                bias: packed.bias.as_ptr().cast::<L::Number>().add(first),
                out: arena.add(target.offset + first),
                stride: target.stride,
                relu,
            }
        };
        let mut position = 0;
        while position < positions {
            // The last two share what is left: a tile of few rows would wait for its own sums.
            let left = positions - position;
            let rows = if left <= rows {
                left
            } else if left < 2 * rows {
                left.div_ceil(2)
            } else {
                rows
            };
            // SAFETY: the caller's.
            unsafe {
                match columns {
                    6 => panel.rows::<L, 6>(arena, inputs, position, rows),
                    5 => panel.rows::<L, 5>(arena, inputs, position, rows),
                    4 => panel.rows::<L, 4>(arena, inputs, position, rows),
                    3 => panel.rows::<L, 3>(arena, inputs, position, rows),
                    2 => panel.rows::<L, 2>(arena, inputs, position, rows),
                    _ => panel.rows::<L, 1>(arena, inputs, position, rows),
                }
            }
            position += rows;
        }
        first += width;
    }
}

/// Neighbouring outputs: as many as a tile is wide.
struct Panel<N> {
    weights: *const N,
    bias: *const N,
    /// Of position 0.
    out: *mut N,
    stride: usize,
    relu: bool,
}

impl<N> Panel<N> {
    /// # Safety
    /// As [`run`].
    #[inline(always)]
    unsafe fn rows<L: Lanes<Number = N>, const COLUMNS: usize>(
        &self,
        arena: *const N,
        inputs: &impl Inputs,
        position: usize,
        rows: usize,
    ) {
        // SAFETY: the caller's.
        unsafe {
            match rows {
                12 => self.tile::<L, 12, COLUMNS>(arena, inputs, position),
                11 => self.tile::<L, 11, COLUMNS>(arena, inputs, position),
                10 => self.tile::<L, 10, COLUMNS>(arena, inputs, position),
                9 => self.tile::<L, 9, COLUMNS>(arena, inputs, position),
                8 => self.tile::<L, 8, COLUMNS>(arena, inputs, position),
                7 => self.tile::<L, 7, COLUMNS>(arena, inputs, position),
                6 => self.tile::<L, 6, COLUMNS>(arena, inputs, position),
                5 => self.tile::<L, 5, COLUMNS>(arena, inputs, position),
                4 => self.tile::<L, 4, COLUMNS>(arena, inputs, position),
                3 => self.tile::<L, 3, COLUMNS>(arena, inputs, position),
                2 => self.tile::<L, 2, COLUMNS>(arena, inputs, position),
                _ => self.tile::<L, 1, COLUMNS>(arena, inputs, position),
            }
        }
    }

    /// # Safety
    /// As [`run`].
    #[inline(always)]
    unsafe fn tile<L: Lanes<Number = N>, const ROWS: usize, const COLUMNS: usize>(
        &self,
        arena: *const N,
        inputs: &impl Inputs,
        position: usize,
    ) {
        // No such tile is ever asked for, and none is compiled.
        if ROWS > L::ROWS[COLUMNS - 1] {
            return;
        }
        // SAFETY: the caller's.
        unsafe {
            let mut sums = [[L::splat(0.0); COLUMNS]; ROWS];
            for column in 0..COLUMNS {
                let bias = L::load(self.bias.add(column * L::COUNT));
                for row in &mut sums {
                    row[column] = bias;
                }
            }
            inputs.multiply::<L, ROWS, COLUMNS>(arena, position, self.weights, &mut sums);
            for (row, sums) in sums.iter().enumerate() {
                for (column, &sum) in sums.iter().enumerate() {
                    let value = if self.relu { L::max(sum, L::splat(0.0)) } else { sum };
                    L::store(self.out.add((position + row) * self.stride + column * L::COUNT), value);
                }
            }
        }
    }
}

/// The channels of a 1x1 convolution, run after run.
pub(crate) struct Gathered<'a>(pub &'a [Run]);

impl Inputs for Gathered<'_> {
    fn offsets(&self, position: usize) -> impl Iterator<Item = usize> {
        self.0
            .iter()
            .flat_map(move |run| (0..run.length).map(move |channel| run.offset + position * run.stride + channel))
    }

    #[inline(always)]
    unsafe fn multiply<L: Lanes, const ROWS: usize, const COLUMNS: usize>(
        &self,
        arena: *const L::Number,
        position: usize,
        mut weights: *const L::Number,
        sums: &mut [[L::Vector; COLUMNS]; ROWS],
    ) {
        let width = COLUMNS * L::COUNT;
        for run in self.0 {
            // SAFETY: the caller's.
            unsafe {
                let mut rows = [arena.add(run.offset + position * run.stride); ROWS];
                for row in 1..ROWS {
                    rows[row] = rows[row - 1].add(run.stride);
                }
                if !L::HOLDS_FOURS {
                    for at in 0..run.length {
                        step::<L, ROWS, COLUMNS, 0>(sums, &rows.map(|row| L::four(row.add(at))), weights);
                        weights = weights.add(width);
                    }
                    continue;
                }
                let mut at = 0;
                while at + 4 <= run.length {
                    let fours = rows.map(|row| L::four(row.add(at)));
                    step::<L, ROWS, COLUMNS, 0>(sums, &fours, weights);
                    step::<L, ROWS, COLUMNS, 1>(sums, &fours, weights.add(width));
                    step::<L, ROWS, COLUMNS, 2>(sums, &fours, weights.add(2 * width));
                    step::<L, ROWS, COLUMNS, 3>(sums, &fours, weights.add(3 * width));
                    weights = weights.add(4 * width);
                    at += 4;
                }
                let left = run.length - at;
                if left > 0 {
                    let fours = rows.map(|row| L::four(row.add(at)));
                    step::<L, ROWS, COLUMNS, 0>(sums, &fours, weights);
                    if left > 1 {
                        step::<L, ROWS, COLUMNS, 1>(sums, &fours, weights.add(width));
                    }
                    if left > 2 {
                        step::<L, ROWS, COLUMNS, 2>(sums, &fours, weights.add(2 * width));
                    }
                    weights = weights.add(left * width);
                }
            }
        }
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
    weights: *const L::Number,
) {
    // SAFETY: the caller's.
    unsafe {
        if L::HOLDS_FOURS {
            for column in 0..COLUMNS {
                let weights = L::load(weights.add(column * L::COUNT));
                for (sums, &four) in sums.iter_mut().zip(fours) {
                    sums[column] = L::multiply_add_place::<PLACE>(four, weights, sums[column]);
                }
            }
        } else {
            let columns = columns::<L, COLUMNS>(weights);
            for (sums, &four) in sums.iter_mut().zip(fours) {
                for (sum, &weights) in sums.iter_mut().zip(&columns) {
                    *sum = L::multiply_add_place::<PLACE>(four, weights, *sum);
                }
            }
        }
    }
}

/// The outputs' weights of one input.
///
/// # Safety
/// As [`run`].
#[inline(always)]
unsafe fn columns<L: Lanes, const COLUMNS: usize>(weights: *const L::Number) -> [L::Vector; COLUMNS] {
    // SAFETY: the caller's.
    unsafe {
        let mut columns = [L::splat(0.0); COLUMNS];
        for (column, vector) in columns.iter_mut().enumerate() {
            *vector = L::load(weights.add(column * L::COUNT));
        }
        columns
    }
}

/// The taps of a row of a convolution, of which neighbouring positions see neighbouring numbers.
pub(crate) struct Taps<'a> {
    /// Where each tap of position 0 lies, in numbers after `shift`.
    pub taps: &'a [usize],
    /// In numbers from the start of the arena.
    pub shift: usize,
}

impl Inputs for Taps<'_> {
    fn offsets(&self, position: usize) -> impl Iterator<Item = usize> {
        self.taps.iter().map(move |tap| self.shift + tap + position)
    }

    #[inline(always)]
    unsafe fn multiply<L: Lanes, const ROWS: usize, const COLUMNS: usize>(
        &self,
        arena: *const L::Number,
        position: usize,
        mut weights: *const L::Number,
        sums: &mut [[L::Vector; COLUMNS]; ROWS],
    ) {
        // SAFETY: the caller's.
        unsafe {
            let arena = arena.add(self.shift + position);
            let width = COLUMNS * L::COUNT;
            let (threes, rest) = if L::HOLDS_FOURS { self.taps.as_chunks::<3>() } else { (&[][..], self.taps) };
            for &[first, second, third] in threes {
                tap::<L, ROWS, COLUMNS>(sums, arena.add(first), weights);
                tap::<L, ROWS, COLUMNS>(sums, arena.add(second), weights.add(width));
                tap::<L, ROWS, COLUMNS>(sums, arena.add(third), weights.add(2 * width));
                weights = weights.add(3 * width);
            }
            // Of three at once, the compiler would keep what two positions share in registers that there are not.
            for &each in rest {
                tap::<L, ROWS, COLUMNS>(sums, arena.add(each), weights);
                weights = weights.add(width);
            }
        }
    }
}

/// One input of all positions of a tile, that of the first position at `input`, times the outputs' weights.
///
/// # Safety
/// As [`run`].
#[inline(always)]
unsafe fn tap<L: Lanes, const ROWS: usize, const COLUMNS: usize>(
    sums: &mut [[L::Vector; COLUMNS]; ROWS],
    input: *const L::Number,
    weights: *const L::Number,
) {
    // SAFETY: the caller's.
    unsafe {
        // A four is of four positions, not of four inputs.
        if L::HOLDS_FOURS {
            let mut fours = [L::four(input); 3];
            for (at, four) in fours.iter_mut().enumerate().take(ROWS.div_ceil(4)).skip(1) {
                *four = L::four(input.add(4 * at));
            }
            for column in 0..COLUMNS {
                let weights = [L::load(weights.add(column * L::COUNT))];
                for (sums, &four) in sums.chunks_mut(4).zip(&fours) {
                    across::<L, COLUMNS, 1>(sums, column, four, &weights);
                }
            }
        } else {
            let columns = columns::<L, COLUMNS>(weights);
            for (at, sums) in sums.chunks_mut(4).enumerate() {
                across::<L, COLUMNS, COLUMNS>(sums, 0, L::four(input.add(4 * at)), &columns);
            }
        }
    }
}

/// One input of up to four positions, times `SOME` of the outputs' weights, from vector `first` on.
///
/// # Safety
/// As [`run`].
#[inline(always)]
unsafe fn across<L: Lanes, const COLUMNS: usize, const SOME: usize>(
    sums: &mut [[L::Vector; COLUMNS]],
    first: usize,
    four: L::Four,
    weights: &[L::Vector; SOME],
) {
    // SAFETY: the caller's.
    unsafe {
        place::<L, COLUMNS, SOME, 0>(sums, first, four, weights);
        place::<L, COLUMNS, SOME, 1>(sums, first, four, weights);
        place::<L, COLUMNS, SOME, 2>(sums, first, four, weights);
        place::<L, COLUMNS, SOME, 3>(sums, first, four, weights);
    }
}

/// The position at `PLACE` of a four, where there is one.
///
/// # Safety
/// As [`run`].
#[inline(always)]
unsafe fn place<L: Lanes, const COLUMNS: usize, const SOME: usize, const PLACE: i32>(
    sums: &mut [[L::Vector; COLUMNS]],
    first: usize,
    four: L::Four,
    weights: &[L::Vector; SOME],
) {
    if let Some(sums) = sums.get_mut(PLACE as usize) {
        for (sum, &weights) in sums[first..].iter_mut().zip(weights) {
            // SAFETY: the caller's.
            *sum = unsafe { L::multiply_add_place::<PLACE>(four, weights, *sum) };
        }
    }
}
