//! The table of the networks that this tool knows, with what each costs and what the paper says it costs.

use divita_runtime::{bundle::StreamInput, network::StreamName};

use super::{
    EFFICIENTNET_LITE_FEATURES, Head, IMAGE_SIZE, LABELS, R2PLUS1D_FEATURES, RESNET_FEATURES, SHUFFLENET_FEATURES,
    SNIPPET_CLIPS, SWIN_FEATURES, TIMESFORMER_FEATURES, VIDEO_SIZE, cost, efficientnet_lite0,
    efficientnet_lite0_classifier, graph::Graph, r2plus1d, resnet, shufflenet_2d, shufflenet_3d, swin_2d, swin_3d,
    timesformer, transnet,
};

/// A backbone: it sees each clip, and a head over its vectors sees the snippet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Backbone {
    /// ShuffleNet V2 on the keyframe.
    Shufflenet2d,
    /// 3D ShuffleNet V2 on all f frames.
    Shufflenet3d,
    /// ResNet-50 on the keyframe.
    Resnet,
    /// R(2+1)D-18 on all f frames.
    R2plus1d,
    /// Swin-T on the keyframe.
    Swin2d,
    /// Video Swin-T on all f frames.
    Swin3d,
    /// EfficientNet-Lite0 on the keyframe.
    EfficientnetLite0,
    /// TimeSformer on all f frames, normalised as torchvision's ViT-B/16 has them.
    Timesformer,
}

impl Backbone {
    /// Every backbone.
    pub const ALL: [Backbone; 8] = [
        Backbone::Shufflenet2d,
        Backbone::Shufflenet3d,
        Backbone::Resnet,
        Backbone::R2plus1d,
        Backbone::Swin2d,
        Backbone::Swin3d,
        Backbone::EfficientnetLite0,
        Backbone::Timesformer,
    ];

    /// The backbone of this name.
    #[must_use]
    pub fn called(name: &str) -> Option<Backbone> {
        Backbone::ALL.into_iter().find(|backbone| backbone.graph(1).name == name)
    }

    /// Its description, for clips of `frames` frames.
    #[must_use]
    pub fn graph(self, frames: usize) -> Graph {
        match self {
            Backbone::Shufflenet2d => shufflenet_2d(),
            Backbone::Shufflenet3d => shufflenet_3d(frames),
            Backbone::Resnet => resnet(),
            Backbone::R2plus1d => r2plus1d(frames),
            Backbone::Swin2d => swin_2d(),
            Backbone::Swin3d => swin_3d(frames),
            Backbone::EfficientnetLite0 => efficientnet_lite0(),
            Backbone::Timesformer => timesformer(frames),
        }
    }

    /// Length of its vectors (b in the paper).
    #[must_use]
    pub fn features(self) -> usize {
        match self {
            Backbone::Shufflenet2d | Backbone::Shufflenet3d => SHUFFLENET_FEATURES,
            Backbone::Resnet => RESNET_FEATURES,
            Backbone::R2plus1d => R2PLUS1D_FEATURES,
            Backbone::Swin2d | Backbone::Swin3d => SWIN_FEATURES,
            Backbone::EfficientnetLite0 => EFFICIENTNET_LITE_FEATURES,
            Backbone::Timesformer => TIMESFORMER_FEATURES,
        }
    }

    /// Whether it sees the keyframe or all frames of a clip.
    #[must_use]
    pub fn stream(self) -> StreamName {
        match self {
            Backbone::Shufflenet2d | Backbone::Resnet | Backbone::Swin2d | Backbone::EfficientnetLite0 => {
                StreamName::Image
            }
            Backbone::Shufflenet3d | Backbone::R2plus1d | Backbone::Swin3d | Backbone::Timesformer => StreamName::Video,
        }
    }

    /// How frames become its input where its weights do not say otherwise: as its publisher makes them.
    #[must_use]
    pub fn input(self) -> StreamInput {
        let input = StreamInput::new;
        let imagenet = |resize| input(IMAGE_SIZE, resize, [0.485, 0.456, 0.406], [0.229, 0.224, 0.225]);
        match self {
            // TimeSformer: as the picture transformer that it begins as.
            Backbone::Shufflenet2d | Backbone::Resnet | Backbone::Swin3d | Backbone::Timesformer => imagenet(256),
            Backbone::Swin2d => imagenet(232),
            // The statistics of Kinetics, as Efficient-3DCNNs and torchvision have them.
            Backbone::Shufflenet3d => {
                input(VIDEO_SIZE, VIDEO_SIZE, [0.43387, 0.40455, 0.37761], [0.15199, 0.14856, 0.15698])
            }
            Backbone::R2plus1d => input(VIDEO_SIZE, 128, [0.43216, 0.394666, 0.37645], [0.22803, 0.22145, 0.216989]),
            // (code - 127) / 128
            Backbone::EfficientnetLite0 => input(IMAGE_SIZE, 256, [127.0 / 255.0; 3], [128.0 / 255.0; 3]),
        }
    }

    /// The head over its vectors.
    #[must_use]
    pub fn head(self) -> Graph {
        Head::Cat.graph(self.features(), LABELS)
    }

    /// Parameters of backbone and head.
    #[must_use]
    pub fn parameters(self) -> u64 {
        cost::parameters(&self.graph(1)) + cost::parameters(&self.head())
    }

    /// Multiply-accumulates of a snippet: the backbone on each of its 30 clips of `frames` frames, and the head once.
    #[must_use]
    pub fn macs_per_snippet(self, frames: usize) -> u64 {
        SNIPPET_CLIPS as u64 * cost::macs(&self.graph(frames)) + cost::macs(&self.head())
    }
}

/// A network: one stream, or two fused late.
#[derive(Clone, Copy, Debug)]
pub struct Network {
    /// Name, as other programs know it.
    pub name: &'static str,
    /// The backbones of its streams.
    pub streams: &'static [Backbone],
    /// What the paper says of it, if it is one of its networks.
    pub paper: Option<Paper>,
}

/// A row of the paper's table of costs (Table 10), heads included.
#[derive(Clone, Copy, Debug)]
pub struct Paper {
    /// Parameters, millions.
    pub parameters_m: f64,
    /// Multiply-accumulates of a snippet of 30 clips of 24 frames, thousand millions.
    pub macs_g: f64,
}

/// Every network, in the paper's order; those that it has not are last.
pub const NETWORKS: [Network; 11] = [
    network("shufflenet-2d", &[Backbone::Shufflenet2d], 1.7, 4.3),
    network("shufflenet-3d", &[Backbone::Shufflenet3d], 1.7, 8.5),
    network("shufflenet-fusion", &[Backbone::Shufflenet2d, Backbone::Shufflenet3d], 3.3, 12.9),
    network("resnet", &[Backbone::Resnet], 23.9, 122.7),
    network("r2plus1d", &[Backbone::R2plus1d], 31.7, 1823.4),
    network("resnet-fusion", &[Backbone::Resnet, Backbone::R2plus1d], 55.6, 1946.1),
    network("swin-2d", &[Backbone::Swin2d], 27.9, 114.0),
    network("swin-3d", &[Backbone::Swin3d], 27.9, 1590.0),
    Network { name: "swin-fusion", streams: &[Backbone::Swin2d, Backbone::Swin3d], paper: None },
    Network { name: "efficientnet-lite0", streams: &[Backbone::EfficientnetLite0], paper: None },
    Network { name: "timesformer", streams: &[Backbone::Timesformer], paper: None },
];

const fn network(name: &'static str, streams: &'static [Backbone], parameters_m: f64, macs_g: f64) -> Network {
    Network { name, streams, paper: Some(Paper { parameters_m, macs_g }) }
}

/// A network that is part of others or stands beside them.
#[derive(Clone, Copy, Debug)]
pub struct Part {
    /// Name, as other programs know it.
    pub name: &'static str,
    /// What it is run on at a time: a snippet of 30 clips, or a window of 100 frames, of which 50 are decided.
    pub per: &'static str,
}

/// Every network that is none of [`NETWORKS`]; heads are those of vectors of 1024 numbers.
pub const PARTS: [Part; 7] = [
    part("cat", "snippet"),
    part("gru", "snippet"),
    part("conv", "snippet"),
    part("mean", "snippet"),
    part("ctt-mmc-a", "snippet"),
    part("fastvideo", "snippet"),
    part("transnetv2", "window"),
];

const fn part(name: &'static str, per: &'static str) -> Part {
    Part { name, per }
}

impl Part {
    fn graph(&self) -> Option<Graph> {
        describe(self.name, 1, Some(SHUFFLENET_FEATURES))
    }

    /// Parameters.
    #[must_use]
    pub fn parameters(&self) -> u64 {
        self.graph().as_ref().map_or(0, cost::parameters)
    }

    /// Multiply-accumulates of a run.
    #[must_use]
    pub fn macs(&self) -> u64 {
        self.graph().as_ref().map_or(0, cost::macs)
    }
}

/// Every name that [`describe`] knows.
#[must_use]
pub fn names() -> Vec<&'static str> {
    let backbones = Backbone::ALL.iter().map(|backbone| backbone.graph(1).name);
    let others = ["efficientnet-lite0-classifier", "transnetv2"];
    backbones.chain(others).chain(Head::ALL.map(Head::name)).collect()
}

/// The description of one network by its name: of a 3D backbone for clips of `frames` frames, of a head for vectors of
/// `features` elements, without which it has none.
#[must_use]
pub fn describe(name: &str, frames: usize, features: Option<usize>) -> Option<Graph> {
    if let Ok(head) = name.parse::<Head>() {
        return features.map(|features| head.graph(features, LABELS));
    }
    match name {
        "efficientnet-lite0-classifier" => Some(efficientnet_lite0_classifier()),
        "transnetv2" => Some(transnet()),
        _ => Backbone::ALL.iter().map(|backbone| backbone.graph(frames)).find(|graph| graph.name == name),
    }
}

impl Network {
    /// Parameters of all streams, heads included.
    #[must_use]
    pub fn parameters(&self) -> u64 {
        self.streams.iter().map(|stream| stream.parameters()).sum()
    }

    /// Multiply-accumulates of a snippet of 30 clips of `frames` frames, heads included.
    #[must_use]
    pub fn macs_per_snippet(&self, frames: usize) -> u64 {
        self.streams.iter().map(|stream| stream.macs_per_snippet(frames)).sum()
    }
}
