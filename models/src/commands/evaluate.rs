//! `divita-models evaluate`: scores predicted probabilities of labels.

use std::io::Write;
use std::path::{Path, PathBuf};

use crate::dataset::{
    label_table::{LabelTable, Part},
    metrics::{Areas, Calibration, Predictions, Threshold, best_threshold, f1_at, receiver_operating_area},
    prediction_table::PredictionTable,
};
use anyhow::{Context, bail};
use clap::Args;
use serde_json::{Value, json};

use super::{
    percent::{over_splits, percent},
    single_label_scores::{self, SingleLabelScores},
};

/// Score predicted probabilities of labels
///
/// TABLE is the data set, in any form that `divita-models split` reads. FILE contains predictions:
/// the results of `divita classify --format jsonl` or `--format csv`, or any CSV whose first column
/// names the video and that has one column per label. Videos match by file name, without folder and
/// extension.
///
/// Prints for the test set of each split: the area under the precision-recall curve over all
/// decisions (muAP), averaged over labels (mAP), weighted by label frequency (wAP), and averaged
/// over videos (sAP); for each label its area, the area under the receiver operating characteristic
/// (ROC), and F1 at the threshold with the highest F1 on validation, if FILE has predictions for
/// validation; and the expected calibration error (ECE). With several splits, also mean and
/// standard deviation.
///
/// --single-label is for tables with exactly one label per video. Adds top-1 accuracy, top-3
/// accuracy with more than three labels, macro F1, the calibration error of the most probable
/// label, precision, recall and F1 of each label, and the confusion matrix summed over the splits.
#[derive(Args)]
#[command(after_help = "Examples:\n  \
    divita classify films/ --format jsonl --output predicted.jsonl\n  \
    divita-models evaluate films.csv --predictions predicted.jsonl\n  \
    divita-models evaluate mtgc.csv --predictions split0=a.csv --predictions split1=b.csv --predictions split2=c.csv")]
pub struct Evaluate {
    /// Table of labels, or a folder with one sub-folder per class
    #[arg(value_name = "TABLE")]
    table: PathBuf,
    /// Predictions of a model that was trained on SPLIT; without SPLIT, every video of the table is
    /// a test video. Repeat for several splits
    #[arg(long, value_name = "[SPLIT=]FILE", required = true)]
    predictions: Vec<String>,
    /// Score one label per video: top-1 and top-3 accuracy, precision and recall, confusion matrix
    #[arg(long)]
    single_label: bool,
    /// Number of calibration bins
    #[arg(long, value_name = "N", default_value_t = 10, value_parser = clap::value_parser!(u16).range(1..=1000))]
    bins: u16,
    /// Print JSON instead of tables, with the bins of a reliability plot
    #[arg(long)]
    json: bool,
}

/// Largest distance from 1 of a sum of probabilities that were written with few decimals.
const LARGEST_SUM_ERROR: f64 = 0.01;

/// Scores of one label.
struct OfLabel {
    receiver_operating: Option<f64>,
    /// Chosen on validation, with the F1 that it has on test.
    threshold: Option<Threshold>,
}

/// Scores of the predictions of one split.
struct Evaluated {
    split: String,
    videos: usize,
    areas: Areas,
    labels: Vec<OfLabel>,
    calibration: Calibration,
    single_label: Option<SingleLabelScores>,
}

impl Evaluate {
    /// Scores the predictions and prints the result.
    pub fn run(self) -> anyhow::Result<()> {
        let table = LabelTable::read(&self.table).with_context(|| self.table.display().to_string())?;
        if self.single_label {
            table.check_single_label().with_context(|| self.table.display().to_string())?;
        }
        let evaluated: Vec<Evaluated> =
            self.predictions.iter().map(|one| self.evaluate(&table, one)).collect::<Result<_, _>>()?;
        let mut out = std::io::stdout();
        if self.json {
            let values: Vec<Value> = evaluated.iter().map(|one| one.json(&table.labels)).collect();
            writeln!(out, "{}", serde_json::to_string_pretty(&values)?)?;
        } else {
            print(&mut out, &table.labels, &evaluated)?;
            let of_splits = evaluated.iter().filter_map(|one| Some((one.split.as_str(), one.single_label.as_ref()?)));
            single_label_scores::print(&mut out, &table.labels, &of_splits.collect::<Vec<_>>())?;
        }
        Ok(())
    }

    fn evaluate(&self, table: &LabelTable, predictions: &str) -> anyhow::Result<Evaluated> {
        let split = predictions
            .split_once('=')
            .and_then(|(name, path)| table.splits.iter().find(|split| split.name == name).map(|split| (split, path)));
        let path = PathBuf::from(split.map_or(predictions, |(_, path)| path));
        let context = || path.display().to_string();
        if split.is_none() && !path.exists() && predictions.contains('=') {
            bail!("{predictions}: no such split in {}", self.table.display());
        }
        let predicted = PredictionTable::read(&path, &table.labels).with_context(context)?;
        let rows = |part: Part| -> Vec<usize> {
            let of_part = |&row: &usize| split.is_none_or(|(split, _)| split.parts[row] == part);
            (0..table.rows.len()).filter(of_part).collect()
        };
        let test = rows(Part::Test);
        if test.is_empty() {
            bail!("{predictions}: the test set is empty");
        }
        let of_test = predicted.of(table, &test).with_context(context)?;
        if self.single_label {
            warn_of_sums(&path, &of_test);
        }
        // Thresholds are chosen where nothing is reported, or not at all. A single label is chosen
        // without one.
        let validation = match split {
            Some(_) if !self.single_label && rows(Part::Validation).iter().any(|&row| predicted.has(table, row)) => {
                Some(predicted.of(table, &rows(Part::Validation)).with_context(context)?)
            }
            _ => None,
        };
        let label = |at: usize| OfLabel {
            receiver_operating: receiver_operating_area(of_test.of_label(at)),
            threshold: validation.as_ref().and_then(|validation| {
                let Threshold { threshold, .. } = best_threshold(validation.of_label(at))?;
                Some(Threshold { threshold, f1: f1_at(threshold, of_test.of_label(at)) })
            }),
        };
        Ok(Evaluated {
            split: split.map_or("all", |(split, _)| &split.name).to_owned(),
            videos: test.len(),
            areas: of_test.areas(),
            labels: (0..table.labels.len()).map(label).collect(),
            calibration: match self.single_label {
                true => Calibration::of(of_test.most_probable(), self.bins.into()),
                false => Calibration::of(of_test.all(), self.bins.into()),
            },
            single_label: self.single_label.then(|| SingleLabelScores::of(&of_test)),
        })
    }
}

/// Warns where the probabilities of a video do not sum to 1, as those of single-label heads do.
fn warn_of_sums(path: &Path, predictions: &Predictions) {
    let sums = predictions.probabilities.iter().map(|row| row.iter().sum::<f64>());
    if let Some(sum) = sums.into_iter().find(|sum| (sum - 1.0).abs() > LARGEST_SUM_ERROR) {
        log::warn!(
            "{}: the probabilities of a video sum to {sum:.3}, not 1: they do not come from single-label heads. The most probable label counts as the prediction",
            path.display()
        );
    }
}

impl Evaluated {
    fn json(&self, labels: &[String]) -> Value {
        let Areas { mu_ap, m_ap, w_ap, s_ap, labels: areas } = &self.areas;
        let of_label = |((label, area), own): ((&String, &Option<f64>), &OfLabel)| {
            json!({
                "label": label, "area": area, "roc": own.receiver_operating,
                "threshold": own.threshold.map(|threshold| threshold.threshold), "f1": own.threshold.map(|threshold| threshold.f1),
            })
        };
        let of_labels: Vec<Value> = labels.iter().zip(areas).zip(&self.labels).map(of_label).collect();
        let mut value = json!({
            "split": self.split, "videos": self.videos, "mu_ap": mu_ap, "m_ap": m_ap, "w_ap": w_ap, "s_ap": s_ap,
            "labels": of_labels, "calibration": self.calibration,
        });
        if let Some(single_label) = &self.single_label {
            single_label.add_to(&mut value);
        }
        value
    }
}

fn print(out: &mut impl Write, labels: &[String], evaluated: &[Evaluated]) -> std::io::Result<()> {
    let width = labels.iter().map(String::len).max().unwrap_or(0).max(12);
    writeln!(
        out,
        "{:width$} {:>7} {:>7} {:>7} {:>7} {:>7} {:>7}",
        "percent", "videos", "muAP", "mAP", "wAP", "sAP", "ECE"
    )?;
    let figures = |one: &Evaluated| {
        let Areas { mu_ap, m_ap, w_ap, s_ap, .. } = one.areas;
        [mu_ap, m_ap, w_ap, s_ap, Some(one.calibration.expected_error)]
    };
    for one in evaluated {
        let [mu, m, w, s, error] = figures(one).map(percent);
        writeln!(out, "{:width$} {:>7} {mu:>7} {m:>7} {w:>7} {s:>7} {error:>7}", one.split, one.videos)?;
    }
    if evaluated.len() > 1 {
        for (at, name) in ["muAP", "mAP", "wAP", "sAP", "ECE"].into_iter().enumerate() {
            let values: Vec<Option<f64>> = evaluated.iter().map(|one| figures(one)[at]).collect();
            writeln!(out, "{name:width$} {}", over_splits(&values))?;
        }
    }
    // A single label is not chosen by a threshold: its F1 is among the scores that follow.
    let has_threshold = evaluated.iter().any(|one| one.single_label.is_none());
    let heading = if has_threshold { format!(" {:>16}", "F1") } else { String::new() };
    writeln!(out, "\n{:width$} {:>16} {:>16}{heading}", "label", "area", "ROC")?;
    for (at, label) in labels.iter().enumerate() {
        let of =
            |value: &dyn Fn(&Evaluated) -> Option<f64>| over_splits(&evaluated.iter().map(value).collect::<Vec<_>>());
        let area = of(&|one| one.areas.labels[at]);
        let roc = of(&|one| one.labels[at].receiver_operating);
        let f1 = of(&|one| one.labels[at].threshold.map(|threshold| threshold.f1));
        let f1 = if has_threshold { format!(" {f1:>16}") } else { String::new() };
        writeln!(out, "{label:width$} {area:>16} {roc:>16}{f1}")?;
    }
    Ok(())
}
