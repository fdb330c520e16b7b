#!/usr/bin/env python3
"""Writes tests/metrics/confusion.json: probabilities and single labels drawn from a seed, and what scikit-learn says of them.

Usage: make_confusion.py FILE. Needs scikit-learn (made with 1.9.1). No two probabilities of a row are equal. One label is true of no
row but predicted, one is neither, and one is true but never predicted.
"""

import json
import sys

import numpy
from sklearn.metrics import accuracy_score, confusion_matrix, f1_score, log_loss, precision_score, recall_score, top_k_accuracy_score

ROWS, LABELS = 150, 6

random = numpy.random.default_rng(9)
truth = random.choice(LABELS, ROWS, p=[0.4, 0.25, 0.2, 0.15, 0, 0])
logits = random.normal(0, 1.2, (ROWS, LABELS)) + 1.5 * numpy.eye(LABELS)[truth]
logits[:, 3] -= 9  # never predicted
logits[:, 5] -= 20  # nowhere
probabilities = numpy.exp(logits) / numpy.exp(logits).sum(1, keepdims=True)
predicted = probabilities.argmax(1)
every = range(LABELS)


def defined(score, counts):
    """None where the score would divide by 0."""
    return [float(value) if count else None for value, count in zip(score, counts)]


support, given = numpy.bincount(truth, minlength=LABELS), numpy.bincount(predicted, minlength=LABELS)
assert support[4] == 0 and given[4] > 0 and given[3] == 0 and support[5] == given[5] == 0
options = {"labels": every, "average": None, "zero_division": 0}
f1 = f1_score(truth, predicted, **options)
reference = {
    "probabilities": probabilities.tolist(),
    "truth": numpy.eye(LABELS, dtype=bool)[truth].tolist(),
    "top": [top_k_accuracy_score(truth, probabilities, k=k, labels=every) for k in (1, 2, 3)],
    "accuracy": accuracy_score(truth, predicted),
    "confusion": confusion_matrix(truth, predicted, labels=every).tolist(),
    "support": support.tolist(),
    "precision": defined(precision_score(truth, predicted, **options), given),
    "recall": defined(recall_score(truth, predicted, **options), support),
    "f1": defined(f1, support + given),
    "macro_f1": f1_score(truth, predicted, average="macro"),
    "cross_entropy": log_loss(truth, probabilities, labels=every),
}
with open(sys.argv[1], "w", encoding="utf-8") as file:
    json.dump(reference, file)
