//! `divita-models train`: trains heads on the vectors of clips.

use std::path::PathBuf;

use clap::Args;

use super::{progress::TrainingBar, training_options::HeadTrainingArgs};

/// Train heads on the representations of a data set
///
/// TABLE is the data set with splits, in any form that `divita-models split` reads. STORE is a
/// folder of representations from `extract`, or as Trailers12k publishes them. With both --image
/// and --video, trains one head for each stream by the loss of their mean: late fusion.
///
/// The defaults are the paper's recipe: AdamW (amsgrad) at 1e-4, binary cross entropy, batches of
/// 32 snippets of 30 clips, at most 100 epochs. After 10 epochs without a better validation loss
/// the rate is divided by ten; after 20, training ends. --schedule cosine ignores the validation
/// loss.
///
/// With --single-label, every video has exactly one label: the loss is the cross entropy of the
/// softmax of the streams' mean logits, and a video's probabilities are the mean over its snippets,
/// which sums to 1. Each epoch also has a top-1 accuracy. A bundle of such a run is single-label.
///
/// DIR contains the run: recipe.json, epochs.jsonl (one line per epoch), curves.svg (a plot),
/// last.safetensors (to resume) and best.safetensors (the weights with the lowest validation loss).
/// At the end also predictions.csv, the best weights' predictions for the validation and test sets,
/// for `evaluate`, and results.json, for `build`. With stores at several rates, predictions.csv is
/// for the lowest rate and predictions-RATE.csv for each other one. A stopped run resumes with
/// --resume and reaches the same weights (on a GPU nearly the same).
#[derive(Args)]
#[command(after_help = "Examples:\n  \
    divita-models train mtgc.csv --split split0 --video trailers_ik_swin_fps24_fpc24.zarr --output runs/swin-3d-0\n  \
    divita-models train films.csv --image i.zarr --video v.zarr --output runs/fusion\n  \
    divita-models evaluate films.csv --predictions split0=runs/fusion/predictions.csv")]
pub struct Train {
    #[command(flatten)]
    how: HeadTrainingArgs,
    /// Folder of the run
    #[arg(long, value_name = "DIR")]
    output: PathBuf,
    /// Resume the run in --output after its last finished epoch
    #[arg(long)]
    resume: bool,
}

impl Train {
    /// Trains the heads and writes the results.
    pub fn run(self) -> anyhow::Result<()> {
        let training = self.how.training();
        let data = training.data_set()?;
        training.run(&data, &self.output, self.resume, &training.room(), None, &TrainingBar::new())?;
        Ok(())
    }
}
