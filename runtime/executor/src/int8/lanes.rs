//! The vectors of a processor for eight-bit kernels: one trait, and one implementation for each set
//! of instructions.

use super::Number;

/// Numbers of four columns of the stem's pixels: three pixels of three colours in each.
pub(crate) const COLUMNS: usize = 4 * 3 * 3;

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
    /// The sums of `BLOCK` channels.
    type Block: Copy;
    /// Three inputs for each of `BLOCK` channels, and a fourth that counts for nothing.
    type Triples: Copy;
    /// [`POOLED`](super::stem::POOLED) activations.
    type Pooled: Copy;
    /// Sums in a vector.
    const COUNT: usize;
    /// Groups of four inputs that are read at once: 1, or 4.
    const GROUPS: usize;
    /// Positions that a matrix multiply holds in registers at once, for 1 to 4 vectors of outputs.
    /// At most 12.
    const ROWS: [usize; 4];
    /// Vectors of outputs in a panel.
    const COLUMNS: usize;
    /// Channels that a depthwise convolution computes at once: 8 or 16.
    const BLOCK: usize;

    /// Reads `COUNT` sums.
    unsafe fn sums(at: *const i32) -> Self::Sums;
    /// Reads `4 COUNT` weights.
    unsafe fn weights(at: *const i8) -> Self::Weights;
    /// Reads `4 GROUPS` inputs.
    unsafe fn inputs(at: *const Number) -> Self::Inputs;
    /// Adds the four inputs of `GROUP` times each output's weights.
    unsafe fn dot<const GROUP: i32>(inputs: Self::Inputs, weights: Self::Weights, sums: Self::Sums) -> Self::Sums;
    /// Writes `COLUMNS COUNT` activations of one position: sums times factors, rounded, plus
    /// `zero`, and inside the range of the numbers.
    unsafe fn finish<const COLUMNS: usize>(
        sums: &[Self::Sums; COLUMNS],
        factors: *const f32,
        zero: i32,
        out: *mut Number,
    );

    /// Reads `BLOCK` sums.
    unsafe fn block(at: *const i32) -> Self::Block;
    /// Adds `BLOCK` sums.
    unsafe fn add(block: Self::Block, at: *const i32) -> Self::Block;
    /// Reads `BLOCK` channels at each of three places.
    unsafe fn triples(at: [*const Number; 3]) -> Self::Triples;
    /// Adds each channel's inputs times its four weights.
    unsafe fn dot_triples(triples: Self::Triples, weights: *const i8, block: Self::Block) -> Self::Block;
    /// Writes `BLOCK` activations, as [`Dots::finish`].
    unsafe fn finish_block(block: Self::Block, factors: *const f32, zero: i32, out: *mut Number);

    /// Writes four columns of the pixels of three rows, without the fourth number of each pixel.
    unsafe fn columns(rows: [&[Number; 16]; 3], columns: &mut [Number; COLUMNS]);

    /// Reads activations of one position.
    unsafe fn pooled(at: *const Number) -> Self::Pooled;
    /// Returns the larger activation of each pair.
    unsafe fn most(a: Self::Pooled, b: Self::Pooled) -> Self::Pooled;
    /// Writes activations of one position.
    unsafe fn store_pooled(at: *mut Number, pooled: Self::Pooled);
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
    type Pooled = std::arch::x86_64::__m128i;
    const COUNT: usize = 16;
    const GROUPS: usize = 1;
    const ROWS: [usize; 4] = [12, 12, 8, 6];
    const COLUMNS: usize = 4;
    const BLOCK: usize = 16;

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
    unsafe fn finish<const COLUMNS: usize>(
        sums: &[Self::Sums; COLUMNS],
        factors: *const f32,
        zero: i32,
        out: *mut Number,
    ) {
        use std::arch::x86_64::{
            _mm_storeu_si128, _mm512_add_epi32, _mm512_cvtepi32_ps, _mm512_cvtps_epi32, _mm512_cvtusepi32_epi8,
            _mm512_loadu_ps, _mm512_max_epi32, _mm512_mul_ps, _mm512_set1_epi32, _mm512_setzero_si512,
        };
        for (column, &sums) in sums.iter().enumerate() {
            // SAFETY: the caller guarantees it.
            unsafe {
                let factors = _mm512_loadu_ps(factors.add(column * Self::COUNT));
                let rounded = _mm512_cvtps_epi32(_mm512_mul_ps(_mm512_cvtepi32_ps(sums), factors));
                let moved = _mm512_add_epi32(rounded, _mm512_set1_epi32(zero));
                let numbers = _mm512_cvtusepi32_epi8(_mm512_max_epi32(moved, _mm512_setzero_si512()));
                _mm_storeu_si128(out.add(column * Self::COUNT).cast(), numbers);
            }
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
    unsafe fn finish_block(block: Self::Block, factors: *const f32, zero: i32, out: *mut Number) {
        // SAFETY: the caller guarantees it.
        unsafe { Self::finish(&[block], factors, zero, out) }
    }

    #[inline(always)]
    unsafe fn columns(rows: [&[Number; 16]; 3], columns: &mut [Number; COLUMNS]) {
        // SAFETY: the caller guarantees it.
        unsafe { shuffled_columns(rows, columns) }
    }

    #[inline(always)]
    unsafe fn pooled(at: *const Number) -> Self::Pooled {
        // SAFETY: the caller guarantees it.
        unsafe { std::arch::x86_64::_mm_loadu_si128(at.cast()) }
    }
    #[inline(always)]
    unsafe fn most(a: Self::Pooled, b: Self::Pooled) -> Self::Pooled {
        // SAFETY: the caller guarantees it.
        unsafe { std::arch::x86_64::_mm_max_epu8(a, b) }
    }
    #[inline(always)]
    unsafe fn store_pooled(at: *mut Number, pooled: Self::Pooled) {
        // SAFETY: the caller guarantees it.
        unsafe { std::arch::x86_64::_mm_storeu_si128(at.cast(), pooled) }
    }
}

/// For each number of four columns, its place in three rows of 16 numbers; 255 behind the last.
const COLUMN_PLACES: [[u8; 16]; 3] = {
    let mut places = [[255; 16]; 3];
    let mut at = 0;
    while at < COLUMNS {
        let (column, row, colour) = (at / 9, at % 9 / 3, at % 3);
        places[at / 16][at % 16] = (16 * row + 4 * column + colour) as u8;
        at += 1;
    }
    places
};

/// Writes four columns as [`Dots::columns`], 16 numbers at a time.
///
/// # Safety
/// Same as [`Dots`].
#[cfg(target_arch = "x86_64")]
#[inline(always)]
unsafe fn shuffled_columns(rows: [&[Number; 16]; 3], columns: &mut [Number; COLUMNS]) {
    use std::arch::x86_64::{_mm_cvtsi128_si32, _mm_loadu_si128, _mm_or_si128, _mm_shuffle_epi8, _mm_storeu_si128};
    /// [`COLUMN_PLACES`] in each row; 255, which stands for 0, where another row has the number.
    const PLACES: [[[u8; 16]; 3]; 3] = {
        let mut places = [[[255; 16]; 3]; 3];
        let mut at = 0;
        while at < COLUMNS {
            let place = COLUMN_PLACES[at / 16][at % 16];
            places[at / 16][place as usize / 16][at % 16] = place % 16;
            at += 1;
        }
        places
    };
    // SAFETY: the caller guarantees it; reads and writes do not need alignment, and the last write
    // ends with the columns.
    unsafe {
        let rows = rows.map(|row| _mm_loadu_si128(row.as_ptr().cast()));
        let [first, second, last] = PLACES.map(|places| {
            let [top, middle, bottom] =
                [0, 1, 2].map(|row| _mm_shuffle_epi8(rows[row], _mm_loadu_si128(places[row].as_ptr().cast())));
            _mm_or_si128(_mm_or_si128(top, middle), bottom)
        });
        let out = columns.as_mut_ptr();
        _mm_storeu_si128(out.cast(), first);
        _mm_storeu_si128(out.add(16).cast(), second);
        out.add(32).cast::<i32>().write_unaligned(_mm_cvtsi128_si32(last));
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
            type Block = std::arch::x86_64::__m256i;
            type Triples = std::arch::x86_64::__m256i;
            type Pooled = std::arch::x86_64::__m128i;
            const COUNT: usize = 8;
            const GROUPS: usize = 1;
            const ROWS: [usize; 4] = [12, 6, 4, 0];
            const COLUMNS: usize = 3;
            const BLOCK: usize = 8;

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
            unsafe fn finish<const COLUMNS: usize>(
                sums: &[Self::Sums; COLUMNS],
                factors: *const f32,
                zero: i32,
                out: *mut Number,
            ) {
                use std::arch::x86_64::{
                    _mm_packs_epi32, _mm_packus_epi16, _mm_storel_epi64, _mm256_add_epi32, _mm256_castsi256_si128,
                    _mm256_cvtepi32_ps, _mm256_cvtps_epi32, _mm256_extracti128_si256, _mm256_loadu_ps, _mm256_mul_ps,
                    _mm256_set1_epi32,
                };
                for (column, &sums) in sums.iter().enumerate() {
                    // SAFETY: the caller guarantees it.
                    unsafe {
                        let factors = _mm256_loadu_ps(factors.add(column * Self::COUNT));
                        let product = _mm256_mul_ps(_mm256_cvtepi32_ps(sums), factors);
                        let numbers = _mm256_add_epi32(_mm256_cvtps_epi32(product), _mm256_set1_epi32(zero));
                        let (low, high) = (_mm256_castsi256_si128(numbers), _mm256_extracti128_si256::<1>(numbers));
                        let words = _mm_packs_epi32(low, high);
                        _mm_storel_epi64(out.add(column * Self::COUNT).cast(), _mm_packus_epi16(words, words));
                    }
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
                unsafe { std::arch::x86_64::_mm256_add_epi32(block, Self::sums(at)) }
            }
            #[inline(always)]
            unsafe fn triples([a, b, c]: [*const Number; 3]) -> Self::Triples {
                use std::arch::x86_64::{
                    _mm_loadl_epi64, _mm_setzero_si128, _mm_unpackhi_epi16, _mm_unpacklo_epi8, _mm_unpacklo_epi16,
                    _mm256_set_m128i,
                };
                // SAFETY: the caller guarantees it.
                unsafe {
                    let [a, b, c] = [a, b, c].map(|at| _mm_loadl_epi64(at.cast()));
                    let (ab, cd) = (_mm_unpacklo_epi8(a, b), _mm_unpacklo_epi8(c, _mm_setzero_si128()));
                    _mm256_set_m128i(_mm_unpackhi_epi16(ab, cd), _mm_unpacklo_epi16(ab, cd))
                }
            }
            #[inline(always)]
            unsafe fn dot_triples(triples: Self::Triples, weights: *const i8, block: Self::Block) -> Self::Block {
                // SAFETY: the caller guarantees it.
                unsafe { $dot(block, triples, Self::weights(weights)) }
            }
            #[inline(always)]
            unsafe fn finish_block(block: Self::Block, factors: *const f32, zero: i32, out: *mut Number) {
                // SAFETY: the caller guarantees it.
                unsafe { Self::finish(&[block], factors, zero, out) }
            }

            #[inline(always)]
            unsafe fn columns(rows: [&[Number; 16]; 3], columns: &mut [Number; COLUMNS]) {
                // SAFETY: the caller guarantees it.
                unsafe { shuffled_columns(rows, columns) }
            }

            #[inline(always)]
            unsafe fn pooled(at: *const Number) -> Self::Pooled {
                // SAFETY: the caller guarantees it.
                unsafe { std::arch::x86_64::_mm_loadu_si128(at.cast()) }
            }
            #[inline(always)]
            unsafe fn most(a: Self::Pooled, b: Self::Pooled) -> Self::Pooled {
                // SAFETY: the caller guarantees it.
                unsafe { std::arch::x86_64::_mm_max_epu8(a, b) }
            }
            #[inline(always)]
            unsafe fn store_pooled(at: *mut Number, pooled: Self::Pooled) {
                // SAFETY: the caller guarantees it.
                unsafe { std::arch::x86_64::_mm_storeu_si128(at.cast(), pooled) }
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
    type Block = [std::arch::aarch64::int32x4_t; 2];
    type Triples = [std::arch::aarch64::int8x16_t; 2];
    type Pooled = std::arch::aarch64::int8x8_t;
    const COUNT: usize = 4;
    const GROUPS: usize = 4;
    const ROWS: [usize; 4] = [12, 10, 7, 6];
    const COLUMNS: usize = 3;
    const BLOCK: usize = 8;

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
    unsafe fn finish<const COLUMNS: usize>(
        sums: &[Self::Sums; COLUMNS],
        factors: *const f32,
        zero: i32,
        out: *mut Number,
    ) {
        use std::arch::aarch64::{vdup_n_s16, vget_lane_s32, vreinterpret_s32_s8};
        let (pairs, last) = sums.as_chunks::<2>();
        // SAFETY: the caller guarantees it; the write does not need alignment.
        unsafe {
            for (pair, &sums) in pairs.iter().enumerate() {
                Self::finish_block(sums, factors.add(8 * pair), zero, out.add(8 * pair));
            }
            if let &[sums] = last {
                let at = 8 * pairs.len();
                let bytes = bytes(words(sums, factors.add(at)), vdup_n_s16(0), zero);
                out.add(at).cast::<i32>().write_unaligned(vget_lane_s32::<0>(vreinterpret_s32_s8(bytes)));
            }
        }
    }

    #[inline(always)]
    unsafe fn block(at: *const i32) -> Self::Block {
        // SAFETY: the caller guarantees it.
        unsafe { [Self::sums(at), Self::sums(at.add(4))] }
    }
    #[inline(always)]
    unsafe fn add(block: Self::Block, at: *const i32) -> Self::Block {
        use std::arch::aarch64::vaddq_s32;
        // SAFETY: the caller guarantees it.
        unsafe { [vaddq_s32(block[0], Self::sums(at)), vaddq_s32(block[1], Self::sums(at.add(4)))] }
    }
    #[inline(always)]
    unsafe fn triples([a, b, c]: [*const Number; 3]) -> Self::Triples {
        use std::arch::aarch64::{
            vcombine_s8, vld1_s8, vreinterpretq_s8_s16, vreinterpretq_s16_s8, vzip1q_s8, vzip1q_s16, vzip2q_s16,
        };
        // SAFETY: the caller guarantees it.
        unsafe {
            let [a, b, c] = [a, b, c].map(|at| {
                let eight = vld1_s8(at);
                vcombine_s8(eight, eight)
            });
            // The fourth counts for nothing, so the third stands in for it.
            let (ab, cc) = (vreinterpretq_s16_s8(vzip1q_s8(a, b)), vreinterpretq_s16_s8(vzip1q_s8(c, c)));
            [vreinterpretq_s8_s16(vzip1q_s16(ab, cc)), vreinterpretq_s8_s16(vzip2q_s16(ab, cc))]
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
    unsafe fn finish_block(block: Self::Block, factors: *const f32, zero: i32, out: *mut Number) {
        // SAFETY: the caller guarantees it.
        unsafe {
            let [low, high] = [words(block[0], factors), words(block[1], factors.add(4))];
            std::arch::aarch64::vst1_s8(out, bytes(low, high, zero));
        }
    }

    #[inline(always)]
    unsafe fn columns(rows: [&[Number; 16]; 3], columns: &mut [Number; COLUMNS]) {
        use std::arch::aarch64::{
            int8x16x3_t, vgetq_lane_s32, vld1q_s8, vld1q_u8, vqtbl3q_s8, vreinterpretq_s32_s8, vst1q_s8,
        };
        // SAFETY: the caller guarantees it; the last write does not need alignment, and ends with
        // the columns.
        unsafe {
            let [top, middle, bottom] = rows.map(|row| vld1q_s8(row.as_ptr()));
            let rows = int8x16x3_t(top, middle, bottom);
            let [first, second, last] = COLUMN_PLACES.map(|places| vqtbl3q_s8(rows, vld1q_u8(places.as_ptr())));
            let out = columns.as_mut_ptr();
            vst1q_s8(out, first);
            vst1q_s8(out.add(16), second);
            out.add(32).cast::<i32>().write_unaligned(vgetq_lane_s32::<0>(vreinterpretq_s32_s8(last)));
        }
    }

    #[inline(always)]
    unsafe fn pooled(at: *const Number) -> Self::Pooled {
        // SAFETY: the caller guarantees it.
        unsafe { std::arch::aarch64::vld1_s8(at) }
    }
    #[inline(always)]
    unsafe fn most(a: Self::Pooled, b: Self::Pooled) -> Self::Pooled {
        // SAFETY: the caller guarantees it.
        unsafe { std::arch::aarch64::vmax_s8(a, b) }
    }
    #[inline(always)]
    unsafe fn store_pooled(at: *mut Number, pooled: Self::Pooled) {
        // SAFETY: the caller guarantees it.
        unsafe { std::arch::aarch64::vst1_s8(at, pooled) }
    }
}

/// Returns sums times factors, rounded, as words.
///
/// # Safety
/// Same as [`Dots`].
#[cfg(target_arch = "aarch64")]
#[inline(always)]
unsafe fn words(sums: std::arch::aarch64::int32x4_t, factors: *const f32) -> std::arch::aarch64::int16x4_t {
    use std::arch::aarch64::{vcvtnq_s32_f32, vcvtq_f32_s32, vld1q_f32, vmulq_f32, vqmovn_s32};
    // SAFETY: the caller guarantees it.
    unsafe { vqmovn_s32(vcvtnq_s32_f32(vmulq_f32(vcvtq_f32_s32(sums), vld1q_f32(factors)))) }
}

/// Moves rounded sums to the zero point and returns them as bytes. Sums beyond a word stay beyond a
/// byte.
///
/// # Safety
/// Same as [`Dots`].
#[cfg(target_arch = "aarch64")]
#[inline(always)]
unsafe fn bytes(
    low: std::arch::aarch64::int16x4_t,
    high: std::arch::aarch64::int16x4_t,
    zero: i32,
) -> std::arch::aarch64::int8x8_t {
    use std::arch::aarch64::{vcombine_s16, vdupq_n_s16, vqaddq_s16, vqmovn_s16};
    // SAFETY: the caller guarantees it; zero is a byte.
    unsafe { vqmovn_s16(vqaddq_s16(vcombine_s16(low, high), vdupq_n_s16(zero as i16))) }
}
