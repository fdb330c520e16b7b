//! Backbones from ONNX files of feature extractors, whose facts `import-onnx` writes into the
//! file's metadata.
//!
//! The network reads one picture (1, 3, size, size) or one clip (1, 3, f, size, size) and outputs
//! one vector (1, features). The import fixes what exporters leave dynamic: the batch, the time
//! axis, weights listed as inputs.

use std::{
    fs::File,
    io::Read,
    path::{Path, PathBuf},
};

use divita_runtime::{
    bundle::StreamInput,
    network::{self, NetworkError, StreamName},
    panics,
};
use prost::Message;
use serde::{Deserialize, Serialize};
use thiserror::Error;
use tract_onnx::{
    pb::{
        GraphProto, ModelProto, StringStringEntryProto, tensor_proto::DataType,
        tensor_shape_proto::dimension::Value as Length, type_proto,
    },
    prelude::*,
    tract_core::ops::Cost,
};

use super::session::Session;
use crate::{
    networks::Backbone,
    weights::{facts::SUM, known_weights::sha256},
};

/// Key of the metadata entry that holds [`OnnxFacts`] as JSON.
const METADATA: &str = "divita";

/// Maximum size of an ONNX file, bytes.
pub const MAX_BYTES: u64 = 1 << 30;

/// Maximum length of a vector.
const MOST_FEATURES: usize = 1 << 16;

/// Maximum side of an input, pixels.
const MOST_PIXELS: usize = 1024;

/// Frames of the clip for the trial run of a network for clips of any length.
const TRIED_FRAMES: usize = 8;

/// Facts in the metadata of an imported ONNX file.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct OnnxFacts {
    /// Name of the network.
    pub network: String,
    /// Length of its vectors.
    pub features: usize,
    /// Number of frames that it reads, if it reads clips of one length.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub frames: Option<usize>,
    /// Whether it reads clips rather than pictures.
    pub clips: bool,
    /// Preprocessing of its input.
    pub input: StreamInput,
    /// SHA-256 of the file that was imported.
    pub source_sha256: String,
}

/// A feature extractor from an ONNX file.
#[derive(Clone, Debug)]
pub struct OnnxBackbone {
    /// Its facts.
    pub facts: OnnxFacts,
    /// The ONNX file, with the facts in its metadata.
    pub bytes: Vec<u8>,
}

/// Why an ONNX file cannot be used as a backbone.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum OnnxBackboneError {
    /// The file cannot be read.
    #[error("{}: cannot read: {reason}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Error of the operating system.
        reason: std::io::Error,
    },
    /// The file is larger than [`MAX_BYTES`].
    #[error("{}: larger than the limit of {} MiB", .0.display(), MAX_BYTES >> 20)]
    TooLarge(PathBuf),
    /// The file is not ONNX.
    #[error("{}: not an ONNX file: {reason}", path.display())]
    NotOnnx {
        /// The file.
        path: PathBuf,
        /// Error of the parser.
        reason: String,
    },
    /// The file was not imported.
    #[error("{}: does not state its preprocessing: import it with `divita-models import-onnx`", .0.display())]
    NotImported(PathBuf),
    /// The network is not a feature extractor for pictures or clips.
    #[error("{}: {reason}", path.display())]
    Unfit {
        /// The file.
        path: PathBuf,
        /// The fault, and what to do.
        reason: String,
    },
}

/// Returns whether the file at `path` begins like an ONNX file, whatever its name.
#[must_use]
pub fn is_onnx(path: &Path) -> bool {
    let mut begin = [0; 9];
    let read = File::open(path).and_then(|mut file| file.read_exact(&mut begin));
    // The first field is the version of the format. The header of a safetensors file begins at byte
    // 8.
    read.is_ok() && begin[0] == 0x08 && begin[8] != b'{'
}

/// Facts that a user states about the network.
#[derive(Clone, Debug)]
pub struct OnnxImport {
    /// Name of the network.
    pub network: String,
    /// Side of its input, if the file leaves it dynamic.
    pub size: Option<usize>,
    /// Shorter side after scaling [default: 8/7 of the input's side, as ImageNet's networks].
    pub resize: Option<usize>,
    /// Preprocessing of its input; the file determines the side.
    pub input: StreamInput,
}

/// Returns whether `name` can be shown in a table, a model card and a terminal.
fn is_plain(name: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-' | '+');
    (1..=100).contains(&name.len()) && name.chars().all(plain)
}

impl OnnxBackbone {
    /// Returns the backbone in the imported file at `path`, and what a store calls it: [`SUM`] and
    /// the file's SHA-256.
    ///
    /// # Errors
    /// [`OnnxBackboneError`].
    pub fn read(path: &Path) -> Result<(OnnxBackbone, String), OnnxBackboneError> {
        let bytes = read(path)?;
        let proto = parse(path, &bytes)?;
        let entry = proto.metadata_props.iter().find(|entry| entry.key == METADATA);
        let facts = entry.and_then(|entry| serde_json::from_str::<OnnxFacts>(&entry.value).ok());
        let facts = facts.ok_or_else(|| OnnxBackboneError::NotImported(path.to_owned()))?;
        let StreamInput { size, resize, stride, .. } = facts.input;
        let sound = (1..=MOST_FEATURES).contains(&facts.features)
            && (1..=MOST_PIXELS).contains(&size)
            && (size..=4 * MOST_PIXELS).contains(&resize)
            && (1..=24).contains(&stride);
        if !sound || !is_plain(&facts.network) {
            return Err(unfit(path, "its metadata is damaged: import the exported file again"));
        }
        let from = format!("{SUM}{}", sha256(&bytes));
        Ok((OnnxBackbone { facts, bytes }, from))
    }

    /// Imports the exported file at `path`: settles what it leaves open, runs it once in tract, and
    /// writes the facts into its metadata.
    ///
    /// # Errors
    /// [`OnnxBackboneError`]: also where tract cannot run the network, or it gives no vector of
    /// finite numbers.
    pub fn import(path: &Path, import: &OnnxImport) -> Result<OnnxBackbone, OnnxBackboneError> {
        let bytes = read(path)?;
        let mut proto = parse(path, &bytes)?;
        if !is_plain(&import.network) {
            return Err(unfit(
                path,
                "its name has other characters than letters, digits, '.', '_', '-' and '+': give --name",
            ));
        }
        if Backbone::from_name(&import.network).is_some() {
            let reason = format!("{} is the name of a network of this tool: choose another --name", import.network);
            return Err(unfit(path, reason));
        }
        let graph = proto.graph.as_mut().ok_or_else(|| unfit(path, "has no graph"))?;
        settle(graph).map_err(|reason| unfit(path, reason))?;
        let (clips, frames, size) = input_of(graph, import.size).map_err(|reason| unfit(path, reason))?;
        if !clips && import.input.stride > 1 {
            return Err(unfit(path, "reads one picture per clip: omit --stride"));
        }
        let resize = import.resize.unwrap_or((size * 8).div_ceil(7));
        if resize < size {
            return Err(unfit(path, format!("reads pictures of {size} pixels, which --resize {resize} cannot fill")));
        }
        let input = StreamInput { size, resize, ..import.input };
        let mut shape = vec![1, 3];
        shape.extend(clips.then(|| frames.unwrap_or(TRIED_FRAMES)));
        shape.extend([size; 2]);
        let features = tried(&proto.encode_to_vec(), &shape).map_err(|reason| unfit(path, reason))?;
        let (network, source_sha256) = (import.network.clone(), sha256(&bytes));
        let facts = OnnxFacts { network, features, frames, clips, input, source_sha256 };
        let value = serde_json::to_string(&facts).map_err(|reason| unfit(path, reason))?;
        proto.metadata_props.retain(|entry| entry.key != METADATA);
        proto.metadata_props.push(StringStringEntryProto { key: METADATA.to_owned(), value });
        Ok(OnnxBackbone { facts, bytes: proto.encode_to_vec() })
    }

    /// Returns the stream whose input it reads.
    #[must_use]
    pub fn stream(&self) -> StreamName {
        if self.facts.clips { StreamName::Video } else { StreamName::Image }
    }

    /// Counts its floating-point weights.
    #[must_use]
    pub fn parameters(&self) -> u64 {
        let Ok(proto) = ModelProto::decode(&*self.bytes) else { return 0 };
        let floats = [DataType::Float, DataType::Float16, DataType::Double, DataType::Bfloat16].map(|kind| kind as i32);
        let weights = proto.graph.iter().flat_map(|graph| &graph.initializer);
        let weights = weights.filter(|tensor| floats.contains(&tensor.data_type) && !tensor.dims.is_empty());
        weights.map(|tensor| tensor.dims.iter().map(|&length| length.max(0) as u64).product::<u64>()).sum()
    }

    /// Counts the multiply-accumulates for an input of `shape` as tract does; `None` where tract
    /// cannot prepare the network.
    #[must_use]
    pub fn macs(&self, shape: &[usize]) -> Option<u64> {
        let model = tract_onnx::onnx().model_for_read(&mut &*self.bytes).ok()?;
        let model =
            model.with_input_fact(0, f32::fact(shape).into()).ok()?.into_typed().ok()?.into_decluttered().ok()?;
        let mut macs = 0;
        for node in model.nodes() {
            let facts = model.node_input_facts(node.id).ok()?;
            for (cost, count) in node.op.cost(&facts).ok()? {
                if matches!(cost, Cost::FMA(_)) {
                    macs += u64::try_from(count.to_i64().ok()?).ok()?;
                }
            }
        }
        Some(macs)
    }
}

fn unfit(path: &Path, reason: impl ToString) -> OnnxBackboneError {
    OnnxBackboneError::Unfit { path: path.to_owned(), reason: reason.to_string() }
}

fn read(path: &Path) -> Result<Vec<u8>, OnnxBackboneError> {
    let failed = |reason| OnnxBackboneError::Read { path: path.to_owned(), reason };
    let mut bytes = Vec::new();
    File::open(path).and_then(|file| file.take(MAX_BYTES + 1).read_to_end(&mut bytes)).map_err(failed)?;
    if bytes.len() as u64 > MAX_BYTES { Err(OnnxBackboneError::TooLarge(path.to_owned())) } else { Ok(bytes) }
}

fn parse(path: &Path, bytes: &[u8]) -> Result<ModelProto, OnnxBackboneError> {
    ModelProto::decode(bytes)
        .map_err(|reason| OnnxBackboneError::NotOnnx { path: path.to_owned(), reason: reason.to_string() })
}

/// Brings a graph into the form that the runtime reads: one input, one output, weights in the file.
fn settle(graph: &mut GraphProto) -> Result<(), String> {
    if graph.initializer.iter().any(|tensor| !tensor.external_data.is_empty()) {
        return Err(
            "keeps its weights in other files: save it as one file (torch.onnx.export(..., external_data=False))"
                .to_owned(),
        );
    }
    // Exporters before IR version 4 list weights as inputs too.
    let GraphProto { input, initializer, .. } = graph;
    input.retain(|input| initializer.iter().all(|tensor| tensor.name != input.name));
    if let names @ [_, _, ..] = &graph.output[..] {
        let names: Vec<&str> = names.iter().map(|output| output.name.as_str()).collect();
        return Err(format!("has {} outputs ({}): export the features alone", names.len(), names.join(", ")));
    }
    if graph.input.len() != 1 || graph.output.len() != 1 {
        return Err(format!("has {} inputs and {} outputs, not one of each", graph.input.len(), graph.output.len()));
    }
    Ok(())
}

/// What the graph reads: whether clips, of how many frames where that is fixed, and the side of the
/// square.
fn input_of(graph: &GraphProto, stated: Option<usize>) -> Result<(bool, Option<usize>, usize), String> {
    const FORMS: &str = "a picture is (1, 3, size, size), a clip (1, 3, frames, size, size)";
    let kind = graph.input[0].r#type.as_ref().and_then(|kind| kind.value.as_ref());
    let Some(type_proto::Value::TensorType(tensor)) = kind else {
        return Err(format!("its input is not a tensor: {FORMS}"));
    };
    if tensor.elem_type != DataType::Float as i32 {
        return Err("its input is not of single precision: export it in float32".to_owned());
    }
    let dims = tensor.shape.iter().flat_map(|shape| &shape.dim);
    let lengths: Vec<Option<usize>> = dims
        .map(|dim| match dim.value {
            Some(Length::DimValue(length)) if length > 0 => usize::try_from(length).ok(),
            _ => None,
        })
        .collect();
    let shown = || {
        let shown = lengths.iter().map(|length| length.map_or("?".to_owned(), |length| length.to_string()));
        shown.collect::<Vec<_>>().join(", ")
    };
    let (batch, channels, frames, sides) = match lengths[..] {
        [batch, channels, height, width] => (batch, channels, None, [height, width]),
        [batch, channels, frames, height, width] => (batch, channels, frames, [height, width]),
        _ => return Err(format!("its input is ({}): {FORMS}", shown())),
    };
    if batch.is_some_and(|batch| batch != 1) {
        return Err(format!("its batch is fixed ({}): export it with a batch of 1 or a free one", shown()));
    }
    if channels.is_some_and(|channels| channels != 3) {
        return Err(format!("its input is ({}), not of three channels first: {FORMS}", shown()));
    }
    let size = match (sides, stated) {
        ([Some(height), Some(width)], _) if height != width => {
            return Err(format!("its input is ({}), which is not square", shown()));
        }
        ([Some(height), _], Some(stated)) if height != stated => {
            return Err(format!("its input is ({}), not of --size {stated}", shown()));
        }
        ([Some(side), _] | [_, Some(side)], _) => side,
        ([None, None], Some(stated)) => stated,
        ([None, None], None) => return Err("leaves the size of its input dynamic: give --size".to_owned()),
    };
    if !(8..=MOST_PIXELS).contains(&size) {
        return Err(format!("reads pictures of {size} pixels; 8 to {MOST_PIXELS} are supported"));
    }
    Ok((lengths.len() == 5, frames, size))
}

/// Runs the network on an input of `shape`, and returns the length of its vector.
fn tried(bytes: &[u8], shape: &[usize]) -> Result<usize, String> {
    // Refuse what a bundle would refuse.
    network::check("the network", bytes, shape).map_err(|error| match error {
        NetworkError::Load { reason, .. } => reason,
        other => other.to_string(),
    })?;
    panics::catch(|| run_once(bytes, shape))?
}

fn run_once(bytes: &[u8], shape: &[usize]) -> Result<usize, String> {
    let model = crate::engines::session::prepare(bytes, [shape]).map_err(|error| error.to_string())?;
    let fact = model.output_fact(0).map_err(|error| format!("has no output: {error}"))?;
    let found = fact.shape.as_concrete().map(<[usize]>::to_vec);
    let features = match found.as_deref() {
        Some(&[1, features]) if (1..=MOST_FEATURES).contains(&features) => features,
        Some(other) => {
            return Err(format!(
                "gives {other:?} in place of one vector (1, features): export it with pooling and flattening, without a classifier"
            ));
        }
        None => return Err("gives an output whose shape is not known: export it with a fixed size".to_owned()),
    };
    let input: Vec<f32> =
        (0..shape.iter().product::<usize>()).map(|at| ((at * 37) % 255) as f32 / 127.5 - 1.0).collect();
    let run = Session::tract(bytes, [shape]).and_then(|mut session| session.run(vec![(shape.to_vec(), input)]));
    let vector = run.map_err(|error| error.to_string())?;
    if vector.iter().any(|value| !value.is_finite()) {
        return Err("gives values that are no finite numbers".to_owned());
    }
    Ok(features)
}
