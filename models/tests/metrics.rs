//! The measures against scikit-learn's; `make_metrics.py` wrote `metrics/reference.json`.
#![allow(clippy::unwrap_used)]

use divita_models::metrics::{
    Bin, Calibration, Predictions, best_threshold, f1_at, precision_recall_area, receiver_operating_area,
};
use serde_json::Value;

struct Reference {
    value: Value,
    predictions: Predictions,
}

impl Reference {
    fn read() -> Self {
        let value: Value = serde_json::from_str(include_str!("metrics/reference.json")).unwrap();
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
