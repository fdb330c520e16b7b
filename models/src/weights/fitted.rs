//! Training data of a fitted backbone, and whether heads over the backbone are tested on videos
//! that it was trained on.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::checkpoint::Checkpoint;

/// Name of the fact of a file of weights that contains the state or the description of a training
/// run. There is one fact only, because safetensors writes several in any order, and the same run
/// must give the same bytes.
pub const RUN: &str = "run";

/// Attribute of a store with the value of [`Fitted::attribute`].
pub const FITTED: &str = "fitted";

/// Maximum length of a text, bytes. Longer texts, and texts that would break a table, are ignored.
const LONGEST: usize = 2000;

/// Maximum number of splits that weights may have been trained on before fine-tuning.
pub const MOST_EARLIER: usize = 4;

/// Training data of a fitted backbone.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fitted {
    /// Name of the table.
    pub table: String,
    /// Name of the split.
    pub split: String,
    /// SHA-256 of the videos' names and sets, in the table's order.
    pub videos: String,
    /// Description of the training, in words.
    #[serde(default)]
    pub told: String,
    /// Splits that the initial weights were trained on, the first one first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub earlier: Vec<EarlierSplit>,
}

/// A split that weights were trained on before fine-tuning.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EarlierSplit {
    /// Name of the table.
    pub table: String,
    /// Name of the split.
    pub split: String,
    /// SHA-256 of the videos' names and the part of each, in the table's order.
    pub videos: String,
}

impl Fitted {
    /// Reads the training data from a checkpoint; `None` where it is not of a fitted backbone, or
    /// has texts that cannot be shown.
    #[must_use]
    pub fn of(checkpoint: &Checkpoint) -> Option<Fitted> {
        let fact = checkpoint.facts.get(RUN).filter(|fact| fact.len() < LONGEST)?;
        Fitted::plain(serde_json::from_str(fact).ok()?)
    }

    /// Reads the training data of a stream's backbone from the attributes of a store.
    #[must_use]
    pub fn from_attributes(attributes: &Map<String, Value>) -> Option<Fitted> {
        Fitted::plain(serde_json::from_value(attributes.get(FITTED)?.clone()).ok()?)
    }

    fn plain(self) -> Option<Fitted> {
        if self.is_plain() { Some(self) } else { None }
    }

    /// Returns whether a model card and a terminal can show every text.
    #[must_use]
    pub fn is_plain(&self) -> bool {
        let earlier = self.earlier.iter().flat_map(|one| [&one.table, &one.split, &one.videos]);
        let texts = [&self.table, &self.split, &self.videos, &self.told].into_iter().chain(earlier);
        texts.into_iter().all(|text| is_plain_text(text)) && self.earlier.len() <= MOST_EARLIER
    }

    /// Formats the fact [`RUN`] of the file.
    ///
    /// # Errors
    /// Where it cannot be written as JSON.
    pub fn fact(&self) -> Result<String, crate::Error> {
        Ok(serde_json::to_string(self)?)
    }

    /// Returns the attribute of stores that are extracted with the backbone.
    #[must_use]
    pub fn attribute(&self) -> Value {
        let mut attribute = json!({"table": self.table, "split": self.split, "videos": self.videos});
        if !self.earlier.is_empty() {
            attribute["earlier"] = json!(self.earlier);
        }
        attribute
    }

    /// Returns the splits that weights fine-tuned from these have been trained on: the earlier
    /// ones, then its own, each once.
    #[must_use]
    pub fn splits(&self) -> Vec<EarlierSplit> {
        let Fitted { table, split, videos, earlier, .. } = self.clone();
        let own = EarlierSplit { table, split, videos };
        earlier.into_iter().filter(|one| one.videos != own.videos).chain([own.clone()]).collect()
    }

    /// Describes how heads that are tested on the split with the sum `videos` may share test videos
    /// with the backbone; `None` where the backbone and its initial weights were trained on the
    /// same split.
    #[must_use]
    pub fn beside(&self, videos: &str) -> Option<String> {
        let other = |one: EarlierSplit| (one.videos != videos).then(|| format!("{} of {}", one.split, one.table));
        let others: Vec<String> = self.splits().into_iter().filter_map(other).collect();
        (!others.is_empty()).then(|| {
            format!(
                "was fitted by another split, {}: of the videos that judge the heads it may have learned some",
                others.join(" and ")
            )
        })
    }
}

/// Returns whether a model card and a terminal can show `text`.
#[must_use]
pub fn is_plain_text(text: &str) -> bool {
    text.len() < LONGEST && !text.contains(|c: char| c.is_control() || "|<".contains(c))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn checkpoint(fact: &str) -> Checkpoint {
        Checkpoint { facts: [(RUN.to_owned(), fact.to_owned())].into(), ..Checkpoint::default() }
    }

    fn split(name: &str) -> EarlierSplit {
        EarlierSplit { table: "a.csv".to_owned(), split: name.to_owned(), videos: format!("sum of {name}") }
    }

    #[test]
    fn what_a_backbone_began_with_counts_too() {
        let EarlierSplit { table, split: own, videos } = split("split1");
        let fitted = Fitted { table, split: own, videos, told: String::new(), earlier: vec![split("split0")] };
        let said = |fitted: &Fitted, judged: &str| fitted.beside(&format!("sum of {judged}"));
        assert!(said(&fitted, "split1").is_some_and(|said| said.contains("another split, split0 of a.csv:")));
        assert!(said(&fitted, "split2").is_some_and(|said| said.contains("split0 of a.csv and split1 of a.csv")));
        assert_eq!(said(&Fitted { earlier: vec![split("split1")], ..fitted.clone() }, "split1"), None);
        // A store of its vectors says it as well, and whatever is fine-tuned from it.
        let attributes = [(FITTED.to_owned(), fitted.attribute())].into_iter().collect();
        let stored = Fitted::from_attributes(&attributes);
        assert_eq!(stored, Some(fitted.clone()));
        assert_eq!(fitted.splits(), [split("split0"), split("split1")]);
        let many = Fitted { earlier: vec![split("split0"); MOST_EARLIER + 1], ..fitted };
        assert_eq!(Fitted::of(&checkpoint(&many.fact().unwrap_or_default())), None);
    }

    #[test]
    fn what_would_break_a_model_card_is_passed_over() {
        let [table, split, videos, told] = ["a.csv", "split0", "abc", "well"].map(str::to_owned);
        let fitted = Fitted { table, split, videos, told, earlier: Vec::new() };
        assert_eq!(Fitted::of(&checkpoint(&fitted.fact().unwrap_or_default())).as_ref(), Some(&fitted));
        for told in ["| a | b |", "one\ntwo", "<script>", "\u{1b}[2J", &"long ".repeat(LONGEST)] {
            let hostile = Fitted { told: told.to_owned(), ..fitted.clone() };
            assert_eq!(Fitted::of(&checkpoint(&hostile.fact().unwrap_or_default())), None, "{told:?}");
        }
        assert_eq!(Fitted::of(&checkpoint("an epoch")), None);
        assert_eq!(Fitted::of(&Checkpoint::default()), None);
    }
}
