//! Makes TimeSformer's weights from those of a picture transformer.
//!
//! Follows the authors' initialisation (Bertasius 2021, and their code): attention over time starts
//! as a copy of attention over space, and the places in time are zero. A matrix of zeros follows
//! the attention over time. So the untrained network computes for a still clip what the picture
//! transformer computes for the picture; in other clips the frames share only the class token. (The
//! authors' code leaves that matrix random in the first block. Here it is zero there too, so that
//! the result depends on the weights alone.)

use super::{Tensor, checkpoint::Checkpoint};
use crate::networks::graph::{Graph, WeightSpec};

/// Weight that turns patches into tokens, in both networks.
const EMBEDDING: &str = "patch_embed.proj.weight";

/// Weight with the places in time, which networks for pictures lack.
const TIMES: &str = "time_embed";

/// Parts of the names in torchvision's picture transformers, and TimeSformer's names for them.
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

/// Returns whether the weights of `graph` can be made from those of a picture transformer: whether
/// it learns places in time.
#[must_use]
pub fn is_inflatable(graph: &Graph) -> bool {
    graph.weights().iter().any(|spec| spec.name == TIMES)
}

/// Adds the weights that TimeSformer, described by `graph`, needs. Returns the checkpoint and
/// whether it was of a picture transformer.
///
/// The checkpoint of another network stays as it is, so that the mapping names what is missing. New
/// weights have the shapes of the graph, whatever the checkpoint's shapes are.
#[must_use]
pub fn inflate(graph: &Graph, mut checkpoint: Checkpoint) -> (Checkpoint, bool) {
    let torchvisions = checkpoint.tensors.keys().find_map(|name| name.strip_suffix("conv_proj.weight"));
    if let Some(prefix) = torchvisions.map(str::to_owned) {
        let renamed = |name: &str| Some(format!("{prefix}{}", named(name.strip_prefix(&prefix)?)));
        for name in checkpoint.tensors.keys().cloned().collect::<Vec<_>>() {
            // A tensor whose new name exists keeps its name, and is reported as left over.
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
    // A checkpoint with weights for time is not of a picture network: report what it lacks.
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

/// Translates a name of torchvision's to TimeSformer's.
fn named(name: &str) -> String {
    if let Some(classifier) = name.strip_prefix("heads.") {
        return format!("head.{}", classifier.trim_start_matches("head."));
    }
    TORCHVISION.iter().fold(name.to_owned(), |name, (theirs, ours)| {
        // The first rows are prefixes.
        if theirs.starts_with('.') || name.starts_with(theirs) { name.replacen(theirs, ours, 1) } else { name }
    })
}
