//! `divita-models fit-shots`: trains the network of the shot detector.

use std::path::PathBuf;

use crate::{
    shots::{
        film::Film,
        training::{Examples, Recipe, fit},
    },
    weights::write_whole,
};
use anyhow::{Error, bail};
use clap::Args;
use divita_runtime::shots::transition_network::{MEMBERS, TransitionNetwork};
use divita_video::Input;

/// Train the shot detector on videos with known transitions
///
/// `divita-models shots --help` describes the ground truth beside each video. Decodes each video
/// once and trains networks of about 20,000 weights on measurements around each frame: at the
/// videos' own frame rates, at lower ones, without the frames that no other needs, and without
/// colour. The same videos in
/// the same order and the same seed give the same weights.
#[derive(Args)]
#[command(after_help = "Example:\n  divita-models fit-shots corpus/train corpus/validation --output shots.safetensors")]
pub struct FitShots {
    /// Videos, or folders of videos
    #[arg(value_name = "INPUT", required = true, value_parser = divita_console::arguments::input_parser())]
    inputs: Vec<Input>,
    /// File of weights to write, for `divita-models shots --detector evidence`; it appears complete
    /// or not at all
    #[arg(long, value_name = "FILE")]
    output: PathBuf,
    /// Networks to train; their outputs are averaged
    #[arg(long, value_name = "N", default_value_t = Recipe::default().members, value_parser = member_count)]
    members: usize,
    /// Epochs
    #[arg(long, value_name = "N", default_value_t = Recipe::default().epochs as u16, value_parser = clap::value_parser!(u16).range(1..))]
    epochs: u16,
    /// Seed of the initial weights and of the order of the frames
    #[arg(long, value_name = "N", default_value_t = Recipe::default().seed)]
    seed: u64,
}

/// Parses the number of networks, at most as many as a file holds.
fn member_count(text: &str) -> Result<usize, String> {
    text.parse().ok().filter(|count| (1..=MEMBERS).contains(count)).ok_or(format!("must be 1 to {MEMBERS}"))
}

/// Reads videos and their ground truth and shows progress.
pub(super) fn read_films(videos: &[Input]) -> anyhow::Result<Vec<Film>> {
    let bar = super::progress::bar(videos.len() as u64);
    let films = Film::read_all(videos, || bar.inc(1)).map_err(|(video, error)| Error::new(error).context(video))?;
    drop(bar);
    Ok(films)
}

impl FitShots {
    /// Trains the networks and writes their weights.
    pub fn run(self) -> anyhow::Result<()> {
        let videos = super::videos(&self.inputs);
        let films = read_films(&videos)?;
        let examples = Examples::of(&films);
        drop(films);
        if examples.is_empty() {
            bail!("the videos have no frames to train on");
        }
        log::info!("{} frames of {} videos", examples.len(), videos.len());
        let recipe = Recipe { members: self.members, epochs: self.epochs.into(), seed: self.seed, ..Recipe::default() };
        let members = fit(&examples, recipe, |member, epoch, loss| {
            log::info!("network {}, epoch {epoch}: loss {loss:.4}", member + 1);
        });
        write_whole(&self.output, &TransitionNetwork::encode(&members)?)?;
        log::info!("wrote {}", self.output.display());
        Ok(())
    }
}
