//! The vectors of a processor for the kernels: one trait, and one implementation for each set of
//! instructions.

/// Vectors of `COUNT` numbers in the registers of one set of instructions.
///
/// # Safety
/// The methods may be called only on a processor that has the instructions, inside a function that
/// is compiled for them (`#[target_feature]`) and into which they are inlined.
pub(crate) unsafe trait Lanes {
    /// The format of stored activations and weights.
    type Number: Copy;
    /// A vector register.
    type Vector: Copy;
    /// Four numbers of the left matrix. Each is multiplied with a vector of its own.
    type Four: Copy;
    /// Numbers in a vector.
    const COUNT: usize;
    /// Positions that a matrix multiply holds in registers at once, for 1 to 6 vectors of outputs.
    /// At most 12.
    const ROWS: [usize; 6];
    /// Vectors of outputs in a panel.
    const COLUMNS: usize;
    /// Whether [`Lanes::Four`] is a register. If so, each vector of weights is loaded and used at
    /// once. Otherwise each of the four numbers is.
    const HOLDS_FOURS: bool;

    /// Reads `COUNT` numbers at `at`.
    unsafe fn load(at: *const Self::Number) -> Self::Vector;
    /// Writes `COUNT` numbers at `at`.
    unsafe fn store(at: *mut Self::Number, vector: Self::Vector);
    /// Writes the values with even indices at `even` and those with odd indices at `odd`, in the
    /// stored format.
    unsafe fn write_apart(values: &[f32], even: *mut Self::Number, odd: *mut Self::Number);
    /// Returns a vector of equal numbers.
    unsafe fn splat(value: f32) -> Self::Vector;
    /// Returns a b + sum, rounded once.
    unsafe fn multiply_add(a: Self::Vector, b: Self::Vector, sum: Self::Vector) -> Self::Vector;
    /// Returns the larger number of each pair.
    unsafe fn max(a: Self::Vector, b: Self::Vector) -> Self::Vector;
    /// Reads four numbers at `at`.
    unsafe fn four(at: *const Self::Number) -> Self::Four;
    /// Returns `four[PLACE]` b + sum.
    unsafe fn multiply_add_place<const PLACE: i32>(
        four: Self::Four,
        b: Self::Vector,
        sum: Self::Vector,
    ) -> Self::Vector;
}

/// Implements [`Lanes::write_apart`] for floats. The compiler vectorises it.
///
/// # Safety
/// There is room for all values.
#[inline(always)]
unsafe fn apart(values: &[f32], even: *mut f32, odd: *mut f32) {
    let (pairs, last) = values.as_chunks::<2>();
    // SAFETY: the caller guarantees it.
    unsafe {
        for (at, &[first, second]) in pairs.iter().enumerate() {
            even.add(at).write(first);
            odd.add(at).write(second);
        }
        if let [last] = last {
            even.add(pairs.len()).write(*last);
        }
    }
}

/// Vectors that two positions share if their outputs end with half a vector.
///
/// # Safety
/// Same as [`Lanes`].
#[cfg(target_arch = "x86_64")]
pub(crate) unsafe trait Shares: Lanes<Number = f32> {
    /// Returns two neighbouring numbers, repeated in alternation.
    unsafe fn splat_two(at: *const f32) -> Self::Vector;
    /// Writes the numbers with even indices at `even` and those with odd indices at `odd`, if it is
    /// given.
    unsafe fn store_two(even: *mut f32, odd: Option<*mut f32>, vector: Self::Vector);
}

/// AVX2 and FMA: 8 floats.
#[cfg(target_arch = "x86_64")]
pub(crate) struct Avx2;

// SAFETY: the methods are called only under `#[target_feature(enable = "avx2,fma")]`.
#[cfg(target_arch = "x86_64")]
unsafe impl Lanes for Avx2 {
    type Number = f32;
    type Vector = std::arch::x86_64::__m256;
    // A broadcast from memory costs no more than a load, so the numbers stay in memory.
    type Four = *const f32;
    const COUNT: usize = 8;
    const ROWS: [usize; 6] = [12, 6, 0, 0, 0, 0];
    const COLUMNS: usize = 2;
    const HOLDS_FOURS: bool = false;

    #[inline(always)]
    unsafe fn load(at: *const f32) -> Self::Vector {
        // SAFETY: the caller guarantees it.
        unsafe { std::arch::x86_64::_mm256_loadu_ps(at) }
    }
    #[inline(always)]
    unsafe fn store(at: *mut f32, vector: Self::Vector) {
        // SAFETY: the caller guarantees it.
        unsafe { std::arch::x86_64::_mm256_storeu_ps(at, vector) }
    }
    #[inline(always)]
    unsafe fn write_apart(values: &[f32], even: *mut f32, odd: *mut f32) {
        // SAFETY: the caller guarantees it.
        unsafe { apart(values, even, odd) }
    }
    #[inline(always)]
    unsafe fn splat(value: f32) -> Self::Vector {
        // SAFETY: the caller guarantees it.
        unsafe { std::arch::x86_64::_mm256_set1_ps(value) }
    }
    #[inline(always)]
    unsafe fn multiply_add(a: Self::Vector, b: Self::Vector, sum: Self::Vector) -> Self::Vector {
        // SAFETY: the caller guarantees it.
        unsafe { std::arch::x86_64::_mm256_fmadd_ps(a, b, sum) }
    }
    #[inline(always)]
    unsafe fn max(a: Self::Vector, b: Self::Vector) -> Self::Vector {
        // SAFETY: the caller guarantees it.
        unsafe { std::arch::x86_64::_mm256_max_ps(a, b) }
    }
    #[inline(always)]
    unsafe fn four(at: *const f32) -> Self::Four {
        at
    }
    #[inline(always)]
    unsafe fn multiply_add_place<const PLACE: i32>(
        four: Self::Four,
        b: Self::Vector,
        sum: Self::Vector,
    ) -> Self::Vector {
        // SAFETY: the caller guarantees it.
        unsafe { Self::multiply_add(Self::splat(*four.add(PLACE as usize)), b, sum) }
    }
}

/// AVX-512: 16 floats.
#[cfg(target_arch = "x86_64")]
pub(crate) struct Avx512;

// SAFETY: the methods are called only under `#[target_feature(enable = "avx512f")]`.
#[cfg(target_arch = "x86_64")]
unsafe impl Lanes for Avx512 {
    type Number = f32;
    type Vector = std::arch::x86_64::__m512;
    type Four = *const f32;
    const COUNT: usize = 16;
    const ROWS: [usize; 6] = [12, 12, 8, 0, 0, 0];
    const COLUMNS: usize = 3;
    const HOLDS_FOURS: bool = false;

    #[inline(always)]
    unsafe fn load(at: *const f32) -> Self::Vector {
        // SAFETY: the caller guarantees it.
        unsafe { std::arch::x86_64::_mm512_loadu_ps(at) }
    }
    #[inline(always)]
    unsafe fn store(at: *mut f32, vector: Self::Vector) {
        // SAFETY: the caller guarantees it.
        unsafe { std::arch::x86_64::_mm512_storeu_ps(at, vector) }
    }
    #[inline(always)]
    unsafe fn write_apart(values: &[f32], even: *mut f32, odd: *mut f32) {
        // SAFETY: the caller guarantees it.
        unsafe { apart(values, even, odd) }
    }
    #[inline(always)]
    unsafe fn splat(value: f32) -> Self::Vector {
        // SAFETY: the caller guarantees it.
        unsafe { std::arch::x86_64::_mm512_set1_ps(value) }
    }
    #[inline(always)]
    unsafe fn multiply_add(a: Self::Vector, b: Self::Vector, sum: Self::Vector) -> Self::Vector {
        // SAFETY: the caller guarantees it.
        unsafe { std::arch::x86_64::_mm512_fmadd_ps(a, b, sum) }
    }
    #[inline(always)]
    unsafe fn max(a: Self::Vector, b: Self::Vector) -> Self::Vector {
        // SAFETY: the caller guarantees it.
        unsafe { std::arch::x86_64::_mm512_max_ps(a, b) }
    }
    #[inline(always)]
    unsafe fn four(at: *const f32) -> Self::Four {
        at
    }
    #[inline(always)]
    unsafe fn multiply_add_place<const PLACE: i32>(
        four: Self::Four,
        b: Self::Vector,
        sum: Self::Vector,
    ) -> Self::Vector {
        // SAFETY: the caller guarantees it.
        unsafe { Self::multiply_add(Self::splat(*four.add(PLACE as usize)), b, sum) }
    }
}

// SAFETY: as above.
#[cfg(target_arch = "x86_64")]
unsafe impl Shares for Avx512 {
    #[inline(always)]
    unsafe fn splat_two(at: *const f32) -> Self::Vector {
        use std::arch::x86_64::{_mm512_castpd_ps, _mm512_set1_pd};
        // SAFETY: the caller guarantees it; the read does not need alignment.
        unsafe { _mm512_castpd_ps(_mm512_set1_pd(at.cast::<f64>().read_unaligned())) }
    }
    #[inline(always)]
    unsafe fn store_two(even: *mut f32, odd: Option<*mut f32>, vector: Self::Vector) {
        use std::arch::x86_64::{
            _mm256_castpd_ps, _mm256_storeu_ps, _mm512_castps_pd, _mm512_castps512_ps256, _mm512_extractf64x4_pd,
            _mm512_permutexvar_ps, _mm512_setr_epi32,
        };
        // SAFETY: the caller guarantees it.
        unsafe {
            let order = _mm512_setr_epi32(0, 2, 4, 6, 8, 10, 12, 14, 1, 3, 5, 7, 9, 11, 13, 15);
            let halves = _mm512_permutexvar_ps(order, vector);
            _mm256_storeu_ps(even, _mm512_castps512_ps256(halves));
            if let Some(odd) = odd {
                _mm256_storeu_ps(odd, _mm256_castpd_ps(_mm512_extractf64x4_pd::<1>(_mm512_castps_pd(halves))));
            }
        }
    }
}

/// NEON: 4 floats.
#[cfg(target_arch = "aarch64")]
pub(crate) struct Neon;

// SAFETY: every 64-bit ARM processor has NEON.
#[cfg(target_arch = "aarch64")]
unsafe impl Lanes for Neon {
    type Number = f32;
    type Vector = std::arch::aarch64::float32x4_t;
    // A multiply-add can use one number of a register, so one load serves four of them.
    type Four = std::arch::aarch64::float32x4_t;
    const COUNT: usize = 4;
    const ROWS: [usize; 6] = [12, 8, 6, 5, 4, 4];
    const COLUMNS: usize = 6;
    const HOLDS_FOURS: bool = true;

    #[inline(always)]
    unsafe fn load(at: *const f32) -> Self::Vector {
        // SAFETY: the caller guarantees it.
        unsafe { std::arch::aarch64::vld1q_f32(at) }
    }
    #[inline(always)]
    unsafe fn store(at: *mut f32, vector: Self::Vector) {
        // SAFETY: the caller guarantees it.
        unsafe { std::arch::aarch64::vst1q_f32(at, vector) }
    }
    #[inline(always)]
    unsafe fn write_apart(values: &[f32], even: *mut f32, odd: *mut f32) {
        use std::arch::aarch64::{vld2q_f32, vst1q_f32};
        let (eights, rest) = values.as_chunks::<8>();
        // SAFETY: the caller guarantees it.
        unsafe {
            for (at, eight) in eights.iter().enumerate() {
                let both = vld2q_f32(eight.as_ptr());
                vst1q_f32(even.add(4 * at), both.0);
                vst1q_f32(odd.add(4 * at), both.1);
            }
            apart(rest, even.add(4 * eights.len()), odd.add(4 * eights.len()));
        }
    }
    #[inline(always)]
    unsafe fn splat(value: f32) -> Self::Vector {
        // SAFETY: the caller guarantees it.
        unsafe { std::arch::aarch64::vdupq_n_f32(value) }
    }
    #[inline(always)]
    unsafe fn multiply_add(a: Self::Vector, b: Self::Vector, sum: Self::Vector) -> Self::Vector {
        // SAFETY: the caller guarantees it.
        unsafe { std::arch::aarch64::vfmaq_f32(sum, a, b) }
    }
    #[inline(always)]
    unsafe fn max(a: Self::Vector, b: Self::Vector) -> Self::Vector {
        // SAFETY: the caller guarantees it.
        unsafe { std::arch::aarch64::vmaxq_f32(a, b) }
    }
    #[inline(always)]
    unsafe fn four(at: *const f32) -> Self::Four {
        // SAFETY: the caller guarantees it.
        unsafe { std::arch::aarch64::vld1q_f32(at) }
    }
    #[inline(always)]
    unsafe fn multiply_add_place<const PLACE: i32>(
        four: Self::Four,
        b: Self::Vector,
        sum: Self::Vector,
    ) -> Self::Vector {
        // SAFETY: the caller guarantees it.
        unsafe { std::arch::aarch64::vfmaq_laneq_f32::<PLACE>(sum, b, four) }
    }
}

/// NEON with arithmetic in half precision (FEAT_FP16): 8 halves, stored as bits.
#[cfg(target_arch = "aarch64")]
pub(crate) struct NeonHalf;

// SAFETY: the methods are called only under `#[target_feature(enable = "neon,fp16")]`.
#[cfg(target_arch = "aarch64")]
// The methods and their instructions are inlined there. Older compilers do not know the lint.
#[allow(unknown_lints, inline_always_mismatching_target_features)]
unsafe impl Lanes for NeonHalf {
    type Number = u16;
    type Vector = std::arch::aarch64::float16x8_t;
    type Four = std::arch::aarch64::float16x4_t;
    const COUNT: usize = 8;
    const ROWS: [usize; 6] = Neon::ROWS;
    const COLUMNS: usize = Neon::COLUMNS;
    const HOLDS_FOURS: bool = true;

    #[inline(always)]
    unsafe fn load(at: *const u16) -> Self::Vector {
        // SAFETY: the caller guarantees it.
        unsafe { std::arch::aarch64::vreinterpretq_f16_u16(std::arch::aarch64::vld1q_u16(at)) }
    }
    #[inline(always)]
    unsafe fn store(at: *mut u16, vector: Self::Vector) {
        // SAFETY: the caller guarantees it.
        unsafe { std::arch::aarch64::vst1q_u16(at, std::arch::aarch64::vreinterpretq_u16_f16(vector)) }
    }
    #[inline(always)]
    unsafe fn write_apart(values: &[f32], even: *mut u16, odd: *mut u16) {
        use std::arch::aarch64::{vcvt_f16_f32, vld2q_f32, vreinterpret_u16_f16, vst1_u16};
        let (eights, rest) = values.as_chunks::<8>();
        // SAFETY: the caller guarantees it.
        unsafe {
            for (at, eight) in eights.iter().enumerate() {
                let both = vld2q_f32(eight.as_ptr());
                vst1_u16(even.add(4 * at), vreinterpret_u16_f16(vcvt_f16_f32(both.0)));
                vst1_u16(odd.add(4 * at), vreinterpret_u16_f16(vcvt_f16_f32(both.1)));
            }
            let (mut evens, mut odds) = ([0.0; 4], [0.0; 4]);
            apart(rest, evens.as_mut_ptr(), odds.as_mut_ptr());
            crate::half::write(&evens[..rest.len().div_ceil(2)], even.add(4 * eights.len()));
            crate::half::write(&odds[..rest.len() / 2], odd.add(4 * eights.len()));
        }
    }
    #[inline(always)]
    unsafe fn splat(value: f32) -> Self::Vector {
        use std::arch::aarch64::{vcvt_f16_f32, vdupq_lane_f16, vdupq_n_f32};
        // SAFETY: the caller guarantees it.
        unsafe { vdupq_lane_f16::<0>(vcvt_f16_f32(vdupq_n_f32(value))) }
    }
    #[inline(always)]
    unsafe fn multiply_add(a: Self::Vector, b: Self::Vector, sum: Self::Vector) -> Self::Vector {
        // SAFETY: the caller guarantees it.
        unsafe { std::arch::aarch64::vfmaq_f16(sum, a, b) }
    }
    #[inline(always)]
    unsafe fn max(a: Self::Vector, b: Self::Vector) -> Self::Vector {
        // SAFETY: the caller guarantees it.
        unsafe { std::arch::aarch64::vmaxq_f16(a, b) }
    }
    #[inline(always)]
    unsafe fn four(at: *const u16) -> Self::Four {
        // SAFETY: the caller guarantees it.
        unsafe { std::arch::aarch64::vreinterpret_f16_u16(std::arch::aarch64::vld1_u16(at)) }
    }
    #[inline(always)]
    unsafe fn multiply_add_place<const PLACE: i32>(
        four: Self::Four,
        b: Self::Vector,
        sum: Self::Vector,
    ) -> Self::Vector {
        // SAFETY: the caller guarantees it.
        unsafe { std::arch::aarch64::vfmaq_lane_f16::<PLACE>(sum, b, four) }
    }
}
