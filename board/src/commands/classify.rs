//! `divita classify`: genres of videos.

use std::cell::RefCell;
use std::num::NonZeroUsize;
use std::path::PathBuf;

use anyhow::{Context, Error, Result};
use clap::Args;
use divita_board::source;
use divita_runtime::bundle::Bundle;
use divita_runtime::event::Event;
use divita_runtime::network::Networks;
use divita_runtime::pipeline::{Pipeline, PipelineOptions};
use divita_runtime::sampler::WorkingRate;
use divita_runtime::segmenter::Segmentation;

use crate::Outcome;
use crate::bundles::BundleOption;
use crate::output::{Format, Sink, csv, jsonl, table};
use crate::progress::Progress;

/// Genres of videos: probabilities for each input, and with --format jsonl every shot and clip on the way.
///
/// An input that fails does not stop the others. What was read of a damaged one is still classified and marked incomplete.
#[derive(Args)]
#[command(after_help = "Examples:\n  \
    divita classify samples/sintel-trailer.mp4\n  \
    divita classify --fps 8 --format jsonl trailers/ > genres.jsonl\n  \
    ffmpeg -i film.mkv -f yuv4mpegpipe -pix_fmt yuv420p - | divita classify -")]
pub struct Classify {
    /// A video (MP4 or MOV with H.264, Y4M), a folder of videos or of numbered pictures, `-` for Y4M on standard input,
    /// or a URI (file://, test://)
    #[arg(value_name = "INPUT", required = true)]
    inputs: Vec<String>,
    #[command(flatten)]
    bundle: BundleOption,
    #[command(flatten)]
    method: MethodOptions,
    /// Threads: one decodes and cuts, the others run networks. Results do not depend on it [default: the processors, at
    /// most 4]
    #[arg(long, value_name = "N")]
    threads: Option<NonZeroUsize>,
    /// Form of the results
    #[arg(long, value_enum, default_value_t = Format::Table)]
    format: Format,
    /// Write the results to FILE, which appears only when they are complete
    #[arg(long, short, value_name = "FILE")]
    output: Option<PathBuf>,
}

/// How videos are cut.
#[derive(Args)]
pub struct MethodOptions {
    /// Working rate: frames a second that the networks see, and frames in a clip. Higher is more precise and slower
    #[arg(long, value_name = "4|6|8|12|24", default_value = "4")]
    fps: WorkingRate,
    /// Clips within shots, or across them (an ablation)
    #[arg(long, value_name = "shot|seq", default_value = "shot")]
    segmentation: Segmentation,
}

impl MethodOptions {
    /// The options for a pipeline of `threads` threads.
    pub fn pipeline(&self, threads: NonZeroUsize) -> PipelineOptions {
        PipelineOptions { rate: self.fps, segmentation: self.segmentation, threads }
    }
}

impl Classify {
    /// Classifies every input.
    pub fn run(&self) -> Result<Outcome> {
        let bundle = self.bundle.open()?;
        let processors = || std::thread::available_parallelism().map_or(1, NonZeroUsize::get).min(4);
        let threads = self.threads.or_else(|| NonZeroUsize::new(processors())).unwrap_or(NonZeroUsize::MIN);
        let options = self.method.pipeline(threads);
        let networks = Networks::prepare(&bundle, options.rate)
            .with_context(|| format!("the bundle {} cannot be used", bundle.path().display()))?;
        let mut report = Report { format: self.format, sink: Sink::open(self.output.as_deref())? };
        report.begin(&bundle)?;
        let mut outcome = Outcome::Done;
        for input in divita_board::inputs::expand(&self.inputs) {
            let classified = classify(&input, &bundle, &networks, options, &mut |event| report.add(&input, event));
            if let Err(failure) = classified {
                let Failure::Input(error) = failure else { return Err(failure.into_error()) };
                crate::output::say(format_args!("error: {input}: {error:#}"));
                report.add(&input, &Event::Error { message: format!("{error:#}") })?;
                outcome = Outcome::SomeFailed;
            }
        }
        report.sink.finish()?;
        Ok(outcome)
    }
}

/// What went wrong with one input.
enum Failure {
    /// The input: the others can still be done.
    Input(Error),
    /// The output: nothing more can be said.
    Output(Error),
}

impl Failure {
    fn into_error(self) -> Error {
        match self {
            Failure::Input(error) | Failure::Output(error) => error,
        }
    }
}

/// Classifies one input; `tell` gets its events.
fn classify(
    input: &str,
    bundle: &Bundle,
    networks: &Networks,
    options: PipelineOptions,
    tell: &mut dyn FnMut(&Event) -> Result<()>,
) -> Result<(), Failure> {
    let failed = |error: Error| Failure::Input(error);
    let mut source = source::open(input).map_err(|error| failed(error.into()))?;
    let progress = Progress::of(source.info());
    let mut pipeline = Pipeline::new(bundle, networks, options).map_err(|error| failed(error.into()))?;
    // Of no use to go on once nobody takes the results.
    let told = RefCell::new(Ok(()));
    let mut emit = |event: Event| {
        if let Event::Genres { probabilities, .. } = &event
            && let Some((label, value)) = probabilities.ranked().first()
        {
            progress.say(format!("{label} {value:.2}"));
        }
        let mut told = told.borrow_mut();
        if told.is_ok() {
            *told = tell(&event);
        }
    };
    let ended = loop {
        if told.borrow().is_err() {
            break Ok(());
        }
        match source.next_frame() {
            Ok(Some(frame)) => {
                progress.reached(frame.time());
                pipeline.push(&frame, &mut emit).map_err(|error| failed(error.into()))?;
            }
            Ok(None) => break Ok(()),
            Err(error) => break Err(error),
        }
    };
    told.replace(Ok(())).map_err(Failure::Output)?;
    // What was read before an error is worth a result, unless it was too little for one: then the error says it all.
    let finished = pipeline.finish(ended.is_ok(), &mut emit);
    drop(progress);
    told.into_inner().map_err(Failure::Output)?;
    ended.map_err(|error| failed(error.into()))?;
    finished.map_err(|error| failed(error.into()))
}

/// The results, in the form that was asked for.
struct Report {
    format: Format,
    sink: Sink,
}

impl Report {
    fn begin(&mut self, bundle: &Bundle) -> Result<()> {
        match self.format {
            Format::Csv => self.sink.write(&csv::result_heading(bundle.manifest().labels.iter().map(String::as_str))?),
            Format::Table | Format::Jsonl => Ok(()),
        }
    }

    fn add(&mut self, source: &str, event: &Event) -> Result<()> {
        match (self.format, event) {
            (Format::Jsonl, event) => self.sink.write(&jsonl::line(source, event)?),
            (Format::Table, Event::Result { .. }) => self.sink.write(&table::result(source, event)),
            (Format::Csv, Event::Result { .. }) => match csv::line(source, event)? {
                Some(line) => self.sink.write(&line),
                None => Ok(()),
            },
            _ => Ok(()),
        }
    }
}
