//! Weights drawn from a seed, identical on every machine: for untrained networks, and to begin
//! training with.
//!
//! Each network has its own ChaCha8 stream, keyed by the seed and the network's role, and draws its
//! weights in the order of its layers. A draw is an odd integer k in (-2^24, 2^24), taken as the
//! exact fraction k / 2^24. The arithmetic is addition, multiplication, division and square root in
//! IEEE 754, which prescribes every bit of their results. It avoids logarithms and cosines, which a
//! normal distribution would need.

use rand_chacha::{
    ChaCha8Rng,
    rand_core::{Rng, SeedableRng},
};

use super::{Tensor, Weights};
use crate::networks::graph::{Graph, Role, WeightSpec};

/// Draws every weight of `graph`. `stream` names the role of the network, such as `image` or
/// `video_head` (at most 24 bytes are used), so that two networks of one description get different
/// weights.
#[must_use]
pub fn seeded(graph: &Graph, seed: u64, stream: &str) -> Weights {
    let mut rng = keyed(seed, stream);
    let draw = |spec: WeightSpec| {
        let data = values(&spec, &mut rng);
        (spec.name, Tensor { shape: spec.shape, data })
    };
    Weights(graph.weights().into_iter().map(draw).collect())
}

/// Draws the weights that training of `graph` begins with, like torch's linear and convolutional
/// layers: matrices, kernels and their biases are uniform in plus or minus one over the root of the
/// fan-in, and norms are the identity. `stream` is as in [`seeded`].
#[must_use]
pub fn initial(graph: &Graph, seed: u64, stream: &str) -> Weights {
    let mut rng = keyed(seed, stream);
    // Width of the next bias: that of the kernel before it, or 0 after a scale.
    let mut width = 0.0;
    let mut draw = |spec: WeightSpec| {
        let count: usize = spec.shape.iter().product();
        let data = match spec.role {
            Role::Kernel { .. } => {
                width = 1.0 / ((count / spec.shape[0]) as f64).sqrt();
                (0..count).map(|_| (width * uniform(&mut rng)) as f32).collect()
            }
            Role::Bias => (0..count).map(|_| (width * uniform(&mut rng)) as f32).collect(),
            Role::Mean => vec![0.0; count],
            Role::Scale | Role::Variance => {
                width = 0.0;
                vec![1.0; count]
            }
        };
        (spec.name, Tensor { shape: spec.shape, data })
    };
    Weights(graph.weights().into_iter().map(&mut draw).collect())
}

/// Creates the generator of one network.
fn keyed(seed: u64, stream: &str) -> ChaCha8Rng {
    let mut key = [0; 32];
    key[..8].copy_from_slice(&seed.to_le_bytes());
    key[8..].iter_mut().zip(stream.bytes()).for_each(|(to, from)| *to = from);
    ChaCha8Rng::from_seed(key)
}

fn values(spec: &WeightSpec, rng: &mut ChaCha8Rng) -> Vec<f32> {
    let count: usize = spec.shape.iter().product();
    let mut around =
        |centre: f64, spread: f64, n: usize| -> Vec<f64> { (0..n).map(|_| centre + spread * uniform(rng)).collect() };
    let values = match spec.role {
        Role::Kernel { rectified } => kernel(&mut around(0.0, 1.0, count), spec.shape[0], rectified),
        Role::Bias | Role::Mean => around(0.0, 0.2, count),
        Role::Scale => around(1.0, 0.2, count),
        Role::Variance => around(1.0, 0.4, count),
    };
    values.into_iter().map(|value| value as f32).collect()
}

/// Scales draws as He (2015): the variance of a weight is 1 / fan-in, or twice that after a ReLU,
/// which halves the second moment.
fn kernel(draws: &mut [f64], outputs: usize, rectified: bool) -> Vec<f64> {
    let fan_in = draws.len() / outputs;
    // A uniform draw in (-1, 1) has variance 1/3.
    let scale = (if rectified { 6.0 } else { 3.0 } / fan_in as f64).sqrt();
    draws.iter().map(|draw| draw * scale).collect()
}

/// Draws a number uniformly from (-1, 1): never zero, exact in single precision.
fn uniform(rng: &mut ChaCha8Rng) -> f64 {
    let k = i64::from(rng.next_u32() >> 8); // 24 bits
    (2 * k + 1 - (1 << 24)) as f64 / f64::from(1 << 24)
}
