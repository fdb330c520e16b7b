//! Sets of vector instructions for eight-bit arithmetic, and the only calls of its kernels.

use super::depthwise::{self, DepthwiseWeights};
use super::lanes::Dots;
#[cfg(target_arch = "aarch64")]
use super::lanes::NeonDot;
#[cfg(target_arch = "x86_64")]
use super::lanes::{Avx2, Avx512Vnni, AvxVnni};
use super::matmul::{self, Packed};
use super::quantised::Quantised;
use super::{Number, Scale, mean, stem};
use crate::depthwise::Depthwise;
use crate::spans::{Run, Target};
use crate::stem::Stem;

/// A set of vector instructions that this processor has. Weights are packed for one set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Set {
    /// Safe Rust without vectors: the reference.
    Portable,
    #[cfg(target_arch = "x86_64")]
    Avx2,
    #[cfg(target_arch = "x86_64")]
    AvxVnni,
    #[cfg(target_arch = "x86_64")]
    Avx512Vnni,
    #[cfg(target_arch = "aarch64")]
    NeonDot,
}

/// Defines the kernels of one set of instructions.
macro_rules! kernels {
    ($module:ident, $dots:ty, $features:literal) => {
        mod $module {
            use super::*;

            /// # Safety
            /// Same as [`matmul::run`].
            #[target_feature(enable = $features)]
            pub unsafe fn matmul(arena: *mut Number, runs: &[Run], target: Target, positions: usize, packed: &Packed) {
                // SAFETY: the caller guarantees it.
                unsafe { matmul::run::<$dots>(arena, runs, target, positions, packed) }
            }

            /// # Safety
            /// Same as [`depthwise::run`].
            #[target_feature(enable = $features)]
            pub unsafe fn depthwise(arena: *mut Number, conv: &Depthwise, weights: &DepthwiseWeights) {
                // SAFETY: the caller guarantees it.
                unsafe { depthwise::run::<$dots>(arena, conv, weights) }
            }

            /// # Safety
            /// Everything that `stem` describes is in the arena. `weights` are packed for the set.
            #[target_feature(enable = $features)]
            pub unsafe fn stem(arena: &mut [Number], stem: &Stem, weights: &Packed, data: &[f32]) {
                let multiply = |arena: &mut [Number], runs: &[Run], target, positions| {
                    // SAFETY: the caller guarantees it.
                    unsafe { matmul::run::<$dots>(arena.as_mut_ptr(), runs, target, positions, weights) }
                };
                // SAFETY: each position has a multiple of the outputs that a pool reads.
                let most = |out: &mut [Number], inputs: [&[Number]; 3], first| unsafe {
                    stem::most_of::<$dots>(out, inputs, first);
                };
                // SAFETY: the caller guarantees it.
                let interleave = |columns: &mut [Number], rows: [&[Number]; 3], colours| unsafe {
                    stem::interleave_of::<$dots>(columns, rows, colours);
                };
                stem::run(arena, stem, weights, data, multiply, most, interleave);
            }

            /// Same as [`mean::run`].
            #[target_feature(enable = $features)]
            pub fn mean(arena: &mut [Number], input: Run, target: Target, positions: usize, scale: Scale) {
                mean::run(arena, input, target, positions, scale);
            }
        }
    };
}

#[cfg(target_arch = "x86_64")]
kernels!(avx2, Avx2, "avx2");
#[cfg(target_arch = "x86_64")]
kernels!(avx_vnni, AvxVnni, "avx2,avxvnni");
#[cfg(target_arch = "x86_64")]
kernels!(avx512_vnni, Avx512Vnni, "avx512f,avx512bw,avx512vnni");
#[cfg(target_arch = "aarch64")]
kernels!(neon_dot, NeonDot, "neon,dotprod");

/// Calls the kernel of a set, or the portable code.
macro_rules! dispatch {
    ($set:expr, $portable:expr, $kernel:ident($($argument:expr),*)) => {
        match $set {
            Set::Portable => $portable,
            // SAFETY: a set exists only if the processor has its instructions
            // ([`Set::available`]). The caller has checked that everything is in the arena. Weights
            // run with the set that packed them.
            #[cfg(target_arch = "x86_64")]
            Set::Avx2 => unsafe { avx2::$kernel($($argument),*) },
            // SAFETY: as above.
            #[cfg(target_arch = "x86_64")]
            Set::AvxVnni => unsafe { avx_vnni::$kernel($($argument),*) },
            // SAFETY: as above.
            #[cfg(target_arch = "x86_64")]
            Set::Avx512Vnni => unsafe { avx512_vnni::$kernel($($argument),*) },
            // SAFETY: as above.
            #[cfg(target_arch = "aarch64")]
            Set::NeonDot => unsafe { neon_dot::$kernel($($argument),*) },
        }
    };
}

impl Set {
    /// Channels of which each position of a buffer holds a multiple.
    pub const WIDTH: usize = 16;

    /// Returns every set of this processor, the best first. All compute the same bytes.
    pub fn available() -> Vec<Self> {
        let mut found = Vec::new();
        #[cfg(target_arch = "x86_64")]
        {
            use std::arch::is_x86_feature_detected as has;
            if has!("avx512f") && has!("avx512bw") && has!("avx512vnni") {
                found.push(Set::Avx512Vnni);
            }
            if has!("avx2") && has!("avxvnni") {
                found.push(Set::AvxVnni);
            }
            if has!("avx2") {
                found.push(Set::Avx2);
            }
        }
        #[cfg(target_arch = "aarch64")]
        if std::arch::is_aarch64_feature_detected!("dotprod") {
            found.push(Set::NeonDot);
        }
        found.push(Set::Portable);
        found
    }

    /// Returns the best set of vector instructions, or `None` if this processor has none.
    pub fn best() -> Option<Self> {
        Self::available().into_iter().find(|&set| set != Set::Portable)
    }

    /// Returns the sums in a vector, and the vectors in a panel of the matrix multiply.
    fn tile(self) -> [usize; 2] {
        match self {
            Set::Portable => [1, 1],
            #[cfg(target_arch = "x86_64")]
            Set::Avx2 => [Avx2::COUNT, Avx2::COLUMNS],
            #[cfg(target_arch = "x86_64")]
            Set::AvxVnni => [AvxVnni::COUNT, AvxVnni::COLUMNS],
            #[cfg(target_arch = "x86_64")]
            Set::Avx512Vnni => [Avx512Vnni::COUNT, Avx512Vnni::COLUMNS],
            #[cfg(target_arch = "aarch64")]
            Set::NeonDot => [NeonDot::COUNT, NeonDot::COLUMNS],
        }
    }

    /// Packs the weights of a matrix multiply whose inputs, in `order`, are runs of `lengths`.
    pub fn pack(self, quantised: &Quantised, order: &[usize], lengths: impl IntoIterator<Item = usize>) -> Packed {
        let [count, vectors] = self.tile();
        Packed::new(quantised, &matmul::slots(order, lengths), [count, vectors], count)
    }

    /// Packs the weights of a depthwise convolution for the channels in `order`.
    pub fn pack_depthwise(self, quantised: &Quantised, order: &[usize]) -> DepthwiseWeights {
        let block = match self {
            Set::Portable => 1,
            #[cfg(target_arch = "x86_64")]
            Set::Avx2 => Avx2::BLOCK,
            #[cfg(target_arch = "x86_64")]
            Set::AvxVnni => AvxVnni::BLOCK,
            #[cfg(target_arch = "x86_64")]
            Set::Avx512Vnni => Avx512Vnni::BLOCK,
            #[cfg(target_arch = "aarch64")]
            Set::NeonDot => NeonDot::BLOCK,
        };
        DepthwiseWeights::new(quantised, order, block)
    }

    /// Packs the weights of a stem, (outputs, colours x kernel).
    pub fn pack_stem(self, quantised: &Quantised, colours: usize) -> Packed {
        let [count, vectors] = self.tile();
        stem::pack(quantised, colours, count, vectors)
    }

    /// Runs a matrix multiply (see [`matmul::reference`]).
    ///
    /// # Panics
    /// Panics if an input or output is outside the arena.
    pub fn matmul(self, arena: &mut [Number], runs: &[Run], target: Target, positions: usize, packed: &Packed) {
        let last = positions.saturating_sub(1);
        let input = runs.iter().map(|run| run.offset + last * run.stride + run.length + 15).max();
        assert!(input.unwrap_or(0).max(target.offset + last * target.stride + packed.padded()) <= arena.len());
        dispatch!(
            self,
            matmul::reference(arena, runs, target, positions, packed),
            matmul(arena.as_mut_ptr(), runs, target, positions, packed)
        )
    }

    /// Runs a depthwise convolution (see [`depthwise::reference`]).
    ///
    /// # Panics
    /// Panics if an input or output is outside the arena.
    pub fn depthwise(self, arena: &mut [Number], conv: &Depthwise, weights: &DepthwiseWeights) {
        assert!(conv.end(weights.channels()) <= arena.len());
        dispatch!(self, depthwise::reference(arena, conv, weights), depthwise(arena.as_mut_ptr(), conv, weights))
    }

    /// Runs a stem on planar `data` (colours, sides).
    ///
    /// # Panics
    /// Panics if a buffer is outside the arena, or if `data` does not have the stem's sides.
    pub fn stem(self, arena: &mut [Number], stem: &Stem, weights: &Packed, data: &[f32]) {
        assert!(stem::end(stem, weights.padded()) <= arena.len());
        assert_eq!(data.len(), stem.colours * stem.sides.iter().product::<usize>());
        dispatch!(
            self,
            stem::run(
                arena,
                stem,
                weights,
                data,
                |arena, runs, target, positions| matmul::reference(arena, runs, target, positions, weights),
                stem::most,
                stem::interleave
            ),
            stem(arena, stem, weights, data)
        )
    }

    /// Computes the mean of each channel of `input` over its `positions` and writes it to position
    /// 0 of `target`, each as a float.
    ///
    /// # Panics
    /// Panics if an input or output is outside the arena.
    pub fn mean(self, arena: &mut [Number], input: Run, target: Target, positions: usize, scale: Scale) {
        dispatch!(self, mean::run(arena, input, target, positions, scale), mean(arena, input, target, positions, scale))
    }
}
