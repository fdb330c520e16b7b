//! Computations in plain Rust, compiled for each vector width that matters.

/// A computation in plain Rust that the compiler vectorises.
///
/// [`Computation::run`] and every function that it calls must be `#[inline(always)]`. Only code
/// that is inlined into one function is compiled for wider vectors. Results do not depend on the
/// vector width: the compiler never reorders sums and never fuses a multiplication with an
/// addition.
pub trait Computation {
    /// Runs the computation.
    fn run(self);
}

/// Runs `computation` with the widest vectors that this processor has.
pub fn run_widest(computation: impl Computation) {
    #[cfg(target_arch = "x86_64")]
    if std::arch::is_x86_feature_detected!("avx2") {
        // SAFETY: the processor has AVX2.
        return unsafe { run_avx2(computation) };
    }
    // All 64-bit ARM processors have the same vectors, and the compiler uses them by default.
    computation.run();
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2")]
fn run_avx2(computation: impl Computation) {
    computation.run();
}
