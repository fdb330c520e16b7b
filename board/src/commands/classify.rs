//! `divita classify`: genre probabilities of videos.

use std::num::NonZeroUsize;

use anyhow::{Context, Result};
use clap::Args;
use divita_runtime::PipelineOptions;
use divita_video::is_live_by_address;

use crate::observers::{Observers, RunInfo};
use crate::options::{
    BoardOptions, BundleOption, ExecutorOption, InputOptions, LATEST, MethodOptions, OutputOptions, ReadingOptions,
    bundle_identity,
};
use crate::output::{Content, Destination};
use crate::session::{self, Engine, Outcome};
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
    #[arg(long, value_name = "N", default_value_t = LATEST)]
    latest: NonZeroUsize,
    #[command(flatten)]
    executor: ExecutorOption,
    #[command(flatten)]
    board: BoardOptions,
}

impl Classify {
    /// Returns whether the results go to standard output.
    pub fn prints(&self) -> bool {
        matches!(self.output.destination(), Destination::Standard)
    }

    /// Classifies every input.
    pub fn run(&self) -> Result<Outcome> {
        let reading = self.reading.session(signals::listen().context("cannot listen to signals")?);
        let mut bundle = self.bundle.open()?;
        self.method.set_borders(&mut bundle);
        self.board.pin_threads();
        let rates = self.method.rates(&bundle);
        self.method.warn_of_untried_rate(&bundle);
        let inputs = self.inputs.expand(&self.reading, &reading.allowed);
        let threads = self.board.threads();
        let jobs = self.inputs.jobs(threads);
        // The threads that read files run networks too, and more threads than processors would be
        // in each other's way. Those that read live inputs run none, and need another that does.
        let live = inputs.iter().filter(|input| is_live_by_address(input)).count();
        let reading_threads = jobs.get().min(inputs.len() - live);
        let threads = match live {
            0 => threads.get().saturating_sub(reading_threads.max(1)),
            _ => threads.get().saturating_sub(reading_threads).max(1),
        };
        let options = self.method.pipeline(&rates);
        let identity = bundle_identity(&bundle);
        let engine = Engine::prepare(bundle, &rates, self.executor.get()?, threads, self.board.profile())?;
        let depends_on = [("bundle", identity), ("--executor", self.executor.name().to_owned())];
        let depends_on = depends_on.into_iter().chain(self.method.dependencies(&rates));
        let observers = Observers::start(&RunInfo {
            inputs: &inputs,
            content: Content::Genres(engine.bundle().manifest()),
            format: self.output.format(),
            output: self.output.destination(),
            resume: self.output.resume(depends_on.chain(self.reading.dependencies())),
        })?;
        session::run(&inputs, &reading, jobs, observers, |source| {
            let options = PipelineOptions { latest: source.live.then_some(self.latest), ..options };
            engine.classification(source, options, self.method.follows_load().then_some(&*rates))
        })
    }
}
