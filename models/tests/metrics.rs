//! The measures against scikit-learn's; `make_metrics.py` wrote `metrics/reference.json`,
//! `make_confusion.py` `metrics/confusion.json`.
#![allow(clippy::unwrap_used)]

use divita_models::dataset::confusion::Confusion;
use divita_models::dataset::metrics::{
    Bin, Calibration, Predictions, best_threshold, f1_at, precision_recall_area, receiver_operating_area,
};
use serde_json::Value;

struct Reference {
    value: Value,
    predictions: Predictions,
}

impl Reference {
    fn read() -> Self {
        Reference::parse(include_str!("metrics/reference.json"))
    }

    fn single_label() -> Self {
        Reference::parse(include_str!("metrics/confusion.json"))
    }

    fn parse(json: &str) -> Self {
        let value: Value = serde_json::from_str(json).unwrap();
        let probabilities = serde_json::from_value(value["probabilities"].clone()).unwrap();
        let truth = serde_json::from_value(value["truth"].clone()).unwrap();
        Reference { value, predictions: Predictions { probabilities, truth } }
    }

    fn numbers(&self, name: &str) -> Vec<f64> {
        serde_json::from_value(self.value[name].clone()).unwrap()
    }
}

fn near(one: f64, other: f64) {
    assert!((one - other).abs() < 1e-9, "{one} {other}");
}

#[test]
fn areas_are_those_of_scikit_learn() {
    let reference = Reference::read();
    let areas = reference.predictions.areas();
    for (area, name) in [(areas.mu_ap, "mu_ap"), (areas.m_ap, "m_ap"), (areas.w_ap, "w_ap"), (areas.s_ap, "s_ap")] {
        near(area.unwrap(), reference.value[name].as_f64().unwrap());
    }
    let (labels, roc) = (reference.numbers("labels"), reference.numbers("roc"));
    assert_eq!((areas.labels.len(), labels.len()), (6, 5));
    for (at, (area, roc)) in labels.into_iter().zip(roc).enumerate() {
        near(areas.labels[at].unwrap(), area);
        near(receiver_operating_area(reference.predictions.of_label(at)).unwrap(), roc);
    }
    // The label that is nowhere.
    assert_eq!(areas.labels[5], None);
    assert_eq!(receiver_operating_area(reference.predictions.of_label(5)), None);
    assert_eq!(best_threshold(reference.predictions.of_label(5)), None);
}

#[test]
fn thresholds_are_those_that_scikit_learn_gives_the_highest_f1() {
    let reference = Reference::read();
    let thresholds: Vec<[f64; 2]> = serde_json::from_value(reference.value["thresholds"].clone()).unwrap();
    for (at, [threshold, f1]) in thresholds.into_iter().enumerate() {
        let found = best_threshold(reference.predictions.of_label(at)).unwrap();
        assert_eq!(found.threshold, threshold, "label {at}");
        near(found.f1, f1);
        near(f1_at(threshold, reference.predictions.of_label(at)), f1);
    }
}

#[test]
fn calibration_is_that_of_scikit_learn() {
    let reference = Reference::read();
    let calibration = Calibration::of(reference.predictions.all(), 10);
    near(calibration.expected_error, reference.value["expected_error"].as_f64().unwrap());
    let of = |name: &str| -> Vec<f64> { serde_json::from_value(reference.value["bins"][name].clone()).unwrap() };
    let bins: Vec<&Bin> = calibration.bins.iter().filter(|bin| bin.count > 0).collect();
    assert_eq!(bins.iter().map(|bin| bin.count as f64).collect::<Vec<_>>(), of("count"));
    for ((bin, truth), probability) in bins.iter().zip(of("truth")).zip(of("probability")) {
        near(bin.truth, truth);
        near(bin.probability, probability);
    }
}

#[test]
fn what_is_equal_is_one_threshold_and_nothing_is_no_number() {
    let all_equal = [(0.5, true), (0.5, false), (0.5, false), (0.5, true)];
    // One point: recall 1, precision a half, from recall 0 and precision 1.
    assert_eq!(precision_recall_area(all_equal.into_iter()), Some(0.75));
    assert_eq!(receiver_operating_area(all_equal.into_iter()), Some(0.5));
    assert_eq!(precision_recall_area([].into_iter()), None);
    let empty = Predictions::default().areas();
    assert_eq!((empty.mu_ap, empty.m_ap, empty.w_ap, empty.s_ap), (None, None, None, None));
    assert_eq!(Calibration::of([(1.0, true), (0.0, false)].into_iter(), 4).expected_error, 0.0);
}

#[test]
fn top_k_accuracy_and_cross_entropy_are_those_of_scikit_learn() {
    let reference = Reference::single_label();
    for (k, wanted) in (1..).zip(reference.numbers("top")) {
        near(reference.predictions.top_k_accuracy(k).unwrap(), wanted);
    }
    assert_eq!(reference.predictions.top_k_accuracy(6), Some(1.0));
    near(reference.predictions.cross_entropy(), reference.value["cross_entropy"].as_f64().unwrap());
    let hits = reference.predictions.most_probable().filter(|(_, hit)| *hit).count();
    near(hits as f64 / 150.0, reference.value["accuracy"].as_f64().unwrap());
}

#[test]
fn the_confusion_matrix_and_its_scores_are_those_of_scikit_learn() {
    let reference = Reference::single_label();
    let confusion = Confusion::of(&reference.predictions);
    assert_eq!(serde_json::to_value(&confusion).unwrap(), reference.value["confusion"]);
    for (label, support) in reference.numbers("support").into_iter().enumerate() {
        let score = confusion.score(label);
        assert_eq!(score.support as f64, support);
        for (name, found) in [("precision", score.precision), ("recall", score.recall), ("f1", score.f1)] {
            match reference.value[name][label].as_f64() {
                Some(wanted) => near(found.unwrap(), wanted),
                None => assert_eq!(found, None, "{name} of label {label}"),
            }
        }
    }
    near(confusion.macro_f1().unwrap(), reference.value["macro_f1"].as_f64().unwrap());
    let mut twice = Confusion::default();
    twice.add(&confusion);
    twice.add(&confusion);
    assert_eq!(twice.counts[0][0], 2 * confusion.counts[0][0]);
    assert_eq!(twice.macro_f1(), confusion.macro_f1());
}

#[test]
fn of_equal_probabilities_the_first_label_is_predicted() {
    let probabilities = vec![vec![0.4, 0.4, 0.2]; 2];
    let truth = vec![vec![true, false, false], vec![false, true, false]];
    let predictions = Predictions { probabilities, truth };
    assert_eq!((predictions.top_k_accuracy(1), predictions.top_k_accuracy(2)), (Some(0.5), Some(1.0)));
    assert_eq!(Confusion::of(&predictions).counts, [[1, 0, 0], [1, 0, 0], [0, 0, 0]]);
    assert_eq!(Predictions::default().top_k_accuracy(1), None);
    assert_eq!(Confusion::of(&Predictions::default()).macro_f1(), None);
    // A probability of 0 for the truth costs 100, as in torch, and not infinity.
    let certain = Predictions { probabilities: vec![vec![1.0, 0.0]], truth: vec![vec![false, true]] };
    assert_eq!(certain.cross_entropy(), 100.0);
}
