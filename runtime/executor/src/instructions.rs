//! Sets of vector instructions, and the only calls of the kernels.

use crate::aligned::Aligned;
use crate::attention::{self, Attention};
use crate::depthwise::{self, Depthwise};
#[cfg(target_arch = "aarch64")]
use crate::half;
use crate::int8::{self, Scale};
use crate::lanes::Lanes;
#[cfg(target_arch = "x86_64")]
use crate::lanes::{Avx2, Avx512};
#[cfg(target_arch = "aarch64")]
use crate::lanes::{Neon, NeonHalf};
use crate::matmul::{self, Gathered};
use crate::mean;
use crate::norm::{self, NormWeights};
use crate::spans::{Run, Target};
use crate::stem::{self, Stem};
use crate::weights::{DepthwiseWeights, Packed, Weights};

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
    /// Eight bits, with instructions of their own.
    Int8(int8::Set),
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
                packed: &matmul::Packed,
                relu: bool,
            ) {
                // SAFETY: the caller guarantees it.
                unsafe { matmul::run::<$lanes>(arena.cast(), &Gathered(runs), target, positions, packed, relu) }
            }

            /// # Safety
            /// Same as [`depthwise::run`].
            #[target_feature(enable = $features)]
            pub unsafe fn depthwise(arena: *mut f32, conv: &Depthwise, weights: &depthwise::DepthwiseWeights) {
                // SAFETY: the caller guarantees it.
                unsafe { depthwise::run::<$lanes>(arena.cast(), conv, weights) }
            }

            /// # Safety
            /// Same as [`stem::run`].
            #[target_feature(enable = $features)]
            pub unsafe fn stem(
                arena: *mut f32,
                stem: &Stem,
                taps: &[Vec<usize>],
                weights: &matmul::Packed,
                data: &[f32],
            ) {
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

/// Why a kernel cannot run: its weights are packed by the set that runs it.
const NOT_PACKED: &str = "weights of another arithmetic";

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
            Set::Int8(_) => unreachable!("{NOT_PACKED}"),
        }
    };
}

impl Instructions {
    /// The safe reference, which runs on any processor.
    pub const PORTABLE: Instructions = Instructions(Set::Portable);

    /// The safe reference in eight bits, which runs on any processor, slowly.
    pub const PORTABLE_INT8: Instructions = Instructions(Set::Int8(int8::Set::Portable));

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

    /// Returns the set that computes backbones in eight bits, or `None` if this processor has no
    /// vector instructions for it. With VNNI or FEAT_DotProd it takes less than half the time of
    /// floats; with AVX2 alone, about the same. Networks need weights of eight bits for it.
    pub fn int8() -> Option<Self> {
        int8::Set::best().map(|set| Instructions(Set::Int8(set)))
    }

    /// Returns every set of this processor in eight bits, the best first. All compute the same
    /// bits.
    pub fn int8_available() -> Vec<Self> {
        int8::Set::available().into_iter().map(|set| Instructions(Set::Int8(set))).collect()
    }

    /// Returns whether the set computes in eight bits.
    pub fn is_int8(self) -> bool {
        matches!(self.0, Set::Int8(_))
    }

    /// Returns the best set in single precision for a set in half precision or eight bits, and the
    /// set itself otherwise. Small networks gain little from fewer bits and lose accuracy.
    pub(crate) fn single(self) -> Self {
        if self.is_half() || self.is_int8() { Self::best() } else { self }
    }

    /// Returns how many numbers take the place of one float in the arena.
    fn per_float(self) -> usize {
        match self.0 {
            Set::Int8(_) => int8::PER_FLOAT,
            _ if self.is_half() => 2,
            _ => 1,
        }
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
        if self.is_int8() {
            return int8::read(arena, at, values);
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
            Set::Int8(_) => int8::Set::WIDTH,
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
            Set::Int8(_) => unreachable!("{NOT_PACKED}"),
        }
    }

    /// Returns the size of the planes that a stem holds, in numbers.
    pub(crate) fn stem_input_len(self, stem: &Stem) -> usize {
        if self.is_int8() { int8::stem_input_len(stem) } else { stem.input_len() }
    }

    /// Returns the room in numbers for the mean of `channels` channels. In eight bits the mean is
    /// floats.
    pub(crate) fn mean_len(self, channels: usize) -> usize {
        if self.is_int8() { int8::PER_FLOAT * channels } else { channels.next_multiple_of(self.width()) }
    }

    /// Returns the set of eight bits and the whole numbers of `weights`, or `None` for a set of
    /// floats.
    ///
    /// # Panics
    /// Panics if the set is one of eight bits and there are no whole numbers.
    fn whole(self, weights: Weights<'_>) -> Option<(int8::Set, &int8::Quantised)> {
        match self.0 {
            Set::Int8(set) => Some((set, weights.quantised.expect(NOT_PACKED))),
            _ => None,
        }
    }

    /// Packs the weights of a matrix multiply whose inputs, in `order`, are runs of `lengths`.
    pub(crate) fn pack(
        self,
        weights: Weights<'_>,
        order: &[usize],
        lengths: impl IntoIterator<Item = usize>,
    ) -> Packed {
        if let Some((set, whole)) = self.whole(weights) {
            return Packed::Int8(set.pack(whole, order, lengths));
        }
        let packed = matmul::Packed::new(weights.data, weights.bias, order, self.width(), self.columns());
        Packed::Float(packed.stored(|numbers| self.stored(numbers)))
    }

    /// Packs the weights of a stem, (outputs, taps).
    pub(crate) fn pack_stem(self, weights: Weights<'_>, colours: usize) -> Packed {
        if let Some((set, whole)) = self.whole(weights) {
            return Packed::Int8(set.pack_stem(whole, colours));
        }
        let Weights { data, bias, .. } = weights;
        #[cfg(target_arch = "x86_64")]
        if self.0 == Set::Avx512 && 2 * bias.len() == 3 * Avx512::COUNT {
            return Packed::Float(matmul::Packed::shared(data, bias, Avx512::COUNT));
        }
        let taps = data.len() / bias.len();
        self.pack(weights, &(0..taps).collect::<Vec<_>>(), [taps])
    }

    /// Packs the weights of a depthwise convolution for the channels in `order`.
    pub(crate) fn pack_depthwise(self, weights: Weights<'_>, order: &[usize]) -> DepthwiseWeights {
        if let Some((set, whole)) = self.whole(weights) {
            return DepthwiseWeights::Int8(set.pack_depthwise(whole, order));
        }
        let packed = depthwise::DepthwiseWeights::new(weights.data, weights.bias, order, self.width());
        DepthwiseWeights::Float(packed.stored(|numbers| self.stored(numbers)))
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
        let packed = match (packed, self.0) {
            (Packed::Float(packed), _) => packed,
            (Packed::Int8(packed), Set::Int8(set)) => {
                return set.matmul(int8::numbers(arena), runs, target, positions, packed);
            }
            _ => unreachable!("{NOT_PACKED}"),
        };
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
        let weights = match (weights, self.0) {
            (DepthwiseWeights::Float(weights), _) => weights,
            (DepthwiseWeights::Int8(weights), Set::Int8(set)) => {
                return set.depthwise(int8::numbers(arena), conv, weights);
            }
            _ => unreachable!("{NOT_PACKED}"),
        };
        assert!(conv.end(weights.channels()) <= self.numbers(arena));
        dispatch!(self, depthwise::reference(arena, conv, weights, 1), depthwise(arena.as_mut_ptr(), conv, weights))
    }

    /// Runs a stem (see [`stem::reference`]).
    ///
    /// # Panics
    /// Panics if a buffer is outside the arena, or if `data` does not have the stem's sides.
    pub(crate) fn stem(self, arena: &mut [f32], stem: &Stem, taps: &[Vec<usize>], weights: &Packed, data: &[f32]) {
        let weights = match (weights, self.0) {
            (Packed::Float(weights), _) => weights,
            (Packed::Int8(weights), Set::Int8(set)) => return set.stem(int8::numbers(arena), stem, weights, data),
            _ => unreachable!("{NOT_PACKED}"),
        };
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
    pub(crate) fn mean(self, arena: &mut [f32], input: Run, target: Target, positions: usize, scale: Option<Scale>) {
        if let (Set::Int8(set), Some(scale)) = (self.0, scale) {
            return set.mean(int8::numbers(arena), input, target, positions, scale);
        }
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
