//! What determines the result of a run over representations: heads, data, vectors, recipe and
//! teacher.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::recipe::Recipe;
use crate::representations::Store;

/// All that decides what comes out of a run over representations. How many epochs it has at most is
/// no part of it: that does not decide what the first ones are, so a run may be prolonged.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RunRecipe {
    /// Name of the heads.
    pub head: String,
    /// Names of the labels.
    pub labels: Vec<String>,
    /// The split that says what is trained on.
    pub split: String,
    /// SHA-256 of the videos' names and the part of each.
    pub videos: String,
    /// SHA-256 of which labels each has.
    pub truth: String,
    /// The streams by name, and what their vectors are.
    pub streams: BTreeMap<String, Vectors>,
    /// Its recipe.
    pub recipe: Recipe,
    /// Its teacher.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub teacher: Option<TeacherDescription>,
}

/// Description of vectors, from their store.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Vectors {
    /// Numbers of each.
    pub num_features: usize,
    /// Attributes of the store.
    #[serde(default)]
    pub attributes: Map<String, Value>,
}

impl Vectors {
    /// Returns those of a stream's `stores`, one a rate: where there are several, `fps` is a list.
    #[must_use]
    pub fn of(stores: &[&Store]) -> Vectors {
        let mut attributes = stores[0].attributes().clone();
        if stores.len() > 1 {
            let rates = stores.iter().filter_map(|store| store.attributes().get("fps").cloned());
            attributes.insert("fps".to_owned(), rates.collect());
        }
        Vectors { num_features: stores[0].num_features(), attributes }
    }
}

/// Weight and temperature of the teacher.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Distillation {
    /// Divisor of the logits.
    pub temperature: f64,
    /// Share of the teacher in the loss.
    pub mix: f64,
}

impl Default for Distillation {
    fn default() -> Self {
        Distillation { temperature: 2.0, mix: 0.5 }
    }
}

/// Description of the teacher in a run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TeacherDescription {
    /// SHA-256 of its weights.
    pub weights: String,
    /// Its run.
    pub run: Box<RunRecipe>,
    /// Its weight and temperature.
    pub distillation: Distillation,
}
