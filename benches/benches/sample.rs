//! Benches of the whole sample, 1253 frames of 640x360: decoded, split into shots, classified at 4
//! frames a second. Also a film of the same length in memory, without decoding, on one and two
//! threads.
#![allow(missing_docs, clippy::unwrap_used)]

use std::num::NonZeroUsize;

use criterion::{BenchmarkId, Criterion, SamplingMode, Throughput, criterion_group, criterion_main};
use divita_benches::{Film, bundle, rate, sample};
use divita_runtime::event::Event;
use divita_runtime::network::{Executor, Networks};
use divita_runtime::pipeline::{Pipeline, PipelineOptions};
use divita_runtime::shots::transition_network::TransitionNetwork;
use divita_runtime::shots::{EvidenceDetector, ShotDetector, ShotSettings};
use divita_video::{self as source, FrameSource};

const FRAMES: u64 = 1253;

fn open() -> Box<dyn FrameSource> {
    source::open(sample().to_str().unwrap()).unwrap()
}

fn whole(criterion: &mut Criterion) {
    let bundle = bundle();
    let rate = rate(4);
    let networks = Networks::prepare(&bundle, &[rate], Executor::default()).unwrap();
    let mut group = criterion.benchmark_group("sample");
    group.throughput(Throughput::Elements(FRAMES)).sampling_mode(SamplingMode::Flat).sample_size(10);
    group.bench_function("decode alone", |bencher| {
        bencher.iter(|| {
            let (mut source, mut frames) = (open(), 0);
            while source.next_frame().unwrap().is_some() {
                frames += 1;
            }
            assert_eq!(frames, FRAMES);
        });
    });
    group.bench_function("decode and find shots", |bencher| {
        bencher.iter(|| {
            let (mut source, mut detector) =
                (open(), EvidenceDetector::new(TransitionNetwork::default(), ShotSettings::default()));
            let mut verdicts = 0;
            while let Some(frame) = source.next_frame().unwrap() {
                let Ok(()) = detector.push(&frame, |_| verdicts += 1);
            }
            let Ok(()) = detector.finish(|_| verdicts += 1);
            assert_eq!(verdicts, FRAMES);
        });
    });
    for threads in [1, 2] {
        let options =
            PipelineOptions { rate, threads: NonZeroUsize::new(threads).unwrap(), ..PipelineOptions::default() };
        group.bench_function(BenchmarkId::new("classify, threads", threads), |bencher| {
            bencher.iter(|| {
                let mut pipeline = Pipeline::new(&bundle, &networks, options).unwrap();
                let (mut source, mut events) = (open(), 0);
                while let Some(frame) = source.next_frame().unwrap() {
                    pipeline.push(&frame, |_| events += 1).unwrap();
                }
                pipeline.finish(true, |_| events += 1).unwrap();
                events
            });
        });
    }
    group.finish();
}

/// Length of the film in memory, in seconds.
const SECONDS: u64 = 52;

fn without_decoding(criterion: &mut Criterion) {
    let (bundle, film) = (bundle(), Film::with_size(640, 360));
    let mut group = criterion.benchmark_group("film in memory");
    // One clip a second.
    group.throughput(Throughput::Elements(SECONDS)).sampling_mode(SamplingMode::Flat).sample_size(10);
    for fps in [4, 24] {
        let networks = Networks::prepare(&bundle, &[rate(fps)], Executor::default()).unwrap();
        for threads in [1, 2] {
            let options = PipelineOptions {
                rate: rate(fps),
                threads: NonZeroUsize::new(threads).unwrap(),
                ..PipelineOptions::default()
            };
            group.bench_function(format!("classify at {fps} frames a second, threads/{threads}"), |bencher| {
                bencher.iter(|| {
                    let (mut pipeline, mut clips) = (Pipeline::new(&bundle, &networks, options).unwrap(), 0);
                    let mut count = |event| clips += u64::from(matches!(event, Event::Clip { .. }));
                    for frame in 0..SECONDS * Film::RATE {
                        pipeline.push(&film.frame(frame), &mut count).unwrap();
                    }
                    pipeline.finish(true, &mut count).unwrap();
                    assert_eq!(clips, SECONDS);
                });
            });
        }
    }
    group.finish();
}

criterion_group!(name = benches; config = divita_benches::criterion(); targets = whole, without_decoding);
criterion_main!(benches);
