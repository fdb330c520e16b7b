//! The vectors of a processor for eight-bit kernels: one trait, and one implementation for each set
//! of instructions.

use super::Number;
use super::quantised::Finish;

/// Channels that a depthwise convolution computes at once.
pub(crate) const BLOCK: usize = 16;

/// Vectors of `COUNT` sums of four bytes, each sum with four neighbouring inputs of its own or of
/// all.
///
/// # Safety
/// The methods may be called only on a processor that has the instructions, inside a function that
/// is compiled for them (`#[target_feature]`) and into which they are inlined.
pub(crate) unsafe trait Dots {
    /// `COUNT` sums.
    type Sums: Copy;
    /// Four weights for each of `COUNT` outputs.
    type Weights: Copy;
    /// `4 GROUPS` neighbouring inputs of one position.
    type Inputs: Copy;
    /// The sums of [`BLOCK`] channels.
    type Block: Copy;
    /// Three inputs for each of [`BLOCK`] channels, and a fourth that counts for nothing.
    type Triples: Copy;
    /// Sums in a vector.
    const COUNT: usize;
    /// Groups of four inputs that are read at once: 1, or 4.
    const GROUPS: usize;
    /// Positions that a matrix multiply holds in registers at once, for 1 to 4 vectors of outputs.
    /// At most 12.
    const ROWS: [usize; 4];
    /// Vectors of outputs in a panel.
    const COLUMNS: usize;
    /// Whether registers hold the sums of seven blocks.
    const HOLDS_SEVEN: bool;

    /// Reads `COUNT` sums.
    unsafe fn sums(at: *const i32) -> Self::Sums;
    /// Reads `4 COUNT` weights.
    unsafe fn weights(at: *const i8) -> Self::Weights;
    /// Reads `4 GROUPS` inputs.
    unsafe fn inputs(at: *const Number) -> Self::Inputs;
    /// Adds the four inputs of `GROUP` times each output's weights.
    unsafe fn dot<const GROUP: i32>(inputs: Self::Inputs, weights: Self::Weights, sums: Self::Sums) -> Self::Sums;
    /// Writes `COUNT` activations: sums times factors, rounded.
    unsafe fn finish(sums: Self::Sums, factors: *const f32, finish: Finish, out: *mut Number);

    /// Reads [`BLOCK`] sums.
    unsafe fn block(at: *const i32) -> Self::Block;
    /// Adds [`BLOCK`] sums.
    unsafe fn add(block: Self::Block, at: *const i32) -> Self::Block;
    /// Reads [`BLOCK`] channels at each of three places.
    unsafe fn triples(at: [*const Number; 3]) -> Self::Triples;
    /// Adds each channel's inputs times its four weights.
    unsafe fn dot_triples(triples: Self::Triples, weights: *const i8, block: Self::Block) -> Self::Block;
    /// Writes [`BLOCK`] activations.
    unsafe fn finish_block(block: Self::Block, factors: *const f32, finish: Finish, out: *mut Number);
}

/// AVX-512 with VNNI: 16 sums.
#[cfg(target_arch = "x86_64")]
pub(crate) struct Avx512Vnni;

// SAFETY: the methods are called only under `#[target_feature(enable =
// "avx512f,avx512bw,avx512vnni")]`.
#[cfg(target_arch = "x86_64")]
unsafe impl Dots for Avx512Vnni {
    type Sums = std::arch::x86_64::__m512i;
    type Weights = std::arch::x86_64::__m512i;
    // A broadcast from memory costs no more than a load, so the inputs stay in memory.
    type Inputs = *const Number;
    type Block = std::arch::x86_64::__m512i;
    type Triples = std::arch::x86_64::__m512i;
    const COUNT: usize = 16;
    const GROUPS: usize = 1;
    const ROWS: [usize; 4] = [12, 12, 8, 6];
    const COLUMNS: usize = 4;
    const HOLDS_SEVEN: bool = true;

    #[inline(always)]
    unsafe fn sums(at: *const i32) -> Self::Sums {
        // SAFETY: the caller guarantees it.
        unsafe { std::arch::x86_64::_mm512_loadu_si512(at.cast()) }
    }
    #[inline(always)]
    unsafe fn weights(at: *const i8) -> Self::Weights {
        // SAFETY: the caller guarantees it.
        unsafe { std::arch::x86_64::_mm512_loadu_si512(at.cast()) }
    }
    #[inline(always)]
    unsafe fn inputs(at: *const Number) -> Self::Inputs {
        at
    }
    #[inline(always)]
    unsafe fn dot<const GROUP: i32>(inputs: Self::Inputs, weights: Self::Weights, sums: Self::Sums) -> Self::Sums {
        use std::arch::x86_64::{_mm512_dpbusd_epi32, _mm512_set1_epi32};
        // SAFETY: the caller guarantees it; the read does not need alignment.
        unsafe { _mm512_dpbusd_epi32(sums, _mm512_set1_epi32(inputs.cast::<i32>().read_unaligned()), weights) }
    }
    #[inline(always)]
    unsafe fn finish(sums: Self::Sums, factors: *const f32, finish: Finish, out: *mut Number) {
        use std::arch::x86_64::{
            _mm_storeu_si128, _mm512_add_epi32, _mm512_cvtepi32_ps, _mm512_cvtps_epi32, _mm512_cvtusepi32_epi8,
            _mm512_loadu_ps, _mm512_max_epi32, _mm512_mul_ps, _mm512_set1_epi32,
        };
        // SAFETY: the caller guarantees it.
        unsafe {
            let rounded = _mm512_cvtps_epi32(_mm512_mul_ps(_mm512_cvtepi32_ps(sums), _mm512_loadu_ps(factors)));
            let moved = _mm512_add_epi32(rounded, _mm512_set1_epi32(finish.zero));
            let numbers = _mm512_cvtusepi32_epi8(_mm512_max_epi32(moved, _mm512_set1_epi32(finish.floor)));
            _mm_storeu_si128(out.cast(), numbers);
        }
    }

    #[inline(always)]
    unsafe fn block(at: *const i32) -> Self::Block {
        // SAFETY: the caller guarantees it.
        unsafe { Self::sums(at) }
    }
    #[inline(always)]
    unsafe fn add(block: Self::Block, at: *const i32) -> Self::Block {
        // SAFETY: the caller guarantees it.
        unsafe { std::arch::x86_64::_mm512_add_epi32(block, Self::sums(at)) }
    }
    #[inline(always)]
    unsafe fn triples([a, b, c]: [*const Number; 3]) -> Self::Triples {
        use std::arch::x86_64::{
            _mm_loadu_si128, _mm512_inserti32x4, _mm512_permutexvar_epi32, _mm512_setr_epi32, _mm512_shuffle_epi8,
            _mm512_zextsi128_si512,
        };
        // SAFETY: the caller guarantees it.
        unsafe {
            let lines = _mm512_zextsi128_si512(_mm_loadu_si128(a.cast()));
            let lines = _mm512_inserti32x4::<1>(lines, _mm_loadu_si128(b.cast()));
            let lines = _mm512_inserti32x4::<2>(lines, _mm_loadu_si128(c.cast()));
            // Four channels of all lines in each quarter, then the lines of each channel together.
            let quarters = _mm512_setr_epi32(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15);
            let turn = transposition();
            _mm512_shuffle_epi8(_mm512_permutexvar_epi32(quarters, lines), turn)
        }
    }
    #[inline(always)]
    unsafe fn dot_triples(triples: Self::Triples, weights: *const i8, block: Self::Block) -> Self::Block {
        // SAFETY: the caller guarantees it.
        unsafe { std::arch::x86_64::_mm512_dpbusd_epi32(block, triples, Self::weights(weights)) }
    }
    #[inline(always)]
    unsafe fn finish_block(block: Self::Block, factors: *const f32, finish: Finish, out: *mut Number) {
        // SAFETY: the caller guarantees it.
        unsafe { Self::finish(block, factors, finish, out) }
    }
}

/// Returns the order that transposes four lines of four bytes in each quarter of a vector.
///
/// # Safety
/// Same as [`Dots`].
#[cfg(target_arch = "x86_64")]
#[inline(always)]
unsafe fn transposition() -> std::arch::x86_64::__m512i {
    use std::arch::x86_64::{_mm_setr_epi8, _mm512_broadcast_i32x4};
    // SAFETY: the caller guarantees it.
    unsafe { _mm512_broadcast_i32x4(_mm_setr_epi8(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15)) }
}

/// Implements [`Dots`] with 8 sums in vectors of AVX2. `$dot` adds the products of four unsigned
/// and four signed bytes to each sum.
#[cfg(target_arch = "x86_64")]
macro_rules! eights {
    ($name:ident, $dot:path) => {
        // SAFETY: the methods are called only under the instructions that `$dot` needs.
        unsafe impl Dots for $name {
            type Sums = std::arch::x86_64::__m256i;
            type Weights = std::arch::x86_64::__m256i;
            type Inputs = *const Number;
            type Block = [std::arch::x86_64::__m256i; 2];
            type Triples = [std::arch::x86_64::__m256i; 2];
            const COUNT: usize = 8;
            const GROUPS: usize = 1;
            const ROWS: [usize; 4] = [12, 6, 4, 0];
            const COLUMNS: usize = 3;
            const HOLDS_SEVEN: bool = false;

            #[inline(always)]
            unsafe fn sums(at: *const i32) -> Self::Sums {
                // SAFETY: the caller guarantees it.
                unsafe { std::arch::x86_64::_mm256_loadu_si256(at.cast()) }
            }
            #[inline(always)]
            unsafe fn weights(at: *const i8) -> Self::Weights {
                // SAFETY: the caller guarantees it.
                unsafe { std::arch::x86_64::_mm256_loadu_si256(at.cast()) }
            }
            #[inline(always)]
            unsafe fn inputs(at: *const Number) -> Self::Inputs {
                at
            }
            #[inline(always)]
            unsafe fn dot<const GROUP: i32>(
                inputs: Self::Inputs,
                weights: Self::Weights,
                sums: Self::Sums,
            ) -> Self::Sums {
                // SAFETY: the caller guarantees it; the read does not need alignment.
                unsafe {
                    $dot(sums, std::arch::x86_64::_mm256_set1_epi32(inputs.cast::<i32>().read_unaligned()), weights)
                }
            }
            #[inline(always)]
            unsafe fn finish(sums: Self::Sums, factors: *const f32, finish: Finish, out: *mut Number) {
                use std::arch::x86_64::{
                    _mm_packus_epi16, _mm_packus_epi32, _mm_storel_epi64, _mm256_add_epi32, _mm256_castsi256_si128,
                    _mm256_cvtepi32_ps, _mm256_cvtps_epi32, _mm256_extracti128_si256, _mm256_loadu_ps,
                    _mm256_max_epi32, _mm256_mul_ps, _mm256_set1_epi32,
                };
                // SAFETY: the caller guarantees it.
                unsafe {
                    let product = _mm256_mul_ps(_mm256_cvtepi32_ps(sums), _mm256_loadu_ps(factors));
                    let moved = _mm256_add_epi32(_mm256_cvtps_epi32(product), _mm256_set1_epi32(finish.zero));
                    let numbers = _mm256_max_epi32(moved, _mm256_set1_epi32(finish.floor));
                    let (low, high) = (_mm256_castsi256_si128(numbers), _mm256_extracti128_si256::<1>(numbers));
                    let words = _mm_packus_epi32(low, high);
                    // As signed words: those above 32767 would become 0.
                    let words = std::arch::x86_64::_mm_min_epu16(words, std::arch::x86_64::_mm_set1_epi16(255));
                    _mm_storel_epi64(out.cast(), _mm_packus_epi16(words, words));
                }
            }

            #[inline(always)]
            unsafe fn block(at: *const i32) -> Self::Block {
                // SAFETY: the caller guarantees it.
                unsafe { [Self::sums(at), Self::sums(at.add(8))] }
            }
            #[inline(always)]
            unsafe fn add(block: Self::Block, at: *const i32) -> Self::Block {
                // SAFETY: the caller guarantees it.
                unsafe {
                    [
                        std::arch::x86_64::_mm256_add_epi32(block[0], Self::sums(at)),
                        std::arch::x86_64::_mm256_add_epi32(block[1], Self::sums(at.add(8))),
                    ]
                }
            }
            #[inline(always)]
            unsafe fn triples([a, b, c]: [*const Number; 3]) -> Self::Triples {
                use std::arch::x86_64::{
                    _mm_loadu_si128, _mm_setzero_si128, _mm_unpackhi_epi8, _mm_unpackhi_epi16, _mm_unpacklo_epi8,
                    _mm_unpacklo_epi16, _mm256_set_m128i,
                };
                // SAFETY: the caller guarantees it.
                unsafe {
                    let [a, b, c] = [a, b, c].map(|at| _mm_loadu_si128(at.cast()));
                    let none = _mm_setzero_si128();
                    let (ab, cd) = (_mm_unpacklo_epi8(a, b), _mm_unpacklo_epi8(c, none));
                    let first = _mm256_set_m128i(_mm_unpackhi_epi16(ab, cd), _mm_unpacklo_epi16(ab, cd));
                    let (ab, cd) = (_mm_unpackhi_epi8(a, b), _mm_unpackhi_epi8(c, none));
                    [first, _mm256_set_m128i(_mm_unpackhi_epi16(ab, cd), _mm_unpacklo_epi16(ab, cd))]
                }
            }
            #[inline(always)]
            unsafe fn dot_triples(triples: Self::Triples, weights: *const i8, block: Self::Block) -> Self::Block {
                // SAFETY: the caller guarantees it.
                unsafe {
                    [
                        $dot(block[0], triples[0], Self::weights(weights)),
                        $dot(block[1], triples[1], Self::weights(weights.add(32))),
                    ]
                }
            }
            #[inline(always)]
            unsafe fn finish_block(block: Self::Block, factors: *const f32, finish: Finish, out: *mut Number) {
                // SAFETY: the caller guarantees it.
                unsafe {
                    Self::finish(block[0], factors, finish, out);
                    Self::finish(block[1], factors.add(8), finish, out.add(8));
                }
            }
        }
    };
}

/// AVX2 with VNNI (AVX-VNNI): 8 sums.
#[cfg(target_arch = "x86_64")]
pub(crate) struct AvxVnni;

/// AVX2: 8 sums.
#[cfg(target_arch = "x86_64")]
pub(crate) struct Avx2;

#[cfg(target_arch = "x86_64")]
eights!(AvxVnni, std::arch::x86_64::_mm256_dpbusd_avx_epi32);
#[cfg(target_arch = "x86_64")]
eights!(Avx2, dot_of_words);

/// Adds the products of four unsigned bytes `a` and four signed bytes `b` to each sum, in words:
/// the instruction for bytes loses large sums.
///
/// # Safety
/// Same as [`Dots`].
#[cfg(target_arch = "x86_64")]
#[inline(always)]
unsafe fn dot_of_words(
    sums: std::arch::x86_64::__m256i,
    a: std::arch::x86_64::__m256i,
    b: std::arch::x86_64::__m256i,
) -> std::arch::x86_64::__m256i {
    use std::arch::x86_64::{
        _mm256_add_epi32, _mm256_and_si256, _mm256_madd_epi16, _mm256_set1_epi16, _mm256_slli_epi16, _mm256_srai_epi16,
        _mm256_srli_epi16,
    };
    // SAFETY: the caller guarantees it.
    unsafe {
        let even = _mm256_madd_epi16(
            _mm256_and_si256(a, _mm256_set1_epi16(255)),
            _mm256_srai_epi16::<8>(_mm256_slli_epi16::<8>(b)),
        );
        let odd = _mm256_madd_epi16(_mm256_srli_epi16::<8>(a), _mm256_srai_epi16::<8>(b));
        _mm256_add_epi32(sums, _mm256_add_epi32(even, odd))
    }
}

/// NEON with dot products (FEAT_DotProd): 4 sums.
#[cfg(target_arch = "aarch64")]
pub(crate) struct NeonDot;

// SAFETY: the methods are called only under `#[target_feature(enable = "neon,dotprod")]`.
#[cfg(target_arch = "aarch64")]
// The methods and their instructions are inlined there. Older compilers do not know the lint.
#[allow(unknown_lints, inline_always_mismatching_target_features)]
unsafe impl Dots for NeonDot {
    type Sums = std::arch::aarch64::int32x4_t;
    type Weights = std::arch::aarch64::int8x16_t;
    // An instruction can use any four bytes of a register, so one load serves four groups.
    type Inputs = std::arch::aarch64::int8x16_t;
    type Block = [std::arch::aarch64::int32x4_t; 4];
    type Triples = [std::arch::aarch64::int8x16_t; 4];
    const COUNT: usize = 4;
    const GROUPS: usize = 4;
    const ROWS: [usize; 4] = [12, 10, 7, 6];
    const COLUMNS: usize = 3;
    const HOLDS_SEVEN: bool = false;

    #[inline(always)]
    unsafe fn sums(at: *const i32) -> Self::Sums {
        // SAFETY: the caller guarantees it.
        unsafe { std::arch::aarch64::vld1q_s32(at) }
    }
    #[inline(always)]
    unsafe fn weights(at: *const i8) -> Self::Weights {
        // SAFETY: the caller guarantees it.
        unsafe { std::arch::aarch64::vld1q_s8(at) }
    }
    #[inline(always)]
    unsafe fn inputs(at: *const Number) -> Self::Inputs {
        // SAFETY: the caller guarantees it.
        unsafe { std::arch::aarch64::vld1q_s8(at) }
    }
    #[inline(always)]
    unsafe fn dot<const GROUP: i32>(inputs: Self::Inputs, weights: Self::Weights, mut sums: Self::Sums) -> Self::Sums {
        // The library's function for this instruction is not stable yet.
        // SAFETY: the caller guarantees it; the instruction reads and writes registers only.
        unsafe {
            std::arch::asm!(
                "sdot {sums:v}.4s, {weights:v}.16b, {inputs:v}.4b[{group}]",
                sums = inout(vreg) sums, weights = in(vreg) weights, inputs = in(vreg) inputs, group = const GROUP,
                options(pure, nomem, nostack, preserves_flags),
            );
        }
        sums
    }
    #[inline(always)]
    unsafe fn finish(sums: Self::Sums, factors: *const f32, finish: Finish, out: *mut Number) {
        use std::arch::aarch64::{vcombine_s16, vdup_n_s16, vqmovn_s16, vreinterpret_s32_s8, vst1_lane_s32};
        // SAFETY: the caller guarantees it; the write does not need alignment.
        unsafe {
            let words = rounded(sums, factors, finish);
            let bytes = vreinterpret_s32_s8(vqmovn_s16(vcombine_s16(words, vdup_n_s16(0))));
            let mut four = [0_i32; 1];
            vst1_lane_s32::<0>(four.as_mut_ptr(), bytes);
            out.cast::<i32>().write_unaligned(four[0]);
        }
    }

    #[inline(always)]
    unsafe fn block(at: *const i32) -> Self::Block {
        // SAFETY: the caller guarantees it.
        unsafe { [0, 4, 8, 12].map(|first| Self::sums(at.add(first))) }
    }
    #[inline(always)]
    unsafe fn add(mut block: Self::Block, at: *const i32) -> Self::Block {
        for (four, sums) in block.iter_mut().enumerate() {
            // SAFETY: the caller guarantees it.
            *sums = unsafe { std::arch::aarch64::vaddq_s32(*sums, Self::sums(at.add(4 * four))) };
        }
        block
    }
    #[inline(always)]
    unsafe fn triples([a, b, c]: [*const Number; 3]) -> Self::Triples {
        use std::arch::aarch64::{
            vld1q_s8, vreinterpretq_s8_s16, vreinterpretq_s16_s8, vzip1q_s8, vzip1q_s16, vzip2q_s8, vzip2q_s16,
        };
        // SAFETY: the caller guarantees it.
        unsafe {
            let [a, b, c] = [a, b, c].map(|at| vld1q_s8(at));
            let [ab, bc] = [vzip1q_s8(a, b), vzip2q_s8(a, b)].map(|both| vreinterpretq_s16_s8(both));
            // The fourth counts for nothing, so the third stands in for it.
            let [cd, dd] = [vzip1q_s8(c, c), vzip2q_s8(c, c)].map(|both| vreinterpretq_s16_s8(both));
            [vzip1q_s16(ab, cd), vzip2q_s16(ab, cd), vzip1q_s16(bc, dd), vzip2q_s16(bc, dd)]
                .map(|four| vreinterpretq_s8_s16(four))
        }
    }
    #[inline(always)]
    unsafe fn dot_triples(triples: Self::Triples, weights: *const i8, mut block: Self::Block) -> Self::Block {
        for (four, sums) in block.iter_mut().enumerate() {
            // The library's function for this instruction is not stable yet.
            // SAFETY: the caller guarantees it; the instruction reads and writes registers only.
            unsafe {
                let weights = Self::weights(weights.add(16 * four));
                std::arch::asm!(
                    "sdot {sums:v}.4s, {weights:v}.16b, {inputs:v}.16b",
                    sums = inout(vreg) *sums, weights = in(vreg) weights, inputs = in(vreg) triples[four],
                    options(pure, nomem, nostack, preserves_flags),
                );
            }
        }
        block
    }
    #[inline(always)]
    unsafe fn finish_block(block: Self::Block, factors: *const f32, finish: Finish, out: *mut Number) {
        use std::arch::aarch64::{vcombine_s8, vcombine_s16, vqmovn_s16, vst1q_s8};
        // SAFETY: the caller guarantees it.
        unsafe {
            let eight = |at: usize| {
                let low = rounded(block[at], factors.add(4 * at), finish);
                let high = rounded(block[at + 1], factors.add(4 * at + 4), finish);
                vqmovn_s16(vcombine_s16(low, high))
            };
            vst1q_s8(out, vcombine_s8(eight(0), eight(2)));
        }
    }
}

/// Returns sums times factors, rounded and moved to the zero point, as words.
///
/// # Safety
/// Same as [`Dots`].
#[cfg(target_arch = "aarch64")]
#[inline(always)]
unsafe fn rounded(
    sums: std::arch::aarch64::int32x4_t,
    factors: *const f32,
    finish: Finish,
) -> std::arch::aarch64::int16x4_t {
    use std::arch::aarch64::{
        vaddq_s32, vcvtnq_s32_f32, vcvtq_f32_s32, vdupq_n_s32, vld1q_f32, vmaxq_s32, vmulq_f32, vqmovn_s32,
    };
    // SAFETY: the caller guarantees it.
    unsafe {
        let rounded = vcvtnq_s32_f32(vmulq_f32(vcvtq_f32_s32(sums), vld1q_f32(factors)));
        vqmovn_s32(vmaxq_s32(vaddq_s32(rounded, vdupq_n_s32(finish.zero)), vdupq_n_s32(finish.floor)))
    }
}
