#!/usr/bin/env python3
"""Writes tests/stores with Python's zarr: one group, its arrays stored in all the ways that are read, and in some that are not.

Usage: make_stores.py FOLDER, with FOLDER = tests/stores. Needs zarr < 3 and numcodecs < 0.16 (made with zarr 2.18.7 and
numcodecs 0.15.2). Beside the group, values.f32 holds what every array of `trailers.zarr` holds, 40 clips of 24 features,
little-endian, but for `long`, which holds them 36 times over, `holes`, whose values are in holes.f32, and `not-a-number`,
which holds the first two clips and one that is not written.
"""

import pathlib
import shutil
import sys

import numpy as np
import zarr
from numcodecs import BZ2, Blosc, GZip, Zlib

CLIPS, FEATURES = 40, 24

folder = pathlib.Path(sys.argv[1])
shutil.rmtree(folder, ignore_errors=True)
folder.mkdir(parents=True)

# As after a ReLU: many zeros, and values that compress a little.
i = np.arange(CLIPS * FEATURES).reshape(CLIPS, FEATURES)
values = np.maximum(0, np.round(np.sin(i * 0.37) * 64 + (i % 7)) / 32).astype("<f4")
values[3, 5], values[11, 23], values[39, 0] = -0.0, np.inf, 1e-40
values.tofile(folder / "values.f32")

group = zarr.open_group(str(folder / "trailers.zarr"), mode="w")
group.attrs["num_features"] = FEATURES
group.attrs["model"] = {"name": "demo", "rate": 0.1}


def add(name, data=values, **how):
    group.create_dataset(name, data=data, **how)


add("default")
add("raw", compressor=None)
add("zlib", compressor=Zlib(9))
add("gzip", compressor=GZip(9))
# Several blocks, too short to be split; and two that are split, and a third that is shorter and so is not.
add("blocks", compressor=Blosc("lz4", 9, Blosc.SHUFFLE, blocksize=256))
add("long", np.tile(values, (36, 1)), chunks=(36 * CLIPS, FEATURES), compressor=Blosc("lz4", 1, Blosc.SHUFFLE))
add("not-shuffled", compressor=Blosc("lz4", 9, Blosc.NOSHUFFLE, blocksize=128))
add("lz4hc", compressor=Blosc("lz4hc", 9, Blosc.SHUFFLE))
add("blosc-zlib", compressor=Blosc("zlib", 9, Blosc.SHUFFLE))
add("blosc-zstd", compressor=Blosc("zstd", 9, Blosc.SHUFFLE))
# Chunks that divide neither axis; zarr pads them.
add("edges", chunks=(32, 10))
add("edges-raw", chunks=(23, 24), compressor=None)
add("large-chunk", chunks=(64, 32))
add("slash", chunks=(20, 24), dimension_separator="/")
add("columns-first", order="F", chunks=(32, 16), compressor=Zlib(9))

# Rows 16 to 31 are not written.
holes = group.create_dataset("holes", shape=values.shape, chunks=(16, 24), dtype="<f4", fill_value=-1.5)
holes[:16], holes[32:] = values[:16], values[32:]
holes[:].tofile(folder / "holes.f32")
nan = group.create_dataset("not-a-number", shape=(3, FEATURES), chunks=(2, FEATURES), dtype="<f4", fill_value=np.nan)
nan[:2] = values[:2]

# What is not read, and what is not there.
other = zarr.open_group(str(folder / "others.zarr"), mode="w")
other.attrs["num_features"] = FEATURES
few = values[:3]
for name, how in {
    "bit-shuffle": {"compressor": Blosc("lz4", 5, Blosc.BITSHUFFLE)},
    "blosclz": {"compressor": Blosc("blosclz", 5)},
    "bz2": {"compressor": BZ2()},
    "double": {"dtype": "<f8"},
    "big-endian": {"dtype": ">f4"},
}.items():
    other.create_dataset(name, data=few.astype(how.pop("dtype", "<f4")), **how)
other.create_dataset("one-axis", data=values[0])
other.create_dataset("narrow", data=np.ascontiguousarray(few[:, :5]))
other.create_dataset("no-clips", shape=(0, FEATURES), dtype="<f4")
other.create_dataset("not-filled", shape=(5, FEATURES), dtype="<f4")
undefined = other.create_dataset("undefined", shape=(4, FEATURES), chunks=(2, FEATURES), dtype="<f4", fill_value=None)
undefined[:2] = values[:2]
