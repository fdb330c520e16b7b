//! `divita-models extract`: extracts the vectors of many videos' clips into a store.

use std::collections::BTreeMap;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::available_parallelism;

use crate::{
    dataset::{video_clips::DEFAULT_RATE, video_files::group_by_id},
    engines::{
        backbone_file::{self, BackboneFile},
        frozen_backbone::FrozenBackbone,
        session::{Device, Session},
    },
    extraction::{
        extractor::{Detector, Extractor},
        transnet_detector::TransnetDetector,
    },
    networks::{Backbone, transnet},
    parallel,
    representations::{
        Error, Store,
        attributes::{INPUT, SEEDED},
        is_id,
    },
    weights::{
        checkpoint,
        facts::SUM,
        fitted::{FITTED, Fitted},
    },
};
use anyhow::bail;
use clap::Args;
use divita_console::in_one_line;
use divita_runtime::{bundle::Borders, sampler::WorkingRate, segmenter::Segmentation};
use divita_video::expansion::Expansion;
use divita_video::shard::Shard;
use divita_video::{self as source, Input};
use serde_json::{Map, Value};

/// Extract the vectors of videos' clips into a store of representations
///
/// Decodes each video, cuts it into shots and clips as `divita` does, runs a backbone on every
/// clip, and adds the vectors to a store: a Zarr 2 group with one array of shape (clips, features)
/// per video, named like the video's file. Trailers12k is published in this layout.
///
/// Videos that the store already contains are skipped, so a stopped run resumes and loses at most
/// the current videos. Several videos are extracted at once (--jobs). Several runs, on several
/// machines, can fill one store: --shard K/N gives each its share.
#[derive(Args)]
#[command(after_help = "Examples:\n  \
    divita-models extract trailers/ --network swin-3d --weights swin-3d.safetensors --fps 24 --store ik_swin_fps24_fpc24.zarr\n  \
    divita-models extract trailers/ --network shufflenet-2d --seed 1 --store test.zarr --shard 3/8")]
pub struct Extract {
    /// Videos, or folders of videos; reads sub-folders, skips hidden files
    #[arg(value_name = "INPUT", required = true, value_parser = divita_console::arguments::input_parser())]
    inputs: Vec<Input>,
    /// Store to add to; created if missing
    #[arg(long, value_name = "DIR")]
    store: PathBuf,
    /// Backbone [default: the one that the file of weights names]
    #[arg(long, required_unless_present = "weights")]
    network: Option<Backbone>,
    /// Weights from `import`, `import-onnx` or `fit-backbone`; the file states the preprocessing
    #[arg(long, value_name = "FILE", required_unless_present = "seed")]
    weights: Option<PathBuf>,
    /// Working rate in fps: frames per second that the network reads, and frames per clip
    #[arg(long, value_name = "4|6|8|12|24", default_value_t = DEFAULT_RATE)]
    fps: WorkingRate,
    /// Skip sub-folders
    #[arg(long)]
    no_recurse: bool,
    /// Seed of random weights instead of trained ones, for trials
    #[arg(long, value_name = "N", conflicts_with = "weights")]
    seed: Option<u64>,
    /// Cut clips within shots, or across shots (an ablation)
    #[arg(long, value_name = "shot|seq", default_value = "shot")]
    segmentation: Segmentation,
    /// Shot detector: `divita`'s own, or the paper's TransNet V2, which is slower
    #[arg(long, value_name = "evidence|transnetv2", default_value = "evidence", value_parser = ["evidence", "transnetv2"], hide_possible_values = true)]
    detector: String,
    /// Weights of TransNet V2 from `import`
    #[arg(long, value_name = "FILE", required_if_eq("detector", "transnetv2"))]
    detector_weights: Option<PathBuf>,
    /// Keep or crop the borders of letterboxed and pillarboxed frames; stores and bundles record it
    /// [default: as the weights were trained, or keep]
    #[arg(long, value_name = "keep|crop")]
    borders: Option<Borders>,
    /// Device that runs the networks; cuda needs ORT_DYLIB_PATH to name the libonnxruntime.so of
    /// onnxruntime-gpu, and a program built with the feature `cuda`
    #[arg(long, value_name = "cpu|cuda", default_value = "cpu")]
    device: Device,
    /// Number of videos at once; each takes the memory of one backbone [default: the number of
    /// processors; 1 on cuda]
    #[arg(long, value_name = "N")]
    jobs: Option<NonZeroUsize>,
    /// Extract share K of N of the videos, counted from 1
    #[arg(long, value_name = "K/N", default_value = "1/1")]
    shard: Shard,
}

impl Extract {
    /// Extracts the videos; fails at the end if a video failed.
    pub fn run(self) -> anyhow::Result<()> {
        let (videos, refused) = self.videos();
        refused.iter().for_each(|reason| log::error!("{reason}"));
        let (mut backbone, from, fitted) = self.backbone()?;
        backbone.input.borders = self.borders.unwrap_or(backbone.input.borders);
        if !backbone.serves(self.fps.clip_frames()) && backbone.described().is_none() {
            bail!("{} reads clips of one length, which --fps {} does not give", backbone.name(), self.fps.fps());
        }
        log::info!("{}: {}", backbone.name(), backbone.input);
        log::info!("working rate: {} fps (--fps)", self.fps);
        let segmentation = serde_json::to_value(self.segmentation)?;
        let (detector, detector_name) = self.detector()?;
        let attributes: Map<String, Value> = [
            ("network", Value::from(backbone.name())),
            ("stream", backbone.stream().as_str().into()),
            ("weights", from.into()),
            (INPUT, serde_json::to_value(backbone.input)?),
            ("fps", self.fps.fps().into()),
            ("segmentation", segmentation),
            ("detector", detector_name),
        ]
        .map(|(name, value)| (name.to_owned(), value))
        .into_iter()
        .chain(fitted.map(|fitted| (FITTED.to_owned(), fitted.attribute())))
        .collect();
        let store = Store::create_or_open(&self.store, backbone.features(), &attributes)?;
        let shard = self.shard.of(&videos);
        let (there, todo): (Vec<_>, Vec<_>) = shard.partition(|(id, _)| store.contains(id));
        log::info!("{} videos to extract, {} already in the store", todo.len(), there.len());
        let todo: Vec<_> = todo.into_iter().map(|(id, video)| (id, video, duration(video))).collect();
        let mut detector = Some(detector);
        let extractors = (0..self.jobs().get().min(todo.len()))
            .map(|_| {
                let detector = match detector.take() {
                    Some(detector) => detector,
                    None => self.detector()?.0,
                };
                Ok(Extractor::new(backbone.clone(), self.device, self.fps, self.segmentation, detector)?)
            })
            .collect::<anyhow::Result<_>>()?;
        let bar = super::progress::bar(todo.iter().map(|(.., duration)| duration).sum());
        let (failed, clips) = (AtomicUsize::new(0), AtomicUsize::new(0));
        parallel::share(extractors, &todo, |extractor: &mut Extractor, (id, video, duration)| {
            bar.set_message((*id).clone());
            let (duration, mut reached) = (*duration, 0);
            let mut reach = |time: u64| {
                bar.inc(time.saturating_sub(reached));
                reached = reached.max(time);
            };
            let made = extractor.extract(video, |time| reach(milliseconds(time).min(duration)));
            reach(duration);
            let written = made.map_err(anyhow::Error::from).and_then(|made| {
                store.write(id, made.clips, &made.data)?;
                clips.fetch_add(made.clips, Ordering::Relaxed);
                Ok(())
            });
            let Err(error) = written else { return Ok(()) };
            // A full disk is full for the next video too.
            if matches!(error.downcast_ref(), Some(Error::DiskFull { .. } | Error::Write { .. })) {
                bail!("{video}: {}; stopped; finished videos are in {}", in_one_line(&error), self.store.display());
            }
            failed.fetch_add(1, Ordering::Relaxed);
            log::error!("{video}: {}", in_one_line(&error));
            Ok(())
        })?;
        drop(bar);
        let (failed, clips) = (failed.into_inner(), clips.into_inner());
        log::info!("{} videos done, {clips} clips: {}", todo.len() - failed, self.store.display());
        match (failed, refused.len()) {
            (0, 0) => Ok(()),
            (0, refused) => bail!("{refused} videos have names that a store cannot use"),
            (failed, 0) => bail!("{failed} of {} videos failed", todo.len()),
            (failed, refused) => bail!(
                "{failed} of {} videos failed, and {refused} videos have names that a store cannot use",
                todo.len()
            ),
        }
    }

    /// Returns the number of videos at once.
    fn jobs(&self) -> NonZeroUsize {
        self.jobs.unwrap_or_else(|| match self.device {
            Device::Cpu => available_parallelism().unwrap_or(NonZeroUsize::MIN),
            Device::Cuda => NonZeroUsize::MIN,
        })
    }

    /// Returns the backbone, what the store calls its weights, and what they were fitted on.
    fn backbone(&self) -> anyhow::Result<(FrozenBackbone, String, Option<Fitted>)> {
        match (&self.weights, self.network) {
            (Some(path), network) => {
                let BackboneFile { frozen, from, fitted, .. } = BackboneFile::read(path, network)?;
                Ok((frozen, from, fitted))
            }
            (None, Some(network)) => {
                let seed = self.seed.unwrap_or_default();
                let frozen = FrozenBackbone::seeded(network, seed, network.name());
                Ok((frozen, format!("{SEEDED}{seed}"), None))
            }
            (None, None) => bail!("give --network and --seed, or --weights"),
        }
    }

    /// What finds the shots, and what the store says of it.
    fn detector(&self) -> anyhow::Result<(Detector, Value)> {
        match (self.segmentation, &self.detector_weights) {
            (Segmentation::Seq, Some(_)) => bail!("clips across shots need no detector: omit --detector-weights"),
            (Segmentation::Seq, None) => Ok((Detector::Evidence, Value::Null)),
            (Segmentation::Shot, None) => Ok((Detector::Evidence, "evidence".into())),
            (Segmentation::Shot, Some(_)) if self.detector == "evidence" => {
                bail!("--detector-weights are for --detector transnetv2")
            }
            (Segmentation::Shot, Some(path)) => {
                let (network, from) = read_transnet(path, self.device)?;
                Ok((Detector::Transnet(network), format!("transnetv2, {from}").into()))
            }
        }
    }

    /// Returns the videos by their ids in the store, in the order of these: the same for every part
    /// of the work. And why others cannot be in the store.
    fn videos(&self) -> (BTreeMap<String, Input>, Vec<String>) {
        let expansion = Expansion { recurse: !self.no_recurse, ..Expansion::default() };
        let (groups, clashes) = group_by_id(&super::videos_by(&self.inputs, &expansion));
        let mut refused: Vec<String> = clashes.iter().map(ToString::to_string).collect();
        let mut videos = BTreeMap::new();
        for (id, copies) in groups {
            if is_id(&id) {
                videos.insert(id, copies[0].clone());
            } else {
                refused.push(format!("{}: {}", copies[0], Error::Id(id)));
            }
        }
        (videos, refused)
    }
}

/// TransNet V2 with the weights in the file `path`, on `device`, and what a store calls these
/// weights.
pub(super) fn read_transnet(path: &Path, device: Device) -> anyhow::Result<(Session, String)> {
    let checkpoint = checkpoint::read(path)?;
    let from = format!("{}{}", SUM, checkpoint.sha256);
    let mapping = backbone_file::weights(&transnet(), checkpoint, path)?;
    Ok((TransnetDetector::network(&mapping.weights, device)?, from))
}

/// Returns the length of a video as its file says it, milliseconds; of one that cannot be opened 0.
fn duration(video: &Input) -> u64 {
    let length = source::open(video).ok().and_then(|source| source.info().duration);
    length.map_or(0, milliseconds)
}

fn milliseconds(time: divita_runtime::frame::Timestamp) -> u64 {
    (time.as_nanos() / 1_000_000).max(0) as u64
}
