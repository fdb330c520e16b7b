//! `divita bench`: what each stage costs on this machine.

mod networks;
mod stage;

use std::io::Write;
use std::num::NonZeroUsize;
use std::time::{Duration, Instant};

use anyhow::{Context, Error, Result, bail};
use clap::Args;
use divita_console::{arguments, say};
use divita_runtime::bundle::Bundle;
use divita_runtime::event::Event;
use divita_runtime::frame::Frame;
use divita_runtime::heads::Snippets;
use divita_runtime::histogram::Histogram;
use divita_runtime::network::{Backbones, Networks};
use divita_runtime::pipeline::{Pipeline, PipelineOptions};
use divita_runtime::segmenter::{Segment, Segmenter, SegmenterOptions};
use divita_video::registry::input_help;
use divita_video::session::{Consumer, Ending, Progress, Session};
use divita_video::stop::Stop;
use divita_video::{Input, Loss};
use serde::Serialize;

use crate::event::SessionEvent;
use crate::meter::{cpu_time, peak_memory};
use crate::options::{BundleOption, ExecutorOption, MethodOptions, ReadingOptions};
use crate::session::Outcome;
use crate::session::{Classification, Method};
use stage::{Stage, milliseconds, timed};

/// Measure this machine: the latency of every stage, and the CPU time of a whole run beside
/// decoding alone.
///
/// Reads the input five times on one thread: decodes and classifies it in turn, twice (the better
/// run counts), then runs stage by stage. With --networks, reads no input and runs each network by
/// itself.
#[derive(Args)]
pub struct Bench {
    #[arg(
        value_name = "INPUT",
        help = input_help(),
        default_value = "test://?seconds=20&fps=24&size=1280x720",
        value_parser = arguments::input_parser()
    )]
    input: Input,
    #[command(flatten)]
    bundle: BundleOption,
    #[command(flatten)]
    method: MethodOptions,
    #[command(flatten)]
    executor: ExecutorOption,
    #[command(flatten)]
    reading: ReadingOptions,
    /// Measure only the networks, each by itself: 2D, 3D at every working rate, heads
    #[arg(long, conflicts_with = "input")]
    networks: bool,
    /// Number of runs of each network with --networks
    #[arg(long, value_name = "N", default_value = "40")]
    runs: NonZeroUsize,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

/// The figures. Milliseconds are wall-clock; CPU seconds count every thread.
#[derive(Serialize)]
struct Figures {
    schema: u32,
    source: Input,
    bundle: String,
    trained: bool,
    fps: u32,
    frames: u64,
    clips: usize,
    prepare_ms: f64,
    decode_cpu_s: f64,
    classify_cpu_s: f64,
    /// CPU time of a classification, preparation of the networks included, over that of decoding
    /// alone.
    classify_over_decode: f64,
    /// Clips classified per second of the classification's wall-clock time.
    clips_per_s: f64,
    peak_memory_bytes: Option<u64>,
    stages: Vec<Stage>,
}

/// Times that the input is decoded and classified.
const PASSES: usize = 2;

/// One classification from end to end.
#[derive(Default)]
struct Whole {
    frames: u64,
    clips: usize,
    /// Of the networks.
    prepare: Duration,
    /// After the preparation.
    elapsed: Duration,
    /// Of everything.
    cpu: Duration,
}

impl Bench {
    /// Measures and prints.
    pub fn run(&self) -> Result<Outcome> {
        if self.networks {
            let figures = networks::measure(&self.bundle.place()?, self.executor.get()?, self.runs.get())?;
            return self.print(&figures, networks::table);
        }
        let mut bundle = self.bundle.open()?;
        self.method.set_borders(&mut bundle);
        if self.input.is_standard_input() {
            bail!("standard input can be read only once, and is read five times here: name a file");
        }
        let options = self.method.pipeline(&self.method.rates(&bundle));
        let (mut whole, mut decode) = (Whole::default(), Duration::MAX);
        let mut networks = None;
        // In turn, because the machine may be busier in one minute than in the next.
        for pass in 1..=PASSES {
            say(format_args!("decoding {} ({pass} of {PASSES}) ...", self.input));
            decode = decode.min(self.decode()?);
            say(format_args!("classifying ({pass} of {PASSES}) ..."));
            // One set of networks at a time, as in `classify`: the peak of memory is measured too.
            drop(networks.take());
            let (prepared, run) = self.classify(&bundle, options)?;
            if pass == 1 || run.cpu < whole.cpu {
                whole = run;
            }
            networks = Some(prepared);
        }
        let peak_memory_bytes = peak_memory();
        say(format_args!("stage by stage ..."));
        let networks = networks.context("nothing was measured")?;
        let stages = self.stages(&bundle, &networks, options)?;
        let figures = Figures {
            schema: 1,
            source: self.input.clone(),
            bundle: bundle.manifest().name.clone(),
            trained: bundle.manifest().trained,
            fps: options.rate.fps(),
            frames: whole.frames,
            clips: whole.clips,
            prepare_ms: milliseconds(whole.prepare),
            decode_cpu_s: decode.as_secs_f64(),
            classify_cpu_s: whole.cpu.as_secs_f64(),
            classify_over_decode: whole.cpu.as_secs_f64() / decode.as_secs_f64().max(1e-9),
            clips_per_s: whole.clips as f64 / whole.elapsed.as_secs_f64().max(1e-9),
            peak_memory_bytes,
            stages,
        };
        self.print(&figures, table)
    }

    /// Prints figures, as JSON where that was asked for.
    fn print<T: Serialize>(&self, figures: &T, table: fn(&T) -> String) -> Result<Outcome> {
        let mut out = std::io::stdout();
        match self.json {
            true => writeln!(out, "{}", serde_json::to_string_pretty(figures)?)?,
            false => write!(out, "{}", table(figures))?,
        }
        Ok(Outcome::Done)
    }

    /// Gives the whole input to `consumer`.
    fn read<C: Consumer<Error = Error>>(&self, consumer: &mut C) -> Result<()> {
        let mut session =
            Session::open(&self.reading.apply(self.input.clone()), self.reading.session(Stop::default()))?;
        match session.run(consumer)? {
            Ending::Failed(error) => Err(error.into()),
            _ => Ok(()),
        }
    }

    /// Returns the CPU time of decoding the input alone.
    fn decode(&self) -> Result<Duration> {
        let before = cpu_time();
        self.read(&mut Decoding)?;
        Ok(cpu_time() - before)
    }

    /// Classifies the input as `divita classify --threads 1` does, from the preparation of the
    /// networks to the result.
    fn classify(&self, bundle: &Bundle, options: PipelineOptions) -> Result<(Networks, Whole)> {
        let (cpu, prepare) = (cpu_time(), Instant::now());
        let networks =
            Networks::prepare(bundle, &[options.rate], self.executor.get()?).context("the bundle cannot be used")?;
        let prepare = prepare.elapsed();
        let run = Instant::now();
        let method = Classification::new(Pipeline::new(bundle, &networks, options)?, false, None);
        let mut counted = Counted { method, frames: 0, clips: 0 };
        self.read(&mut counted)?;
        let Counted { frames, clips, .. } = counted;
        Ok((networks, Whole { frames, clips, prepare, elapsed: run.elapsed(), cpu: cpu_time() - cpu }))
    }

    /// Runs each stage by itself.
    fn stages(&self, bundle: &Bundle, networks: &Networks, options: PipelineOptions) -> Result<Vec<Stage>> {
        let manifest = bundle.manifest();
        let cuts = SegmenterOptions::from_manifest(manifest, options.rate, options.segmentation);
        let mut stages = Stages {
            segmenter: Segmenter::new(cuts, bundle.transitions().clone()),
            backbones: networks.backbones()?,
            snippets: Snippets::new(networks.heads()?, manifest, None),
            segments: Vec::new(),
            decoding_since: Instant::now(),
            times: Default::default(),
        };
        self.read(&mut stages)?;
        let [decode, histogram, cut, clip, heads] = stages.times;
        let named = [
            ("decode, a frame", decode),
            ("histogram, a frame", histogram),
            ("histogram to clip, a frame", cut),
            ("backbones, a clip", clip),
            ("heads, a clip", heads),
        ];
        Ok(named.into_iter().filter_map(|(name, times)| Stage::from_times(name.to_owned(), times)).collect())
    }
}

/// Decodes and drops every frame.
struct Decoding;

impl Consumer for Decoding {
    type Error = Error;

    fn frame(&mut self, _: &Frame<'_>) -> Result<()> {
        Ok(())
    }

    fn finish(&mut self, _: &Ending) -> Result<()> {
        Ok(())
    }
}

/// Classifies, and keeps the counts of the result.
struct Counted {
    method: Classification,
    frames: u64,
    clips: usize,
}

impl Consumer for Counted {
    type Error = Error;

    fn frame(&mut self, frame: &Frame<'_>) -> Result<()> {
        self.method.frame(frame, &mut |_| {})
    }

    fn loss(&mut self, loss: Loss) -> Result<()> {
        self.method.loss(loss, &mut |_| {});
        Ok(())
    }

    fn finish(&mut self, ending: &Ending) -> Result<()> {
        self.method.finish(ending, &mut |event| {
            if let SessionEvent::Method(Event::Result { frames, clips, .. }) = event {
                (self.frames, self.clips) = (frames, clips);
            }
        })
    }
}

/// Runs the stages one by one, with the time of each run.
struct Stages {
    segmenter: Segmenter,
    backbones: Backbones,
    snippets: Snippets,
    segments: Vec<Segment>,
    /// When the source was asked for the next frame.
    decoding_since: Instant,
    /// Of decoding, histogram, histogram to clip, backbones, heads.
    times: [Vec<Duration>; 5],
}

impl Consumer for Stages {
    type Error = Error;

    fn frame(&mut self, frame: &Frame<'_>) -> Result<()> {
        let [decode, histogram, cut, clip, heads] = &mut self.times;
        decode.push(self.decoding_since.elapsed());
        timed(histogram, || std::hint::black_box(Histogram::from_frame(frame)));
        let Ok(()) = timed(cut, || self.segmenter.push(frame, |segment| self.segments.push(segment)));
        for segment in self.segments.drain(..) {
            if let Segment::Clip(done) = segment {
                let features = timed(clip, || self.backbones.run(&done))?;
                timed(heads, || self.snippets.push(&features, done.shot).map(<[f32]>::len))?;
                self.segmenter.recycle(done);
            }
        }
        Ok(())
    }

    fn progress(&mut self, _: Progress) -> Result<()> {
        self.decoding_since = Instant::now();
        Ok(())
    }

    fn finish(&mut self, _: &Ending) -> Result<()> {
        Ok(())
    }
}

fn table(figures: &Figures) -> String {
    let memory =
        figures.peak_memory_bytes.map_or("unknown".into(), |bytes| format!("{:.0} MiB", bytes as f64 / 1048576.0));
    let mut text = format!(
        "{}, {} frames, {} clips at {} frames a second, one thread\n\n\
         prepare networks     {:>9.1} ms\n\
         decode alone         {:>9.2} s of CPU\n\
         classify             {:>9.2} s of CPU, {:.2} times decoding alone\n\
         clips                {:>9.1} a second\n\
         peak memory          {memory:>9}\n\n{}",
        figures.source,
        figures.frames,
        figures.clips,
        figures.fps,
        figures.prepare_ms,
        figures.decode_cpu_s,
        figures.classify_cpu_s,
        figures.classify_over_decode,
        figures.clips_per_s,
        Stage::heading(),
    );
    for stage in &figures.stages {
        text += &stage.row();
    }
    text
}
