//! `divita shots`: the shots of a video, without networks.

use std::path::PathBuf;

use anyhow::{Context, Result};
use clap::Args;
use divita_runtime::sampler::WorkingRate;
use divita_runtime::segmenter::{Segmentation, SegmenterOptions};
use divita_runtime::shots::ShotSettings;
use divita_runtime::shots::transition_network::TransitionNetwork;

use crate::observers::{Observers, RunInfo};
use crate::options::{BundlePlace, InputOptions, OutputOptions, ReadingOptions, bundle_identity, processors};
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
    divita shots --format csv --output shots.csv films/")]
pub struct Shots {
    #[command(flatten)]
    inputs: InputOptions,
    #[command(flatten)]
    output: OutputOptions,
    #[command(flatten)]
    reading: ReadingOptions,
    /// Take the detector's weights and thresholds from this bundle [default: the built-in ones]
    #[arg(long, value_name = "DIR")]
    bundle: Option<PathBuf>,
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
        let (shots, transitions) = match &bundle {
            Some(bundle) => (bundle.manifest().shots, bundle.transitions().clone()),
            None => (ShotSettings::default(), TransitionNetwork::default()),
        };
        // Clips have no pictures here, so the rate does not matter: the lowest costs least.
        let rate = WorkingRate::ALL[0];
        let options = SegmenterOptions { rate, segmentation: Segmentation::Shot, shots, image: None, video: None };
        let inputs = self.inputs.expand(&self.reading, &reading.allowed);
        let detector = bundle.as_ref().map_or_else(|| "built-in".to_owned(), bundle_identity);
        let observers = Observers::start(&RunInfo {
            inputs: &inputs,
            content: Content::Shots,
            format: self.output.format(),
            output: self.output.destination(),
            resume: self.output.resume([("bundle", detector)].into_iter().chain(self.reading.dependencies())),
        })?;
        session::run(&inputs, &reading, self.inputs.jobs(processors()), observers, |_| {
            Ok(Box::new(ShotDetection::new(options, transitions.clone())))
        })
    }
}
