//! From a picture transformer to TimeSformer: its weights under TimeSformer's names, and those of time beside them.
//!
//! As its authors begin (Bertasius 2021, and their code): attention over time is that over space, and no frame has a place in time
//! of its own. What attention over time makes passes through a matrix of zeros, so that the network sees of a clip what the picture
//! transformer sees of its frames, until it is trained. (Their code leaves that matrix random in the first block; here it is zero
//! there too, so that the network is a function of the weights alone.)

use std::collections::BTreeMap;

use crate::{checkpoint::Checkpoint, networks::LEARNED_FRAMES, weights::Tensor};

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

/// The checkpoint with all that TimeSformer has, and whether it was one of pictures. That of another network is left as it is, for the
/// mapping to name what it lacks.
#[must_use]
pub fn inflate(mut checkpoint: Checkpoint) -> (Checkpoint, bool) {
    let names: Vec<String> = checkpoint.tensors.keys().cloned().collect();
    if let Some(prefix) = names.iter().find_map(|name| name.strip_suffix("conv_proj.weight")) {
        checkpoint.tensors = std::mem::take(&mut checkpoint.tensors)
            .into_iter()
            .map(|(name, tensor)| match name.strip_prefix(prefix) {
                Some(name) => (format!("{prefix}{}", named(name)), tensor),
                None => (name, tensor),
            })
            .collect();
    }
    let tensors = &mut checkpoint.tensors;
    let embedding = tensors.keys().find(|name| name.ends_with("patch_embed.proj.weight")).cloned();
    let Some(embedding) = embedding else { return (checkpoint, false) };
    let prefix = embedding.trim_end_matches("patch_embed.proj.weight").to_owned();
    if let Some(kernel) = tensors.get_mut(&embedding)
        && let [width, channels, side, across] = kernel.shape[..]
    {
        // One frame at a time.
        kernel.shape = vec![width, channels, 1, side, across];
    }
    let times = format!("{prefix}time_embed");
    if tensors.contains_key(&times) {
        return (checkpoint, false);
    }
    let Some(&[1, _, width]) = tensors.get(&format!("{prefix}pos_embed")).map(|places| &places.shape[..]) else {
        return (checkpoint, false);
    };
    let of_time = time(tensors, &format!("{prefix}blocks."), width);
    tensors.extend(of_time);
    tensors.insert(times, zeros(&[1, LEARNED_FRAMES, width]));
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

/// What the blocks have for time.
fn time(tensors: &BTreeMap<String, Tensor>, blocks: &str, width: usize) -> BTreeMap<String, Tensor> {
    let mut made = BTreeMap::new();
    for (name, tensor) in tensors {
        let Some((number, part)) = name.strip_prefix(blocks).and_then(|name| name.split_once('.')) else { continue };
        if part.starts_with("attn.") || part.starts_with("norm1.") {
            made.insert(format!("{blocks}{number}.temporal_{part}"), tensor.clone());
        }
        made.entry(format!("{blocks}{number}.temporal_fc.weight")).or_insert_with(|| zeros(&[width, width]));
        made.entry(format!("{blocks}{number}.temporal_fc.bias")).or_insert_with(|| zeros(&[width]));
    }
    made
}

fn zeros(shape: &[usize]) -> Tensor {
    Tensor { shape: shape.to_vec(), data: vec![0.0; shape.iter().product()] }
}
