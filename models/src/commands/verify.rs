//! `divita-models verify`: compares the outputs of a network in several engines.

use std::io::Write;
use std::path::PathBuf;

use crate::{
    engines::{
        difference::{Difference, TOLERANCE},
        onnx::{self, Precision},
        reference_input::preprocessed_inputs,
        session::{Device, ORT_LIBRARY, Session},
    },
    networks::{Backbone, zoo},
    weights::{checkpoint, facts::Facts, seed::seeded},
};
use anyhow::{Context, bail};
use clap::Args;

/// Compare a network in tract, ONNX Runtime and PyTorch
///
/// Writes the network as ONNX, runs it on a fixed input in tract, and compares the output with ONNX
/// Runtime (if ORT_DYLIB_PATH names its library) and with the reference implementation's output (if
/// given). Also prints the effect of half-precision weights. Prints the largest and the mean
/// difference; fails if the largest exceeds 1e-4 of the output's largest value. Weights come from
/// `import`, or from a seed. The fixed input follows the preprocessing of the weights: values from
/// 0 to 255 where they were trained on these.
#[derive(Args)]
#[command(after_help = "Examples:\n  \
    divita-models verify resnet --seed 12\n  \
    divita-models verify transnetv2 --weights transnetv2.safetensors --onnx transnetv2.onnx")]
pub struct Verify {
    /// Network, by its name in `import`
    network: String,
    /// Weights from `import`
    #[arg(long, value_name = "FILE", required_unless_present = "seed")]
    weights: Option<PathBuf>,
    /// Seed of random weights instead of trained ones
    #[arg(long, value_name = "N", conflicts_with = "weights")]
    seed: Option<u64>,
    /// Length of the vectors that a seeded head reads
    #[arg(long, value_name = "N", default_value_t = 1024, value_parser = clap::value_parser!(u16).range(1..))]
    features: u16,
    /// Frames of the clip that a 3D network reads
    #[arg(long, value_name = "F", default_value_t = 24, value_parser = clap::value_parser!(u16).range(1..=256))]
    frames: u16,
    /// Safetensors file with the reference implementation's output for the fixed input, as its only
    /// tensor or under the network's name
    #[arg(long, value_name = "FILE")]
    vectors: Option<PathBuf>,
    /// Compare with ONNX Runtime on this device too; cuda needs ORT_DYLIB_PATH to name the
    /// libonnxruntime.so of onnxruntime-gpu, and a program built with the feature `cuda`
    #[arg(long, value_name = "cpu|cuda", default_value = "cpu")]
    device: Device,
    /// Also write the network, in single precision, to this ONNX file
    #[arg(long, value_name = "FILE")]
    onnx: Option<PathBuf>,
}

impl Verify {
    /// Compares the outputs and prints one line per comparison.
    pub fn run(self) -> anyhow::Result<()> {
        let network = &self.network;
        super::import::known(network)?;
        let (graph, weights, input) = match &self.weights {
            Some(path) => {
                let checkpoint = checkpoint::read(path)?;
                let input = Facts::of(&checkpoint).and_then(|facts| facts.input);
                let (graph, mapping) = super::import::map(network, usize::from(self.frames), checkpoint, path)?;
                (graph, mapping.weights, input)
            }
            None => {
                let graph = zoo::describe(network, usize::from(self.frames), Some(usize::from(self.features)))
                    .context("the network has no description")?;
                let weights = seeded(&graph, self.seed.unwrap_or_default(), network);
                (graph, weights, None)
            }
        };
        if let Some(input) = input {
            log::info!("preprocessing: {input}");
        }
        let inputs = preprocessed_inputs(&graph, Backbone::from_name(network), input);
        let single = onnx::encode(&graph, &weights, Precision::F32)?;
        let half = onnx::encode(&graph, &weights, Precision::F16)?;
        let shapes = || inputs.iter().map(|(shape, _)| shape.as_slice());
        let tract = |onnx: &[u8]| Session::tract(onnx, shapes())?.run(inputs.clone());
        let found = tract(&single)?;

        let mut out = std::io::stdout();
        writeln!(out, "{network}: {:.1} MB, {:.1} MB in half precision", megabytes(&single), megabytes(&half))?;
        writeln!(out, "{:<27} {:>10} {:>10} {:>12}", "", "worst", "mean", "of largest")?;
        let mut agree = true;
        let mut line = |what: &str, difference: Difference, counts: bool| {
            agree &= !counts || difference.is_small();
            let Difference { worst, mean, .. } = difference;
            writeln!(out, "{what:<27} {worst:>10.2e} {mean:>10.2e} {:>12.2e}", difference.relative())
        };
        if let Some(expected) = self.vectors.as_ref().map(|path| self.expected(path)).transpose()? {
            line("tract, reference vectors", Difference::between(&found, &expected), true)?;
        }
        match Session::onnxruntime(&single, Device::Cpu)? {
            Some(mut onnxruntime) => {
                line("tract, ONNX Runtime", Difference::between(&found, &onnxruntime.run(inputs.clone())?), true)?;
            }
            None => log::warn!("not compared with ONNX Runtime: {ORT_LIBRARY} does not name a libonnxruntime.so"),
        }
        if self.device == Device::Cuda {
            let expected = Session::on(self.device, &single, shapes())?.run(inputs.clone())?;
            line("tract, ONNX Runtime on CUDA", Difference::between(&found, &expected), true)?;
        }
        line("half, single precision", Difference::between(&tract(&half)?, &found), false)?;
        if !agree {
            bail!("{network}: outputs differ by more than {TOLERANCE:e} of the largest value");
        }
        if let Some(path) = &self.onnx {
            crate::weights::write_whole(path, &single)?;
            log::info!("wrote {}", path.display());
        }
        Ok(())
    }

    /// Reads the output of the reference implementation.
    fn expected(&self, path: &std::path::Path) -> anyhow::Result<Vec<f32>> {
        let mut tensors = checkpoint::read(path)?.tensors;
        let only = (tensors.len() == 1).then(|| tensors.pop_first()).flatten().map(|(_, tensor)| tensor);
        let tensor = only.or_else(|| tensors.remove(&self.network));
        tensor.map(|tensor| tensor.data).with_context(|| format!("{} has no tensor {}", path.display(), self.network))
    }
}

fn megabytes(bytes: &[u8]) -> f64 {
    bytes.len() as f64 / 1e6
}
