//! The cases: each network that is compared with references, its seeded weights, and their inputs.

use divita_models::{
    bundle::seeded_networks,
    engines::{
        onnx::{Precision, encode},
        reference_input::{Input, reference_inputs},
        session::Session,
    },
    networks::{
        LABELS, Proportions, SWIN_FEATURES, VitProportions, efficientnet_lite0_classifier,
        graph::Graph,
        heads::{CONV, CTT_MMC_A, FASTVIDEO, GRU, MEAN},
        r2plus1d, resnet, shufflenet_3d, swin_2d, swin_3d_of, timesformer_of, transnet,
    },
    weights::{Weights, seed::seeded, write_safetensors},
};

use crate::SEED;

/// Clip lengths that the video backbone is tried with; 1 is the shortest clip there is.
const FRAMES: [usize; 4] = [1, 4, 8, 24];

/// One network on one input.
pub struct Case {
    /// Name of its output in `tests/vectors`, and of its weights before the first dot.
    pub name: String,
    /// The description.
    pub graph: Graph,
    /// Its weights.
    pub weights: Weights,
}

impl Case {
    fn new(name: &str, graph: Graph) -> Case {
        let weights = seeded(&graph, SEED, name);
        Case { name: name.to_owned(), graph, weights }
    }

    /// The network as an ONNX file.
    pub fn onnx(&self, precision: Precision) -> Vec<u8> {
        encode(&self.graph, &self.weights, precision).unwrap()
    }

    /// Shape and elements of each input.
    pub fn inputs(&self) -> Vec<Input> {
        reference_inputs(&self.graph)
    }

    /// The output in tract.
    pub fn run(&self, precision: Precision) -> Vec<f32> {
        let inputs = self.inputs();
        let session = Session::tract(&self.onnx(precision), shapes(&inputs));
        session.and_then(|mut session| session.run(inputs)).unwrap()
    }
}

/// The shapes of `inputs`.
pub fn shapes(inputs: &[Input]) -> impl Iterator<Item = &[usize]> {
    inputs.iter().map(|(shape, _)| shape.as_slice())
}

/// Every network of the bundle, the video backbone once for each clip length.
pub fn bundle_cases() -> Vec<Case> {
    let of = |network: divita_models::bundle::BundleNetwork| {
        let case = |name: String, graph: Graph| Case { name, graph, weights: network.weights.clone() };
        if network.name != "video" {
            return vec![case(network.name.to_owned(), network.graph.clone())];
        }
        FRAMES.map(|frames| case(format!("video.f{frames}"), shufflenet_3d(frames))).into()
    };
    seeded_networks(SEED).into_iter().flat_map(of).collect()
}

/// Video Swin in small proportions, every stage present.
fn small_swin_3d(frames: usize) -> Graph {
    let proportions = Proportions { channels: 24, depths: vec![2, 2, 2, 2], heads: vec![1, 2, 4, 8] };
    swin_3d_of(&proportions, frames, 224)
}

/// TimeSformer in small proportions.
pub fn small_timesformer(frames: usize) -> Graph {
    timesformer_of(VitProportions { patch: 16, width: 48, depth: 2, heads: 3 }, frames, 64)
}

/// The networks that are not in a bundle yet. Those that take any number of frames are tried with a
/// few: Swin-3D needs padding at 24, one window covers time at 4, and 5 do not divide into its
/// patches. TimeSformer has learned 8 places in time, of which 3 frames pick some.
pub fn host_cases() -> Vec<Case> {
    let mut cases = vec![
        Case::new("resnet", resnet()),
        Case::new("r2plus1d", r2plus1d(5)),
        Case::new("swin2d", swin_2d()),
        Case::new("lite0", efficientnet_lite0_classifier()),
        Case::new("transnetv2", transnet()),
        Case::new("gru", GRU.graph(SWIN_FEATURES, LABELS)),
        Case::new("conv", CONV.graph(SWIN_FEATURES, LABELS)),
        Case::new("mean", MEAN.graph(SWIN_FEATURES, LABELS)),
        Case::new("ctt-mmc-a", CTT_MMC_A.graph(SWIN_FEATURES, LABELS)),
        Case::new("fastvideo", FASTVIDEO.graph(SWIN_FEATURES, LABELS)),
    ];
    let weights = seeded(&small_swin_3d(24), SEED, "swin3d");
    let frames = |f| Case { name: format!("swin3d.f{f}"), graph: small_swin_3d(f), weights: weights.clone() };
    cases.extend([24, 5, 4].map(frames));
    let weights = seeded(&small_timesformer(8), SEED, "timesformer");
    let frames = |f| Case { name: format!("timesformer.f{f}"), graph: small_timesformer(f), weights: weights.clone() };
    cases.extend([8, 3].map(frames));
    cases
}

/// All of them.
pub fn cases() -> Vec<Case> {
    let mut cases = bundle_cases();
    cases.extend(host_cases());
    cases
}

/// Not a test: writes the weights of all cases to the file that `DIVITA_WEIGHTS` names, for
/// `reference/make_vectors.py`.
#[test]
#[ignore = "writes a file for reference/make_vectors.py"]
fn write_weights() {
    let path = std::env::var_os("DIVITA_WEIGHTS").expect("DIVITA_WEIGHTS names the file to write");
    let cases = cases();
    let mut named: Vec<(&str, &Weights)> =
        cases.iter().map(|case| (case.name.split('.').next().unwrap(), &case.weights)).collect();
    named.dedup_by_key(|(name, _)| *name);
    let vit = crate::inflation::picture_transformer();
    named.push(("vit", &vit));
    write_safetensors(&named, &[], path.as_ref()).unwrap();
}

#[test]
fn the_weights_have_the_names_of_the_published_state_dicts() {
    let expected: [(&str, &str, &[usize]); 16] = [
        ("image", "stage2.0.branch1.0.weight", &[24, 1, 3, 3]),
        ("image", "stage4.3.branch2.6.running_var", &[232]),
        ("image", "conv5.0.weight", &[1024, 464, 1, 1]),
        ("video.f1", "features.0.banch1.0.weight", &[24, 1, 3, 3, 3]),
        ("video.f1", "features.15.banch2.5.weight", &[232, 232, 1, 1, 1]),
        ("video.f1", "conv_last.1.bias", &[1024]),
        ("video_head", "cam.2.attention.W_q.weight", &[128, 128]),
        ("resnet", "layer4.0.downsample.0.weight", &[2048, 1024, 1, 1]),
        ("r2plus1d", "layer2.0.conv1.0.0.weight", &[230, 64, 1, 3, 3]),
        ("swin2d", "features.1.0.attn.relative_position_bias_table", &[169, 3]),
        ("swin2d", "features.6.reduction.weight", &[768, 1536]),
        ("swin3d.f4", "features.2.0.attn.relative_position_bias_table", &[2535, 2]),
        ("timesformer.f3", "time_embed", &[1, 8, 48]),
        ("timesformer.f3", "blocks.1.temporal_attn.qkv.weight", &[144, 48]),
        ("transnetv2", "SDDCNN.2.DDCNN.1.Conv3D_8.layers.1.weight", &[64, 128, 3, 1, 1]),
        ("lite0", "_blocks.15._expand_conv.weight", &[1152, 192, 1, 1]),
    ];
    let cases = cases();
    for (case, name, shape) in expected {
        let case = cases.iter().find(|one| one.name == case).unwrap();
        assert_eq!(case.weights.0[name].shape, shape, "{name}");
    }
}
