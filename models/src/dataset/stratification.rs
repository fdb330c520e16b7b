//! Splits with matching label frequencies: second-order iterative stratification, which also
//! matches the frequencies of pairs of labels.

use rand_chacha::{
    ChaCha8Rng,
    rand_core::{Rng, SeedableRng},
};

use super::label_table::Part;

/// Times that rows are parted: equals are taken by chance, and by how much the parts are alike
/// differs threefold.
const TRIES: usize = 10;

/// Parts `rows`, of each row which labels it has, into shares of `ratios` (train, validation,
/// test), which need not sum to one. Of ten ways to do it that which is most like the whole. The
/// same rows, ratios and seed give the same parts.
pub fn stratify(rows: &[Vec<bool>], ratios: [f64; 3], seed: u64) -> Vec<Part> {
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    let tries = (0..TRIES).map(|_| {
        let parts = stratify_once(rows, ratios, &mut random);
        let Unlikeness { labels, pairs } = Unlikeness::of(rows, &parts);
        (labels + pairs, parts)
    });
    tries.min_by(|one, other| one.0.total_cmp(&other.0)).map_or_else(Vec::new, |(_, parts)| parts)
}

fn stratify_once(rows: &[Vec<bool>], ratios: [f64; 3], random: &mut ChaCha8Rng) -> Vec<Part> {
    let total: f64 = ratios.iter().sum();
    let shares = ratios.map(|ratio| ratio / total);
    let pairs: Vec<Vec<usize>> = rows.iter().map(|row| pairs_of(row)).collect();
    let labels = rows.iter().map(Vec::len).max().unwrap_or(0);
    // Rows that have a pair and no part yet.
    let mut left = vec![0usize; labels * labels];
    pairs.iter().flatten().for_each(|&pair| left[pair] += 1);
    // How many more each part should get: of each pair, and of rows.
    let mut wanted: Vec<[f64; 3]> = left.iter().map(|&count| shares.map(|share| share * count as f64)).collect();
    let mut wanted_rows = shares.map(|share| share * rows.len() as f64);
    // In an order of chance, as equals are taken one after the other.
    let mut order: Vec<usize> = (0..rows.len()).collect();
    for at in (1..order.len()).rev() {
        order.swap(at, below(random, at + 1));
    }
    let mut parts = vec![None; rows.len()];
    while let Some(rarest) = (0..left.len()).filter(|&pair| left[pair] > 0).min_by_key(|&pair| left[pair]) {
        for &row in &order {
            if parts[row].is_some() || !pairs[row].contains(&rarest) {
                continue;
            }
            let part = neediest(&wanted[rarest], &wanted_rows, random);
            parts[row] = Some(Part::ALL[part]);
            wanted_rows[part] -= 1.0;
            for &pair in &pairs[row] {
                left[pair] -= 1;
                wanted[pair][part] -= 1.0;
            }
        }
    }
    // What has no label goes where rows are lacking.
    for row in order {
        parts[row].get_or_insert_with(|| {
            let part = neediest(&wanted_rows, &wanted_rows, random);
            wanted_rows[part] -= 1.0;
            Part::ALL[part]
        });
    }
    parts.into_iter().map(|part| part.unwrap_or(Part::Train)).collect()
}

/// Returns the pairs of labels that a row has, each label with itself among them.
fn pairs_of(row: &[bool]) -> Vec<usize> {
    let own: Vec<usize> = (0..row.len()).filter(|&label| row[label]).collect();
    own.iter().enumerate().flat_map(|(at, one)| own[at..].iter().map(move |other| one * row.len() + other)).collect()
}

/// Returns the part that wants most; of equals the one that wants most rows; of equals any.
fn neediest(wanted: &[f64; 3], wanted_rows: &[f64; 3], random: &mut ChaCha8Rng) -> usize {
    let most = |among: &[usize], wanted: &[f64; 3]| {
        let highest = among.iter().map(|&part| wanted[part]).fold(f64::NEG_INFINITY, f64::max);
        among.iter().copied().filter(|&part| wanted[part] == highest).collect::<Vec<_>>()
    };
    let equals = most(&most(&[0, 1, 2], wanted), wanted_rows);
    equals[below(random, equals.len())]
}

/// Returns a number below `count`.
fn below(random: &mut ChaCha8Rng, count: usize) -> usize {
    (random.next_u64() % count as u64) as usize
}

/// Differences between the sets of a split and the whole; 0 where they match.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Unlikeness {
    /// In labels: the mean over labels and parts of the difference between the odds of a label in
    /// the part and in the whole (LD of the paper).
    pub labels: f64,
    /// The same in pairs of different labels (LPD).
    pub pairs: f64,
}

impl Unlikeness {
    /// That of `parts` of `rows`.
    pub fn of(rows: &[Vec<bool>], parts: &[Part]) -> Self {
        let labels = rows.iter().map(Vec::len).max().unwrap_or(0);
        let (mut whole, mut counts, mut sizes) =
            (vec![0.0; labels * labels], vec![[0.0f64; 3]; labels * labels], [0.0f64; 3]);
        for (row, &part) in rows.iter().zip(parts) {
            sizes[part as usize] += 1.0;
            for pair in pairs_of(row) {
                whole[pair] += 1.0;
                counts[pair][part as usize] += 1.0;
            }
        }
        // Where all have it the odds are those of all but one.
        let odds = |count: f64, size: f64| count / (size - count).max(1.0);
        let mean = |of: &dyn Fn(usize, usize) -> bool| {
            let pairs: Vec<usize> =
                (0..whole.len()).filter(|&pair| of(pair / labels, pair % labels) && whole[pair] > 0.0).collect();
            let all = rows.len() as f64;
            let differences = pairs.iter().flat_map(|&pair| {
                let counts = &counts[pair];
                let own = odds(whole[pair], all);
                (0..3).filter(|&part| sizes[part] > 0.0).map(move |part| (odds(counts[part], sizes[part]) - own).abs())
            });
            let (sum, count) = differences.fold((0.0, 0.0), |(sum, count), one| (sum + one, count + 1.0));
            if count > 0.0 { sum / count } else { 0.0 }
        };
        Unlikeness { labels: mean(&|one, other| one == other), pairs: mean(&|one, other| one != other) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn count(parts: &[Part], part: Part) -> usize {
        parts.iter().filter(|&&other| other == part).count()
    }

    #[test]
    fn a_rare_pair_is_in_every_part() {
        // Ten rows of a pair that is as rare as that, among a thousand that have one label or none.
        let rows: Vec<Vec<bool>> =
            (0..1000).map(|at| if at < 10 { vec![true, true] } else { vec![at % 3 == 0, at % 3 == 1] }).collect();
        let parts = stratify(&rows, [7.0, 1.0, 2.0], 3);
        assert_eq!(Part::ALL.map(|part| count(&parts[..10], part)), [7, 1, 2]);
        assert_eq!(Part::ALL.map(|part| count(&parts, part)), [700, 100, 200]);
        assert_eq!(stratify(&rows, [0.7, 0.1, 0.2], 3), parts, "shares are shares");
        assert_ne!(stratify(&rows, [7.0, 1.0, 2.0], 4), parts, "another seed");
    }

    #[test]
    fn unlikeness_is_that_of_the_odds() {
        let rows = vec![vec![true, true], vec![true, false], vec![false, true], vec![false, false]];
        let parts = [Part::Train, Part::Train, Part::Test, Part::Test];
        // First label: 1 in the whole, all of train, none of test; second: 1 everywhere. The pair:
        // a third, one of two, none.
        let Unlikeness { labels, pairs } = Unlikeness::of(&rows, &parts);
        assert_eq!((labels, pairs), ((1.0 + 1.0) / 4.0, (2.0 / 3.0 + 1.0 / 3.0) / 2.0));
    }

    proptest! {
        #[test]
        fn every_row_has_a_part_and_the_parts_their_sizes(
            rows in prop::collection::vec(prop::collection::vec(any::<bool>(), 4), 0..120), seed in any::<u64>(),
        ) {
            let parts = stratify(&rows, [70.0, 10.0, 20.0], seed);
            prop_assert_eq!(parts.len(), rows.len());
            for (part, share) in Part::ALL.into_iter().zip([0.7, 0.1, 0.2]) {
                // Labels come first, so that sizes are met but for a few rows: one for each pair
                // that there is.
                prop_assert!((count(&parts, part) as f64 - share * rows.len() as f64).abs() <= 10.0);
            }
        }
    }
}
