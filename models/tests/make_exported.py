#!/usr/bin/env python3
"""Exports small feature extractors with torch.onnx.export, as users export theirs, and stores what torch makes of a picture.

Usage: make_exported.py FOLDER        (models/tests/exported; needs torch 1.13 or newer)

picture.onnx   (batch, 3, 64, 64) to (batch, 40), the batch free: convolutions, batch norm, hard swish, squeeze and excitation
clip.onnx      (batch, 3, frames, 32, 32) to (batch, 24), batch and frames free
classes.onnx   (1, 3, 64, 64) to a map (1, 40, 8, 8): no feature extractor
two.onnx       two outputs
vectors.json   what torch gives for the pictures of `picture` in values from 0 to 1 less 0.5, divided by 0.25
"""

import json
import sys
from pathlib import Path

import numpy as np
import torch
from torch import nn


class Squeeze(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.down, self.up = nn.Conv2d(width, width // 4, 1), nn.Conv2d(width // 4, width, 1)

    def forward(self, x):
        share = nn.functional.adaptive_avg_pool2d(x, 1)
        return x * nn.functional.hardsigmoid(self.up(nn.functional.relu(self.down(share))))


def layers(axes, widths):
    conv, norm = ((nn.Conv2d, nn.BatchNorm2d), (nn.Conv3d, nn.BatchNorm3d))[axes - 2]
    made, width = [], 3
    for at, wide in enumerate(widths):
        stride = 2 if axes == 2 else (1, 2, 2)
        made += [conv(width, wide, 3, stride, 1, bias=False), norm(wide), nn.Hardswish()]
        if axes == 2 and at == 1:
            made.append(Squeeze(wide))
        width = wide
    return made


def codes(size, frames):
    """Codes (3, frames, size, size): the top byte of (i * 2654435761 + 12345) mod 2^32, one frame (3, size, size) after another."""
    i = np.arange(frames * 3 * size * size, dtype=np.uint64)
    h = ((i * np.uint64(2654435761) + np.uint64(12345)) & np.uint64(0xFFFFFFFF)) >> np.uint64(24)
    return torch.from_numpy(h.astype(np.float32).reshape(frames, 3, size, size).transpose(1, 0, 2, 3).copy())


def main(folder):
    torch.manual_seed(7)
    picture = nn.Sequential(*layers(2, (8, 16, 40)), nn.AdaptiveAvgPool2d(1), nn.Flatten()).train()
    clip = nn.Sequential(*layers(3, (8, 24)), nn.AdaptiveAvgPool3d(1), nn.Flatten()).train()
    normalised = lambda values: (values / 255 - 0.5) / 0.25  # noqa: E731
    for _ in range(20):
        # So that batch norm has statistics.
        picture(torch.randn(4, 3, 64, 64))
        clip(torch.randn(2, 3, 4, 32, 32))
    for layer in [*picture.modules(), *clip.modules()]:
        if isinstance(layer, (nn.BatchNorm2d, nn.BatchNorm3d)):
            # Otherwise every feature would be the mean of a normal distribution's.
            nn.init.uniform_(layer.weight, 0.5, 2.0)
            nn.init.normal_(layer.bias)
    picture.eval(), clip.eval()
    export = dict(input_names=["images"], output_names=["features"], opset_version=13)
    torch.onnx.export(picture, torch.zeros(1, 3, 64, 64), folder / "picture.onnx", dynamic_axes={"images": {0: "batch"}, "features": {0: "batch"}}, **export)
    axes = {"images": {0: "batch", 2: "frames"}, "features": {0: "batch"}}
    torch.onnx.export(clip, torch.zeros(1, 3, 8, 32, 32), folder / "clip.onnx", dynamic_axes=axes, **export)
    # A part of a Sequential is made in training mode, and export would leave its layers so.
    torch.onnx.export(picture[:-2].eval(), torch.zeros(1, 3, 64, 64), folder / "classes.onnx", **export)

    class Two(nn.Module):
        def forward(self, x):
            return x.mean((2, 3)), x.amax((2, 3))

    torch.onnx.export(Two(), torch.zeros(1, 3, 64, 64), folder / "two.onnx", opset_version=13)
    vectors = {
        "picture": picture(normalised(codes(64, 1))[:, 0][None])[0].tolist(),
        "clip": clip(normalised(codes(32, 8))[None])[0].tolist(),
    }
    (folder / "vectors.json").write_text(json.dumps({"torch": torch.__version__, **vectors}) + "\n")


if __name__ == "__main__":
    with torch.no_grad():
        main(Path(sys.argv[1]))
