//! `divita-models fit-shots`: trains the network of the shot detector.

use std::path::PathBuf;

use anyhow::{Context, bail};
use clap::Args;
use divita_board::inputs::expand;
use divita_models::{
    shot_evaluation::Truth,
    shot_training::{Examples, Recipe, fit},
    weights::write_whole,
};
use divita_runtime::shots::transition_network::TransitionNetwork;
use indicatif::ProgressBar;

/// Train the shot detector on videos whose transitions are known
///
/// The truth of a video lies beside it, as `divita-models shots` reads it. Decodes the videos, which takes most of the time, and trains a
/// network of some 20,000 weights on what the frames around each frame say of it. The same videos and the same seed give the same weights.
#[derive(Args)]
#[command(after_help = "Example:\n  divita-models fit-shots corpus/train corpus/validation --output shots.safetensors")]
pub struct FitShots {
    /// Videos, or folders of videos
    #[arg(value_name = "INPUT", required = true)]
    inputs: Vec<String>,
    /// File of weights to write, as `divita-models shots --detector evidence` reads it; it appears complete or not at all
    #[arg(long, value_name = "FILE")]
    output: PathBuf,
    /// Times that every frame is seen
    #[arg(long, value_name = "N", default_value_t = Recipe::default().epochs)]
    epochs: usize,
    /// Seed of the weights at the start and of the order of the frames
    #[arg(long, value_name = "N", default_value_t = Recipe::default().seed)]
    seed: u64,
}

impl FitShots {
    /// Trains and writes the weights.
    pub fn run(self) -> anyhow::Result<()> {
        let videos = expand(&self.inputs);
        let mut examples = Examples::default();
        let bar = ProgressBar::new(videos.len() as u64);
        for video in &videos {
            examples.add(video, &Truth::of(video)?).with_context(|| video.clone())?;
            bar.inc(1);
        }
        bar.finish_and_clear();
        if examples.is_empty() {
            bail!("there is no frame to learn from");
        }
        log::info!("{} frames of {} videos", examples.len(), videos.len());
        let recipe = Recipe { epochs: self.epochs, seed: self.seed, ..Recipe::default() };
        let weights = fit(&examples, recipe, |epoch, loss| log::info!("epoch {epoch}: loss {loss:.4}"));
        write_whole(&self.output, &TransitionNetwork::encode(&weights)?)?;
        log::info!("wrote {}", self.output.display());
        Ok(())
    }
}
