//! Which vector instructions the kernels run with, and the one place where they are called.

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
    #[cfg(target_arch = "aarch64")]
    NeonHalf,
}

/// Defines the kernels of one set of instructions.
macro_rules! kernels {
    ($module:ident, $lanes:ty, $features:literal, $stem:path) => {
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
                unsafe { matmul::run::<$lanes>(arena.cast(), &Gathered(runs), target, positions, packed, relu) }
            }

            /// # Safety
            /// As [`depthwise::run`].
            #[target_feature(enable = $features)]
            pub unsafe fn depthwise(arena: *mut f32, conv: &Depthwise, weights: &DepthwiseWeights) {
                // SAFETY: the caller's.
                unsafe { depthwise::run::<$lanes>(arena.cast(), conv, weights) }
            }

            /// # Safety
            /// As [`stem::run`].
            #[target_feature(enable = $features)]
            pub unsafe fn stem(arena: *mut f32, stem: &Stem, taps: &[Vec<usize>], weights: &Packed, data: &[f32]) {
                // SAFETY: the caller's.
                unsafe { $stem(arena.cast(), stem, taps, weights, data) }
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
kernels!(avx2, Avx2, "avx2,fma", stem::run::<Avx2>);
#[cfg(target_arch = "x86_64")]
kernels!(avx512, Avx512, "avx512f", stem::run_shared::<Avx512>);
#[cfg(target_arch = "aarch64")]
kernels!(neon, Neon, "neon", stem::run::<Neon>);
#[cfg(target_arch = "aarch64")]
kernels!(neon_half, NeonHalf, "neon,fp16", stem::run::<NeonHalf>);

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
            // SAFETY: as above.
            #[cfg(target_arch = "aarch64")]
            Set::NeonHalf => unsafe { neon_half::$kernel($($argument),*) },
        }
    };
}

impl Instructions {
    /// The safe reference.
    pub const PORTABLE: Instructions = Instructions(Set::Portable);

    /// Every set that this processor has in single precision, the best first. All compute the same bits.
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

    /// The set of this processor that computes backbones in half precision, where it has one: half the instructions, and every number
    /// of them has 11 bits in place of 24.
    pub fn half() -> Option<Self> {
        #[cfg(target_arch = "aarch64")]
        if std::arch::is_aarch64_feature_detected!("fp16") {
            return Some(Instructions(Set::NeonHalf));
        }
        None
    }

    /// Whether it computes in half precision.
    pub fn is_half(self) -> bool {
        #[cfg(target_arch = "aarch64")]
        return self.0 == Set::NeonHalf;
        #[cfg(not(target_arch = "aarch64"))]
        false
    }

    /// The set of the same processor in single precision, for networks that gain little and lose much by half of it.
    pub(crate) fn single(self) -> Self {
        if self.is_half() { Self::best() } else { self }
    }

    /// Numbers in the place of a float of the arena.
    fn per_float(self) -> usize {
        if self.is_half() { 2 } else { 1 }
    }

    /// An arena for so many numbers: zeros.
    pub(crate) fn arena(self, len: usize) -> Aligned {
        Aligned::zeros(len.div_ceil(self.per_float()))
    }

    /// Numbers that an arena has room for.
    fn numbers(self, arena: &[f32]) -> usize {
        self.per_float() * arena.len()
    }

    /// Writes `values` to the numbers of the arena from `at` on.
    ///
    /// # Panics
    /// When they do not lie in the arena.
    pub(crate) fn write(self, arena: &mut [f32], at: usize, values: &[f32]) {
        #[cfg(target_arch = "aarch64")]
        if self.is_half() {
            assert!(at + values.len() <= self.numbers(arena));
            // SAFETY: the processor has the instructions, and the place was checked.
            return unsafe { half::write(values, arena.as_mut_ptr().cast::<u16>().add(at)) };
        }
        arena[at..at + values.len()].copy_from_slice(values);
    }

    /// Reads the numbers of the arena from `at` on; in half precision those up to the next multiple of four are there too.
    ///
    /// # Panics
    /// When they do not lie in the arena.
    pub(crate) fn read(self, arena: &[f32], at: usize, values: &mut [f32]) {
        #[cfg(target_arch = "aarch64")]
        if self.is_half() {
            assert!(at + values.len().next_multiple_of(4) <= self.numbers(arena));
            // SAFETY: the processor has the instructions, and the place was checked.
            return unsafe { half::read(arena.as_ptr().cast::<u16>().add(at), values) };
        }
        values.copy_from_slice(&arena[at..at + values.len()]);
    }

    /// The same numbers as the kernels read them.
    fn stored(self, numbers: Aligned) -> Aligned {
        if !self.is_half() {
            return numbers;
        }
        let mut stored = self.arena(numbers.len());
        self.write(&mut stored, 0, &numbers);
        stored
    }

    /// Numbers in a vector.
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
            #[cfg(target_arch = "aarch64")]
            Set::NeonHalf => NeonHalf::COLUMNS,
        }
    }

    /// Packs the weights of a matrix multiply (see [`Packed::new`]).
    pub(crate) fn pack(self, weights: &[f32], bias: &[f32], order: &[usize]) -> Packed {
        Packed::new(weights, bias, order, self.width(), self.columns()).stored(|numbers| self.stored(numbers))
    }

    /// Packs the weights of a stem: (outputs, taps).
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

    /// See [`matmul::reference`].
    ///
    /// # Panics
    /// When what is described does not lie in the arena.
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

    /// See [`depthwise::reference`].
    ///
    /// # Panics
    /// When what is described does not lie in the arena.
    pub(crate) fn depthwise(self, arena: &mut [f32], conv: &Depthwise, weights: &DepthwiseWeights) {
        let end = |offset: usize, stride: usize, sides: [usize; 3]| {
            offset + (sides.iter().product::<usize>() - 1) * stride + weights.channels()
        };
        let input = end(conv.offset, conv.stride, conv.input);
        assert!(input.max(end(conv.out_offset, conv.out_stride, conv.output())) <= self.numbers(arena));
        dispatch!(self, depthwise::reference(arena, conv, weights, 1), depthwise(arena.as_mut_ptr(), conv, weights))
    }

    /// See [`stem::reference`].
    ///
    /// # Panics
    /// When what is described does not lie in the arena, or `data` is not of the stem's sides.
    pub(crate) fn stem(self, arena: &mut [f32], stem: &Stem, taps: &[Vec<usize>], weights: &Packed, data: &[f32]) {
        assert!(stem.end(weights.padded()) <= self.numbers(arena));
        assert_eq!(data.len(), stem.colours * stem.sides.iter().product::<usize>());
        dispatch!(
            self,
            stem::reference(arena, stem, taps, weights, data),
            stem(arena.as_mut_ptr(), stem, taps, weights, data)
        )
    }

    /// The mean of each channel of `input` over its `positions`, into the only position of `target`.
    ///
    /// # Panics
    /// When what is described does not lie in the arena.
    pub(crate) fn mean(self, arena: &mut [f32], input: Run, target: Target, positions: usize) {
        #[cfg(target_arch = "aarch64")]
        if self.is_half() {
            let end = (input.offset + (positions - 1) * input.stride).max(target.offset);
            assert!(end + input.length.next_multiple_of(4) <= self.numbers(arena));
            // SAFETY: the processor has the instructions, and the place was checked.
            return unsafe { half::mean(arena.as_mut_ptr().cast(), input, target, positions) };
        }
        mean::run(arena, input, target, positions);
    }

    /// See [`attention::run`], which is safe; the instructions make it faster. In single precision only.
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

    /// See [`norm::run`], which is safe; the instructions make it faster. In single precision only.
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
