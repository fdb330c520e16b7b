//! Files of a backbone's weights. `import`, `import-onnx` and `fit-backbone` write them; `extract`,
//! `build` and `verify` read them.
//!
//! A safetensors file describes its weights in [`crate::weights::facts`], an ONNX file in its
//! metadata ([`crate::engines::onnx_backbone`]).

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

/// A backbone read from a file.
#[derive(Clone, Debug)]
pub struct BackboneFile {
    /// The backbone.
    pub frozen: FrozenBackbone,
    /// The weights as stores name them: [`SUM`] and the file's SHA-256.
    pub from: String,
    /// SHA-256 of the published or exported file that it was imported from.
    pub source_sha256: Option<String>,
    /// Its training data, if `fit-backbone` wrote it.
    pub fitted: Option<Fitted>,
}

/// Why a file of a backbone cannot be used.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum BackboneFileError {
    /// The file cannot be read, or is not a checkpoint.
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
    /// The file is a damaged ONNX file, or was not imported.
    #[error(transparent)]
    Onnx(#[from] OnnxBackboneError),
    /// The file contains another network.
    #[error("{}: contains the weights of {found}, not of {wanted}", path.display())]
    OtherNetwork {
        /// The file.
        path: PathBuf,
        /// The network that the file names.
        found: String,
        /// The network that was asked for.
        wanted: String,
    },
    /// The file does not name its network.
    #[error("{}: does not name its network: give --network, or import the file again", .0.display())]
    Unnamed(PathBuf),
    /// The preprocessing in the file does not fit the network.
    #[error("{}: its preprocessing makes pictures of {found} pixels, but {network} reads {wanted}: import the weights again", path.display())]
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
    /// The weights do not fit the network.
    #[error("{}: cannot use the weights", path.display())]
    Weights {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        reason: crate::Error,
    },
}

impl BackboneFile {
    /// Reads the file at `path`. `network` names the backbone; without it the file must name it.
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

    /// Converts `checkpoint`, read from `path`, to a file of `backbone`.
    fn of(backbone: Backbone, checkpoint: Checkpoint, path: &Path) -> Result<BackboneFile, BackboneFileError> {
        let graph = backbone.graph(1);
        let facts = Facts::of(&checkpoint);
        // A file that `fit-backbone` trained from scratch does not name its network.
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

/// Finds the weights of `graph` in `checkpoint`, read from `path`.
///
/// # Errors
/// [`BackboneFileError::Weights`] where weights are missing; it names them.
pub fn weights(graph: &Graph, checkpoint: Checkpoint, path: &Path) -> Result<Mapping, BackboneFileError> {
    import::map(graph, checkpoint).map_err(|reason| BackboneFileError::Weights { path: path.to_owned(), reason })
}
