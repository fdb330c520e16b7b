//! Classification of inputs, for `classify` and `report`.

use std::num::NonZeroUsize;
use std::path::Path;

use anyhow::{Context, Result};
use clap::Args;
use divita_runtime::{Keyframes, PipelineOptions};
use divita_video::is_live_by_address;

use crate::misuse::Misuse;
use crate::observers::{Observers, RunInfo};
use crate::options::{
    BoardOptions, BundleOption, ExecutorOption, HistoryOptions, InputOptions, LATEST, MethodOptions, OutputOptions,
    ReadingOptions, bundle_identity, is_folder,
};
use crate::output::{Content, Destination, formats};
use crate::session::{self, Engine, Outcome};
use crate::signals;

/// Options of a classification, without those of its results.
#[derive(Args)]
pub struct ClassificationOptions {
    #[command(flatten)]
    inputs: InputOptions,
    #[command(flatten)]
    bundle: BundleOption,
    #[command(flatten)]
    method: MethodOptions,
    #[command(flatten)]
    reading: ReadingOptions,
    /// Number of latest snippets (of 30 clips each) that the result of a live input is a mean over
    #[arg(long, value_name = "N", default_value_t = LATEST)]
    latest: NonZeroUsize,
    #[command(flatten)]
    executor: ExecutorOption,
    #[command(flatten)]
    history: HistoryOptions,
    #[command(flatten)]
    board: BoardOptions,
}

/// Outputs of a classification.
#[derive(Clone, Copy)]
pub struct Outputs<'a> {
    /// Options of the results; `None` writes none.
    pub results: Option<&'a OutputOptions>,
    /// Where reports go: the page of a single film, or a folder.
    pub report: Option<&'a Path>,
}

impl ClassificationOptions {
    /// Classifies every input.
    pub fn run(&self, Outputs { results, report }: Outputs<'_>) -> Result<Outcome> {
        let reading = self.reading.session(signals::listen().context("cannot listen to signals")?);
        let mut bundle = self.bundle.open()?;
        self.method.set_borders(&mut bundle);
        self.board.pin_threads();
        let rates = self.method.rates(&bundle);
        self.method.warn_of_untried_rate(&bundle);
        let inputs = self.inputs.expand(&self.reading, &reading.allowed);
        let output = match results {
            Some(results) => results.destination_of(&inputs)?,
            None => Destination::Nowhere,
        };
        if let Some(place) = report
            && inputs.len() > 1
            && !is_folder(place)
        {
            let message = format!(
                "{} films need a report each: name a folder, such as {}/",
                inputs.len(),
                place.with_extension("").display()
            );
            return Err(Misuse(message).into());
        }
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
        let keyframes = if report.is_some() { Keyframes::Shots } else { Keyframes::None };
        let options = PipelineOptions { keyframes, ..self.method.pipeline(&rates) };
        let identity = bundle_identity(&bundle);
        let engine = Engine::prepare(bundle, &rates, self.executor.get()?, threads, self.board.profile())?;
        let depends_on = [("bundle", identity), ("--executor", self.executor.name().to_owned())];
        let depends_on = depends_on.into_iter().chain(self.method.dependencies(&rates));
        let observers = Observers::start(&RunInfo {
            inputs: &inputs,
            content: Content::Genres(engine.bundle().manifest()),
            format: results.map_or(&formats()[0], OutputOptions::format),
            colours: results.is_some_and(OutputOptions::colours),
            output,
            report,
            images: None,
            history: self.history.place(),
            shot_list: results.map(OutputOptions::shot_list).unwrap_or_default(),
            resume: results.and_then(|results| results.resume(depends_on.chain(self.reading.dependencies()))),
        })?;
        session::run(&inputs, &reading, jobs, observers, |source| {
            let options = PipelineOptions { latest: source.live.then_some(self.latest), ..options };
            engine.classification(source, options, self.method.follows_load().then_some(&*rates), self.reading.decode())
        })
    }
}
