//! `divita-models import-onnx`: imports a feature extractor from an ONNX file as a backbone.

use std::path::PathBuf;

use crate::{
    engines::onnx_backbone::{OnnxBackbone, OnnxImport},
    weights::write_whole,
};
use clap::Args;
use divita_runtime::{bundle::StreamInput, network::StreamName};

use super::input_options::InputOptions;

/// Import a feature extractor from an ONNX file
///
/// The network reads one picture (1, 3, size, size) or one clip (1, 3, frames, size, size),
/// channels first, in single precision, and outputs one vector (1, features), as exported by
/// torch.onnx.export or timm without the classifier. Batch and frames may be dynamic. Runs the file
/// once in tract and writes it with its preprocessing in its metadata. `extract --weights`, `build`
/// and the runtime then accept it like any backbone. The runtime's executor runs it if it
/// recognises the network, otherwise tract does.
///
/// An ONNX file does not state its normalisation. State it with the options below; the default is
/// ImageNet's.
#[derive(Args)]
#[command(after_help = "Examples:\n  \
    divita-models import-onnx mobilenetv3.onnx --output mobilenetv3-backbone.onnx\n  \
    divita-models import-onnx x3d.onnx --mean 0.45 --std 0.225 --resize 182 --output x3d-backbone.onnx\n  \
    divita-models extract films/ --weights mobilenetv3-backbone.onnx --store image.zarr")]
pub struct ImportOnnx {
    /// Exported ONNX file
    file: PathBuf,
    /// ONNX file to write; it appears complete or not at all
    #[arg(long, value_name = "FILE")]
    output: PathBuf,
    /// Name of the network [default: name of the file]
    #[arg(long)]
    name: Option<String>,
    /// Side of the input in pixels, if the file leaves it dynamic
    #[arg(long, value_name = "PIXELS")]
    size: Option<usize>,
    #[command(flatten)]
    input: InputOptions,
}

impl ImportOnnx {
    /// Imports the network.
    pub fn run(self) -> anyhow::Result<()> {
        if self.input.is_auto() {
            anyhow::bail!(
                "--input auto needs the statistics of a batch norm, which ONNX files do not keep: name the normalisation"
            );
        }
        let usual = StreamInput::new(1, 1, [0.485, 0.456, 0.406], [0.229, 0.224, 0.225]);
        let input = self.input.apply(usual, StreamName::Video)?;
        let stem = || self.file.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        let network = self.name.clone().unwrap_or_else(stem);
        let import = OnnxImport { network, size: self.size, resize: self.input.resize(), input };
        let backbone = OnnxBackbone::import(&self.file, &import)?;
        write_whole(&self.output, &backbone.bytes)?;
        let facts = &backbone.facts;
        log::info!(
            "{}: {} stream, vectors of {} numbers, {:.2} M parameters{}",
            facts.network,
            backbone.stream().as_str(),
            facts.features,
            backbone.parameters() as f64 / 1e6,
            facts.frames.map(|frames| format!(", clips of {frames} frames only")).unwrap_or_default()
        );
        log::info!("preprocessing: {}", facts.input);
        log::info!("wrote {}", self.output.display());
        Ok(())
    }
}
