#!/usr/bin/env python3
"""Measure the loss of running heads, trained at 24 frames a second, at lower rates.

Renders a synthetic corpus with a seed that the demo bundle has not seen, extracts its vectors at 24
frames a second with the backbones of that bundle, trains heads with several seeds, and classifies
the test set with `divita` at every rate. FOLDER holds everything. Existing results are kept.

Prints a Markdown table: muAP at 24 frames a second, and the difference at each lower rate, mean and
standard deviation over the seeds of the heads. It says little about films and other backbones: there
is one corpus, and the 3D backbone was trained on clips of 4 frames.

Example:
  benches/genres/rates.py work-rates
"""

import argparse
import csv
import json
import statistics
import subprocess
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from programs import ROOT, build

TRAINED_AT = 24
LOWER = [12, 8, 6, 4]
IMAGE = ["--image", "image-24.zarr"]
VIDEO = ["--video", "video-24.zarr"]
IMAGE_WEIGHTS = ["--image-weights", "image.onnx"]
VIDEO_WEIGHTS = ["--video-weights", "video.onnx"]
# Bundles: name, stores of the streams, backbones.
BUNDLES = {
    "fusion": (IMAGE + VIDEO, IMAGE_WEIGHTS + VIDEO_WEIGHTS),
    "video": (VIDEO, VIDEO_WEIGHTS),
    "image": (IMAGE, IMAGE_WEIGHTS),
}
# As in docs/training.md, "From nothing to a trained bundle".
RECIPE = ["--rate", "3e-4", "--schedule", "cosine", "--epochs", "20"]


def main():
    options = parse()
    options.folder.mkdir(parents=True, exist_ok=True)
    programs = options.binaries or build()

    def run(program, *arguments):
        subprocess.run([programs / program, *arguments], cwd=options.folder, check=True, stdout=subprocess.DEVNULL)

    def begun(output):
        """Returns the option that resumes a run, if `output` holds one."""
        return ["--resume"] if (options.folder / output / "recipe.json").exists() else []

    corpus(options, run)
    for stream in ["image", "video"]:
        backbone(options, run, stream)
        run("divita-models", "extract", "synthetic", "--weights", f"{stream}.onnx", "--fps", str(TRAINED_AT), "--store", f"{stream}-24.zarr")
    print(f"| muAP | {TRAINED_AT} | {' | '.join(map(str, LOWER))} |\n|---|---|{'---|' * len(LOWER)}")
    for name in options.bundles:
        found = [score(options, run, begun, programs, name, seed) for seed in range(1, options.seeds + 1)]
        lost = [cell([areas[rate] - areas[TRAINED_AT] for areas in found]) for rate in LOWER]
        print(f"| {name} | {cell([areas[TRAINED_AT] for areas in found])} | {' | '.join(lost)} |", flush=True)


def backbone(options, run, stream):
    """Imports the backbone of a stream of the demo bundle, with its preprocessing."""
    if (options.folder / f"{stream}.onnx").exists():
        return
    demo = ROOT / "models/bundles/demo"
    reads = json.loads((demo / "manifest.json").read_text())["streams"][stream]["input"]
    numbers = {key: ",".join(map(str, reads[key])) for key in ["mean", "std"]}
    how = ["--name", f"demo-{stream}", "--size", str(reads["size"]), "--resize", str(reads["resize"]), "--range", "1"]
    how += ["--mean", numbers["mean"], "--std", numbers["std"], "--output", f"{stream}.onnx"]
    run("divita-models", "import-onnx", demo / f"{stream}.onnx", *how)


def corpus(options, run):
    """Renders the trailers, splits them, and links those of the test set into a folder."""
    run("divita-models", "synth", "--count", str(options.count), "--seconds", "16", "--seed", "7", "--output", "synthetic")
    splits = options.folder / "synthetic/splits.csv"
    if not splits.exists():
        run("divita-models", "split", "synthetic/labels.csv", "--splits", "1", "--ratios", "60,10,30", "--output", "synthetic/splits.csv")
    (options.folder / "test").mkdir(exist_ok=True)
    for row in csv.DictReader(splits.open()):
        link = options.folder / "test" / Path(row["video"]).name
        if row["split0"] == "2" and not link.exists():
            link.symlink_to(Path("../synthetic") / row["video"])


def score(options, run, begun, programs, name, seed):
    """Returns muAP on the test set, in points, at every rate, for heads trained with one seed."""
    stores, weights = BUNDLES[name]
    output, bundle = f"runs/{name}-{seed}", f"bundles/{name}-{seed}"
    if not (options.folder / output / "results.json").exists():
        run("divita-models", "train", "synthetic/splits.csv", *stores, *RECIPE, "--seed", str(seed), "--output", output, *begun(output))
    if not (options.folder / bundle).exists():
        run("divita-models", "build", "--run", output, *weights, "--also-at", ",".join(map(str, LOWER)), "--output", bundle)
    areas = {}
    for rate in [TRAINED_AT, *LOWER]:
        predicted = f"{bundle}-{rate}.csv"
        if not (options.folder / predicted).exists():
            run("divita", "classify", "test", "--bundle", bundle, "--fps", str(rate), "--format", "csv", "--output", predicted)
        evaluate = [programs / "divita-models", "evaluate", "synthetic/splits.csv", "--predictions", f"split0={predicted}", "--json"]
        areas[rate] = 100 * json.loads(subprocess.check_output(evaluate, cwd=options.folder))[0]["mu_ap"]
    return areas


def cell(values):
    spread = f" ± {statistics.stdev(values):.2f}" if len(values) > 1 else ""
    return f"{statistics.mean(values):.2f}{spread}"


def parse():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, metavar="FOLDER")
    parser.add_argument("--count", type=int, default=200, help="number of trailers (default: 200)")
    parser.add_argument("--seeds", type=int, default=3, help="number of seeds of the heads (default: 3)")
    parser.add_argument("--bundles", nargs="+", choices=BUNDLES, default=list(BUNDLES), help="kinds of bundle (default: all)")
    parser.add_argument("--binaries", type=Path, help="folder of divita and divita-models (default: build them)")
    options = parser.parse_args()
    options.folder = options.folder.resolve()
    options.binaries = options.binaries and options.binaries.resolve()
    return options


if __name__ == "__main__":
    main()
