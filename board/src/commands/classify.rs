//! `divita classify`: genres of videos.

use std::cell::{Cell, RefCell};
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::{Duration, Instant};

use anyhow::{Context, Error, Result, anyhow};
use clap::Args;
use divita_runtime::bundle::{Borders, Bundle, Manifest};
use divita_runtime::event::{Event, LiveState};
use divita_runtime::frame::Timestamp;
use divita_runtime::network::Networks;
use divita_runtime::pipeline::{Pipeline, PipelineError, PipelineOptions};
use divita_runtime::sampler::WorkingRate;
use divita_runtime::segmenter::Segmentation;

use crate::bundles::BundleOption;
use crate::command_line::{Misuse, Outcome};
use crate::executor::ExecutorOption;
use crate::feed::{Feed, Heard};
use crate::ladder::{Ladder, Load, Move, Reason, paper_muap};
use crate::output::{Format, Sink, csv, jsonl, table};
use crate::profile::{self, Machine, Profile};
use crate::progress::Progress;
use crate::schemes::SchemesOption;
use crate::service::Service;
use crate::signals;
use crate::thermal;
use divita_console::in_one_line;
use divita_video::AllowedSchemes;
use divita_video::expansion::Expansion;
use divita_video::stop::Stop;
use divita_video::{self as source, Address};

/// Genres of videos: probabilities for each input, and with --format jsonl every shot and clip on the way.
///
/// A live input goes on until --duration is over or Ctrl-C (or SIGTERM) comes, and is opened again whenever it fails. There may be
/// one.
/// An input that fails does not stop the others. What was read of a damaged one is still classified and marked incomplete; so is a file
/// that is stopped in the middle, and those after it are not begun: that counts as a failure.
#[derive(Args)]
#[command(after_help = "Examples:\n  \
    divita classify samples/sintel-trailer.mp4\n  \
    divita classify --fps 8 --format jsonl trailers/ > genres.jsonl\n  \
    divita classify --fps auto --duration 60 v4l2:///dev/video0\n  \
    ffmpeg -i film.mkv -f yuv4mpegpipe -pix_fmt yuv420p - | divita classify -")]
pub struct Classify {
    /// A video (MP4 or MOV with H.264, Y4M), a folder of videos or of numbered pictures, `-` for Y4M on standard input,
    /// or a URI: file://, test://, and in the builds for boards v4l2:///dev/video0, rtsp://, csi://0 and others
    #[arg(value_name = "INPUT", required = true, value_parser = divita_console::arguments::input_parser())]
    inputs: Vec<Address>,
    #[command(flatten)]
    bundle: BundleOption,
    #[command(flatten)]
    method: MethodOptions,
    #[command(flatten)]
    executor: ExecutorOption,
    /// Threads: one decodes and cuts, the others run networks, and the first too when they fall behind. Results do not
    /// depend on it [default: the profile's, at most the processors]
    #[arg(long, value_name = "N", value_parser = threads)]
    threads: Option<NonZeroUsize>,
    /// What board this is, which sets threads, processors and the rate that `--fps auto` begins with; `auto` asks the kernel
    #[arg(long, value_name = "NAME", default_value = "auto", value_parser = board)]
    profile: Board,
    /// Stop after this many seconds of each input, and print the result
    #[arg(long, value_name = "SECONDS", value_parser = seconds)]
    duration: Option<f64>,
    /// The result of a live input is over this many of its latest snippets of 30 clips
    #[arg(long, value_name = "N", default_value = "10")]
    latest: NonZeroUsize,
    /// Leave out the sub-folders of a folder
    #[arg(long)]
    no_recurse: bool,
    #[command(flatten)]
    schemes: SchemesOption,
    /// Form of the results
    #[arg(long, value_enum, default_value_t = Format::Table)]
    format: Format,
    /// Write the results to FILE, which appears in the end, whole. A file that is there stays if no input gives a result
    #[arg(long, short, value_name = "FILE")]
    output: Option<PathBuf>,
}

/// How videos are cut.
#[derive(Args)]
pub struct MethodOptions {
    /// Working rate: frames a second that the networks see, and frames in a clip. Higher is more precise and slower. With `auto` a
    /// live input begins with what suits the board, steps down where it cannot keep up, and up where it can [default: the lowest
    /// rate that the bundle's heads were trained at]
    #[arg(long, value_name = "4|6|8|12|24|auto")]
    fps: Option<Rate>,
    /// Clips within shots, or across them (an ablation)
    #[arg(long, value_name = "shot|seq", default_value = "shot")]
    segmentation: Segmentation,
    /// Show the networks frames with the borders of a letterbox or pillarbox, or without [default: as the bundle's data was]
    #[arg(long, value_name = "keep|crop")]
    borders: Option<Borders>,
}

/// A working rate, or whatever can be kept up with.
#[derive(Clone, Copy, Debug)]
enum Rate {
    Fixed(WorkingRate),
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
    /// The working rates that `bundle` is to be prepared for; at least one.
    pub fn rates(&self, bundle: &Bundle) -> Vec<WorkingRate> {
        match self.fps {
            None => vec![bundle.manifest().default_rate()],
            Some(Rate::Fixed(rate)) => vec![rate],
            Some(Rate::Auto) => {
                bundle.manifest().working_rates.iter().filter_map(|&fps| WorkingRate::new(fps).ok()).collect()
            }
        }
    }

    /// Makes `bundle` see borders as the user says; logs a warning where its data was made in the other way.
    pub fn set_borders(&self, bundle: &mut Bundle) {
        let Some(borders) = self.borders else { return };
        let (name, own) = (&bundle.manifest().name, bundle.manifest().borders());
        if bundle.manifest().trained && borders != own {
            log::warn!("bundle \"{name}\": its data was made with --borders {}, not {}", own.name(), borders.name());
        }
        bundle.set_borders(borders);
    }

    /// Logs a warning where the user names a rate that the heads of `bundle` were not trained at.
    fn warn_of_untried_rate(&self, bundle: &Bundle) {
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

    /// The options for a pipeline of `threads` threads, begun at the highest of `rates`.
    pub fn pipeline(&self, rates: &[WorkingRate], threads: NonZeroUsize) -> PipelineOptions {
        let rate = rates.iter().max().copied().unwrap_or_default();
        PipelineOptions { rate, segmentation: self.segmentation, threads, latest: None }
    }
}

impl Classify {
    /// Returns whether the results go to standard output.
    pub fn prints(&self) -> bool {
        self.output.is_none()
    }

    /// Classifies every input.
    pub fn run(&self) -> Result<Outcome> {
        self.check_live_inputs()?;
        let stop = signals::listen().context("signals cannot be listened to")?;
        let mut bundle = self.bundle.open()?;
        self.method.set_borders(&mut bundle);
        let profile = self.profile.0;
        pin(&profile.cores);
        let processors = std::thread::available_parallelism().unwrap_or(NonZeroUsize::MIN);
        let threads = self.threads.unwrap_or(profile.threads.min(processors));
        let rates = self.method.rates(&bundle);
        self.method.warn_of_untried_rate(&bundle);
        let networks = Networks::prepare(&bundle, &rates, self.executor.get()?)
            .with_context(|| format!("the bundle {} cannot be used", bundle.path().display()))?;
        let options = self.method.pipeline(&rates, threads);
        let until = self.duration.map(Timestamp::from_secs_f64);
        let expansion = Expansion { recurse: !self.no_recurse, allowed: self.schemes.allowed() };
        let expanded = divita_video::expansion::expand(&self.inputs, &expansion);
        expanded.report().iter().for_each(divita_console::say);
        let inputs = expanded.inputs;
        let sink = Sink::open(self.output.as_deref(), &inputs)?;
        let mut report = Report { format: self.format, sink, results: 0, is_live: false };
        report.begin(&bundle)?;
        let mut outcome = Outcome::Done;
        let mut service = Service::of_environment();
        let live_seen = Cell::new(false);
        for (at, input) in inputs.iter().enumerate() {
            let ladder =
                matches!(self.method.fps, Some(Rate::Auto)).then(|| Ladder::new(rates.clone(), profile.fps)).flatten();
            let run = Run {
                bundle: &bundle,
                networks: &networks,
                options,
                allowed: &expansion.allowed,
                latest: self.latest,
                live_seen: &live_seen,
                pace: ladder.map(|ladder| Pace::new(ladder, &profile.ignored_zones)),
            };
            let classified = run.classify(input, until, &stop, &mut service, &mut |event| report.add(input, event));
            match classified {
                Ok(true) => {}
                Ok(false) => {
                    divita_console::say(format_args!("error: {input}: stopped before its end"));
                    outcome = Outcome::SomeFailed;
                }
                Err(Failure::Output(error)) => return Err(error),
                Err(Failure::Input(error)) => {
                    let message = in_one_line(&error);
                    divita_console::say(format_args!("error: {input}: {message}"));
                    report.add(input, &Event::Error { message })?;
                    outcome = Outcome::SomeFailed;
                }
            }
            if stop.is_asked() {
                let left = inputs.len() - at - 1;
                if left > 0 {
                    divita_console::say(format_args!(
                        "error: stopped: {left} of {} inputs were not begun",
                        inputs.len()
                    ));
                    outcome = Outcome::SomeFailed;
                }
                break;
            }
        }
        service.stopping();
        report.sink.finish_unless_all_failed(report.results == 0)?;
        Ok(outcome)
    }

    /// Refuses a second live input: the first one has no end, and nobody would look at the second.
    fn check_live_inputs(&self) -> Result<()> {
        let mut live = self.inputs.iter().filter(|input| source::is_live_by_address(input));
        match (live.next(), live.next()) {
            (Some(first), Some(second)) => Err(Misuse(second_live(first, second)).into()),
            _ => Ok(()),
        }
    }
}

/// What is said of a second live input.
fn second_live(first: &Address, second: &Address) -> String {
    format!("{second}: only one live input at a time is supported, and {first} is one; run another divita for this one")
}

/// The profile to go by.
#[derive(Clone, Copy, Debug)]
struct Board(&'static Profile);

fn board(name: &str) -> Result<Board, String> {
    let found = if name == "auto" { Machine::here().profile() } else { profile::named(name) };
    let names = || profile::PROFILES.iter().map(|profile| profile.name.as_str()).collect::<Vec<_>>().join(", ");
    found.map(Board).ok_or_else(|| format!("choose auto or one of {}", names()))
}

/// Keeps this thread, and those that it starts, on these processors. That they are not there or cannot be chosen is no reason
/// to stop.
fn pin(cores: &[usize]) {
    use rustix::thread::{CpuSet, sched_setaffinity};
    let mut set = CpuSet::new();
    cores.iter().filter(|&&core| core < CpuSet::MAX_CPU).for_each(|&core| set.set(core));
    if !cores.is_empty()
        && let Err(error) = sched_setaffinity(None, &set)
    {
        log::warn!("cannot run on the processors {cores:?} alone ({error}): running on all");
    }
}

/// Most threads: each has the networks' working memory for itself.
const MOST_THREADS: usize = 256;

fn threads(text: &str) -> Result<NonZeroUsize, String> {
    let good = |threads: &NonZeroUsize| threads.get() <= MOST_THREADS;
    text.parse().ok().filter(good).ok_or_else(|| format!("choose 1 to {MOST_THREADS}"))
}

/// Seconds of an input, more than none.
fn seconds(text: &str) -> Result<f64, String> {
    let good = |seconds: &f64| *seconds > 0.0 && *seconds <= 1e9;
    text.parse().ok().filter(good).ok_or_else(|| "give it in seconds, such as 60 or 2.5".to_owned())
}

/// What went wrong with one input.
enum Failure {
    /// The input: the others can still be done.
    Input(Error),
    /// The output: nothing more can be said.
    Output(Error),
}

/// How one input is classified.
struct Run<'a> {
    bundle: &'a Bundle,
    networks: &'a Networks,
    options: PipelineOptions,
    allowed: &'a AllowedSchemes,
    /// Snippets that the result of a live input is over.
    latest: NonZeroUsize,
    /// Whether an input before this one was live.
    live_seen: &'a Cell<bool>,
    /// What the working rate of a live input follows.
    pace: Option<Pace>,
}

impl Run<'_> {
    /// Classifies `input` up to its time `until`; `tell` gets its events. Whether it was read as far as was asked: a file that the
    /// program was told to stop in was not.
    fn classify(
        mut self,
        input: &Address,
        until: Option<Timestamp>,
        stop: &Stop,
        service: &mut Service,
        tell: &mut dyn FnMut(&Event) -> Result<()>,
    ) -> Result<bool, Failure> {
        let failed = |error: Error| Failure::Input(error);
        let mut feed = match Feed::open(input, self.allowed, until, stop) {
            Ok(feed) => feed,
            // What was waited for has not come.
            Err(_) if stop.is_asked() => return Ok(false),
            Err(error) => return Err(failed(error.into())),
        };
        let live = feed.info().live;
        if live && self.live_seen.replace(true) {
            let problem = "only one live input at a time is supported, and one came before; run another divita for it";
            return Err(failed(anyhow!(problem)));
        }
        let mut pace = self.pace.take_if(|_| live);
        let rate = pace.as_ref().map_or(self.options.rate, |pace| pace.ladder.rate());
        let options = PipelineOptions { rate, latest: live.then_some(self.latest), ..self.options };
        let progress = Progress::of(feed.info());
        service.listening(input.shown());
        let service = RefCell::new(service);
        let pipeline = Pipeline::new(self.bundle, self.networks, options);
        let mut pipeline = pipeline.map_err(|error| failed(error.into()))?;
        // Of no use to go on once nobody takes the results.
        let told = RefCell::new(Ok(()));
        let mut emit = |event: Event| {
            match &event {
                Event::Genres { probabilities, .. } => {
                    if let Some((label, value)) = probabilities.ranked().first() {
                        progress.say(format!("{label} {value:.2}"));
                    }
                }
                Event::Live { .. } | Event::Rate { .. } => progress.tell(&event),
                _ => {}
            }
            service.borrow_mut().event(input.shown(), &event);
            let mut told = told.borrow_mut();
            if told.is_ok() {
                *told = tell(&event);
            }
        };
        let ended = loop {
            if told.borrow().is_err() {
                break Ok(true);
            }
            tell_losses(&mut feed, &mut pipeline, &mut emit);
            match feed.next() {
                Ok(Heard::Frame(frame)) => {
                    progress.reached(frame.time());
                    pipeline.push(&frame, &mut emit).map_err(|error| failed(error.into()))?;
                    let at = frame.time();
                    if let Some(pace) = &mut pace
                        && let Some(step) = pace.clips(&pipeline, &feed)
                    {
                        pipeline.set_rate(step.to);
                        emit(rate_event(at, step));
                    }
                    service.borrow_mut().processed();
                }
                Ok(Heard::Event(event)) => emit(event),
                Ok(Heard::Nothing) => service.borrow_mut().waited(),
                Ok(Heard::End | Heard::TimeIsUp) => break Ok(true),
                // A camera has no end that could be missed.
                Ok(Heard::Stopped) => {
                    service.borrow().stopping();
                    break Ok(live);
                }
                Err(error) => break Err(error),
            }
        };
        tell_losses(&mut feed, &mut pipeline, &mut emit);
        told.replace(Ok(())).map_err(Failure::Output)?;
        // What was read before an error is worth a result, unless it was too little for one: then the error says it all.
        let whole = matches!(ended, Ok(true));
        let finished = pipeline.finish(whole, &mut emit);
        drop(progress);
        told.into_inner().map_err(Failure::Output)?;
        ended.map_err(|error| failed(error.into()))?;
        match finished {
            Err(PipelineError::NoClip { .. }) if stop.is_asked() => {
                if whole {
                    divita_console::say(format_args!("{input}: stopped before its first clip"));
                }
                Ok(whole)
            }
            finished => finished.map(|()| whole).map_err(|error| failed(error.into())),
        }
    }
}

/// Tells what the input has lost since this was last called.
fn tell_losses(feed: &mut Feed, pipeline: &mut Pipeline, mut emit: impl FnMut(Event)) {
    while let Some(loss) = feed.take_loss() {
        pipeline.lose(loss.at, loss.until, loss.frames, &mut emit);
    }
}

/// How a live input's working rate follows what the board can do.
struct Pace {
    ladder: Ladder,
    ignored_zones: &'static [String],
    begun: Instant,
    clips: usize,
    /// When the clip before was done, how long had been waited until then, and how many frames dropped.
    before: (Duration, Duration, u64),
}

impl Pace {
    fn new(ladder: Ladder, ignored_zones: &'static [String]) -> Self {
        Pace { ladder, ignored_zones, begun: Instant::now(), clips: 0, before: Default::default() }
    }

    /// The step that follows from the clip that is done, if one is.
    fn clips(&mut self, pipeline: &Pipeline, feed: &Feed) -> Option<Move> {
        let (clips, waited, dropped) = (pipeline.clips(), feed.waited(), feed.dropped());
        if clips == self.clips {
            return None;
        }
        let now = self.begun.elapsed();
        let (since, waited_since) = (now - self.before.0, waited - self.before.1);
        let busy = 1.0 - waited_since.as_secs_f64() / since.as_secs_f64().max(1e-9);
        let load =
            Load { busy, dropped: dropped - self.before.2, degrees_left: thermal::degrees_left(self.ignored_zones) };
        (self.clips, self.before) = (clips, (now, waited, dropped));
        // A step waits for the end of a clip: what was done until then says nothing of the new rate.
        (pipeline.rate() == self.ladder.rate()).then(|| self.ladder.clip(now, load)).flatten()
    }
}

fn rate_event(at: Timestamp, step: Move) -> Event {
    let Move { from, to, reason } = step;
    let why = match reason {
        Reason::Behind => "the board falls behind",
        Reason::Hot => "the board is near its temperature limit",
        Reason::Room => "the board has had room for a while",
    };
    let message = format!(
        "{why}: {} frames a second instead of {}, of which the paper says {:.1} muAP instead of {:.1} (Swin-3D, Table 7)",
        to.fps(),
        from.fps(),
        paper_muap(to),
        paper_muap(from)
    );
    Event::Rate { at_s: at.as_secs_f64(), fps: to, from_fps: from, reason: reason.to_string(), message }
}

/// The results, in the form that was asked for.
struct Report {
    format: Format,
    sink: Sink,
    /// Results that were written.
    results: usize,
    /// Whether the events are those of a live input, whose shots are printed as they come.
    is_live: bool,
}

impl Report {
    fn begin(&mut self, bundle: &Bundle) -> Result<()> {
        match self.format {
            Format::Csv => {
                let Manifest { labels, task, .. } = bundle.manifest();
                self.sink.write(&csv::result_heading(labels.iter().map(String::as_str), *task)?)
            }
            Format::Table | Format::Jsonl => Ok(()),
        }
    }

    fn add(&mut self, source: &Address, event: &Event) -> Result<()> {
        let source = source.shown();
        let was_live = match event {
            Event::Live { state: LiveState::Connected, .. } => std::mem::replace(&mut self.is_live, true),
            Event::Result { .. } => {
                self.results += 1;
                std::mem::take(&mut self.is_live)
            }
            _ => self.is_live,
        };
        match (self.format, event) {
            (Format::Table, Event::Live { .. }) if self.is_live && !was_live => {
                self.sink.write(&table::shot_heading(source))
            }
            (Format::Table, Event::Shot { .. }) if was_live => self.sink.write(&table::shot(event)),
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
