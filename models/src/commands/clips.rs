//! `divita-models clips`: counts what shot detectors change in clips.

use std::io::Write;
use std::path::PathBuf;

use crate::shots::{
    clip_comparison::{ClipCounts, Shots, compare},
    evaluation::{FoundIn, Truth},
};
use anyhow::Context;
use clap::Args;
use divita_runtime::{
    bundle::{Bundle, Manifest},
    network::{Executor, Networks},
    sampler::WorkingRate,
    segmenter::{Segmentation, SegmenterOptions},
};
use divita_video::Input;
use serde_json::{Value, json};

/// Compare the clips that different shot detectors produce
///
/// Cuts each video into clips three ways: by its true shots, by the shots of each detector, and
/// without shots. Prints one row for each: the share of clips that span two shots, the share that
/// contain frames of a gradual transition, and the mean distance (1 - cosine) between the bundle's
/// vector of a clip and the vector of the true clip nearest in time, for both streams.
/// `divita-models shots --help` describes the ground truth and FILE.
#[derive(Args)]
#[command(
    after_help = "Example:\n  divita-models clips corpus/test --found evidence.json --found transnetv2.json --bundle bundle/"
)]
pub struct Clips {
    /// Videos, or folders of videos
    #[arg(value_name = "INPUT", required = true, value_parser = divita_console::arguments::input_parser())]
    inputs: Vec<Input>,
    /// Transitions of a detector, from `divita-models shots --save`; repeat for several detectors
    #[arg(long, value_name = "FILE")]
    found: Vec<PathBuf>,
    /// Bundle whose backbones make the vectors
    #[arg(long, value_name = "DIR")]
    bundle: PathBuf,
    /// Working rate: frames per clip
    #[arg(long, value_name = "N", default_value = "8")]
    fps: WorkingRate,
    /// Print JSON instead of a table
    #[arg(long)]
    json: bool,
}

impl Clips {
    /// Compares the clips and prints the result.
    pub fn run(self) -> anyhow::Result<()> {
        let videos = super::shots::videos_by_name(&self.inputs)?;
        let found: Vec<FoundIn> = self
            .found
            .iter()
            .map(|path| FoundIn::read(path).with_context(|| path.display().to_string()))
            .collect::<Result<_, _>>()?;
        let bundle = Bundle::open(&self.bundle)?;
        let mut backbones = Networks::prepare(&bundle, &[self.fps], Executor::default())?.backbones()?;
        let options = SegmenterOptions::from_manifest(bundle.manifest(), self.fps, Segmentation::Shot);
        let names: Vec<&str> =
            ["truth", "no shots"].into_iter().chain(found.iter().map(|one| &*one.detector)).collect();
        let mut counts = vec![ClipCounts::default(); names.len()];
        let bar = super::progress::bar(videos.len() as u64);
        for (name, video) in &videos {
            let truth = Truth::of(video)?.transitions();
            let mut origins = vec![Shots::Known(truth.clone()), Shots::None];
            for one in &found {
                let said = one.videos.get(name);
                let said = said.with_context(|| format!("{}: has no entry for {name}", one.detector))?;
                origins.push(Shots::Known(said.transitions.clone()));
            }
            compare(video, &truth, &origins, options, &mut backbones, &mut counts)
                .with_context(|| video.to_string())?;
            bar.inc(1);
        }
        drop(bar);
        let mut out = std::io::stdout();
        let Manifest { trained, notice, .. } = bundle.manifest();
        if self.json {
            let rows: Vec<Value> = names.iter().zip(&counts).map(|(name, counts)| figures(name, counts)).collect();
            let value = json!({"videos": videos.len(), "fps": self.fps.fps(), "trained": trained, "notice": notice, "shots": rows});
            writeln!(out, "{}", serde_json::to_string_pretty(&value)?)?;
            return Ok(());
        }
        let networks = match (trained, notice) {
            (false, _) => "seeded, untrained networks".to_owned(),
            (true, None) => "trained networks".to_owned(),
            (true, Some(notice)) => format!("networks {notice}"),
        };
        writeln!(
            out,
            "clips of {} frames from {} videos; vectors of {networks}",
            self.fps.clip_frames(),
            videos.len()
        )?;
        writeln!(
            out,
            "{:<28} {:>6} {:>12} {:>12} {:>10} {:>10}",
            "shots", "clips", "of two shots", "in between", "image", "video"
        )?;
        for (name, counts) in names.iter().zip(&counts) {
            let [across, within, image, video] = shares(counts);
            writeln!(
                out,
                "{name:<28} {:>6} {:>10.2} % {:>10.2} % {image:>10.5} {video:>10.5}",
                counts.clips,
                100.0 * across,
                100.0 * within
            )?;
        }
        Ok(())
    }
}

/// Returns the share of clips that span two shots, the share that reach into a gradual transition,
/// and the mean distances of the image and the video stream.
fn shares(counts: &ClipCounts) -> [f64; 4] {
    let [image, video] = counts.distances;
    [counts.across as f64, counts.within as f64, image, video].map(|sum| sum / counts.clips.max(1) as f64)
}

fn figures(name: &str, counts: &ClipCounts) -> Value {
    let [across, within, image, video] = shares(counts);
    json!({"detector": name, "clips": counts.clips, "of_two_shots": across, "in_between": within,
        "image_distance": image, "video_distance": video})
}
