//! What the file of a fitted backbone says of the run that made it, and whether heads over it are judged by videos that it has not seen.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::run_folder::{RUN, Vectors};
use crate::checkpoint::Checkpoint;

/// The attribute of a store that holds what [`Fitted::attribute`] says.
pub const FITTED: &str = "fitted";

/// Of what a file says of its weights, bytes at most; what is longer, or would break a table, is passed over.
const LONGEST: usize = 2000;

/// On what a backbone was fitted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fitted {
    /// Name of the table.
    pub table: String,
    /// The split that said what was trained on.
    pub split: String,
    /// SHA-256 of the videos' names and the part of each, in the table's order.
    pub videos: String,
    /// How, in words.
    #[serde(default)]
    pub told: String,
}

impl Fitted {
    /// What a checkpoint says; `None` where it is of no fitted backbone, or says what cannot be repeated.
    #[must_use]
    pub fn of(checkpoint: &Checkpoint) -> Option<Fitted> {
        let fact = checkpoint.facts.get(RUN).filter(|fact| fact.len() < LONGEST)?;
        Fitted::plain(serde_json::from_str(fact).ok()?)
    }

    /// What the store of a stream's vectors says of their backbone.
    #[must_use]
    pub fn of_vectors(vectors: &Vectors) -> Option<Fitted> {
        Fitted::plain(serde_json::from_value(vectors.attributes.get(FITTED)?.clone()).ok()?)
    }

    fn plain(self) -> Option<Fitted> {
        if self.is_plain() { Some(self) } else { None }
    }

    /// Whether a model card and a terminal can show it: what is not is passed over by whoever reads it.
    #[must_use]
    pub fn is_plain(&self) -> bool {
        let texts = [&self.table, &self.split, &self.videos, &self.told];
        let harmless =
            |text: &String| text.len() < LONGEST && !text.contains(|c: char| c.is_control() || "|<".contains(c));
        texts.into_iter().all(harmless)
    }

    /// As the fact [`RUN`] of the file.
    ///
    /// # Errors
    /// Where it cannot be written as JSON.
    pub fn fact(&self) -> Result<String, crate::Error> {
        Ok(serde_json::to_string(self)?)
    }

    /// As an attribute of the stores that are made with it.
    #[must_use]
    pub fn attribute(&self) -> Value {
        json!({"table": self.table, "split": self.split, "videos": self.videos})
    }

    /// What is to be said where heads are judged by the split whose `videos` have this sum; `None` where the backbone was fitted by the same one, and so has not seen them.
    #[must_use]
    pub fn beside(&self, videos: &str) -> Option<String> {
        let Fitted { table, split, .. } = self;
        (self.videos != videos).then(|| {
            format!("was fitted by another split, {split} of {table}: of the videos that judge the heads it may have learned some")
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn checkpoint(fact: &str) -> Checkpoint {
        Checkpoint { facts: [(RUN.to_owned(), fact.to_owned())].into(), ..Checkpoint::default() }
    }

    #[test]
    fn what_would_break_a_model_card_is_passed_over() {
        let [table, split, videos, told] = ["a.csv", "split0", "abc", "well"].map(str::to_owned);
        let fitted = Fitted { table, split, videos, told };
        assert_eq!(Fitted::of(&checkpoint(&fitted.fact().unwrap_or_default())).as_ref(), Some(&fitted));
        for told in ["| a | b |", "one\ntwo", "<script>", "\u{1b}[2J", &"long ".repeat(LONGEST)] {
            let hostile = Fitted { told: told.to_owned(), ..fitted.clone() };
            assert_eq!(Fitted::of(&checkpoint(&hostile.fact().unwrap_or_default())), None, "{told:?}");
        }
        assert_eq!(Fitted::of(&checkpoint("an epoch")), None);
        assert_eq!(Fitted::of(&Checkpoint::default()), None);
    }
}
