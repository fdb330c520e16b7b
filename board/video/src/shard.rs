//! Shares of a list of inputs, for several machines.

use std::str::FromStr;

/// Share K of N, counted from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shard {
    /// Number of the share, from 0.
    part: usize,
    parts: usize,
}

impl FromStr for Shard {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let parsed = text.split_once('/').and_then(|(k, n)| Some((k.parse::<usize>().ok()?, n.parse::<usize>().ok()?)));
        match parsed {
            Some((k, n)) if (1..=n).contains(&k) => Ok(Shard { part: k - 1, parts: n }),
            _ => Err("give it as K/N with K from 1 to N, such as 3/8".to_owned()),
        }
    }
}

impl Default for Shard {
    /// Everything.
    fn default() -> Self {
        Shard { part: 0, parts: 1 }
    }
}

impl Shard {
    /// Returns this share of `items`: every N-th from the K-th on, so that long and short ones
    /// spread over the shares.
    pub fn of<I: IntoIterator>(self, items: I) -> impl Iterator<Item = I::Item> {
        items.into_iter().skip(self.part).step_by(self.parts)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_are_apart_and_make_the_whole() {
        let mut all: Vec<u32> = (1..=3).flat_map(|k| format!("{k}/3").parse::<Shard>().unwrap().of(0..10)).collect();
        assert_eq!(all[..4], [0, 3, 6, 9]);
        all.sort_unstable();
        assert_eq!(all, (0..10).collect::<Vec<_>>());
        assert_eq!(Shard::default().of(0..3).count(), 3);
        for wrong in ["0/3", "4/3", "1/0", "1", "a/b", ""] {
            assert!(wrong.parse::<Shard>().is_err(), "{wrong}");
        }
    }
}
