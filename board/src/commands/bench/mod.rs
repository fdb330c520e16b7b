//! `divita bench`: what each stage costs on this machine.

mod networks;

use std::io::Write;
use std::num::NonZeroUsize;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use clap::Args;
use divita_runtime::bundle::Bundle;
use divita_runtime::event::Event;
use divita_runtime::heads::Snippets;
use divita_runtime::histogram::Histogram;
use divita_runtime::network::Networks;
use divita_runtime::pipeline::{Pipeline, PipelineOptions};
use divita_runtime::segmenter::{Segment, Segmenter, SegmenterOptions};
use serde::Serialize;

use crate::bundles::BundleOption;
use crate::command_line::Outcome;
use crate::commands::classify::MethodOptions;
use crate::executor::ExecutorOption;
use crate::meter::{cpu_time, peak_memory};
use crate::schemes::SchemesOption;
use divita_video::Address;

/// What each stage costs here: latencies of every stage, and the CPU time of a whole run beside that of decoding alone.
///
/// The input is read five times on one thread: decoded only and classified in turn, twice, of which the better counts, and
/// stage by stage. With --networks no input is read: each network runs by itself.
#[derive(Args)]
pub struct Bench {
    /// A video, a folder of numbered pictures, or a URI
    #[arg(value_name = "INPUT", default_value = "test://?seconds=20&fps=24&size=1280x720", value_parser = divita_console::arguments::input_parser())]
    input: Address,
    #[command(flatten)]
    schemes: SchemesOption,
    #[command(flatten)]
    bundle: BundleOption,
    #[command(flatten)]
    method: MethodOptions,
    #[command(flatten)]
    executor: ExecutorOption,
    /// Only the networks, each by itself: the 2D one, the 3D one at every working rate, the heads
    #[arg(long, conflicts_with = "input")]
    networks: bool,
    /// With --networks: how often each network runs
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
    source: Address,
    bundle: String,
    trained: bool,
    fps: u32,
    frames: u64,
    clips: usize,
    prepare_ms: f64,
    decode_cpu_s: f64,
    classify_cpu_s: f64,
    /// CPU time of a classification, preparation of the networks included, over that of decoding alone.
    classify_over_decode: f64,
    /// Clips classified per second of the classification's wall-clock time.
    clips_per_s: f64,
    peak_memory_bytes: Option<u64>,
    stages: Vec<Stage>,
}

/// Latencies of one stage in milliseconds.
#[derive(Serialize)]
struct Stage {
    name: String,
    runs: usize,
    p50_ms: f64,
    p90_ms: f64,
    p99_ms: f64,
    max_ms: f64,
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
            let figures = networks::measure(&self.bundle.path()?, self.executor.get()?, self.runs.get())?;
            return self.print(&figures, networks::table);
        }
        let mut bundle = self.bundle.open()?;
        self.method.set_borders(&mut bundle);
        if self.input.is_standard_input() {
            bail!("standard input can be read only once, and is read five times here: name a file");
        }
        let options = self.method.pipeline(&self.method.rates(&bundle), NonZeroUsize::MIN);
        let (mut whole, mut decode) = (Whole::default(), Duration::MAX);
        let mut networks = None;
        // In turn, because the machine may be busier in one minute than in the next.
        for pass in 1..=PASSES {
            divita_console::say(format_args!("decoding {} ({pass} of {PASSES}) ...", self.input));
            decode = decode.min(self.decode()?);
            divita_console::say(format_args!("classifying ({pass} of {PASSES}) ..."));
            // One set of networks at a time, as in `classify`: the peak of memory is measured too.
            drop(networks.take());
            let (prepared, run) = self.classify(&bundle, options)?;
            if pass == 1 || run.cpu < whole.cpu {
                whole = run;
            }
            networks = Some(prepared);
        }
        let peak_memory_bytes = peak_memory();
        divita_console::say(format_args!("stage by stage ..."));
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

    /// Reads the input and does nothing with it: CPU time.
    fn decode(&self) -> Result<Duration> {
        let before = cpu_time();
        let mut source = self.schemes.allowed().open(&self.input)?;
        while source.next_frame()?.is_some() {}
        Ok(cpu_time() - before)
    }

    /// Classifies the input as `divita classify --threads 1` does, from the preparation of the networks to the result.
    fn classify(&self, bundle: &Bundle, options: PipelineOptions) -> Result<(Networks, Whole)> {
        let mut whole = Whole::default();
        let (cpu, prepare) = (cpu_time(), Instant::now());
        let networks =
            Networks::prepare(bundle, &[options.rate], self.executor.get()?).context("the bundle cannot be used")?;
        whole.prepare = prepare.elapsed();
        let run = Instant::now();
        let mut source = self.schemes.allowed().open(&self.input)?;
        let mut pipeline = Pipeline::new(bundle, &networks, options)?;
        while let Some(frame) = source.next_frame()? {
            pipeline.push(&frame, |_| {})?;
        }
        pipeline.finish(true, |event| {
            if let Event::Result { frames, clips, .. } = event {
                (whole.frames, whole.clips) = (frames, clips);
            }
        })?;
        (whole.cpu, whole.elapsed) = (cpu_time() - cpu, run.elapsed());
        Ok((networks, whole))
    }

    /// Runs each stage by itself.
    fn stages(&self, bundle: &Bundle, networks: &Networks, options: PipelineOptions) -> Result<Vec<Stage>> {
        let manifest = bundle.manifest();
        let mut source = self.schemes.allowed().open(&self.input)?;
        let cuts = SegmenterOptions::of(manifest, options.rate, options.segmentation);
        let mut segmenter = Segmenter::new(cuts, bundle.transitions().clone());
        let mut backbones = networks.backbones()?;
        let mut snippets = Snippets::new(networks.heads()?, manifest, None);
        let [mut decode, mut histogram, mut cut, mut clip, mut heads] = [const { Vec::new() }; 5];
        let mut segments = Vec::new();
        loop {
            let Some(frame) = timed(&mut decode, || source.next_frame())? else { break };
            timed(&mut histogram, || std::hint::black_box(Histogram::of(&frame)));
            let Ok(()) = timed(&mut cut, || segmenter.push(&frame, |segment| segments.push(segment)));
            for segment in segments.drain(..) {
                if let Segment::Clip(done) = segment {
                    let features = timed(&mut clip, || backbones.run(&done))?;
                    timed(&mut heads, || snippets.push(&features).map(<[f32]>::len))?;
                    segmenter.recycle(done);
                }
            }
        }
        let named = [
            ("decode, a frame", decode),
            ("histogram, a frame", histogram),
            ("histogram to clip, a frame", cut),
            ("backbones, a clip", clip),
            ("heads, a clip", heads),
        ];
        Ok(named.into_iter().filter_map(|(name, times)| Stage::of(name.to_owned(), times)).collect())
    }
}

impl Stage {
    fn of(name: String, mut times: Vec<Duration>) -> Option<Self> {
        times.sort();
        let last = times.len().checked_sub(1)?;
        let at = |share: f64| milliseconds(times[(share * last as f64).round() as usize]);
        Some(Stage { name, runs: times.len(), p50_ms: at(0.5), p90_ms: at(0.9), p99_ms: at(0.99), max_ms: at(1.0) })
    }

    /// The names of a table's columns.
    fn heading() -> String {
        format!("{:<34} {:>6} {:>9} {:>9} {:>9} {:>9}\n", "milliseconds", "runs", "p50", "p90", "p99", "max")
    }

    /// A line of a table.
    fn row(&self) -> String {
        let Stage { name, runs, p50_ms, p90_ms, p99_ms, max_ms } = self;
        format!("{name:<34} {runs:>6} {p50_ms:>9.3} {p90_ms:>9.3} {p99_ms:>9.3} {max_ms:>9.3}\n")
    }
}

fn timed<T>(times: &mut Vec<Duration>, work: impl FnOnce() -> T) -> T {
    let before = Instant::now();
    let done = work();
    times.push(before.elapsed());
    done
}

fn milliseconds(time: Duration) -> f64 {
    time.as_secs_f64() * 1000.0
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
