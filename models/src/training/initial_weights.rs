//! The weights that fine-tuning begins with, read from a file.

use std::path::Path;

use anyhow::bail;
use divita_runtime::bundle::StreamInput;

use crate::{
    engines::{backbone_file::BackboneFile, frozen_backbone::FrozenNetwork},
    networks::Backbone,
    weights::{
        Weights,
        facts::SUM,
        fitted::{EarlierSplit, Fitted, is_plain_text},
        known_weights,
    },
};

/// Weights of a backbone from a file.
pub struct InitialWeights {
    /// The weights.
    pub weights: Weights,
    /// How frames become the network's input.
    pub input: StreamInput,
    /// SHA-256 of the file.
    pub sha256: String,
    /// Description for a model card, such as `fine-tuned from a.safetensors (SHA-256 ...)`.
    pub told: String,
    fitted: Option<Fitted>,
}

impl InitialWeights {
    /// Reads the weights of `network` from the file at `path`, which `import` or `fit-backbone`
    /// wrote.
    ///
    /// # Errors
    /// Where the file cannot be read, holds the weights of another network, or has a name that
    /// cannot stand in a model card.
    pub fn read(network: Backbone, path: &Path) -> anyhow::Result<InitialWeights> {
        let BackboneFile { frozen, from, source_sha256, fitted } = BackboneFile::read(path, Some(network))?;
        let FrozenNetwork::Described { weights, .. } = frozen.network else {
            bail!("{}: cannot train an ONNX file: give a file from `import` or `fit-backbone`", path.display());
        };
        let file = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if !is_plain_text(&file) {
            bail!("{}: its name contains characters that a model card cannot show: rename it", path.display());
        }
        let source = source_sha256.as_deref().and_then(known_weights::with_sum);
        let published = source.map(|known| format!("; published as {}, trained on {}", known.file, known.trained_on));
        let told = format!("fine-tuned from {file} ({from}{})", published.unwrap_or_default());
        let sha256 = from.trim_start_matches(SUM).to_owned();
        Ok(InitialWeights { weights, input: frozen.input, sha256, told, fitted })
    }

    /// Returns the splits that the weights were fitted by.
    pub fn splits(&self) -> Vec<EarlierSplit> {
        self.fitted.as_ref().map(Fitted::splits).unwrap_or_default()
    }
}
