//! `divita shots`: the shots of a video, without networks.

use std::path::PathBuf;

use anyhow::{Context, Result};
use clap::Args;
use divita_console::arguments;
use divita_runtime::sampler::WorkingRate;
use divita_runtime::segmenter::{Segmentation, SegmenterOptions};
use divita_runtime::shots::ShotSettings;
use divita_runtime::shots::transition_network::TransitionNetwork;
use divita_video::Input;
use divita_video::registry::input_help;

use crate::observers::{Observers, RunInfo};
use crate::options::{BundlePlace, OutputOptions, ReadingOptions};
use crate::output::Content;
use crate::session::Outcome;
use crate::session::{self, ShotDetection};
use crate::signals;

/// Detect the shots of a video: where each begins and ends, and how it begins. Runs no networks.
///
/// Fades and black belong to no shot, so that one shot may end before the next begins. A live input
/// (a camera or a stream) runs until --duration is over or Ctrl-C or SIGTERM comes.
#[derive(Args)]
pub struct Shots {
    #[arg(value_name = "INPUT", help = input_help(), value_parser = arguments::input_parser())]
    input: Input,
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
        self.output.path().is_none()
    }

    /// Detects the shots.
    pub fn run(&self) -> Result<Outcome> {
        let reading = self.reading.session(signals::listen().context("cannot listen to signals")?);
        let (shots, transitions) = match &self.bundle {
            Some(path) => {
                let bundle = BundlePlace::Path(path.clone()).open()?;
                (bundle.manifest().shots, bundle.transitions().clone())
            }
            None => (ShotSettings::default(), TransitionNetwork::default()),
        };
        // Clips have no pictures here, so the rate does not matter: the lowest costs least.
        let rate = WorkingRate::ALL[0];
        let options = SegmenterOptions { rate, segmentation: Segmentation::Shot, shots, image: None, video: None };
        let inputs = &[self.reading.apply(self.input.clone())];
        let observers = Observers::start(&RunInfo {
            inputs,
            content: Content::Shots,
            format: self.output.format(),
            output: self.output.path(),
        })?;
        session::run(inputs, &reading, observers, |_| Ok(Box::new(ShotDetection::new(options, transitions.clone()))))
    }
}
