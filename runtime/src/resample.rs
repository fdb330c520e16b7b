//! Resampling: filters one component of a frame, first down and then across, to the few samples of
//! a small picture.
//!
//! Every sum adds its taps in order in single precision. Many sums are computed side by side: those
//! of neighbouring columns on the way down, and those of neighbouring rows on the way across. The
//! compiler vectorises this for any width. The order of a sum, and so its last bit, does not depend
//! on the width. The bytes are the same on every machine.

use crate::components::Component;

/// Rows of the small picture that are filtered together.
pub(crate) const BAND: usize = 8;

/// Columns of the component that are filtered down side by side.
const STRIP: usize = 16;

/// One sample in each row of a band.
type Column = [f32; BAND];

/// The inputs of one output sample: `count` inputs from `first` on, with weights from `weight` on
/// in the table.
#[derive(Clone, Copy, Debug)]
struct Taps {
    first: usize,
    count: usize,
    weight: usize,
}

impl Taps {
    /// Returns the index after the last input.
    fn end(&self) -> usize {
        self.first + self.count
    }
}

/// The triangle filter along one side of a component, for `size` output samples.
#[derive(Clone, Debug, Default)]
struct Filter {
    taps: Vec<Taps>,
    weights: Vec<f32>,
}

impl Filter {
    /// Fits `size` outputs to the central `span` of `length` inputs, in place.
    fn fit(&mut self, length: usize, span: f64, size: usize) {
        self.taps.clear();
        self.weights.clear();
        let scale = span / size as f64;
        let support = scale.max(1.0);
        let origin = (length as f64 - span) / 2.0;
        for k in 0..size {
            let centre = origin + (k as f64 + 0.5) * scale;
            let first = (centre - support).floor().clamp(0.0, (length - 1) as f64) as usize;
            let last = ((centre + support).ceil() as usize).clamp(first + 1, length);
            let weight = |at: usize| (1.0 - ((at as f64 + 0.5 - centre) / support).abs()).max(0.0);
            let sum: f64 = (first..last).map(weight).sum();
            // The outermost inputs may be just outside the triangle. Inputs with weight zero are
            // left out, which changes no sum.
            let first = (first..last - 1).find(|&at| weight(at) > 0.0).unwrap_or(last - 1);
            let last = (first + 1..last).rev().find(|&at| weight(at) > 0.0).map_or(first + 1, |at| at + 1);
            let start = self.weights.len();
            self.weights.extend((first..last).map(|at| (weight(at) / sum) as f32));
            self.taps.push(Taps { first, count: last - first, weight: start });
        }
    }

    /// Gives all outputs the same number of inputs, because processors predict loops of one length.
    /// Added inputs have weight zero and may be beyond the last input.
    fn even_out(&mut self) {
        let count = self.taps.iter().map(|taps| taps.count).max().unwrap_or(0);
        let mut weights = Vec::with_capacity(count * self.taps.len());
        for taps in &mut self.taps {
            weights.extend_from_slice(&self.weights[taps.weight..][..taps.count]);
            (taps.count, taps.weight) = (count, weights.len() - taps.count);
            weights.resize(taps.weight + count, 0.0);
        }
        self.weights = weights;
    }

    fn weights(&self, taps: Taps) -> &[f32] {
        &self.weights[taps.weight..][..taps.count]
    }
}

/// Returns the first input of these outputs and the index after their last.
fn reach(taps: &[Taps]) -> (usize, usize) {
    // The windows of a filter move in one direction.
    (taps.first().map_or(0, |taps| taps.first), taps.last().map_or(0, Taps::end))
}

/// Shrinks components of one size to a small picture, band by band.
#[derive(Clone, Debug, Default)]
pub(crate) struct Resampler {
    width: usize,
    height: usize,
    across: Filter,
    down: Filter,
    /// First column that any output reads, and the index after the last.
    columns: (usize, usize),
}

impl Resampler {
    /// Returns whether the resampler is fitted to components of this size.
    pub fn fits(&self, component: &Component<'_>) -> bool {
        (self.width, self.height) == (component.width, component.height)
    }

    /// Fits the resampler to components of this size. Their central `span` samples (across, down)
    /// become `size` samples.
    pub fn fit(&mut self, component: &Component<'_>, span: (f64, f64), size: (usize, usize)) {
        (self.width, self.height) = (component.width, component.height);
        self.across.fit(component.width, span.0, size.0);
        self.down.fit(component.height, span.1, size.1);
        self.columns = reach(&self.across.taps);
        self.across.even_out();
    }

    /// Writes the rows of the small picture from `row` on, at most [`BAND`], to `out`: (columns,
    /// [`BAND`]). Rows of `out` after the last one have no meaning.
    #[inline(always)]
    pub fn band(&self, component: &Component<'_>, row: usize, scratch: &mut Scratch, out: &mut [f32]) {
        let rows = &self.down.taps[row..self.down.taps.len().min(row + BAND)];
        self.filter_down(component, rows, scratch);
        turn(&scratch.rows, &mut scratch.columns);
        for (taps, out) in self.across.taps.iter().zip(out.as_chunks_mut().0) {
            let samples = &scratch.columns[taps.first - self.columns.0..][..taps.count];
            *out = weighted(self.across.weights(*taps), samples);
        }
    }

    /// Filters the component's columns down to the `rows` of a band, in the scratch buffer. Rows of
    /// the component are read in order and added to all rows of the band that they contribute to.
    #[inline(always)]
    fn filter_down(&self, component: &Component<'_>, rows: &[Taps], scratch: &mut Scratch) {
        let columns = self.columns;
        scratch.fit(columns.1 - columns.0 + self.across.taps.first().map_or(0, |taps| taps.count));
        let width = scratch.columns.len();
        let (mut y, last) = reach(rows);
        while y < last {
            let (begin, end) = touched(rows, y);
            // Two rows at a time if they contribute to the same rows, which halves the loads and
            // stores of sums.
            let two = y + 1 < last && touched(rows, y + 1) == (begin, end);
            let [even, odd] = &mut scratch.codes;
            let codes = [row(component, y, columns, even), row(component, y + usize::from(two), columns, odd)];
            let weights = |taps: &Taps| {
                let weights = &self.down.weights[taps.weight + y - taps.first..];
                [weights[0], if two { weights[1] } else { 0.0 }]
            };
            let sums = &mut scratch.rows[begin * width..end * width];
            for (taps, sums) in rows[begin..end].chunks(2).zip(sums.chunks_mut(2 * width)) {
                let (a, b) = sums.split_at_mut(width);
                match (taps, two) {
                    ([one, other], true) => add(codes, [weights(one), weights(other)], [a, b]),
                    ([one, other], false) => add([codes[0]], [one, other].map(|taps| [weights(taps)[0]]), [a, b]),
                    ([one, ..], true) => add(codes, [weights(one)], [a]),
                    ([one, ..], false) => add([codes[0]], [[weights(one)[0]]], [a]),
                    _ => {}
                }
            }
            y += 1 + usize::from(two);
        }
    }
}

/// Returns the first of `rows` that row `y` of the component contributes to, and the index after
/// the last.
#[inline(always)]
fn touched(rows: &[Taps], y: usize) -> (usize, usize) {
    let begin = rows.iter().take_while(|taps| taps.end() <= y).count();
    (begin, begin + rows[begin..].iter().take_while(|taps| taps.first <= y).count())
}

/// Buffers of a resampler. They grow to the size of the largest component and are reused.
#[derive(Clone, Debug, Default)]
pub(crate) struct Scratch {
    /// Two rows of a component whose samples are not adjacent.
    codes: [Vec<u8>; 2],
    /// The rows of a band, as wide as the component (in whole strips).
    rows: Vec<f32>,
    /// The same, by columns.
    columns: Vec<Column>,
}

impl Scratch {
    /// Sets the width to `width` columns and the rows to zero.
    #[inline(always)]
    fn fit(&mut self, width: usize) {
        let width = width.next_multiple_of(STRIP);
        self.columns.resize(width, [0.0; BAND]);
        self.rows.clear();
        self.rows.resize(BAND * width, 0.0);
    }
}

/// Returns the samples in `columns` of row `y`: without a copy if they are adjacent, or in `codes`.
#[inline(always)]
fn row<'a>(component: &Component<'a>, y: usize, (first, last): (usize, usize), codes: &'a mut Vec<u8>) -> &'a [u8] {
    let Component { step, offset, .. } = *component;
    let bytes = &component.row(y)[offset + first * step..offset + (last - 1) * step + 1];
    if step == 1 {
        return bytes;
    }
    codes.clear();
    match step {
        2 => codes.extend(bytes.chunks(2).map(|pixel| pixel[0])),
        3 => codes.extend(bytes.chunks(3).map(|pixel| pixel[0])),
        _ => codes.extend(bytes.iter().step_by(step)),
    }
    codes
}

/// Adds `N` rows of samples with their weights to each of `M` rows of sums, one after another for
/// every sum.
#[inline(always)]
fn add<const N: usize, const M: usize>(codes: [&[u8]; N], weights: [[f32; N]; M], sums: [&mut [f32]; M]) {
    // Slices of equal length, so that the compiler removes bounds checks.
    let length = codes[0].len();
    let codes = codes.map(|codes| &codes[..length]);
    let sums = sums.map(|sums| &mut sums[..length]);
    for x in 0..length {
        let samples: [f32; N] = std::array::from_fn(|k| f32::from(codes[k][x]));
        for m in 0..M {
            let mut sum = sums[m][x];
            for k in 0..N {
                sum += weights[m][k] * samples[k];
            }
            sums[m][x] = sum;
        }
    }
}

/// Returns the weighted sum of `samples`, added in order.
#[inline(always)]
fn weighted(weights: &[f32], samples: &[Column]) -> Column {
    let mut sums = [0.0; BAND];
    for (&weight, samples) in weights.iter().zip(samples) {
        for (sum, sample) in sums.iter_mut().zip(samples) {
            *sum += weight * sample;
        }
    }
    sums
}

/// Transposes the rows of a band to columns.
#[inline(always)]
fn turn(rows: &[f32], columns: &mut [Column]) {
    let width = columns.len();
    for (x, columns) in columns.as_chunks_mut::<STRIP>().0.iter_mut().enumerate() {
        let mut strips = [[0.0; STRIP]; BAND];
        for (strip, row) in strips.iter_mut().zip(rows.chunks_exact(width)) {
            strip.copy_from_slice(&row[x * STRIP..][..STRIP]);
        }
        for (x, column) in columns.iter_mut().enumerate() {
            *column = std::array::from_fn(|y| strips[y][x]);
        }
    }
}
