//! `divita-models build`: writes a bundle from a training run, or from seeded, untrained networks.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use crate::{
    bundle::{self, BuildOptions, Contents, rate_cost, trained_bundle},
    engines::onnx,
};
use anyhow::{Context, bail};
use clap::{Args, ValueEnum};
use divita_runtime::{
    bundle::{Bundle, Manifest, notice_fault},
    sampler::WorkingRate,
    shots::transition_network,
};
use divita_video::Input;

/// Write a bundle from a training run, with random weights, or in eight bits from another
///
/// --run takes the best heads of a run of `divita-models train`. Name the files of its backbones
/// with --image-weights and --video-weights: they must be the files that made the vectors. For a
/// run on Trailers12k's published vectors these files are unknown; `build` accepts any weights of
/// the same network, and the model card and the notice state what is not verified. The model card
/// states training data, recipe and measured quality.
///
/// --seed draws random weights, so the predicted genres mean nothing. The networks have their real
/// size and cost: use such a bundle to try the program, test a board or measure its speed. The same
/// seed gives the same bytes on every machine.
///
/// --from copies a bundle and adds backbones in eight bits, calibrated on the videos of --int8.
///
/// Each network, except Swin transformers, is run both from its file and from its description. If
/// the outputs differ, no bundle is written.
#[derive(Args)]
#[command(after_help = "Examples:\n  \
    divita-models build --run runs/fusion --image-weights shufflenet-2d.safetensors --video-weights shufflenet-3d.safetensors --name films --output bundles/films\n  \
    divita-models build --from bundles/films --int8 films/train --output bundles/films8\n  \
    divita-models build --seed 12 --output bundles/demo\n  \
    divita classify --bundle bundles/films trailer.mp4")]
pub struct Build {
    /// Folder of a finished run of `train`
    #[arg(long, value_name = "DIR")]
    run: Option<PathBuf>,
    /// Weights of the image stream's backbone, from `import` or `fit-backbone`, as used by
    /// `extract`
    #[arg(long, value_name = "FILE", requires = "run")]
    image_weights: Option<PathBuf>,
    /// Weights of the video stream's backbone
    #[arg(long, value_name = "FILE", requires = "run")]
    video_weights: Option<PathBuf>,
    /// Bundle folder to create; it appears complete or not at all
    #[arg(long, value_name = "DIR")]
    output: PathBuf,
    /// Seed of the random weights, any whole number
    #[arg(long, value_name = "N", required_unless_present_any = ["run", "from"], conflicts_with = "run")]
    seed: Option<u64>,
    /// Bundle to copy, with backbones in eight bits from --int8
    #[arg(
        long,
        value_name = "BUNDLE",
        requires = "int8",
        conflicts_with_all = ["run", "seed", "notice", "name", "precision", "shot_weights"]
    )]
    from: Option<PathBuf>,
    /// Licence of a run's weights, as an SPDX expression
    #[arg(long, value_name = "SPDX", default_value = "NOASSERTION", requires = "run")]
    licence: String,
    /// Notice that programs show with every result, one line of at most 200 bytes, for example
    /// "trained on drawings: it knows nothing of films" [default: none, or a notice about published
    /// vectors]
    #[arg(long, value_name = "TEXT")]
    notice: Option<String>,
    /// Further working rates (fps) of the bundle, besides the rates of the vectors that its heads
    /// were trained on. Logs the cost in quality, as measured on synthetic trailers for heads
    /// trained at 24 fps
    #[arg(long, value_name = "4|6|8|12|24", value_delimiter = ',', requires = "run")]
    also_at: Vec<WorkingRate>,
    /// Name of the bundle [default: name of the folder]
    #[arg(long)]
    name: Option<String>,
    /// Precision of the stored weights; computation is in single precision either way
    #[arg(long, value_enum, default_value_t = Precision::F16)]
    precision: Precision,
    /// Weights of the shot detector, from `fit-shots` [default: the built-in weights]
    #[arg(long, value_name = "FILE")]
    shot_weights: Option<PathBuf>,
    /// Add backbones in eight bits, for `--executor int8` of `divita`. Their ranges come from clips
    /// of this video or folder of videos (give several times): take videos that the networks were
    /// trained on. The files are standard ONNX (QDQ). Their features and genres are compared with
    /// those in floats on a quarter of the clips; if they differ, no bundle is written
    #[arg(long, value_name = "VIDEO", value_parser = divita_console::arguments::input_parser())]
    int8: Vec<Input>,
    /// Replace the bundle at --output
    #[arg(long)]
    force: bool,
}

/// Precision of the weights in the ONNX files.
#[derive(Clone, Copy, ValueEnum)]
enum Precision {
    /// Four bytes per weight
    F32,
    /// Two bytes per weight: half the size; features change by about 0.1 %
    F16,
}

impl Build {
    /// Writes the bundle.
    pub fn run(self) -> anyhow::Result<()> {
        if let Some(fault) = self.notice.as_deref().and_then(notice_fault) {
            bail!("{fault}");
        }
        let int8 = if self.int8.is_empty() { Vec::new() } else { super::videos(&self.int8) };
        if let Some(from) = &self.from {
            let bundle = Bundle::open(from)?;
            return report(&bundle::quantised(&bundle, &self.output, self.force, &int8)?, &self.output);
        }
        let precision = match self.precision {
            Precision::F32 => onnx::Precision::F32,
            Precision::F16 => onnx::Precision::F16,
        };
        let shots = match &self.shot_weights {
            Some(path) => fs::read(path).with_context(|| path.display().to_string())?,
            None => transition_network::BUILT_IN.to_vec(),
        };
        let mut contents = match &self.run {
            Some(run) => {
                let files = [("image", &self.image_weights), ("video", &self.video_weights)];
                let files = files.into_iter().filter_map(|(stream, file)| Some((stream, file.clone()?)));
                trained_bundle::contents(run, &files.collect::<BTreeMap<_, _>>(), &self.licence)?
            }
            None => Contents::seeded(self.seed.unwrap_or_default()),
        };
        contents.working_rates.extend(self.also_at.iter().map(|rate| rate.fps()));
        contents.working_rates.sort_unstable();
        contents.working_rates.dedup();
        for stream in &contents.streams {
            let serves = |rate: &&u32| !stream.backbone.serves(**rate as usize);
            if let Some(rate) = contents.working_rates.iter().find(serves) {
                bail!("{} reads clips of one length, which {rate} fps do not give", stream.backbone.name());
            }
        }
        if let Some(cost) = rate_cost::describe(&contents) {
            log::info!("--also-at: {cost}");
        }
        let Build { name, output, force, notice, .. } = self;
        let name = name.unwrap_or_else(|| output.file_name().unwrap_or_default().to_string_lossy().into_owned());
        let notice = notice.or_else(|| contents.notice.take());
        let options = BuildOptions { name, precision, output: output.clone(), force, shots, notice, int8 };
        report(&bundle::build(&options, &contents)?, &output)
    }
}

/// Logs what was written.
fn report(manifest: &Manifest, output: &Path) -> anyhow::Result<()> {
    let bytes: u64 = manifest.files.values().map(|file| file.size).sum();
    log::info!(
        "wrote {} files, {:.2} MB, {}: {}",
        manifest.files.len() + 1,
        bytes as f64 / 1e6,
        if manifest.trained { "trained" } else { "untrained" },
        output.display()
    );
    Ok(())
}
