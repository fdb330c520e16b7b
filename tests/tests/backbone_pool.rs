//! Pipelines that share a pool emit the events that each emits alone, and a failure of one pipeline
//! does not reach the others.
#![allow(clippy::unwrap_used)]

use std::borrow::Cow;
use std::num::NonZeroUsize;
use std::thread;

use divita_runtime::bundle::{BundleError, MANIFEST_FILE};
use divita_runtime::frame::{Pixels, Plane};
use divita_runtime::{
    BackbonePool, Bundle, Event, Executor, Frame, Networks, Pipeline, PipelineError, Timestamp, WorkingRate,
};
use divita_tests::demo_bundle;

/// Width and height of the synthetic frames.
const SIDES: (usize, usize) = (64, 48);

/// Luma of frame `index` of a synthetic film: another moving texture every 50 frames.
fn luma(film: usize, index: usize) -> Vec<u8> {
    let scene = index / 50 + 7 * film;
    let pixel = |x: usize, y: usize| {
        let wave = (x + index) * (3 + scene % 5) + y * (2 + scene % 7) + 40 * scene;
        (40 + (wave * (1 + scene % 3)) % 170) as u8
    };
    (0..SIDES.1).flat_map(|y| (0..SIDES.0).map(move |x| pixel(x, y))).collect()
}

/// Runs a film of `frames` frames through `pipeline` and returns its events as JSON.
fn events(mut pipeline: Pipeline, film: usize, frames: usize) -> Vec<String> {
    let mut events = Vec::new();
    let mut keep = |event: Event| events.push(serde_json::to_string(&event).unwrap());
    for index in 0..frames {
        let data = luma(film, index);
        let pixels = Pixels::Grey(Plane { data: &data, stride: SIDES.0 });
        let frame = Frame::new(pixels, SIDES.0, SIDES.1, Timestamp::from_ticks(index as i64, 24)).unwrap();
        pipeline.push(&frame, &mut keep).unwrap();
    }
    pipeline.finish(true, &mut keep).unwrap();
    events
}

fn rate() -> WorkingRate {
    WorkingRate::new(4).unwrap()
}

fn threads(count: usize) -> NonZeroUsize {
    NonZeroUsize::new(count).unwrap()
}

#[test]
fn pipelines_on_one_pool_emit_what_each_emits_alone() {
    let bundle = Bundle::open(demo_bundle()).unwrap();
    let networks = Networks::prepare(&bundle, &[rate()], Executor::default()).unwrap();
    let alone = |film: usize, count: usize| {
        let builder = Pipeline::builder(&bundle).networks(&networks).rate(rate()).threads(threads(count));
        events(builder.build().unwrap(), film, 240 + 24 * film)
    };
    let expected: Vec<Vec<String>> = (0..5).map(|film| alone(film, 1)).collect();
    assert!(expected[0].iter().any(|event| event.contains("\"event\":\"clip\"")), "{:?}", expected[0]);
    assert_eq!(alone(3, 3), expected[3]);
    for count in [1, 3] {
        let pool = BackbonePool::new(&networks, threads(count)).unwrap();
        assert_eq!(pool.threads(), count);
        thread::scope(|scope| {
            for (film, expected) in expected.iter().enumerate() {
                let (bundle, pool) = (&bundle, &pool);
                scope.spawn(move || {
                    let pipeline = Pipeline::builder(bundle).pool(pool).rate(rate()).build().unwrap();
                    assert_eq!(events(pipeline, film, 240 + 24 * film), *expected, "film {film}, {count} threads");
                });
            }
        });
    }
}

#[test]
fn a_failing_pipeline_does_not_affect_its_neighbour() {
    let bundle = Bundle::open(demo_bundle()).unwrap();
    let pool =
        BackbonePool::new(&Networks::prepare(&bundle, &[rate()], Executor::default()).unwrap(), threads(1)).unwrap();
    let build = |fps: u32| {
        let rate = WorkingRate::new(fps).unwrap();
        Pipeline::builder(&bundle).pool(&pool).rate(rate).build().unwrap()
    };
    let expected = events(build(4), 1, 240);
    // The pool has no networks for this rate, so every clip of the pipeline fails.
    let mut failing = build(12);
    let failed = (0..240).find_map(|index| {
        let data = luma(0, index);
        let pixels = Pixels::Grey(Plane { data: &data, stride: SIDES.0 });
        let frame = Frame::new(pixels, SIDES.0, SIDES.1, Timestamp::from_ticks(index as i64, 24)).unwrap();
        failing.push(&frame, |_| ()).err()
    });
    let failed = failed.unwrap_or_else(|| failing.finish(true, |_| ()).unwrap_err());
    assert!(matches!(failed, PipelineError::Network(_)), "{failed:?}");
    assert_eq!(events(build(4), 1, 240), expected);
    // A pipeline that is dropped with clips in the pool does not hold up the next one.
    let mut dropped = build(4);
    for index in 0..200 {
        let data = luma(2, index);
        let pixels = Pixels::Grey(Plane { data: &data, stride: SIDES.0 });
        let frame = Frame::new(pixels, SIDES.0, SIDES.1, Timestamp::from_ticks(index as i64, 24)).unwrap();
        dropped.push(&frame, |_| ()).unwrap();
    }
    drop(dropped);
    let last = build(4);
    // The pipeline keeps the threads alive.
    drop(pool);
    assert_eq!(events(last, 1, 240), expected);
}

#[test]
fn a_bundle_in_memory_is_checked_like_one_in_a_folder_and_gives_the_same_events() {
    let folder = Bundle::open(demo_bundle()).unwrap();
    let read = |name: &str| -> &'static [u8] { std::fs::read(demo_bundle().join(name)).unwrap().leak() };
    let names = folder.manifest().files.keys().map(String::as_str).chain([MANIFEST_FILE]);
    let files: Vec<(&str, &'static [u8])> = names.map(|name| (name, read(name))).collect();
    let memory = Bundle::from_files("the built-in bundle", files.iter().copied()).unwrap();
    assert_eq!(memory.manifest(), folder.manifest());
    assert_eq!(memory.path().to_str(), Some("the built-in bundle"));
    // Static contents are not copied.
    let (name, data) = files[0];
    assert!(std::ptr::eq(memory.file(name).unwrap(), data));
    let pipeline = |bundle: &Bundle| Pipeline::builder(bundle).rate(rate()).build().unwrap();
    assert_eq!(events(pipeline(&memory), 0, 120), events(pipeline(&folder), 0, 120));

    let changed = |name: &str, change: fn(&mut Vec<u8>)| {
        let files = files.iter().map(|&(other, data)| match other == name {
            true => {
                let mut data = data.to_vec();
                change(&mut data);
                (other, Cow::Owned(data))
            }
            false => (other, Cow::Borrowed(data)),
        });
        Bundle::from_files("changed", files).unwrap_err()
    };
    assert!(matches!(changed("video.onnx", |data| data[100] ^= 1), BundleError::Sum { .. }));
    assert!(matches!(changed("video.onnx", |data| data.truncate(100)), BundleError::Size { .. }));
    let missing = files.iter().copied().filter(|(name, _)| *name != "image.onnx");
    assert!(matches!(Bundle::from_files("short", missing), Err(BundleError::Missing { .. })));
    let none: [(&str, Vec<u8>); 0] = [];
    assert!(matches!(Bundle::from_files("empty", none), Err(BundleError::NoManifest)));
}
