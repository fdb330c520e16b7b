//! R(2+1)D-18 (Tran 2018) as a feature extractor without its classifier: each 3D convolution is one
//! over the picture and one over time.

use divita_runtime::{bundle::StreamInput, network::StreamName};

use super::{
    backbone::Backbone,
    blocks::{conv_norm, conv_norm_relu, residual},
    graph::{Graph, Value},
    input_sizes::VIDEO_SIZE,
    op::Conv,
};

/// R(2+1)D-18 on all frames.
pub const R2PLUS1D: Backbone = Backbone {
    name: "r2plus1d",
    features: R2PLUS1D_FEATURES,
    stream: StreamName::Video,
    graph: r2plus1d,
    input: kinetics,
    is_trainable: false,
};

/// Kinetics' statistics, as torchvision normalises with them.
fn kinetics() -> StreamInput {
    StreamInput::new(VIDEO_SIZE, 128, [0.43216, 0.394666, 0.37645], [0.22803, 0.22145, 0.216989])
}

/// Length of the vector that the network makes.
pub const R2PLUS1D_FEATURES: usize = 512;

/// Channels of each stage, which has two units.
const STAGES: [usize; 4] = [64, 128, 256, 512];

/// Returns the network for clips of `frames` frames, input (1, 3, f, 112, 112), features (1, 512).
/// The weights do not depend on f; they are named as torchvision's `r2plus1d_18` names them.
#[must_use]
pub fn r2plus1d(frames: usize) -> Graph {
    let (mut g, x) = Graph::new("r2plus1d", ("input", &[1, 3, frames, VIDEO_SIZE, VIDEO_SIZE]), "features");
    g.any_frames = true;
    let x = conv_norm_relu(&mut g, "stem.0", "stem.1", x, Conv::new(45, &[1, 7, 7]).stride(&[1, 2, 2]));
    let mut x = conv_norm_relu(&mut g, "stem.3", "stem.4", x, Conv::new(STAGES[0], &[3, 1, 1]));
    for (stage, channels) in STAGES.into_iter().enumerate() {
        for unit in 0..2 {
            let stride = if stage > 0 && unit == 0 { 2 } else { 1 };
            x = residual_unit(&mut g, &format!("layer{}.{unit}", stage + 1), x, channels, stride);
        }
    }
    g.mean(x, &[2, 3, 4]);
    g
}

/// Two split convolutions around which x passes, through a convolution of its own where the shape
/// changes.
fn residual_unit(g: &mut Graph, name: &str, x: Value, channels: usize, stride: usize) -> Value {
    let inputs = g.shape(x)[1];
    // So many that the pair has the parameters of the 3x3x3 convolution that it stands for.
    let between = inputs * channels * 27 / (inputs * 9 + 3 * channels);
    let y = split_conv(g, &format!("{name}.conv1"), x, [between, channels], stride);
    let y = g.relu(y);
    let y = split_conv(g, &format!("{name}.conv2"), y, [between, channels], 1);
    let kept = if inputs == channels {
        x
    } else {
        let conv = Conv::pointwise(channels, 3).stride(&[stride; 3]);
        conv_norm(g, format!("{name}.downsample.0"), format!("{name}.downsample.1"), x, conv)
    };
    residual(g, kept, y)
}

fn split_conv(g: &mut Graph, name: &str, x: Value, [between, channels]: [usize; 2], stride: usize) -> Value {
    let picture = Conv::new(between, &[1, 3, 3]).stride(&[1, stride, stride]);
    let y = conv_norm_relu(g, format!("{name}.0.0"), format!("{name}.0.1"), x, picture);
    let time = Conv::new(channels, &[3, 1, 1]).stride(&[stride, 1, 1]);
    conv_norm(g, format!("{name}.0.3"), format!("{name}.1"), y, time)
}
