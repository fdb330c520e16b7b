#!/usr/bin/env python3
"""Compare the streams, and clips of shots with clips across shots, on synthetic trailers.

FOLDER is the result of the commands in docs/training.md, "From nothing to a trained bundle":
`synthetic`, `runs/2d`, `runs/3d`, `image-4.zarr` and `video-4.zarr`. The script extracts the vectors of
clips across shots with the same backbones, and trains each variant with several seeds in
FOLDER/compared. Existing results are kept.

Prints a Markdown table of muAP, mAP, wAP and sAP on the test set: mean and standard deviation over
the seeds. The first row predicts for each trailer the label frequencies of the training set.

Example:
  benches/genres/compare.py work
"""

import argparse
import csv
import json
import statistics
import subprocess
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from programs import build

AREAS = {"mu_ap": "muAP", "m_ap": "mAP", "w_ap": "wAP", "s_ap": "sAP"}
# Variants: name, and stores of the streams.
TRAINED = {
    "image": ["--image", "image-4.zarr"],
    "video": ["--video", "video-4.zarr"],
    "fusion, clips of shots": ["--image", "image-4.zarr", "--video", "video-4.zarr"],
    "fusion, clips across shots": ["--image", "image-4-seq.zarr", "--video", "video-4-seq.zarr"],
}
# As in docs/training.md.
RECIPE = ["--rate", "3e-4", "--schedule", "cosine", "--epochs", "20"]


def main():
    options = parse()
    models = (options.binaries or build()) / "divita-models"

    def run(*arguments):
        subprocess.run([models, *arguments], cwd=options.folder, check=True, stdout=subprocess.DEVNULL)

    for network, run_of, store in [("shufflenet-2d", "2d", "image-4-seq.zarr"), ("shufflenet-3d", "3d", "video-4-seq.zarr")]:
        weights = ["--network", network, "--weights", f"runs/{run_of}/backbone.safetensors"]
        run("extract", "synthetic", *weights, "--fps", "4", "--segmentation", "seq", "--store", store)
    rows = {"label frequencies": [frequencies(options.folder, models)]}
    for name, stores in TRAINED.items():
        rows[name] = []
        for seed in range(1, options.seeds + 1):
            output = Path("compared") / f"{name.replace(', ', '-').replace(' ', '-')}-{seed}"
            results = options.folder / output / "results.json"
            if not results.exists():
                resume = ["--resume"] if (options.folder / output / "recipe.json").exists() else []
                run("train", "synthetic/splits.csv", *stores, *RECIPE, "--seed", str(seed), "--output", output, *resume)
            rows[name].append(json.loads(results.read_text())["test"][0])
    print(f"| test set | {' | '.join(AREAS.values())} |\n|---|---|---|---|---|")
    for name, found in rows.items():
        print(f"| {name} | {' | '.join(cell([areas[area] for areas in found]) for area in AREAS)} |")


def cell(areas):
    if None in areas:
        return "-"
    spread = f" ± {100 * statistics.stdev(areas):.2f}" if len(areas) > 1 else ""
    return f"{100 * statistics.mean(areas):.2f}{spread}"


def frequencies(folder, models):
    """Returns the scores of predicting the label frequencies of the training set for every trailer."""
    table = list(csv.DictReader((folder / "synthetic/splits.csv").open()))
    labels = [name for name in table[0] if name != "video" and not name.startswith("split")]
    trained = [row for row in table if row["split0"] == "0"]
    of = [sum(int(row[label]) for row in trained) / len(trained) for label in labels]
    path = folder / "compared/frequencies.csv"
    path.parent.mkdir(exist_ok=True)
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerows([["video", *labels], *([row["video"], *of] for row in table)])
    said = [models, "evaluate", folder / "synthetic/splits.csv", "--predictions", f"split0={path}", "--json"]
    return json.loads(subprocess.check_output(said))[0]


def parse():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, metavar="FOLDER")
    parser.add_argument("--seeds", type=int, default=3, help="number of seeds per variant (default: 3)")
    parser.add_argument("--binaries", type=Path, help="folder of divita-models (default: build it)")
    options = parser.parse_args()
    options.folder = options.folder.resolve()
    options.binaries = options.binaries and options.binaries.resolve()
    return options


if __name__ == "__main__":
    main()
