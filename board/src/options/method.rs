//! The options of the method: working rate, segmentation, borders.

use std::num::NonZeroUsize;
use std::str::FromStr;

use clap::Args;
use divita_runtime::bundle::{Borders, Bundle};
use divita_runtime::pipeline::PipelineOptions;
use divita_runtime::sampler::WorkingRate;
use divita_runtime::segmenter::Segmentation;

/// Snippets that the result of a live input is a mean over, unless the user says otherwise.
pub const LATEST: NonZeroUsize = NonZeroUsize::new(10).unwrap();

/// The options of the method.
#[derive(Args)]
pub struct MethodOptions {
    /// Working rate: frames a second that the networks see. Higher is more precise and slower. With
    /// `auto`, the rate of a live input follows the load of the board [default: the lowest rate
    /// that the bundle's heads were trained at]
    #[arg(long, value_name = "4|6|8|12|24|auto")]
    fps: Option<Rate>,
    /// Sample clips within shots (`shot`), or across them (`seq`, an ablation)
    #[arg(long, value_name = "shot|seq", default_value = "shot")]
    segmentation: Segmentation,
    /// Show the networks frames with the borders of a letterbox or pillarbox (`keep`), or without
    /// them (`crop`) [default: as in the bundle's training data]
    #[arg(long, value_name = "keep|crop")]
    borders: Option<Borders>,
}

/// A fixed working rate, or one that follows the load.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rate {
    /// Fixed.
    Fixed(WorkingRate),
    /// Follows the load.
    Auto,
}

impl FromStr for Rate {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "auto" => Ok(Rate::Auto),
            text => text.parse().map(Rate::Fixed).map_err(|error| format!("{error}, or auto")),
        }
    }
}

impl MethodOptions {
    /// Returns the working rates that `bundle` is prepared for, at least one.
    pub fn rates(&self, bundle: &Bundle) -> Vec<WorkingRate> {
        match self.fps {
            None => vec![bundle.manifest().default_rate()],
            Some(Rate::Fixed(rate)) => vec![rate],
            Some(Rate::Auto) => {
                bundle.manifest().working_rates.iter().filter_map(|&fps| WorkingRate::new(fps).ok()).collect()
            }
        }
    }

    /// Makes `bundle` treat borders as the user asked. Logs a warning if its training data was
    /// different.
    pub fn set_borders(&self, bundle: &mut Bundle) {
        let Some(borders) = self.borders else { return };
        let (name, own) = (&bundle.manifest().name, bundle.manifest().borders());
        if bundle.manifest().trained && borders != own {
            log::warn!("bundle \"{name}\": its data was made with --borders {}, not {}", own.name(), borders.name());
        }
        bundle.set_borders(borders);
    }

    /// Returns whether the working rate of a live input follows the load (`--fps auto`).
    pub fn follows_load(&self) -> bool {
        matches!(self.fps, Some(Rate::Auto))
    }

    /// Logs a warning if the user asked for a rate that the heads of `bundle` were not trained at.
    pub fn warn_of_untried_rate(&self, bundle: &Bundle) {
        let manifest = bundle.manifest();
        if let Some(Rate::Fixed(rate)) = self.fps
            && manifest.is_untried_at(rate)
        {
            let trained = manifest.trained_rates.iter().map(u32::to_string).collect::<Vec<_>>().join(" and ");
            log::warn!(
                "bundle \"{}\": its heads were trained at {trained} frames a second, and are untried at {}",
                manifest.name,
                rate.fps()
            );
        }
    }

    /// Returns what results depend on, with its names; `rates` are those of the bundle.
    #[must_use]
    pub fn dependencies(&self, rates: &[WorkingRate]) -> [(&'static str, String); 3] {
        let rates: Vec<String> = rates.iter().map(|rate| rate.fps().to_string()).collect();
        [
            ("--fps", rates.join(",")),
            ("--segmentation", format!("{:?}", self.segmentation).to_lowercase()),
            ("--borders", self.borders.map_or("default", Borders::name).to_owned()),
        ]
    }

    /// Returns the options of a pipeline that starts at the highest of `rates`.
    pub fn pipeline(&self, rates: &[WorkingRate]) -> PipelineOptions {
        let rate = rates.iter().max().copied().unwrap_or_default();
        PipelineOptions { rate, segmentation: self.segmentation, ..PipelineOptions::default() }
    }
}
