#!/usr/bin/env python3
"""Writes tests/training/cross_entropy.json: softmax, cross entropy and its gradient of a batch, in double precision.

Usage: make_cross_entropy.py FILE. Needs numpy (made with 2.4.6); the gradient is also held to central differences here. Targets are
one-hot in the first case, a teacher's probabilities at temperature 2 in the second, and of logits too large for an exponential in the third.
"""

import json
import sys

import numpy

BATCH, LABELS, TEMPERATURE = 7, 5, 2.0
random = numpy.random.default_rng(24)


def log_softmax(logits):
    shifted = logits - logits.max(1, keepdims=True)
    return shifted - numpy.log(numpy.exp(shifted).sum(1, keepdims=True))


def cross_entropy(logits, targets):
    return -(log_softmax(logits) * targets).sum(1).mean()


def differences(logits, targets, step=1e-5):
    """The gradient by central differences."""
    gradient = numpy.empty_like(logits)
    for at in numpy.ndindex(logits.shape):
        shift = numpy.zeros_like(logits)
        shift[at] = step
        gradient[at] = (cross_entropy(logits + shift, targets) - cross_entropy(logits - shift, targets)) / (2 * step)
    return gradient


def case(logits, targets):
    logits = logits.astype(numpy.float32).astype(float)
    targets = targets.astype(numpy.float32).astype(float)
    softmax = numpy.exp(log_softmax(logits))
    # Each row of the targets sums to 1, so the derivative of -sum(t log softmax) is softmax - t.
    gradient = (softmax - targets) / len(logits)
    assert numpy.abs(gradient - differences(logits, targets)).max() < 1e-6
    return {
        "logits": logits.ravel().tolist(),
        "targets": targets.ravel().tolist(),
        "softmax": softmax.ravel().tolist(),
        "loss": cross_entropy(logits, targets),
        "gradient": gradient.ravel().tolist(),
    }


one_hot = numpy.eye(LABELS)[random.integers(0, LABELS, BATCH)]
soft = numpy.exp(log_softmax(random.normal(0, 3, (BATCH, LABELS)) / TEMPERATURE))
cases = [
    case(random.normal(0, 2, (BATCH, LABELS)), one_hot),
    case(random.normal(0, 2, (BATCH, LABELS)) / TEMPERATURE, soft),
    case(random.normal(0, 200, (BATCH, LABELS)), one_hot),
]
with open(sys.argv[1], "w", encoding="utf-8") as file:
    json.dump({"batch": BATCH, "labels": LABELS, "cases": cases}, file)
