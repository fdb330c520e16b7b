"""Generates a table and two stores of Trailers12k's size and layout. The labels can be learned from the vectors."""

import csv
import json
from pathlib import Path

import numpy as np
import zarr

FEATURES = 1024
MEAN_CLIPS = 122
STREAMS = ("image", "video")
# Labels and roughly how often a trailer of Trailers12k has each.
LABELS = {
    "action": 0.26, "adventure": 0.17, "comedy": 0.37, "crime": 0.18, "drama": 0.49,
    "fantasy": 0.11, "horror": 0.16, "romance": 0.17, "sci-fi": 0.10, "thriller": 0.25,
}
# How an array is stored. `published`: zarr 2's defaults, chunks of some 200 kB in Blosc's lz4.
# `raw`: one uncompressed chunk, as `divita-models extract` writes it.
LAYOUTS = ("published", "raw")


def generate(folder, trailers, layout, seed=1):
    """Writes films.csv, image.zarr and video.zarr into `folder`, unless a complete set exists. Returns the number of clips."""
    done = folder / "generated.json"
    wanted = {"trailers": trailers, "layout": layout, "seed": seed}
    if done.exists() and (found := json.loads(done.read_text()))["of"] == wanted:
        return found["clips"]
    folder.mkdir(parents=True, exist_ok=True)
    random = np.random.default_rng(seed)
    names = [f"tt{7 * number:07}" for number in range(1, trailers + 1)]
    labels = draw_labels(random, trailers)
    clips = draw_clips(random, trailers)
    write_table(folder / "films.csv", names, labels, random)
    for stream in STREAMS:
        write_store(folder / f"{stream}.zarr", names, labels, clips, layout, np.random.default_rng([seed, STREAMS.index(stream)]))
    done.write_text(json.dumps({"of": wanted, "clips": int(clips.sum())}))
    return int(clips.sum())


def draw_labels(random, trailers):
    """Draws the labels of each trailer, (trailers, labels), at least one each."""
    frequencies = np.array(list(LABELS.values()))
    labels = random.random((trailers, len(LABELS))) < frequencies
    without = ~labels.any(axis=1)
    labels[without, random.choice(len(LABELS), without.sum(), p=frequencies / frequencies.sum())] = True
    return labels


def draw_clips(random, trailers):
    """Draws the number of clips of each trailer: 122 on average, half of them from 95 to 146, at least 12."""
    clips = np.clip(np.rint(random.normal(MEAN_CLIPS, 38, trailers)), 12, 300)
    return np.rint(clips * (MEAN_CLIPS / clips.mean())).astype(int)


def write_table(path, names, labels, random):
    """Writes a table like the published one: 0/1 columns and a split of 70, 10 and 20 %."""
    count = len(names)
    parts = np.repeat([0, 1, 2], [count * 7 // 10, count // 10, count - count * 7 // 10 - count // 10])
    random.shuffle(parts)
    with open(path, "w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["mid", *LABELS, "split0"])
        for name, own, part in zip(names, labels.astype(int), parts):
            writer.writerow([name, *own, part])


def write_store(path, names, labels, clips, layout, random):
    """Writes one array of shape (clips, 1024) per trailer.

    Vectors look like those of a network after its last ReLU and pooling: half of the numbers are
    small, none is negative, every bit of the mantissa is random. Labels shift some of the features."""
    group = zarr.open_group(str(path), mode="w")
    group.attrs["num_features"] = FEATURES
    shifts = random.normal(0, 0.15, (len(LABELS), FEATURES)).astype("<f4")
    for name, own, count in zip(names, labels, clips):
        # Each trailer has a random offset, which hides its labels from a single clip.
        look = 0.25 + own @ shifts + random.normal(0, 0.2, FEATURES).astype("<f4")
        vectors = random.standard_normal((count, FEATURES), dtype="<f4")
        vectors *= 0.5
        vectors += look.astype("<f4")
        np.maximum(vectors, 0, out=vectors)
        how = {"chunks": vectors.shape, "compressor": None} if layout == "raw" else {}
        group.create_dataset(name, data=vectors, **how)
