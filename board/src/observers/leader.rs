//! The leading genre of a source: the highest of the smoothed probabilities, with a margin that a
//! new leader has to be ahead by.

use serde::Serialize;

/// Weight of the newest clip in the exponential mean, which then reaches over some ten clips.
const NEWEST: f32 = 2.0 / 11.0;

/// Smoothed probability by which another genre has to exceed the leader to replace it.
const MARGIN: f32 = 0.05;

/// A genre and its smoothed probability.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Leading {
    /// Name of the genre.
    pub genre: String,
    /// Its smoothed probability.
    pub probability: f32,
}

/// Smooths the probabilities of a source, clip by clip.
#[derive(Clone, Debug, Default)]
pub struct Leader {
    /// Smoothed probabilities, in the bundle's order.
    smoothed: Vec<f32>,
    leading: Option<Leading>,
}

impl Leader {
    /// Adds the probabilities of a clip, in the bundle's order. Returns the leader before, if the
    /// leader has changed: `Some(None)` for the first.
    pub fn update<'a>(&mut self, probabilities: impl IntoIterator<Item = (&'a str, f32)>) -> Option<Option<Leading>> {
        let (genres, newest): (Vec<&str>, Vec<f32>) = probabilities.into_iter().unzip();
        if self.smoothed.len() == newest.len() {
            let all = self.smoothed.iter_mut().zip(&newest);
            all.for_each(|(smoothed, newest)| *smoothed += NEWEST * (newest - *smoothed));
        } else {
            self.smoothed = newest;
        }
        let all = || genres.iter().zip(&self.smoothed);
        // The first of equal genres, as in a ranking.
        let (best, highest) = all().rev().max_by(|a, b| a.1.total_cmp(b.1))?;
        let current = self.leading.as_ref().and_then(|leading| all().find(|(genre, _)| **genre == leading.genre));
        let (genre, probability) = match current {
            Some((leader, probability)) if *highest <= probability + MARGIN => (leader, probability),
            _ => (best, highest),
        };
        let new = Leading { genre: (*genre).to_owned(), probability: *probability };
        let before = self.leading.replace(new);
        (before.as_ref().map(|before| &*before.genre) != Some(genre)).then_some(before)
    }

    /// Returns the leader; `None` before the first clip.
    #[must_use]
    pub fn leading(&self) -> Option<&Leading> {
        self.leading.as_ref()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const GENRES: [&str; 3] = ["action", "comedy", "drama"];

    fn feed(leader: &mut Leader, clips: &[[f32; 3]]) -> usize {
        let changes = clips.iter().filter_map(|clip| leader.update(GENRES.into_iter().zip(*clip)));
        changes.count()
    }

    proptest! {
        #[test]
        fn noise_around_a_tie_changes_the_leader_at_most_once(
            level in 0.1_f32..0.9,
            noise in proptest::collection::vec([-0.04_f32..0.04, -0.04_f32..0.04, -0.04_f32..0.04], 1..300),
        ) {
            let clips: Vec<_> = noise.iter().map(|noise| noise.map(|noise| level + noise)).collect();
            // The very first clip makes a leader, and may be the extreme one.
            prop_assert!(feed(&mut Leader::default(), &clips) <= 2);
        }

        #[test]
        fn a_clear_change_arrives_within_ten_clips(before in 1..200_usize, low in 0.0_f32..0.5, ahead in 0.2_f32..0.5) {
            let mut leader = Leader::default();
            feed(&mut leader, &vec![[low + ahead, low, low]; before]);
            prop_assert_eq!(&leader.leading().unwrap().genre, "action");
            let changes = feed(&mut leader, &[[low, low + ahead, low]; 10]);
            prop_assert_eq!((changes, &*leader.leading().unwrap().genre), (1, "comedy"));
        }

        #[test]
        fn a_single_odd_clip_changes_nothing(low in 0.0_f32..0.4, ahead in 0.3_f32..0.5) {
            let mut leader = Leader::default();
            feed(&mut leader, &[[low + ahead, low, low]; 20]);
            prop_assert_eq!(feed(&mut leader, &[[low, low + ahead, low]]), 0);
        }

        #[test]
        fn the_leader_is_at_most_the_margin_behind(
            clips in proptest::collection::vec([0.0_f32..1.0, 0.0_f32..1.0, 0.0_f32..1.0], 1..100),
        ) {
            let mut leader = Leader::default();
            for clip in clips {
                let before = leader.leading().cloned();
                let change = leader.update(GENRES.into_iter().zip(clip));
                let now = leader.leading().unwrap();
                let highest = leader.smoothed.iter().copied().fold(0.0, f32::max);
                prop_assert!(now.probability >= highest - MARGIN - 1e-6);
                match change {
                    Some(from) => prop_assert!(from == before && from.is_none_or(|from| from.genre != now.genre)),
                    None => prop_assert_eq!(&before.unwrap().genre, &now.genre),
                }
            }
        }
    }

    #[test]
    fn the_first_of_equal_genres_leads_and_no_genre_has_no_leader() {
        let mut leader = Leader::default();
        assert!(leader.update([]).is_none() && leader.leading().is_none());
        feed(&mut leader, &[[0.5, 0.5, 0.5]]);
        assert_eq!(leader.leading(), Some(&Leading { genre: "action".into(), probability: 0.5 }));
    }
}
