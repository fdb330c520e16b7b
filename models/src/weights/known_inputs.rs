//! The table of preprocessings that published weights are trained with, by name.

use divita_runtime::bundle::{Channels, StreamInput};

/// A normalisation of pixels.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct KnownInput {
    /// Name, as `import --input` takes it.
    pub name: &'static str,
    /// Order of the channels.
    pub channels: Channels,
    /// Mean of each channel, in units of `range`.
    pub mean: [f32; 3],
    /// What values less the mean are divided by, in units of `range`.
    pub std: [f32; 3],
    /// Value of white: 1 or 255.
    pub range: f32,
    /// Who normalises so.
    pub used_by: &'static str,
}

/// Every normalisation that is known.
pub const KNOWN_INPUTS: [KnownInput; 9] = [
    known("imagenet", [0.485, 0.456, 0.406], [0.229, 0.224, 0.225], 1.0, "torchvision's and timm's ImageNet weights"),
    known(
        "kinetics",
        [0.43387, 0.40455, 0.37761],
        [0.15199, 0.14856, 0.15698],
        1.0,
        "Efficient-3DCNNs with --std_norm",
    ),
    known(
        "torchvision-video",
        [0.43216, 0.394666, 0.37645],
        [0.22803, 0.22145, 0.216989],
        1.0,
        "torchvision's R(2+1)D",
    ),
    known("zero-one", [0.0; 3], [1.0; 3], 1.0, "weights trained without normalisation"),
    known("signed", [127.5; 3], [127.5; 3], 255.0, "TensorFlow's Inception and MobileNet, timm's ViT"),
    known("tf-lite", [127.0; 3], [128.0; 3], 255.0, "EfficientNet-Lite"),
    known(
        "activitynet-255",
        [114.7748, 107.7354, 99.475],
        [1.0; 3],
        255.0,
        "the defaults of Efficient-3DCNNs and 3D-ResNets",
    ),
    known("zero-255", [0.0; 3], [1.0; 3], 255.0, "weights with the normalisation inside"),
    KnownInput {
        channels: Channels::Bgr,
        ..known("caffe", [103.939, 116.779, 123.68], [1.0; 3], 255.0, "weights that come from Caffe, in BGR")
    },
];

const fn known(name: &'static str, mean: [f32; 3], std: [f32; 3], range: f32, used_by: &'static str) -> KnownInput {
    KnownInput { name, channels: Channels::Rgb, mean, std, range, used_by }
}

impl KnownInput {
    /// Returns the normalisation of this name.
    #[must_use]
    pub fn called(name: &str) -> Option<KnownInput> {
        KNOWN_INPUTS.into_iter().find(|known| known.name == name)
    }

    /// `input` with this normalisation instead of its own; size, resize rule and stride stay.
    #[must_use]
    pub fn of(&self, input: StreamInput) -> StreamInput {
        let scaled = |values: [f32; 3]| values.map(|value| value / self.range);
        StreamInput { channels: self.channels, mean: scaled(self.mean), std: scaled(self.std), ..input }
    }
}
