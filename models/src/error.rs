//! What can go wrong while a network is made or a bundle is written.

use std::path::{Path, PathBuf};

use divita_runtime::{bundle::BundleError, golden::GoldenError};

/// An error of this crate; each says what was wrong and, where it can, what to do.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A network asks for a weight that the state dict does not have.
    #[error("the weights have no tensor '{0}': are they of another network?")]
    MissingWeight(String),
    /// A weight has another shape than the network's description gives it.
    #[error("tensor '{name}' has shape {found:?}, the network wants {wanted:?}: are the weights of another network?")]
    WeightShape {
        /// Name of the tensor in the state dict.
        name: String,
        /// Shape that the description gives.
        wanted: Vec<usize>,
        /// Shape that was found.
        found: Vec<usize>,
    },
    /// A checkpoint holds another network than it was said to.
    #[error("these are not the weights of {network}: {}", surprises(missing, reshaped, unknown))]
    WrongNetwork {
        /// The network that was asked for.
        network: &'static str,
        /// Weights that are missing.
        missing: Vec<String>,
        /// Weights of another shape, each with both.
        reshaped: Vec<String>,
        /// Tensors that the network does not know.
        unknown: Vec<String>,
    },
    /// A program that runs ONNX files refuses one.
    #[error("{engine} does not run the network: {reason}")]
    Engine {
        /// The program.
        engine: &'static str,
        /// What it said.
        reason: String,
    },
    /// The file of a network does not compute what the network does.
    #[error(
        "{network}.onnx does not compute what {network} does: outputs are {difference:.1e} of the largest apart, {allowed:.0e} may be; are its weights finite and of one size?"
    )]
    Unverified {
        /// The network.
        network: &'static str,
        /// How far they lie apart.
        difference: f32,
        /// How far they may.
        allowed: f32,
    },
    /// A weight is too large (or not a number) for half precision.
    #[error("tensor '{0}' does not fit half precision: write the bundle with --precision f32")]
    HalfOverflow(String),
    /// The output folder is there already.
    #[error("{} exists: choose another --output, or pass --force to replace it", .0.display())]
    Exists(PathBuf),
    /// `--force` was given, but what is there is not a bundle, so it is not deleted.
    #[error("{} exists and is not a bundle (it has no manifest.json that lists its files): it is left alone, choose another --output", .0.display())]
    NotABundle(PathBuf),
    /// `--force` was given, but beside the bundle there lies something of somebody's, so it is not deleted.
    #[error("{} is no part of the bundle that is there, which is left alone: move it away, or choose another --output", .0.display())]
    NotOfTheBundle(PathBuf),
    /// The name of the output folder is missing, as in `..` or `/`.
    #[error("{} names no folder that could be created: give --output a name", .0.display())]
    NoFolderName(PathBuf),
    /// A file or folder could not be read.
    #[error("cannot read {}", path.display())]
    Read {
        /// The file or folder.
        path: PathBuf,
        /// What the operating system said.
        #[source]
        source: std::io::Error,
    },
    /// A file could not be written or moved.
    #[error("cannot write {}", path.display())]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// What the operating system said.
        #[source]
        source: std::io::Error,
    },
    /// The state dict could not be written as safetensors.
    #[error("cannot write {}", path.display())]
    Safetensors {
        /// The file.
        path: PathBuf,
        /// What the safetensors crate said.
        #[source]
        source: safetensors::SafeTensorError,
    },
    /// The manifest could not be written as JSON.
    #[error("cannot write the manifest as JSON")]
    Json(#[from] serde_json::Error),
    /// The bundle that was just written cannot be opened: a defect of this crate.
    #[error("the bundle that was written does not open")]
    Bundle(#[from] BundleError),
    /// The golden outputs could not be computed.
    #[error("the golden outputs cannot be computed")]
    Golden(#[from] GoldenError),
}

impl Error {
    pub(crate) fn engine(engine: &'static str, reason: String) -> Error {
        // Some of them say more than a line.
        Error::Engine { engine, reason: reason.lines().map(str::trim).collect::<Vec<_>>().join(" ") }
    }

    /// Names the file or folder that could not be read, for `map_err`.
    pub(crate) fn read(path: &Path) -> impl FnOnce(std::io::Error) -> Error {
        let path = path.to_owned();
        move |source| Error::Read { path, source }
    }

    /// Names the file or folder that could not be written or moved, for `map_err`.
    pub(crate) fn io(path: &Path) -> impl FnOnce(std::io::Error) -> Error {
        let path = path.to_owned();
        move |source| Error::Io { path, source }
    }
}

/// Says on one line which names were missing, misshapen and unknown, a few of each.
fn surprises(missing: &[String], reshaped: &[String], unknown: &[String]) -> String {
    const SHOWN: usize = 3;
    let kinds = [("missing", missing), ("of another shape", reshaped), ("unknown to it", unknown)];
    let kind = |(kind, names): (&str, &[String])| {
        let shown = names.iter().take(SHOWN).map(String::as_str).collect::<Vec<_>>().join(", ");
        let more = if names.len() > SHOWN { ", ..." } else { "" };
        format!("{} {kind} ({shown}{more})", names.len())
    };
    kinds.into_iter().filter(|(_, names)| !names.is_empty()).map(kind).collect::<Vec<_>>().join(", ")
}
