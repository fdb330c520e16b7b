//! A network as steps over one arena: what is computed, from where to where, with weights packed for the processor.
//!
//! [`Builder`] is told of layers and gives channels back: which buffer each is in, and where in it. To split, join or shuffle is to rearrange
//! those, and costs nothing. When all is told, buffers get places in the arena, the same place for buffers that are not needed at
//! the same time.

use super::depthwise::{Depthwise, DepthwiseWeights, Sides};
use super::instructions::Instructions;
use super::matmul::{Packed, Run, Target};
use super::stem::Stem;

/// Floats that may be read or written after the last channel of a buffer's last position.
const SLACK: usize = 16;

/// A channel of activations: a buffer, and which of its channels.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Channel {
    buffer: usize,
    place: usize,
}

/// Activations: their channels in order, at each position of a box.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Activations {
    pub channels: Vec<Channel>,
    pub sides: Sides,
}

/// Neighbouring channels of one buffer.
#[derive(Clone, Copy, Debug)]
struct Stretch {
    buffer: usize,
    place: usize,
    length: usize,
}

/// Weights (outputs, inputs) row-major, or (channels, taps), with a bias for each output.
#[derive(Clone, Copy, Debug)]
pub(super) struct Weights<'a> {
    pub data: &'a [f32],
    pub bias: &'a [f32],
}

/// A buffer whose place is not known yet.
#[derive(Clone, Debug)]
struct Buffer {
    /// Floats from one position to the next.
    stride: usize,
    len: usize,
    /// The first step that writes it and the last that reads it.
    life: (usize, usize),
    offset: usize,
}

/// A layer whose buffers have no places yet.
enum Layer {
    Stem { stem: Stem, input: usize, rows: usize, out: usize, weights: Packed },
    Pointwise { input: Vec<Stretch>, out: usize, positions: usize, weights: Packed, relu: bool },
    Depthwise { input: Stretch, out: usize, place: usize, conv: Depthwise, weights: DepthwiseWeights },
    Mean { input: Vec<Stretch>, order: Vec<usize>, positions: usize },
}

/// Takes a network layer by layer.
pub(super) struct Builder {
    instructions: Instructions,
    buffers: Vec<Buffer>,
    layers: Vec<Layer>,
}

impl Builder {
    pub fn new(instructions: Instructions) -> Self {
        Builder { instructions, buffers: Vec::new(), layers: Vec::new() }
    }

    /// A buffer written by the step that comes next.
    fn buffer(&mut self, positions: usize, stride: usize) -> usize {
        let step = self.layers.len();
        // Vectors do not straddle cache lines where buffers begin at one.
        let len = (positions * stride + SLACK).next_multiple_of(16);
        self.buffers.push(Buffer { stride, len, life: (step, step), offset: 0 });
        self.buffers.len() - 1
    }

    /// Notes that the step that comes next reads `activations`; their channels in the order in which they lie, as stretches, and which
    /// channel each is.
    fn read(&mut self, activations: &Activations) -> (Vec<Stretch>, Vec<usize>) {
        let mut order: Vec<usize> = (0..activations.channels.len()).collect();
        order.sort_by_key(|&at| activations.channels[at]);
        let mut stretches: Vec<Stretch> = Vec::new();
        for &at in &order {
            let Channel { buffer, place } = activations.channels[at];
            self.buffers[buffer].life.1 = self.layers.len();
            match stretches.last_mut() {
                Some(last) if last.buffer == buffer && last.place + last.length == place => last.length += 1,
                _ => stretches.push(Stretch { buffer, place, length: 1 }),
            }
        }
        (stretches, order)
    }

    fn made(&self, buffer: usize, channels: usize, sides: Sides) -> Activations {
        Activations { channels: (0..channels).map(|place| Channel { buffer, place }).collect(), sides }
    }

    /// The first convolution of a planar input (colours, sides), its ReLU and its max pool; `weights` are (outputs, colours x kernel).
    pub fn stem(&mut self, colours: usize, sides: Sides, kernel: Sides, step: Sides, weights: Weights<'_>) -> Activations {
        let order: Vec<usize> = (0..weights.data.len() / weights.bias.len()).collect();
        let packed = self.instructions.pack(weights.data, weights.bias, &order);
        let out = Target { offset: 0, stride: packed.padded() };
        let stem = Stem { input: 0, sides, colours, kernel, step, rows: 0, out };
        let input = self.buffer(1, stem.input_len());
        // Its border is zero from run to run.
        self.buffers[input].life = (0, usize::MAX);
        let rows = self.buffer(1, stem.rows_len(packed.padded()));
        let pooled = stem.pooled();
        let out = self.buffer(pooled.iter().product(), packed.padded());
        self.layers.push(Layer::Stem { stem, input, rows, out, weights: packed });
        self.made(out, weights.bias.len(), pooled)
    }

    /// A 1x1 convolution; `weights` are (outputs, inputs).
    pub fn pointwise(&mut self, activations: &Activations, weights: Weights<'_>, relu: bool) -> Activations {
        let (input, order) = self.read(activations);
        let packed = self.instructions.pack(weights.data, weights.bias, &order);
        let positions = activations.sides.iter().product();
        let out = self.buffer(positions, packed.padded());
        self.layers.push(Layer::Pointwise { input, out, positions, weights: packed, relu });
        self.made(out, weights.bias.len(), activations.sides)
    }

    /// A depthwise convolution; `weights` are (channels, taps).
    pub fn depthwise(&mut self, activations: &Activations, kernel: Sides, step: Sides, weights: Weights<'_>) -> Activations {
        let width = self.instructions.width();
        let (input, order) = self.read(activations);
        let conv = Depthwise { offset: 0, stride: 0, out_offset: 0, out_stride: 0, input: activations.sides, kernel, step };
        let sides = conv.output();
        // The last stretch may begin anywhere in a block and ends with a whole one.
        let stride = (order.len() + width - 1).next_multiple_of(width);
        let out = self.buffer(sides.iter().product(), stride);
        let mut channels = vec![Channel { buffer: out, place: 0 }; order.len()];
        let mut place = 0;
        // One after the other: the last block of a stretch writes beyond its channels, where the next one then writes what is true.
        for stretch in input {
            let own = &order[place..place + stretch.length];
            let weights = DepthwiseWeights::new(weights.data, weights.bias, own, width);
            let last = self.layers.len();
            self.buffers[stretch.buffer].life.1 = self.buffers[stretch.buffer].life.1.max(last);
            self.buffers[out].life.1 = last;
            self.layers.push(Layer::Depthwise { input: stretch, out, place, conv: conv.clone(), weights });
            own.iter().enumerate().for_each(|(at, &channel)| channels[channel].place = place + at);
            place += stretch.length;
        }
        Activations { channels, sides }
    }

    /// The mean of each channel over all positions: the last layer.
    pub fn mean(&mut self, activations: &Activations) {
        let (input, order) = self.read(activations);
        self.layers.push(Layer::Mean { input, order, positions: activations.sides.iter().product() });
    }

    /// The steps, with everything in its place.
    pub fn finish(mut self) -> Plan {
        let len = place(&mut self.buffers);
        let (buffers, instructions) = (&self.buffers, self.instructions);
        let target = |buffer: usize| Target { offset: buffers[buffer].offset, stride: buffers[buffer].stride };
        let run = |stretch: Stretch| {
            let Target { offset, stride } = target(stretch.buffer);
            Run { offset: offset + stretch.place, stride, length: stretch.length }
        };
        let runs = |stretches: Vec<Stretch>| stretches.into_iter().map(run).collect();
        let step = |layer| match layer {
            Layer::Stem { stem, input, rows, out, weights } => {
                let stem = Stem { input: buffers[input].offset, rows: buffers[rows].offset, out: target(out), ..stem };
                Step::Stem { runs: stem.runs(), stem, weights }
            }
            Layer::Pointwise { input, out, positions, weights, relu } => {
                Step::Pointwise { runs: runs(input), target: target(out), positions, weights, relu }
            }
            Layer::Depthwise { input, out, place, conv, weights } => {
                let (from, to) = (run(input), target(out));
                let conv = Depthwise { offset: from.offset, stride: from.stride, out_offset: to.offset + place, out_stride: to.stride, ..conv };
                Step::Depthwise { conv, weights }
            }
            Layer::Mean { input, order, positions } => Step::Mean { runs: runs(input), order, positions },
        };
        Plan { steps: self.layers.into_iter().map(step).collect(), len, instructions }
    }
}

/// Gives each buffer a place that no other has while it lives; floats in all.
fn place(buffers: &mut [Buffer]) -> usize {
    let mut len = 0;
    for at in 0..buffers.len() {
        let (before, rest) = buffers.split_at_mut(at);
        let buffer = &mut rest[0];
        let mut taken: Vec<(usize, usize)> = before
            .iter()
            .filter(|other| other.life.0 <= buffer.life.1 && buffer.life.0 <= other.life.1)
            .map(|other| (other.offset, other.offset + other.len))
            .collect();
        taken.sort_unstable();
        // The first gap that is wide enough.
        buffer.offset = taken.into_iter().fold(0, |offset, (start, end)| if offset + buffer.len <= start { offset } else { offset.max(end) });
        len = len.max(buffer.offset + buffer.len);
    }
    len
}

/// One kernel's work.
#[derive(Clone, Debug, PartialEq)]
enum Step {
    Stem { stem: Stem, runs: Vec<Run>, weights: Packed },
    Pointwise { runs: Vec<Run>, target: Target, positions: usize, weights: Packed, relu: bool },
    Depthwise { conv: Depthwise, weights: DepthwiseWeights },
    Mean { runs: Vec<Run>, order: Vec<usize>, positions: usize },
}

/// A network that can be run.
#[derive(Clone, Debug, PartialEq)]
pub struct Plan {
    steps: Vec<Step>,
    /// Floats of the arena.
    len: usize,
    instructions: Instructions,
}

impl Plan {
    /// The room that runs take place in; one a thread.
    pub fn arena(&self) -> Vec<f32> {
        vec![0.0; self.len]
    }

    /// Runs it on planar `input` (colours, sides); the vector goes to `output`.
    pub fn run(&self, arena: &mut [f32], input: &[f32], output: &mut [f32]) {
        for step in &self.steps {
            match step {
                Step::Stem { stem, runs, weights } => {
                    stem.fill(arena, input);
                    self.instructions.stem(arena, stem, runs, weights);
                }
                Step::Pointwise { runs, target, positions, weights, relu } => {
                    self.instructions.matmul(arena, runs, *target, *positions, weights, *relu);
                }
                Step::Depthwise { conv, weights } => self.instructions.depthwise(arena, conv, weights),
                Step::Mean { runs, order, positions } => mean(arena, runs, order, *positions, output),
            }
        }
    }
}

fn mean(arena: &[f32], runs: &[Run], order: &[usize], positions: usize, output: &mut [f32]) {
    let mut order = order.iter();
    output.fill(0.0);
    for run in runs {
        for (channel, &out) in (0..run.length).zip(order.by_ref()) {
            let sum: f32 = (0..positions).map(|position| arena[run.offset + position * run.stride + channel]).sum();
            output[out] = sum / positions as f32;
        }
    }
}
