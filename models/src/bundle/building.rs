//! Writes a bundle: the networks, their manifest and their model card in one folder.

use std::{
    collections::BTreeMap,
    ffi::OsStr,
    fs,
    path::{Path, PathBuf},
};

use divita_runtime::{
    bundle::{Bundle, FileEntry, GOLDEN_FILE, MANIFEST_FILE, Manifest, Provenance, SHOTS_FILE, Streams},
    golden,
    network::StreamName,
    sampler::WorkingRate,
    shots::ShotSettings,
};

use burn_core::tensor::Device;
use divita_console::{owner::Owner, whole_file::sync_folder};
use divita_video::Input as Video;
use rustix::fs::{CWD, RenameFlags};

use super::{
    card,
    contents::{BundleNetwork, Contents, names, onnx_file},
    int8::Clips,
};
use crate::{
    Error,
    engines::{
        difference::{Difference, TOLERANCE},
        frozen_backbone::FrozenNetwork,
        onnx::{self, Precision},
        reference_input::preprocessed_inputs,
        session::Session,
    },
    training::Differentiable,
};

/// Largest difference between a network and its file in half precision, relative to the output's
/// largest value.
const HALF_TOLERANCE: f32 = 1e-2;

/// Options of [`build`].
#[derive(Clone, Debug)]
pub struct BuildOptions {
    /// Name of the bundle.
    pub name: String,
    /// Precision of the stored weights.
    pub precision: Precision,
    /// The folder to create.
    pub output: PathBuf,
    /// Whether to replace an existing bundle.
    pub force: bool,
    /// The shot detector's weights, from `fit-shots`.
    pub shots: Vec<u8>,
    /// Notice that programs show with every result of the bundle.
    pub notice: Option<String>,
    /// Videos to calibrate backbones in eight bits with; none for a bundle without such backbones.
    pub int8: Vec<Video>,
}

/// Writes a bundle. The bundle is made in a temporary folder beside its place and renamed when it
/// is complete, so nobody sees half of it. Every network that burn can run (not the transformers
/// among the backbones) is run in tract from its file and in burn from its description. If the
/// outputs differ, nothing is written.
///
/// # Errors
/// [`Error::Exists`] where the folder exists and `force` is not set, [`Error::NotABundle`] where
/// `force` is set but the folder is not a bundle, [`Error::NotOfTheBundle`] where it contains other
/// files, [`Error::Io`] where a file cannot be written, [`Error::HalfOverflow`] where a weight
/// exceeds half precision, [`Error::Unverified`] where a file does not compute what its network
/// does, and those of `BuildOptions::int8` where a backbone cannot be quantised or is not faithful
/// ([`Error::Unfaithful`]).
pub fn build(options: &BuildOptions, contents: &Contents) -> Result<Manifest, Error> {
    publish(&options.output, options.force, |folder| write_files(options, contents, folder))
}

/// Writes a copy of `bundle` with backbones in eight bits to the folder `output`, like [`build`].
/// `videos` calibrate them. `force` replaces an existing bundle.
///
/// # Errors
/// Those of [`build`].
pub fn quantised(bundle: &Bundle, output: &Path, force: bool, videos: &[Video]) -> Result<Manifest, Error> {
    publish(output, force, |folder| {
        let mut manifest = bundle.manifest().clone();
        for name in manifest.files.keys().filter(|name| *name != GOLDEN_FILE) {
            write(&folder.join(name), bundle.file(name).unwrap_or_default())?;
        }
        let clips = quantise(folder, &mut manifest, videos)?;
        complete(folder, &mut manifest, Some(&clips))?;
        Ok(manifest)
    })
}

/// Creates the bundle folder `output` with the files that `write` writes.
fn publish(
    output: &Path,
    force: bool,
    write: impl FnOnce(&Path) -> Result<Manifest, Error>,
) -> Result<Manifest, Error> {
    let name = output.file_name().ok_or_else(|| Error::NoFolderName(output.to_owned()))?;
    let parent = output.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    sweep(parent, name, output);
    if output.exists() {
        if !force {
            return Err(Error::Exists(output.to_owned()));
        }
        replaceable(output)?;
    }
    fs::create_dir_all(parent).map_err(Error::io(parent))?;
    let mut prefix = std::ffi::OsString::from(".");
    prefix.push(name);
    prefix.push(Owner::current().prefix());
    let workshop = tempfile::Builder::new().prefix(&prefix).tempdir_in(parent).map_err(Error::io(parent))?;
    // One level down, because a temporary folder itself is closed to other users.
    let folder = workshop.path().join(NEW);
    fs::create_dir(&folder).map_err(Error::io(&folder))?;
    let manifest = write(&folder)?;
    sync_folder(&folder).map_err(Error::io(&folder))?;
    let old = workshop.path().join(OLD);
    // Both at once where the file system can, so that a program that is killed leaves one of them
    // in its place.
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

/// Names of the new and the old bundle in a temporary folder.
const NEW: &str = "new";
const OLD: &str = "old";

/// Removes the temporary folders that killed processes left for the bundle `output`, and restores
/// the bundle that one of them had moved away. Ignores what cannot be removed.
fn sweep(parent: &Path, name: &OsStr, output: &Path) {
    let here = Owner::current();
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

/// Checks that `folder` is a bundle and nothing else, of any version, complete or not, so that it
/// may be deleted.
///
/// # Errors
/// [`Error::NotABundle`] and [`Error::NotOfTheBundle`].
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
    let clips = match options.int8.is_empty() {
        true => None,
        false => Some(quantise(folder, &mut manifest, &options.int8)?),
    };
    write(&folder.join("README.md"), card::text(&manifest, contents).as_bytes())?;
    write(&folder.join(SHOTS_FILE), &options.shots)?;
    complete(folder, &mut manifest, clips.as_ref())?;
    Ok(manifest)
}

/// Quantises the backbones in `folder` with clips of `videos`, adds their files to `manifest` and
/// returns the clips.
fn quantise(folder: &Path, manifest: &mut Manifest, videos: &[Video]) -> Result<Clips, Error> {
    let clips = Clips::cut(manifest, videos)?;
    let Streams { image, video } = &mut manifest.streams;
    for (stream, entry) in [(StreamName::Image, image), (StreamName::Video, video)] {
        let Some(entry) = entry else { continue };
        let path = folder.join(&entry.backbone);
        let onnx = fs::read(&path).map_err(Error::read(&path))?;
        let file = onnx_file(&format!("{}_int8", stream.as_str()));
        write(&folder.join(&file), &clips.quantise(stream, entry.input, &onnx)?)?;
        entry.int8 = Some(file);
    }
    Ok(clips)
}

/// Verifies backbones in eight bits with their `clips`, records the golden outputs and writes the
/// manifest.
fn complete(folder: &Path, manifest: &mut Manifest, clips: Option<&Clips>) -> Result<(), Error> {
    // The golden outputs are those of the bundle as the runtime opens it, so it is a whole one
    // before they are there.
    write_manifest(folder, manifest)?;
    if let Some(clips) = clips {
        clips.verify(folder)?;
    }
    // Of the lowest rate, so that it is small.
    let lowest = manifest.working_rates.iter().min().and_then(|&rate| WorkingRate::new(rate).ok());
    let golden = golden::record(&Bundle::open(folder)?, lowest.unwrap_or(WorkingRate::ALL[0]))?;
    write(&folder.join(GOLDEN_FILE), &golden)?;
    write_manifest(folder, manifest)
}

/// Checks that the ONNX file `bytes` computes in tract what the description of the network computes
/// in burn.
fn verify(network: &BundleNetwork, bytes: &[u8], precision: Precision) -> Result<(), Error> {
    let inputs = preprocessed_inputs(&network.graph, network.backbone, network.input);
    let found = Session::tract(bytes, inputs.iter().map(|(shape, _)| shape.as_slice()))?.run(inputs.clone())?;
    let device = Device::flex();
    let mut reference = Differentiable::new(network.graph.clone(), &network.weights, &device.clone().autodiff())?;
    let expected = match reference.infer(&inputs[0], &device) {
        Ok(expected) => expected,
        Err(reason) => {
            log::warn!(
                "{}.onnx was not verified against its description ({reason}): verify it with `divita-models verify`",
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

/// Writes `manifest` with an updated table of files.
fn write_manifest(folder: &Path, manifest: &mut Manifest) -> Result<(), Error> {
    manifest.files = file_table(folder)?;
    let mut json = serde_json::to_vec_pretty(manifest)?;
    json.push(b'\n');
    write(&folder.join(MANIFEST_FILE), &json)
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

/// Returns size and SHA-256 of every file in `folder` except the manifest.
fn file_table(folder: &Path) -> Result<BTreeMap<String, FileEntry>, Error> {
    let mut table = BTreeMap::new();
    for entry in fs::read_dir(folder).map_err(Error::read(folder))? {
        let path = entry.map_err(Error::read(folder))?.path();
        let bytes = fs::read(&path).map_err(Error::read(&path))?;
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if name != MANIFEST_FILE {
            table.insert(name, FileEntry::from_data(&bytes));
        }
    }
    Ok(table)
}

fn write(path: &Path, bytes: &[u8]) -> Result<(), Error> {
    fs::write(path, bytes).map_err(Error::io(path))
}
