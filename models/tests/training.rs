//! Training against torch: a step's loss and gradients, and the losses of twenty steps;
//! `make_training.py` wrote `training/reference.json`. Softmax, cross entropy and its gradient
//! against numpy: `make_cross_entropy.py` wrote `training/cross_entropy.json`. Against tract: what
//! a network makes where nothing is trained. And what is drawn.
//!
//! On the processor, or where `DIVITA_TRAINING_DEVICE` says.
#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;

use burn_core::tensor::{Device, Tensor};
use divita_models::{
    engines::{
        onnx::{self, Precision},
        session::Session,
    },
    networks::{
        Head, efficientnet_lite0,
        graph::{Graph, WeightSpec},
        heads::{CAT, HEADS},
        shufflenet_2d, shufflenet_3d,
    },
    representations::Store,
    training::{
        AdamW, Classifier, Differentiable, Fusion, Mode, binary_cross_entropy,
        clip_vectors::{ClipVectors, Room},
        cross_entropy, label_probabilities,
        snippets::{Snippet, consecutive, drawn, gather},
        training_device,
    },
    weights::{
        self, Weights,
        seed::{initial, seeded},
    },
};
use divita_runtime::bundle::Task;
use rand_chacha::{ChaCha8Rng, rand_core::SeedableRng};
use serde::Deserialize;

const BATCH: usize = 6;
const CLIPS: usize = 5;
const FEATURES: usize = 16;
const LABELS: usize = 10;
const RATE: f64 = 1e-3;
const DECAY: f32 = 1e-2;

fn device() -> Device {
    let named = std::env::var("DIVITA_TRAINING_DEVICE").unwrap_or_else(|_| "cpu".to_owned());
    training_device(named.parse().unwrap()).unwrap()
}

#[derive(Deserialize)]
struct Reference {
    logits: Vec<f32>,
    gradients: BTreeMap<String, Digest>,
    losses: Vec<f64>,
    running_mean: Vec<f32>,
    running_var: Vec<f32>,
}

/// What is known of a gradient.
#[derive(Deserialize)]
struct Digest {
    largest: f64,
    samples: Vec<f64>,
    sums: Vec<f64>,
}

fn references() -> BTreeMap<String, Reference> {
    serde_json::from_str(include_str!("training/reference.json")).unwrap()
}

/// Integers of 24 bits, as `integers` of the script makes them.
fn integers(name: &str, count: usize) -> impl Iterator<Item = u64> + use<> {
    let begin = u64::from(crc32fast::hash(name.as_bytes()));
    (0..count as u64).map(move |at| {
        let at = at * 2_654_435_761 + begin;
        // The script's integers are signed: what overflows wraps, and the remainder is taken
        // towards minus infinity.
        let at = (at ^ (at >> 15)).wrapping_mul(0x2C1B_3C6D) as u32;
        u64::from((at ^ (at >> 12)) & 0xff_ffff)
    })
}

fn numbers(name: &str, count: usize) -> impl Iterator<Item = f64> + use<> {
    integers(name, count).map(|integer| integer as f64 / 16_777_216.0 - 0.5)
}

fn named(network: &Graph) -> Weights {
    let weight = |spec: WeightSpec| {
        let inner: usize = spec.shape[1..].iter().product();
        let spread = if spec.shape.len() > 1 { 2.0 / (inner as f64).sqrt() } else { 0.2 };
        let ones = ["norm1.weight", "norm2.weight", "bn.weight", "running_var"];
        let centre = if ones.iter().any(|end| spec.name.ends_with(end)) { 1.0 } else { 0.0 };
        let count = spec.shape.iter().product();
        let data = numbers(&spec.name, count).map(|number| (centre + spread * number) as f32).collect();
        (spec.name, weights::Tensor { shape: spec.shape, data })
    };
    Weights(network.weights().into_iter().map(weight).collect())
}

fn batch(step: usize, device: &Device) -> (Tensor<3>, Tensor<2>) {
    let vectors: Vec<f32> =
        numbers(&format!("vectors {step}"), BATCH * CLIPS * FEATURES).map(|number| number as f32 * 4.0).collect();
    let targets: Vec<f32> =
        numbers(&format!("targets {step}"), BATCH * LABELS).map(|number| f32::from(u8::from(number > 0.2))).collect();
    let vectors = Tensor::<1>::from_floats(vectors.as_slice(), device).reshape([BATCH, CLIPS, FEATURES]);
    (vectors, Tensor::<1>::from_floats(targets.as_slice(), device).reshape([BATCH, LABELS]))
}

fn near(what: &str, found: f64, wanted: f64, scale: f64) {
    assert!((found - wanted).abs() <= 1e-5 * scale, "{what}: {found} where torch has {wanted}");
}

/// A head as the reference has it: nothing is left out.
fn head(head: Head, device: &Device) -> Differentiable {
    let graph = head.graph(FEATURES, LABELS).without_dropout();
    let weights = named(&graph);
    Differentiable::new(graph, &weights, device).unwrap()
}

#[test]
fn steps_are_those_of_torch() {
    let device = device();
    for kind in HEADS {
        let reference = &references()[kind.name()];
        let mut network = head(kind, &device);
        let mut optimizer = AdamW::new(DECAY);
        for (step, &wanted) in reference.losses.iter().enumerate() {
            let (vectors, targets) = batch(step, &device);
            let mut random = ChaCha8Rng::seed_from_u64(0);
            let logits = network.run(vectors, Mode::Training(&mut random)).unwrap();
            let made: Vec<f32> = logits.clone().try_into_vec_as().unwrap();
            let loss = binary_cross_entropy(logits, targets);
            // Single precision: after a step each sum has been rounded elsewhere.
            near(&format!("{} loss {step}", kind.name()), loss.clone().into_scalar::<f64>(), wanted, wanted);
            let gradients = loss.backward();
            if step == 0 {
                let scale = reference.logits.iter().fold(0.0f32, |most, logit| most.max(logit.abs()));
                for (made, wanted) in made.iter().zip(&reference.logits) {
                    near("a logit", (*made).into(), (*wanted).into(), scale.into());
                }
                assert_eq!(network.parameters().len(), reference.gradients.len());
                for (name, elements) in network.parameters() {
                    let digest = &reference.gradients[name];
                    let gradient: Vec<f32> = elements.grad(&gradients).unwrap().try_into_vec_as().unwrap();
                    let what = format!("{} gradient of {name}", kind.name());
                    let every = (gradient.len() / 24).max(1);
                    for (found, wanted) in gradient.iter().step_by(every).zip(&digest.samples) {
                        near(&what, (*found).into(), *wanted, digest.largest);
                    }
                    for (at, wanted) in digest.sums.iter().enumerate() {
                        let signs = integers(&format!("{name} {at}"), gradient.len());
                        let sum: f64 = gradient
                            .iter()
                            .zip(signs)
                            .map(|(value, sign)| f64::from(*value) * (sign % 2 * 2) as f64 - f64::from(*value))
                            .sum();
                        near(&what, sum, *wanted, digest.largest * (gradient.len() as f64).sqrt());
                    }
                }
            }
            let gradients = network.gradients(&gradients);
            optimizer.step(RATE, &mut network, gradients);
        }
        let after = network.weights();
        for (name, wanted) in [("bn.running_mean", &reference.running_mean), ("bn.running_var", &reference.running_var)]
        {
            for (found, wanted) in after.0[name].data.iter().zip(wanted) {
                near(name, (*found).into(), (*wanted).into(), 1.0);
            }
        }
    }
}

/// A batch of logits, and what numpy makes of them.
#[derive(Deserialize)]
struct CrossEntropyCase {
    logits: Vec<f32>,
    targets: Vec<f32>,
    softmax: Vec<f64>,
    loss: f64,
    gradient: Vec<f64>,
}

#[derive(Deserialize)]
struct CrossEntropyReference {
    batch: usize,
    labels: usize,
    cases: Vec<CrossEntropyCase>,
}

#[test]
fn softmax_cross_entropy_and_its_gradient_are_those_of_numpy() {
    let device = device();
    let reference: CrossEntropyReference = serde_json::from_str(include_str!("training/cross_entropy.json")).unwrap();
    let shape = [reference.batch, reference.labels];
    for CrossEntropyCase { logits, targets, softmax, loss, gradient } in &reference.cases {
        let tensor = |values: &[f32]| Tensor::<1>::from_floats(values, &device).reshape(shape);
        let input = tensor(logits).require_grad();
        let found = cross_entropy(input.clone(), tensor(targets));
        near("cross entropy", found.clone().into_scalar::<f64>(), *loss, *loss);
        let gradients = found.backward();
        let found: Vec<f32> = input.grad(&gradients).unwrap().try_into_vec_as().unwrap();
        assert_eq!(found.len(), gradient.len());
        found.iter().zip(gradient).for_each(|(found, wanted)| near("a gradient", (*found).into(), *wanted, 1.0));
        let found: Vec<f32> = label_probabilities(Task::SingleLabel, tensor(logits)).try_into_vec_as().unwrap();
        assert_eq!(found.len(), softmax.len());
        found.iter().zip(softmax).for_each(|(found, wanted)| near("a probability", (*found).into(), *wanted, 1.0));
    }
}

#[test]
fn what_is_not_trained_is_what_tract_makes() {
    let device = device();
    let heads = HEADS.map(|head| head.graph(FEATURES, LABELS));
    for graph in heads.into_iter().chain([shufflenet_2d(), shufflenet_3d(4), efficientnet_lite0()]) {
        let weights = seeded(&graph, 3, graph.name);
        let shape = graph.input_shape().to_vec();
        let input: Vec<f32> = numbers("input", shape.iter().product()).map(|number| 2.0 * number as f32).collect();
        let onnx = onnx::encode(&graph, &weights, Precision::F32).unwrap();
        let mut session = Session::tract(&onnx, [shape.as_slice()]).unwrap();
        let wanted = session.run(vec![(shape.clone(), input.clone())]).unwrap();
        let mut network = Differentiable::new(graph, &weights, &device).unwrap();
        // Differentiated or not, it is the same function.
        for device in [device.clone(), device.clone().inner()] {
            let made = network.infer(&(shape.clone(), input.clone()), &device).unwrap();
            let largest = wanted.iter().fold(0.0f32, |most, value| most.max(value.abs()));
            assert_eq!(made.len(), wanted.len());
            for (made, wanted) in made.iter().zip(&wanted) {
                assert!((made - wanted).abs() <= 1e-5 * largest, "{}: {made} {wanted}", network.graph().name);
            }
        }
        // Nothing was trained, and nothing has changed.
        assert!(network.weights() == weights);
    }
}

#[test]
fn a_network_of_pictures_learns_to_tell_them_apart() {
    // Two clips, and the sum of the features is to tell which is which.
    let device = device();
    let graph = shufflenet_3d(2);
    let weights = initial(&graph, 5, "video");
    let shape = [2, 3, 2, 112, 112];
    let input: Vec<f32> = numbers("clips", shape.iter().product()).map(|number| number as f32).collect();
    let input = Tensor::<1>::from_floats(input.as_slice(), &device).reshape(shape);
    let targets = Tensor::<2>::from_floats([[1.0], [0.0]], &device);
    let mut network = Differentiable::new(graph, &weights, &device).unwrap();
    let mut optimizer = AdamW::new(0.0);
    let mut losses = Vec::new();
    for _ in 0..6 {
        let mut random = ChaCha8Rng::seed_from_u64(0);
        let features = network.run(input.clone(), Mode::Training(&mut random)).unwrap();
        let loss = binary_cross_entropy(features.narrow(1, 0, 512).sum_dim(1) * 0.01, targets.clone());
        losses.push(loss.clone().into_scalar::<f32>());
        let gradients = loss.backward();
        assert!(network.parameters().values().all(|elements| elements.grad(&gradients).is_some()));
        let gradients = network.gradients(&gradients);
        optimizer.step(1e-3, &mut network, gradients);
    }
    assert!(losses[5] < 0.8 * losses[0], "{losses:?}");
}

#[test]
fn training_begins_with_norms_that_change_nothing() {
    let graph = CAT.graph(FEATURES, LABELS);
    let weights = initial(&graph, 1, "image");
    assert!(weights == initial(&graph, 1, "image") && weights != initial(&graph, 1, "video"));
    for (name, tensor) in &weights.0 {
        let all = |value: f32| tensor.data.iter().all(|one| *one == value);
        let is_norm = name.contains("norm") || name.starts_with("bn");
        match name.rsplit('.').next() {
            Some("weight") if is_norm => assert!(all(1.0), "{name}"),
            Some("running_var") => assert!(all(1.0), "{name}"),
            Some("bias" | "running_mean") if is_norm => assert!(all(0.0), "{name}"),
            _ => {
                let fan_in = match name.strip_suffix("bias") {
                    Some(layer) => weights.0[&format!("{layer}weight")].shape[1],
                    None => tensor.shape[1],
                };
                let width = 1.0 / (fan_in as f32).sqrt();
                let largest = tensor.data.iter().fold(0.0f32, |most, value| most.max(value.abs()));
                assert!(largest <= width && largest > 0.8 * width, "{name}: {largest} {width}");
            }
        }
    }
}

#[test]
fn snippets_are_drawn_from_everywhere_and_filled_with_zeros() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::create_or_open(folder.path(), 2, &serde_json::Map::new()).unwrap();
    let vector = |video: usize, clips: usize| (0..2 * clips).map(|n| (100 * video + n) as f32).collect::<Vec<_>>();
    for (video, clips) in [(0, 7), (1, 2)] {
        store.write(&format!("v{video}"), clips, &vector(video, clips)).unwrap();
    }
    let videos = ["x/v0.mp4".to_owned(), "v1".to_owned()];
    // Whether there is room to keep what was read, or none.
    for room in [1 << 20, 0] {
        let vectors = ClipVectors::new(vec![vec![store.clone()]], &videos, Room::new(room));
        let mut random = ChaCha8Rng::seed_from_u64(4);
        let mut firsts = [0; 5];
        let mut orders = std::collections::BTreeSet::new();
        for _ in 0..500 {
            let snippets = drawn(&[0, 1], &[7, 2], 3, &mut random);
            orders.insert(snippets[0].row);
            let of = |row| snippets.iter().find(|snippet| snippet.row == row).unwrap().first;
            assert_eq!(of(1), 0);
            firsts[of(0)] += 1;
        }
        assert_eq!(orders.len(), 2);
        assert!(firsts.iter().all(|count| (70..130).contains(count)), "{firsts:?}");
        let all: Vec<Snippet> = consecutive(0, vectors.clips(0).unwrap(), 3).collect();
        assert_eq!(all.iter().map(|snippet| snippet.first).collect::<Vec<_>>(), [0, 3, 6]);
        let some = [all[2], Snippet { row: 1, first: 0 }];
        let gathered = gather(&vectors, 0, &some, 3, 2).unwrap();
        assert_eq!(gathered, [12.0, 13.0, 0.0, 0.0, 0.0, 0.0, 100.0, 101.0, 102.0, 103.0, 0.0, 0.0]);
    }
    // At a second rate the rows come once more; beyond the last rate, the last again.
    let faster = tempfile::tempdir().unwrap();
    let faster = Store::create_or_open(faster.path(), 2, &serde_json::Map::new()).unwrap();
    for (video, clips) in [(0, 9), (1, 4)] {
        faster.write(&format!("v{video}"), clips, &vector(video + 5, clips)).unwrap();
    }
    let vectors = ClipVectors::new(vec![vec![store.clone()], vec![faster]], &videos, Room::new(1 << 20));
    assert_eq!(vectors.at_all_rates(&[1]), [1, 3]);
    for (row, clips, first) in [(0, 7, 0.0), (1, 2, 100.0), (2, 9, 500.0), (3, 4, 600.0), (4, 9, 500.0), (7, 4, 600.0)]
    {
        let mut vector = [0.0; 2];
        vectors.fill(0, row, 0, &mut vector).unwrap();
        assert_eq!((vectors.clips(row).unwrap(), vector[0]), (clips, first), "row {row}");
        assert_eq!(vectors.table_row(row), row % 2);
    }

    let vectors = ClipVectors::new(vec![vec![store]], &["v0".to_owned(), "v9".to_owned()], Room::new(0));
    assert_eq!(vectors.missing(&[0, 1]), ["v9"]);
    assert!(vectors.fill(0, 1, 0, &mut [0.0; 2]).is_err());
}

#[test]
fn heads_trained_side_by_side_get_what_they_get_one_after_the_other() {
    const VIDEOS: usize = 5;
    let device = device();
    let folder = tempfile::tempdir().unwrap();
    let features = [FEATURES, FEATURES + 4];
    let store = |features: usize| {
        let store = Store::create_or_open(&folder.path().join(features.to_string()), features, &serde_json::Map::new())
            .unwrap();
        for video in 0..VIDEOS {
            let vectors: Vec<f32> =
                numbers(&format!("{features} {video}"), 7 * features).map(|number| number as f32).collect();
            store.write(&format!("v{video}"), 7, &vectors).unwrap();
        }
        store
    };
    let stores = vec![features.map(store).to_vec()];
    let videos: Vec<String> = (0..VIDEOS).map(|video| format!("v{video}")).collect();
    let snippets: Vec<Snippet> = (0..VIDEOS).map(|row| Snippet { row, first: row % 3 }).collect();
    let targets: Vec<f32> = (0..VIDEOS * LABELS).map(|at| (at % 3 / 2) as f32).collect();
    let targets = Tensor::<1>::from_floats(targets.as_slice(), &device).reshape([VIDEOS, LABELS]);

    let names = ["image", "video"].map(str::to_owned);
    let graphs = features.map(|features| CAT.over(CLIPS, features, LABELS));
    let weights = [0, 1].map(|at| initial(&graphs[at], 1, &names[at]));
    let vectors = || ClipVectors::new(stores.clone(), &videos, Room::new(0));
    let mut fusion = Fusion::new(vectors(), CAT, CLIPS, LABELS, &names, &weights, &device).unwrap();
    let mut random = ChaCha8Rng::seed_from_u64(6);
    let mut loss = |logits| Ok(binary_cross_entropy(logits, targets.clone()));
    let (value, gradients) = fusion.gradients(&snippets, CLIPS, &device, &mut random, &mut loss).unwrap();

    let mut again = ChaCha8Rng::seed_from_u64(6);
    let mut heads = [0, 1].map(|at| Differentiable::new(graphs[at].clone(), &weights[at], &device).unwrap());
    let vectors = vectors();
    let [image, video] = [0, 1].map(|at| {
        let input = gather(&vectors, at, &snippets, CLIPS, features[at]).unwrap();
        let input = Tensor::<1>::from_floats(input.as_slice(), &device).reshape([VIDEOS, CLIPS, features[at]]);
        heads[at].run(input, Mode::Training(&mut again)).unwrap()
    });
    let wanted = binary_cross_entropy((image + video) / 2.0, targets.clone());
    assert_eq!(value, f64::from(wanted.clone().into_scalar::<f32>()));
    assert_eq!(random.get_word_pos(), again.get_word_pos(), "the next step draws the same");
    let wanted = wanted.backward();
    for (head, found) in heads.iter().zip(gradients) {
        let wanted = head.gradients(&wanted);
        assert!(found.keys().eq(wanted.keys()) && found.len() == head.parameters().len());
        for (name, found) in found {
            let [found, wanted] =
                [found, wanted[&name].clone()].map(|gradient| gradient.try_into_vec_as::<f32>().unwrap());
            assert_eq!(found, wanted, "{name}");
        }
    }
    // The norms have kept the same statistics.
    for ((_, found), wanted) in fusion.networks().iter().zip(&heads) {
        assert!(found.weights() == wanted.weights());
    }
}

#[test]
fn no_more_vectors_are_kept_than_there_is_room_for() {
    const VIDEOS: usize = 40;
    let folder = tempfile::tempdir().unwrap();
    let store = |name: &str| {
        let store = Store::create_or_open(&folder.path().join(name), 2, &serde_json::Map::new()).unwrap();
        (0..VIDEOS).for_each(|video| {
            let clips = 1 + video % 7;
            let vectors: Vec<f32> = (0..2 * clips).map(|n| (100 * video + n) as f32).collect();
            store.write(&format!("v{video}"), clips, &vectors).unwrap();
        });
        store
    };
    let stores = vec![vec![store("image"), store("video")]];
    let videos: Vec<String> = (0..VIDEOS).map(|video| format!("v{video}.mp4")).collect();
    let rows: Vec<usize> = (0..VIDEOS).collect();
    let all = 2 * 8 * rows.iter().map(|row| 1 + row % 7).sum::<usize>() as u64;
    for bytes in [0, 7, 100, 1000, all, 2 * all] {
        let room = Room::new(bytes);
        let vectors = ClipVectors::new(stores.clone(), &videos, room.clone());
        assert_eq!(vectors.missing(&rows), [""; 0]);
        assert_eq!(vectors.bytes_kept(), 0, "opening reads no vectors");
        // Several threads ask for the same videos at the same time, and then once more.
        let snippets: Vec<Snippet> = rows.iter().flat_map(|&row| [Snippet { row, first: 0 }; 4]).collect();
        for _ in 0..2 {
            for stream in 0..2 {
                let read = gather(&vectors, stream, &snippets, 1, 2).unwrap();
                let wanted = snippets.iter().flat_map(|snippet| [0, 1].map(|n| (100 * snippet.row + n) as f32));
                assert_eq!(read, wanted.collect::<Vec<_>>());
            }
            let kept = vectors.bytes_kept();
            assert!(kept <= bytes && kept <= all, "{kept} bytes of {bytes} are kept");
        }
        // The room is used: what is left of it is less than a video takes.
        let keep = |vectors: &ClipVectors| {
            (0..2 * VIDEOS).for_each(|at| vectors.fill(at % 2, at / 2, 0, &mut [0.0; 2]).unwrap());
            vectors.bytes_kept()
        };
        let kept = keep(&vectors);
        assert!(kept == all || kept + 56 > bytes, "only {kept} bytes of {bytes} are kept");
        // Another user of the same room gets what is left, and all of it when the first one is
        // gone.
        let others = ClipVectors::new(stores.clone(), &videos, room.clone());
        assert!(keep(&others) <= bytes - kept);
        drop((vectors, others));
        let kept = keep(&ClipVectors::new(stores.clone(), &videos, room));
        assert!(kept == all || kept + 56 > bytes, "only {kept} bytes of {bytes} are kept");
    }
}

#[test]
fn dropout_leaves_out_its_share_and_makes_up_for_it() {
    let device = device();
    let graph = CAT.graph(FEATURES, LABELS);
    let weights = initial(&graph, 1, "image");
    let (vectors, _) = batch(0, &device);
    let run = |seed: Option<u64>| -> Vec<f32> {
        let graph = if seed.is_some() { graph.clone() } else { graph.clone().without_dropout() };
        let mut network = Differentiable::new(graph, &weights, &device).unwrap();
        let mut random = ChaCha8Rng::seed_from_u64(seed.unwrap_or_default());
        network.run(vectors.clone(), Mode::Training(&mut random)).unwrap().try_into_vec_as().unwrap()
    };
    let (one, again, other, without) = (run(Some(1)), run(Some(1)), run(Some(2)), run(None));
    assert!(one == again && one != other && one != without);
    // What is left out is a quarter, and the sum of what is left stays what it was.
    let (mut graph, x) = Graph::new("dropout", ("x", &[1, 20_000]), "y");
    let y = graph.relu(x);
    graph.dropout(y, 0.25);
    let mut network = Differentiable::new(graph, &Weights::default(), &device).unwrap();
    let mut random = ChaCha8Rng::seed_from_u64(1);
    let ones = Tensor::<2>::ones([1, 20_000], &device);
    let made: Vec<f32> = network.run(ones, Mode::Training(&mut random)).unwrap().try_into_vec_as().unwrap();
    let left_out = made.iter().filter(|value| **value == 0.0).count();
    assert!((4700..5300).contains(&left_out), "{left_out}");
    assert!(made.iter().all(|value| *value == 0.0 || (value - 4.0 / 3.0).abs() < 1e-6));
}
