//! `divita-models shots`: scores a shot detector on videos with known transitions.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use crate::{
    engines::session::{Device, Session},
    extraction::transnet_detector::TransnetDetector,
    shots::{
        contact_sheet,
        evaluation::{Evaluation, EvaluationError, Found, FoundIn, Truth, detect, file_name},
        score::{Counts, Score, Tolerance},
    },
    weights::write_whole,
};
use anyhow::{Context, bail};
use clap::Args;
use divita_runtime::{
    frame::Timestamp,
    shots::{EvidenceDetector, ShotSettings, transition_network::TransitionNetwork},
};
use divita_video::{self as source, DecodedPictures, Input, Playback};
use serde_json::{Map, Value, json};

/// Score a shot detector on videos with known transitions
///
/// The ground truth of NAME.mp4 is NAME.json beside it: {"transitions": [{"last": 29, "first": 30},
/// ...]}. `last` is the last frame entirely in the shot before, `first` the first frame entirely in
/// the shot after; frames count from 0. A transition may state `how` it was made, and
/// `disturbances`: [{"kind": "flash", "first": 90, "last": 92}] lists events that are not
/// transitions.
///
/// Found and true transitions are matched one to one. A found transition matches a cut within
/// --tolerance frames, and a gradual transition if they overlap within --gradual-tolerance frames.
/// Precision, recall and F1 are counted separately for cuts and gradual transitions; a false alarm
/// counts for the kind that the detector reported.
#[derive(Args)]
#[command(after_help = "Examples:\n  \
    divita-models shots corpus/test\n  \
    divita-models shots corpus/test --detector transnetv2 --detector-weights transnetv2.safetensors --save transnet.json\n  \
    divita-models shots corpus/test --found other.json --report sheet/\n\n\
    --found scores what another program found: {\"detector\": \"its name\", \"videos\": {\"NAME.mp4\": {\"frames\": 250, \"cpu_s\": 0.1, \
    \"transitions\": [{\"last\": 29, \"first\": 30}]}}}")]
pub struct Shots {
    /// Videos, or folders of videos
    #[arg(value_name = "INPUT", required = true, value_parser = divita_console::arguments::input_parser())]
    inputs: Vec<Input>,
    /// Shot detector: `divita`'s own, or the paper's TransNet V2
    #[arg(help_heading = "Detector", long, value_name = "evidence|transnetv2", default_value = "evidence", value_parser = ["evidence", "transnetv2"], hide_possible_values = true)]
    detector: String,
    /// Weights of TransNet V2 from `import`, or weights from `fit-shots` instead of the built-in
    /// ones
    #[arg(help_heading = "Detector", long, value_name = "FILE", required_if_eq("detector", "transnetv2"))]
    detector_weights: Option<PathBuf>,
    /// Probability above which `divita`'s detector reports a cut
    #[arg(help_heading = "Detector", long, value_name = "P")]
    cut_threshold: Option<f32>,
    /// Probability above which `divita`'s detector assigns a frame to a gradual transition
    #[arg(help_heading = "Detector", long, value_name = "P")]
    gradual_threshold: Option<f32>,
    /// Score the transitions in FILE instead of running a detector; repeat for several files
    #[arg(long, value_name = "FILE", conflicts_with_all = ["detector", "detector_weights", "save"])]
    found: Vec<PathBuf>,
    /// Write the found transitions to FILE, in the format of --found
    #[arg(long, value_name = "FILE")]
    save: Option<PathBuf>,
    /// Pictures that are decoded: all, or only those that others need (`reference`), or only those
    /// that need no other (`key`)
    #[arg(long, value_name = "PICTURES", default_value_t, conflicts_with = "found")]
    decode: DecodedPictures,
    /// Tolerance of cuts, in frames
    #[arg(long, value_name = "N", default_value_t = Tolerance::default().cut)]
    tolerance: u64,
    /// Tolerance of either end of a gradual transition, in frames
    #[arg(long, value_name = "N", default_value_t = Tolerance::default().gradual)]
    gradual_tolerance: u64,
    /// Write a page with the frames around every error of one detector into the folder DIR
    #[arg(long, value_name = "DIR")]
    report: Option<PathBuf>,
    /// Print JSON instead of tables: a list of detectors, each with every miss and every false
    /// alarm
    #[arg(long)]
    json: bool,
}

impl Shots {
    /// Scores the detector and prints the result.
    pub fn run(self) -> anyhow::Result<()> {
        if self.report.is_some() && self.found.len() > 1 {
            bail!("--report shows one detector: give one --found");
        }
        let videos = videos_by_name(&self.inputs)?;
        let mut detector = if self.found.is_empty() { Some(self.detector()?) } else { None };
        let mut results = match &detector {
            Some(_) => vec![Scored::of(FoundIn { detector: self.detector.clone(), videos: BTreeMap::new() })],
            None => self
                .found
                .iter()
                .map(|path| FoundIn::read(path).map(Scored::of).with_context(|| path.display().to_string()))
                .collect::<Result<_, _>>()?,
        };
        let tolerance = Tolerance { cut: self.tolerance, gradual: self.gradual_tolerance };
        let bar = super::progress::bar(videos.len() as u64);
        for (name, video) in &videos {
            bar.set_message(name.clone());
            let truth = Truth::of(video)?;
            let mut times = Vec::new();
            if let (Some(detector), [only]) = (&mut detector, &mut *results) {
                let playback = Playback { decode: self.decode, ..video.playback() };
                let found = detector.run(&video.clone().with_playback(playback), &mut times);
                let found = found.with_context(|| video.to_string())?;
                if found.frames != times.len() as u64 {
                    // The page of errors needs those of pictures that were not decoded, too.
                    times = frame_times(video).with_context(|| video.to_string())?;
                }
                only.found.videos.insert(name.clone(), found);
            } else {
                times = frame_times(video).with_context(|| video.to_string())?;
            }
            if let Some(expected) = truth.frames.filter(|&frames| frames != times.len() as u64) {
                return Err(EvaluationError::Frames { expected, found: times.len() as u64 })
                    .with_context(|| video.to_string());
            }
            for Scored { found, evaluation } in &mut results {
                let said = found.videos.get(name);
                let said = said.with_context(|| format!("{}: has no entry for {name}", found.detector))?;
                evaluation.add(video.shown(), &truth, said, &times, tolerance);
            }
            bar.inc(1);
        }
        drop(bar);
        // Of what others found only that in these videos counts.
        results.iter_mut().for_each(|one| one.found.videos.retain(|name, _| videos.contains_key(name)));
        let mut out = std::io::stdout();
        if self.json {
            let values: Vec<Value> = results.iter().map(|one| self.json_of(one)).collect();
            writeln!(out, "{}", serde_json::to_string_pretty(&values)?)?;
        } else {
            for (at, one) in results.iter().enumerate() {
                out.write_all(if at > 0 { b"\n" } else { b"" })?;
                one.print(&mut out)?;
            }
        }
        // Files last, so that the scores are not lost where one cannot be written.
        if let (Some(path), [only]) = (&self.save, &*results) {
            write_whole(path, serde_json::to_string_pretty(&only.found)?.as_bytes())?;
        }
        if let (Some(folder), [only]) = (&self.report, &*results) {
            contact_sheet::write(&format!("Errors of {}", only.found.detector), &only.evaluation, folder)?;
        }
        Ok(())
    }

    /// Returns the detector that is asked for.
    fn detector(&self) -> anyhow::Result<Detector> {
        match (&*self.detector, &self.detector_weights) {
            ("transnetv2", Some(path)) => {
                if self.cut_threshold.is_some() || self.gradual_threshold.is_some() {
                    bail!("--cut-threshold and --gradual-threshold are for --detector evidence");
                }
                Ok(Detector::Transnet(super::extract::read_transnet(path, Device::Cpu)?.0))
            }
            (_, weights) => {
                let network = read_network(weights.as_deref())?;
                let mut settings = ShotSettings::default();
                settings.cut = self.cut_threshold.unwrap_or(settings.cut);
                settings.gradual = self.gradual_threshold.unwrap_or(settings.gradual);
                if let Some((name, must)) = settings.fault() {
                    bail!("--{name}-threshold must be {must}");
                }
                Ok(Detector::Evidence(network, settings))
            }
        }
    }

    fn json_of(&self, Scored { found, evaluation }: &Scored) -> Value {
        let counts: Map<String, Value> =
            kinds(evaluation.score).iter().map(|&(name, counts)| (name.to_owned(), figures(counts))).collect();
        json!({
            "detector": found.detector, "videos": found.videos.len(), "frames": found.frames(),
            "tolerance": self.tolerance, "gradual_tolerance": self.gradual_tolerance,
            "cpu_ms_per_1000_frames": found.cpu_ms_per_1000_frames(), "score": counts, "found_by_kind": evaluation.by_kind,
            "false_alarms_a_minute_where_disturbed": evaluation.alarms_a_minute(),
            "misses": evaluation.misses, "false_alarms": evaluation.false_alarms,
        })
    }
}

/// Transitions that a detector found, and their score.
struct Scored {
    found: FoundIn,
    evaluation: Evaluation,
}

impl Scored {
    fn of(found: FoundIn) -> Self {
        Scored { found, evaluation: Evaluation::default() }
    }

    fn print(&self, out: &mut impl Write) -> std::io::Result<()> {
        let Scored { found, evaluation } = self;
        writeln!(out, "{} on {} videos, {} frames", found.detector, found.videos.len(), found.frames())?;
        writeln!(
            out,
            "{:<10} {:>6} {:>6} {:>6} {:>10} {:>7} {:>6}",
            "", "true", "found", "false", "precision", "recall", "F1"
        )?;
        for (name, counts) in kinds(evaluation.score) {
            let Counts { truth, found, false_alarms } = counts;
            let [precision, recall, f1] = [counts.precision(), counts.recall(), counts.f1()].map(|share| 100.0 * share);
            writeln!(
                out,
                "{name:<10} {truth:>6} {found:>6} {false_alarms:>6} {precision:>10.1} {recall:>7.1} {f1:>6.1}"
            )?;
        }
        for (kind, (found, all)) in &evaluation.by_kind {
            writeln!(out, "  {kind:<10} {found:>4} of {all}")?;
        }
        let mut what: BTreeMap<String, usize> = BTreeMap::new();
        evaluation.false_alarms.iter().for_each(|one| *what.entry(one.what.join("+")).or_default() += 1);
        for (what, count) in what {
            writeln!(out, "  {count} false at: {}", if what.is_empty() { "nothing that is known of" } else { &what })?;
        }
        if let Some(alarms) = evaluation.alarms_a_minute() {
            writeln!(out, "{alarms:.2} false alarms a minute where there are disturbances")?;
        }
        if let Some(cpu) = found.cpu_ms_per_1000_frames() {
            writeln!(out, "{cpu:.1} ms of CPU time per 1000 frames, decoding left out")?;
        }
        Ok(())
    }
}

fn kinds(score: Score) -> [(&'static str, Counts); 3] {
    [("cuts", score.cuts), ("gradual", score.graduals), ("all", score.all())]
}

/// A detector.
enum Detector {
    Evidence(TransitionNetwork, ShotSettings),
    Transnet(Session),
}

impl Detector {
    /// What it finds in `video`; `times` gets the times of the frames.
    fn run(&mut self, video: &Input, times: &mut Vec<Timestamp>) -> Result<Found, EvaluationError> {
        let time = |time| times.push(time);
        match self {
            Detector::Evidence(network, settings) => {
                detect(video, EvidenceDetector::new(network.clone(), *settings), time)
            }
            Detector::Transnet(network) => {
                detect(video, TransnetDetector::new(network, ShotSettings::default().gap_s), time)
            }
        }
    }
}

/// Returns the network with the weights of a file, or with the program's own.
pub(super) fn read_network(weights: Option<&Path>) -> anyhow::Result<TransitionNetwork> {
    let Some(path) = weights else { return Ok(TransitionNetwork::default()) };
    let bytes = fs::read(path).with_context(|| path.display().to_string())?;
    TransitionNetwork::read(&bytes).with_context(|| path.display().to_string())
}

/// Returns the videos by the names of their files, which is how what was found in them is written
/// down.
pub(super) fn videos_by_name(inputs: &[Input]) -> anyhow::Result<BTreeMap<String, Input>> {
    let mut videos = BTreeMap::new();
    for input in super::videos(inputs) {
        let name = file_name(&input);
        if let Some(other) = videos.insert(name.clone(), input.clone()) {
            bail!("{other} and {input} have the same file name {name}: score them separately");
        }
    }
    Ok(videos)
}

/// Returns the times of a video's frames.
fn frame_times(video: &Input) -> Result<Vec<Timestamp>, EvaluationError> {
    let mut source = source::open(video)?;
    let mut times = Vec::new();
    while let Some(frame) = source.next_frame()? {
        times.push(frame.time());
    }
    Ok(times)
}

fn figures(counts: Counts) -> Value {
    json!({"true": counts.truth, "found": counts.found, "false": counts.false_alarms,
        "precision": counts.precision(), "recall": counts.recall(), "f1": counts.f1()})
}
