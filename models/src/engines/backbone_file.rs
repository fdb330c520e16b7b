//! The file of a backbone's weights: what `import`, `import-onnx` and `fit-backbone` write, and what `extract`, `build` and `verify` read.
//!
//! A safetensors file says what its weights are in [`crate::weights::facts`], an ONNX file in its metadata
//! ([`crate::engines::onnx_backbone`]).

use std::path::{Path, PathBuf};

use thiserror::Error;

use super::{
    frozen_backbone::{FrozenBackbone, FrozenNetwork},
    onnx_backbone::{self, OnnxBackbone, OnnxBackboneError},
};
use crate::{
    networks::{Backbone, graph::Graph},
    weights::{
        checkpoint::{self, Checkpoint, CheckpointError},
        facts::{Facts, SUM},
        fitted::Fitted,
        import::{self, Mapping},
    },
};

/// A file of a backbone.
#[derive(Clone, Debug)]
pub struct BackboneFile {
    /// The backbone.
    pub frozen: FrozenBackbone,
    /// What a store calls its weights: [`SUM`] and the file's SHA-256.
    pub from: String,
    /// SHA-256 of the published or exported file that it was imported from.
    pub source_sha256: Option<String>,
    /// What it was fitted on.
    pub fitted: Option<Fitted>,
}

/// Why a file of a backbone cannot be used.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum BackboneFileError {
    /// The file cannot be read, or is no checkpoint.
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
    /// The file is an ONNX file that was not imported, or a damaged one.
    #[error(transparent)]
    Onnx(#[from] OnnxBackboneError),
    /// The file says that it holds another network.
    #[error("{}: holds the weights of {found}, not of {wanted}", path.display())]
    OtherNetwork {
        /// The file.
        path: PathBuf,
        /// The network that the file names.
        found: String,
        /// The network that was asked for.
        wanted: String,
    },
    /// The file does not say which network it holds.
    #[error("{}: does not say which network its weights are of: name it with --network, or import the file again", .0.display())]
    Unnamed(PathBuf),
    /// The preprocessing in the file does not fit the network.
    #[error("{}: its preprocessing is of pictures of {found} pixels, {network} reads {wanted}: import the weights again", path.display())]
    Size {
        /// The file.
        path: PathBuf,
        /// The network.
        network: &'static str,
        /// Side that the file states.
        found: usize,
        /// Side that the network reads.
        wanted: usize,
    },
    /// The weights are not those of the network.
    #[error("{}: cannot be used", path.display())]
    Weights {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        reason: crate::Error,
    },
}

impl BackboneFile {
    /// Reads the file at `path`. `network` names the backbone; without it the file must.
    ///
    /// # Errors
    /// [`BackboneFileError`].
    pub fn read(path: &Path, network: Option<Backbone>) -> Result<BackboneFile, BackboneFileError> {
        if onnx_backbone::is_onnx(path) {
            let (onnx, from) = OnnxBackbone::read(path)?;
            let found = onnx.facts.network.clone();
            if let Some(wanted) = network.map(|network| network.name().to_owned()) {
                return Err(BackboneFileError::OtherNetwork { path: path.to_owned(), found, wanted });
            }
            let (input, source) = (onnx.facts.input, onnx.facts.source_sha256.clone());
            let frozen = FrozenBackbone { network: FrozenNetwork::Onnx(onnx), input };
            return Ok(BackboneFile { frozen, from, source_sha256: Some(source), fitted: None });
        }
        let checkpoint = checkpoint::read(path)?;
        let facts = Facts::of(&checkpoint);
        let named = facts.as_ref().map(|facts| facts.network.as_str());
        let Some(backbone) = network.or_else(|| Backbone::from_name(named?)) else {
            return Err(BackboneFileError::Unnamed(path.to_owned()));
        };
        BackboneFile::of(backbone, checkpoint, path)
    }

    /// What `checkpoint`, which was read from `path`, holds of `backbone`.
    fn of(backbone: Backbone, checkpoint: Checkpoint, path: &Path) -> Result<BackboneFile, BackboneFileError> {
        let graph = backbone.graph(1);
        let facts = Facts::of(&checkpoint);
        // A file that `fit-backbone` made from nothing does not name its network.
        let named = facts.as_ref().map(|facts| facts.network.as_str());
        let named = named.or_else(|| import::backbone_of(&checkpoint).map(Backbone::name));
        if let Some(found) = named.filter(|named| *named != backbone.name()).map(str::to_owned) {
            let wanted = backbone.name().to_owned();
            return Err(BackboneFileError::OtherNetwork { path: path.to_owned(), found, wanted });
        }
        let input = facts.as_ref().and_then(|facts| facts.input).unwrap_or(backbone.input());
        if input.size != backbone.input().size {
            let (found, wanted) = (input.size, backbone.input().size);
            return Err(BackboneFileError::Size { path: path.to_owned(), network: backbone.name(), found, wanted });
        }
        let fitted = match facts.as_ref().and_then(|facts| facts.fitted.clone()) {
            Some(fitted) => Some(fitted).filter(Fitted::is_plain),
            None => Fitted::of(&checkpoint),
        };
        let from = format!("{SUM}{}", checkpoint.sha256);
        let weights = weights(&graph, checkpoint, path)?.weights;
        let source_sha256 = facts.and_then(|facts| facts.source_sha256);
        let frozen = FrozenBackbone { network: FrozenNetwork::Described { backbone, weights }, input };
        Ok(BackboneFile { frozen, from, source_sha256, fitted })
    }
}

/// The weights of `graph` in `checkpoint`, which was read from `path`.
///
/// # Errors
/// [`BackboneFileError::Weights`] where they are not there; it names what is missing.
pub fn weights(graph: &Graph, checkpoint: Checkpoint, path: &Path) -> Result<Mapping, BackboneFileError> {
    import::map(graph, checkpoint).map_err(|reason| BackboneFileError::Weights { path: path.to_owned(), reason })
}
