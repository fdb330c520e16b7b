//! Damaged and forged files: for any bytes, an answer in bounded time and memory, and no panic.
#![allow(clippy::unwrap_used)]

use std::alloc::{GlobalAlloc, Layout, System};
use std::io::Write;
use std::sync::atomic::{AtomicUsize, Ordering};

use divita_runtime::frame::Timestamp;
use divita_tests::numbers::Numbers;
use divita_tests::sample;
use divita_video as source;

/// Tracks the allocated bytes and their peak.
struct Measuring;

static NOW: AtomicUsize = AtomicUsize::new(0);
static MOST: AtomicUsize = AtomicUsize::new(0);

fn grown(bytes: usize) {
    MOST.fetch_max(NOW.fetch_add(bytes, Ordering::Relaxed) + bytes, Ordering::Relaxed);
}

// SAFETY: passes every call on to the system's allocator unchanged. Measuring uses two atomic
// numbers.
unsafe impl GlobalAlloc for Measuring {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        grown(layout.size());
        // SAFETY: the caller upholds the contract.
        unsafe { System.alloc(layout) }
    }
    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        grown(layout.size());
        // SAFETY: the caller upholds the contract.
        unsafe { System.alloc_zeroed(layout) }
    }
    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        NOW.fetch_sub(layout.size(), Ordering::Relaxed);
        // SAFETY: the caller upholds the contract.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Measuring = Measuring;

/// Maximum allocation for a hostile file of a few kilobytes. OpenH264 allocates in C, bounded by
/// the maximum picture size.
const MOST_BYTES: usize = 128 << 20;

/// More frames than any fixture has, even damaged. A source that gives more is in a loop.
const MOST_FRAMES: usize = 2000;

/// Counts of outcomes.
#[derive(Debug, Default)]
struct Outcomes {
    refused: usize,
    broken_off: usize,
    read: usize,
}

impl Outcomes {
    /// Reads `data` as a file with the extension `ending` to its end, and checks the source's
    /// contract.
    fn read(&mut self, data: &[u8], ending: &str) {
        let mut file = tempfile::Builder::new().suffix(ending).tempfile().unwrap();
        file.write_all(data).unwrap();
        MOST.store(NOW.load(Ordering::Relaxed), Ordering::Relaxed);
        let before = NOW.load(Ordering::Relaxed);
        match source::open(file.path().to_str().unwrap()) {
            Err(error) => {
                assert!(!error.to_string().is_empty());
                self.refused += 1;
            }
            Ok(mut source) => {
                let (mut last, mut frames) = (None::<Timestamp>, 0);
                let ended = loop {
                    match source.next_frame() {
                        Ok(Some(frame)) => {
                            assert!(last.is_none_or(|last| last < frame.time()), "times go back");
                            last = Some(frame.time());
                            frames += 1;
                            assert!(frames < MOST_FRAMES, "frames without end");
                        }
                        Ok(None) => break Ok(()),
                        Err(error) => break Err(error),
                    }
                };
                match ended {
                    Ok(()) => self.read += 1,
                    Err(_) => {
                        assert!(matches!(source.next_frame(), Ok(None)), "a source goes on after its error");
                        self.broken_off += 1;
                    }
                }
            }
        }
        let most = MOST.load(Ordering::Relaxed) - before;
        assert!(most < MOST_BYTES, "{most} bytes were allocated");
    }

    /// Checks that every outcome occurred, so that the mutations are neither too weak nor too
    /// strong.
    fn report(&self, what: &str) {
        println!("{what}: {self:?}");
        assert!(self.refused > 0 && self.broken_off > 0 && self.read > 0, "{what}: {self:?}");
    }
}

fn media(name: &str) -> Vec<u8> {
    std::fs::read(divita_tests::media(name)).unwrap()
}

/// Returns where the contents of the MP4 boxes `names` are.
fn boxes(data: &[u8], names: &[&[u8; 4]]) -> Vec<usize> {
    (4..data.len() - 4).filter(|&at| names.iter().any(|name| &data[at..at + 4] == *name)).collect()
}

/// All tests of this file in one, because they share the allocator's counters.
#[test]
fn whatever_the_bytes() {
    bytes_are_changed_at_random();
    files_are_cut_at_every_length();
    sizes_and_counts_are_forged();
    one_length_is_claimed_for_millions_of_pictures();
    y4m_is_damaged();
}

fn bytes_are_changed_at_random() {
    let mut numbers = Numbers(7);
    let mut outcomes = Outcomes::default();
    for name in ["b-frames.mp4", "trimmed.mp4", "variable-rate.mp4", "avc3.mp4", "rotated-90.mov", "baseline.mp4"] {
        let whole = media(name);
        for round in 0..120 {
            let mut data = whole.clone();
            for _ in 0..1 + round % 12 {
                let at = numbers.below(data.len());
                data[at] = numbers.below(256) as u8;
            }
            outcomes.read(&data, ".mp4");
        }
        for _ in 0..30 {
            let mut data = whole.clone();
            let at = numbers.below(data.len());
            let garbage: Vec<u8> = (0..1 + numbers.below(300)).map(|_| numbers.below(256) as u8).collect();
            data.splice(at..at, garbage);
            outcomes.read(&data, ".mp4");
        }
    }
    outcomes.report("bytes changed");
}

fn files_are_cut_at_every_length() {
    let mut outcomes = Outcomes::default();
    // Index at the end: without the last byte there is no index.
    let whole = media("baseline.mp4");
    for length in (0..=whole.len()).rev().step_by(7) {
        outcomes.read(&whole[..length], ".mp4");
    }
    // Index at the start.
    let whole = std::fs::read(sample()).unwrap();
    for length in (0..60_000).step_by(1777) {
        outcomes.read(&whole[..length], ".mp4");
    }
    outcomes.report("files cut");
}

fn sizes_and_counts_are_forged() {
    const TABLES: [&[u8; 4]; 20] = [
        b"moov", b"trak", b"mdia", b"minf", b"stbl", b"stsd", b"avc1", b"avcC", b"stts", b"ctts", b"stsc", b"stsz",
        b"stco", b"stss", b"elst", b"edts", b"mdhd", b"mvhd", b"tkhd", b"mdat",
    ];
    let mut outcomes = Outcomes::default();
    for name in ["b-frames.mp4", "trimmed.mp4"] {
        let whole = media(name);
        for at in boxes(&whole, &TABLES) {
            // The box's size, version and flags, and the numbers after them: counts, times, sizes.
            for offset in [-4i64, 4, 8, 12, 16, 20, 24] {
                let Ok(place) = usize::try_from(at as i64 + offset) else { continue };
                if place + 4 > whole.len() {
                    continue;
                }
                for forged in [0u32, 1, 8, 0xffff, 0x7fff_ffff, 0x8000_0000, 0xffff_ffff] {
                    let mut data = whole.clone();
                    data[place..place + 4].copy_from_slice(&forged.to_be_bytes());
                    outcomes.read(&data, ".mp4");
                }
            }
        }
    }
    outcomes.report("sizes forged");
}

/// Three forged numbers claim millions of pictures in a dozen bytes: a track whose pictures have
/// equal length needs no table of lengths.
fn one_length_is_claimed_for_millions_of_pictures() {
    let mut outcomes = Outcomes::default();
    let whole = media("b-frames.mp4");
    let place = |name| boxes(&whole, &[name])[0] + 4;
    let (sizes, chunks) = (place(b"stsz"), place(b"stsc"));
    for length in [1u32, 2, 1000, 0xffff_ffff] {
        for count in [0u32, 1, 10_000, 0x00ff_ffff, 0xffff_ffff] {
            let mut data = whole.clone();
            let mut forge = |at: usize, value: u32| data[at..at + 4].copy_from_slice(&value.to_be_bytes());
            // After version and flags: length and count. After the first entry's first chunk: its
            // number of samples.
            forge(sizes + 4, length);
            forge(sizes + 8, count);
            forge(chunks + 12, count);
            outcomes.read(&data, ".mp4");
        }
    }
    println!("one length claimed: {outcomes:?}");
    assert_eq!(outcomes.read, 0, "nobody's pictures are like that");
}

fn y4m_is_damaged() {
    let mut whole = b"YUV4MPEG2 W34 H22 F30000:1001 Ip A1:1 C420jpeg XCOLORRANGE=FULL\n".to_vec();
    for frame in 0..6u8 {
        whole.extend_from_slice(b"FRAME\n");
        whole.extend((0..34 * 22 + 2 * 17 * 11).map(|at: usize| (at as u8).wrapping_mul(frame)));
    }
    let mut numbers = Numbers(9);
    let mut outcomes = Outcomes::default();
    for length in 0..whole.len().min(300) {
        outcomes.read(&whole[..length], ".y4m");
    }
    for round in 0..800 {
        let mut data = whole.clone();
        // Half of the changes in the header.
        let limit = if round % 2 == 0 { 66 } else { data.len() };
        for _ in 0..1 + round % 3 {
            let at = numbers.below(limit);
            data[at] = numbers.below(256) as u8;
        }
        outcomes.read(&data, ".y4m");
    }
    for header in
        ["W99999999999999999999 H2", "W16384 H16384", "W-3 H2", "W0 H9", "W9 H9 F0:0", "W9 H9 F1:0", "W9 H9 C420p16"]
    {
        outcomes.read(format!("YUV4MPEG2 {header}\nFRAME\n").as_bytes(), ".y4m");
    }
    outcomes.report("Y4M damaged");
}
