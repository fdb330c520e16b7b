//! What a file of weights says of them beside its tensors.
//!
//! The fact [`FACTS`] of a safetensors file says which network its tensors are of, how frames become the network's input,
//! and which file they were taken from. A file without that fact has the usual preprocessing of its network
//! ([`Backbone::input`]).

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

/// The fact of a safetensors file that holds [`Facts`] as JSON. It is one fact because safetensors writes several in any
/// order, and the same weights are to give the same bytes.
pub const FACTS: &str = "backbone";

/// What a store says of weights from a file, before the file's SHA-256.
pub const SUM: &str = "SHA-256 ";

/// Largest length of [`Facts`] that is read, bytes.
const LONGEST: usize = 10_000;

/// What a file says of its weights.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Facts {
    /// Name of the network.
    pub network: String,
    /// SHA-256 of the file that the weights were taken from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source_sha256: Option<String>,
    /// How frames become the network's input; none for heads and other networks that read no frames.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub input: Option<StreamInput>,
    /// What the weights were fitted on, where `fit-backbone` made them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fitted: Option<Fitted>,
}

impl Facts {
    /// What a checkpoint says of itself; none where it says nothing that can be read.
    #[must_use]
    pub fn of(checkpoint: &Checkpoint) -> Option<Facts> {
        let fact = checkpoint.facts.get(FACTS).filter(|fact| fact.len() <= LONGEST)?;
        serde_json::from_str(fact).ok()
    }
}

/// Writes `weights` with `facts` to the safetensors file `path`, which appears complete or not at all.
///
/// Weights that `fit-backbone` made from nothing, for the usual preprocessing of their network, say only what they were
/// fitted on, under [`RUN`].
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
