//! The tables of backbones and networks, and the description of any network by its name.

use std::str::FromStr;

use super::{
    EFFICIENTNET_LITE0, R2PLUS1D, RESNET, SHUFFLENET_2D, SHUFFLENET_3D, SHUFFLENET_FEATURES, SWIN_2D, SWIN_3D,
    TIMESFORMER,
    backbone::Backbone,
    cost, efficientnet_lite0_classifier,
    graph::Graph,
    head::{Head, LABELS},
    heads::HEADS,
    transnet,
};

/// Every backbone, in the order of help texts and errors. A new one is one file and one line here.
pub const BACKBONES: &[Backbone] = &[
    super::shufflenet::SHUFFLENET_2D,
    super::shufflenet::SHUFFLENET_3D,
    super::resnet::RESNET,
    super::r2plus1d::R2PLUS1D,
    super::swin::SWIN_2D,
    super::swin::SWIN_3D,
    super::efficientnet_lite::EFFICIENTNET_LITE0,
    super::timesformer::TIMESFORMER,
];

impl Backbone {
    /// Finds the backbone by its name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Backbone> {
        BACKBONES.iter().copied().find(|backbone| backbone.name() == name)
    }
}

/// Returns the names of the backbones, in the order of the table.
fn names_of_backbones() -> Vec<&'static str> {
    BACKBONES.iter().map(|backbone| backbone.name()).collect()
}

impl FromStr for Backbone {
    type Err = String;

    /// Finds the backbone by its name; the error lists the names.
    fn from_str(name: &str) -> Result<Backbone, String> {
        Backbone::from_name(name).ok_or_else(|| format!("choose one of {}", names_of_backbones().join(", ")))
    }
}

/// A network: one stream, or two streams with late fusion.
#[derive(Clone, Copy, Debug)]
pub struct Network {
    /// Name, as commands spell it.
    pub name: &'static str,
    /// The backbones of its streams.
    pub streams: &'static [Backbone],
    /// The paper's figures, if it is one of the paper's networks.
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

/// Every network: the paper's in the paper's order, then the others.
pub const NETWORKS: [Network; 11] = [
    network("shufflenet-2d", &[SHUFFLENET_2D], 1.7, 4.3),
    network("shufflenet-3d", &[SHUFFLENET_3D], 1.7, 8.5),
    network("shufflenet-fusion", &[SHUFFLENET_2D, SHUFFLENET_3D], 3.3, 12.9),
    network("resnet", &[RESNET], 23.9, 122.7),
    network("r2plus1d", &[R2PLUS1D], 31.7, 1823.4),
    network("resnet-fusion", &[RESNET, R2PLUS1D], 55.6, 1946.1),
    network("swin-2d", &[SWIN_2D], 27.9, 114.0),
    network("swin-3d", &[SWIN_3D], 27.9, 1590.0),
    Network { name: "swin-fusion", streams: &[SWIN_2D, SWIN_3D], paper: None },
    Network { name: "efficientnet-lite0", streams: &[EFFICIENTNET_LITE0], paper: None },
    Network { name: "timesformer", streams: &[TIMESFORMER], paper: None },
];

const fn network(name: &'static str, streams: &'static [Backbone], parameters_m: f64, macs_g: f64) -> Network {
    Network { name, streams, paper: Some(Paper { parameters_m, macs_g }) }
}

/// A network that is part of others or used besides them.
#[derive(Clone, Copy, Debug)]
pub struct Part {
    /// Name, as other programs know it.
    pub name: &'static str,
    /// Input of one run: a snippet of 30 clips, or a window of 100 frames, of which 50 are decided.
    pub per: &'static str,
}

/// Every network that is not in [`NETWORKS`]. Heads are for vectors of 1024 numbers.
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

    /// Counts the parameters.
    #[must_use]
    pub fn parameters(&self) -> u64 {
        self.graph().as_ref().map_or(0, cost::parameters)
    }

    /// Counts the multiply-accumulates of a run.
    #[must_use]
    pub fn macs(&self) -> u64 {
        self.graph().as_ref().map_or(0, cost::macs)
    }
}

/// Builds the graph of a network of one shape.
type BuildGraph = fn() -> Graph;

/// A network that is neither a backbone nor a head, by its name.
const OTHERS: [(&str, BuildGraph); 2] =
    [("efficientnet-lite0-classifier", efficientnet_lite0_classifier), ("transnetv2", transnet)];

/// Returns every name that [`describe`] knows.
#[must_use]
pub fn names() -> Vec<&'static str> {
    names_of_backbones().into_iter().chain(OTHERS.map(|(name, _)| name)).chain(HEADS.map(Head::name)).collect()
}

/// Builds the graph of the network `name`: of a backbone for clips of `frames` frames, of a head
/// for vectors of `features` numbers. Returns `None` where no network has this name, or for a head
/// without `features`.
#[must_use]
pub fn describe(name: &str, frames: usize, features: Option<usize>) -> Option<Graph> {
    if let Ok(head) = name.parse::<Head>() {
        return features.map(|features| head.graph(features, LABELS));
    }
    let other = || OTHERS.into_iter().find(|(other, _)| *other == name).map(|(_, graph)| graph());
    Backbone::from_name(name).map(|backbone| backbone.graph(frames)).or_else(other)
}

impl Network {
    /// Counts the parameters of all streams, heads included.
    #[must_use]
    pub fn parameters(&self) -> u64 {
        self.streams.iter().map(|stream| stream.parameters()).sum()
    }

    /// Counts the multiply-accumulates of a snippet of 30 clips of `frames` frames, heads included.
    #[must_use]
    pub fn macs_per_snippet(&self, frames: usize) -> u64 {
        self.streams.iter().map(|stream| stream.macs_per_snippet(frames)).sum()
    }
}
