//! Sets of vector instructions, and the only calls of the kernels.

use crate::aligned::Aligned;
use crate::attention::{self, Attention};
use crate::depthwise::{self, Depthwise, DepthwiseWeights};
#[cfg(target_arch = "aarch64")]
use crate::half;
use crate::lanes::Lanes;
#[cfg(target_arch = "x86_64")]
use crate::lanes::{Avx2, Avx512};
#[cfg(target_arch = "aarch64")]
use crate::lanes::{Neon, NeonHalf};
use crate::matmul::{self, Gathered, Packed};
use crate::mean;
use crate::norm::{self, NormWeights};
use crate::spans::{Run, Target};
use crate::stem::{self, Stem};

/// A set of vector instructions that this processor has. Weights are packed for one set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Instructions(Set);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Set {
    /// Safe Rust without vectors: the reference, and the fallback for other processors.
    Portable,
    #[cfg(target_arch = "x86_64")]
    Avx2,
    #[cfg(target_arch = "x86_64")]
    Avx512,
    #[cfg(target_arch = "aarch64")]
    Neon,
    #[cfg(target_arch = "aarch64")]
    NeonHalf,
}

/// Defines the kernels of one set of instructions.
macro_rules! kernels {
    ($module:ident, $lanes:ty, $features:literal, $stem:path) => {
        mod $module {
            use super::*;

            /// # Safety
            /// Same as [`matmul::run`].
            #[target_feature(enable = $features)]
            pub unsafe fn matmul(
                arena: *mut f32,
                runs: &[Run],
                target: Target,
                positions: usize,
                packed: &Packed,
                relu: bool,
            ) {
                // SAFETY: the caller guarantees it.
                unsafe { matmul::run::<$lanes>(arena.cast(), &Gathered(runs), target, positions, packed, relu) }
            }

            /// # Safety
            /// Same as [`depthwise::run`].
            #[target_feature(enable = $features)]
            pub unsafe fn depthwise(arena: *mut f32, conv: &Depthwise, weights: &DepthwiseWeights) {
                // SAFETY: the caller guarantees it.
                unsafe { depthwise::run::<$lanes>(arena.cast(), conv, weights) }
            }

            /// # Safety
            /// Same as [`stem::run`].
            #[target_feature(enable = $features)]
            pub unsafe fn stem(arena: *mut f32, stem: &Stem, taps: &[Vec<usize>], weights: &Packed, data: &[f32]) {
                // SAFETY: the caller guarantees it.
                unsafe { $stem(arena.cast(), stem, taps, weights, data) }
            }

            /// Same as [`attention::run`].
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

            /// Same as [`norm::run`].
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
kernels!(avx2, Avx2, "avx2,fma", stem::run::<Avx2>);
#[cfg(target_arch = "x86_64")]
kernels!(avx512, Avx512, "avx512f", stem::run_shared::<Avx512>);
#[cfg(target_arch = "aarch64")]
kernels!(neon, Neon, "neon", stem::run::<Neon>);
#[cfg(target_arch = "aarch64")]
kernels!(neon_half, NeonHalf, "neon,fp16", stem::run::<NeonHalf>);

/// Calls the kernel of a set, or the portable code.
macro_rules! dispatch {
    ($instructions:expr, $portable:expr, $kernel:ident($($argument:expr),*)) => {
        match $instructions.0 {
            Set::Portable => $portable,
            // SAFETY: a set exists only if the processor has its instructions
            // ([`Instructions::available`]). The caller has checked that everything is in the
            // arena. Weights run with the set that packed them.
            #[cfg(target_arch = "x86_64")]
            Set::Avx2 => unsafe { avx2::$kernel($($argument),*) },
            // SAFETY: as above.
            #[cfg(target_arch = "x86_64")]
            Set::Avx512 => unsafe { avx512::$kernel($($argument),*) },
            // SAFETY: as above.
            #[cfg(target_arch = "aarch64")]
            Set::Neon => unsafe { neon::$kernel($($argument),*) },
            // SAFETY: as above.
            #[cfg(target_arch = "aarch64")]
            Set::NeonHalf => unsafe { neon_half::$kernel($($argument),*) },
        }
    };
}

impl Instructions {
    /// The safe reference, which runs on any processor.
    pub const PORTABLE: Instructions = Instructions(Set::Portable);

    /// Returns every set of this processor in single precision, the best first. All compute the
    /// same bits.
    pub fn available() -> Vec<Self> {
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

    /// Returns the best set of this processor in single precision.
    pub fn best() -> Self {
        Self::available()[0]
    }

    /// Returns the set that computes backbones in half precision, or `None` if this processor has
    /// none. It takes half the instructions. Its numbers have 11 significant bits instead of 24.
    pub fn half() -> Option<Self> {
        #[cfg(target_arch = "aarch64")]
        if std::arch::is_aarch64_feature_detected!("fp16") {
            return Some(Instructions(Set::NeonHalf));
        }
        None
    }

    /// Returns whether the set computes in half precision.
    pub fn is_half(self) -> bool {
        #[cfg(target_arch = "aarch64")]
        return self.0 == Set::NeonHalf;
        #[cfg(not(target_arch = "aarch64"))]
        false
    }

    /// Returns the best set in single precision for a set in half precision, and the set itself
    /// otherwise. Small networks gain little from half precision and lose accuracy.
    pub(crate) fn single(self) -> Self {
        if self.is_half() { Self::best() } else { self }
    }

    /// Returns how many numbers take the place of one float in the arena.
    fn per_float(self) -> usize {
        if self.is_half() { 2 } else { 1 }
    }

    /// Returns an arena of `len` zeros.
    pub(crate) fn arena(self, len: usize) -> Aligned {
        Aligned::zeros(len.div_ceil(self.per_float()))
    }

    /// Returns the capacity of an arena in numbers.
    fn numbers(self, arena: &[f32]) -> usize {
        self.per_float() * arena.len()
    }

    /// Writes `values` to the arena from number `at` on.
    ///
    /// # Panics
    /// Panics if they do not fit into the arena.
    pub(crate) fn write(self, arena: &mut [f32], at: usize, values: &[f32]) {
        #[cfg(target_arch = "aarch64")]
        if self.is_half() {
            assert!(at + values.len() <= self.numbers(arena));
            // SAFETY: the processor has the instructions, and the range was checked.
            return unsafe { half::write(values, arena.as_mut_ptr().cast::<u16>().add(at)) };
        }
        arena[at..at + values.len()].copy_from_slice(values);
    }

    /// Reads numbers of the arena from `at` on. In half precision the numbers up to the next
    /// multiple of four must be in the arena too.
    ///
    /// # Panics
    /// Panics if they are not in the arena.
    pub(crate) fn read(self, arena: &[f32], at: usize, values: &mut [f32]) {
        #[cfg(target_arch = "aarch64")]
        if self.is_half() {
            assert!(at + values.len().next_multiple_of(4) <= self.numbers(arena));
            // SAFETY: the processor has the instructions, and the range was checked.
            return unsafe { half::read(arena.as_ptr().cast::<u16>().add(at), values) };
        }
        values.copy_from_slice(&arena[at..at + values.len()]);
    }

    /// Converts numbers to the format that the kernels read.
    fn stored(self, numbers: Aligned) -> Aligned {
        if !self.is_half() {
            return numbers;
        }
        let mut stored = self.arena(numbers.len());
        self.write(&mut stored, 0, &numbers);
        stored
    }

    /// Returns the numbers in a vector.
    pub(crate) fn width(self) -> usize {
        match self.0 {
            Set::Portable => 1,
            #[cfg(target_arch = "x86_64")]
            Set::Avx2 => Avx2::COUNT,
            #[cfg(target_arch = "x86_64")]
            Set::Avx512 => Avx512::COUNT,
            #[cfg(target_arch = "aarch64")]
            Set::Neon => Neon::COUNT,
            #[cfg(target_arch = "aarch64")]
            Set::NeonHalf => NeonHalf::COUNT,
        }
    }

    /// Returns the vectors in a panel of the matrix multiply.
    fn columns(self) -> usize {
        match self.0 {
            Set::Portable => 1,
            #[cfg(target_arch = "x86_64")]
            Set::Avx2 => Avx2::COLUMNS,
            #[cfg(target_arch = "x86_64")]
            Set::Avx512 => Avx512::COLUMNS,
            #[cfg(target_arch = "aarch64")]
            Set::Neon => Neon::COLUMNS,
            #[cfg(target_arch = "aarch64")]
            Set::NeonHalf => NeonHalf::COLUMNS,
        }
    }

    /// Packs the weights of a matrix multiply (see [`Packed::new`]).
    pub(crate) fn pack(self, weights: &[f32], bias: &[f32], order: &[usize]) -> Packed {
        Packed::new(weights, bias, order, self.width(), self.columns()).stored(|numbers| self.stored(numbers))
    }

    /// Packs the weights of a stem, (outputs, taps).
    pub(crate) fn pack_stem(self, weights: &[f32], bias: &[f32]) -> Packed {
        #[cfg(target_arch = "x86_64")]
        if self.0 == Set::Avx512 && 2 * bias.len() == 3 * Avx512::COUNT {
            return Packed::shared(weights, bias, Avx512::COUNT);
        }
        let order: Vec<usize> = (0..weights.len() / bias.len()).collect();
        self.pack(weights, bias, &order)
    }

    /// Packs the weights of a depthwise convolution (see [`DepthwiseWeights::new`]).
    pub(crate) fn pack_depthwise(self, weights: &[f32], bias: &[f32], order: &[usize]) -> DepthwiseWeights {
        DepthwiseWeights::new(weights, bias, order, self.width()).stored(|numbers| self.stored(numbers))
    }

    /// Runs a matrix multiply (see [`matmul::reference`]).
    ///
    /// # Panics
    /// Panics if an input or output is outside the arena.
    pub(crate) fn matmul(
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
        assert!(input.unwrap_or(0).max(target.offset + last * target.stride + packed.padded()) <= self.numbers(arena));
        dispatch!(
            self,
            matmul::reference(arena, &Gathered(runs), target, positions, packed, relu),
            matmul(arena.as_mut_ptr(), runs, target, positions, packed, relu)
        )
    }

    /// Runs a depthwise convolution (see [`depthwise::reference`]).
    ///
    /// # Panics
    /// Panics if an input or output is outside the arena.
    pub(crate) fn depthwise(self, arena: &mut [f32], conv: &Depthwise, weights: &DepthwiseWeights) {
        let end = |offset: usize, stride: usize, sides: [usize; 3]| {
            offset + (sides.iter().product::<usize>() - 1) * stride + weights.channels()
        };
        let input = end(conv.offset, conv.stride, conv.input);
        assert!(input.max(end(conv.out_offset, conv.out_stride, conv.output())) <= self.numbers(arena));
        dispatch!(self, depthwise::reference(arena, conv, weights, 1), depthwise(arena.as_mut_ptr(), conv, weights))
    }

    /// Runs a stem (see [`stem::reference`]).
    ///
    /// # Panics
    /// Panics if a buffer is outside the arena, or if `data` does not have the stem's sides.
    pub(crate) fn stem(self, arena: &mut [f32], stem: &Stem, taps: &[Vec<usize>], weights: &Packed, data: &[f32]) {
        assert!(stem.end(weights.padded()) <= self.numbers(arena));
        assert_eq!(data.len(), stem.colours * stem.sides.iter().product::<usize>());
        dispatch!(
            self,
            stem::reference(arena, stem, taps, weights, data),
            stem(arena.as_mut_ptr(), stem, taps, weights, data)
        )
    }

    /// Computes the mean of each channel of `input` over its `positions` and writes it to position
    /// 0 of `target`.
    ///
    /// # Panics
    /// Panics if an input or output is outside the arena.
    pub(crate) fn mean(self, arena: &mut [f32], input: Run, target: Target, positions: usize) {
        #[cfg(target_arch = "aarch64")]
        if self.is_half() {
            let end = (input.offset + (positions - 1) * input.stride).max(target.offset);
            assert!(end + input.length.next_multiple_of(4) <= self.numbers(arena));
            // SAFETY: the processor has the instructions, and the range was checked.
            return unsafe { half::mean(arena.as_mut_ptr().cast(), input, target, positions) };
        }
        mean::run(arena, input, target, positions);
    }

    /// Runs [`attention::run`], compiled for the set. In single precision only.
    pub(crate) fn attention(
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

    /// Runs [`norm::run`], compiled for the set. In single precision only.
    pub(crate) fn add_norm(
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
