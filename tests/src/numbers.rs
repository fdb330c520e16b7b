//! A small pseudo-random generator, equal on every run (Knuth's constants).

/// The state of the generator; its first value is the seed.
pub struct Numbers(pub u64);

impl Numbers {
    /// Returns the next number, from 0 to below `limit`.
    pub fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % limit
    }
}
