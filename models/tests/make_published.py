#!/usr/bin/env python3
"""Writes small stores in the layout of Trailers12k, as Python's zarr 2 writes them, and a table like mtgc.csv.

Usage: make_published.py FOLDER. Needs zarr < 3 and numcodecs < 0.16.

FOLDER gets mtgc.csv, trailers_i_shufflenet_fpc24.zarr and trailers_k_shufflenet_fps24_fpc24.zarr, and the archive of each
in FOLDER/archives. The values are drawn from a seed.
"""

import csv
import pathlib
import sys
import tarfile

import numpy as np
import zarr

GENRES = ["action", "adventure", "comedy", "crime", "drama", "fantasy", "horror", "romance", "sci-fi", "thriller"]
TRAILERS, FEATURES = 24, 1024

folder = pathlib.Path(sys.argv[1])
(folder / "archives").mkdir(parents=True)
random = np.random.default_rng(24)
ids = [f"tt{number:07}" for number in range(TRAILERS)]
clips = random.integers(2, 40, TRAILERS)
labels = random.random((TRAILERS, len(GENRES))) < 0.4

with open(folder / "mtgc.csv", "w", newline="") as file:
    table = csv.writer(file)
    table.writerow(["mid", *GENRES, "split0", "split1", "split2"])
    for at, mid in enumerate(ids):
        table.writerow([mid, *labels[at].astype(int), *([0, 0, 0, 1, 2, 0][(at + split) % 6] for split in range(3))])

for name in ["trailers_i_shufflenet_fpc24.zarr", "trailers_k_shufflenet_fps24_fpc24.zarr"]:
    group = zarr.open_group(str(folder / name), mode="w")
    group.attrs["num_features"] = FEATURES
    for mid, length in zip(ids, clips):
        group.create_dataset(mid, data=random.random((length, FEATURES), dtype=np.float32))
    with tarfile.open(folder / "archives" / f"{name}.tar.gz", "w:gz", compresslevel=1) as archive:
        archive.add(folder / name, arcname=name)
