#!/usr/bin/env python3
"""Runs the seeded networks in PyTorch, batch norm unfolded, and stores what comes out for models/tests to compare with.

Usage: make_vectors.py WEIGHTS.safetensors VECTORS.safetensors

WEIGHTS comes from the ignored test `write_weights` of models/tests/networks. Needs torch, torchvision (0.15 or newer, for
Video Swin) and nothing else. ResNet, R(2+1)D, Swin, the picture transformer and the 2D ShuffleNet are torchvision's own; the 3D ShuffleNet, the
heads, EfficientNet-Lite0, TimeSformer and TransNet V2 are written here from their papers, apart from the Rust descriptions.
"""

import json
import struct
import sys

import numpy as np
import torch
import torchvision
from torch import nn
from torch.nn import functional

FRAMES = (1, 4, 8, 24)
FEATURES = 1024
SWIN_FEATURES = 768
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
        for projection in "qkvo":
            self.add_module(f"W_{projection}", nn.Linear(width, width, bias=False))

    def forward(self, x):
        n, clips, width = x.shape
        size = width // self.heads
        mixed = []
        for head in range(self.heads):
            part = slice(head * size, (head + 1) * size)
            q, k, v = (project(x)[..., part] for project in (self.W_q, self.W_k, self.W_v))
            shares = torch.softmax(torch.einsum("nid,njd->nij", q, k) / size**0.5, dim=-1)
            mixed.append(torch.einsum("nij,njd->nid", shares, v))
        return self.W_o(torch.cat(mixed, dim=-1))


class Block(nn.Module):
    """Post-norm transformer block; dropout is absent at inference."""

    def __init__(self, width):
        super().__init__()
        self.attention = Attention(width, 4)
        self.norm1 = nn.LayerNorm(width)
        self.ff = nn.Sequential(nn.Linear(width, 6 * width), nn.ReLU(), nn.Linear(6 * width, width))
        self.norm2 = nn.LayerNorm(width)

    def forward(self, x):
        x = self.norm1(x + self.attention(x))
        return self.norm2(x + self.ff(x))


class Head(nn.Module):
    """Batch norm, a clip aggregation module and the classifier; (n, clips, features) to (n, labels)."""

    def __init__(self, kind, features):
        super().__init__()
        self.kind = kind
        self.bn = nn.BatchNorm1d(features)
        # The place in the sequence is that of the published code, whose other members have no weights.
        modules = {
            "cat": {"1": nn.Linear(features, 128), "2": Block(128)},
            "gru": {"1": nn.GRU(features, 115, batch_first=True)},
            "conv": {"0": nn.Conv1d(features, 128, 3, padding=1)},
            "mean": {},
            "ctt-mmc-a": {"0": nn.Conv1d(features, 512, 5, padding=2), "3": nn.Linear(512, 2 * 256)},
            "fastvideo": {"0": nn.Linear(features, 300)},
        }
        width = {"cat": 128, "gru": 115, "conv": 128, "mean": features, "ctt-mmc-a": 256, "fastvideo": 300}
        self.cam = nn.ModuleDict(modules[kind])
        self.cls = nn.Linear(width[kind], LABELS)

    def forward(self, x):
        x = self.bn(x.transpose(1, 2)).transpose(1, 2)
        if self.kind == "cat":
            x = self.cam["2"](self.cam["1"](x)).mean(dim=1)
        elif self.kind == "gru":
            x = functional.relu(self.cam["1"](x)[0]).mean(dim=1)
        elif self.kind == "conv":
            x = functional.relu(self.cam["0"](x.transpose(1, 2))).mean(dim=2)
        elif self.kind == "ctt-mmc-a":
            found = functional.relu(self.cam["0"](x.transpose(1, 2))).amax(dim=2)
            x = self.cam["3"](found).unflatten(1, (2, 256)).amax(dim=1)
        elif self.kind == "fastvideo":
            x = self.cam["0"](x).mean(dim=1)
        else:
            x = functional.relu(x.mean(dim=1))
        return self.cls(x)


class TimeSformer(nn.Module):
    """TimeSformer, attention divided in time and space, run from a state dict; clips (1, 3, t, h, w). Written from the paper, a frame and a patch at a time."""

    def __init__(self, weights, depth, heads, patch):
        super().__init__()
        self.weights, self.depth, self.heads, self.patch = weights, depth, heads, patch

    def linear(self, name, x):
        return functional.linear(x, self.weights[f"{name}.weight"], self.weights[f"{name}.bias"])

    def norm(self, name, x):
        return functional.layer_norm(x, x.shape[-1:], self.weights[f"{name}.weight"], self.weights[f"{name}.bias"], 1e-6)

    def attention(self, name, x):
        query, key, value = self.linear(f"{name}.qkv", x).chunk(3, dim=-1)
        size = x.shape[-1] // self.heads
        mixed = []
        for head in range(self.heads):
            part = slice(head * size, (head + 1) * size)
            shares = torch.softmax(query[..., part] @ key[..., part].transpose(-1, -2) / size**0.5, dim=-1)
            mixed.append(shares @ value[..., part])
        return self.linear(f"{name}.proj", torch.cat(mixed, -1))

    def forward(self, clip):
        kernel, bias = self.weights["patch_embed.proj.weight"][:, :, 0], self.weights["patch_embed.proj.bias"]
        places, times = self.weights["pos_embed"][0], self.weights["time_embed"][0]
        frames = clip.shape[2]
        # (frames, patches, width)
        patches = torch.stack([functional.conv2d(frame[None], kernel, bias, self.patch)[0].flatten(1).T for frame in clip[0].unbind(1)])
        nearest = functional.interpolate(times.T[None], size=frames, mode="nearest")[0].T
        patches = patches + places[1:] + nearest[:, None]
        kind = self.weights["cls_token"][0, 0] + places[0]
        for block in range(self.depth):
            name = f"blocks.{block}"
            over_time = [self.attention(f"{name}.temporal_attn", self.norm(f"{name}.temporal_norm1", patches[:, p])) for p in range(patches.shape[1])]
            patches = patches + self.linear(f"{name}.temporal_fc", torch.stack(over_time, 1))
            seen = [self.attention(f"{name}.attn", self.norm(f"{name}.norm1", torch.cat([kind[None], frame]))) for frame in patches]
            kind = kind + torch.stack([rows[0] for rows in seen]).mean(0)
            patches = patches + torch.stack([rows[1:] for rows in seen])
            perceptron = lambda x: self.linear(f"{name}.mlp.fc2", functional.gelu(self.linear(f"{name}.mlp.fc1", self.norm(f"{name}.norm2", x))))
            kind, patches = kind + perceptron(kind), patches + perceptron(patches)
        return self.norm("norm", kind)[None]


def same(x, side, stride):
    """TensorFlow's padding "same" for the last two axes."""
    zeros = [max((-(-size // stride) - 1) * stride + side - size, 0) for size in x.shape[:-3:-1]]
    return functional.pad(x, [part for z in zeros for part in (z // 2, z - z // 2)])


class Lite0(nn.Module):
    """EfficientNet-Lite0 with its classifier, run from a state dict."""

    STAGES = ((16, 1, 3, 1), (24, 2, 3, 2), (40, 2, 5, 2), (80, 3, 3, 2), (112, 3, 5, 1), (192, 4, 5, 2), (320, 1, 3, 1))

    def __init__(self, weights):
        super().__init__()
        self.weights = weights

    def layer(self, conv, norm, x, stride=1, groups=1, rectified=True):
        kernel = self.weights[f"{conv}.weight"]
        x = functional.conv2d(same(x, kernel.shape[-1], stride), kernel, stride=stride, groups=groups)
        mean, variance, scale, shift = (
            self.weights[f"{norm}.{part}"] for part in ("running_mean", "running_var", "weight", "bias")
        )
        x = functional.batch_norm(x, mean, variance, scale, shift, eps=1e-3)
        return functional.relu6(x) if rectified else x

    def forward(self, x):
        x = self.layer("_conv_stem", "_bn0", x, stride=2)
        number = 0
        for stage, (channels, blocks, _, stride) in enumerate(self.STAGES):
            for index in range(blocks):
                name, y = f"_blocks.{number}", x
                if stage > 0:
                    y = self.layer(f"{name}._expand_conv", f"{name}._bn0", y)
                step = stride if index == 0 else 1
                y = self.layer(f"{name}._depthwise_conv", f"{name}._bn1", y, step, y.shape[1])
                y = self.layer(f"{name}._project_conv", f"{name}._bn2", y, rectified=False)
                x = x + y if step == 1 and x.shape[1] == channels else y
                number += 1
        x = self.layer("_conv_head", "_bn1", x).mean(dim=(2, 3))
        return functional.linear(x, self.weights["_fc.weight"], self.weights["_fc.bias"])


class TransNet(nn.Module):
    """TransNet V2, run from a state dict; frames (1, 3, t, 27, 48) in [0, 1], histograms (1, t, 512)."""

    def __init__(self, weights):
        super().__init__()
        self.weights = weights

    def linear(self, name, x):
        return functional.linear(x, self.weights[f"{name}.weight"], self.weights[f"{name}.bias"])

    def cell(self, name, x):
        parts = []
        for step in (1, 2, 4, 8):
            spatial, temporal = (self.weights[f"{name}.Conv3D_{step}.layers.{k}.weight"] for k in (0, 1))
            y = functional.conv3d(x, spatial, padding=(0, 1, 1))
            parts.append(functional.conv3d(y, temporal, padding=(step, 0, 0), dilation=(step, 1, 1)))
        bn = [self.weights[f"{name}.bn.{part}"] for part in ("running_mean", "running_var", "weight", "bias")]
        return functional.batch_norm(torch.cat(parts, 1), *bn, eps=1e-3)

    def comparison(self, name, rows):
        rows = functional.normalize(rows, dim=2)
        alike = functional.pad(rows @ rows.transpose(1, 2), (50, 50))
        band = torch.stack([alike[:, t, t : t + 101] for t in range(rows.shape[1])], dim=1)
        return functional.relu(self.linear(name, band))

    def forward(self, frames, histograms):
        x, means = frames, []
        for stage in range(3):
            first = functional.relu(self.cell(f"SDDCNN.{stage}.DDCNN.0", x))
            x = functional.relu(self.cell(f"SDDCNN.{stage}.DDCNN.1", first)) + first
            x = functional.avg_pool3d(x, (1, 2, 2))
            means.append(x.mean(dim=(3, 4)))
        vectors = self.linear("frame_sim_layer.projection", torch.cat(means, 1).transpose(1, 2))
        parts = [
            self.comparison("color_hist_layer.fc", histograms),
            self.comparison("frame_sim_layer.fc", vectors),
            x.permute(0, 2, 3, 4, 1).flatten(2),
        ]
        x = functional.relu(self.linear("fc1", torch.cat(parts, 2)))
        return torch.cat([self.linear(name, x) for name in ("cls_layer1", "cls_layer2")], 2)


def main(weights_path, vectors_path):
    weights = read_safetensors(weights_path)

    def state(prefix):
        return {name[len(prefix) + 1 :]: value for name, value in weights.items() if name.startswith(prefix + ".")}

    def loaded(network, prefix):
        missing, unexpected = network.load_state_dict(state(prefix), strict=False)
        # What follows from the shapes is not among the weights.
        missing = [name for name in missing if not name.endswith(("num_batches_tracked", "relative_position_index"))]
        assert not missing and not unexpected, (prefix, missing, unexpected)
        return network.eval()

    models = torchvision.models
    image = models.shufflenet_v2_x1_0(weights=None)
    image.fc = nn.Identity()
    vectors = {"image": loaded(image, "image")(test_input(1, 3, 224, 224))}
    video = loaded(ShuffleNet3d(), "video")
    for frames in FRAMES:
        vectors[f"video.f{frames}"] = video(test_input(1, 3, frames, 112, 112))
    for stream in ("image", "video"):
        vectors[f"{stream}_head"] = loaded(Head("cat", FEATURES), f"{stream}_head")(test_input(1, CLIPS, FEATURES))
    for kind in ("gru", "conv", "mean", "ctt-mmc-a", "fastvideo"):
        vectors[kind] = loaded(Head(kind, SWIN_FEATURES), kind)(test_input(1, CLIPS, SWIN_FEATURES))

    resnet = models.resnet50(weights=None)
    resnet.fc = nn.Identity()
    vectors["resnet"] = loaded(resnet, "resnet")(test_input(1, 3, 224, 224))
    r2plus1d = models.video.r2plus1d_18(weights=None)
    r2plus1d.fc = nn.Identity()
    vectors["r2plus1d"] = loaded(r2plus1d, "r2plus1d")(test_input(1, 3, 5, 112, 112))
    swin = models.swin_t(weights=None)
    swin.head = nn.Identity()
    vectors["swin2d"] = loaded(swin, "swin2d")(test_input(1, 3, 224, 224))
    swin = models.video.swin_transformer.SwinTransformer3d(
        patch_size=[2, 4, 4], embed_dim=24, depths=[2, 2, 2, 2], num_heads=[1, 2, 4, 8], window_size=[8, 7, 7]
    )
    swin.head = nn.Identity()
    loaded(swin, "swin3d")
    for frames in (4, 5, 24):
        vectors[f"swin3d.f{frames}"] = swin(test_input(1, 3, frames, 224, 224))

    timesformer = TimeSformer(state("timesformer"), depth=2, heads=3, patch=16)
    for frames in (3, 8):
        vectors[f"timesformer.f{frames}"] = timesformer(test_input(1, 3, frames, 64, 64))
    vit = models.VisionTransformer(image_size=64, patch_size=16, num_layers=2, num_heads=3, hidden_dim=48, mlp_dim=192)
    vit.heads = nn.Identity()
    vectors["vit"] = loaded(vit, "vit")(test_input(1, 3, 64, 64))

    vectors["lite0"] = Lite0(state("lite0"))(test_input(1, 3, 224, 224))
    frames = (test_input(1, 3, 100, 27, 48) + 2) / 4
    histograms = ((test_input(1, 100, 512) + 2) * 100).floor()
    vectors["transnetv2"] = TransNet(state("transnetv2"))(frames, histograms)
    for name, vector in vectors.items():
        print(f"{name:14} {tuple(vector.shape)} mean {vector.mean():+.4f} std {vector.std():.4f} max {vector.abs().max():.4f}")
    metadata = {"torch": torch.__version__, "torchvision": torchvision.__version__}
    write_safetensors(vectors_path, vectors, metadata)


if __name__ == "__main__":
    with torch.no_grad():
        main(*sys.argv[1:])
