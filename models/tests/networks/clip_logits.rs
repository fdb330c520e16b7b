//! The logits of clips: their mean is the snippet's logits of the untouched head, padding included.

use std::cell::{Cell, RefCell};

use divita_models::{
    bundle::{self, BuildOptions, Contents},
    engines::{
        difference::Difference,
        onnx::{Precision, encode},
    },
    networks::{
        Head, LABELS, SNIPPET_CLIPS,
        heads::{CTT_MMC_A, HEADS, MEAN},
    },
    weights::seed::seeded,
};
use divita_runtime::{
    bundle::Bundle,
    heads::Snippets,
    network::{Executor, Features, Networks, SingleNetwork},
    sampler::WorkingRate,
    shots::transition_network,
};
use proptest::{
    prelude::*,
    test_runner::{Config, TestRunner},
};

use crate::SEED;

/// A seeded bundle with `head` in both streams.
fn bundle_with(head: Head) -> Bundle {
    let mut contents = Contents::seeded(SEED);
    for stream in &mut contents.streams {
        stream.head = head.graph(stream.backbone.features(), LABELS);
        stream.head_weights = seeded(&stream.head, SEED, stream.backbone.name());
    }
    let place = tempfile::tempdir().unwrap();
    let (output, shots) = (place.path().join("bundle"), transition_network::BUILT_IN.to_vec());
    let options = BuildOptions {
        name: "demo".into(),
        precision: Precision::F16,
        output,
        force: false,
        shots,
        notice: None,
        int8: vec![],
    };
    bundle::build(&options, &contents).unwrap();
    Bundle::open(&options.output).unwrap()
}

/// Vectors of `clips` clips that `seed` determines.
fn vectors(seed: u64, clips: usize) -> Vec<Features> {
    let element = |stream: u64, clip: usize, at: usize| {
        let mixed = (seed ^ (stream << 40) ^ ((clip as u64) << 20) ^ at as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        (mixed >> 40) as f32 / (1 << 23) as f32
    };
    let vector = |stream, clip| (0..1024).map(|at| element(stream, clip, at)).collect();
    (0..clips).map(|clip| Features { image: vector(1, clip), video: vector(2, clip) }).collect()
}

/// The logits (labels) of a snippet with these vectors, by the heads as they are in the bundle.
fn reference(untouched: &mut [SingleNetwork; 2], clips: &[Features]) -> Vec<f32> {
    let mut mean = vec![0.0; LABELS];
    for (network, stream) in untouched.iter_mut().zip([0, 1]) {
        let mut snippet = vec![0.0; SNIPPET_CLIPS * 1024];
        for (row, clip) in snippet.chunks_exact_mut(1024).zip(clips) {
            row.copy_from_slice(if stream == 0 { &clip.image } else { &clip.video });
        }
        network.set_input(&snippet).unwrap();
        mean.iter_mut().zip(network.run().unwrap()).for_each(|(mean, logit)| *mean += logit / 2.0);
    }
    mean
}

#[test]
fn the_mean_of_clip_logits_is_the_logits_of_the_snippet() {
    for head in HEADS {
        let bundle = bundle_with(head);
        let files = ["image_head.onnx", "video_head.onnx"].map(|file| bundle.file(file).unwrap());
        let has_clips = head != MEAN && head != CTT_MMC_A;
        for (executor, rate) in [(Executor::default(), 4), (Executor::Tract, 24)] {
            // The same executor: its sums have one order.
            let untouched = RefCell::new(files.map(|onnx: &[u8]| {
                SingleNetwork::prepare(onnx, &[1, SNIPPET_CLIPS, 1024], &[1, LABELS], executor).unwrap()
            }));
            let networks = Networks::prepare(&bundle, &[WorkingRate::new(rate).unwrap()], executor).unwrap();
            let worst = Cell::new(0.0_f32);
            let mut runner = TestRunner::new(Config::with_cases(12));
            let lengths = (any::<u64>(), 1..=2 * SNIPPET_CLIPS + 5);
            let checked = runner.run(&lengths, |(seed, length)| {
                let mut snippets = Snippets::new(networks.heads().unwrap(), bundle.manifest(), None);
                let clips = vectors(seed, length);
                for (at, features) in clips.iter().enumerate() {
                    let probabilities = snippets.push(features, at / 4).unwrap().to_vec();
                    prop_assert_eq!(snippets.clip_logits().is_some(), has_clips);
                    let first = at - at % SNIPPET_CLIPS;
                    // Every length once, and each of the last snippet.
                    if at + 1 != length && at % SNIPPET_CLIPS + 1 != SNIPPET_CLIPS {
                        continue;
                    }
                    let wanted = reference(&mut untouched.borrow_mut(), &clips[first..=at]);
                    let wanted_probabilities: Vec<f32> =
                        wanted.iter().map(|logit| 1.0 / (1.0 + (-logit).exp())).collect();
                    let difference = Difference::between(&probabilities, &wanted_probabilities);
                    prop_assert!(difference.worst < 1e-5, "{} in {executor}: {difference:?}, {wanted:?}", head.name());
                    let Some(logits) = snippets.clip_logits() else { continue };
                    prop_assert_eq!(logits.len(), SNIPPET_CLIPS * LABELS);
                    let sum =
                        |label| logits.iter().skip(label).step_by(LABELS).map(|&logit| f64::from(logit)).sum::<f64>();
                    let mean: Vec<f32> = (0..LABELS).map(|label| (sum(label) / SNIPPET_CLIPS as f64) as f32).collect();
                    let difference = Difference::between(&mean, &wanted);
                    worst.set(worst.get().max(difference.worst));
                    prop_assert!(difference.worst <= 1e-6, "{} in {executor}: {difference:?}", head.name());
                }
                Ok(())
            });
            checked.unwrap();
            println!("{} in {executor} at {rate}: {:e}", head.name(), worst.get());
        }
    }
}

#[test]
fn a_run_leaves_nothing_for_the_next() {
    for head in HEADS {
        let graph = head.graph(64, LABELS);
        let onnx = encode(&graph, &seeded(&graph, SEED, head.name()), Precision::F32).unwrap();
        for executor in [Executor::default(), Executor::Tract] {
            let shape = [1, SNIPPET_CLIPS, 64];
            let mut network = SingleNetwork::prepare(&onnx, &shape, &[1, LABELS], executor).unwrap();
            let mut run = |scale: f32| {
                let input: Vec<f32> = (0..SNIPPET_CLIPS * 64).map(|at| scale * ((at * 7 % 13) as f32 - 6.0)).collect();
                network.set_input(&input).unwrap();
                network.run().unwrap()
            };
            let first = run(0.1);
            run(0.7);
            assert_eq!(run(0.1), first, "{} in {executor}", head.name());
        }
    }
}
