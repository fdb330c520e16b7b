//! The matrix multiply of every 1x1 convolution and of the stem: positions by channels. It gathers
//! channels from the buffers of the layers that computed them.
//!
//! A channel shuffle, a split or a concatenation changes only where a channel is, so none of them
//! is executed. The input of a convolution is a list of runs of neighbouring channels, and its
//! weights are packed in the order of the runs.

use crate::aligned::Aligned;
use crate::lanes::Lanes;
use crate::spans::{Run, Target};

/// Weights (outputs, inputs) and biases, packed for vectors of `width` numbers. A panel holds the
/// outputs of one tile, with the inputs in the order of the runs.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Packed {
    /// The panels, each (inputs, tile width). The last panel may be narrower.
    data: Aligned,
    /// One bias for each output. Zeros fill the last vector.
    bias: Aligned,
    inputs: usize,
    /// Number of outputs, rounded up to whole vectors.
    padded: usize,
    /// Outputs in a panel.
    tile: usize,
    /// Outputs that are written at each position.
    written: usize,
    /// Whether the outputs are one and a half vectors. Then there is one panel of two vectors,
    /// which contains each output of the half vector twice.
    shared: bool,
}

impl Packed {
    /// Packs row-major `weights` (outputs, inputs) for vectors of `width` numbers and tiles of
    /// `vectors` vectors. `order` is the order of the inputs.
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

    /// Returns whether the weights are packed for [`crate::shared::run`].
    #[cfg(target_arch = "x86_64")]
    pub fn is_shared(&self) -> bool {
        self.shared
    }

    /// Returns the weights and biases of the first panel.
    #[cfg(target_arch = "x86_64")]
    pub fn panel(&self) -> (*const f32, *const f32) {
        (self.data.as_ptr(), self.bias.as_ptr())
    }

    /// Returns the column of an output in the packed weights, the first one if there are two.
    fn column(&self, output: usize) -> usize {
        let whole = self.tile / 2;
        if self.shared && output > whole { whole + 2 * (output - whole) } else { output }
    }

    /// Returns the same weights, each array converted by `store`.
    pub fn stored(self, store: impl Fn(Aligned) -> Aligned) -> Self {
        Packed { data: store(self.data), bias: store(self.bias), ..self }
    }

    /// Returns the outputs for which each position must have room: the real ones, and those that
    /// fill the last vector. The latter are `relu(0)`, or not written if two positions share that
    /// vector.
    pub fn padded(&self) -> usize {
        self.padded
    }
}

/// Transposes `rows`, (outputs, `inputs`), into `panel`, (inputs, `width`). Columns of `panel`
/// without a row stay unchanged.
pub(crate) fn turn(rows: &[f32], inputs: usize, panel: &mut [f32], width: usize) {
    let rows = || rows.chunks_exact(inputs);
    // Four inputs at a time: a network has millions of weights, and the start of the program waits
    // for this.
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

/// The left matrix, (positions, inputs), of a matrix multiply.
pub(crate) trait Inputs {
    /// Returns the index in the arena of every input of `position`, in order.
    fn offsets(&self, position: usize) -> impl Iterator<Item = usize>;

    /// Adds inputs times weights to the sums of `ROWS` positions from `position` on. `weights` is
    /// the panel, (inputs, `COLUMNS` vectors).
    ///
    /// # Safety
    /// Same as [`run`].
    unsafe fn multiply<L: Lanes, const ROWS: usize, const COLUMNS: usize>(
        &self,
        arena: *const L::Number,
        position: usize,
        weights: *const L::Number,
        sums: &mut [[L::Vector; COLUMNS]; ROWS],
    );
}

/// Computes `out[p]` = weights x `inputs[p]` + bias for each of `positions`, and its maximum with
/// zero if `relu`. This is the safe reference.
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

/// Computes the matrix multiply in vectors of `L`.
///
/// # Safety
/// The rules of [`Lanes`] apply. Everything that `inputs` and `target` describe is in the arena and
/// does not overlap. 8 numbers can be read at each input. `packed` is packed for `L`.
#[inline(always)]
pub(crate) unsafe fn run<L: Lanes>(
    arena: *mut L::Number,
    inputs: &impl Inputs,
    target: Target,
    positions: usize,
    packed: &Packed,
    relu: bool,
) {
    // The weights of a panel stay in the first-level cache. Positions are read again for each
    // panel.
    let mut first = 0;
    while first < packed.padded {
        let width = packed.tile.min(packed.padded - first);
        let columns = width / L::COUNT;
        let rows = L::ROWS[columns - 1];
        // SAFETY: the caller guarantees it; the panel's outputs start at number `first` of the
        // target.
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
            // The last two tiles share the remaining positions. A tile of few rows would wait for
            // its own sums.
            let left = positions - position;
            let rows = if left <= rows {
                left
            } else if left < 2 * rows {
                left.div_ceil(2)
            } else {
                rows
            };
            // SAFETY: the caller guarantees it.
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

/// Neighbouring outputs, as many as a tile is wide.
struct Panel<N> {
    weights: *const N,
    bias: *const N,
    /// The output at position 0.
    out: *mut N,
    stride: usize,
    relu: bool,
}

impl<N> Panel<N> {
    /// # Safety
    /// Same as [`run`].
    #[inline(always)]
    unsafe fn rows<L: Lanes<Number = N>, const COLUMNS: usize>(
        &self,
        arena: *const N,
        inputs: &impl Inputs,
        position: usize,
        rows: usize,
    ) {
        // SAFETY: the caller guarantees it.
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
    /// Same as [`run`].
    #[inline(always)]
    unsafe fn tile<L: Lanes<Number = N>, const ROWS: usize, const COLUMNS: usize>(
        &self,
        arena: *const N,
        inputs: &impl Inputs,
        position: usize,
    ) {
        // No caller requests such a tile, and the compiler removes it.
        if ROWS > L::ROWS[COLUMNS - 1] {
            return;
        }
        // SAFETY: the caller guarantees it.
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

/// The channels of a 1x1 convolution: a list of runs.
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
            // SAFETY: the caller guarantees it.
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

/// Processes one input of a tile: the number at `PLACE` of each row's four times the outputs'
/// weights.
///
/// # Safety
/// Same as [`run`].
#[inline(always)]
unsafe fn step<L: Lanes, const ROWS: usize, const COLUMNS: usize, const PLACE: i32>(
    sums: &mut [[L::Vector; COLUMNS]; ROWS],
    fours: &[L::Four; ROWS],
    weights: *const L::Number,
) {
    // SAFETY: the caller guarantees it.
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

/// Loads the outputs' weights of one input.
///
/// # Safety
/// Same as [`run`].
#[inline(always)]
unsafe fn columns<L: Lanes, const COLUMNS: usize>(weights: *const L::Number) -> [L::Vector; COLUMNS] {
    // SAFETY: the caller guarantees it.
    unsafe {
        let mut columns = [L::splat(0.0); COLUMNS];
        for (column, vector) in columns.iter_mut().enumerate() {
            *vector = L::load(weights.add(column * L::COUNT));
        }
        columns
    }
}

/// The taps of a row of a convolution. Neighbouring positions read neighbouring numbers.
pub(crate) struct Taps<'a> {
    /// Index of each tap of position 0, relative to `shift`.
    pub taps: &'a [usize],
    /// Index in the arena.
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
        // SAFETY: the caller guarantees it.
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
            // With three taps at once, the compiler would need more registers than there are.
            for &each in rest {
                tap::<L, ROWS, COLUMNS>(sums, arena.add(each), weights);
                weights = weights.add(width);
            }
        }
    }
}

/// Processes one input of all positions of a tile: the numbers from `input` on times the outputs'
/// weights.
///
/// # Safety
/// Same as [`run`].
#[inline(always)]
unsafe fn tap<L: Lanes, const ROWS: usize, const COLUMNS: usize>(
    sums: &mut [[L::Vector; COLUMNS]; ROWS],
    input: *const L::Number,
    weights: *const L::Number,
) {
    // SAFETY: the caller guarantees it.
    unsafe {
        // Here a four holds four positions and not four inputs.
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

/// Processes one input of up to four positions: times `SOME` of the outputs' weights, from vector
/// `first` on.
///
/// # Safety
/// Same as [`run`].
#[inline(always)]
unsafe fn across<L: Lanes, const COLUMNS: usize, const SOME: usize>(
    sums: &mut [[L::Vector; COLUMNS]],
    first: usize,
    four: L::Four,
    weights: &[L::Vector; SOME],
) {
    // SAFETY: the caller guarantees it.
    unsafe {
        place::<L, COLUMNS, SOME, 0>(sums, first, four, weights);
        place::<L, COLUMNS, SOME, 1>(sums, first, four, weights);
        place::<L, COLUMNS, SOME, 2>(sums, first, four, weights);
        place::<L, COLUMNS, SOME, 3>(sums, first, four, weights);
    }
}

/// Processes the position at `PLACE` of a four, if there is one.
///
/// # Safety
/// Same as [`run`].
#[inline(always)]
unsafe fn place<L: Lanes, const COLUMNS: usize, const SOME: usize, const PLACE: i32>(
    sums: &mut [[L::Vector; COLUMNS]],
    first: usize,
    four: L::Four,
    weights: &[L::Vector; SOME],
) {
    if let Some(sums) = sums.get_mut(PLACE as usize) {
        for (sum, &weights) in sums[first..].iter_mut().zip(weights) {
            // SAFETY: the caller guarantees it.
            *sum = unsafe { L::multiply_add_place::<PLACE>(four, weights, *sum) };
        }
    }
}
