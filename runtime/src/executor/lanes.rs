//! The vectors of a processor, as the kernels use them: one trait, one implementation for each set of instructions.

/// Vectors of `COUNT` floats in the registers of one set of instructions.
///
/// # Safety
/// Every method but the constants may be called only on a processor that has the instructions, inside a function compiled for them
/// (`#[target_feature]`), into which it is inlined.
pub(super) unsafe trait Lanes {
    /// A register.
    type Vector: Copy;
    /// Four numbers of the left matrix, each to be multiplied with a vector of its own.
    type Four: Copy;
    /// Floats in a vector.
    const COUNT: usize;
    /// Positions that a matrix multiply holds in registers at once, for 1 to 6 vectors of outputs; 12 at most.
    const ROWS: [usize; 6];
    /// Vectors of outputs in a panel.
    const COLUMNS: usize;
    /// Whether a four is in a register. Then weights are taken vector by vector and used at once; else each number of a four is.
    const HOLDS_FOURS: bool;

    /// Reads `COUNT` floats at `at`.
    unsafe fn load(at: *const f32) -> Self::Vector;
    /// Writes `COUNT` floats at `at`.
    unsafe fn store(at: *mut f32, vector: Self::Vector);
    /// The same number in every place.
    unsafe fn splat(value: f32) -> Self::Vector;
    /// a b + sum, rounded once.
    unsafe fn multiply_add(a: Self::Vector, b: Self::Vector, sum: Self::Vector) -> Self::Vector;
    /// The larger of each pair.
    unsafe fn max(a: Self::Vector, b: Self::Vector) -> Self::Vector;
    /// Takes four floats from `at` on, each `STEP` (1 or 2) after the one before; 4 `STEP` floats can be read.
    unsafe fn four<const STEP: usize>(at: *const f32) -> Self::Four;
    /// `four[PLACE]` b + sum, of a four taken with the same `STEP`.
    unsafe fn multiply_add_place<const PLACE: i32, const STEP: usize>(
        four: Self::Four,
        b: Self::Vector,
        sum: Self::Vector,
    ) -> Self::Vector;
}

/// AVX2 and FMA: 8 floats.
#[cfg(target_arch = "x86_64")]
pub(super) struct Avx2;

// SAFETY: the methods are called under `#[target_feature(enable = "avx2,fma")]` alone.
#[cfg(target_arch = "x86_64")]
unsafe impl Lanes for Avx2 {
    type Vector = std::arch::x86_64::__m256;
    // A broadcast from memory costs no more than a load, so the numbers stay where they are.
    type Four = *const f32;
    const COUNT: usize = 8;
    const ROWS: [usize; 6] = [12, 6, 0, 0, 0, 0];
    const COLUMNS: usize = 2;
    const HOLDS_FOURS: bool = false;

    #[inline(always)]
    unsafe fn load(at: *const f32) -> Self::Vector {
        // SAFETY: the caller's.
        unsafe { std::arch::x86_64::_mm256_loadu_ps(at) }
    }
    #[inline(always)]
    unsafe fn store(at: *mut f32, vector: Self::Vector) {
        // SAFETY: the caller's.
        unsafe { std::arch::x86_64::_mm256_storeu_ps(at, vector) }
    }
    #[inline(always)]
    unsafe fn splat(value: f32) -> Self::Vector {
        // SAFETY: the caller's.
        unsafe { std::arch::x86_64::_mm256_set1_ps(value) }
    }
    #[inline(always)]
    unsafe fn multiply_add(a: Self::Vector, b: Self::Vector, sum: Self::Vector) -> Self::Vector {
        // SAFETY: the caller's.
        unsafe { std::arch::x86_64::_mm256_fmadd_ps(a, b, sum) }
    }
    #[inline(always)]
    unsafe fn max(a: Self::Vector, b: Self::Vector) -> Self::Vector {
        // SAFETY: the caller's.
        unsafe { std::arch::x86_64::_mm256_max_ps(a, b) }
    }
    #[inline(always)]
    unsafe fn four<const STEP: usize>(at: *const f32) -> Self::Four {
        at
    }
    #[inline(always)]
    unsafe fn multiply_add_place<const PLACE: i32, const STEP: usize>(
        four: Self::Four,
        b: Self::Vector,
        sum: Self::Vector,
    ) -> Self::Vector {
        // SAFETY: the caller's.
        unsafe { Self::multiply_add(Self::splat(*four.add(PLACE as usize * STEP)), b, sum) }
    }
}

/// AVX-512: 16 floats.
#[cfg(target_arch = "x86_64")]
pub(super) struct Avx512;

// SAFETY: the methods are called under `#[target_feature(enable = "avx512f")]` alone.
#[cfg(target_arch = "x86_64")]
unsafe impl Lanes for Avx512 {
    type Vector = std::arch::x86_64::__m512;
    type Four = *const f32;
    const COUNT: usize = 16;
    const ROWS: [usize; 6] = [12, 12, 8, 0, 0, 0];
    const COLUMNS: usize = 3;
    const HOLDS_FOURS: bool = false;

    #[inline(always)]
    unsafe fn load(at: *const f32) -> Self::Vector {
        // SAFETY: the caller's.
        unsafe { std::arch::x86_64::_mm512_loadu_ps(at) }
    }
    #[inline(always)]
    unsafe fn store(at: *mut f32, vector: Self::Vector) {
        // SAFETY: the caller's.
        unsafe { std::arch::x86_64::_mm512_storeu_ps(at, vector) }
    }
    #[inline(always)]
    unsafe fn splat(value: f32) -> Self::Vector {
        // SAFETY: the caller's.
        unsafe { std::arch::x86_64::_mm512_set1_ps(value) }
    }
    #[inline(always)]
    unsafe fn multiply_add(a: Self::Vector, b: Self::Vector, sum: Self::Vector) -> Self::Vector {
        // SAFETY: the caller's.
        unsafe { std::arch::x86_64::_mm512_fmadd_ps(a, b, sum) }
    }
    #[inline(always)]
    unsafe fn max(a: Self::Vector, b: Self::Vector) -> Self::Vector {
        // SAFETY: the caller's.
        unsafe { std::arch::x86_64::_mm512_max_ps(a, b) }
    }
    #[inline(always)]
    unsafe fn four<const STEP: usize>(at: *const f32) -> Self::Four {
        at
    }
    #[inline(always)]
    unsafe fn multiply_add_place<const PLACE: i32, const STEP: usize>(
        four: Self::Four,
        b: Self::Vector,
        sum: Self::Vector,
    ) -> Self::Vector {
        // SAFETY: the caller's.
        unsafe { Self::multiply_add(Self::splat(*four.add(PLACE as usize * STEP)), b, sum) }
    }
}

/// NEON: 4 floats.
#[cfg(target_arch = "aarch64")]
pub(super) struct Neon;

// SAFETY: every 64-bit ARM processor has NEON.
#[cfg(target_arch = "aarch64")]
unsafe impl Lanes for Neon {
    type Vector = std::arch::aarch64::float32x4_t;
    // A multiply-add takes one number of a register: one load for four of them.
    type Four = std::arch::aarch64::float32x4_t;
    const COUNT: usize = 4;
    const ROWS: [usize; 6] = [12, 8, 6, 5, 4, 4];
    const COLUMNS: usize = 6;
    const HOLDS_FOURS: bool = true;

    #[inline(always)]
    unsafe fn load(at: *const f32) -> Self::Vector {
        // SAFETY: the caller's.
        unsafe { std::arch::aarch64::vld1q_f32(at) }
    }
    #[inline(always)]
    unsafe fn store(at: *mut f32, vector: Self::Vector) {
        // SAFETY: the caller's.
        unsafe { std::arch::aarch64::vst1q_f32(at, vector) }
    }
    #[inline(always)]
    unsafe fn splat(value: f32) -> Self::Vector {
        // SAFETY: the caller's.
        unsafe { std::arch::aarch64::vdupq_n_f32(value) }
    }
    #[inline(always)]
    unsafe fn multiply_add(a: Self::Vector, b: Self::Vector, sum: Self::Vector) -> Self::Vector {
        // SAFETY: the caller's.
        unsafe { std::arch::aarch64::vfmaq_f32(sum, a, b) }
    }
    #[inline(always)]
    unsafe fn max(a: Self::Vector, b: Self::Vector) -> Self::Vector {
        // SAFETY: the caller's.
        unsafe { std::arch::aarch64::vmaxq_f32(a, b) }
    }
    #[inline(always)]
    unsafe fn four<const STEP: usize>(at: *const f32) -> Self::Four {
        // SAFETY: the caller's.
        unsafe { if STEP == 1 { std::arch::aarch64::vld1q_f32(at) } else { std::arch::aarch64::vld2q_f32(at).0 } }
    }
    #[inline(always)]
    unsafe fn multiply_add_place<const PLACE: i32, const STEP: usize>(
        four: Self::Four,
        b: Self::Vector,
        sum: Self::Vector,
    ) -> Self::Vector {
        // SAFETY: the caller's.
        unsafe { std::arch::aarch64::vfmaq_laneq_f32::<PLACE>(sum, b, four) }
    }
}
