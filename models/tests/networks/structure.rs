//! What the ONNX files are made of.

use divita_models::{
    Error,
    bundle::seeded_networks,
    engines::onnx::{IR_VERSION, OPSET, Precision, encode},
    networks::{swin_2d, swin_3d},
    weights::{Weights, seed::seeded},
};
use prost::Message;
use tract_onnx::pb::{ModelProto, tensor_proto::DataType};

use crate::{SEED, input::bundle_cases};

fn decoded(precision: Precision) -> Vec<(&'static str, ModelProto)> {
    let decode = |network: divita_models::bundle::BundleNetwork| {
        let bytes = encode(&network.graph, &network.weights, precision).unwrap();
        (network.name, ModelProto::decode(&*bytes).unwrap())
    };
    seeded_networks(SEED).into_iter().map(decode).collect()
}

fn count(model: &ModelProto, op: &str) -> usize {
    model.graph.as_ref().unwrap().node.iter().filter(|node| node.op_type == op).count()
}

#[test]
fn files_are_opset_17_without_batch_norm() {
    for (name, model) in decoded(Precision::F32) {
        assert_eq!((model.ir_version, model.opset_import[0].version), (IR_VERSION, OPSET), "{name}");
        assert_eq!(count(&model, "BatchNormalization"), 0, "{name}");
        let graph = model.graph.unwrap();
        println!("{name}: {} nodes, {} initialisers", graph.node.len(), graph.initializer.len());
        let mut names: Vec<&String> = graph.node.iter().map(|node| &node.name).collect();
        names.sort();
        names.dedup();
        assert_eq!(names.len(), graph.node.len(), "{name}: node names are unique");
    }
}

/// 56 convolutions, the max pool, 16 units with a shuffle of three nodes and a concat, 13 of them
/// with a split, 37 ReLUs and the mean.
#[test]
fn a_backbone_has_the_nodes_of_shufflenet_v2() {
    for (name, model) in decoded(Precision::F32).into_iter().filter(|(name, _)| !name.ends_with("head")) {
        let expected = [
            ("Conv", 56),
            ("MaxPool", 1),
            ("Split", 13),
            ("Concat", 16),
            ("Relu", 37),
            ("Transpose", 16),
            ("Reshape", 32),
        ];
        for (op, expected) in expected {
            assert_eq!(count(&model, op), expected, "{name}: {op}");
        }
        assert_eq!(model.graph.unwrap().node.len(), 56 + 1 + 13 + 16 + 37 + 16 + 32 + 1, "{name}");
    }
}

#[test]
fn half_precision_stores_every_weight_as_half_and_casts_it() {
    for (name, model) in decoded(Precision::F16) {
        let casts = count(&model, "Cast");
        let graph = model.graph.unwrap();
        let halves = graph.initializer.iter().filter(|tensor| tensor.data_type == DataType::Float16 as i32).count();
        let singles: Vec<_> =
            graph.initializer.iter().filter(|tensor| tensor.data_type == DataType::Float as i32).collect();
        println!("{name}: {} nodes, {casts} of them casts", graph.node.len());
        assert_eq!(halves, casts, "{name}");
        // The factor of the attention's scores is a number of the method, not a weight.
        assert!(singles.iter().all(|tensor| tensor.name.starts_with("number.")), "{name}");
    }
}

#[test]
fn the_files_of_a_bundle_stay_below_eight_megabytes() {
    let cases = bundle_cases().into_iter().filter(|case| !case.name.starts_with("video.f") || case.name == "video.f1");
    let sizes: Vec<_> = cases.map(|case| (case.name.clone(), case.onnx(Precision::F16).len())).collect();
    println!("{sizes:?}");
    assert!(sizes.iter().map(|(_, size)| size).sum::<usize>() < 8_000_000);
}

/// torch's own export of a Swin transformer has 6,000 nodes and more.
#[test]
fn swin_transformers_have_few_nodes() {
    for (name, most) in [("swin-2d", 600), ("swin-3d", 1000)] {
        let graph = if name == "swin-2d" { swin_2d() } else { swin_3d(24) };
        let onnx = encode(&graph, &seeded(&graph, SEED, name), Precision::F32).unwrap();
        let nodes = ModelProto::decode(&*onnx).unwrap().graph.unwrap().node.len();
        println!("{name}: {nodes} nodes");
        assert!(nodes <= most, "{name}: {nodes}");
    }
}

#[test]
fn weights_of_another_network_are_named_in_the_error() {
    let networks = seeded_networks(SEED);
    let error = encode(&networks[0].graph, &Weights::default(), Precision::F32).unwrap_err();
    assert!(matches!(error, Error::MissingWeight(name) if name == "conv1.0.weight"));
    let video = networks.iter().find(|network| network.name == "video").unwrap();
    let error = encode(&networks[0].graph, &video.weights, Precision::F32).unwrap_err();
    assert!(matches!(error, Error::WeightShape { name, .. } if name == "conv1.0.weight"));
}
