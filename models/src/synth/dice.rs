//! Random numbers for synthetic trailers, from a stream that a seed and a number determine.

use rand_chacha::{
    ChaCha8Rng,
    rand_core::{Rng, SeedableRng},
};

/// A stream of draws.
pub struct Dice(ChaCha8Rng);

impl Dice {
    /// Returns the stream of `number` among those of `seed`.
    #[must_use]
    pub fn new(seed: u64, number: u64) -> Dice {
        let mut key = [0; 32];
        key[..8].copy_from_slice(&seed.to_le_bytes());
        key[8..16].copy_from_slice(&number.to_le_bytes());
        Dice(ChaCha8Rng::from_seed(key))
    }

    /// Draws uniformly from [0, 1).
    pub fn unit(&mut self) -> f32 {
        (self.0.next_u32() >> 8) as f32 / (1 << 24) as f32
    }

    /// Draws uniformly from [low, high).
    pub fn between(&mut self, low: f32, high: f32) -> f32 {
        low + (high - low) * self.unit()
    }

    /// Around `mean`, most within `spread`: the sum of three uniform draws.
    pub fn around(&mut self, mean: f32, spread: f32) -> f32 {
        mean + spread * 2.0 * ((self.unit() + self.unit() + self.unit()) / 1.5 - 1.0)
    }

    /// Returns whether something of this probability happens.
    pub fn chance(&mut self, probability: f32) -> bool {
        self.unit() < probability
    }

    /// Returns one of as many things as there are `weights`, each as likely as its weight; the last
    /// where none has any.
    pub fn pick(&mut self, weights: &[f32]) -> usize {
        let mut rest = self.unit() * weights.iter().sum::<f32>();
        for (at, weight) in weights.iter().enumerate() {
            rest -= weight;
            if rest < 0.0 {
                return at;
            }
        }
        weights.len().saturating_sub(1)
    }

    /// Returns one of `count` things.
    pub fn below(&mut self, count: usize) -> usize {
        (self.0.next_u64() % count.max(1) as u64) as usize
    }

    /// Draws any number.
    pub fn number(&mut self) -> u32 {
        self.0.next_u32()
    }
}
