//! `divita-models shots`: how well a detector finds the transitions of videos whose true ones are known.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write;
use std::path::PathBuf;

use anyhow::{Context, bail};
use clap::Args;
use divita_board::{inputs::expand, source};
use divita_models::{
    contact_sheet,
    session::{Device, Session},
    shot_evaluation::{Evaluation, EvaluationError, Found, Truth, detect},
    shot_score::{Counts, Tolerance},
    transnet_detector::TransnetDetector,
    weights::write_whole,
};
use divita_runtime::{
    frame::Timestamp,
    shots::{EvidenceDetector, HistogramDetector, ShotSettings, Thresholds, transition_network::TransitionNetwork},
};
use indicatif::ProgressBar;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

/// Score a shot detector on videos whose transitions are known
///
/// Beside each video NAME.mp4 lies its truth, NAME.json: {"transitions": [{"last": 29, "first": 30}, ...]}. `last` is the last frame that is
/// wholly of the shot before, `first` the first that is wholly of the shot after; frames are counted from 0. A transition may say `how` it was made, and
/// `disturbances`: [{"kind": "flash", "first": 90, "last": 92}] what happens that is none.
///
/// What is found is paired one to one with what is true. A cut is found by what is at most --tolerance frames from it, a gradual transition by
/// what overlaps it within --gradual-tolerance frames. Precision, recall and F1 of cuts and gradual transitions are counted apart; a false alarm is of the
/// kind that the detector took it for.
#[derive(Args)]
#[command(after_help = "Examples:\n  \
    divita-models shots corpus/test\n  \
    divita-models shots corpus/test --detector transnetv2 --detector-weights transnetv2.safetensors --save transnet.json\n  \
    divita-models shots corpus/test --found other.json --report sheet/\n\n\
    --found scores what another program found: {\"detector\": \"its name\", \"videos\": {\"NAME.mp4\": {\"frames\": 250, \"cpu_s\": 0.1, \
    \"transitions\": [{\"last\": 29, \"first\": 30}]}}}")]
pub struct Shots {
    /// Videos, or folders of videos
    #[arg(value_name = "INPUT", required = true)]
    inputs: Vec<String>,
    /// The detector: colour histograms as on a board, a small network that `fit-shots` trained on more of the kind, or the network of the paper
    #[arg(long, value_name = "histogram|evidence|transnetv2", default_value = "histogram", value_parser = ["histogram", "evidence", "transnetv2"], hide_possible_values = true)]
    detector: String,
    /// Weights of TransNet V2 that `import` wrote, or those that `fit-shots` wrote
    #[arg(long, value_name = "FILE", required_if_eq_any([("detector", "transnetv2"), ("detector", "evidence")]))]
    detector_weights: Option<PathBuf>,
    /// Probability from which on the detector `evidence` sees a cut
    #[arg(long, value_name = "P")]
    cut_threshold: Option<f32>,
    /// Probability from which on it takes a frame for part of a gradual transition
    #[arg(long, value_name = "P")]
    gradual_threshold: Option<f32>,
    /// Score what is written in FILE in place of running a detector
    #[arg(long, value_name = "FILE", conflicts_with_all = ["detector", "detector_weights", "save"])]
    found: Option<PathBuf>,
    /// Write what was found to FILE, as --found reads it
    #[arg(long, value_name = "FILE")]
    save: Option<PathBuf>,
    /// Frames that a cut may be off
    #[arg(long, value_name = "N", default_value_t = 1)]
    tolerance: u64,
    /// Frames that a gradual transition may be off at either end
    #[arg(long, value_name = "N", default_value_t = 2)]
    gradual_tolerance: u64,
    /// Write a page with the frames around every error into the folder DIR
    #[arg(long, value_name = "DIR")]
    report: Option<PathBuf>,
    /// Print JSON with every miss and every false alarm in place of a table
    #[arg(long)]
    json: bool,
}

/// What some detector found in many videos, by the names of their files.
#[derive(Serialize, Deserialize)]
struct FoundIn {
    detector: String,
    videos: BTreeMap<String, Found>,
}

impl Shots {
    /// Scores, and prints the result.
    pub fn run(self) -> anyhow::Result<()> {
        let videos = self.videos()?;
        let mut given: Option<FoundIn> = match &self.found {
            None => None,
            Some(path) => {
                let text = fs::read_to_string(path).with_context(|| path.display().to_string())?;
                Some(serde_json::from_str(&text).with_context(|| path.display().to_string())?)
            }
        };
        let mut detector = self.detector()?;
        let tolerance = Tolerance { cut: self.tolerance, gradual: self.gradual_tolerance };
        let mut evaluation = Evaluation::default();
        let mut all = FoundIn {
            detector: given.as_ref().map_or(self.detector.clone(), |given| given.detector.clone()),
            videos: BTreeMap::new(),
        };
        let bar = ProgressBar::new(videos.len() as u64);
        for (name, video) in &videos {
            bar.set_message(name.clone());
            let truth = Truth::of(video)?;
            let mut times = Vec::new();
            let found = match &mut given {
                None => detector.run(video, &mut times).with_context(|| video.clone())?,
                Some(given) => {
                    let found = given.videos.remove(name);
                    times = frame_times(video).with_context(|| video.clone())?;
                    found.with_context(|| format!("nothing is said of {name}"))?
                }
            };
            if let Some(expected) = truth.frames.filter(|&frames| frames != times.len() as u64) {
                return Err(EvaluationError::Frames { expected, found: times.len() as u64 })
                    .with_context(|| video.clone());
            }
            evaluation.add(video, &truth, &found, &times, tolerance);
            all.videos.insert(name.clone(), found);
            bar.inc(1);
        }
        bar.finish_and_clear();
        if let Some(path) = &self.save {
            write_whole(path, serde_json::to_string_pretty(&all)?.as_bytes())?;
        }
        if let Some(folder) = &self.report {
            contact_sheet::write(&format!("Errors of {}", all.detector), &evaluation, folder)?;
        }
        self.print(&all, &evaluation)
    }

    /// The detector that is asked for.
    fn detector(&self) -> anyhow::Result<Detector> {
        if self.detector != "evidence" && (self.cut_threshold.is_some() || self.gradual_threshold.is_some()) {
            bail!("--cut-threshold and --gradual-threshold are for --detector evidence");
        }
        match (&*self.detector, &self.detector_weights) {
            ("transnetv2", Some(path)) => {
                let (weights, _) = super::extract::read_weights("transnetv2", 1, path)?;
                Ok(Detector::Transnet(TransnetDetector::network(&weights, Device::Cpu)?))
            }
            ("evidence", Some(path)) => {
                let bytes = fs::read(path).with_context(|| path.display().to_string())?;
                let network = TransitionNetwork::read(&bytes).with_context(|| path.display().to_string())?;
                let Thresholds { cut, gradual } = Thresholds::default();
                let thresholds = Thresholds {
                    cut: self.cut_threshold.unwrap_or(cut),
                    gradual: self.gradual_threshold.unwrap_or(gradual),
                };
                Ok(Detector::Evidence(network, thresholds))
            }
            (_, Some(_)) => bail!("--detector-weights are for --detector evidence or transnetv2"),
            _ => Ok(Detector::Histogram),
        }
    }

    /// The videos by the names of their files.
    fn videos(&self) -> anyhow::Result<BTreeMap<String, String>> {
        let mut videos = BTreeMap::new();
        for input in expand(&self.inputs) {
            let name = std::path::Path::new(&input).file_name().unwrap_or_default().to_string_lossy().into_owned();
            if let Some(other) = videos.insert(name.clone(), input.clone()) {
                bail!("{other} and {input} are both called {name}: score them apart");
            }
        }
        Ok(videos)
    }

    fn print(&self, all: &FoundIn, evaluation: &Evaluation) -> anyhow::Result<()> {
        let mut out = std::io::stdout();
        let frames: u64 = all.videos.values().map(|found| found.frames).sum();
        let cpu_s: f64 = all.videos.values().map(|found| found.cpu_s).sum();
        let cpu = (frames > 0).then(|| 1e6 * cpu_s / frames as f64);
        let score = evaluation.score;
        let kinds = [("cuts", score.cuts), ("gradual", score.graduals), ("all", score.all())];
        let (alarms, minutes) = evaluation.disturbed;
        if self.json {
            let counts: Map<String, Value> =
                kinds.iter().map(|&(name, counts)| (name.to_owned(), figures(counts))).collect();
            let value = json!({
                "detector": all.detector, "videos": all.videos.len(), "frames": frames,
                "tolerance": self.tolerance, "gradual_tolerance": self.gradual_tolerance,
                "cpu_ms_per_1000_frames": cpu, "score": counts, "found_by_kind": evaluation.by_kind,
                "false_alarms_a_minute_where_disturbed": (minutes > 0.0).then(|| alarms as f64 / minutes),
                "misses": evaluation.misses, "false_alarms": evaluation.false_alarms,
            });
            writeln!(out, "{}", serde_json::to_string_pretty(&value)?)?;
            return Ok(());
        }
        writeln!(out, "{} on {} videos, {frames} frames", all.detector, all.videos.len())?;
        writeln!(
            out,
            "{:<10} {:>6} {:>6} {:>6} {:>10} {:>7} {:>6}",
            "", "true", "found", "false", "precision", "recall", "F1"
        )?;
        for (name, counts) in kinds {
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
        if minutes > 0.0 {
            writeln!(out, "{:.2} false alarms a minute where there are disturbances", alarms as f64 / minutes)?;
        }
        if let Some(cpu) = cpu {
            writeln!(out, "{cpu:.1} ms of CPU time per 1000 frames, decoding left out")?;
        }
        Ok(())
    }
}

/// What finds transitions.
enum Detector {
    Histogram,
    Evidence(TransitionNetwork, Thresholds),
    Transnet(Session),
}

impl Detector {
    /// What it finds in `video`; `times` gets the times of the frames.
    fn run(&mut self, video: &str, times: &mut Vec<Timestamp>) -> Result<Found, EvaluationError> {
        let (settings, time) = (ShotSettings::default(), |time| times.push(time));
        match self {
            Detector::Histogram => detect(video, HistogramDetector::new(settings), time),
            Detector::Evidence(network, thresholds) => {
                detect(video, EvidenceDetector::new(network, settings, *thresholds), time)
            }
            Detector::Transnet(network) => detect(video, TransnetDetector::new(network, settings.gap_s), time),
        }
    }
}

/// The times of a video's frames.
fn frame_times(video: &str) -> Result<Vec<Timestamp>, EvaluationError> {
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
