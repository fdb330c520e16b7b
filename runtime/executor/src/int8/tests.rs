//! Compares every eight-bit kernel in every set of instructions of this processor with the safe
//! reference, byte by byte, and the references with the definition in exact arithmetic.

use proptest::prelude::*;

use super::quantised::{Quantised, Scale, Scales};
use super::{Number, OFFSET, Set};
use crate::depthwise::Depthwise;
use crate::spans::{Run, Target};
use crate::stem::Stem;

/// Under Miri a kernel takes a million times as long.
const CASES: u32 = if cfg!(miri) { 4 } else { 192 };

/// Whole numbers that look random, the same for the same seed.
struct Dice(u64);

impl Dice {
    fn new(seed: u64) -> Self {
        Dice(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    /// Returns a number below `bound`.
    fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 20) % bound
    }

    /// Returns stored activations, the extremes among them.
    fn numbers(&mut self, len: usize) -> Vec<Number> {
        (0..len)
            .map(|_| match self.below(4) {
                0 => Number::MAX,
                1 => Number::MIN,
                _ => (self.below(256) as i32 - OFFSET) as Number,
            })
            .collect()
    }
}

/// A convolution with random weights, and the scales of its input and output.
struct Case {
    weights: Vec<f32>,
    bias: Vec<f32>,
    scales: Vec<f32>,
    input: Scale,
    output: Scale,
    relu: bool,
}

impl Case {
    /// Returns a case whose results spread over all 256 activations, and beyond them.
    fn new(dice: &mut Dice, [outputs, inputs]: [usize; 2], zero: u8, relu: bool) -> Self {
        let scales: Vec<f32> = (0..outputs).map(|_| 0.001 * (1 + dice.below(9)) as f32).collect();
        let whole: Vec<i32> = (0..outputs * inputs)
            .map(|_| match dice.below(4) {
                0 => 127,
                1 => -127,
                _ => dice.below(255) as i32 - 127,
            })
            .collect();
        let weights = whole.iter().enumerate().map(|(at, &whole)| whole as f32 * scales[at / inputs]).collect();
        let bias = (0..outputs).map(|_| dice.below(200) as f32 / 100.0 - 1.0).collect();
        let input = Scale { scale: 0.02, zero };
        let output = Scale { scale: 0.02 * (inputs as f32).sqrt(), zero: if relu { 0 } else { 117 } };
        Case { weights, bias, scales, input, output, relu }
    }

    fn quantised(&self) -> Quantised {
        let scales = Scales { input: self.input, output: self.output, weights: &self.scales };
        Quantised::new(&self.weights, &self.bias, &scales, self.relu).unwrap()
    }

    /// Returns the activation q of `output`, by the definition: the sum of `(q - zero) w` for pairs
    /// of activation and input.
    fn expected(&self, output: usize, pairs: impl Iterator<Item = (Number, usize)>) -> i32 {
        let (inputs, scale) = (self.weights.len() / self.bias.len(), self.scales[output]);
        let whole = |at: usize| (self.weights[output * inputs + at] / scale).round() as i64;
        let unit = f64::from(self.input.scale) * f64::from(scale);
        let bias = (f64::from(self.bias[output]) / unit).round_ties_even() as i64;
        let zero = i64::from(self.input.zero);
        let sum: i64 =
            bias + pairs.map(|(number, at)| (i64::from(number) + i64::from(OFFSET) - zero) * whole(at)).sum::<i64>();
        let factor = (unit / f64::from(self.output.scale)) as f32;
        ((sum as f32 * factor).round_ties_even() as i32 + i32::from(self.output.zero)).clamp(0, 255)
    }
}

/// Returns q of a stored activation.
fn q(number: Number) -> i32 {
    i32::from(number) + OFFSET
}

proptest! {
    #![proptest_config(ProptestConfig { cases: CASES, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn matrix_multiply_equals_the_definition(
        parts in prop::collection::vec((1_usize..40, 0_usize..9, 0_usize..9), 1..5),
        positions in 1_usize..40, outputs in 1_usize..70, zero: u8, relu: bool, seed: u64,
    ) {
        let mut at = 0;
        let runs: Vec<Run> = parts.iter().map(|&(length, before, after)| {
            let stride = before + length + after;
            let run = Run { offset: at + before, stride, length };
            at += stride * positions;
            run
        }).collect();
        let inputs: usize = runs.iter().map(|run| run.length).sum();
        let mut dice = Dice::new(seed);
        let case = Case::new(&mut dice, [outputs, inputs], zero, relu);
        let quantised = case.quantised();
        // The last input first: weights can be packed in any order.
        let order: Vec<usize> = (0..inputs).rev().collect();
        let arena = dice.numbers(at + 16 + positions * 100 + 32);
        let mut written: Option<Vec<Number>> = None;
        for set in Set::available().into_iter().rev() {
            let packed = set.pack(&quantised, &order, runs.iter().map(|run| run.length));
            let target = Target { offset: at + 16, stride: packed.padded() + seed as usize % 5 };
            let mut made = arena.clone();
            set.matmul(&mut made, &runs, target, positions, &packed);
            let read = |position: usize, output: usize| made[target.offset + position * target.stride + output];
            let these: Vec<Number> =
                (0..positions).flat_map(|position| (0..outputs).map(move |output| (position, output))).map(|(position, output)| read(position, output)).collect();
            // Nothing else is written.
            prop_assert_eq!(&made[..target.offset], &arena[..target.offset]);
            let end = target.offset + (positions - 1) * target.stride + packed.padded();
            prop_assert_eq!(&made[end..], &arena[end..]);
            match &written {
                Some(written) => prop_assert_eq!(&these, written, "{:?}", set),
                None => {
                    for (which, &number) in these.iter().enumerate() {
                        let (position, output) = (which / outputs, which % outputs);
                        let read = runs.iter().flat_map(|run| (0..run.length).map(move |channel| run.offset + position * run.stride + channel));
                        let expected = case.expected(output, read.map(|at| arena[at]).zip(order.iter().copied()));
                        prop_assert_eq!(q(number), expected, "output {} of position {}", output, position);
                    }
                    written = Some(these);
                }
            }
        }
    }

    #[test]
    fn depthwise_convolution_equals_the_definition(
        sides in (1_usize..5, 1_usize..18, 1_usize..18), video: bool, step in (1_usize..3, 1_usize..3, 1_usize..3),
        channels in 1_usize..40, before in 0_usize..9, relu: bool, seed: u64,
    ) {
        let conv = Depthwise {
            offset: before,
            stride: before + channels + 16,
            out_offset: 0,
            out_stride: channels + 16,
            input: [if video { sides.0 } else { 1 }, sides.1, sides.2],
            kernel: [if video { 3 } else { 1 }, 3, 3],
            step: [if video { step.0 } else { 1 }, step.1, step.2],
        };
        let taps = conv.kernel.iter().product::<usize>();
        let mut dice = Dice::new(seed);
        let case = Case::new(&mut dice, [channels, taps], 0, relu);
        let order: Vec<usize> = (0..channels).rev().collect();
        let quantised = case.quantised();
        let len = conv.input.iter().product::<usize>() * conv.stride + 32;
        let conv = Depthwise { out_offset: len, ..conv };
        let out = conv.output();
        let arena = dice.numbers(len + out.iter().product::<usize>() * conv.out_stride + 32);
        let mut expected = arena.clone();
        Set::Portable.depthwise(&mut expected, &conv, &Set::Portable.pack_depthwise(&quantised, &order));
        for (position, channel) in (0..out.iter().product::<usize>()).flat_map(|position| (0..channels).map(move |at| (position, at))) {
            let (z, y, x) = (position / out[2] / out[1], position / out[2] % out[1], position % out[2]);
            let at = |axis: usize, out: usize, tap: usize| (out * conv.step[axis] + tap).checked_sub(conv.kernel[axis] / 2).filter(|&at| at < conv.input[axis]);
            let pairs = (0..taps).filter_map(|tap| {
                let (z, y, x) = (at(0, z, tap / 9)?, at(1, y, tap / 3 % 3)?, at(2, x, tap % 3)?);
                Some((arena[conv.offset + ((z * conv.input[1] + y) * conv.input[2] + x) * conv.stride + channel], tap))
            });
            let number = expected[conv.out_offset + position * conv.out_stride + channel];
            prop_assert_eq!(q(number), case.expected(order[channel], pairs), "channel {} of position {}", channel, position);
        }
        for set in Set::available() {
            let mut made = arena.clone();
            set.depthwise(&mut made, &conv, &set.pack_depthwise(&quantised, &order));
            // The numbers that fill the last block have no meaning.
            let written = (0..out.iter().product::<usize>()).flat_map(|position| (0..16).map(move |at| (position, at)));
            for (position, at) in written.filter(|&(_, at)| at >= channels % 16 && channels % 16 != 0) {
                let place = conv.out_offset + position * conv.out_stride + channels / 16 * 16 + at;
                made[place] = expected[place];
            }
            prop_assert!(made == expected, "{:?}", set);
        }
    }

    #[test]
    fn stem_equals_the_definition_at_any_size(
        sides in (1_usize..6, 1_usize..30, 1_usize..30), video: bool, step in (1_usize..3, 1_usize..3),
        colours in 1_usize..5, outputs in 1_usize..30, zero: u8, seed: u64,
    ) {
        let stem = Stem {
            input: 16,
            sides: [if video { sides.0 } else { 1 }, sides.1, sides.2],
            colours,
            kernel: [if video { 3 } else { 1 }, 3, 3],
            step: [if video { step.0 } else { 1 }, step.1, 2],
            rows: 0,
            out: Target { offset: 0, stride: 0 },
        };
        let inputs = colours * stem.kernel.iter().product::<usize>();
        let mut dice = Dice::new(seed);
        let case = Case::new(&mut dice, [outputs, inputs], zero, true);
        // Values beyond the ends, between the steps and exactly at them.
        let data: Vec<f32> = (0..colours * stem.sides.iter().product::<usize>())
            .map(|_| (dice.below(1400) as f32 / 4.0 - f32::from(zero) - 40.0) * case.input.scale)
            .collect();
        let stored = |value: f32| ((value * (1.0 / case.input.scale)).round_ties_even() as i32 + i32::from(zero)).clamp(0, 255) - OFFSET;
        let convolved = stem.convolved();
        let pixel = |colour: usize, at: [usize; 3], tap: [usize; 3]| {
            let mut place = colour;
            for axis in 0..3 {
                let at = (at[axis] * stem.step[axis] + tap[axis]).checked_sub(stem.kernel[axis] / 2).filter(|&at| at < stem.sides[axis])?;
                place = place * stem.sides[axis] + at;
            }
            Some(stored(data[place]) as Number)
        };
        let convolution = |at: [usize; 3], output: usize| {
            let own = inputs / colours;
            let pairs = (0..inputs).filter_map(|tap| Some((pixel(tap / own, at, [tap % own / 9, tap / 3 % 3, tap % 3])?, tap)));
            case.expected(output, pairs)
        };
        for set in Set::available() {
            let packed = set.pack_stem(&case.quantised(), colours);
            let numbers = packed.padded();
            let rows = 16 + super::stem_input_len(&stem) + 16;
            let out = Target { offset: rows + stem.rows_len(numbers) + 16, stride: numbers + 3 };
            let stem = Stem { rows, out, ..stem.clone() };
            // A used arena.
            let mut arena = dice.numbers(stem.written(numbers) + 32);
            set.stem(&mut arena, &stem, &packed, &data);
            let pooled = stem.pooled();
            for position in 0..pooled.iter().product::<usize>() {
                let at = [position / pooled[2] / pooled[1], position / pooled[2] % pooled[1], position % pooled[2]];
                let seen = [0, 1, 2].map(|axis| if stem.kernel[axis] == 3 { (2 * at[axis]).saturating_sub(1)..(2 * at[axis] + 2).min(convolved[axis]) } else { at[axis]..at[axis] + 1 });
                let output = position % outputs;
                let most = seen[0].clone().flat_map(|z| seen[1].clone().map(move |y| (z, y))).flat_map(|(z, y)| seen[2].clone().map(move |x| [z, y, x]));
                let most = most.map(|at| convolution(at, output)).max().unwrap();
                prop_assert_eq!(q(arena[out.offset + position * out.stride + output]), most, "{:?} at {}", set, position);
            }
        }
    }

    #[test]
    fn mean_equals_the_definition(positions in 1_usize..50, channels in 1_usize..70, zero: u8, seed: u64) {
        let scale = Scale { scale: 0.037, zero };
        let input = Run { offset: 0, stride: channels + seed as usize % 9, length: channels };
        let target = Target { offset: (positions * input.stride).next_multiple_of(4), stride: 0 };
        let arena = Dice::new(seed).numbers(target.offset + 4 * channels);
        let means = |set: Set| {
            let mut arena = arena.clone();
            set.mean(&mut arena, input, target, positions, scale);
            let floats = arena[target.offset..].as_chunks::<4>().0.iter();
            floats.map(|bytes| f32::from_ne_bytes(bytes.map(|number| number.to_ne_bytes()[0]))).collect::<Vec<f32>>()
        };
        let expected = means(Set::Portable);
        for (channel, &mean) in expected.iter().enumerate() {
            let sum: i32 = (0..positions).map(|position| q(arena[position * input.stride + channel]) - i32::from(zero)).sum();
            let exact = f64::from(sum) / positions as f64 * 0.037;
            prop_assert!((f64::from(mean) - exact).abs() <= 1e-6 * exact.abs().max(1.0), "{} and {}", mean, exact);
        }
        for set in Set::available() {
            prop_assert_eq!(means(set), expected.clone(), "{:?}", set);
        }
    }
}

#[test]
fn scales_that_no_sum_can_have_are_refused() {
    let refused = |bias: f32, input: f32, output: f32, weights: &[f32]| {
        let scales =
            Scales { input: Scale { scale: input, zero: 0 }, output: Scale { scale: output, zero: 0 }, weights };
        Quantised::new(&[0.5, 0.25], &[bias], &scales, true).err()
    };
    assert_eq!(refused(1.0, 0.02, 0.02, &[0.01]), None);
    for (input, output, weight) in [(0.0, 1.0, 1.0), (1.0, -1.0, 1.0), (1.0, 1.0, f32::NAN), (f32::INFINITY, 1.0, 1.0)]
    {
        assert!(refused(1.0, input, output, &[weight]).is_some_and(|reason| reason.contains("positive")));
    }
    assert!(refused(1.0, 0.02, 0.02, &[0.01, 0.01]).is_some_and(|reason| reason.contains("each output")));
    // A ReLU that cuts above the smallest number.
    let shifted =
        Scales { input: Scale { scale: 1.0, zero: 9 }, output: Scale { scale: 1.0, zero: 9 }, weights: &[1.0] };
    let cut = |relu| Quantised::new(&[1.0], &[0.0], &shifted, relu).err();
    assert!(cut(true).is_some_and(|reason| reason.contains("ReLU")) && cut(false).is_none());
    // A channel without weights, whose bias takes the 31 bits that a quantiser leaves to it.
    let unit = 1.0 / (1 << 30) as f32;
    let dead =
        Scales { input: Scale { scale: 1.0, zero: 0 }, output: Scale { scale: 0.01, zero: 0 }, weights: &[unit] };
    let whole = Quantised::new(&[0.0, 0.0], &[1.0], &dead, true).unwrap();
    assert_eq!((whole.weights, whole.bias), (vec![0, 0], vec![1 << 30]));
    // A bias of 5 x 10^9 units, and results of 10^13 steps.
    assert!(refused(1e6, 0.02, 0.02, &[0.01]).is_some_and(|reason| reason.contains("32 bits")));
    assert!(refused(1.0, 1.0, 1e-13, &[0.01]).is_some_and(|reason| reason.contains("32 bits")));
}
