//! `divita-models build`: writes a bundle of seeded, untrained networks.

use std::{fs, path::PathBuf};

use anyhow::Context;
use clap::{Args, ValueEnum};
use divita_models::{
    bundle::{self, BuildOptions},
    onnx,
};
use divita_runtime::shots::transition_network;

/// Write a bundle of untrained networks from a seed
///
/// The weights are random numbers, so the genres that come out mean nothing; the networks have the real size and cost.
/// Use such a bundle to try the program, to test a board or to measure its speed.
///
/// The same seed gives the same networks, byte for byte, on every machine.
#[derive(Args)]
#[command(after_help = "Example:\n  \
    divita-models build --seed 12 --output bundles/demo\n  \
    divita classify --bundle bundles/demo trailer.mp4")]
pub struct Build {
    /// Seed of the random weights, any whole number
    #[arg(long, value_name = "N")]
    seed: u64,
    /// Name that the bundle gives itself
    #[arg(long, default_value = "demo")]
    name: String,
    /// How the weights are stored; they are computed with in single precision either way
    #[arg(long, value_enum, default_value_t = Precision::F16)]
    precision: Precision,
    /// Folder to make; it appears complete or not at all
    #[arg(long, value_name = "DIR")]
    output: PathBuf,
    /// Weights of the shot detector, as `fit-shots` writes them (default: the program's own, which are trained)
    #[arg(long, value_name = "FILE")]
    shot_weights: Option<PathBuf>,
    /// Replace the bundle that is in --output already
    #[arg(long)]
    force: bool,
}

/// How weights are stored in the ONNX files.
#[derive(Clone, Copy, ValueEnum)]
enum Precision {
    /// Four bytes a weight
    F32,
    /// Two bytes a weight: half the size, features change by about one in a thousand
    F16,
}

impl Build {
    /// Writes the bundle.
    pub fn run(self) -> anyhow::Result<()> {
        let precision = match self.precision {
            Precision::F32 => onnx::Precision::F32,
            Precision::F16 => onnx::Precision::F16,
        };
        let shots = match &self.shot_weights {
            Some(path) => fs::read(path).with_context(|| path.display().to_string())?,
            None => transition_network::BUILT_IN.to_vec(),
        };
        let Build { seed, name, output, force, .. } = self;
        let manifest = bundle::build(&BuildOptions { seed, name, precision, output: output.clone(), force, shots })?;
        let bytes: u64 = manifest.files.values().map(|file| file.size).sum();
        log::info!(
            "wrote {} files, {:.2} MB, untrained: {}",
            manifest.files.len() + 1,
            bytes as f64 / 1e6,
            output.display()
        );
        Ok(())
    }
}
