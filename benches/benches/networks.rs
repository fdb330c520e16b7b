//! Benches of the networks on one thread, in divita's executor and in stock tract: the image
//! backbone, the video backbone at 4, 8, 12 and 24 frames, the heads.
#![allow(missing_docs, clippy::unwrap_used)]

use std::hint::black_box;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use divita_benches::{bundle, rate};
use divita_runtime::network::{Executor, Networks};
use divita_runtime::preprocess::Picture;

/// Returns a picture of varied colours.
fn picture(size: usize) -> Picture {
    let data = (0..3 * size * size).map(|at| (at as u32).wrapping_mul(2_654_435_761).to_be_bytes()[0]).collect();
    Picture::from_planar(size, size, data).unwrap()
}

/// The executors that are compared.
const EXECUTORS: [fn() -> Executor; 2] = [Executor::default, || Executor::Tract];

fn backbones(criterion: &mut Criterion) {
    let bundle = bundle();
    let streams = &bundle.manifest().streams;
    let mut group = criterion.benchmark_group("backbone");
    group.throughput(Throughput::Elements(1));
    let keyframe = picture(streams.image.as_ref().unwrap().input.size);
    let frame = picture(streams.video.as_ref().unwrap().input.size);
    for executor in EXECUTORS.map(|executor| executor()) {
        let prepare = |frames| Networks::prepare(&bundle, &[rate(frames)], executor).unwrap().backbones().unwrap();
        let mut image = prepare(4);
        group.bench_function(BenchmarkId::new("image, a keyframe", executor), |bencher| {
            bencher.iter(|| image.image(black_box(&keyframe)).unwrap());
        });
        for frames in [4, 8, 12, 24] {
            let mut video = prepare(frames);
            let clip = vec![frame.clone(); frames as usize];
            group.bench_function(BenchmarkId::new(format!("video, a clip of {frames} frames"), executor), |bencher| {
                bencher.iter(|| video.video(black_box(&clip).iter(), frames as usize).unwrap());
            });
        }
    }
    group.finish();
}

fn heads(criterion: &mut Criterion) {
    let bundle = bundle();
    let manifest = bundle.manifest();
    let mut group = criterion.benchmark_group("head");
    for executor in EXECUTORS.map(|executor| executor()) {
        let networks = Networks::prepare(&bundle, &[rate(4)], executor).unwrap();
        for mut head in networks.heads().unwrap() {
            let snippet: Vec<f32> =
                (0..manifest.snippet_clips * head.features()).map(|at| (at % 97) as f32 / 97.0).collect();
            let name = format!("{:?}, a snippet of {} clips", head.stream(), manifest.snippet_clips).to_lowercase();
            group.bench_function(BenchmarkId::new(name, executor), |bencher| {
                bencher.iter(|| head.logits(black_box(&snippet), |logits| _ = black_box(logits)).unwrap());
            });
        }
    }
    group.finish();
}

criterion_group!(name = networks; config = divita_benches::criterion(); targets = backbones, heads);
criterion_main!(networks);
