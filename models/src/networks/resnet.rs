//! ResNet-50 (He 2016) as a feature extractor without its classifier, with the stride in the 3x3
//! convolutions, as torchvision has it.

use divita_runtime::network::StreamName;

use super::{
    backbone::Backbone,
    blocks::{conv_norm, conv_norm_relu, residual},
    graph::{Graph, Value},
    input_sizes::{IMAGE_SIZE, imagenet},
    op::Conv,
};

/// ResNet-50 on the keyframe.
pub const RESNET: Backbone = Backbone {
    name: "resnet",
    features: RESNET_FEATURES,
    stream: StreamName::Image,
    graph: |_| resnet(),
    input: || imagenet(256),
    is_trainable: false,
};

/// Length of the vector that the network makes.
pub const RESNET_FEATURES: usize = 2048;

/// Width of the 3x3 convolutions and units of each stage.
const STAGES: [(usize, usize); 4] = [(64, 3), (128, 4), (256, 6), (512, 3)];

/// How much wider the output of a unit is than its 3x3 convolution.
const EXPANSION: usize = 4;

/// Returns the network, input (1, 3, 224, 224), features (1, 2048). Weights are named as
/// torchvision's `resnet50` names them.
#[must_use]
pub fn resnet() -> Graph {
    let (mut g, x) = Graph::new("resnet", ("input", &[1, 3, IMAGE_SIZE, IMAGE_SIZE]), "features");
    let x = conv_norm_relu(&mut g, "conv1", "bn1", x, Conv::new(64, &[7, 7]).stride(&[2, 2]));
    let mut x = g.max_pool(x);
    for (stage, (width, units)) in STAGES.into_iter().enumerate() {
        for unit in 0..units {
            let stride = if stage > 0 && unit == 0 { 2 } else { 1 };
            x = bottleneck(&mut g, &format!("layer{}.{unit}", stage + 1), x, width, stride);
        }
    }
    g.mean(x, &[2, 3]);
    g
}

/// 1x1, 3x3 and 1x1 convolutions around which x passes, through a 1x1 convolution of its own where
/// the shape changes.
fn bottleneck(g: &mut Graph, name: &str, x: Value, width: usize, stride: usize) -> Value {
    let outputs = EXPANSION * width;
    let part = |part: &str| format!("{name}.{part}");
    let y = conv_norm_relu(g, part("conv1"), part("bn1"), x, Conv::pointwise(width, 2));
    let y = conv_norm_relu(g, part("conv2"), part("bn2"), y, Conv::new(width, &[3, 3]).stride(&[stride; 2]));
    let y = conv_norm(g, part("conv3"), part("bn3"), y, Conv::pointwise(outputs, 2));
    let kept = if g.shape(x)[1] == outputs {
        x
    } else {
        let conv = Conv::pointwise(outputs, 2).stride(&[stride; 2]);
        conv_norm(g, part("downsample.0"), part("downsample.1"), x, conv)
    };
    residual(g, kept, y)
}
