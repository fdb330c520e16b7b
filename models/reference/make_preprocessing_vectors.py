#!/usr/bin/env python3
"""Runs the seeded ShuffleNets in PyTorch on pictures in values from 0 to 255 minus a mean, for models/tests/networks/preprocessing.rs.

Usage: make_preprocessing_vectors.py WEIGHTS.safetensors VECTORS.safetensors

WEIGHTS comes from the ignored test `write_weights` of models/tests/networks. Needs torch and torchvision.
"""

import sys

import numpy as np
import torch
import torchvision
from make_vectors import ShuffleNet3d, read_safetensors, write_safetensors
from torch import nn

MEAN = torch.tensor([114.7748, 107.7354, 99.475])


def picture(size, time):
    """Codes of an RGB picture (3, size, size): the top byte of ((time * 3 * size^2 + i) * 2654435761 + 12345) mod 2^32."""
    i = np.arange(3 * size * size, dtype=np.uint64) + np.uint64(time * 3 * size * size)
    h = (i * np.uint64(2654435761) + np.uint64(12345)) & np.uint64(0xFFFFFFFF)
    return torch.from_numpy((h >> np.uint64(24)).astype(np.float32).reshape(3, size, size))


def clip(size, times):
    """(1, 3, frames, size, size), the mean subtracted."""
    pictures = torch.stack([picture(size, time) - MEAN[:, None, None] for time in times], 1)
    return pictures[None]


def main(weights_path, vectors_path):
    weights = read_safetensors(weights_path)

    def load(network, prefix):
        state = {name[len(prefix) + 1 :]: value for name, value in weights.items() if name.startswith(prefix + ".")}
        network.load_state_dict(state, strict=False)
        return network.eval()

    image = torchvision.models.shufflenet_v2_x1_0(weights=None)
    image.fc = nn.Identity()
    video = load(ShuffleNet3d(), "video")
    vectors = {
        "image": load(image, "image")(clip(224, [0])[:, :, 0]),
        "video": video(clip(112, range(8))),
        "video.stride2": video(clip(112, range(0, 8, 2))),
    }
    for name, vector in vectors.items():
        print(f"{name:14} {tuple(vector.shape)} mean {vector.mean():+.4f} max {vector.abs().max():.4f}")
    metadata = {"torch": torch.__version__, "torchvision": torchvision.__version__}
    write_safetensors(vectors_path, vectors, metadata)


if __name__ == "__main__":
    with torch.no_grad():
        main(*sys.argv[1:])
