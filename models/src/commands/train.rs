//! `divita-models train`: the heads, on the vectors of clips.

use std::path::PathBuf;

use clap::Args;

use super::training_run::HowToTrain;

/// Train heads on the representations of a data set
///
/// TABLE is the data set with splits, in any form that `divita-models split` reads. STORE is a folder of representations, as `extract` makes them and Trailers12k is published. With both --image and
/// --video a head of each is trained at once, by the loss of their mean: late fusion.
///
/// The defaults are the paper's recipe: AdamW (amsgrad) at 1e-4, binary cross entropy, batches of 32 snippets of 30 clips, at most 100 epochs. After 10 epochs without a better validation
/// loss the rate is divided by ten, after 20 training ends. With --schedule cosine the rate does not look at the loss.
///
/// With --single-label every video has exactly one label: the logits of the streams are averaged, their softmax is held to the label by cross entropy, and a video's probabilities are the
/// mean over its snippets, which sums to 1. Each epoch then has a top-1 accuracy too. A bundle of such a run is single-label.
///
/// DIR holds the run: recipe.json, epochs.jsonl (a line of figures an epoch), curves.svg (their plot), last.safetensors (all that is needed to go on) and best.safetensors (the
/// weights with the lowest validation loss). In the end predictions.csv: what these say of the validation and the test part, for `evaluate`; and results.json, for `build`. Where there are stores at several rates, predictions.csv is of the lowest, and
/// predictions-RATE.csv of each other one. A run that was stopped, in whatever way, goes on
/// with --resume and comes to the same weights (on a GPU nearly so).
#[derive(Args)]
#[command(after_help = "Examples:\n  \
    divita-models train mtgc.csv --split split0 --video trailers_ik_swin_fps24_fpc24.zarr --output runs/swin-3d-0\n  \
    divita-models train films.csv --image i.zarr --video v.zarr --output runs/fusion\n  \
    divita-models evaluate films.csv --predictions split0=runs/fusion/predictions.csv")]
pub struct Train {
    #[command(flatten)]
    how: HowToTrain,
    /// Folder of the run
    #[arg(long, value_name = "DIR")]
    output: PathBuf,
    /// Go on with the run that is in --output, from the end of its last epoch
    #[arg(long)]
    resume: bool,
}

impl Train {
    /// Trains, and says what the best weights give.
    pub fn run(self) -> anyhow::Result<()> {
        let data = self.how.data_set()?;
        self.how.run(&data, &self.output, self.resume, &self.how.room(), None)?;
        Ok(())
    }
}
