//! Errors of making networks and writing bundles.

use std::path::{Path, PathBuf};

use divita_runtime::{bundle::BundleError, golden::GoldenError, network::NetworkError};

/// An error of making a network or writing a bundle. Each says what failed and, where possible,
/// what to do.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A weight is missing in the state dict.
    #[error("the weights have no tensor '{0}': do they belong to another network?")]
    MissingWeight(String),
    /// A weight does not have the shape that the network needs.
    #[error(
        "tensor '{name}' has shape {found:?}, the network needs {wanted:?}: do the weights belong to another network?"
    )]
    WeightShape {
        /// Name of the tensor in the state dict.
        name: String,
        /// Shape that the description gives.
        wanted: Vec<usize>,
        /// Shape that was found.
        found: Vec<usize>,
    },
    /// A checkpoint contains another network than expected.
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
    /// An engine cannot run an ONNX file.
    #[error("{engine} cannot run the network: {reason}")]
    Engine {
        /// The program.
        engine: &'static str,
        /// Message of the engine.
        reason: String,
    },
    /// The ONNX file of a network and its description give different outputs.
    #[error(
        "{network}.onnx and the description of {network} give different outputs: they differ by {difference:.1e} of the largest value, at most {allowed:.0e} is allowed. Are the weights finite and of similar size?"
    )]
    Unverified {
        /// The network.
        network: &'static str,
        /// Their difference.
        difference: f32,
        /// The difference that is allowed.
        allowed: f32,
    },
    /// A weight exceeds half precision, or is not a number.
    #[error("tensor '{0}' exceeds half precision: write the bundle with --precision f32")]
    HalfOverflow(String),
    /// A network has a form that cannot be quantised.
    #[error("cannot quantise the network: {0}")]
    Unquantisable(String),
    /// There are no inputs to calibrate a quantised network with.
    #[error("cannot quantise the network: there are no calibration inputs. Give at least one")]
    NoCalibration,
    /// A value of a network that is quantised is infinite or not a number.
    #[error("cannot quantise the network: '{0}' has values that are not finite. Are weights and inputs sound?")]
    NotFinite(String),
    /// A video to calibrate a quantised network with cannot be read.
    #[error("cannot take calibration inputs from {video}: {reason}")]
    Calibration {
        /// The video.
        video: String,
        /// Why.
        reason: String,
    },
    /// Quantised backbones compute something else than the float ones.
    #[error(
        "the backbones in eight bits are not faithful, and no bundle is written: {0}. Calibrate with more videos like those that the networks were trained on"
    )]
    Unfaithful(String),
    /// A network of the bundle cannot run.
    #[error(transparent)]
    Network(#[from] NetworkError),
    /// The output folder exists.
    #[error("{} exists: choose another --output, or replace it with --force", .0.display())]
    Exists(PathBuf),
    /// `--force` was given, but the output folder is not a bundle, so it is not deleted.
    #[error("{} exists and is not a bundle (no manifest.json lists its files): not replaced. Choose another --output", .0.display())]
    NotABundle(PathBuf),
    /// `--force` was given, but the output folder contains a file that is not part of the bundle,
    /// so it is not deleted.
    #[error("{} is not part of the existing bundle, which is not replaced: move the file, or choose another --output", .0.display())]
    NotOfTheBundle(PathBuf),
    /// The output path has no folder name, as in `..` or `/`.
    #[error("{} is not the name of a folder: give --output a name", .0.display())]
    NoFolderName(PathBuf),
    /// A file or folder cannot be read.
    #[error("cannot read {}", path.display())]
    Read {
        /// The file or folder.
        path: PathBuf,
        /// Error of the operating system.
        #[source]
        source: std::io::Error,
    },
    /// A file cannot be written or moved.
    #[error("cannot write {}", path.display())]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// Error of the operating system.
        #[source]
        source: std::io::Error,
    },
    /// A state dict cannot be written as safetensors.
    #[error("cannot write {}", path.display())]
    Safetensors {
        /// The file.
        path: PathBuf,
        /// Error of the safetensors crate.
        #[source]
        source: safetensors::SafeTensorError,
    },
    /// The manifest cannot be written as JSON.
    #[error("cannot write the manifest as JSON")]
    Json(#[from] serde_json::Error),
    /// The bundle that was just written cannot be opened: a defect of this crate.
    #[error("cannot open the bundle that was written")]
    Bundle(#[from] BundleError),
    /// The golden outputs cannot be computed.
    #[error("cannot compute the golden outputs")]
    Golden(#[from] GoldenError),
}

impl Error {
    pub(crate) fn engine(engine: &'static str, reason: String) -> Error {
        // Some engines report several lines.
        Error::Engine { engine, reason: reason.lines().map(str::trim).collect::<Vec<_>>().join(" ") }
    }

    /// Returns a function for `map_err` that names the file or folder that cannot be read.
    pub(crate) fn read(path: &Path) -> impl FnOnce(std::io::Error) -> Error {
        let path = path.to_owned();
        move |source| Error::Read { path, source }
    }

    /// Returns a function for `map_err` that names the file or folder that cannot be written or
    /// moved.
    pub(crate) fn io(path: &Path) -> impl FnOnce(std::io::Error) -> Error {
        let path = path.to_owned();
        move |source| Error::Io { path, source }
    }
}

/// Lists missing, misshapen and unknown names on one line, a few of each.
fn surprises(missing: &[String], reshaped: &[String], unknown: &[String]) -> String {
    const SHOWN: usize = 3;
    let kinds = [("missing", missing), ("of another shape", reshaped), ("unknown", unknown)];
    let kind = |(kind, names): (&str, &[String])| {
        let shown = names.iter().take(SHOWN).map(String::as_str).collect::<Vec<_>>().join(", ");
        let more = if names.len() > SHOWN { ", ..." } else { "" };
        format!("{} {kind} ({shown}{more})", names.len())
    };
    kinds.into_iter().filter(|(_, names)| !names.is_empty()).map(kind).collect::<Vec<_>>().join(", ")
}
