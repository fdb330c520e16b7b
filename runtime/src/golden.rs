//! Golden outputs: a fixed input in a bundle, and the outputs of its networks on the computer that
//! built the bundle. They show whether a board computes the same.

use std::borrow::Cow;
use std::collections::BTreeMap;

use safetensors::tensor::{Dtype, SafeTensorError, SafeTensors, View, serialize};
use thiserror::Error;

use crate::bundle::{Bundle, GOLDEN_FILE, Streams};
use crate::executor::Executor;
use crate::heads::Snippets;
use crate::network::{NetworkError, Networks};
use crate::preprocess::Picture;
use crate::sampler::WorkingRate;

/// Largest difference that counts as equal in single precision: of a feature relative to the
/// largest of its vector, and of a probability. Processors that sum in different orders stay well
/// below it.
const TOLERANCE: f32 = 1e-3;

/// The same for backbones in half precision, which round every sum to 11 bits.
const HALF_TOLERANCE: f32 = 1e-2;

/// Names of tensors in the file.
const IMAGE_INPUT: &str = "image.input";
const IMAGE_FEATURES: &str = "image.features";
const VIDEO_INPUT: &str = "video.input";
const VIDEO_FEATURES: &str = "video.features";
const PROBABILITIES: &str = "probabilities";

/// The same of backbones in eight bits. Every processor computes these backbones byte by byte
/// alike.
const IMAGE_FEATURES_INT8: &str = "image.features.int8";
const VIDEO_FEATURES_INT8: &str = "video.features.int8";
const PROBABILITIES_INT8: &str = "probabilities.int8";

/// Why golden outputs could not be recorded or replayed.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum GoldenError {
    /// The bundle contains no golden outputs.
    #[error("the bundle has no {GOLDEN_FILE} to compare with; rebuild the bundle")]
    Absent,
    /// The file cannot be read.
    #[error("cannot read {GOLDEN_FILE}: {0}; rebuild the bundle")]
    Format(#[from] SafeTensorError),
    /// The file does not match the networks.
    #[error("{GOLDEN_FILE} has no tensor {0} of the right shape; rebuild the bundle")]
    Tensor(&'static str),
    /// A network cannot be prepared or fails.
    #[error(transparent)]
    Network(#[from] NetworkError),
}

/// One comparison of a replay.
#[derive(Clone, Debug, PartialEq)]
pub struct Comparison {
    /// Name of the compared output.
    pub name: &'static str,
    /// Number of compared values.
    pub values: usize,
    /// Largest difference, relative to the largest expected magnitude if that is above 1.
    pub worst: f32,
    /// Largest difference that counts as equal: 1e-3, or 1e-2 in half precision.
    pub tolerance: f32,
}

impl Comparison {
    /// Returns whether the difference is small enough. A NaN is not.
    pub fn passes(&self) -> bool {
        self.worst <= self.tolerance
    }
}

/// Comparison of this processor's outputs with the golden ones.
#[derive(Clone, Debug, PartialEq)]
pub struct Replay {
    /// Comparisons of features and probabilities.
    pub comparisons: Vec<Comparison>,
    /// Whether the most probable label is the same.
    pub same_top: bool,
}

impl Replay {
    /// Returns whether all comparisons pass and the most probable label is the same.
    pub fn passes(&self) -> bool {
        self.same_top && self.comparisons.iter().all(Comparison::passes)
    }
}

/// A tensor of the file: shape and little-endian bytes.
struct Entry {
    dtype: Dtype,
    shape: Vec<usize>,
    data: Vec<u8>,
}

impl View for &Entry {
    fn dtype(&self) -> Dtype {
        self.dtype
    }
    fn shape(&self) -> &[usize] {
        &self.shape
    }
    fn data(&self) -> Cow<'_, [u8]> {
        self.data.as_slice().into()
    }
    fn data_len(&self) -> usize {
        self.data.len()
    }
}

/// The fixed input: a keyframe and the frames of a clip. Absent streams have none.
struct Input {
    image: Option<Picture>,
    video: Vec<Picture>,
}

/// Outputs of the networks.
struct Output {
    image: Vec<f32>,
    video: Vec<f32>,
    probabilities: Vec<f32>,
}

/// Records golden outputs of `bundle` at `rate` and returns the contents of [`GOLDEN_FILE`].
///
/// Stock tract computes them, so that divita's executor is compared with an independent one. The
/// outputs in eight bits, if the bundle has such backbones, are those of the safe reference.
///
/// The input is smooth moving waves of colour. They are computed with integers, so every machine
/// has the same input.
///
/// # Errors
/// Returns an error if a network cannot be prepared or fails.
pub fn record(bundle: &Bundle, rate: WorkingRate) -> Result<Vec<u8>, GoldenError> {
    let streams = &bundle.manifest().streams;
    let input = Input {
        image: streams.image.as_ref().map(|stream| waves(stream.input.size, 0)),
        video: streams
            .video
            .as_ref()
            .map_or(Vec::new(), |stream| (0..rate.clip_frames()).map(|time| waves(stream.input.size, time)).collect()),
    };
    let output = run(bundle, rate, &input, Executor::Tract)?;
    let codes = |shape: Vec<usize>, data: Vec<u8>| Entry { dtype: Dtype::U8, shape, data };
    let floats = |values: &[f32]| Entry {
        dtype: Dtype::F32,
        shape: vec![values.len()],
        data: values.iter().flat_map(|value| value.to_le_bytes()).collect(),
    };
    let mut entries = BTreeMap::from([(PROBABILITIES, floats(&output.probabilities))]);
    if let Some(picture) = &input.image {
        entries.insert(IMAGE_INPUT, codes(vec![3, picture.height(), picture.width()], picture.data().to_vec()));
        entries.insert(IMAGE_FEATURES, floats(&output.image));
    }
    if let Some(first) = input.video.first() {
        let data = input.video.iter().flat_map(|picture| picture.data().iter().copied()).collect();
        entries.insert(VIDEO_INPUT, codes(vec![input.video.len(), 3, first.height(), first.width()], data));
        entries.insert(VIDEO_FEATURES, floats(&output.video));
    }
    if has_int8(bundle) {
        let output = run(bundle, rate, &input, Executor::PORTABLE_INT8)?;
        entries.insert(PROBABILITIES_INT8, floats(&output.probabilities));
        entries.extend((!output.image.is_empty()).then(|| (IMAGE_FEATURES_INT8, floats(&output.image))));
        entries.extend((!output.video.is_empty()).then(|| (VIDEO_FEATURES_INT8, floats(&output.video))));
    }
    Ok(serialize(&entries, None)?)
}

/// Runs the networks of `bundle` on its golden input with `executor` and compares the outputs with
/// the golden ones.
///
/// # Errors
/// Returns an error if there are no golden outputs, or if a network cannot be prepared or fails. A
/// difference is no error: see [`Replay::passes`].
pub fn replay(bundle: &Bundle, executor: Executor) -> Result<Replay, GoldenError> {
    let golden = SafeTensors::deserialize(bundle.file(GOLDEN_FILE).ok_or(GoldenError::Absent)?)?;
    let streams = &bundle.manifest().streams;
    let mut input = Input { image: None, video: Vec::new() };
    let mut rate = None;
    if let Some(stream) = &streams.image {
        input.image = pictures(&golden, IMAGE_INPUT, stream.input.size)?.pop();
    }
    if let Some(stream) = &streams.video {
        input.video = pictures(&golden, VIDEO_INPUT, stream.input.size)?;
        rate = WorkingRate::new(input.video.len() as u32).ok();
    }
    let rate = match (rate, &streams.video) {
        (Some(rate), _) => rate,
        (None, Some(_)) => return Err(GoldenError::Tensor(VIDEO_INPUT)),
        // The image stream is the same at every rate.
        (None, None) => {
            let rate = bundle.manifest().working_rates.first().and_then(|&fps| WorkingRate::new(fps).ok());
            rate.unwrap_or(WorkingRate::ALL[0])
        }
    };
    let output = run(bundle, rate, &input, executor)?;
    let tolerance = if executor.is_half() { HALF_TOLERANCE } else { TOLERANCE };
    let [image, video, probabilities] = match executor.is_int8() {
        true => [IMAGE_FEATURES_INT8, VIDEO_FEATURES_INT8, PROBABILITIES_INT8],
        false => [IMAGE_FEATURES, VIDEO_FEATURES, PROBABILITIES],
    };
    let mut replay = Replay { comparisons: Vec::new(), same_top: true };
    for (name, values) in [(image, output.image), (video, output.video), (probabilities, output.probabilities)] {
        if values.is_empty() {
            continue;
        }
        let expected = floats(&golden, name).filter(|expected| expected.len() == values.len());
        let expected = expected.ok_or(GoldenError::Tensor(name))?;
        let scale = expected.iter().fold(1.0f32, |scale, value| scale.max(value.abs()));
        // `f32::max` would ignore NaN.
        let difference = values.iter().zip(&expected).map(|(a, b)| (a - b).abs() / scale);
        let worst = difference.fold(0.0, |worst, d| if d > worst || d.is_nan() { d } else { worst });
        replay.comparisons.push(Comparison { name, values: values.len(), worst, tolerance });
        if name == probabilities {
            replay.same_top = top(&values) == top(&expected);
        }
    }
    Ok(replay)
}

/// Returns whether every stream of `bundle` has a backbone in eight bits.
fn has_int8(bundle: &Bundle) -> bool {
    let Streams { image, video } = &bundle.manifest().streams;
    [image, video].into_iter().flatten().all(|stream| stream.int8.is_some())
}

/// Returns the index of the largest of `values`.
fn top(values: &[f32]) -> Option<usize> {
    (0..values.len()).max_by(|&a, &b| values[a].total_cmp(&values[b]))
}

fn run(bundle: &Bundle, rate: WorkingRate, input: &Input, executor: Executor) -> Result<Output, NetworkError> {
    let manifest = bundle.manifest();
    let networks = Networks::prepare(bundle, &[rate], executor)?;
    let mut backbones = networks.backbones()?;
    let features = crate::network::Features {
        image: input.image.as_ref().map_or(Ok(Vec::new()), |picture| backbones.image(picture))?,
        video: if input.video.is_empty() {
            Vec::new()
        } else {
            backbones.video(input.video.iter(), rate.clip_frames())?
        },
    };
    let mut snippets = Snippets::new(networks.heads()?, manifest, None);
    let probabilities = snippets.push(&features, 0)?.to_vec();
    Ok(Output { image: features.image, video: features.video, probabilities })
}

/// Returns triangle waves of three periods, one for each channel, shifted by `time`.
fn waves(size: usize, time: usize) -> Picture {
    let wave = |at: usize, period: usize| (at % period).abs_diff(period / 2) * 510 / period;
    let pixel = |channel: usize, y: usize, x: usize| {
        let (a, b) = (wave(x + 3 * time, 29 + 14 * channel), wave(y + 5 * time, 61 - 10 * channel));
        ((a + b) / 2).min(255) as u8
    };
    let mut picture = Vec::with_capacity(3 * size * size);
    for channel in 0..3 {
        for y in 0..size {
            picture.extend((0..size).map(|x| pixel(channel, y, x)));
        }
    }
    Picture::from_planar(size, size, picture).unwrap_or_else(|| Picture::black(size, size))
}

/// Returns the pictures of tensor `name`, each (3, size, size).
fn pictures(golden: &SafeTensors<'_>, name: &'static str, size: usize) -> Result<Vec<Picture>, GoldenError> {
    let tensor = golden.tensor(name).ok().filter(|tensor| tensor.dtype() == Dtype::U8);
    let data = tensor.as_ref().map_or(&[][..], |tensor| tensor.data());
    let chunks = data.chunks_exact(3 * size * size);
    if data.is_empty() || !chunks.remainder().is_empty() {
        return Err(GoldenError::Tensor(name));
    }
    Ok(chunks.filter_map(|chunk| Picture::from_planar(size, size, chunk.to_vec())).collect())
}

/// Returns the values of tensor `name`.
fn floats(golden: &SafeTensors<'_>, name: &str) -> Option<Vec<f32>> {
    let tensor = golden.tensor(name).ok().filter(|tensor| tensor.dtype() == Dtype::F32)?;
    Some(tensor.data().chunks_exact(4).map(|four| f32::from_le_bytes([four[0], four[1], four[2], four[3]])).collect())
}
