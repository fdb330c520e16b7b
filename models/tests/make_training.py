#!/usr/bin/env python3
"""Writes tests/training/reference.json: for each head, what torch makes of a batch, its loss, the gradients, and the losses of twenty steps.

Usage: make_training.py FILE. Needs torch (made with 1.13). Weights, vectors and targets follow from names by `numbers`, as they do in the test.
Nothing is left out by dropout. Of each gradient there are its largest element, some elements and some sums of all with signs.
"""

import json
import math
import sys
import zlib

import torch
from torch.nn import functional

BATCH, CLIPS, FEATURES, LABELS, STEPS = 6, 5, 16, 10, 20
WIDTH, FEED_FORWARD, HEADS, HIDDEN, FILTERS = 128, 768, 4, 115, 128
CTT_FILTERS, CTT_REACH, MAXOUT, EMBEDDING = 512, 5, 256, 300
RATE, DECAY = 1e-3, 1e-2
SAMPLES, SUMS = 24, 4


def integers(name, count):
    """Integers of 24 bits, as good as random."""
    at = torch.arange(count, dtype=torch.int64) * 2654435761 + zlib.crc32(name.encode())
    at = (at ^ (at >> 15)) * 0x2C1B3C6D % 2**32
    return (at ^ (at >> 12)) % 2**24


def numbers(name, shape):
    """In [-0.5, 0.5), by the name."""
    return (integers(name, math.prod(shape)).double() / 2**24 - 0.5).reshape(shape)


def weight(name, *shape):
    """Kernels by their fan-in, scales and variances around one."""
    spread = 2 / math.sqrt(math.prod(shape[1:])) if len(shape) > 1 else 0.2
    centre = 1 if name.endswith(("norm1.weight", "norm2.weight", "bn.weight", "running_var")) else 0
    return (centre + spread * numbers(name, shape)).float()


def linear(name, inputs, outputs, bias=True):
    return [(f"{name}.weight", (outputs, inputs))] + [(f"{name}.bias", (outputs,))] * bias


MADE = {"cat": WIDTH, "gru": HIDDEN, "conv": FILTERS, "mean": FEATURES, "ctt-mmc-a": MAXOUT, "fastvideo": EMBEDDING}


def shapes(head):
    found = [("bn.weight", (FEATURES,)), ("bn.bias", (FEATURES,))]
    if head == "cat":
        found += linear("cam.1", FEATURES, WIDTH)
        for part in "qkvo":
            found += linear(f"cam.2.attention.W_{part}", WIDTH, WIDTH, False)
        found += [(f"cam.2.norm{k}.{part}", (WIDTH,)) for k in (1, 2) for part in ("weight", "bias")]
        found += linear("cam.2.ff.0", WIDTH, FEED_FORWARD) + linear("cam.2.ff.2", FEED_FORWARD, WIDTH)
    if head == "gru":
        found += [("cam.1.weight_ih_l0", (3 * HIDDEN, FEATURES)), ("cam.1.weight_hh_l0", (3 * HIDDEN, HIDDEN))]
        found += [("cam.1.bias_ih_l0", (3 * HIDDEN,)), ("cam.1.bias_hh_l0", (3 * HIDDEN,))]
    if head == "conv":
        found += [("cam.0.weight", (FILTERS, FEATURES, 3)), ("cam.0.bias", (FILTERS,))]
    if head == "ctt-mmc-a":
        found += [("cam.0.weight", (CTT_FILTERS, FEATURES, CTT_REACH)), ("cam.0.bias", (CTT_FILTERS,))] + linear("cam.3", CTT_FILTERS, 2 * MAXOUT)
    if head == "fastvideo":
        found += linear("cam.0", FEATURES, EMBEDDING)
    return found + linear("cls", MADE[head], LABELS)


def run(head, w, statistics, x):
    x = functional.batch_norm(x.transpose(1, 2), *statistics, w["bn.weight"], w["bn.bias"], training=True).transpose(1, 2)
    if head == "cat":
        x = functional.linear(x, w["cam.1.weight"], w["cam.1.bias"])
        parts = [functional.linear(x, w[f"cam.2.attention.W_{part}.weight"]).reshape(BATCH, CLIPS, HEADS, -1).transpose(1, 2) for part in "qkv"]
        scores = parts[0] @ parts[1].transpose(2, 3) / math.sqrt(WIDTH / HEADS)
        seen = (scores.softmax(3) @ parts[2]).transpose(1, 2).reshape(BATCH, CLIPS, WIDTH)
        norm = lambda k, x: functional.layer_norm(x, (WIDTH,), w[f"cam.2.norm{k}.weight"], w[f"cam.2.norm{k}.bias"])
        x = norm(1, x + functional.linear(seen, w["cam.2.attention.W_o.weight"]))
        between = functional.linear(x, w["cam.2.ff.0.weight"], w["cam.2.ff.0.bias"]).relu()
        x = norm(2, x + functional.linear(between, w["cam.2.ff.2.weight"], w["cam.2.ff.2.bias"])).mean(1)
    if head == "gru":
        own = [w[f"cam.1.{name}_l0"] for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")]
        x = torch._VF.gru(x, torch.zeros(1, BATCH, HIDDEN), own, True, 1, 0.0, True, False, True)[0].relu().mean(1)
    if head == "conv":
        x = functional.conv1d(x.transpose(1, 2), w["cam.0.weight"], w["cam.0.bias"], padding=1).relu().mean(2)
    if head == "mean":
        x = x.mean(1).relu()
    if head == "ctt-mmc-a":
        found = functional.conv1d(x.transpose(1, 2), w["cam.0.weight"], w["cam.0.bias"], padding=CTT_REACH // 2).relu()
        pieces = functional.linear(found.max(2).values, w["cam.3.weight"], w["cam.3.bias"]).chunk(2, 1)
        x = torch.maximum(*pieces)
    if head == "fastvideo":
        x = functional.linear(x, w["cam.0.weight"], w["cam.0.bias"]).mean(1)
    return functional.linear(x, w["cls.weight"], w["cls.bias"])


def batch(step):
    return numbers(f"vectors {step}", (BATCH, CLIPS, FEATURES)).float() * 4, (numbers(f"targets {step}", (BATCH, LABELS)) > 0.2).float()


def digest(name, gradient):
    flat = gradient.flatten().double()
    signs = [(integers(f"{name} {k}", len(flat)) % 2 * 2 - 1).double() for k in range(SUMS)]
    return {"largest": flat.abs().max().item(), "samples": flat[:: max(1, len(flat) // SAMPLES)][:SAMPLES].tolist(), "sums": [(flat * sign).sum().item() for sign in signs]}


reference = {}
for head in MADE:
    w = {name: weight(name, *shape).requires_grad_() for name, shape in shapes(head)}
    statistics = [weight("bn.running_mean", FEATURES), weight("bn.running_var", FEATURES)]
    optimizer = torch.optim.AdamW(w.values(), lr=RATE, weight_decay=DECAY, amsgrad=True)
    losses = []
    for step in range(STEPS):
        x, targets = batch(step)
        logits = run(head, w, statistics, x)
        loss = functional.binary_cross_entropy_with_logits(logits, targets)
        optimizer.zero_grad()
        loss.backward()
        if step == 0:
            reference[head] = {"logits": logits.flatten().tolist(), "gradients": {name: digest(name, value.grad) for name, value in w.items()}}
        optimizer.step()
        losses.append(loss.item())
    reference[head] |= {"losses": losses, "running_mean": statistics[0].tolist(), "running_var": statistics[1].tolist()}
with open(sys.argv[1], "w", encoding="utf-8") as file:
    json.dump(reference, file)
