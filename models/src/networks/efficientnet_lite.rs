//! EfficientNet-Lite0: EfficientNet-B0 (Tan 2019) without squeeze and excitation, with ReLU6.

use divita_runtime::{bundle::StreamInput, network::StreamName};

use super::{
    backbone::Backbone,
    graph::{Graph, Value},
    input_sizes::IMAGE_SIZE,
    op::Conv,
};

/// EfficientNet-Lite0 on the keyframe.
pub const EFFICIENTNET_LITE0: Backbone = Backbone {
    name: "efficientnet-lite0",
    features: EFFICIENTNET_LITE_FEATURES,
    stream: StreamName::Image,
    graph: |_| efficientnet_lite0(),
    input: normalisation,
    is_trainable: true,
};

/// (code - 127) / 128, as TensorFlow normalises.
fn normalisation() -> StreamInput {
    StreamInput::new(IMAGE_SIZE, 256, [127.0 / 255.0; 3], [128.0 / 255.0; 3])
}

/// Length of the vector that the network makes.
pub const EFFICIENTNET_LITE_FEATURES: usize = 1280;

/// Classes of ImageNet.
pub const IMAGENET_CLASSES: usize = 1000;

/// Epsilon of its batch norms, which come from TensorFlow.
const EPSILON: f32 = 1e-3;

/// Channels, blocks, side of the kernel and stride of each stage; every block but those of the
/// first widens sixfold.
const STAGES: [(usize, usize, usize, usize); 7] =
    [(16, 1, 3, 1), (24, 2, 3, 2), (40, 2, 5, 2), (80, 3, 3, 2), (112, 3, 5, 1), (192, 4, 5, 2), (320, 1, 3, 1)];

/// Returns the network as a feature extractor, input (1, 3, 224, 224), features (1, 1280). Weights
/// are named as the published PyTorch port, efficientnet-lite-pytorch, names them.
#[must_use]
pub fn efficientnet_lite0() -> Graph {
    extractor("features").0
}

/// Returns the network with its classifier, input (1, 3, 224, 224), logits (1, 1000).
#[must_use]
pub fn efficientnet_lite0_classifier() -> Graph {
    let (mut g, x) = extractor("logits");
    g.linear("_fc", x, IMAGENET_CLASSES, true);
    g
}

fn extractor(output: &'static str) -> (Graph, Value) {
    let (mut g, x) = Graph::new("efficientnet-lite0", ("input", &[1, 3, IMAGE_SIZE, IMAGE_SIZE]), output);
    let mut x = conv_norm_relu6(&mut g, "_conv_stem", "_bn0", x, Conv::new(32, &[3, 3]).stride(&[2, 2]));
    let mut number = 0;
    for (stage, (channels, blocks, side, stride)) in STAGES.into_iter().enumerate() {
        for index in 0..blocks {
            let widens = if stage == 0 { 1 } else { 6 };
            let stride = if index == 0 { stride } else { 1 };
            x = block(&mut g, &format!("_blocks.{number}"), x, [channels, widens, side, stride]);
            number += 1;
        }
    }
    let last = Conv::pointwise(EFFICIENTNET_LITE_FEATURES, 2);
    let x = conv_norm_relu6(&mut g, "_conv_head", "_bn1", x, last);
    let x = g.mean(x, &[2, 3]);
    (g, x)
}

/// Inverted residual block: a 1x1 convolution that widens, a depthwise one, and a 1x1 convolution
/// without activation.
fn block(g: &mut Graph, name: &str, x: Value, [channels, widens, side, stride]: [usize; 4]) -> Value {
    let inputs = g.shape(x)[1];
    let width = widens * inputs;
    let part = |part: &str| format!("{name}.{part}");
    let y = match widens {
        1 => x,
        _ => conv_norm_relu6(g, &part("_expand_conv"), &part("_bn0"), x, Conv::pointwise(width, 2)),
    };
    let depthwise = Conv::new(width, &[side; 2]).stride(&[stride; 2]).groups(width);
    let y = conv_norm_relu6(g, &part("_depthwise_conv"), &part("_bn1"), y, depthwise);
    let y = conv_norm(g, &part("_project_conv"), &part("_bn2"), y, Conv::pointwise(channels, 2));
    if stride == 1 && inputs == channels { g.add(y, x) } else { y }
}

fn conv_norm(g: &mut Graph, conv: &str, norm: &str, x: Value, geometry: Conv) -> Value {
    let geometry = geometry.same(&g.shape(x)[2..]);
    let y = g.conv(conv, x, geometry);
    g.batch_norm_of(norm, y, 1, EPSILON)
}

fn conv_norm_relu6(g: &mut Graph, conv: &str, norm: &str, x: Value, geometry: Conv) -> Value {
    let y = conv_norm(g, conv, norm, x, geometry);
    g.relu6(y)
}
