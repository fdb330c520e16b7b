//! Resampling: one component of a frame, filtered down and then across to the few samples of a small picture.
//!
//! Every sum is taken tap after tap, in single precision, and many sums side by side: those of neighbouring columns on the way down,
//! those of neighbouring rows on the way across. The compiler turns that into vectors of any width, and the order of a sum, so its last
//! bit, does not depend on the width: the same bytes on every machine.

use crate::components::Component;

/// Rows of the small picture that are filtered together.
pub(crate) const BAND: usize = 8;

/// Columns of the component that are filtered down side by side.
const STRIP: usize = 16;

/// A sample in each row of a band.
type Column = [f32; BAND];

/// Weights of one output sample: `count` inputs from `first` on, their weights from `weight` on in the table.
#[derive(Clone, Copy, Debug)]
struct Taps {
    first: usize,
    count: usize,
    weight: usize,
}

impl Taps {
    /// One past the last input.
    fn end(&self) -> usize {
        self.first + self.count
    }
}

/// The triangle filter along one side of a component, for the output's `size` samples.
#[derive(Clone, Debug, Default)]
struct Filter {
    taps: Vec<Taps>,
    weights: Vec<f32>,
}

impl Filter {
    /// Fits `size` outputs to the middle part of `length` inputs, of which `span` inputs are covered, anew in place.
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
            // The outermost inputs may lie just outside of the triangle: no sum is changed by what weighs nothing.
            let first = (first..last - 1).find(|&at| weight(at) > 0.0).unwrap_or(last - 1);
            let last = (first + 1..last).rev().find(|&at| weight(at) > 0.0).map_or(first + 1, |at| at + 1);
            let start = self.weights.len();
            self.weights.extend((first..last).map(|at| (weight(at) / sum) as f32));
            self.taps.push(Taps { first, count: last - first, weight: start });
        }
    }

    /// Gives all outputs as many inputs, of which those that were not there weigh nothing and may lie beyond the last: sums of one length
    /// are what a processor foresees.
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

/// First input and one past the last that any of these outputs reads.
fn reach(taps: &[Taps]) -> (usize, usize) {
    // A filter's windows move in one direction.
    (taps.first().map_or(0, |taps| taps.first), taps.last().map_or(0, Taps::end))
}

/// Shrinks components of one size to a small picture, a band of rows at a time.
#[derive(Clone, Debug, Default)]
pub(crate) struct Resampler {
    width: usize,
    height: usize,
    across: Filter,
    down: Filter,
    /// First column and one past the last that any output reads.
    columns: (usize, usize),
}

impl Resampler {
    /// Whether it is for components of this size.
    pub fn fits(&self, component: &Component<'_>) -> bool {
        (self.width, self.height) == (component.width, component.height)
    }

    /// Fits it to components of this size, of whose middle `span` samples across and down become `size` samples.
    pub fn fit(&mut self, component: &Component<'_>, span: (f64, f64), size: (usize, usize)) {
        (self.width, self.height) = (component.width, component.height);
        self.across.fit(component.width, span.0, size.0);
        self.down.fit(component.height, span.1, size.1);
        self.columns = reach(&self.across.taps);
        self.across.even_out();
    }

    /// Makes the rows of the small picture from `row` on, at most [`BAND`], in `out`: (columns, [`BAND`]). What `out` holds in rows beyond
    /// the last is of no meaning.
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

    /// Filters the component's columns down to the `rows` of a band, in the scratch. Rows of the component are read in their order, and
    /// added to all rows of the band that they have a part in.
    #[inline(always)]
    fn filter_down(&self, component: &Component<'_>, rows: &[Taps], scratch: &mut Scratch) {
        let columns = self.columns;
        scratch.fit(columns.1 - columns.0 + self.across.taps.first().map_or(0, |taps| taps.count));
        let width = scratch.columns.len();
        let (mut y, last) = reach(rows);
        while y < last {
            let (begin, end) = touched(rows, y);
            // Two rows at a time where they touch the same: half the sums to fetch and put back.
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

/// First and one past the last of `rows` that row `y` of the component has a part in.
#[inline(always)]
fn touched(rows: &[Taps], y: usize) -> (usize, usize) {
    let begin = rows.iter().take_while(|taps| taps.end() <= y).count();
    (begin, begin + rows[begin..].iter().take_while(|taps| taps.first <= y).count())
}

/// What a resampler works in. Grows to what the largest component asks for and is used again.
#[derive(Clone, Debug, Default)]
pub(crate) struct Scratch {
    /// Two rows of a component whose samples do not lie side by side.
    codes: [Vec<u8>; 2],
    /// The rows of a band, as wide as the component (to whole strips).
    rows: Vec<f32>,
    /// The same, by columns.
    columns: Vec<Column>,
}

impl Scratch {
    /// Makes it `width` columns wide, its rows zero.
    #[inline(always)]
    fn fit(&mut self, width: usize) {
        let width = width.next_multiple_of(STRIP);
        self.columns.resize(width, [0.0; BAND]);
        self.rows.clear();
        self.rows.resize(BAND * width, 0.0);
    }
}

/// The samples in `columns` of row `y`: where they are, or side by side in `codes`.
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

/// Adds `N` rows of samples to each of `M` rows of sums, with the weights of each; one after another to every sum.
#[inline(always)]
fn add<const N: usize, const M: usize>(codes: [&[u8]; N], weights: [[f32; N]; M], sums: [&mut [f32]; M]) {
    // Of one length, so that the loop knows of every place that it is inside.
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

/// `samples` weighted and added up in their order.
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

/// The rows of a band to columns.
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
