//! ShuffleNet V2 x1.0 (Ma 2018), for pictures and for clips, as feature extractors without their
//! classifiers.
//!
//! The two differ in the number of axes, in the stride of the stem, which keeps time, and in the
//! names of their weights.

use divita_runtime::{bundle::StreamInput, network::StreamName};

use super::{
    backbone::Backbone,
    blocks,
    graph::{Graph, Value},
    input_sizes::{IMAGE_SIZE, VIDEO_SIZE, imagenet},
    op::Conv,
};

/// ShuffleNet V2 on the keyframe.
pub const SHUFFLENET_2D: Backbone = Backbone {
    name: "shufflenet-2d",
    features: SHUFFLENET_FEATURES,
    stream: StreamName::Image,
    graph: |_| shufflenet_2d(),
    input: || imagenet(256),
    is_trainable: true,
};

/// 3D ShuffleNet V2 on all frames.
pub const SHUFFLENET_3D: Backbone = Backbone {
    name: "shufflenet-3d",
    features: SHUFFLENET_FEATURES,
    stream: StreamName::Video,
    graph: shufflenet_3d,
    input: kinetics,
    is_trainable: true,
};

/// Kinetics' statistics, as Efficient-3DCNNs normalises with them.
fn kinetics() -> StreamInput {
    StreamInput::new(VIDEO_SIZE, VIDEO_SIZE, [0.43387, 0.40455, 0.37761], [0.15199, 0.14856, 0.15698])
}

/// Length of the vector that either network makes (b in the paper).
pub const SHUFFLENET_FEATURES: usize = 1024;

/// Channels and units of each stage; the first unit halves every axis.
const STAGES: [(usize, usize); 3] = [(116, 4), (232, 8), (464, 4)];

/// Returns the 2D network, input (1, 3, 224, 224), features (1, 1024). Weights are named as
/// torchvision's `shufflenet_v2_x1_0` names them.
#[must_use]
pub fn shufflenet_2d() -> Graph {
    let names =
        Names { unit: |stage, index, _| format!("stage{}.{index}", stage + 2), branch: "branch", last: "conv5" };
    shufflenet_v2("shufflenet-2d", &[1, 3, IMAGE_SIZE, IMAGE_SIZE], &[2, 2], &names)
}

/// Returns the 3D network of "Resource Efficient 3D CNNs" (Kopuklu 2019) for clips of `frames`
/// frames (f >= 1), input (1, 3, f, 112, 112), features (1, 1024). Every stride but the stem's
/// halves time too, rounding up, so any f will do, and the weights do not depend on it. They are
/// named as that paper's code, Efficient-3DCNNs, names them; the spelling `banch` is its own.
#[must_use]
pub fn shufflenet_3d(frames: usize) -> Graph {
    let names = Names { unit: |_, _, unit| format!("features.{unit}"), branch: "banch", last: "conv_last" };
    shufflenet_v2("shufflenet-3d", &[1, 3, frames, VIDEO_SIZE, VIDEO_SIZE], &[1, 2, 2], &names)
}

/// How a state dict names the parts.
struct Names {
    /// Prefix of a unit, from its stage, its place in the stage, and its place in the network, each
    /// from 0.
    unit: fn(usize, usize, usize) -> String,
    /// Name of a branch without its number.
    branch: &'static str,
    /// Prefix of the last convolution.
    last: &'static str,
}

fn shufflenet_v2(name: &'static str, input: &[usize], stem_stride: &[usize], names: &Names) -> Graph {
    let (mut g, x) = Graph::new(name, ("input", input), "features");
    let axes: Vec<usize> = (2..input.len()).collect();
    g.any_frames = axes.len() == 3;
    let stem = Conv::new(24, &vec![3; axes.len()]).stride(stem_stride);
    let x = conv_norm_relu(&mut g, "conv1", 0, x, stem);
    let mut x = g.max_pool(x);
    let mut number = 0;
    for (stage, (channels, units)) in STAGES.into_iter().enumerate() {
        for index in 0..units {
            let prefix = format!("{}.{}", (names.unit)(stage, index, number), names.branch);
            x = unit(&mut g, &prefix, x, channels / 2, index == 0);
            number += 1;
        }
    }
    let last = Conv::pointwise(SHUFFLENET_FEATURES, axes.len());
    let x = conv_norm_relu(&mut g, names.last, 0, x, last);
    g.mean(x, &axes);
    g
}

/// Adds one unit: half of the channels pass by (or, where it halves the axes, go through a branch
/// of their own), the other half go through 1x1, depthwise 3x3 and 1x1 convolutions; then the two
/// are joined and shuffled.
fn unit(g: &mut Graph, prefix: &str, x: Value, branch_channels: usize, halves: bool) -> Value {
    let axes = g.shape(x).len() - 2;
    let stride = if halves { 2 } else { 1 };
    let (first, second) = (format!("{prefix}1"), format!("{prefix}2"));
    let (kept, x) = if halves {
        let y = depthwise_norm(g, &first, 0, x, stride);
        (conv_norm_relu(g, &first, 2, y, Conv::pointwise(branch_channels, axes)), x)
    } else {
        let [kept, x] = g.split(x, 1);
        (kept, x)
    };
    let y = conv_norm_relu(g, &second, 0, x, Conv::pointwise(branch_channels, axes));
    let y = depthwise_norm(g, &second, 3, y, stride);
    let y = conv_norm_relu(g, &second, 5, y, Conv::pointwise(branch_channels, axes));
    let joined = g.concat(&[kept, y], 1);
    g.shuffle(joined, 2)
}

/// Depthwise convolution of side 3 as member `member` of the sequence `prefix`, and its batch norm
/// as the next.
fn depthwise_norm(g: &mut Graph, prefix: &str, member: usize, x: Value, stride: usize) -> Value {
    let (channels, axes) = (g.shape(x)[1], g.shape(x).len() - 2);
    let conv = Conv::new(channels, &vec![3; axes]).stride(&vec![stride; axes]).groups(channels);
    blocks::conv_norm(g, format!("{prefix}.{member}"), format!("{prefix}.{}", member + 1), x, conv)
}

/// Convolution as member `member` of the sequence `prefix`, its batch norm as the next, and a ReLU.
fn conv_norm_relu(g: &mut Graph, prefix: &str, member: usize, x: Value, conv: Conv) -> Value {
    blocks::conv_norm_relu(g, format!("{prefix}.{member}"), format!("{prefix}.{}", member + 1), x, conv)
}
