//! `divita-models build`: writes a bundle, of a training run or of seeded, untrained networks.

use std::{collections::BTreeMap, fs, path::PathBuf};

use anyhow::{Context, bail};
use clap::{Args, ValueEnum};
use divita_models::{
    bundle::{self, BuildOptions, Contents, rate_cost, trained_bundle},
    engines::onnx,
};
use divita_runtime::{bundle::notice_fault, sampler::WorkingRate, shots::transition_network};

/// Write a bundle of what was trained, or of random weights
///
/// With --run it holds the best heads of a run of `divita-models train`, and the backbones that made the vectors which these were trained on: their files are named with --image-weights
/// and --video-weights, and must be the very ones. Of a run on Trailers12k's published vectors the weights are not known: any of the same network are accepted, and the model card and the notice say what is not verified. The model card says what was trained on what, how, and how good it is.
///
/// With --seed the weights are random numbers, so the genres that come out mean nothing; the networks have the real size and cost.
/// Use such a bundle to try the program, to test a board or to measure its speed. The same seed gives the same networks, byte for byte, on every machine.
///
/// Either way every network (but Swin transformers) is run from its file and by its description, and nothing is written where these do not agree.
#[derive(Args)]
#[command(after_help = "Examples:\n  \
    divita-models build --run runs/fusion --image-weights shufflenet-2d.safetensors --video-weights shufflenet-3d.safetensors --name films --output bundles/films\n  \
    divita-models build --seed 12 --output bundles/demo\n  \
    divita classify --bundle bundles/films trailer.mp4")]
pub struct Build {
    /// Seed of random weights, any whole number
    #[arg(long, value_name = "N", required_unless_present = "run", conflicts_with = "run")]
    seed: Option<u64>,
    /// Folder of a run of `train` that is over
    #[arg(long, value_name = "DIR")]
    run: Option<PathBuf>,
    /// Weights of the image stream's backbone, as `import` or `fit-backbone` wrote them and `extract` read them
    #[arg(long, value_name = "FILE", requires = "run")]
    image_weights: Option<PathBuf>,
    /// Weights of the video stream's backbone
    #[arg(long, value_name = "FILE", requires = "run")]
    video_weights: Option<PathBuf>,
    /// Licence of the weights of a run, an SPDX expression
    #[arg(long, value_name = "SPDX", default_value = "NOASSERTION", requires = "run")]
    licence: String,
    /// What programs are to say with every result of the bundle, one line of at most 200 bytes, such as "trained on drawings: it knows nothing of films" (default: nothing, or where it was trained on published vectors, that)
    #[arg(long, value_name = "TEXT")]
    notice: Option<String>,
    /// Rates that the bundle may run at too, beside that of the vectors that its heads were trained on. Prints what these cost, as measured on synthetic trailers for heads trained at 24 frames a second
    #[arg(long, value_name = "4|6|8|12|24", value_delimiter = ',', requires = "run")]
    also_at: Vec<WorkingRate>,
    /// Name that the bundle gives itself (default: that of the folder)
    #[arg(long)]
    name: Option<String>,
    /// How the weights are stored; they are computed with in single precision either way
    #[arg(long, value_enum, default_value_t = Precision::F16)]
    precision: Precision,
    /// Folder to make; it appears complete or not at all
    #[arg(long, value_name = "DIR")]
    output: PathBuf,
    /// Weights of the shot detector, as `fit-shots` writes them (default: the program's own, which are trained)
    #[arg(long, value_name = "FILE")]
    shot_weights: Option<PathBuf>,
    /// Replace the bundle that is in --output already
    #[arg(long)]
    force: bool,
}

/// How weights are stored in the ONNX files.
#[derive(Clone, Copy, ValueEnum)]
enum Precision {
    /// Four bytes a weight
    F32,
    /// Two bytes a weight: half the size, features change by about one in a thousand
    F16,
}

impl Build {
    /// Writes the bundle.
    pub fn run(self) -> anyhow::Result<()> {
        if let Some(fault) = self.notice.as_deref().and_then(notice_fault) {
            bail!("{fault}");
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
                bail!("{} reads clips of one length, which {rate} frames a second do not give", stream.backbone.name());
            }
        }
        if let Some(cost) = rate_cost::describe(&contents) {
            log::info!("--also-at: {cost}");
        }
        let Build { name, output, force, notice, .. } = self;
        let name = name.unwrap_or_else(|| output.file_name().unwrap_or_default().to_string_lossy().into_owned());
        let notice = notice.or_else(|| contents.notice.take());
        let options = BuildOptions { name, precision, output: output.clone(), force, shots, notice };
        let manifest = bundle::build(&options, &contents)?;
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
}
