//! The contents of a bundle: its streams, labels and provenance.

use std::collections::BTreeMap;

use divita_runtime::{
    bundle::{Provenance, Stream as StreamEntry, StreamInput, Task},
    network::StreamName,
};

use crate::{
    engines::frozen_backbone::{FrozenBackbone, FrozenNetwork},
    networks::{Backbone, cost, graph::Graph, zoo::NETWORKS},
    weights::Weights,
};

/// Working rates of the paper's Table 7, fps.
pub const WORKING_RATES: [u32; 5] = [4, 6, 8, 12, 24];

/// The contents of a bundle, except the shot detector.
#[derive(Clone, Debug)]
pub struct Contents {
    /// The streams: at least one, at most one of each name.
    pub streams: Vec<StreamContents>,
    /// Names of the labels, in the order of the heads' outputs.
    pub labels: Vec<String>,
    /// How the labels' logits become probabilities.
    pub task: Task,
    /// Clips of a snippet.
    pub snippet_clips: usize,
    /// Working rates of the bundle, fps.
    pub working_rates: Vec<u32>,
    /// The working rates that the heads were trained at.
    pub trained_at: Vec<u32>,
    /// Whether all weights were trained.
    pub trained: bool,
    /// Provenance of the weights; the tool is this one.
    pub provenance: Provenance,
    /// Measured quality, by name.
    pub metrics: BTreeMap<String, f64>,
    /// SPDX expression of the weights' licence.
    pub licence: String,
    /// Notice with every result, unless [`super::BuildOptions`] has one.
    pub notice: Option<String>,
    /// Paragraphs of the model card that describe the bundle, Markdown.
    pub about: String,
    /// Further rows of the card's table.
    pub facts: Vec<(String, String)>,
}

/// A stream.
#[derive(Clone, Debug)]
pub struct StreamContents {
    /// Its backbone.
    pub backbone: FrozenBackbone,
    /// The head's graph.
    pub head: Graph,
    /// The head's weights.
    pub head_weights: Weights,
}

/// A network of a bundle with its weights.
#[derive(Clone, Debug)]
pub struct BundleNetwork {
    /// `image`, `image_head`, `video` or `video_head`: its file without `.onnx`.
    pub name: &'static str,
    /// Its graph; that of a video backbone is for clips of one frame.
    pub graph: Graph,
    /// Its weights, batch norm unfolded.
    pub weights: Weights,
    /// The backbone; none for a head.
    pub backbone: Option<Backbone>,
    /// Preprocessing of its input; none for a head.
    pub input: Option<StreamInput>,
}

/// Returns the names of a stream's two networks.
pub(super) fn names(stream: StreamName) -> [&'static str; 2] {
    match stream {
        StreamName::Image => ["image", "image_head"],
        StreamName::Video => ["video", "video_head"],
    }
}

impl Contents {
    /// Returns its networks that [`crate::networks`] describes: of each stream the backbone, unless
    /// it was imported from ONNX, and the head.
    #[must_use]
    pub fn networks(&self) -> Vec<BundleNetwork> {
        let of = |stream: &StreamContents| {
            let [name, head] = names(stream.backbone.stream());
            let backbone = match &stream.backbone.network {
                FrozenNetwork::Described { backbone, weights } => Some(BundleNetwork {
                    name,
                    backbone: Some(*backbone),
                    graph: backbone.graph(1),
                    weights: weights.clone(),
                    input: Some(stream.backbone.input),
                }),
                FrozenNetwork::Onnx(_) => None,
            };
            let (graph, weights) = (stream.head.clone(), stream.head_weights.clone());
            let head = BundleNetwork { name: head, graph, weights, backbone: None, input: None };
            backbone.into_iter().chain([head])
        };
        self.streams.iter().flat_map(of).collect()
    }

    /// Returns the name of the network, as in `zoo`.
    pub(super) fn architecture(&self) -> String {
        let described: Option<Vec<Backbone>> = self.streams.iter().map(|stream| stream.backbone.described()).collect();
        let known = described.and_then(|streams| NETWORKS.iter().find(|network| network.streams == streams));
        let names = || self.streams.iter().map(|stream| stream.backbone.name()).collect::<Vec<_>>().join("+");
        known.map_or_else(names, |network| network.name.to_owned())
    }

    /// Returns the manifest's entry of the stream `name`.
    pub(super) fn entry(&self, name: StreamName) -> Option<StreamEntry> {
        let stream = self.streams.iter().find(|stream| stream.backbone.stream() == name)?;
        let backbone = &stream.backbone;
        let macs = |&rate: &u32| {
            let clips = self.snippet_clips as u64;
            (rate, clips * backbone.macs(rate as usize) + cost::macs(&stream.head))
        };
        let [file, head] = names(name).map(onnx_file);
        Some(StreamEntry {
            backbone: file,
            int8: None,
            head,
            features: backbone.features(),
            input: backbone.input,
            parameters: backbone.parameters() + cost::parameters(&stream.head),
            macs_per_snippet: self.working_rates.iter().map(macs).collect(),
        })
    }
}

/// Returns the name of the ONNX file of the network `name`.
pub(super) fn onnx_file(name: &str) -> String {
    format!("{name}.onnx")
}
