//! TimeSformer made of a picture transformer: it must see of a still clip what that sees of the
//! picture.

use divita_models::{
    engines::{
        onnx::{Precision, encode},
        reference_input::reference_inputs,
        session::Session,
    },
    networks::graph::Graph,
    weights::{Tensor, Weights, checkpoint::Checkpoint, import::map, seed::seeded},
};

use crate::{SEED, assert_close, input::small_timesformer, torch::expected};

/// A picture transformer of small proportions, under the names that torchvision gives its weights.
pub fn picture_transformer() -> Weights {
    let weights = seeded(&small_timesformer(1), SEED, "vit");
    let rename = |(name, mut tensor): (String, Tensor)| {
        if let Some(part) = name.strip_prefix("patch_embed.proj.") {
            if let [width, channels, 1, side, across] = tensor.shape[..] {
                tensor.shape = vec![width, channels, side, across];
            }
            return Some((format!("conv_proj.{part}"), tensor));
        }
        let name = match name.as_str() {
            "cls_token" => "class_token".to_owned(),
            "pos_embed" => "encoder.pos_embedding".to_owned(),
            "norm.weight" | "norm.bias" => format!("encoder.ln.{}", &name["norm.".len()..]),
            _ => {
                let (block, part) = name.strip_prefix("blocks.")?.split_once('.')?;
                let part = match part.rsplit_once('.')? {
                    ("norm1", kind) => format!("ln_1.{kind}"),
                    ("norm2", kind) => format!("ln_2.{kind}"),
                    ("attn.qkv", kind) => format!("self_attention.in_proj_{kind}"),
                    ("attn.proj", kind) => format!("self_attention.out_proj.{kind}"),
                    ("mlp.fc1", kind) => format!("mlp.0.{kind}"),
                    ("mlp.fc2", kind) => format!("mlp.3.{kind}"),
                    _ => return None,
                };
                format!("encoder.layers.encoder_layer_{block}.{part}")
            }
        };
        Some((name, tensor))
    };
    Weights(weights.0.into_iter().filter_map(rename).collect())
}

fn run(graph: &Graph, weights: &Weights, frames: usize) -> Vec<f32> {
    let inputs = reference_inputs(&small_timesformer(1));
    let [(shape, picture)] = &inputs[..] else { unreachable!("it has one input") };
    let plane = picture.len() / 3;
    let clip = picture.chunks(plane).flat_map(|channel| std::iter::repeat_n(channel, frames).flatten()).copied();
    let input = (vec![1, 3, frames, shape[3], shape[4]], clip.collect());
    let onnx = encode(graph, weights, Precision::F32).unwrap();
    let mut session = Session::tract(&onnx, [input.0.as_slice()]).unwrap();
    session.run(vec![input]).unwrap()
}

#[test]
fn a_still_clip_is_what_the_picture_transformer_sees() {
    let torchvisions = picture_transformer();
    assert!(torchvisions.0.contains_key("encoder.layers.encoder_layer_1.self_attention.in_proj_weight"));
    // The classifier, and what a file may be wrapped in.
    let classifier = ("heads.head.weight".to_owned(), Tensor { shape: vec![2, 48], data: vec![0.0; 96] });
    let tensors = torchvisions.0.into_iter().chain([classifier]);
    let tensors: std::collections::BTreeMap<_, _> =
        tensors.map(|(name, tensor)| (format!("model.{name}"), tensor)).collect();
    for frames in [1, 3] {
        let graph = small_timesformer(frames);
        let checkpoint = Checkpoint { tensors: tensors.clone(), ..Checkpoint::default() };
        let mapping = map(&graph, checkpoint).unwrap();
        assert!(mapping.inflated);
        assert_eq!((mapping.prefix.as_str(), &mapping.not_needed[..]), ("model.", &["head.weight".to_owned()][..]));
        assert_close(&format!("{frames} equal frames"), &run(&graph, &mapping.weights, frames), &expected("vit"));
        // What was imported once is not inflated again.
        let tensors_again = mapping.weights.0.clone();
        let again = map(&graph, Checkpoint { tensors: tensors_again, ..Checkpoint::default() }).unwrap();
        assert!(!again.inflated);
        assert_eq!(again.weights, mapping.weights);
    }
}

#[test]
fn weights_for_time_that_are_there_are_kept() {
    let graph = small_timesformer(8);
    let weights = seeded(&graph, SEED, "timesformer");
    let mapping = map(&graph, Checkpoint { tensors: weights.0.clone(), ..Checkpoint::default() }).unwrap();
    assert!(!mapping.inflated);
    assert_eq!(mapping.weights, weights);
    // Part of them is a damaged file, and no network for pictures.
    let mut tensors = weights.0;
    tensors.remove("time_embed");
    let refused = map(&graph, Checkpoint { tensors, ..Checkpoint::default() }).unwrap_err();
    assert!(refused.to_string().contains("1 missing (time_embed)"), "{refused}");
}

#[test]
fn what_is_no_transformer_is_refused_by_name() {
    let tensors = [("conv1.weight".to_owned(), Tensor { shape: vec![1], data: vec![0.0] })].into();
    let refused = map(&small_timesformer(1), Checkpoint { tensors, ..Checkpoint::default() }).unwrap_err();
    assert!(refused.to_string().contains("missing (patch_embed.proj.weight"), "{refused}");
}

/// What a checkpoint says of its sizes decides nothing of what is allocated.
#[test]
fn a_checkpoint_that_claims_to_be_huge_is_refused() {
    let mut tensors = picture_transformer().0;
    let side = 1 << 20;
    tensors.insert("encoder.pos_embedding".to_owned(), Tensor { shape: vec![1, 1, side], data: vec![0.0; side] });
    for block in 2..20_000 {
        let name = format!("encoder.layers.encoder_layer_{block}.ln_1.weight");
        tensors.insert(name, Tensor { shape: vec![1], data: vec![1.0] });
    }
    let refused = map(&small_timesformer(1), Checkpoint { tensors, ..Checkpoint::default() }).unwrap_err();
    assert!(refused.to_string().contains("pos_embed [1, 1, 1048576] instead of [1, 17, 48]"), "{refused}");
}
