//! A bundle: the networks, their manifest and their model card in one folder.

use std::{
    collections::BTreeMap,
    ffi::OsStr,
    fs,
    path::{Path, PathBuf},
};

use divita_runtime::{
    bundle::{
        Bundle, FileEntry, GENRES, GOLDEN_FILE, MANIFEST_FILE, Manifest, Provenance, SHOTS_FILE, Stream as StreamEntry,
        StreamInput, Streams, Task,
    },
    golden,
    network::StreamName,
    sampler::WorkingRate,
    shots::ShotSettings,
};

use burn_core::tensor::Device;
use divita_console::{owner::Owner, whole_file::sync_folder};
use rustix::fs::{CWD, RenameFlags};

use crate::{
    Error, cost,
    difference::{Difference, TOLERANCE},
    frozen_backbone::{FrozenBackbone, FrozenNetwork},
    graph::Graph,
    model_card,
    networks::SNIPPET_CLIPS,
    onnx::{self, Precision},
    reference_input::preprocessed_inputs,
    seed::seeded,
    session::Session,
    training::Differentiable,
    weights::Weights,
    zoo::{Backbone, NETWORKS},
};

/// Working rates of the paper's Table 7, frames a second.
pub const WORKING_RATES: [u32; 5] = [4, 6, 8, 12, 24];

/// Largest difference that may lie between a network and its file in half precision, as a part of the output's largest value.
const HALF_TOLERANCE: f32 = 1e-2;

/// How to write a bundle, and where.
#[derive(Clone, Debug)]
pub struct BuildOptions {
    /// Name of the bundle.
    pub name: String,
    /// How weights are stored.
    pub precision: Precision,
    /// The folder to make.
    pub output: PathBuf,
    /// Whether a bundle that is there already is replaced.
    pub force: bool,
    /// The shot detector's weights, as `fit-shots` writes them.
    pub shots: Vec<u8>,
    /// What is to be said wherever a result of the bundle shows.
    pub notice: Option<String>,
}

/// What a bundle is made of, beside the shot detector.
#[derive(Clone, Debug)]
pub struct Contents {
    /// At least one, of each name at most one.
    pub streams: Vec<StreamContents>,
    /// Names of the labels, in the order of the heads' outputs.
    pub labels: Vec<String>,
    /// How the labels' logits become probabilities.
    pub task: Task,
    /// Clips of a snippet.
    pub snippet_clips: usize,
    /// Frames a second that the bundle may run at.
    pub working_rates: Vec<u32>,
    /// Those of them that the heads were trained at.
    pub trained_at: Vec<u32>,
    /// Whether all weights were learned from data.
    pub trained: bool,
    /// Where the weights come from; the tool is this one.
    pub provenance: Provenance,
    /// Measured quality, by name.
    pub metrics: BTreeMap<String, f64>,
    /// SPDX expression of the weights' licence.
    pub licence: String,
    /// What is to be said with every result unless the builder says something else.
    pub notice: Option<String>,
    /// Paragraphs of the model card that say what this bundle is, Markdown.
    pub about: String,
    /// Further rows of its table.
    pub facts: Vec<(String, String)>,
}

/// One stream.
#[derive(Clone, Debug)]
pub struct StreamContents {
    /// What it sees.
    pub backbone: FrozenBackbone,
    /// The head's description.
    pub head: Graph,
    /// Its weights.
    pub head_weights: Weights,
}

/// One of the networks of a bundle with its weights.
#[derive(Clone, Debug)]
pub struct BundleNetwork {
    /// `image`, `image_head`, `video` or `video_head`: its file without `.onnx`.
    pub name: &'static str,
    /// Its description; that of a video backbone is for clips of one frame.
    pub graph: Graph,
    /// Its weights, batch norm unfolded.
    pub weights: Weights,
    /// How frames become its input; none for a head.
    pub input: Option<StreamInput>,
}

/// Names of a stream's two networks.
fn names(stream: StreamName) -> [&'static str; 2] {
    match stream {
        StreamName::Image => ["image", "image_head"],
        StreamName::Video => ["video", "video_head"],
    }
}

impl Contents {
    /// ShuffleNet-Fusion with weights that are random numbers from `seed`.
    #[must_use]
    pub fn seeded(seed: u64) -> Contents {
        let stream = |backbone: Backbone| {
            let [name, head_name] = names(backbone.stream());
            let head = backbone.head();
            StreamContents {
                backbone: FrozenBackbone::seeded(backbone, seed, name),
                head_weights: seeded(&head, seed, head_name),
                head,
            }
        };
        Contents {
            streams: [Backbone::Shufflenet2d, Backbone::Shufflenet3d].map(stream).into(),
            labels: GENRES.map(str::to_owned).to_vec(),
            task: Task::MultiLabel,
            snippet_clips: SNIPPET_CLIPS,
            working_rates: WORKING_RATES.to_vec(),
            trained_at: Vec::new(),
            trained: false,
            provenance: Provenance { weights: "seeded".to_owned(), seed: Some(seed), ..Provenance::default() },
            metrics: BTreeMap::new(),
            licence: "MIT OR Apache-2.0".to_owned(),
            notice: None,
            about: model_card::about_seeded(seed),
            facts: model_card::facts_seeded(seed),
        }
    }

    /// Its networks that this tool describes: of each stream the backbone, unless it comes from elsewhere, and the head.
    #[must_use]
    pub fn networks(&self) -> Vec<BundleNetwork> {
        let of = |stream: &StreamContents| {
            let [name, head] = names(stream.backbone.stream());
            let backbone = match &stream.backbone.network {
                FrozenNetwork::Described { backbone, weights } => Some(BundleNetwork {
                    name,
                    graph: backbone.graph(1),
                    weights: weights.clone(),
                    input: Some(stream.backbone.input),
                }),
                FrozenNetwork::Onnx(_) => None,
            };
            let (graph, weights) = (stream.head.clone(), stream.head_weights.clone());
            let head = BundleNetwork { name: head, graph, weights, input: None };
            backbone.into_iter().chain([head])
        };
        self.streams.iter().flat_map(of).collect()
    }

    /// Name of the network that its streams are, as `zoo` has it.
    fn architecture(&self) -> String {
        let described: Option<Vec<Backbone>> = self.streams.iter().map(|stream| stream.backbone.described()).collect();
        let known = described.and_then(|streams| NETWORKS.iter().find(|network| network.streams == streams));
        let names = || self.streams.iter().map(|stream| stream.backbone.name()).collect::<Vec<_>>().join("+");
        known.map_or_else(names, |network| network.name.to_owned())
    }

    fn entry(&self, name: StreamName) -> Option<StreamEntry> {
        let stream = self.streams.iter().find(|stream| stream.backbone.stream() == name)?;
        let backbone = &stream.backbone;
        let macs = |&rate: &u32| {
            let clips = self.snippet_clips as u64;
            (rate, clips * backbone.macs(rate as usize) + cost::macs(&stream.head))
        };
        let [file, head] = names(name).map(onnx_file);
        Some(StreamEntry {
            backbone: file,
            head,
            features: backbone.features(),
            input: backbone.input,
            parameters: backbone.parameters() + cost::parameters(&stream.head),
            macs_per_snippet: self.working_rates.iter().map(macs).collect(),
        })
    }
}

/// The four networks of a bundle with weights drawn from `seed`.
#[must_use]
pub fn seeded_networks(seed: u64) -> Vec<BundleNetwork> {
    Contents::seeded(seed).networks()
}

/// Writes a bundle. It is made beside its place and moved there when it is complete, so no one ever meets half of it. Every
/// network that burn can run (the transformers among the backbones are not among them) is run in tract from its file, and by its description in burn; where the two do not agree, nothing is written.
///
/// # Errors
/// [`Error::Exists`] where the folder is there and `force` is not set, [`Error::NotABundle`] where it is set but the
/// folder holds something else, [`Error::NotOfTheBundle`] where it holds something beside a bundle, [`Error::Io`] where the disk refuses, [`Error::HalfOverflow`] where a weight is too
/// large for half precision, [`Error::Unverified`] where a file does not compute what its network does.
pub fn build(options: &BuildOptions, contents: &Contents) -> Result<Manifest, Error> {
    let output = &options.output;
    let name = output.file_name().ok_or_else(|| Error::NoFolderName(output.clone()))?;
    let parent = output.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    sweep(parent, name, output);
    if output.exists() {
        if !options.force {
            return Err(Error::Exists(output.clone()));
        }
        replaceable(output)?;
    }
    fs::create_dir_all(parent).map_err(Error::io(parent))?;
    let mut prefix = std::ffi::OsString::from(".");
    prefix.push(name);
    prefix.push(Owner::here().prefix());
    let workshop = tempfile::Builder::new().prefix(&prefix).tempdir_in(parent).map_err(Error::io(parent))?;
    // One level down, because a temporary folder itself is closed to other users.
    let folder = workshop.path().join(NEW);
    fs::create_dir(&folder).map_err(Error::io(&folder))?;
    let manifest = write_files(options, contents, &folder)?;
    sync_folder(&folder).map_err(Error::io(&folder))?;
    let old = workshop.path().join(OLD);
    // Both at once where the file system can, so that a program that is killed leaves one of them in its place.
    if output.exists() && rustix::fs::renameat_with(CWD, &folder, CWD, output, RenameFlags::EXCHANGE).is_ok() {
        sync_folder(parent).map_err(Error::io(parent))?;
        return Ok(manifest);
    }
    if output.exists() {
        fs::rename(output, &old).map_err(Error::io(output))?;
    }
    if let Err(error) = fs::rename(&folder, output) {
        // The old one goes back where it was, before it is deleted with the workshop.
        if old.exists() && fs::rename(&old, output).is_err() {
            let _ = workshop.keep();
        }
        return Err(Error::io(output)(error));
    }
    sync_folder(parent).map_err(Error::io(parent))?;
    Ok(manifest)
}

/// What is being made, and what it takes the place of, in a workshop.
const NEW: &str = "new";
const OLD: &str = "old";

/// Removes the workshops for the bundle `output` of processes that were killed, and puts back the bundle that one of them had
/// moved away. What cannot be removed stays: that is no reason not to build.
fn sweep(parent: &Path, name: &OsStr, output: &Path) {
    let here = Owner::here();
    for entry in fs::read_dir(parent).into_iter().flatten().flatten() {
        let found = entry.file_name();
        let owner =
            name.to_str().zip(found.to_str()).and_then(|(name, found)| found.strip_prefix('.')?.strip_prefix(name));
        if owner.and_then(Owner::parse).is_none_or(|owner| !owner.is_gone(&here)) {
            continue;
        }
        if !output.exists() {
            let _ = fs::rename(entry.path().join(OLD), output);
        }
        if !entry.path().join(OLD).exists() || output.exists() {
            let _ = fs::remove_dir_all(entry.path());
        }
    }
}

/// Whether `folder` is a bundle and nothing else, of whatever version, whole or not: then it may be deleted for another.
fn replaceable(folder: &Path) -> Result<(), Error> {
    let manifest = fs::read(folder.join(MANIFEST_FILE)).ok();
    let manifest: Option<serde_json::Value> = manifest.and_then(|json| serde_json::from_slice(&json).ok());
    let Some(files) = manifest.as_ref().and_then(|manifest| manifest.get("files")?.as_object()) else {
        return Err(Error::NotABundle(folder.to_owned()));
    };
    for entry in fs::read_dir(folder).map_err(Error::read(folder))? {
        let entry = entry.map_err(Error::read(folder))?;
        let name = entry.file_name();
        let known = name.to_str().is_some_and(|name| name == MANIFEST_FILE || files.contains_key(name));
        if !known || entry.path().is_dir() {
            return Err(Error::NotOfTheBundle(entry.path()));
        }
    }
    Ok(())
}

fn write_files(options: &BuildOptions, contents: &Contents, folder: &Path) -> Result<Manifest, Error> {
    for stream in &contents.streams {
        if let FrozenNetwork::Onnx(onnx) = &stream.backbone.network {
            let [name, _] = names(stream.backbone.stream());
            write(&folder.join(onnx_file(name)), &onnx.bytes)?;
        }
    }
    for network in contents.networks() {
        let bytes = onnx::encode(&network.graph, &network.weights, options.precision)?;
        verify(&network, &bytes, options.precision)?;
        write(&folder.join(onnx_file(network.name)), &bytes)?;
    }
    let mut manifest = manifest(options, contents);
    write(&folder.join("README.md"), model_card::text(&manifest, contents).as_bytes())?;
    write(&folder.join(SHOTS_FILE), &options.shots)?;
    // The golden outputs are those of the bundle as the runtime opens it, so it is a whole one before they are there.
    write_manifest(folder, &mut manifest)?;
    // Of the lowest rate, so that it is small.
    let lowest = contents.working_rates.iter().min().and_then(|&rate| WorkingRate::new(rate).ok());
    let golden = golden::record(&Bundle::open(folder)?, lowest.unwrap_or(WorkingRate::ALL[0]))?;
    write(&folder.join(GOLDEN_FILE), &golden)?;
    write_manifest(folder, &mut manifest)?;
    Ok(manifest)
}

/// Whether the ONNX file `bytes` makes in tract what the network makes in burn, whose description it was written from.
fn verify(network: &BundleNetwork, bytes: &[u8], precision: Precision) -> Result<(), Error> {
    let inputs = preprocessed_inputs(&network.graph, network.input);
    let found = Session::tract(bytes, inputs.iter().map(|(shape, _)| shape.as_slice()))?.run(inputs.clone())?;
    let device = Device::flex();
    let mut reference = Differentiable::new(network.graph.clone(), &network.weights, &device.clone().autodiff())?;
    let expected = match reference.infer(&inputs[0], &device) {
        Ok(expected) => expected,
        Err(reason) => {
            log::warn!(
                "{}.onnx is not held against its description ({reason}): `divita-models verify` compares it with ONNX Runtime",
                network.name
            );
            return Ok(());
        }
    };
    let difference = Difference::between(&found, &expected).relative();
    let allowed = match precision {
        Precision::F32 => TOLERANCE,
        Precision::F16 => HALF_TOLERANCE,
    };
    if difference <= allowed { Ok(()) } else { Err(Error::Unverified { network: network.name, difference, allowed }) }
}

/// Writes `manifest`, its table of files brought up to date.
fn write_manifest(folder: &Path, manifest: &mut Manifest) -> Result<(), Error> {
    manifest.files = file_table(folder)?;
    let mut json = serde_json::to_vec_pretty(manifest)?;
    json.push(b'\n');
    write(&folder.join(MANIFEST_FILE), &json)
}

fn onnx_file(name: &str) -> String {
    format!("{name}.onnx")
}

fn manifest(options: &BuildOptions, contents: &Contents) -> Manifest {
    let tool = concat!(env!("CARGO_PKG_NAME"), " ", env!("CARGO_PKG_VERSION")).to_owned();
    let mut manifest = Manifest {
        schema: 1,
        name: options.name.clone(),
        labels: contents.labels.clone(),
        task: contents.task,
        architecture: contents.architecture(),
        trained: contents.trained,
        notice: options.notice.clone(),
        working_rates: contents.working_rates.clone(),
        trained_rates: contents.trained_at.clone(),
        snippet_clips: contents.snippet_clips,
        streams: Streams { image: contents.entry(StreamName::Image), video: contents.entry(StreamName::Video) },
        shots: ShotSettings::default(),
        provenance: Provenance { tool, ..contents.provenance.clone() },
        metrics: contents.metrics.clone(),
        licence: contents.licence.clone(),
        files: BTreeMap::new(),
    };
    manifest.schema = manifest.needed_schema();
    manifest
}

/// Size and sum of every file in `folder` but the manifest.
fn file_table(folder: &Path) -> Result<BTreeMap<String, FileEntry>, Error> {
    let mut table = BTreeMap::new();
    for entry in fs::read_dir(folder).map_err(Error::read(folder))? {
        let path = entry.map_err(Error::read(folder))?.path();
        let bytes = fs::read(&path).map_err(Error::read(&path))?;
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if name != MANIFEST_FILE {
            table.insert(name, FileEntry::of(&bytes));
        }
    }
    Ok(table)
}

fn write(path: &Path, bytes: &[u8]) -> Result<(), Error> {
    fs::write(path, bytes).map_err(Error::io(path))
}
