//! `divita classify`: genre probabilities of videos.

use std::num::NonZeroUsize;

use anyhow::{Context, Result};
use clap::Args;
use divita_runtime::{BackbonePool, Networks, Pipeline, PipelineOptions};
use divita_video::Input;

use crate::observers::{Observers, RunInfo};
use crate::options::{
    BoardOptions, BundleOption, ExecutorOption, InputOptions, MethodOptions, OutputOptions, ReadingOptions,
    bundle_identity,
};
use crate::output::Content;
use crate::session::Outcome;
use crate::session::ladder::Ladder;
use crate::session::{self, Classification, Pace};
use crate::signals;

/// Classify videos: print genre probabilities for each input.
///
/// With `--format jsonl`, also prints every shot and clip while the video plays.
///
/// Several files are read at once (--jobs), and all live inputs. A live input (a camera or a
/// stream) runs until --duration is over or Ctrl-C or SIGTERM comes, and is opened again when it
/// fails.
///
/// An input that fails does not stop the others. A damaged or stopped file is classified as far as
/// it was read, and marked incomplete.
#[derive(Args)]
#[command(after_help = "Examples:\n  \
    divita classify samples/sintel-trailer.mp4\n  \
    divita classify --fps 8 --format jsonl trailers/ > genres.jsonl\n  \
    divita classify --format csv --output genres.csv --resume archive/\n  \
    divita classify --fps auto --duration 60 v4l2:///dev/video0\n  \
    ffmpeg -i film.mkv -f yuv4mpegpipe -pix_fmt yuv420p - | divita classify -")]
pub struct Classify {
    #[command(flatten)]
    inputs: InputOptions,
    #[command(flatten)]
    bundle: BundleOption,
    #[command(flatten)]
    method: MethodOptions,
    #[command(flatten)]
    output: OutputOptions,
    #[command(flatten)]
    reading: ReadingOptions,
    /// Number of latest snippets (of 30 clips each) that the result of a live input is a mean over
    #[arg(long, value_name = "N", default_value = "10")]
    latest: NonZeroUsize,
    #[command(flatten)]
    executor: ExecutorOption,
    #[command(flatten)]
    board: BoardOptions,
}

impl Classify {
    /// Returns whether the results go to standard output.
    pub fn prints(&self) -> bool {
        self.output.path().is_none()
    }

    /// Classifies every input.
    pub fn run(&self) -> Result<Outcome> {
        let reading = self.reading.session(signals::listen().context("cannot listen to signals")?);
        let mut bundle = self.bundle.open()?;
        self.method.set_borders(&mut bundle);
        self.board.pin_threads();
        let rates = self.method.rates(&bundle);
        self.method.warn_of_untried_rate(&bundle);
        let networks = Networks::prepare(&bundle, &rates, self.executor.get()?)
            .with_context(|| format!("the bundle {} cannot be used", bundle.path().display()))?;
        let options = self.method.pipeline(&rates, self.board.threads());
        // One pool for all inputs. A single thread runs the networks itself.
        let others = NonZeroUsize::new(options.threads.get() - 1);
        let pool = others.map(|threads| BackbonePool::new(&networks, threads)).transpose()?;
        let inputs = self.inputs.expand(&reading.allowed);
        let inputs: Vec<Input> = inputs.into_iter().map(|input| self.reading.apply(input)).collect();
        let jobs = self.inputs.jobs(options.threads);
        let depends_on = [("bundle", bundle_identity(&bundle)), ("--executor", self.executor.name().to_owned())];
        let depends_on = depends_on.into_iter().chain(self.method.dependencies(&rates));
        let observers = Observers::start(&RunInfo {
            inputs: &inputs,
            content: Content::Genres(bundle.manifest()),
            format: self.output.format(),
            output: self.output.path(),
            resume: self.output.resume(depends_on.chain(self.reading.dependencies())),
        })?;
        let profile = self.board.profile();
        session::run(&inputs, &reading, jobs, observers, |source| {
            let ladder = (source.live && self.method.follows_load()).then(|| Ladder::new(rates.clone(), profile.fps));
            let pace = ladder.flatten().map(|ladder| Pace::new(ladder, &profile.ignored_zones));
            let rate = pace.as_ref().map_or(options.rate, |pace| pace.ladder().rate());
            let options = PipelineOptions { rate, latest: source.live.then_some(self.latest), ..options };
            let pipeline = match &pool {
                Some(pool) => Pipeline::with_pool(&bundle, pool, options),
                None => Pipeline::new(&bundle, &networks, options),
            };
            let pipeline = pipeline?;
            Ok(Box::new(Classification::new(pipeline, source.live, pace)))
        })
    }
}
