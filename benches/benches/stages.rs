//! Benches of the stages before the networks: histogram, shots, sampling and clips, keyframe,
//! resize, input.
#![allow(missing_docs, clippy::unwrap_used)]

use std::hint::black_box;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use divita_benches::{Film, bundle, rate};
use divita_runtime::histogram::Histogram;
use divita_runtime::input::{fill_clip, fill_picture};
use divita_runtime::keyframe::{ColourHistogram, keyframe};
use divita_runtime::preprocess::{Picture, Preprocessor};
use divita_runtime::segmenter::{Segment, Segmentation, Segmenter, SegmenterOptions};
use divita_runtime::shots::transition_network::TransitionNetwork;
use divita_runtime::shots::{EvidenceDetector, ShotDetector, ShotSettings};

/// Sizes of the frames: most trailers, and trailers of the highest quality.
const SIZES: [(usize, usize); 2] = [(1280, 720), (1920, 1080)];

fn histogram(criterion: &mut Criterion) {
    let film = Film::new();
    let (a, b) = (Histogram::from_frame(&film.frame(0)), Histogram::from_frame(&film.frame(30)));
    let mut group = criterion.benchmark_group("histogram");
    for (width, height) in SIZES {
        let film = Film::with_size(width, height);
        group.bench_function(format!("of a {width}x{height} frame"), |bencher| {
            bencher.iter(|| Histogram::from_frame(black_box(&film.frame(7))));
        });
    }
    group.bench_function("distance of two", |bencher| bencher.iter(|| black_box(&a).distance(black_box(&b))));
    group.finish();
}

fn shots(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("shots");
    group.throughput(Throughput::Elements(1));
    for (width, height) in SIZES {
        // One detector for all rounds measures the steady state: a full window and occasional cuts.
        let mut detector = EvidenceDetector::new(TransitionNetwork::default(), ShotSettings::default());
        let (film, mut index) = (Film::with_size(width, height), 0);
        group.bench_function(format!("detector, a {width}x{height} frame"), |bencher| {
            bencher.iter(|| {
                let Ok(()) = detector.push(&film.frame(index), |verdict| _ = black_box(verdict));
                index += 1;
            });
        });
    }
    group.finish();
}

fn clips(criterion: &mut Criterion) {
    let (film, bundle) = (Film::new(), bundle());
    let mut group = criterion.benchmark_group("segmenter");
    group.throughput(Throughput::Elements(Film::RATE));
    for fps in [4, 24] {
        let options = SegmenterOptions::from_manifest(bundle.manifest(), rate(fps), Segmentation::Shot);
        let (mut segmenter, mut index, mut done) =
            (Segmenter::new(options, bundle.transitions().clone()), 0, Vec::new());
        group.bench_function(BenchmarkId::new("shots, sampling, resize, clips: a second of video", fps), |bencher| {
            bencher.iter(|| {
                for _ in 0..Film::RATE {
                    let Ok(()) = segmenter.push(&film.frame(index), |segment| {
                        if let Segment::Clip(clip) = segment {
                            done.push(clip);
                        }
                    });
                    index += 1;
                }
                done.drain(..).for_each(|clip| segmenter.recycle(clip));
            });
        });
    }
    group.finish();
}

fn keyframes(criterion: &mut Criterion) {
    let (film, bundle) = (Film::new(), bundle());
    let input = bundle.manifest().streams.image.as_ref().unwrap().input;
    let mut preprocessor = Preprocessor::new(&input);
    let mut picture = Picture::black(input.size, input.size);
    let mut group = criterion.benchmark_group("keyframe");
    let histograms: Vec<ColourHistogram> = (0..24)
        .map(|index| {
            preprocessor.make(&film.frame(index), &mut picture);
            let mut histogram = ColourHistogram::default();
            histogram.count(&picture);
            histogram
        })
        .collect();
    let mut histogram = ColourHistogram::default();
    group.bench_function("colour histogram of a sample", |bencher| {
        bencher.iter(|| histogram.count(black_box(&picture)))
    });
    for frames in [4, 8, 24] {
        group.bench_function(BenchmarkId::new("choice among", frames), |bencher| {
            bencher.iter(|| keyframe(black_box(&histograms[..frames]).iter().map(|histogram| (histogram, 1))));
        });
    }
    group.finish();
}

fn resize(criterion: &mut Criterion) {
    let bundle = bundle();
    let mut group = criterion.benchmark_group("resize");
    let streams = &bundle.manifest().streams;
    let inputs = [("image", &streams.image), ("video", &streams.video)]
        .map(|(name, stream)| (name, stream.as_ref().unwrap().input));
    for (width, height) in SIZES {
        let film = Film::with_size(width, height);
        let mut streams = inputs.map(|(_, input)| (Preprocessor::new(&input), Picture::black(input.size, input.size)));
        for ((name, input), (preprocessor, picture)) in inputs.iter().zip(&mut streams) {
            let name = format!("{width}x{height} for the {name} stream");
            group.bench_function(BenchmarkId::new(name, input.size), |bencher| {
                bencher.iter(|| preprocessor.make(black_box(&film.frame(7)), picture));
            });
        }
        group.bench_function(format!("{width}x{height} for both streams"), |bencher| {
            bencher.iter(|| {
                for (preprocessor, picture) in &mut streams {
                    preprocessor.make(black_box(&film.frame(7)), picture);
                }
            });
        });
    }
    group.finish();
}

fn inputs(criterion: &mut Criterion) {
    let (film, bundle) = (Film::new(), bundle());
    let mut group = criterion.benchmark_group("input");
    let streams = &bundle.manifest().streams;
    let [image, video] = [&streams.image, &streams.video].map(|stream| {
        let input = stream.as_ref().unwrap().input;
        let mut picture = Picture::black(input.size, input.size);
        Preprocessor::new(&input).make(&film.frame(7), &mut picture);
        (input, picture)
    });
    let (input, picture) = image;
    let mut data = vec![0.0; 3 * input.size * input.size];
    group.bench_function(BenchmarkId::new("image, a keyframe", input.size), |bencher| {
        bencher.iter(|| fill_picture(black_box(&picture), &input, &mut data));
    });
    let (input, picture) = video;
    for frames in [4, 24] {
        let mut data = vec![0.0; 3 * frames * input.size * input.size];
        group.bench_function(BenchmarkId::new("video, a clip of frames", frames), |bencher| {
            let pictures = || std::iter::repeat_n(black_box(&picture), frames);
            bencher.iter(|| fill_clip(pictures(), frames, &input, &mut data));
        });
    }
    group.finish();
}

criterion_group!(
    name = stages;
    config = divita_benches::criterion();
    targets = histogram, shots, clips, keyframes, resize, inputs
);
criterion_main!(stages);
