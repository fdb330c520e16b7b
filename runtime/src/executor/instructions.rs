//! Which vector instructions the kernels run with, and the one place where they are called.

use super::attention::{self, Attention};
use super::depthwise::{self, Depthwise, DepthwiseWeights};
use super::lanes::Lanes;
#[cfg(target_arch = "aarch64")]
use super::lanes::Neon;
#[cfg(target_arch = "x86_64")]
use super::lanes::{Avx2, Avx512};
use super::matmul::{self, Gathered, Packed, Run, Target};
use super::norm::{self, NormWeights};
use super::stem::{self, Stem};

/// A set of vector instructions that this processor has. What is packed for one is of no use to another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Instructions(Set);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Set {
    /// Safe Rust, number by number: the reference, and what runs where nothing else does.
    Portable,
    #[cfg(target_arch = "x86_64")]
    Avx2,
    #[cfg(target_arch = "x86_64")]
    Avx512,
    #[cfg(target_arch = "aarch64")]
    Neon,
}

/// Defines the kernels of one set of instructions.
macro_rules! kernels {
    ($module:ident, $lanes:ty, $features:literal) => {
        mod $module {
            use super::*;

            /// # Safety
            /// As [`matmul::run`].
            #[target_feature(enable = $features)]
            pub unsafe fn matmul(
                arena: *mut f32,
                runs: &[Run],
                target: Target,
                positions: usize,
                packed: &Packed,
                relu: bool,
            ) {
                // SAFETY: the caller's.
                unsafe { matmul::run::<$lanes>(arena, &Gathered(runs), target, positions, packed, relu) }
            }

            /// # Safety
            /// As [`depthwise::run`].
            #[target_feature(enable = $features)]
            pub unsafe fn depthwise(arena: *mut f32, conv: &Depthwise, weights: &DepthwiseWeights) {
                // SAFETY: the caller's.
                unsafe { depthwise::run::<$lanes>(arena, conv, weights) }
            }

            /// # Safety
            /// As [`stem::run`].
            #[target_feature(enable = $features)]
            pub unsafe fn stem(arena: *mut f32, stem: &Stem, taps: &[usize], weights: &Packed) {
                // SAFETY: the caller's.
                unsafe { stem::run::<$lanes>(arena, stem, taps, weights) }
            }

            /// As [`attention::run`].
            #[target_feature(enable = $features)]
            pub fn attention(
                arena: &mut [f32],
                attention: &Attention,
                input: &[Run; 3],
                target: Target,
                positions: usize,
                room: usize,
            ) {
                attention::run(arena, attention, input, target, positions, room);
            }

            /// As [`norm::run`].
            #[target_feature(enable = $features)]
            pub fn add_norm(
                arena: &mut [f32],
                weights: &NormWeights,
                input: &[Run; 2],
                target: Target,
                positions: usize,
            ) {
                norm::run(arena, weights, input, target, positions);
            }
        }
    };
}

#[cfg(target_arch = "x86_64")]
kernels!(avx2, Avx2, "avx2,fma");
#[cfg(target_arch = "x86_64")]
kernels!(avx512, Avx512, "avx512f");
#[cfg(target_arch = "aarch64")]
kernels!(neon, Neon, "neon");

/// Calls the kernel of a set, or what stands for it in portable Rust.
macro_rules! dispatch {
    ($instructions:expr, $portable:expr, $kernel:ident($($argument:expr),*)) => {
        match $instructions.0 {
            Set::Portable => $portable,
            // SAFETY: a set is made only where the processor has it (`here`); whoever calls has checked that all lies in the arena, and weights
            // are packed by the set that they run with.
            #[cfg(target_arch = "x86_64")]
            Set::Avx2 => unsafe { avx2::$kernel($($argument),*) },
            // SAFETY: as above.
            #[cfg(target_arch = "x86_64")]
            Set::Avx512 => unsafe { avx512::$kernel($($argument),*) },
            // SAFETY: as above.
            #[cfg(target_arch = "aarch64")]
            Set::Neon => unsafe { neon::$kernel($($argument),*) },
        }
    };
}

impl Instructions {
    /// The safe reference.
    pub const PORTABLE: Instructions = Instructions(Set::Portable);

    /// Every set that this processor has, the best first.
    pub fn here() -> Vec<Self> {
        let mut found = Vec::new();
        #[cfg(target_arch = "x86_64")]
        {
            if std::arch::is_x86_feature_detected!("avx512f") {
                found.push(Instructions(Set::Avx512));
            }
            if std::arch::is_x86_feature_detected!("avx2") && std::arch::is_x86_feature_detected!("fma") {
                found.push(Instructions(Set::Avx2));
            }
        }
        #[cfg(target_arch = "aarch64")]
        found.push(Instructions(Set::Neon));
        found.push(Self::PORTABLE);
        found
    }

    /// The best set that this processor has.
    pub fn best() -> Self {
        Self::here()[0]
    }

    /// Floats in a vector.
    pub(super) fn width(self) -> usize {
        match self.0 {
            Set::Portable => 1,
            #[cfg(target_arch = "x86_64")]
            Set::Avx2 => Avx2::COUNT,
            #[cfg(target_arch = "x86_64")]
            Set::Avx512 => Avx512::COUNT,
            #[cfg(target_arch = "aarch64")]
            Set::Neon => Neon::COUNT,
        }
    }

    /// Vectors of a panel of the matrix multiply.
    fn columns(self) -> usize {
        match self.0 {
            Set::Portable => 1,
            #[cfg(target_arch = "x86_64")]
            Set::Avx2 => Avx2::COLUMNS,
            #[cfg(target_arch = "x86_64")]
            Set::Avx512 => Avx512::COLUMNS,
            #[cfg(target_arch = "aarch64")]
            Set::Neon => Neon::COLUMNS,
        }
    }

    /// Packs the weights of a matrix multiply (see [`Packed::new`]).
    pub(super) fn pack(self, weights: &[f32], bias: &[f32], order: &[usize]) -> Packed {
        Packed::new(weights, bias, order, self.width(), self.columns())
    }

    /// See [`matmul::reference`].
    ///
    /// # Panics
    /// When what is described does not lie in the arena.
    pub(super) fn matmul(
        self,
        arena: &mut [f32],
        runs: &[Run],
        target: Target,
        positions: usize,
        packed: &Packed,
        relu: bool,
    ) {
        let last = positions.saturating_sub(1);
        let input = runs.iter().map(|run| run.offset + last * run.stride + run.length + 8).max();
        assert!(input.unwrap_or(0).max(target.offset + last * target.stride + packed.padded()) <= arena.len());
        dispatch!(
            self,
            matmul::reference(arena, &Gathered(runs), target, positions, packed, relu),
            matmul(arena.as_mut_ptr(), runs, target, positions, packed, relu)
        )
    }

    /// See [`depthwise::reference`].
    ///
    /// # Panics
    /// When what is described does not lie in the arena.
    pub(super) fn depthwise(self, arena: &mut [f32], conv: &Depthwise, weights: &DepthwiseWeights) {
        let end = |offset: usize, stride: usize, sides: [usize; 3]| {
            offset + (sides.iter().product::<usize>() - 1) * stride + weights.channels()
        };
        let input = end(conv.offset, conv.stride, conv.input);
        assert!(input.max(end(conv.out_offset, conv.out_stride, conv.output())) <= arena.len());
        dispatch!(self, depthwise::reference(arena, conv, weights, 1), depthwise(arena.as_mut_ptr(), conv, weights))
    }

    /// See [`stem::reference`].
    ///
    /// # Panics
    /// When what is described does not lie in the arena.
    pub(super) fn stem(self, arena: &mut [f32], stem: &Stem, taps: &[usize], weights: &Packed) {
        assert!(stem.end(weights.padded()) <= arena.len());
        dispatch!(self, stem::reference(arena, stem, taps, weights), stem(arena.as_mut_ptr(), stem, taps, weights))
    }

    /// See [`attention::run`], which is safe; the instructions make it faster.
    pub(super) fn attention(
        self,
        arena: &mut [f32],
        attention: &Attention,
        input: &[Run; 3],
        target: Target,
        positions: usize,
        room: usize,
    ) {
        dispatch!(
            self,
            attention::run(arena, attention, input, target, positions, room),
            attention(arena, attention, input, target, positions, room)
        )
    }

    /// See [`norm::run`], which is safe; the instructions make it faster.
    pub(super) fn add_norm(
        self,
        arena: &mut [f32],
        weights: &NormWeights,
        input: &[Run; 2],
        target: Target,
        positions: usize,
    ) {
        dispatch!(
            self,
            norm::run(arena, weights, input, target, positions),
            add_norm(arena, weights, input, target, positions)
        )
    }
}
