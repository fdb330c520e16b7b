//! Contributions of shots to the logits of a video: which shots speak for a genre, and which
//! against it.
//!
//! The logits of a snippet are the mean of its clips' logits. So the sum of a shot's clip logits,
//! divided by the number of clips in all snippets, padding included, is the shot's exact share of
//! the mean of the snippets' logits.

/// Most shots in a list.
const MOST: usize = 3;

/// The sum of the logits of a shot's clips.
#[derive(Clone, Debug)]
pub(crate) struct ShotLogits {
    shot: usize,
    clips: usize,
    sum: Vec<f64>,
}

impl ShotLogits {
    /// Returns the logits of a shot with one clip.
    pub fn new(shot: usize, logits: &[f32]) -> Self {
        ShotLogits { shot, clips: 1, sum: logits.iter().copied().map(f64::from).collect() }
    }

    /// Returns the index of the shot.
    pub fn shot(&self) -> usize {
        self.shot
    }

    /// Adds a clip.
    pub fn add(&mut self, logits: &[f32]) {
        self.clips += 1;
        self.sum.iter_mut().zip(logits).for_each(|(sum, &logit)| *sum += f64::from(logit));
    }

    /// Joins two parts of a shot.
    #[must_use]
    pub fn join(mut self, other: ShotLogits) -> Self {
        self.clips += other.clips;
        self.sum.iter_mut().zip(&other.sum).for_each(|(sum, more)| *sum += more);
        self
    }

    /// Returns the mean over the clips.
    pub fn mean(&self) -> Vec<f32> {
        self.sum.iter().map(|sum| (sum / self.clips as f64) as f32).collect()
    }
}

/// The shots that contribute most to the logit of a label.
#[derive(Clone, Debug, PartialEq)]
pub struct Contribution {
    /// Index of the label.
    pub label: usize,
    /// At most three shots with positive shares of the logit, and their shares, the largest first.
    pub supporting: Vec<(usize, f64)>,
    /// At most three shots with negative shares of the logit, and their shares, the most negative
    /// first.
    pub opposing: Vec<(usize, f64)>,
}

/// Returns the contributions of `shots`, in their order, to each of `labels`. `clips` is the number
/// of clips in all snippets, padding included.
pub(crate) fn contributions<'a>(
    shots: impl Iterator<Item = &'a ShotLogits>,
    labels: &[usize],
    clips: usize,
) -> Vec<Contribution> {
    let mut whole: Vec<(usize, Vec<f64>)> = Vec::new();
    for ShotLogits { shot, sum, .. } in shots {
        let shares = labels.iter().map(|&label| sum[label] / clips as f64);
        match whole.last_mut().filter(|last| last.0 == *shot) {
            Some((_, sum)) => sum.iter_mut().zip(shares).for_each(|(sum, share)| *sum += share),
            None => whole.push((*shot, shares.collect())),
        }
    }
    let of_label = |(at, &label): (usize, &usize)| {
        let mut ranked: Vec<(usize, f64)> = whole.iter().map(|(shot, shares)| (*shot, shares[at])).collect();
        ranked.sort_by(|a, b| b.1.total_cmp(&a.1));
        let supporting = ranked.iter().copied().take_while(|shot| shot.1 > 0.0).take(MOST).collect();
        let opposing = ranked.iter().rev().copied().take_while(|shot| shot.1 < 0.0).take(MOST).collect();
        Contribution { label, supporting, opposing }
    };
    labels.iter().enumerate().map(of_label).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shares_of_all_shots_sum_to_the_mean_logit() {
        // Shot 1 has clips in two snippets of two clips each.
        let mut first = ShotLogits::new(1, &[3.0, -1.0]);
        first.add(&[1.0, -2.0]);
        let shots = [ShotLogits::new(0, &[-2.0, 0.0]), first, ShotLogits::new(1, &[2.0, 4.0])];
        let found = contributions(shots.iter(), &[1, 0], 4);
        let wanted = [
            Contribution { label: 1, supporting: vec![(1, 0.25)], opposing: vec![] },
            Contribution { label: 0, supporting: vec![(1, 1.5)], opposing: vec![(0, -0.5)] },
        ];
        assert_eq!(found, wanted);
    }

    #[test]
    fn only_the_strongest_shots_are_listed_strongest_first() {
        let shots: Vec<ShotLogits> = (0..10).map(|shot| ShotLogits::new(shot, &[shot as f32 - 4.5])).collect();
        let [Contribution { supporting, opposing, .. }] = &contributions(shots.iter(), &[0], 1)[..] else { panic!() };
        assert_eq!(supporting.iter().map(|shot| shot.0).collect::<Vec<_>>(), [9, 8, 7]);
        assert_eq!(opposing.iter().map(|shot| shot.0).collect::<Vec<_>>(), [0, 1, 2]);
    }
}
