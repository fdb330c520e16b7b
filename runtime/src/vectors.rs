//! Vectors of the processor at hand: one computation, compiled for each width that matters.

/// A computation in plain Rust that the compiler turns into vectors. It and what it calls must be `#[inline(always)]`, since only what ends up in
/// one function with it is compiled for wider vectors. Its results do not depend on their width: the compiler never takes sums in another order,
/// or fuses a multiplication with an addition.
pub(crate) trait Computation {
    /// Runs it.
    fn run(self);
}

/// Runs `computation` with the widest vectors that this processor has.
pub(crate) fn run_widest(computation: impl Computation) {
    #[cfg(target_arch = "x86_64")]
    if std::arch::is_x86_feature_detected!("avx2") {
        // SAFETY: the processor has AVX2.
        return unsafe { run_avx2(computation) };
    }
    // All processors of 64-bit ARM have the same, which is what the compiler uses without being told.
    computation.run();
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2")]
fn run_avx2(computation: impl Computation) {
    computation.run();
}
