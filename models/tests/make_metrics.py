#!/usr/bin/env python3
"""Writes tests/metrics/reference.json: probabilities and labels drawn from a seed, and what scikit-learn says of them.

Usage: make_metrics.py FILE. Needs scikit-learn (made with 1.9.1). Some probabilities are equal, one label is nowhere, and one row has none.
"""

import json
import sys

import numpy
from sklearn.calibration import calibration_curve
from sklearn.metrics import auc, f1_score, precision_recall_curve, roc_auc_score

ROWS, LABELS, BINS = 120, 6, 10

random = numpy.random.default_rng(5)
truth = random.random((ROWS, LABELS)) < numpy.array([0.5, 0.3, 0.2, 0.1, 0.05, 0.0])
truth[7] = False
# Rounded, so that some are equal; none on the edge of a bin, where numpy's histogram and scikit-learn's bins differ.
thousandths = numpy.round(1000 * numpy.clip(0.25 + 0.4 * truth + random.normal(0, 0.2, truth.shape), 0.001, 0.999)).astype(int)
probabilities = (thousandths + (thousandths % 100 == 0)) / 1000


def area(truth, probabilities):
    precision, recall, _ = precision_recall_curve(truth, probabilities)
    return auc(recall, precision)


def threshold(truth, probabilities):
    levels = numpy.unique(probabilities)
    scores = [f1_score(truth, probabilities >= level) for level in levels]
    return [levels[numpy.argmax(scores)], max(scores)]


found = [at for at in range(LABELS) if truth[:, at].any()]
areas = [area(truth[:, at], probabilities[:, at]) for at in found]
good, said = calibration_curve(truth.ravel(), probabilities.ravel(), n_bins=BINS)
counts = numpy.histogram(probabilities.ravel(), numpy.linspace(0, 1, BINS + 1))[0]
reference = {
    "probabilities": probabilities.tolist(),
    "truth": truth.tolist(),
    "mu_ap": area(truth.ravel(), probabilities.ravel()),
    "m_ap": numpy.mean(areas),
    "w_ap": numpy.average(areas, weights=truth[:, found].sum(0)),
    "s_ap": numpy.mean([area(row, said) for row, said in zip(truth, probabilities) if row.any()]),
    "labels": areas,
    "roc": [roc_auc_score(truth[:, at], probabilities[:, at]) for at in found],
    "thresholds": [threshold(truth[:, at], probabilities[:, at]) for at in found],
    "bins": {"truth": good.tolist(), "probability": said.tolist(), "count": counts[counts > 0].tolist()},
    "expected_error": (numpy.abs(good - said) * counts[counts > 0]).sum() / counts.sum(),
}
with open(sys.argv[1], "w", encoding="utf-8") as file:
    json.dump(reference, file)
