//! Counts allocations: none per frame in steady state before the networks, and only tract's in
//! them, for real and synthetic video.
#![allow(clippy::unwrap_used)]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

use divita_runtime::bundle::Bundle;
use divita_runtime::network::{Executor, SingleNetwork};
use divita_runtime::sampler::WorkingRate;
use divita_runtime::segmenter::{Segment, Segmentation, Segmenter, SegmenterOptions};
use divita_tests::{demo_bundle, sample};
use divita_video::{self as source, FrameSource};

/// Counts the allocations of each thread.
struct Counting;

thread_local! {
    static COUNT: Cell<u64> = const { Cell::new(0) };
}

// SAFETY: passes every call on to the system's allocator unchanged. Counting uses a cell of this
// thread.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        COUNT.with(|count| count.set(count.get() + 1));
        // SAFETY: the caller upholds the contract.
        unsafe { System.alloc(layout) }
    }
    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: the caller upholds the contract.
        unsafe { System.dealloc(pointer, layout) }
    }
    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        COUNT.with(|count| count.set(count.get() + 1));
        // SAFETY: the caller upholds the contract.
        unsafe { System.realloc(pointer, layout, size) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Counts the allocations of each frame from `from`, from capture to clip.
fn allocations(mut source: Box<dyn FrameSource>, rate: u32, from: u64) -> Vec<(u64, u64)> {
    let bundle = Bundle::open(demo_bundle()).unwrap();
    let rate = WorkingRate::new(rate).unwrap();
    let options = SegmenterOptions::from_manifest(bundle.manifest(), rate, Segmentation::Shot);
    let mut segmenter = Segmenter::new(options, bundle.transitions().clone());
    let mut segments = Vec::with_capacity(64);
    let mut found = Vec::new();
    for index in 0.. {
        let before = COUNT.with(Cell::get);
        let Some(frame) = source.next_frame().unwrap() else { break };
        let Ok(()) = segmenter.push(&frame, |segment| segments.push(segment));
        let allocated = COUNT.with(Cell::get) - before;
        if allocated > 0 && index >= from {
            found.push((index, allocated));
        }
        for segment in segments.drain(..) {
            if let Segment::Clip(clip) = segment {
                segmenter.recycle(clip);
            }
        }
    }
    found
}

#[test]
fn the_counter_counts() {
    let before = COUNT.with(Cell::get);
    drop(std::hint::black_box(Vec::<u8>::with_capacity(100)));
    assert_eq!(COUNT.with(Cell::get), before + 1);
}

#[test]
fn steady_state_allocates_nothing() {
    for rate in [4, 24] {
        let pattern = source::open("test://?seconds=20&fps=24&size=320x180").unwrap();
        assert_eq!(allocations(pattern, rate, 200), [], "test pattern at {rate}");
        // One picture a second, held for many samples and into the next clip.
        let slow = source::open("test://?seconds=200&fps=3/2&size=320x180").unwrap();
        assert_eq!(allocations(slow, rate, 100), [], "slow test pattern at {rate}");
        let video = source::open(sample().to_str().unwrap()).unwrap();
        assert_eq!(allocations(video, rate, 200), [], "H.264 at {rate}");
    }
}

#[test]
fn the_executor_allocates_nothing() {
    let bundle = Bundle::open(demo_bundle()).unwrap();
    let run = |frames: usize| {
        let (shape, onnx) = ([1, 3, frames, 112, 112], bundle.file("video.onnx").unwrap());
        let mut network = SingleNetwork::prepare(onnx, &shape, &[1, 1024], Executor::default()).unwrap();
        assert!(network.is_fused());
        network.set_input(&vec![0.5; shape.iter().product()]).unwrap();
        let mut counts = Vec::with_capacity(3);
        for _ in 0..3 {
            let before = COUNT.with(Cell::get);
            drop(network.run().unwrap());
            counts.push(COUNT.with(Cell::get) - before);
        }
        counts
    };
    let (short, long) = (run(4), run(24));
    println!("tract's own allocations in a run: {short:?} {long:?}");
    // tract's allocations around an operator: they do not grow with the clip or with the layers
    // (over 100).
    assert_eq!(short[1..], long[1..]);
    assert!(short[2] <= 8, "{short:?}");
}
