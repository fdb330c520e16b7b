//! Trains the network of the shot detector: evidence on the frames of videos whose transitions are
//! known, and gradient descent on it.
//!
//! The network is small enough that a plain loop trains it in minutes: AdamW (Loshchilov and
//! Hutter, 2019) with a rate that rises and falls once (Smith and Topin, 2019), on the cross
//! entropy of both outputs.

use divita_runtime::shots::{
    evidence::{EvidenceWindow, FrameEvidence, NUMBERS},
    transition_network::{FIRST, OUTPUTS, SECOND, WEIGHTS},
};
use rand_chacha::{
    ChaCha8Rng,
    rand_core::{Rng, SeedableRng},
};

use super::{film::Film, score::TransitionKind};
use crate::parallel::for_numbers;

/// Frames with the evidence on them and what they are.
#[derive(Clone, Debug, Default)]
pub struct Examples {
    /// (frames, NUMBERS).
    evidence: Vec<f32>,
    /// Of each frame whether a shot begins with it by a cut, and whether it lies between two shots.
    labels: Vec<[bool; OUTPUTS]>,
}

/// A way in which each film is learned from.
#[derive(Clone, Copy)]
struct Way {
    /// Whether only frames that others need are learned from, as they are decoded with less work.
    only_reference: bool,
    /// Of how many of them one, so that what is learned holds at low rates too.
    every: usize,
    /// Whether in colour, so that what is learned holds for films and cameras that have none.
    colour: bool,
}

const fn way(only_reference: bool, every: usize, colour: bool) -> Way {
    Way { only_reference, every, colour }
}

const WAYS: [Way; 6] = [
    way(false, 1, true),
    way(false, 2, true),
    way(false, 3, false),
    way(false, 5, true),
    way(true, 1, true),
    way(true, 1, false),
];
/// Frames a second that are left of a film, at least.
const LOWEST_RATE: f64 = 2.0;

impl Examples {
    /// Returns the examples of all `films`.
    pub fn of(films: &[Film]) -> Self {
        let mut examples = Examples::default();
        for film in films {
            for way in WAYS {
                let is_known = way.only_reference && film.is_reference.iter().all(|&is_reference| is_reference);
                if !is_known && (way.every == 1 || film.rate() >= LOWEST_RATE * way.every as f64) {
                    examples.add(film, way);
                }
            }
        }
        examples
    }

    /// Adds the frames of a film that `way` chooses.
    fn add(&mut self, film: &Film, way: Way) {
        let mut window = EvidenceWindow::default();
        // The numbers of the frames on which there is evidence.
        let mut compared = Vec::new();
        for at in film.decoded(way.only_reference).step_by(way.every) {
            let (time, signature) = &film.frames[at];
            let tell = |frame: FrameEvidence<'_>| self.evidence.extend_from_slice(frame.evidence);
            let signature = signature.clone();
            let signature = if way.colour { signature } else { signature.without_colour() };
            if window.push_signature(*time, signature, tell).compared {
                compared.push(at as u64);
            }
        }
        window.finish(|frame| self.evidence.extend_from_slice(frame.evidence));
        let mut labels = vec![[false; OUTPUTS]; compared.len()];
        for one in &film.truth.transitions {
            let transition = one.transition;
            // The first that is of the new shot, and those that are of neither.
            let first = compared.partition_point(|&frame| frame < transition.first);
            let between = compared.partition_point(|&frame| frame <= transition.last)..first;
            // What was gradual is a cut where no frame between is left.
            match transition.kind() {
                TransitionKind::Gradual if !between.is_empty() => {
                    labels[between].iter_mut().for_each(|label| label[1] = true);
                }
                _ => labels.iter_mut().skip(first).take(1).for_each(|label| label[0] = true),
            }
        }
        self.labels.extend(labels);
    }

    /// Returns the number of frames.
    pub fn len(&self) -> usize {
        self.labels.len()
    }

    /// Returns whether there are none.
    pub fn is_empty(&self) -> bool {
        self.labels.is_empty()
    }

    fn on(&self, frame: usize) -> &[f32] {
        &self.evidence[frame * NUMBERS..][..NUMBERS]
    }
}

/// How to train.
#[derive(Clone, Copy, Debug)]
pub struct Recipe {
    /// Networks that are trained, each from a beginning of its own.
    pub members: usize,
    /// Times that every frame is seen.
    pub epochs: usize,
    /// Of the weights at the start, the order of the frames, and what is left out; of the first
    /// member, each other's is one more.
    pub seed: u64,
    /// Highest rate.
    pub rate: f32,
    /// Weight decay.
    pub decay: f32,
    /// Share of the evidence that is left out each time, so that none is relied on alone.
    pub dropout: f32,
    /// How much more a cut weighs than a frame that is none, and a frame of a gradual transition.
    pub emphasis: [f32; OUTPUTS],
}

impl Default for Recipe {
    fn default() -> Self {
        Recipe { members: 3, epochs: 12, seed: 1, rate: 2e-3, decay: 1e-3, dropout: 0.05, emphasis: [4.0, 1.5] }
    }
}

/// Frames in a step.
const BATCH: usize = 256;

/// Where each layer's weights and biases begin.
const LAYERS: [(usize, usize, usize); 3] = [
    (0, NUMBERS, FIRST),
    (NUMBERS * FIRST + FIRST, FIRST, SECOND),
    (WEIGHTS - SECOND * OUTPUTS - OUTPUTS, SECOND, OUTPUTS),
];

/// Trains all members at once, as `TransitionNetwork::encode` takes them; `progress` gets the
/// member, the epoch and its mean loss.
pub fn fit(examples: &Examples, recipe: Recipe, progress: impl Fn(usize, usize, f32) + Sync) -> Vec<Vec<f32>> {
    let (mean, scale) = normalisation(examples);
    for_numbers(recipe.members, |member| {
        let random = ChaCha8Rng::seed_from_u64(recipe.seed + member as u64);
        fit_member(examples, &recipe, random, (&mean, &scale), |epoch, loss| progress(member, epoch, loss))
    })
}

fn fit_member(
    examples: &Examples,
    recipe: &Recipe,
    mut random: ChaCha8Rng,
    (mean, scale): (&[f32], &[f32]),
    progress: impl Fn(usize, f32),
) -> Vec<f32> {
    let mut weights = start(&mut random);
    let (mut first, mut second) = (vec![0.0f32; WEIGHTS], vec![0.0f32; WEIGHTS]);
    let mut order: Vec<usize> = (0..examples.len()).collect();
    let steps_an_epoch = examples.len().div_ceil(BATCH);
    let steps = (recipe.epochs * steps_an_epoch).max(1) as f32;
    let mut step = 0;
    let (mut gradient, mut input) = (vec![0.0f32; WEIGHTS], vec![0.0f32; NUMBERS]);
    for epoch in 0..recipe.epochs {
        // Fisher and Yates.
        for at in (1..order.len()).rev() {
            order.swap(at, (random.next_u64() % (at as u64 + 1)) as usize);
        }
        let mut loss = 0.0;
        for batch in order.chunks(BATCH) {
            gradient.fill(0.0);
            for &frame in batch {
                for ((to, x), (mean, scale)) in input.iter_mut().zip(examples.on(frame)).zip(mean.iter().zip(scale)) {
                    *to = (x - mean) * scale;
                }
                for values in input.chunks_mut(4) {
                    let bits = random.next_u64();
                    for (at, value) in values.iter_mut().enumerate() {
                        if f32::from((bits >> (16 * at)) as u16) < recipe.dropout * 65536.0 {
                            *value = 0.0;
                        }
                    }
                }
                loss += descend(
                    &weights,
                    &input,
                    examples.labels[frame],
                    recipe.emphasis,
                    1.0 / batch.len() as f32,
                    &mut gradient,
                );
            }
            step += 1;
            let rate = recipe.rate * one_cycle(step as f32 / steps);
            let corrections = (1.0 - 0.9f32.powi(step), 1.0 - 0.999f32.powi(step));
            for (((weight, gradient), first), second) in
                weights.iter_mut().zip(&gradient).zip(&mut first).zip(&mut second)
            {
                *first += 0.1 * (gradient - *first);
                *second += 0.001 * (gradient * gradient - *second);
                *weight -= rate
                    * (recipe.decay * *weight + (*first / corrections.0) / ((*second / corrections.1).sqrt() + 1e-8));
            }
        }
        progress(epoch + 1, loss / examples.len().max(1) as f32);
    }
    fold(weights, mean, scale)
}

/// Returns the mean and one over the standard deviation of each number.
fn normalisation(examples: &Examples) -> (Vec<f32>, Vec<f32>) {
    let (mut sums, mut squares) = (vec![0.0f64; NUMBERS], vec![0.0f64; NUMBERS]);
    for frame in 0..examples.len() {
        for (x, (sum, square)) in examples.on(frame).iter().zip(sums.iter_mut().zip(&mut squares)) {
            *sum += f64::from(*x);
            *square += f64::from(*x) * f64::from(*x);
        }
    }
    let count = examples.len().max(1) as f64;
    let deviation = |(sum, square): (&f64, &f64)| (square / count - (sum / count).powi(2)).max(0.0).sqrt();
    // What hardly ever differs must not be blown up.
    let scale = sums.iter().zip(&squares).map(|both| (1.0 / (deviation(both) + 0.02)) as f32).collect();
    (sums.iter().map(|sum| (sum / count) as f32).collect(), scale)
}

/// Returns the weights at random, uniform as wide as one over the root of the inputs.
fn start(random: &mut ChaCha8Rng) -> Vec<f32> {
    let mut weights = vec![0.0; WEIGHTS];
    for (at, inputs, outputs) in LAYERS {
        let width = 1.0 / (inputs as f32).sqrt();
        weights[at..at + inputs * outputs].iter_mut().for_each(|weight| *weight = width * (2.0 * unit(random) - 1.0));
    }
    weights
}

/// In [0, 1).
fn unit(random: &mut ChaCha8Rng) -> f32 {
    (random.next_u32() >> 8) as f32 / (1 << 24) as f32
}

/// Rises over the first three tenths and falls over the rest, both as a cosine.
fn one_cycle(share: f32) -> f32 {
    let ease = |t: f32| (1.0 - (std::f32::consts::PI * t.clamp(0.0, 1.0)).cos()) / 2.0;
    if share < 0.3 { 0.04 + 0.96 * ease(share / 0.3) } else { 1.0 - ease((share - 0.3) / 0.7) }
}

/// Returns the loss of one frame; adds `share` of its gradient.
fn descend(
    weights: &[f32],
    input: &[f32],
    labels: [bool; OUTPUTS],
    emphasis: [f32; OUTPUTS],
    share: f32,
    gradient: &mut [f32],
) -> f32 {
    let mut first = forward::<FIRST>(weights, LAYERS[0], input);
    first.iter_mut().for_each(|value| *value = value.max(0.0));
    let mut second = forward::<SECOND>(weights, LAYERS[1], &first);
    second.iter_mut().for_each(|value| *value = value.max(0.0));
    let logits = forward::<OUTPUTS>(weights, LAYERS[2], &second);
    let (mut loss, mut delta) = (0.0, [0.0; OUTPUTS]);
    for at in 0..OUTPUTS {
        let (logit, positive) = (logits[at], labels[at]);
        let weight = if positive { emphasis[at] } else { 1.0 };
        // ln(1 + exp(-|x|)) does not overflow.
        loss += weight * ((-logit.abs()).exp().ln_1p() + if positive { (-logit).max(0.0) } else { logit.max(0.0) });
        delta[at] = share * weight * (1.0 / (1.0 + (-logit).exp()) - f32::from(u8::from(positive)));
    }
    let mut delta_second = backward(weights, LAYERS[2], &second, &delta, gradient);
    delta_second.iter_mut().zip(&second).filter(|(_, value)| **value <= 0.0).for_each(|(delta, _)| *delta = 0.0);
    let delta_second: [f32; SECOND] = std::array::from_fn(|at| delta_second[at]);
    let mut delta_first = backward(weights, LAYERS[1], &first, &delta_second, gradient);
    delta_first.iter_mut().zip(&first).filter(|(_, value)| **value <= 0.0).for_each(|(delta, _)| *delta = 0.0);
    let delta_first: [f32; FIRST] = std::array::from_fn(|at| delta_first[at]);
    collect(LAYERS[0], input, &delta_first, gradient);
    loss
}

type Layer = (usize, usize, usize);

fn forward<const OUT: usize>(weights: &[f32], (at, inputs, _): Layer, input: &[f32]) -> [f32; OUT] {
    let mut sums = [0.0; OUT];
    sums.copy_from_slice(&weights[at + inputs * OUT..][..OUT]);
    for (&x, row) in input.iter().zip(weights[at..at + inputs * OUT].as_chunks::<OUT>().0) {
        sums.iter_mut().zip(row).for_each(|(sum, weight)| *sum += x * weight);
    }
    sums
}

/// Adds the layer's own gradient and gives that of its input.
fn backward<const OUT: usize>(
    weights: &[f32],
    layer: Layer,
    input: &[f32],
    delta: &[f32; OUT],
    gradient: &mut [f32],
) -> Vec<f32> {
    collect(layer, input, delta, gradient);
    let rows = weights[layer.0..layer.0 + layer.1 * OUT].as_chunks::<OUT>().0;
    rows.iter().map(|row| row.iter().zip(delta).map(|(weight, delta)| weight * delta).sum()).collect()
}

fn collect<const OUT: usize>((at, inputs, _): Layer, input: &[f32], delta: &[f32; OUT], gradient: &mut [f32]) {
    let (rows, biases) = gradient[at..at + inputs * OUT + OUT].split_at_mut(inputs * OUT);
    for (&x, row) in input.iter().zip(rows.as_chunks_mut::<OUT>().0) {
        row.iter_mut().zip(delta).for_each(|(gradient, delta)| *gradient += x * delta);
    }
    biases.iter_mut().zip(delta).for_each(|(gradient, delta)| *gradient += delta);
}

/// Returns the same network without normalisation of what it reads.
fn fold(mut weights: Vec<f32>, mean: &[f32], scale: &[f32]) -> Vec<f32> {
    let (rows, rest) = weights.split_at_mut(NUMBERS * FIRST);
    for (row, (mean, scale)) in rows.as_chunks_mut::<FIRST>().0.iter_mut().zip(mean.iter().zip(scale)) {
        for (weight, bias) in row.iter_mut().zip(&mut rest[..FIRST]) {
            *weight *= scale;
            *bias -= *weight * mean;
        }
    }
    weights
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;
    use divita_runtime::shots::transition_network::TransitionNetwork;

    /// Returns the frames of which some numbers say what they are.
    fn examples(count: usize) -> Examples {
        let mut random = ChaCha8Rng::seed_from_u64(3);
        let mut examples = Examples::default();
        for _ in 0..count {
            let mut evidence = vec![0.0; NUMBERS];
            evidence.iter_mut().for_each(|number| *number = unit(&mut random));
            examples.labels.push([evidence[3] + evidence[9] > 1.2, evidence[5] > 0.7]);
            examples.evidence.extend(evidence);
        }
        examples
    }

    #[test]
    fn gradients_are_those_of_differences() {
        let mut random = ChaCha8Rng::seed_from_u64(1);
        let weights: Vec<f32> = start(&mut random);
        let input: Vec<f32> = (0..NUMBERS).map(|_| 2.0 * unit(&mut random) - 1.0).collect();
        let loss = |weights: &[f32]| descend(weights, &input, [true, false], [4.0, 1.5], 0.0, &mut vec![0.0; WEIGHTS]);
        let mut gradient = vec![0.0; WEIGHTS];
        descend(&weights, &input, [true, false], [4.0, 1.5], 1.0, &mut gradient);
        for (layer, inputs, outputs) in LAYERS {
            // Some weights, and the biases.
            for at in (layer..layer + inputs * outputs + outputs).step_by((inputs * outputs / 50).max(1)) {
                let (mut up, mut down) = (weights.clone(), weights.clone());
                (up[at], down[at]) = (weights[at] + 1e-2, weights[at] - 1e-2);
                let slope = (loss(&up) - loss(&down)) / 2e-2;
                assert!((slope - gradient[at]).abs() < 2e-3 + 0.02 * slope.abs(), "{at}: {slope} {}", gradient[at]);
            }
        }
    }

    #[test]
    fn what_can_be_learned_is_learned_and_the_same_each_time() {
        let examples = examples(3000);
        let recipe = Recipe { members: 2, epochs: 40, ..Recipe::default() };
        let losses = Mutex::new(Vec::new());
        let weights = fit(&examples, recipe, |member, epoch, loss| losses.lock().unwrap().push((member, epoch, loss)));
        let mut losses = losses.into_inner().unwrap();
        losses.sort_by_key(|&(member, epoch, _)| (member, epoch));
        assert_eq!(losses.len(), 80);
        assert!(losses.chunks(40).all(|losses| losses[39].2 < 0.3 * losses[0].2), "{losses:?}");
        assert!(weights[0] != weights[1], "both are one");
        assert_eq!(weights, fit(&examples, recipe, |_, _, _| {}));
        let bytes = TransitionNetwork::encode(&weights).expect("as many as there are");
        let network = TransitionNetwork::read(&bytes).expect("good weights");
        let right = (0..examples.len()).filter(|&frame| {
            let evidence = examples.on(frame).try_into().expect("the evidence on a frame");
            let reading = network.run(evidence);
            [reading.cut > 0.5, reading.gradual > 0.5] == examples.labels[frame]
        });
        assert!(right.count() > 2700);
    }
}
