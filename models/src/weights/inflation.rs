//! From a picture transformer to TimeSformer: its weights under TimeSformer's names, and those of time beside them.
//!
//! As its authors begin (Bertasius 2021, and their code): attention over time is that over space, and no frame has a place in time
//! of its own. What attention over time makes passes through a matrix of zeros, so that until it is trained the network sees of a still
//! clip what the picture transformer sees of the picture; in other clips the frames share a class token and nothing else. (Their code
//! leaves that matrix random in the first block; here it is zero there too, so that the network is a function of the weights alone.)

use super::{Tensor, checkpoint::Checkpoint};
use crate::networks::graph::{Graph, WeightSpec};

/// Where patches become tokens, in either network.
const EMBEDDING: &str = "patch_embed.proj.weight";

/// The places in time, which a network for pictures lacks.
const TIMES: &str = "time_embed";

/// The names of torchvision's picture transformers, by parts, and what TimeSformer calls them.
const TORCHVISION: [(&str, &str); 13] = [
    ("class_token", "cls_token"),
    ("conv_proj.", "patch_embed.proj."),
    ("encoder.pos_embedding", "pos_embed"),
    ("encoder.ln.", "norm."),
    ("encoder.layers.encoder_layer_", "blocks."),
    (".ln_1.", ".norm1."),
    (".ln_2.", ".norm2."),
    (".self_attention.in_proj_", ".attn.qkv."),
    (".self_attention.out_proj.", ".attn.proj."),
    (".mlp.linear_1.", ".mlp.fc1."),
    (".mlp.linear_2.", ".mlp.fc2."),
    (".mlp.0.", ".mlp.fc1."),
    (".mlp.3.", ".mlp.fc2."),
];

/// Returns whether the weights of `graph` can be made from those of a picture transformer: whether it learns places in time.
#[must_use]
pub fn is_inflatable(graph: &Graph) -> bool {
    graph.weights().iter().any(|spec| spec.name == TIMES)
}

/// The checkpoint with all that TimeSformer, described by `graph`, has; and whether it was one of pictures. That of another network is left as it is, for the
/// mapping to name what it lacks. What is made has the shapes of the graph, whatever the checkpoint says of its own.
#[must_use]
pub fn inflate(graph: &Graph, mut checkpoint: Checkpoint) -> (Checkpoint, bool) {
    let torchvisions = checkpoint.tensors.keys().find_map(|name| name.strip_suffix("conv_proj.weight"));
    if let Some(prefix) = torchvisions.map(str::to_owned) {
        let renamed = |name: &str| Some(format!("{prefix}{}", named(name.strip_prefix(&prefix)?)));
        for name in checkpoint.tensors.keys().cloned().collect::<Vec<_>>() {
            // One that would take the place of another stays, to be named as left over.
            if let Some(other) = renamed(&name).filter(|other| !checkpoint.tensors.contains_key(other))
                && let Some(tensor) = checkpoint.tensors.remove(&name)
            {
                checkpoint.tensors.insert(other, tensor);
            }
        }
    }
    let tensors = &mut checkpoint.tensors;
    let Some(prefix) = tensors.keys().find_map(|name| name.strip_suffix(EMBEDDING)).map(str::to_owned) else {
        return (checkpoint, false);
    };
    if let Some(kernel) = tensors.get_mut(&format!("{prefix}{EMBEDDING}"))
        && let [width, channels, side, across] = kernel.shape[..]
    {
        // One frame at a time.
        kernel.shape = vec![width, channels, 1, side, across];
    }
    let lacking = |spec: &WeightSpec| !tensors.contains_key(&format!("{prefix}{}", spec.name));
    let of_time: Vec<WeightSpec> = graph.weights().into_iter().filter(lacking).collect();
    // What has learned something of time is no network for pictures, and what it lacks is to be named.
    let knows_time = tensors.keys().any(|name| name.contains(".temporal_"));
    if knows_time || !of_time.iter().any(|spec| spec.name == TIMES) {
        return (checkpoint, false);
    }
    for WeightSpec { name, shape, .. } in of_time {
        let made = match name.contains(".temporal_fc.") || name == TIMES {
            true => Some(Tensor { data: vec![0.0; shape.iter().product()], shape }),
            false => {
                let of_space = tensors.get(&format!("{prefix}{}", name.replacen("temporal_", "", 1)));
                of_space.filter(|tensor| tensor.shape == shape).cloned()
            }
        };
        made.map(|tensor| tensors.insert(format!("{prefix}{name}"), tensor));
    }
    (checkpoint, true)
}

/// What TimeSformer calls a weight of torchvision's.
fn named(name: &str) -> String {
    if let Some(classifier) = name.strip_prefix("heads.") {
        return format!("head.{}", classifier.trim_start_matches("head."));
    }
    TORCHVISION.iter().fold(name.to_owned(), |name, (theirs, ours)| {
        // The first ones stand at the start.
        if theirs.starts_with('.') || name.starts_with(theirs) { name.replacen(theirs, ours, 1) } else { name }
    })
}
