//! Maps the tensors of a checkpoint to the weights of a network.

use std::collections::BTreeMap;

use super::{Tensor, Weights, checkpoint::Checkpoint, inflation};
use crate::{
    Error,
    networks::{Backbone, graph::Graph, zoo::BACKBONES},
};

/// Last parts of the names of tensors that no network needs: counters, and tables that follow from
/// the shapes.
const NOT_NEEDED: [&str; 2] = ["num_batches_tracked", "relative_position_index"];

/// First parts of the names of the published backbones' classifiers.
const CLASSIFIERS: [&str; 4] = ["fc", "_fc", "head", "classifier"];

/// The weights of a network in a checkpoint, and the checkpoint's other tensors.
#[derive(Clone, Debug)]
pub struct Mapping {
    /// The weights of the network.
    pub weights: Weights,
    /// Prefix of every name, such as `state_dict.module.`.
    pub prefix: String,
    /// Tensors that are not needed: the classifier of a backbone, counters, and tables that follow
    /// from the shapes.
    pub not_needed: Vec<String>,
    /// Number of tensors without the prefix, which a training run keeps besides the network.
    pub outside: usize,
    /// Whether the checkpoint is of a network for pictures, whose weights for time were made here.
    pub inflated: bool,
}

/// Finds the prefix of the network's weights in the checkpoint: that of most weights.
#[must_use]
pub fn prefix(graph: &Graph, checkpoint: &Checkpoint) -> String {
    let mut votes: BTreeMap<&str, usize> = BTreeMap::new();
    let names: Vec<String> = graph.weights().into_iter().map(|spec| spec.name).collect();
    for tensor in checkpoint.tensors.keys() {
        // A name may end like another, so the prefix of most tensors is taken.
        for name in names.iter().filter_map(|name| tensor.strip_suffix(name.as_str())) {
            if name.is_empty() || name.ends_with('.') {
                *votes.entry(name).or_default() += 1;
            }
        }
    }
    let most = votes.values().max().copied().unwrap_or(0);
    votes.into_iter().find(|(_, count)| *count == most).map(|(prefix, _)| prefix.to_owned()).unwrap_or_default()
}

/// Finds the weights of `graph` in `checkpoint`.
///
/// # Errors
/// [`Error::WrongNetwork`] where weights are missing or have another shape, or where tensors are
/// left over that are neither a classifier nor a counter. The error names them.
pub fn map(graph: &Graph, mut checkpoint: Checkpoint) -> Result<Mapping, Error> {
    let mut inflated = false;
    if inflation::is_inflatable(graph) {
        (checkpoint, inflated) = inflation::inflate(graph, checkpoint);
    }
    let prefix = prefix(graph, &checkpoint);
    let mut weights = Weights::default();
    let (mut missing, mut reshaped) = (Vec::new(), Vec::new());
    for spec in graph.weights() {
        match checkpoint.tensors.remove(&format!("{prefix}{}", spec.name)) {
            Some(tensor) if tensor.shape == spec.shape => {
                weights.0.insert(spec.name, tensor);
            }
            Some(tensor) => reshaped.push(format!("{} {:?} instead of {:?}", spec.name, tensor.shape, spec.shape)),
            None => missing.push(spec.name),
        }
    }
    let left: Vec<&str> = checkpoint.tensors.keys().filter_map(|name| name.strip_prefix(prefix.as_str())).collect();
    let outside = checkpoint.tensors.len() - left.len();
    // Every tensor has an empty prefix, so all tensors of another checkpoint are left over.
    let by_design = |name: &&str| {
        let part = |part: Option<&str>, known: &[&str]| part.is_some_and(|part| known.contains(&part));
        part(name.rsplit('.').next(), &NOT_NEEDED) || part(name.split('.').next(), &CLASSIFIERS)
    };
    let (not_needed, unknown): (Vec<&str>, Vec<&str>) = left.into_iter().partition(by_design);
    if !missing.is_empty() || !reshaped.is_empty() || !unknown.is_empty() {
        let unknown = unknown.into_iter().map(str::to_owned).collect();
        return Err(Error::WrongNetwork { network: graph.name, missing, reshaped, unknown });
    }
    let not_needed = not_needed.into_iter().map(str::to_owned).collect();
    Ok(Mapping { weights, prefix, not_needed, outside, inflated })
}

/// Returns the backbone whose weights `checkpoint` holds, by their names and shapes; `None` where
/// no backbone fits.
#[must_use]
pub fn backbone_of(checkpoint: &Checkpoint) -> Option<Backbone> {
    let holds = |backbone: &Backbone| {
        let graph = backbone.graph(1);
        let prefix = prefix(&graph, checkpoint);
        let shape = |name: &str| checkpoint.tensors.get(&format!("{prefix}{name}")).map(|tensor| &tensor.shape);
        graph.weights().iter().all(|spec| shape(&spec.name) == Some(&spec.shape))
    };
    BACKBONES.iter().copied().find(holds)
}

/// Returns the length of the vectors that the head in `checkpoint` reads: that of its batch norm.
#[must_use]
pub fn head_features(checkpoint: &Checkpoint) -> Option<usize> {
    let is_norm = |name: &str| name == "bn.weight" || name.ends_with(".bn.weight");
    let norm: Option<&Tensor> = checkpoint.tensors.iter().find(|(name, _)| is_norm(name)).map(|(_, tensor)| tensor);
    norm.and_then(|tensor| tensor.shape.first().copied())
}
