//! Facts in a file of weights besides its tensors.
//!
//! The fact [`FACTS`] of a safetensors file states the network of its tensors, the preprocessing of
//! the network's input, and the file that the tensors were imported from. A file without this fact
//! has the publisher's preprocessing ([`Backbone::input`]).

use std::path::Path;

use divita_runtime::bundle::StreamInput;
use serde::{Deserialize, Serialize};

use super::{
    Weights,
    checkpoint::Checkpoint,
    fitted::{Fitted, RUN},
    write_safetensors,
};
use crate::networks::Backbone;

/// Name of the fact of a safetensors file that contains [`Facts`] as JSON. There is one fact only,
/// because safetensors writes several in any order, and the same weights must give the same bytes.
pub const FACTS: &str = "backbone";

/// Prefix of the attribute `weights` of a store where the weights come from a file. The file's
/// SHA-256 follows.
pub const SUM: &str = "SHA-256 ";

/// Maximum length of [`Facts`], bytes.
const LONGEST: usize = 10_000;

/// Facts about the weights in a file.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Facts {
    /// Name of the network.
    pub network: String,
    /// SHA-256 of the file that the weights were imported from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source_sha256: Option<String>,
    /// Preprocessing of the network's input; none for heads and other networks that do not read
    /// frames.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub input: Option<StreamInput>,
    /// Data that the weights were trained on, if `fit-backbone` wrote them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fitted: Option<Fitted>,
}

impl Facts {
    /// Reads the facts of a checkpoint; `None` where it has none that can be read.
    #[must_use]
    pub fn of(checkpoint: &Checkpoint) -> Option<Facts> {
        let fact = checkpoint.facts.get(FACTS).filter(|fact| fact.len() <= LONGEST)?;
        serde_json::from_str(fact).ok()
    }
}

/// Writes `weights` with `facts` to the safetensors file `path`, which appears complete or not at
/// all.
///
/// Weights that `fit-backbone` trained from scratch, with the publisher's preprocessing, state only
/// their training data, under [`RUN`].
///
/// # Errors
/// [`crate::Error::Json`], and those of [`write_safetensors`].
pub fn write(weights: &Weights, facts: &Facts, path: &Path) -> Result<(), crate::Error> {
    let usual = Backbone::from_name(&facts.network).map(Backbone::input);
    let fact = match facts {
        Facts { source_sha256: None, input, fitted: Some(fitted), .. } if *input == usual => (RUN, fitted.fact()?),
        facts => (FACTS, serde_json::to_string(facts)?),
    };
    write_safetensors(&[("", weights)], &[(fact.0, &fact.1)], path)
}
