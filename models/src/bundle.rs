//! A bundle written from a seed: the networks, their manifest and their model card in one folder.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use divita_runtime::{
    bundle::{
        BUNDLE_SCHEMA, Bundle, FileEntry, GENRES, GOLDEN_FILE, MANIFEST_FILE, Manifest, Provenance, SHOTS_FILE,
        Stream as StreamEntry, Streams,
    },
    golden,
    sampler::WorkingRate,
    shots::ShotSettings,
};

use crate::{
    Error,
    graph::Graph,
    model_card,
    networks::SNIPPET_CLIPS,
    onnx::{self, Precision},
    seed::seeded,
    weights::Weights,
    zoo::Backbone,
};

/// Working rates of the paper's Table 7, frames a second.
pub const WORKING_RATES: [u32; 5] = [4, 6, 8, 12, 24];

/// The rate of the golden clip: the lowest, so that it is small.
const GOLDEN_RATE: WorkingRate = WorkingRate::ALL[0];

/// Which bundle to write.
#[derive(Clone, Debug)]
pub struct BuildOptions {
    /// Seed of all weights.
    pub seed: u64,
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
}

/// One stream of the bundle: its names and what it is.
struct Part {
    /// Name of the stream, its ONNX file and its weights' stream of random numbers.
    backbone: &'static str,
    /// The same for its head.
    head: &'static str,
    network: Backbone,
}

const PARTS: [Part; 2] = [
    Part { backbone: "image", head: "image_head", network: Backbone::Shufflenet2d },
    Part { backbone: "video", head: "video_head", network: Backbone::Shufflenet3d },
];

/// Writes a bundle of untrained networks. It is made beside its place and moved there when it is complete, so no one
/// ever meets half of it.
///
/// # Errors
/// [`Error::Exists`] where the folder is there and `force` is not set, [`Error::NotABundle`] where it is set but the
/// folder holds something else, [`Error::Io`] where the disk refuses, [`Error::HalfOverflow`] where a weight is too
/// large for half precision.
pub fn build(options: &BuildOptions) -> Result<Manifest, Error> {
    let output = &options.output;
    if output.exists() {
        if !options.force {
            return Err(Error::Exists(output.clone()));
        }
        if !output.join(MANIFEST_FILE).is_file() {
            return Err(Error::NotABundle(output.clone()));
        }
    }
    let name = output.file_name().ok_or_else(|| Error::NoFolderName(output.clone()))?;
    let parent = output.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    fs::create_dir_all(parent).map_err(Error::io(parent))?;
    let mut prefix = std::ffi::OsString::from(".");
    prefix.push(name);
    let workshop = tempfile::Builder::new().prefix(&prefix).tempdir_in(parent).map_err(Error::io(parent))?;
    // One level down, because a temporary folder itself is closed to other users.
    let folder = workshop.path().join("new");
    fs::create_dir(&folder).map_err(Error::io(&folder))?;
    let manifest = write_files(options, &folder)?;
    let old = workshop.path().join("old");
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
    Ok(manifest)
}

/// One of the networks of a bundle with its weights.
#[derive(Clone, Debug)]
pub struct SeededNetwork {
    /// `image`, `image_head`, `video` or `video_head`: its file without `.onnx`.
    pub name: &'static str,
    /// Its description; that of the video backbone is for clips of one frame.
    pub graph: Graph,
    /// Its weights, batch norm unfolded.
    pub weights: Weights,
}

/// The four networks of a bundle with weights drawn from `seed`.
#[must_use]
pub fn seeded_networks(seed: u64) -> Vec<SeededNetwork> {
    let graphs =
        PARTS.iter().flat_map(|part| [(part.backbone, part.network.graph(1)), (part.head, part.network.head())]);
    let network = |(name, graph)| SeededNetwork { name, weights: seeded(&graph, seed, name), graph };
    graphs.map(network).collect()
}

fn write_files(options: &BuildOptions, folder: &Path) -> Result<Manifest, Error> {
    for network in seeded_networks(options.seed) {
        let bytes = onnx::encode(&network.graph, &network.weights, options.precision)?;
        write(&folder.join(onnx_file(network.name)), &bytes)?;
    }
    let [image, video] = PARTS.map(|part| part.entry());
    let mut manifest = manifest(options, Streams { image: Some(image), video: Some(video) });
    write(&folder.join("README.md"), model_card::text(&manifest, options.seed).as_bytes())?;
    write(&folder.join(SHOTS_FILE), &options.shots)?;
    // The golden outputs are those of the bundle as the runtime opens it, so it is a whole one before they are there.
    write_manifest(folder, &mut manifest)?;
    let golden = golden::record(&Bundle::open(folder)?, GOLDEN_RATE)?;
    write(&folder.join(GOLDEN_FILE), &golden)?;
    write_manifest(folder, &mut manifest)?;
    Ok(manifest)
}

/// Writes `manifest`, its table of files brought up to date.
fn write_manifest(folder: &Path, manifest: &mut Manifest) -> Result<(), Error> {
    manifest.files = file_table(folder)?;
    let mut json = serde_json::to_vec_pretty(manifest)?;
    json.push(b'\n');
    write(&folder.join(MANIFEST_FILE), &json)
}

impl Part {
    fn entry(&self) -> StreamEntry {
        let macs = |rate: u32| (rate, self.network.macs_per_snippet(rate as usize));
        StreamEntry {
            backbone: onnx_file(self.backbone),
            head: onnx_file(self.head),
            features: self.network.features(),
            input: self.network.input(),
            parameters: self.network.parameters(),
            macs_per_snippet: WORKING_RATES.map(macs).into(),
        }
    }
}

fn onnx_file(name: &str) -> String {
    format!("{name}.onnx")
}

fn manifest(options: &BuildOptions, streams: Streams) -> Manifest {
    Manifest {
        schema: BUNDLE_SCHEMA,
        name: options.name.clone(),
        labels: GENRES.map(str::to_owned).to_vec(),
        architecture: "shufflenet-fusion".to_owned(),
        trained: false,
        working_rates: WORKING_RATES.to_vec(),
        snippet_clips: SNIPPET_CLIPS,
        streams,
        shots: ShotSettings::default(),
        provenance: Provenance {
            weights: "seeded".to_owned(),
            seed: Some(options.seed),
            tool: concat!(env!("CARGO_PKG_NAME"), " ", env!("CARGO_PKG_VERSION")).to_owned(),
            ..Provenance::default()
        },
        metrics: BTreeMap::new(),
        licence: "MIT OR Apache-2.0".to_owned(),
        files: BTreeMap::new(),
    }
}

/// Size and sum of every file in `folder` but the manifest.
fn file_table(folder: &Path) -> Result<BTreeMap<String, FileEntry>, Error> {
    let mut table = BTreeMap::new();
    for entry in fs::read_dir(folder).map_err(Error::io(folder))? {
        let path = entry.map_err(Error::io(folder))?.path();
        let bytes = fs::read(&path).map_err(Error::io(&path))?;
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
