//! The networks on one thread: the image backbone, the video backbone at 4, 8 and 24 frames, the heads.
#![allow(missing_docs, clippy::unwrap_used)]

use std::hint::black_box;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use divita_benches::{bundle, rate};
use divita_runtime::network::{Executor, Networks};
use divita_runtime::preprocess::Picture;

/// A picture that is not all one colour.
fn picture(size: usize) -> Picture {
    let data = (0..3 * size * size).map(|at| (at as u32).wrapping_mul(2_654_435_761).to_be_bytes()[0]).collect();
    Picture::from_planar(size, size, data).unwrap()
}

fn backbones(criterion: &mut Criterion) {
    let bundle = bundle();
    let streams = &bundle.manifest().streams;
    let mut group = criterion.benchmark_group("backbone");
    group.throughput(Throughput::Elements(1));
    let keyframe = picture(streams.image.as_ref().unwrap().input.size);
    let mut backbones = Networks::prepare(&bundle, &[rate(4)], Executor::default()).unwrap().backbones().unwrap();
    group
        .bench_function("image, a keyframe", |bencher| bencher.iter(|| backbones.image(black_box(&keyframe)).unwrap()));
    let frame = picture(streams.video.as_ref().unwrap().input.size);
    for frames in [4, 8, 24] {
        let mut backbones =
            Networks::prepare(&bundle, &[rate(frames)], Executor::default()).unwrap().backbones().unwrap();
        let clip = vec![frame.clone(); frames as usize];
        group.bench_function(BenchmarkId::new("video, a clip of frames", frames), |bencher| {
            bencher.iter(|| backbones.video(black_box(&clip).iter(), frames as usize).unwrap());
        });
    }
    group.finish();
}

fn heads(criterion: &mut Criterion) {
    let bundle = bundle();
    let manifest = bundle.manifest();
    let networks = Networks::prepare(&bundle, &[rate(4)], Executor::default()).unwrap();
    let mut group = criterion.benchmark_group("head");
    for mut head in networks.heads().unwrap() {
        let snippet: Vec<f32> =
            (0..manifest.snippet_clips * head.features()).map(|at| (at % 97) as f32 / 97.0).collect();
        let mut logits = vec![0.0; manifest.labels.len()];
        let name = format!("{:?}, a snippet of clips", head.stream()).to_lowercase();
        group.bench_function(BenchmarkId::new(name, manifest.snippet_clips), |bencher| {
            bencher.iter(|| head.add_logits(black_box(&snippet), &mut logits).unwrap());
        });
    }
    group.finish();
}

criterion_group!(name = networks; config = divita_benches::criterion(); targets = backbones, heads);
criterion_main!(networks);
