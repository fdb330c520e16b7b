//! Measures the highest floating-point rate of one thread: fused multiply-adds that wait neither
//! for each other nor for memory.

use std::hint::black_box;
use std::time::Duration;

/// Number of multiply-adds in flight. Each waits four or five cycles for its predecessor, and two
/// start in a cycle, so ten are enough. With two operands they fit into the sixteen registers of
/// AVX2.
const CHAINS: usize = 12;

/// Turns between two readings of the clock: about a millisecond.
const TURNS: u32 = 300_000;

/// Number of readings. The best one counts, because other load can only reduce the rate.
const READINGS: u32 = 20;

/// Defines a function that runs `turns` times `CHAINS` multiply-adds of vectors.
macro_rules! chains {
    ($name:ident, $features:literal, $arch:ident, $splat:ident, $multiply_add:expr) => {
        #[target_feature(enable = $features)]
        fn $name(turns: u32) {
            use std::arch::$arch::*;
            let factor = $splat(black_box(0.5));
            let term = $splat(black_box(1.0));
            let mut sums = [$splat(0.0); CHAINS];
            for _ in 0..turns {
                for sum in &mut sums {
                    *sum = $multiply_add(*sum, factor, term);
                }
            }
            black_box(sums);
        }
    };
}

#[cfg(target_arch = "x86_64")]
chains!(avx512, "avx512f", x86_64, _mm512_set1_ps, |sum, factor, term| _mm512_fmadd_ps(sum, factor, term));
#[cfg(target_arch = "x86_64")]
chains!(avx2, "avx2,fma", x86_64, _mm256_set1_ps, |sum, factor, term| _mm256_fmadd_ps(sum, factor, term));
#[cfg(target_arch = "aarch64")]
chains!(neon, "neon", aarch64, vdupq_n_f32, |sum, factor, term| vfmaq_f32(term, sum, factor));

/// Runs the widest multiply-adds of this processor. Returns the number of floats in one of them, or
/// `None` if the processor has none that are implemented here.
fn run(turns: u32) -> Option<u32> {
    #[cfg(target_arch = "x86_64")]
    {
        if std::arch::is_x86_feature_detected!("avx512f") {
            // SAFETY: the processor has the instructions.
            unsafe { avx512(turns) };
            return Some(16);
        }
        if std::arch::is_x86_feature_detected!("avx2") && std::arch::is_x86_feature_detected!("fma") {
            // SAFETY: the processor has the instructions.
            unsafe { avx2(turns) };
            return Some(8);
        }
    }
    #[cfg(target_arch = "aarch64")]
    if std::arch::is_aarch64_feature_detected!("neon") {
        // SAFETY: the processor has the instructions.
        unsafe { neon(turns) };
        return Some(4);
    }
    let _ = turns;
    None
}

/// Returns multiplications and additions a second by `clock`, which returns CPU time, or 0 if they
/// cannot be measured.
pub fn operations_per_second(clock: impl Fn() -> Duration) -> f64 {
    let mut best = 0.0_f64;
    for _ in 0..READINGS {
        let before = clock();
        let Some(width) = run(TURNS) else { return 0.0 };
        let operations = 2.0 * f64::from(width) * CHAINS as f64 * f64::from(TURNS);
        best = best.max(operations / (clock() - before).as_secs_f64().max(1e-9));
    }
    best
}
