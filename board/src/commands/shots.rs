//! `divita shots`: the shots of a video, without networks.

use std::num::NonZeroU64;
use std::path::PathBuf;

use anyhow::{Context, Result};
use clap::Args;
use divita_runtime::sampler::WorkingRate;
use divita_runtime::segmenter::{Segmentation, SegmenterOptions};
use divita_runtime::shots::ShotSettings;
use divita_runtime::shots::transition_network::TransitionNetwork;

use crate::observers::{ImagesPlace, Observers, RunInfo};
use crate::options::{
    BundlePlace, HistoryOptions, InputOptions, OutputOptions, ReadingOptions, bundle_identity, processors,
};
use crate::output::{Content, Destination};
use crate::session::Outcome;
use crate::session::{self, ShotDetection};
use crate::signals;

/// Detect the shots of videos: where each begins and ends, and how it begins. Runs no networks.
///
/// Fades and black belong to no shot, so that one shot may end before the next begins. A live input
/// (a camera or a stream) runs until --duration is over or Ctrl-C or SIGTERM comes.
///
/// Several files are read at once (--jobs). An input that fails does not stop the others.
#[derive(Args)]
#[command(after_help = "Examples:\n  \
    divita shots samples/sintel-trailer.mp4\n  \
    divita shots --format csv --output shots.csv films/\n  \
    divita shots --format edl --output sintel.edl samples/sintel-trailer.mp4\n  \
    divita shots --format otio --gap-free --output lists/ films/\n  \
    divita shots --save-images 3 --images pictures/ film.mp4")]
pub struct Shots {
    #[command(flatten)]
    inputs: InputOptions,
    #[command(flatten)]
    output: OutputOptions,
    #[command(flatten)]
    reading: ReadingOptions,
    #[command(flatten)]
    history: HistoryOptions,
    /// Take the detector's weights and thresholds from this bundle [default: the built-in ones]
    #[arg(long, value_name = "DIR")]
    bundle: Option<PathBuf>,
    /// Find a cut where its probability is above this, from 0 to 1. A lower number finds more cuts
    /// [default: the bundle's, or 0.76]
    #[arg(long, value_name = "P", value_parser = probability)]
    threshold: Option<f32>,
    /// Save this number of pictures of each shot of a file to --images, from a second pass
    #[arg(long, value_name = "N", requires = "images", value_parser = pictures)]
    save_images: Option<NonZeroU64>,
    /// Folder of the pictures: FILM-SHOT-PICTURE.jpg
    #[arg(long, value_name = "DIR", requires = "save_images")]
    images: Option<PathBuf>,
}

/// Most pictures of a shot.
const MOST_PICTURES: u64 = 100;

/// Parses a number of pictures.
fn pictures(text: &str) -> Result<NonZeroU64, String> {
    let number = text.parse().ok().filter(|number: &NonZeroU64| number.get() <= MOST_PICTURES);
    number.ok_or_else(|| format!("choose 1 to {MOST_PICTURES}"))
}

/// Parses a probability.
fn probability(text: &str) -> Result<f32, &'static str> {
    text.parse().ok().filter(|value| (0.0..=1.0).contains(value)).ok_or("give a number from 0 to 1, such as 0.5")
}

impl Shots {
    /// Returns whether the results go to standard output.
    pub fn prints(&self) -> bool {
        matches!(self.output.destination(), Destination::Standard)
    }

    /// Detects the shots.
    pub fn run(&self) -> Result<Outcome> {
        let reading = self.reading.session(signals::listen().context("cannot listen to signals")?);
        let bundle = self.bundle.clone().map(|path| BundlePlace::Path(path).open()).transpose()?;
        let (mut shots, transitions) = match &bundle {
            Some(bundle) => (bundle.manifest().shots, bundle.transitions().clone()),
            None => (ShotSettings::default(), TransitionNetwork::default()),
        };
        shots.cut = self.threshold.unwrap_or(shots.cut);
        // Clips have no pictures here, so the rate does not matter: the lowest costs least.
        let rate = WorkingRate::ALL[0];
        let options = SegmenterOptions { rate, segmentation: Segmentation::Shot, shots, image: None, video: None };
        let inputs = self.inputs.expand(&self.reading, &reading.allowed);
        let detector = bundle.as_ref().map_or_else(|| "built-in".to_owned(), bundle_identity);
        let depends_on = [("bundle", detector), ("--threshold", shots.cut.to_string())];
        let observers = Observers::start(&RunInfo {
            inputs: &inputs,
            content: Content::Shots,
            format: self.output.format(),
            colours: self.output.colours(),
            output: self.output.destination_of(&inputs)?,
            report: None,
            images: self
                .save_images
                .zip(self.images.as_deref())
                .map(|(per_shot, folder)| ImagesPlace { folder, per_shot }),
            history: self.history.place(),
            shot_list: self.output.shot_list(),
            resume: self.output.resume(depends_on.into_iter().chain(self.reading.dependencies())),
        })?;
        session::run(&inputs, &reading, self.inputs.jobs(processors()), observers, |_| {
            Ok(Box::new(ShotDetection::new(options, transitions.clone())))
        })
    }
}
