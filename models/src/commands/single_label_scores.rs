//! Prints the scores of `divita-models evaluate --single-label`: accuracy, scores of each label,
//! confusion matrix.

use std::io::Write;

use crate::dataset::{
    confusion::{Confusion, LabelScore},
    metrics::Predictions,
};
use serde_json::{Value, json};

use super::percent::{over_splits, percent};

/// Maximum number of labels of a printed confusion matrix. JSON holds any number.
const MOST_COLUMNS: usize = 24;

/// Scores of the predictions of one split, one label per video.
pub struct SingleLabelScores {
    /// Share of the videos whose most probable label is theirs.
    top_1: Option<f64>,
    /// Share of the videos whose label is among the three most probable. None where there are three
    /// labels or fewer.
    top_3: Option<f64>,
    /// Mean F1 over the labels.
    macro_f1: Option<f64>,
    /// Scores of each label, in the table's order.
    scores: Vec<LabelScore>,
    /// Videos by their label and the predicted one.
    confusion: Confusion,
}

impl SingleLabelScores {
    /// Scores `predictions`, each row of which has one label.
    pub fn of(predictions: &Predictions) -> SingleLabelScores {
        let confusion = Confusion::of(predictions);
        let labels = confusion.counts.len();
        SingleLabelScores {
            top_1: predictions.top_k_accuracy(1),
            top_3: if labels > 3 { predictions.top_k_accuracy(3) } else { None },
            macro_f1: confusion.macro_f1(),
            scores: (0..labels).map(|label| confusion.score(label)).collect(),
            confusion,
        }
    }

    /// Adds the scores to `value`, what `evaluate --json` prints of a split: accuracy and confusion
    /// matrix to itself, the scores of each label to that of the label.
    pub fn add_to(&self, value: &mut Value) {
        value["top_1"] = json!(self.top_1);
        value["top_3"] = json!(self.top_3);
        value["macro_f1"] = json!(self.macro_f1);
        value["confusion"] = json!(self.confusion);
        for (label, scores) in value["labels"].as_array_mut().into_iter().flatten().zip(&self.scores) {
            let LabelScore { support, precision, recall, f1 } = scores;
            label["videos"] = json!(support);
            label["precision"] = json!(precision);
            label["recall"] = json!(recall);
            label["f1"] = json!(f1);
        }
    }
}

/// Prints the scores of each split in `evaluated`, of each label over all splits, and the sum of
/// the confusion matrices. Prints nothing where `evaluated` is empty.
pub fn print(out: &mut impl Write, labels: &[String], evaluated: &[(&str, &SingleLabelScores)]) -> std::io::Result<()> {
    if evaluated.is_empty() {
        return Ok(());
    }
    let width = labels.iter().map(|label| label.chars().count()).max().unwrap_or(0).max(12);
    writeln!(out, "\n{:width$} {:>9} {:>9} {:>9}", "percent", "top-1", "top-3", "macro F1")?;
    for (split, scores) in evaluated {
        let [one, three, f1] = [scores.top_1, scores.top_3, scores.macro_f1].map(percent);
        writeln!(out, "{split:width$} {one:>9} {three:>9} {f1:>9}")?;
    }
    let over = |value: &dyn Fn(&SingleLabelScores) -> Option<f64>| {
        over_splits(&evaluated.iter().map(|(_, scores)| value(scores)).collect::<Vec<_>>())
    };
    if evaluated.len() > 1 {
        writeln!(out, "{:width$} {}", "top-1", over(&|scores| scores.top_1))?;
        writeln!(out, "{:width$} {}", "macro F1", over(&|scores| scores.macro_f1))?;
    }
    writeln!(out, "\n{:width$} {:>7} {:>16} {:>16} {:>16}", "label", "videos", "precision", "recall", "F1")?;
    for (at, label) in labels.iter().enumerate() {
        let videos: usize = evaluated.iter().map(|(_, scores)| scores.scores[at].support).sum();
        let precision = over(&|scores| scores.scores[at].precision);
        let recall = over(&|scores| scores.scores[at].recall);
        let f1 = over(&|scores| scores.scores[at].f1);
        writeln!(out, "{label:width$} {videos:>7} {precision:>16} {recall:>16} {f1:>16}")?;
    }
    let mut confusion = Confusion::default();
    evaluated.iter().for_each(|(_, scores)| confusion.add(&scores.confusion));
    print_confusion(out, labels, &confusion, width)
}

/// Prints one row per true label and one column per predicted label. Columns are numbered, because
/// names may be long.
fn print_confusion(
    out: &mut impl Write,
    labels: &[String],
    confusion: &Confusion,
    width: usize,
) -> std::io::Result<()> {
    if labels.len() > MOST_COLUMNS {
        return writeln!(out, "\nThe confusion matrix has {} columns: print it with --json.", labels.len());
    }
    let largest = confusion.counts.iter().flatten().max().copied().unwrap_or(0);
    let cell = largest.to_string().len().max(4);
    writeln!(out, "\nconfusion: rows are true labels, columns predicted labels in the same order, cells videos")?;
    write!(out, "{:width$} {:>4}", "", "")?;
    (1..=labels.len()).try_for_each(|column| write!(out, " {column:>cell$}"))?;
    writeln!(out)?;
    for (at, (label, row)) in labels.iter().zip(&confusion.counts).enumerate() {
        write!(out, "{label:width$} {:>4}", at + 1)?;
        row.iter().try_for_each(|count| write!(out, " {count:>cell$}"))?;
        writeln!(out)?;
    }
    Ok(())
}
