//! H.264 whose pictures are coded as two fields (PAFF), as broadcasters send it: made here, because
//! no free encoder makes it.
#![allow(clippy::unwrap_used)]

use std::path::Path;

use divita_tests::ffmpeg;
use divita_tests::streams::{reference, run, samples};
use divita_video as source;

/// Macroblocks across a picture, and down a field.
const ACROSS: usize = 3;
const DOWN: usize = 2;

const WIDTH: usize = 16 * ACROSS;
const HEIGHT: usize = 2 * 16 * DOWN;

/// Frames of the film.
const FRAMES: usize = 12;

/// Bits of a NAL unit in writing.
#[derive(Default)]
struct Bits {
    bytes: Vec<u8>,
    free: u32,
}

impl Bits {
    fn number(&mut self, value: usize, count: u32) {
        for bit in (0..count).rev() {
            if self.free == 0 {
                self.bytes.push(0);
                self.free = 8;
            }
            self.free -= 1;
            *self.bytes.last_mut().unwrap() |= ((value >> bit & 1) as u8) << self.free;
        }
    }

    /// An Exp-Golomb number.
    fn golomb(&mut self, value: usize) {
        let bits = usize::BITS - (value + 1).leading_zeros();
        self.number(0, bits - 1);
        self.number(value + 1, bits);
    }

    fn golombs(&mut self, values: &[usize]) {
        values.iter().for_each(|&value| self.golomb(value));
    }

    /// Returns the unit with its start code and its end, nothing in it like a start code.
    fn unit(mut self, header: u8) -> Vec<u8> {
        self.number(1, 1);
        let mut unit = vec![0, 0, 0, 1, header];
        let mut zeros = 0;
        for byte in self.bytes {
            if zeros == 2 && byte <= 3 {
                unit.push(3);
                zeros = 0;
            }
            zeros = if byte == 0 { zeros + 1 } else { 0 };
            unit.push(byte);
        }
        unit
    }
}

/// Returns the parameter sets: Main, fields allowed, CAVLC.
fn parameter_sets() -> Vec<u8> {
    let mut sequence = Bits::default();
    sequence.number(77, 8);
    sequence.number(0, 8);
    sequence.number(30, 8);
    // Numbers of 4 bits for frames, of 8 bits for their order; one reference.
    sequence.golombs(&[0, 0, 0, 4, 1]);
    sequence.number(0, 1);
    sequence.golombs(&[ACROSS - 1, DOWN - 1]);
    // Not frames only, not by macroblock, direct prediction by 8x8, no crop.
    sequence.number(0b0010, 4);
    // Usability: a clock of 50 fields a second alone.
    sequence.number(0b100001, 6);
    sequence.number(1, 32);
    sequence.number(50, 32);
    sequence.number(0b1_0000, 5);
    let mut picture = Bits::default();
    picture.golombs(&[0, 0]);
    picture.number(0, 2);
    picture.golombs(&[0, 0, 0]);
    picture.number(0, 3);
    picture.golombs(&[0, 0, 0]);
    // The loop filter is switched by slices.
    picture.number(0b100, 3);
    [sequence.unit(0x67), picture.unit(0x68)].concat()
}

/// Returns the samples of frame `number`, planes of Y, U and V: every line of a field differs from
/// its neighbours in the other one.
fn frame(number: usize) -> Vec<u8> {
    let plane = |width: usize, height: usize, base: usize| {
        (0..height * width).map(move |at| {
            let (x, y) = (at % width, at / width);
            (base + (x * 3 + y / 2 * 5 + (y % 2) * 60 + number * 7) % 100) as u8
        })
    };
    plane(WIDTH, HEIGHT, 40).chain(plane(WIDTH / 2, HEIGHT / 2, 80)).chain(plane(WIDTH / 2, HEIGHT / 2, 60)).collect()
}

/// Returns a field of frame `number` as a delimiter and a slice whose samples stand there as they
/// are (I_PCM).
fn field(number: usize, is_bottom: bool, is_first: bool) -> Vec<u8> {
    let is_key = number == 0 && is_first;
    let mut slice = Bits::default();
    slice.golombs(&[0, 7, 0]);
    slice.number(number % 16, 4);
    slice.number(0b10 | usize::from(is_bottom), 2);
    if is_key {
        slice.golomb(0);
    }
    slice.number((2 * number + usize::from(!is_first)) % 256, 8);
    // How references are marked: as usual.
    slice.number(0, if is_key { 2 } else { 1 });
    slice.golombs(&[0, 1]);
    let samples = frame(number);
    let planes = [(0, WIDTH, 16), (WIDTH * HEIGHT, WIDTH / 2, 8), (WIDTH * HEIGHT * 5 / 4, WIDTH / 2, 8)];
    for block in 0..ACROSS * DOWN {
        const AS_THEY_ARE: usize = 25;
        slice.golomb(AS_THEY_ARE);
        slice.number(0, slice.free);
        for (start, stride, side) in planes {
            for y in 0..side {
                let line = 2 * (block / ACROSS * side + y) + usize::from(is_bottom);
                let first = start + line * stride + block % ACROSS * side;
                samples[first..first + side].iter().for_each(|&sample| slice.number(sample.into(), 8));
            }
        }
    }
    [&[0, 0, 0, 1, 9, 0x10][..], &slice.unit(if is_key { 0x65 } else { 0x61 })].concat()
}

/// Returns the film in Annex B form, whose frames begin with the bottom field or the top one.
fn film(bottom_first: bool) -> Vec<u8> {
    let frames = (0..FRAMES).flat_map(|number| {
        let fields = [field(number, bottom_first, true), field(number, !bottom_first, false)].concat();
        if number == 0 { [&fields[..6], &parameter_sets(), &fields[6..]].concat() } else { fields }
    });
    frames.collect()
}

/// Checks that `path` has the frames of the film, 25 a second.
fn check(path: &Path) {
    let mut source = source::open(path.to_str().unwrap()).unwrap();
    let (mut number, mut start) = (0, None);
    while let Some(shown) = source.next_frame().unwrap() {
        assert_eq!((shown.width(), shown.height()), (WIDTH, HEIGHT), "frame {number} of {}", path.display());
        assert!(samples(&shown) == frame(number), "frame {number} of {}", path.display());
        let start = *start.get_or_insert(shown.time());
        let off = shown.time().since(start).as_secs_f64() - number as f64 / 25.0;
        assert!(off.abs() < 0.002, "frame {number} of {} at {}", path.display(), shown.time());
        number += 1;
    }
    assert_eq!((number, source.take_loss()), (FRAMES, None), "{}", path.display());
}

#[test]
fn fields_make_frames_with_and_without_a_container() {
    let folder = tempfile::tempdir().unwrap();
    for bottom_first in [false, true] {
        let bare = folder.path().join(format!("bottom-first-{bottom_first}.h264"));
        std::fs::write(&bare, film(bottom_first)).unwrap();
        check(&bare);
        let Some(mut command) = ffmpeg() else { continue };
        let broadcast = bare.with_extension("ts");
        run(command.args(["-framerate", "25", "-i"]).arg(&bare).args(["-c", "copy"]).arg(&broadcast));
        assert!(reference(&broadcast, &[]) == (0..FRAMES).flat_map(frame).collect::<Vec<_>>(), "the film is valid");
        check(&broadcast);
    }
}
