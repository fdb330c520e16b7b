//! Compares every kernel in every set of instructions of this processor with the safe reference,
//! bit by bit, and the references with sums in double precision. Runs whole networks of random
//! layers through both. Half precision must agree within 1e-2.

use proptest::prelude::*;

use crate::attention::{self, Attention};
use crate::depthwise::{self, Depthwise, DepthwiseWeights};
use crate::instructions::Instructions;
use crate::layers::{Builder, Layers};
use crate::matmul::{self, Gathered};
use crate::norm::{self, NormWeights};
use crate::plan::Plan;
use crate::spans::{Run, Target};
use crate::stem::Stem;
use crate::weights::{self, Packed, Weights};

/// Under Miri a kernel takes a million times as long.
const CASES: u32 = if cfg!(miri) { 4 } else { 192 };

/// Returns numbers between -1 and 1, the same for the same seed.
fn numbers(seed: u64, len: usize) -> Vec<f32> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 40) as f32 / (1_u32 << 23) as f32 - 1.0
    };
    (0..len).map(|_| next()).collect()
}

/// Asserts that the numbers are finite and equal, bit by bit.
fn assert_same(a: &[f32], b: &[f32], what: &str) {
    for (at, (a, b)) in a.iter().zip(b).enumerate() {
        assert!(a.to_bits() == b.to_bits() && a.is_finite(), "{what}: {a} and {b} at {at}");
    }
}

/// Asserts that the numbers agree within 1e-5 of the largest.
fn assert_close(a: &[f32], b: &[f64], what: &str) {
    let scale = b.iter().fold(1.0_f64, |most, value| most.max(value.abs()));
    for (at, (&a, b)) in a.iter().zip(b).enumerate() {
        assert!((f64::from(a) - b).abs() <= 1e-5 * scale, "{what}: {a} and {b} at {at}");
    }
}

/// Runs a kernel on a copy of `arena` in half precision and returns the copy.
fn in_half(with: Instructions, arena: &[f32], run: impl FnOnce(&mut [f32])) -> Vec<f32> {
    let len = arena.len().next_multiple_of(4);
    let mut half = with.arena(len);
    with.write(&mut half, 0, arena);
    run(&mut half);
    let mut made = vec![0.0; len];
    with.read(&half, 0, &mut made);
    made.truncate(arena.len());
    made
}

/// Asserts that the numbers at `places`, inside the range that the kernel writes, agree within 1e-2
/// of the largest, and that the numbers outside this range are those of `arena`.
fn assert_half(
    made: &[f32],
    expected: &[f32],
    arena: &[f32],
    written: std::ops::Range<usize>,
    places: impl Iterator<Item = usize>,
) {
    let places: Vec<usize> = places.collect();
    let scale = places.iter().fold(1.0_f32, |most, &at| most.max(expected[at].abs()));
    for at in places {
        let (made, expected) = (made[at], expected[at]);
        assert!(
            (made - expected).abs() <= 1e-2 * scale,
            "half precision: {made} and {expected} at {at}, of at most {scale}"
        );
    }
    for at in (0..written.start).chain(written.end..arena.len()) {
        assert!((made[at] - arena[at]).abs() <= 5e-4 * arena[at].abs().max(1e-3), "written at {at}");
    }
}

/// Returns weights in floats alone.
fn floats<'a>(data: &'a [f32], bias: &'a [f32]) -> Weights<'a> {
    Weights { data, bias, quantised: None }
}

/// Returns what a set of floats packed.
fn plain(packed: &Packed) -> &matmul::Packed {
    let Packed::Float(packed) = packed else { panic!("{packed:?}") };
    packed
}

/// Returns what a set of floats packed for a depthwise convolution.
fn plain_depthwise(packed: &weights::DepthwiseWeights) -> &DepthwiseWeights {
    let weights::DepthwiseWeights::Float(packed) = packed else { panic!("{packed:?}") };
    packed
}

/// Returns the runs of a layer.
fn runs() -> impl Strategy<Value = Vec<(usize, usize, usize)>> {
    // (length, floats before it, floats after it) in a stride.
    prop::collection::vec((1_usize..40, 0_usize..9, 0_usize..9), 1..5)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: CASES, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn matrix_multiply_equals_the_reference(parts in runs(), positions in 1_usize..40, outputs in 1_usize..70, relu: bool, seed: u64) {
        let mut at = 0;
        let runs: Vec<Run> = parts.iter().map(|&(length, before, after)| {
            let stride = before + length + after;
            let run = Run { offset: at + before, stride, length };
            at += stride * positions;
            run
        }).collect();
        let inputs: usize = runs.iter().map(|run| run.length).sum();
        let (weights, bias) = (numbers(seed, outputs * inputs), numbers(seed ^ 1, outputs));
        // The last input first: weights can be packed in any order.
        let order: Vec<usize> = (0..inputs).rev().collect();
        for with in Instructions::available() {
            let packed = with.pack(floats(&weights, &bias), &order, [inputs]);
            let target = Target { offset: at + 16, stride: packed.padded() + seed as usize % 5 };
            let mut expected = numbers(seed ^ 2, target.offset + positions * target.stride + 32);
            let mut arena = expected.clone();
            matmul::reference(&mut expected, &Gathered(&runs), target, positions, plain(&packed), relu);
            let sums: Vec<f64> = (0..positions * outputs).map(|which| {
                let (position, output) = (which / outputs, which % outputs);
                let read = runs.iter().flat_map(|run| (0..run.length).map(move |channel| run.offset + position * run.stride + channel));
                let sum = read.zip(&order).fold(f64::from(bias[output]), |sum, (at, &input)| {
                    sum + f64::from(arena[at]) * f64::from(weights[output * inputs + input])
                });
                if relu { sum.max(0.0) } else { sum }
            }).collect();
            let written: Vec<f32> =
                (0..positions * outputs).map(|which| expected[target.offset + which / outputs * target.stride + which % outputs]).collect();
            assert_close(&written, &sums, "the reference");
            with.matmul(&mut arena, &runs, target, positions, &packed, relu);
            // Nothing else is written either.
            assert_same(&arena, &expected, &format!("{with:?}"));
        }
        if let Some(with) = Instructions::half() {
            let packed = with.pack(floats(&weights, &bias), &order, [inputs]);
            let target = Target { offset: at + 16, stride: packed.padded() };
            let arena = numbers(seed ^ 2, target.offset + positions * target.stride + 32);
            let mut expected = arena.clone();
            let single = Instructions::PORTABLE.pack(floats(&weights, &bias), &order, [inputs]);
            matmul::reference(&mut expected, &Gathered(&runs), target, positions, plain(&single), relu);
            let made = in_half(with, &arena, |arena| with.matmul(arena, &runs, target, positions, &packed, relu));
            let places = (0..positions * outputs).map(|which| target.offset + which / outputs * target.stride + which % outputs);
            assert_half(&made, &expected, &arena, target.offset..target.offset + positions * target.stride, places);
        }
    }

    #[test]
    fn depthwise_convolution_equals_the_reference(
        sides in (1_usize..5, 1_usize..18, 1_usize..18), video: bool, step in (1_usize..3, 1_usize..3, 1_usize..3),
        channels in 1_usize..40, before in 0_usize..9, seed: u64,
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
        let (weights, bias) = (numbers(seed, channels * taps), numbers(seed ^ 1, channels));
        let order: Vec<usize> = (0..channels).rev().collect();
        let len = conv.input.iter().product::<usize>() * conv.stride + 32;
        let conv = Depthwise { out_offset: len, ..conv };
        let out = conv.output();
        for with in Instructions::available() {
            let packed = with.pack_depthwise(floats(&weights, &bias), &order);
            let mut expected = numbers(seed ^ 2, len + out.iter().product::<usize>() * conv.out_stride + 32);
            let mut arena = expected.clone();
            depthwise::reference(&mut expected, &conv, plain_depthwise(&packed), with.width());
            for (position, channel) in (0..out.iter().product::<usize>()).flat_map(|position| (0..channels).map(move |at| (position, at))) {
                let (z, y, x) = (position / out[2] / out[1], position / out[2] % out[1], position % out[2]);
                let at = |axis: usize, out: usize, tap: usize| (out * conv.step[axis] + tap).checked_sub(conv.kernel[axis] / 2).filter(|&at| at < conv.input[axis]);
                let mut sum = f64::from(bias[order[channel]]);
                for tap in 0..taps {
                    let (tz, ty, tx) = (tap / 9, tap / 3 % 3, tap % 3);
                    let (Some(z), Some(y), Some(x)) = (at(0, z, tz), at(1, y, ty), at(2, x, tx)) else { continue };
                    let input = arena[conv.offset + ((z * conv.input[1] + y) * conv.input[2] + x) * conv.stride + channel];
                    sum += f64::from(input) * f64::from(weights[order[channel] * taps + tap]);
                }
                assert_close(&[expected[len + position * conv.out_stride + channel]], &[sum], "the reference");
            }
            with.depthwise(&mut arena, &conv, &packed);
            assert_same(&arena, &expected, &format!("{with:?}"));
        }
        if let Some(with) = Instructions::half() {
            let positions = out.iter().product::<usize>();
            let arena = numbers(seed ^ 2, len + positions * conv.out_stride + 32);
            let mut expected = arena.clone();
            depthwise::reference(&mut expected, &conv, &DepthwiseWeights::new(&weights, &bias, &order, 1), 1);
            let packed = with.pack_depthwise(floats(&weights, &bias), &order);
            let made = in_half(with, &arena, |arena| with.depthwise(arena, &conv, &packed));
            let places = (0..positions * channels).map(|which| len + which / channels * conv.out_stride + which % channels);
            assert_half(&made, &expected, &arena, len..len + positions * conv.out_stride, places);
        }
    }

    #[test]
    fn stem_equals_the_reference_at_any_size(sides in (1_usize..6, 1_usize..30, 1_usize..30), video: bool, step in (1_usize..3, 1_usize..3), colours in 1_usize..4, outputs in prop_oneof![1_usize..30, Just(24)], seed: u64) {
        let stem = Stem {
            input: 0,
            sides: [if video { sides.0 } else { 1 }, sides.1, sides.2],
            colours,
            kernel: [if video { 3 } else { 1 }, 3, 3],
            step: [if video { step.0 } else { 1 }, step.1, 2],
            rows: 0,
            out: Target { offset: 0, stride: 0 },
        };
        let inputs = colours * stem.kernel.iter().product::<usize>();
        let (weights, bias) = (numbers(seed, outputs * inputs), numbers(seed ^ 1, outputs));
        let data = numbers(seed ^ 2, colours * stem.sides.iter().product::<usize>());
        for with in Instructions::available() {
            let packed = with.pack_stem(floats(&weights, &bias), colours);
            let rows = stem.input_len() + 16;
            let out = Target { offset: rows + stem.rows_len(packed.padded()) + 16, stride: packed.padded() };
            let stem = Stem { rows, out, ..stem.clone() };
            let mut arena = vec![0.0; stem.end(packed.padded()) + 16];
            let mut expected = arena.clone();
            let (convolved, pooled) = (stem.convolved(), stem.pooled());
            let taps: Vec<_> = (0..convolved[0]).map(|z| stem.taps(z)).collect();
            Instructions::PORTABLE.stem(&mut expected, &stem, &taps, &packed, &data);
            let pixel = |colour: usize, at: [usize; 3], tap: [usize; 3]| {
                let mut place = colour;
                for axis in 0..3 {
                    let at = (at[axis] * stem.step[axis] + tap[axis]).checked_sub(stem.kernel[axis] / 2).filter(|&at| at < stem.sides[axis])?;
                    place = place * stem.sides[axis] + at;
                }
                Some(f64::from(data[place]))
            };
            let convolution = |at: [usize; 3], output: usize| {
                let mut sum = f64::from(bias[output]);
                for tap in 0..inputs {
                    let own = inputs / colours;
                    let value = pixel(tap / own, at, [tap % own / 9, tap / 3 % 3, tap % 3]);
                    sum += value.unwrap_or(0.0) * f64::from(weights[output * inputs + tap]);
                }
                sum.max(0.0)
            };
            for position in 0..pooled.iter().product::<usize>() {
                let at = [position / pooled[2] / pooled[1], position / pooled[2] % pooled[1], position % pooled[2]];
                let seen = [0, 1, 2].map(|axis| if stem.kernel[axis] == 3 { (2 * at[axis]).saturating_sub(1)..(2 * at[axis] + 2).min(convolved[axis]) } else { at[axis]..at[axis] + 1 });
                let output = position % outputs;
                let mut most = 0.0_f64;
                for z in seen[0].clone() {
                    for y in seen[1].clone() {
                        for x in seen[2].clone() {
                            most = most.max(convolution([z, y, x], output));
                        }
                    }
                }
                assert_close(&[expected[out.offset + position * out.stride + output]], &[most], "the reference");
            }
            with.stem(&mut arena, &stem, &taps, &packed, &data);
            assert_same(&arena[out.offset..], &expected[out.offset..], &format!("{with:?}"));
        }
        if let Some(with) = Instructions::half() {
            let packed = with.pack_stem(floats(&weights, &bias), colours);
            let rows = stem.input_len() + 16;
            let out = Target { offset: rows + stem.rows_len(packed.padded()) + 16, stride: packed.padded() };
            let stem = Stem { rows, out, ..stem };
            let arena = vec![0.0; stem.end(packed.padded()) + 16];
            let positions = stem.pooled().iter().product::<usize>();
            let taps: Vec<_> = (0..stem.convolved()[0]).map(|z| stem.taps(z)).collect();
            let mut expected = arena.clone();
            Instructions::PORTABLE.stem(&mut expected, &stem, &taps, &Instructions::PORTABLE.pack_stem(floats(&weights, &bias), colours), &data);
            // The held planes and kept rows are not part of the output.
            let made = in_half(with, &arena, |arena| with.stem(arena, &stem, &taps, &packed, &data));
            let places = (0..positions * outputs).map(|which| out.offset + which / outputs * out.stride + which % outputs);
            assert_half(&made, &expected, &arena, 0..out.offset + positions * out.stride, places);
        }
    }

    #[test]
    fn attention_equals_the_reference_at_any_size(positions in 1_usize..40, heads in 1_usize..5, part in 1_usize..40, seed: u64) {
        let channels = heads * part;
        let stride = channels + 3;
        let run = |at: usize| Run { offset: at * positions * stride, stride, length: channels };
        let input = [run(0), run(1), run(2)];
        let (target, attention) = (Target { offset: 3 * positions * stride, stride }, Attention { heads });
        let room = 4 * positions * stride;
        let mut expected = numbers(seed, room + attention.room(positions, channels));
        expected[..stride * positions].iter_mut().for_each(|query| *query *= 9.0);
        let arena = expected.clone();
        attention::run(&mut expected, &attention, &input, target, positions, room);
        let at = |run: &Run, position: usize, channel: usize| f64::from(arena[run.offset + position * run.stride + channel]);
        for (position, channel) in (0..positions).flat_map(|position| (0..channels).map(move |at| (position, at))) {
            let own = channel / part * part..(channel / part + 1) * part;
            let scores: Vec<f64> =
                (0..positions).map(|other| own.clone().map(|at_| at(&input[0], position, at_) * at(&input[1], other, at_)).sum()).collect();
            let most = scores.iter().copied().fold(f64::NEG_INFINITY, f64::max);
            let total: f64 = scores.iter().map(|score| (score - most).exp()).sum();
            let mixed: f64 = scores.iter().enumerate().map(|(other, score)| (score - most).exp() / total * at(&input[2], other, channel)).sum();
            assert_close(&[expected[target.offset + position * stride + channel]], &[mixed], "the reference");
        }
        for with in Instructions::available() {
            let mut arena = arena.clone();
            with.attention(&mut arena, &attention, &input, target, positions, room);
            assert_same(&arena[..room], &expected[..room], &format!("{with:?}"));
        }
    }

    #[test]
    fn sum_and_norm_equal_the_reference(positions in 1_usize..9, channels in 2_usize..70, seed: u64) {
        let stride = channels + 2;
        let run = |at: usize| Run { offset: at * positions * stride, stride, length: channels };
        let (input, target) = ([run(0), run(1)], Target { offset: 2 * positions * stride, stride });
        let weights = NormWeights { scale: numbers(seed, channels), shift: numbers(seed ^ 1, channels), epsilon: 1e-5 };
        let mut expected = numbers(seed ^ 2, 3 * positions * stride);
        let arena = expected.clone();
        norm::run(&mut expected, &weights, &input, target, positions);
        for position in 0..positions {
            let sums: Vec<f64> =
                (0..channels).map(|at| f64::from(arena[position * stride + at]) + f64::from(arena[(positions + position) * stride + at])).collect();
            let mean = sums.iter().sum::<f64>() / channels as f64;
            let variance = sums.iter().map(|sum| (sum - mean).powi(2)).sum::<f64>() / channels as f64;
            let normed: Vec<f64> = sums.iter().enumerate().map(|(at, sum)| {
                (sum - mean) / (variance + 1e-5).sqrt() * f64::from(weights.scale[at]) + f64::from(weights.shift[at])
            }).collect();
            // Two nearly equal channels are divided by almost zero.
            if variance > 1e-3 {
                assert_close(&expected[target.offset + position * stride..][..channels], &normed, "the reference");
            }
        }
        for with in Instructions::available() {
            let mut arena = arena.clone();
            with.add_norm(&mut arena, &weights, &input, target, positions);
            assert_same(&arena, &expected, &format!("{with:?}"));
        }
    }
}

/// Number of outputs of [`network`].
const OUTPUTS: usize = 37;

/// Returns a network of a stem, units that split, join and shuffle, and a mean. Its widths are no
/// multiples of a vector.
fn network(with: Instructions, video: bool, seed: u64) -> Layers {
    let time = if video { 3 } else { 1 };
    let kernel = [time, 3, 3];
    let mut seeds = seed..;
    let mut weights = |outputs: usize, inputs: usize| {
        let scale = (3.0 / inputs as f32).sqrt();
        let data =
            numbers(seeds.next().unwrap_or(seed), outputs * inputs).iter().map(|number| number * scale).collect();
        (data, numbers(seeds.next().unwrap_or(seed), outputs))
    };
    let of = |pair: &(Vec<f32>, Vec<f32>)| -> (Vec<f32>, Vec<f32>) { pair.clone() };
    let mut builder = Builder::new(with);
    macro_rules! layer {
        ($outputs:expr, $inputs:expr, |$weights:ident| $make:expr) => {{
            let (data, bias) = of(&weights($outputs, $inputs));
            let $weights = floats(&data, &bias);
            $make
        }};
    }
    let mut x = layer!(13, 27 * time, |w| builder.stem(3, kernel, [1, 2, 2], w));
    let mut half = 11;
    for stage in 0..2 {
        for unit in 0..3 {
            let step = if unit == 0 { [time.min(2), 2, 2] } else { [1; 3] };
            let (kept, source) = if unit == 0 {
                let count = x.len();
                let y = layer!(count, 9 * time, |w| builder.depthwise(&x, kernel, step, w));
                (layer!(half, count, |w| builder.pointwise(&y, w, true)), x.clone())
            } else {
                (x[..half].to_vec(), x[half..].to_vec())
            };
            let y = layer!(half, source.len(), |w| builder.pointwise(&source, w, true));
            let y = layer!(half, 9 * time, |w| builder.depthwise(&y, kernel, step, w));
            let y = layer!(half, half, |w| builder.pointwise(&y, w, stage == 0));
            // A channel shuffle.
            x = kept.iter().zip(&y).flat_map(|(a, b)| [*a, *b]).collect();
        }
        half = 21;
    }
    let y = layer!(OUTPUTS, x.len(), |w| builder.pointwise(&x, w, true));
    let mean = builder.mean(&y, None);
    builder.finish(&mean, 1)
}

#[test]
fn networks_give_the_same_bits_with_all_instructions_and_in_a_used_arena() {
    let sizes: &[[usize; 3]] =
        if cfg!(miri) { &[[1, 13, 9]] } else { &[[1, 64, 48], [1, 33, 17], [5, 33, 31], [1, 1, 1], [2, 3, 70]] };
    for (seed, &sides) in (1..).zip(sizes) {
        let video = sides[0] > 1;
        let input = numbers(seed, 3 * sides.iter().product::<usize>());
        let other = numbers(seed ^ 77, input.len());
        let run = |with: Instructions| {
            let plan = Plan::new(&network(with, video, seed), sides).unwrap();
            let mut arena = plan.arena();
            let mut output = vec![0.0; OUTPUTS];
            plan.run(&mut arena, &other, &mut output);
            plan.run(&mut arena, &input, &mut output);
            output
        };
        let portable = Plan::new(&network(Instructions::PORTABLE, video, seed), sides).unwrap();
        let mut expected = vec![0.0; OUTPUTS];
        portable.run(&mut portable.arena(), &input, &mut expected);
        assert!(expected.iter().any(|value| *value > 0.0), "{sides:?}");
        for with in Instructions::available() {
            assert_same(&run(with), &expected, &format!("{with:?} {sides:?}"));
        }
        if let Some(with) = Instructions::half() {
            assert_half(&run(with), &expected, &expected, 0..OUTPUTS, 0..OUTPUTS);
        }
    }
}
