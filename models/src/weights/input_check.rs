//! Finds which preprocessing weights were trained with, from the statistics of the first batch
//! norm.
//!
//! A batch norm records the mean and the variance of its input in training. The first batch norm
//! reads the output of the first convolution, which is linear in the pixels. With the mean and the
//! covariance of natural patches (`natural_patches.json`, from
//! `models/reference/natural_patches.py`), the output's mean and variance under any normalisation
//! follow in closed form, without a picture. Under the right normalisation they are close to the
//! recorded ones.

use std::sync::OnceLock;

use divita_runtime::bundle::{Channels, StreamInput};
use serde::Deserialize;

use super::{
    Tensor, Weights,
    known_inputs::{KNOWN_INPUTS, KnownInput},
};
use crate::networks::{
    graph::Graph,
    op::{Conv, Op},
};

/// Misfits closer than this count as equal.
pub const EQUIVALENT: f64 = 0.1;

/// A misfit above this, with a better candidate, causes a warning.
const DOUBTFUL: f64 = 0.5;

/// How well a preprocessing explains the statistics of the first batch norm: medians over its
/// channels.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Fit {
    /// Distance of the means, in recorded standard deviations.
    pub mean: f64,
    /// Binary logarithm of the expected standard deviation over the recorded one.
    pub deviation: f64,
}

impl Fit {
    /// Returns one number for comparison: 0 for a perfect fit. Data sets differ more in brightness
    /// than in contrast, so the mean counts half.
    #[must_use]
    pub fn misfit(&self) -> f64 {
        0.5 * self.mean + self.deviation.abs()
    }
}

/// The fits of a declared preprocessing and of every known normalisation.
#[derive(Clone, Debug)]
pub struct InputCheck {
    /// Fit of the declared preprocessing.
    pub declared: Fit,
    /// Fits of the known normalisations, best first.
    pub known: Vec<(KnownInput, Fit)>,
}

impl InputCheck {
    /// Returns the known normalisation that fits best.
    #[must_use]
    pub fn best(&self) -> (KnownInput, Fit) {
        self.known[0]
    }

    /// Returns whether another normalisation fits so much better that the declared one is probably
    /// wrong.
    #[must_use]
    pub fn is_doubtful(&self) -> bool {
        let (_, best) = self.best();
        self.declared.misfit() > DOUBTFUL && self.declared.misfit() > best.misfit() + 3.0 * EQUIVALENT
    }

    /// Returns the declared preprocessing, or the best known one if that fits clearly better.
    #[must_use]
    pub fn choose(&self, declared: StreamInput) -> StreamInput {
        let (best, fit) = self.best();
        if self.declared.misfit() <= fit.misfit() + EQUIVALENT { declared } else { best.of(declared) }
    }
}

/// Compares `declared` and every known normalisation with the same order of channels against the
/// statistics of the first batch norm of `graph` in `weights`. Returns `None` where the network
/// does not begin with a convolution and a batch norm, as transformers.
#[must_use]
pub fn check(graph: &Graph, weights: &Weights, declared: StreamInput) -> Option<InputCheck> {
    let stem = Stem::of(graph, weights)?;
    let patches = Patches::of_size(declared.size)?;
    let declared_fit = stem.fit(patches, &declared)?;
    // The statistics of red and blue are too similar to find the order of the channels: keep the
    // declared one.
    let known = KNOWN_INPUTS.into_iter().filter(|known| known.channels == declared.channels);
    let fits = known.map(|known| Some((known, stem.fit(patches, &known.of(declared))?)));
    let mut known = fits.collect::<Option<Vec<_>>>()?;
    known.sort_by(|(_, a), (_, b)| a.misfit().total_cmp(&b.misfit()));
    Some(InputCheck { declared: declared_fit, known })
}

/// The first convolution of a network and the statistics of the batch norm after it.
struct Stem<'a> {
    conv: &'a Conv,
    kernel: &'a Tensor,
    mean: &'a Tensor,
    variance: &'a Tensor,
}

impl<'a> Stem<'a> {
    fn of(graph: &'a Graph, weights: &'a Weights) -> Option<Stem<'a>> {
        let (_, input) = *graph.inputs.first()?;
        let first = graph.layers.iter().find(|layer| layer.inputs.first() == Some(&input))?;
        let Op::Conv(conv) = &first.op else { return None };
        let norm = graph.layers.iter().find(|layer| layer.inputs.first() == first.outputs.first())?;
        let Op::BatchNorm { .. } = norm.op else { return None };
        let tensor = |layer: &str, part: &str| weights.0.get(&format!("{layer}.{part}"));
        let stem = Stem {
            conv,
            kernel: tensor(&first.name, "weight")?,
            mean: tensor(&norm.name, "running_mean")?,
            variance: tensor(&norm.name, "running_var")?,
        };
        let readable = conv.groups == 1 && !conv.bias && stem.kernel.shape.get(1) == Some(&3);
        readable.then_some(stem)
    }

    /// Returns the time, rows and columns of the kernel.
    fn sides(&self) -> Option<[usize; 3]> {
        match self.conv.kernel[..] {
            [rows, columns] => Some([1, rows, columns]),
            [times, rows, columns] => Some([times, rows, columns]),
            _ => None,
        }
    }

    /// Computes how well `input` explains the statistics.
    fn fit(&self, patches: &Patches, input: &StreamInput) -> Option<Fit> {
        let [times, rows, columns] = self.sides()?;
        if times > patches.times() || rows > patches.far() || columns > patches.far() {
            return None;
        }
        let plane = times * rows * columns;
        let place =
            |at: usize| (at / plane, at % plane / (rows * columns), at % (rows * columns) / columns, at % columns);
        let channel = |k: usize| match input.channels {
            Channels::Rgb => k,
            Channels::Bgr => 2 - k,
        };
        let scale: Vec<f64> = input.std.iter().map(|&std| 1.0 / (255.0 * f64::from(std))).collect();
        let centre = |k: usize| (patches.mean[channel(k)] / 255.0 - f64::from(input.mean[k])) / f64::from(input.std[k]);
        let length = 3 * plane;
        let covariance: Vec<f64> = (0..length * length)
            .map(|at| {
                let ((c, t, y, x), (d, u, v, w)) = (place(at / length), place(at % length));
                let apart = (t.abs_diff(u) * input.stride).min(patches.times() - 1);
                scale[c] * scale[d] * patches.covariance(channel(c), channel(d), apart, y.abs_diff(v), x.abs_diff(w))
            })
            .collect();
        let mut distances = Vec::new();
        let mut ratios = Vec::new();
        for (kernel, (mean, variance)) in
            self.kernel.data.chunks_exact(length).zip(self.mean.data.iter().zip(&self.variance.data))
        {
            let kernel: Vec<f64> = kernel.iter().map(|&weight| f64::from(weight)).collect();
            let expected: f64 = kernel.iter().enumerate().map(|(at, weight)| weight * centre(at / plane)).sum();
            let row = |at: usize| -> f64 {
                covariance[at * length..][..length].iter().zip(&kernel).map(|(value, weight)| value * weight).sum()
            };
            let spread: f64 = kernel.iter().enumerate().map(|(at, weight)| weight * row(at)).sum();
            let recorded = f64::from(*variance).sqrt();
            // A channel that died in training has no information.
            if recorded > 1e-6 && spread > 0.0 && recorded.is_finite() {
                distances.push((expected - f64::from(*mean)).abs() / recorded);
                ratios.push((spread.sqrt() / recorded).log2());
            }
        }
        Some(Fit { mean: median(distances)?, deviation: median(ratios)? })
    }
}

/// Returns the middle of `values`.
fn median(mut values: Vec<f64>) -> Option<f64> {
    values.retain(|value| value.is_finite());
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied()
}

/// Mean and covariance of natural RGB patches at one size of pictures, in values from 0 to 255.
#[derive(Debug, Deserialize)]
struct Patches {
    mean: [f64; 3],
    /// Of the pairs RR, RG, RB, GG, GB, BB: by distance in frames, rows and columns.
    covariance: [Vec<Vec<Vec<f64>>>; 6],
}

impl Patches {
    /// Returns those of pictures of about `size` pixels; `None` where the table cannot be read.
    fn of_size(size: usize) -> Option<&'static Patches> {
        #[derive(Deserialize)]
        struct Table {
            #[serde(rename = "224")]
            large: Patches,
            #[serde(rename = "112")]
            small: Patches,
        }
        static TABLE: OnceLock<Option<Table>> = OnceLock::new();
        let table = TABLE.get_or_init(|| serde_json::from_str(include_str!("natural_patches.json")).ok());
        table.as_ref().map(|table| if size > 160 { &table.large } else { &table.small })
    }

    fn times(&self) -> usize {
        self.covariance[0].len()
    }

    fn far(&self) -> usize {
        self.covariance[0].first().map_or(0, Vec::len)
    }

    fn covariance(&self, a: usize, b: usize, time: usize, row: usize, column: usize) -> f64 {
        const PAIRS: [[usize; 3]; 3] = [[0, 1, 2], [1, 3, 4], [2, 4, 5]];
        self.covariance[PAIRS[a][b]][time][row][column]
    }
}
