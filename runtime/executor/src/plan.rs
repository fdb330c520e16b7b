//! A network for one input size: the place of each layer's numbers in an arena, and the run through
//! the kernels.
//!
//! A run allocates nothing. Layers whose numbers are not needed at the same time share a place.

use std::sync::Arc;

use crate::aligned::Aligned;
use crate::attention::Attention;
use crate::depthwise::{Depthwise, Sides};
use crate::instructions::Instructions;
use crate::int8::Scale;
use crate::layers::{Layer, Layers, Stretch};
use crate::norm::NormWeights;
use crate::spans::{Run, Target};
use crate::stem::Stem;
use crate::weights::{DepthwiseWeights, Packed};

/// Numbers that may be read or written after the last channel of a layer's last position.
const SLACK: usize = 16;

/// A region of the arena.
#[derive(Clone, Debug)]
struct Buffer {
    /// Distance from one position to the next, in numbers.
    stride: usize,
    len: usize,
    /// The first layer that writes it and the last that reads it.
    life: (usize, usize),
    offset: usize,
}

/// The call of one kernel.
#[derive(Clone, Debug, PartialEq)]
enum Step {
    Stem { stem: Stem, taps: Vec<Vec<usize>>, weights: Arc<Packed> },
    Rows { target: Target, positions: usize, channels: usize },
    Pointwise { runs: Vec<Run>, target: Target, positions: usize, weights: Arc<Packed>, relu: bool },
    Depthwise { conv: Depthwise, weights: Arc<DepthwiseWeights> },
    Attention { input: [Run; 3], target: Target, positions: usize, attention: Attention, room: usize },
    AddNorm { input: [Run; 2], target: Target, positions: usize, weights: Arc<NormWeights> },
    Mean { input: Run, target: Target, positions: usize, scale: Option<Scale> },
}

/// A network that runs on inputs of one size.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Plan {
    steps: Vec<Step>,
    /// Region of the output.
    output: Run,
    /// Size of the arena in numbers.
    len: usize,
    instructions: Instructions,
}

impl Plan {
    /// Plans `layers` for an input with `sides`: time, height and width of planes, or one row of
    /// positions. Returns `None` if a layer would join inputs with different sides, or if the last
    /// layer has another number of positions than `layers` states.
    pub fn new(layers: &Layers, sides: Sides) -> Option<Self> {
        let mut arena = Arena::default();
        // The buffer that each layer writes, and the sides of its positions.
        let mut made: Vec<(usize, Sides)> = Vec::new();
        let mut steps = Vec::new();
        for (at, layer) in layers.layers.iter().enumerate() {
            arena.layer = at;
            let sides = layer.input().first().map_or(sides, |stretch| made[stretch.layer].1);
            for stretch in layer.input() {
                if made[stretch.layer].1 != sides {
                    return None;
                }
                arena.buffers[made[stretch.layer].0].life.1 = at;
            }
            let positions = sides.iter().product();
            made.push(match layer {
                Layer::Stem(layer) => {
                    let numbers = layer.weights.padded();
                    let nowhere = Target { offset: 0, stride: numbers };
                    let stem = Stem {
                        input: 0,
                        sides,
                        colours: layer.colours,
                        kernel: layer.kernel,
                        step: layer.step,
                        rows: 0,
                        out: nowhere,
                    };
                    let input = arena.buffer(1, layers.instructions.stem_input_len(&stem));
                    // The border stays zero from run to run.
                    arena.buffers[input].life = (0, usize::MAX);
                    let rows = arena.buffer(1, stem.rows_len(numbers));
                    let pooled = stem.pooled();
                    let stride = numbers.next_multiple_of(layers.instructions.width());
                    let out = arena.buffer(pooled.iter().product(), stride);
                    steps.push(Unplaced::Stem { stem, input, rows, out, weights: layer.weights.clone() });
                    (out, pooled)
                }
                Layer::Rows(channels) => {
                    let out = arena.buffer(positions, channels.next_multiple_of(layers.instructions.width()));
                    steps.push(Unplaced::Rows { out, positions, channels: *channels });
                    (out, sides)
                }
                Layer::Pointwise { input, weights, relu } => {
                    let out = arena.buffer(positions, weights.padded());
                    let weights = weights.clone();
                    steps.push(Unplaced::Pointwise { input: input.clone(), out, positions, weights, relu: *relu });
                    (out, sides)
                }
                Layer::Depthwise { input, kernel, step, weights } => {
                    let width = layers.instructions.width();
                    let nowhere = Depthwise {
                        offset: 0,
                        stride: 0,
                        out_offset: 0,
                        out_stride: 0,
                        input: sides,
                        kernel: *kernel,
                        step: *step,
                    };
                    let channels: usize = input.iter().map(|stretch| stretch.length).sum();
                    // The last stretch may start anywhere in a block and ends with a whole block.
                    let stride = (channels + width - 1).next_multiple_of(width);
                    let out = arena.buffer(nowhere.output().iter().product(), stride);
                    let mut place = 0;
                    // The order matters: the last block of a stretch writes beyond its channels,
                    // and the next stretch overwrites those numbers.
                    for (&input, weights) in input.iter().zip(weights) {
                        let (conv, weights) = (nowhere.clone(), weights.clone());
                        steps.push(Unplaced::Depthwise { input, out, place, conv, weights });
                        place += input.length;
                    }
                    (out, nowhere.output())
                }
                Layer::Attention { input, attention } => {
                    let out = arena.buffer(positions, input[0].length.next_multiple_of(layers.instructions.width()));
                    let room = arena.buffer(1, attention.room(positions, input[0].length));
                    let attention = attention.clone();
                    steps.push(Unplaced::Attention { input: *input, out, positions, attention, room });
                    (out, sides)
                }
                Layer::AddNorm { input, weights } => {
                    let out = arena.buffer(positions, input[0].length.next_multiple_of(layers.instructions.width()));
                    steps.push(Unplaced::AddNorm { input: *input, out, positions, weights: weights.clone() });
                    (out, sides)
                }
                Layer::Mean { input, scale } => {
                    let out = arena.buffer(1, layers.instructions.mean_len(input.length));
                    steps.push(Unplaced::Mean { input: *input, out, positions, scale: *scale });
                    (out, [1, 1, 1])
                }
            });
        }
        let (_, sides) = made.last()?;
        if sides.iter().product::<usize>() != layers.rows {
            return None;
        }
        let len = arena.place();
        let placed = Placed { made: &made, buffers: &arena.buffers };
        let last = Stretch { layer: made.len() - 1, place: 0, length: layers.outputs };
        let steps = steps.into_iter().map(|step| placed.step(step)).collect();
        Some(Plan { steps, output: placed.run(&last), len, instructions: layers.instructions })
    }

    /// Returns an arena for runs. Each thread needs its own.
    pub fn arena(&self) -> Aligned {
        self.instructions.arena(self.len)
    }

    /// Runs the network on `input`: planes (colours, sides), or rows (positions, channels). Writes
    /// (rows, outputs) to `output`.
    pub fn run(&self, arena: &mut [f32], input: &[f32], output: &mut [f32]) {
        let with = self.instructions;
        for step in &self.steps {
            match step {
                Step::Stem { stem, taps, weights } => with.stem(arena, stem, taps, weights, input),
                Step::Rows { target, positions, channels } => {
                    for (row, position) in input.chunks_exact(*channels).zip(0..*positions) {
                        with.write(arena, target.offset + position * target.stride, row);
                    }
                }
                Step::Pointwise { runs, target, positions, weights, relu } => {
                    with.matmul(arena, runs, *target, *positions, weights, *relu);
                }
                Step::Depthwise { conv, weights } => with.depthwise(arena, conv, weights),
                Step::Attention { input, target, positions, attention, room } => {
                    with.attention(arena, attention, input, *target, *positions, *room);
                }
                Step::AddNorm { input, target, positions, weights } => {
                    with.add_norm(arena, weights, input, *target, *positions);
                }
                Step::Mean { input, target, positions, scale } => with.mean(arena, *input, *target, *positions, *scale),
            }
        }
        let rows = output.chunks_exact_mut(self.output.length);
        rows.enumerate()
            .for_each(|(row, values)| with.read(arena, self.output.offset + row * self.output.stride, values));
    }
}

/// A step whose buffers have no places yet.
enum Unplaced {
    Stem { stem: Stem, input: usize, rows: usize, out: usize, weights: Arc<Packed> },
    Rows { out: usize, positions: usize, channels: usize },
    Pointwise { input: Vec<Stretch>, out: usize, positions: usize, weights: Arc<Packed>, relu: bool },
    Depthwise { input: Stretch, out: usize, place: usize, conv: Depthwise, weights: Arc<DepthwiseWeights> },
    Attention { input: [Stretch; 3], out: usize, positions: usize, attention: Attention, room: usize },
    AddNorm { input: [Stretch; 2], out: usize, positions: usize, weights: Arc<NormWeights> },
    Mean { input: Stretch, out: usize, positions: usize, scale: Option<Scale> },
}

/// The places of all buffers.
struct Placed<'a> {
    /// The buffer that each layer writes.
    made: &'a [(usize, Sides)],
    buffers: &'a [Buffer],
}

impl Placed<'_> {
    fn target(&self, buffer: usize) -> Target {
        Target { offset: self.buffers[buffer].offset, stride: self.buffers[buffer].stride }
    }

    fn run(&self, stretch: &Stretch) -> Run {
        let Target { offset, stride } = self.target(self.made[stretch.layer].0);
        Run { offset: offset + stretch.place, stride, length: stretch.length }
    }

    fn step(&self, step: Unplaced) -> Step {
        match step {
            Unplaced::Stem { stem, input, rows, out, weights } => {
                let (input, rows) = (self.buffers[input].offset, self.buffers[rows].offset);
                let stem = Stem { input, rows, out: self.target(out), ..stem };
                let taps = match &*weights {
                    Packed::Float(_) => (0..stem.convolved()[0]).map(|z| stem.taps(z)).collect(),
                    Packed::Int8(_) => Vec::new(),
                };
                Step::Stem { stem, taps, weights }
            }
            Unplaced::Rows { out, positions, channels } => Step::Rows { target: self.target(out), positions, channels },
            Unplaced::Pointwise { input, out, positions, weights, relu } => {
                let runs = input.iter().map(|stretch| self.run(stretch)).collect();
                Step::Pointwise { runs, target: self.target(out), positions, weights, relu }
            }
            Unplaced::Depthwise { input, out, place, conv, weights } => {
                let (from, to) = (self.run(&input), self.target(out));
                let (out_offset, out_stride) = (to.offset + place, to.stride);
                let conv = Depthwise { offset: from.offset, stride: from.stride, out_offset, out_stride, ..conv };
                Step::Depthwise { conv, weights }
            }
            Unplaced::Attention { input, out, positions, attention, room } => {
                let input = input.map(|stretch| self.run(&stretch));
                let room = self.buffers[room].offset;
                Step::Attention { input, target: self.target(out), positions, attention, room }
            }
            Unplaced::AddNorm { input, out, positions, weights } => {
                let input = input.map(|stretch| self.run(&stretch));
                Step::AddNorm { input, target: self.target(out), positions, weights }
            }
            Unplaced::Mean { input, out, positions, scale } => {
                Step::Mean { input: self.run(&input), target: self.target(out), positions, scale }
            }
        }
    }
}

/// Buffers, and the layer that is being planned.
#[derive(Default)]
struct Arena {
    buffers: Vec<Buffer>,
    layer: usize,
}

impl Arena {
    /// Adds a buffer that the current layer writes.
    fn buffer(&mut self, positions: usize, stride: usize) -> usize {
        // Buffers start at a cache line, so that vectors do not cross a line boundary.
        let len = (positions * stride + SLACK).next_multiple_of(16);
        self.buffers.push(Buffer { stride, len, life: (self.layer, self.layer), offset: 0 });
        self.buffers.len() - 1
    }

    /// Gives each buffer a place that no other live buffer has. Returns the size of the arena in
    /// numbers.
    fn place(&mut self) -> usize {
        let mut len = 0;
        for at in 0..self.buffers.len() {
            let (before, rest) = self.buffers.split_at_mut(at);
            let buffer = &mut rest[0];
            let mut taken: Vec<(usize, usize)> = before
                .iter()
                .filter(|other| other.life.0 <= buffer.life.1 && buffer.life.0 <= other.life.1)
                .map(|other| (other.offset, other.offset + other.len))
                .collect();
            taken.sort_unstable();
            // The first gap that is wide enough.
            let gap = |offset: usize, (start, end): (usize, usize)| {
                if offset + buffer.len <= start { offset } else { offset.max(end) }
            };
            buffer.offset = taken.into_iter().fold(0, gap);
            len = len.max(buffer.offset + buffer.len);
        }
        len
    }
}
