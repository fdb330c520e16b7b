#!/usr/bin/env python3
"""Runs the seeded networks in PyTorch, batch norm unfolded, and stores what comes out for models/tests to compare with.

Usage: make_vectors.py WEIGHTS.safetensors VECTORS.safetensors

WEIGHTS comes from `divita-models build --weights`. Needs torch and torchvision and nothing else. The 2D network is
torchvision's own; the 3D network and the head are written here from their papers, apart from the Rust description.
"""

import json
import struct
import sys

import numpy as np
import torch
import torchvision
from torch import nn

FRAMES = (1, 4, 8, 24)
FEATURES = 1024
CLIPS = 30
LABELS = 10


def test_input(*shape):
    """Element i (row-major) is (h >> 8) / 2^22 - 2 with h = (i * 2654435761 + 12345) mod 2^32: in [-2, 2), exact in f32."""
    i = np.arange(np.prod(shape), dtype=np.uint64)
    h = (i * np.uint64(2654435761) + np.uint64(12345)) & np.uint64(0xFFFFFFFF)
    x = (h >> np.uint64(8)).astype(np.float64) / 2.0**22 - 2.0
    return torch.from_numpy(x.astype(np.float32).reshape(shape))


def read_safetensors(path):
    """All tensors of a file of single-precision tensors, by name."""
    with open(path, "rb") as file:
        header = json.loads(file.read(struct.unpack("<Q", file.read(8))[0]))
        data = file.read()
    header.pop("__metadata__", None)
    tensors = {}
    for name, entry in header.items():
        assert entry["dtype"] == "F32", name
        start, end = entry["data_offsets"]
        array = np.frombuffer(data[start:end], "<f4").reshape(entry["shape"])
        tensors[name] = torch.from_numpy(array.copy())
    return tensors


def write_safetensors(path, tensors, metadata):
    """Single-precision tensors by name, and text by name."""
    header, blocks, end = {"__metadata__": metadata}, [], 0
    for name, tensor in tensors.items():
        block = tensor.detach().numpy().astype("<f4").tobytes()
        header[name] = {"dtype": "F32", "shape": list(tensor.shape), "data_offsets": [end, end + len(block)]}
        blocks.append(block)
        end += len(block)
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text + b"".join(blocks))


class Unit3d(nn.Module):
    """ShuffleNet V2 unit of "Resource Efficient 3D CNNs"; `banch` is that code's spelling."""

    def __init__(self, inputs, outputs, stride):
        super().__init__()
        half = outputs // 2

        def conv(i, o, side, step=1, groups=1):
            layer = nn.Conv3d(i, o, side, step, side // 2, groups=groups, bias=False)
            return [layer, nn.BatchNorm3d(o)]

        self.passes_half = stride == 1
        if not self.passes_half:
            self.banch1 = nn.Sequential(*conv(inputs, inputs, 3, stride, inputs), *conv(inputs, half, 1), nn.ReLU())
        width = half if self.passes_half else inputs
        self.banch2 = nn.Sequential(
            *conv(width, half, 1), nn.ReLU(), *conv(half, half, 3, stride, half), *conv(half, half, 1), nn.ReLU()
        )

    def forward(self, x):
        if self.passes_half:
            kept, moved = x.chunk(2, dim=1)
        else:
            kept, moved = self.banch1(x), x
        joined = torch.stack([kept, self.banch2(moved)], dim=2)  # (n, c / 2, 2, t, h, w): the shuffle of two groups
        return joined.flatten(1, 2)


class ShuffleNet3d(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1 = nn.Sequential(nn.Conv3d(3, 24, 3, (1, 2, 2), 1, bias=False), nn.BatchNorm3d(24), nn.ReLU())
        self.maxpool = nn.MaxPool3d(3, 2, 1)
        units, width = [], 24
        for channels, count in ((116, 4), (232, 8), (464, 4)):
            for index in range(count):
                units.append(Unit3d(width, channels, 2 if index == 0 else 1))
                width = channels
        self.features = nn.Sequential(*units)
        self.conv_last = nn.Sequential(nn.Conv3d(width, FEATURES, 1, bias=False), nn.BatchNorm3d(FEATURES), nn.ReLU())

    def forward(self, x):
        x = self.conv_last(self.features(self.maxpool(self.conv1(x))))
        return x.mean(dim=(2, 3, 4))


class Attention(nn.Module):
    def __init__(self, width, heads):
        super().__init__()
        self.heads = heads
        self.query = nn.Linear(width, width, bias=False)
        self.key = nn.Linear(width, width, bias=False)
        self.value = nn.Linear(width, width, bias=False)
        self.output = nn.Linear(width, width, bias=False)

    def forward(self, x):
        n, clips, width = x.shape
        size = width // self.heads
        mixed = []
        for head in range(self.heads):
            part = slice(head * size, (head + 1) * size)
            q, k, v = self.query(x)[..., part], self.key(x)[..., part], self.value(x)[..., part]
            shares = torch.softmax(torch.einsum("nid,njd->nij", q, k) / size**0.5, dim=-1)
            mixed.append(torch.einsum("nij,njd->nid", shares, v))
        return self.output(torch.cat(mixed, dim=-1))


class CatHead(nn.Module):
    """Clip Aggregation Transformer with its batch norm and classifier; dropout is absent at inference."""

    def __init__(self, width=128):
        super().__init__()
        self.norm = nn.BatchNorm1d(FEATURES)
        self.reduce = nn.Linear(FEATURES, width)
        self.attention = Attention(width, 4)
        self.attention_norm = nn.LayerNorm(width)
        self.feed_forward = nn.Sequential(nn.Linear(width, 6 * width), nn.ReLU(), nn.Linear(6 * width, width))
        self.feed_forward_norm = nn.LayerNorm(width)
        self.classifier = nn.Linear(width, LABELS)

    def forward(self, x):
        x = self.norm(x.transpose(1, 2)).transpose(1, 2)
        x = self.reduce(x)
        x = self.attention_norm(x + self.attention(x))
        x = self.feed_forward_norm(x + self.feed_forward(x))
        return self.classifier(x.mean(dim=1))


def main(weights_path, vectors_path):
    weights = read_safetensors(weights_path)

    def loaded(network, prefix):
        state = {name[len(prefix) :]: value for name, value in weights.items() if name.startswith(prefix)}
        network.load_state_dict(state, strict=True)
        return network.eval()

    classifier = torchvision.models.shufflenet_v2_x1_0(weights=None)
    classifier.fc = nn.Identity()
    image = loaded(classifier, "image.")
    video = loaded(ShuffleNet3d(), "video.")
    vectors = {"image": image(test_input(1, 3, 224, 224))}
    for frames in FRAMES:
        vectors[f"video.f{frames}"] = video(test_input(1, 3, frames, 112, 112))
    for stream in ("image", "video"):
        head = loaded(CatHead(), f"{stream}_head.")
        vectors[f"{stream}_head"] = head(test_input(1, CLIPS, FEATURES))
    for name, vector in vectors.items():
        print(f"{name:12} {tuple(vector.shape)} mean {vector.mean():+.4f} std {vector.std():.4f} max {vector.abs().max():.4f}")
    metadata = {"torch": torch.__version__, "torchvision": torchvision.__version__}
    write_safetensors(vectors_path, vectors, metadata)


if __name__ == "__main__":
    with torch.no_grad():
        main(*sys.argv[1:])
