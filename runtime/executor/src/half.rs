//! Half-precision code outside the vector kernels: conversion from and to floats, and the mean.
//!
//! The arena holds floats. In half precision two numbers take the place of one float, and every
//! offset counts numbers.

use std::arch::aarch64::{
    float32x4_t, vaddq_f32, vcvt_f16_f32, vcvt_f32_f16, vdupq_n_f32, vld1_u16, vld1q_f32, vmulq_n_f32,
    vreinterpret_f16_u16, vreinterpret_u16_f16, vst1_u16, vst1q_f32,
};

use crate::spans::{Run, Target};

/// Numbers that are converted at once.
const FOUR: usize = 4;

/// Rounds four floats to the nearest halves.
///
/// # Safety
/// Four numbers can be read at `from` and written at `to`.
#[target_feature(enable = "neon,fp16")]
unsafe fn narrow(from: *const f32, to: *mut u16) {
    // SAFETY: the caller guarantees it.
    unsafe { vst1_u16(to, vreinterpret_u16_f16(vcvt_f16_f32(vld1q_f32(from)))) }
}

/// Reads four halves as floats.
///
/// # Safety
/// Four halves can be read.
#[target_feature(enable = "neon,fp16")]
unsafe fn widen(from: *const u16) -> float32x4_t {
    // SAFETY: the caller guarantees it.
    unsafe { vcvt_f32_f16(vreinterpret_f16_u16(vld1_u16(from))) }
}

/// Writes `values` from `to` on, each rounded to the nearest half.
///
/// # Safety
/// There is room for as many halves as there are values.
#[target_feature(enable = "neon,fp16")]
pub(crate) unsafe fn write(values: &[f32], to: *mut u16) {
    let (fours, rest) = values.as_chunks::<FOUR>();
    for (at, four) in fours.iter().enumerate() {
        // SAFETY: the caller guarantees it.
        unsafe { narrow(four.as_ptr(), to.add(FOUR * at)) };
    }
    let (mut last, mut narrowed) = ([0.0; FOUR], [0; FOUR]);
    last[..rest.len()].copy_from_slice(rest);
    // SAFETY: the caller guarantees it; only the remaining values of the last four are written.
    unsafe {
        narrow(last.as_ptr(), narrowed.as_mut_ptr());
        to.add(FOUR * fours.len()).copy_from_nonoverlapping(narrowed.as_ptr(), rest.len());
    }
}

/// Reads the halves from `from` on.
///
/// # Safety
/// As many halves can be read as there are values, rounded up to a multiple of four.
#[target_feature(enable = "neon,fp16")]
pub(crate) unsafe fn read(from: *const u16, values: &mut [f32]) {
    for (at, four) in values.chunks_mut(FOUR).enumerate() {
        let mut widened = [0.0; FOUR];
        // SAFETY: the caller guarantees it.
        unsafe { vst1q_f32(widened.as_mut_ptr(), widen(from.add(FOUR * at))) };
        four.copy_from_slice(&widened[..four.len()]);
    }
}

/// Computes the mean of each channel over `positions`, summed in single precision.
///
/// # Safety
/// Everything that `input` and `target` describe is in the arena, with channels rounded up to a
/// multiple of four.
#[target_feature(enable = "neon,fp16")]
pub(crate) unsafe fn mean(arena: *mut u16, input: Run, target: Target, positions: usize) {
    for channel in (0..input.length).step_by(FOUR) {
        // SAFETY: the caller guarantees it.
        unsafe {
            let mut sum = vdupq_n_f32(0.0);
            for position in 0..positions {
                sum = vaddq_f32(sum, widen(arena.add(input.offset + position * input.stride + channel)));
            }
            let mut mean = [0.0; FOUR];
            vst1q_f32(mean.as_mut_ptr(), vmulq_n_f32(sum, 1.0 / positions as f32));
            narrow(mean.as_ptr(), arena.add(target.offset + channel));
        }
    }
}
