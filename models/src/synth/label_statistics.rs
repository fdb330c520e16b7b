//! Draws the genres of a synthetic trailer, with the frequencies and co-occurrences of Trailers12k.

use divita_runtime::bundle::GENRES;

use super::dice::Dice;

const COUNT: usize = GENRES.len();

/// Of Trailers12k's 12,000 trailers, how many have both genres (`mtgc.csv`,
/// 10.5281/zenodo.5716409); on the diagonal, how many have the genre.
const TOGETHER: [&[u32]; COUNT] = [
    &[3115],
    &[970, 1951],
    &[659, 733, 4194],
    &[912, 155, 567, 2484],
    &[1119, 595, 1650, 1547, 5968],
    &[487, 645, 624, 56, 544, 1568],
    &[439, 191, 434, 188, 600, 346, 2573],
    &[190, 204, 1192, 215, 1513, 278, 88, 2193],
    &[753, 472, 330, 72, 488, 271, 471, 114, 1535],
    &[1533, 459, 376, 1537, 2138, 319, 1513, 279, 716, 4447],
];

/// Trailers that were counted. Each has a genre.
const TRAILERS: f64 = 12_000.0;

/// Rounds of fitting; after these, pairs are off by less than a trailer.
const ROUNDS: usize = 300;

/// The distribution over sets of genres that has these frequencies of pairs and is otherwise as
/// even as can be (maximum entropy), found by iterative proportional fitting (Deming and Stephan
/// 1940).
pub struct LabelStatistics {
    /// The probability of each set: bit k stands for genre k.
    probabilities: Vec<f64>,
}

impl Default for LabelStatistics {
    fn default() -> Self {
        let pair = |one: usize, other: usize| f64::from(TOGETHER[one.max(other)][one.min(other)]) / TRAILERS;
        let mut probabilities = vec![1.0 / ((1 << COUNT) - 1) as f64; 1 << COUNT];
        probabilities[0] = 0.0;
        for _ in 0..ROUNDS {
            for one in 0..COUNT {
                for other in 0..one {
                    let both = pair(one, other);
                    let (only, only_other) = (pair(one, one) - both, pair(other, other) - both);
                    // By whether the one is there and the other is.
                    let wanted = [1.0 - both - only - only_other, only, only_other, both];
                    let cell = |set: usize| (set >> one & 1) + 2 * (set >> other & 1);
                    let mut sums = [0.0; 4];
                    probabilities.iter().enumerate().for_each(|(set, probability)| sums[cell(set)] += probability);
                    let scale: [f64; 4] =
                        std::array::from_fn(|at| if sums[at] > 0.0 { wanted[at] / sums[at] } else { 0.0 });
                    probabilities
                        .iter_mut()
                        .enumerate()
                        .for_each(|(set, probability)| *probability *= scale[cell(set)]);
                }
            }
        }
        LabelStatistics { probabilities }
    }
}

impl LabelStatistics {
    /// Returns the probability that a trailer has both genres; that of one where they are the same.
    #[must_use]
    pub fn pair(&self, one: usize, other: usize) -> f64 {
        let both = 1 << one | 1 << other;
        let has = |(set, _): &(usize, &f64)| set & both == both;
        self.probabilities.iter().enumerate().filter(has).map(|(_, probability)| probability).sum()
    }

    /// Returns the genres of one trailer.
    pub fn draw(&self, dice: &mut Dice) -> [bool; COUNT] {
        let mut rest = f64::from(dice.unit()) * self.probabilities.iter().sum::<f64>();
        let set = self.probabilities.iter().position(|probability| {
            rest -= probability;
            rest < 0.0
        });
        // Rounding may leave nothing: then it is drama, the most frequent.
        let set = set.unwrap_or(1 << 4);
        std::array::from_fn(|genre| set >> genre & 1 == 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn genres_are_as_frequent_and_as_often_together_as_they_were_counted() {
        let statistics = LabelStatistics::default();
        let mut dice = Dice::new(1, 0);
        let draws: Vec<[bool; COUNT]> = (0..40_000).map(|_| statistics.draw(&mut dice)).collect();
        assert!(draws.iter().all(|genres| genres.contains(&true)));
        for one in 0..COUNT {
            for other in 0..=one {
                let counted = f64::from(TOGETHER[one][other]) / TRAILERS;
                assert!((statistics.pair(one, other) - counted).abs() < 1.0 / TRAILERS, "{one} {other}");
                let drawn =
                    draws.iter().filter(|genres| genres[one] && genres[other]).count() as f64 / draws.len() as f64;
                assert!((drawn - counted).abs() < 0.012, "{one} {other}: {drawn} {counted}");
            }
        }
    }
}
